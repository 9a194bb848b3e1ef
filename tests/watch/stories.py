"""What Amazon SES told, story by story, each with the moment at which somebody asks why."""

from dataclasses import dataclass
from typing import Any

from tests.watch import events
from waybill.explain import Explanation, Facts, explain
from waybill.explain.amazon_commands import GET_ACCOUNT, GET_IDENTITY, GET_INSIGHTS, GET_SUPPRESSED
from waybill.model.amazon import AmazonAsked, AmazonReported, fate_of
from waybill.model.clock import DAY, HOUR, MINUTE, Instant, parse_rfc3339
from waybill.model.event import Event, EventKind, NewEvent
from waybill.model.message import Delivery
from waybill.watch.read import read_report

SENT = parse_rfc3339(events.SENT_AT)


def diagnosed(words: str) -> dict[str, Any]:
    """A bounce with these words."""
    return events.bounce("Transient", "General", f"smtp; {words}")


@dataclass(frozen=True, kw_only=True)
class Story:
    """The events in the order they came, what was asked, and when somebody looks."""

    told: tuple[dict[str, Any], ...]
    asked: tuple[AmazonAsked, ...] = ()
    after: Instant = DAY

    @property
    def now(self) -> Instant:
        return SENT + self.after

    @property
    def facts(self) -> Facts:
        """As the ledger would hold them."""
        reports = [read_report(document) for document in self.told]
        message = reports[0].message
        for report in reports:
            message = max(message, report.message, key=lambda one: len(one.headers))
        news = [event for report in reports for event in report.events]
        news += [NewEvent(kind=EventKind.AMAZON_ASKED, at=self.now, fact=fact) for fact in self.asked]
        ledger = tuple(
            Event(id=number, message_id=message.id, kind=new.kind, at=new.at, fact=new.fact, recipient=new.recipient)
            for number, new in enumerate(news, 1)
        )
        deliveries = tuple(
            self._delivery(number, recipient, ledger, message.account)
            for number, recipient in enumerate(message.destination, 1)
        )
        return Facts(message=message, deliveries=deliveries, events=ledger)

    def _delivery(self, number: int, recipient: str, ledger: tuple[Event, ...], account: str) -> Delivery:
        told = [
            (one.at, one.fact)
            for one in ledger
            if isinstance(one.fact, AmazonReported) and one.recipient in {None, recipient}
        ]
        fate = fate_of(SENT, told)
        return Delivery(
            id=number,
            message_id=events.MESSAGE_ID,
            account=account,
            recipient=recipient,
            status=fate.status,
            cause=fate.cause,
            underlying_cause=fate.underlying_cause,
            attempts=0,
            accepted_at=SENT,
            next_at=None,
            expires_at=fate.expires_at,
            updated_at=fate.updated_at,
        )

    @property
    def explanation(self) -> Explanation:
        return explain(self.facts, self.now)


ENTRY = AmazonAsked(
    api=GET_SUPPRESSED,
    command="aws sesv2 get-suppressed-destination",
    text="list entry: reason BOUNCE, added 2026-10-02 08:00:00 UTC by message 010201a0f0000000-aaaa-000000",
    found={"reason": "BOUNCE", "message_id": "010201a0f0000000-aaaa-000000"},
)
GONE = AmazonAsked(
    api=GET_SUPPRESSED,
    command="aws sesv2 get-suppressed-destination",
    text="no entry for bo@mail.example on the account's suppression list",
)
NO_ACCOUNT = AmazonAsked(api=GET_ACCOUNT, command="aws sesv2 get-account", failed="no permission for ses:GetAccount")
PAUSED = AmazonAsked(
    api=GET_ACCOUNT,
    command="aws sesv2 get-account",
    text="sending is switched OFF; status SHUTDOWN; production access; 12 of 50,000 recipients in 24 hours, 14 a second; account-level suppression for BOUNCE",
    found={"enabled": "False", "status": "SHUTDOWN", "production": "True"},
)
IDENTITY = AmazonAsked(
    api=GET_IDENTITY,
    command="aws sesv2 get-email-identity",
    text="shop.example is verified; DKIM FAILED, signing off; no MAIL FROM domain of its own",
    found={"verified": "True", "dkim": "FAILED", "mail_from": "None"},
)
INSIGHT = AmazonAsked(
    api=GET_INSIGHTS,
    command="aws sesv2 get-message-insights",
    text="bo@mail.example (Gmail): SEND 2026-11-24 09:12:03 UTC",
)

_LISTED = events.bounce(sub_type="OnAccountSuppressionList", words=events.ON_ACCOUNT_LIST)
_RETRIED = events.delay("General", "smtp; 451 4.7.1 Greylisted, try again later", timestamp="2026-11-24T09:12:06.700Z")

STORIES: dict[str, Story] = {
    "accepted_by_receiver": Story(told=(events.send(), events.delivery())),
    "accepted_by_receiver-late": Story(told=(events.send(), _RETRIED, events.delivery(at="2026-11-24T09:28:06.000Z"))),
    "accepted_by_receiver-opened": Story(told=(events.delivery(), events.opened(), events.clicked())),
    "accepted_by_receiver-opened-by-a-machine": Story(told=(events.opened(isBotEvent="Likely"),)),
    "accepted_by_receiver-auto-reply": Story(
        told=(
            events.delivery(),
            events.bounce("Transient", "General", None, timestamp="2026-11-24T09:13:00.000Z"),
        )
    ),
    "queued": Story(told=(events.send(),), after=MINUTE),
    "queued-silent": Story(told=(events.send(),), asked=(INSIGHT, PAUSED)),
    "queued-silent-not-asked": Story(told=(events.send(),)),
    "queued-unsubscribing": Story(told=(events.subscription(),), after=HOUR),
    "user_unknown": Story(told=(events.bounce(),)),
    "user_unknown-legacy": Story(told=(events.legacy(events.bounce()),)),
    "user_unknown-after-delivery": Story(told=(events.bounce(timestamp="2026-11-24T09:20:00.000Z"), events.delivery())),
    "user_unknown-by-type": Story(told=(events.bounce(sub_type="NoEmail", words=None),)),
    "domain_not_found": Story(
        told=(events.bounce(words="smtp; 550 5.1.2 Host unknown (Name server: host not found)"),)
    ),
    "mailbox_full": Story(told=(events.bounce("Transient", "MailboxFull", "smtp; 552 5.2.2 mailbox full"),)),
    "message_too_large": Story(told=(events.bounce("Transient", "MessageTooLarge", None),)),
    "attachment_rejected": Story(told=(events.bounce("Transient", "AttachmentRejected", None),)),
    "spam_content": Story(
        told=(events.bounce("Transient", "ContentRejected", "smtp; 550 5.7.1 Message rejected as spam"),)
    ),
    "auth_failed": Story(
        told=(diagnosed("550 5.7.26 Unauthenticated email from shop.example is not accepted: DMARC policy"),),
        asked=(IDENTITY,),
    ),
    "ip_blocklisted": Story(
        told=(diagnosed("550 5.7.1 Service unavailable; Client host [192.0.2.9] blocked using zen.spamhaus.org"),)
    ),
    "low_reputation": Story(told=(events.delay("SpamDetected"),), after=HOUR),
    "rate_limited": Story(told=(events.delay("IPFailure"),), after=HOUR),
    "server_unavailable": Story(told=(events.delay("RecipientServerError"),), after=HOUR),
    "connection_failed": Story(told=(events.delay("TransientCommunicationFailure"),), after=HOUR),
    "connection_failed-given-up": Story(told=(events.delay("TransientCommunicationFailure"),), after=2 * DAY),
    "held_by_waybill": Story(told=(events.delay("SendingDeferral"),), after=HOUR),
    "waybill_incident": Story(told=(events.delay("InternalFailure"),), after=HOUR),
    "ptr_missing": Story(told=(events.delay("BYOIPHostNameLookupUnavailable"),), after=HOUR),
    "greylisted": Story(told=(_RETRIED,), after=5 * MINUTE),
    "policy_rejected": Story(told=(diagnosed("550 5.7.1 Message rejected due to local policy"),)),
    "recipient_restricted": Story(
        told=(diagnosed("550 5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup; authentication required"),)
    ),
    "undetermined-permanent": Story(told=(events.bounce(words=None),)),
    "undetermined-transient": Story(told=(events.bounce("Transient", "General", None),)),
    "undetermined-unreadable": Story(told=(events.bounce("Undetermined", "Undetermined", None),)),
    "undetermined-words": Story(told=(diagnosed("550 Computer says no"),)),
    "undetermined-delay": Story(told=(events.delay("Undetermined"),), after=HOUR),
    "delivery_expired": Story(
        told=(events.bounce("Transient", "General", events.EXPIRED, timestamp="2026-11-24T23:12:03.000Z"),)
    ),
    "delivery_expired-custom": Story(
        told=(
            events.delay("MailboxFull"),
            events.bounce(
                "Transient",
                "CustomTimeoutExceeded",
                "smtp; 550 4.4.7 Message expired: unable to deliver in 60 minutes.<451 4.0.0 Unknown>",
                timestamp="2026-11-24T10:12:03.000Z",
            ),
        )
    ),
    "delivery_expired-silent": Story(
        told=(
            events.bounce(
                "Transient",
                "General",
                "smtp; 550 4.4.7 Message expired: unable to deliver in 840 minutes.<451 4.0.0 Unknown>",
                timestamp="2026-11-24T23:12:03.000Z",
            ),
        )
    ),
    "suppressed_account": Story(told=(_LISTED,), asked=(ENTRY, NO_ACCOUNT)),
    "suppressed_account-not-asked": Story(told=(_LISTED,)),
    "suppressed_account-gone": Story(told=(_LISTED,), asked=(GONE, PAUSED)),
    "suppressed_account-complaint": Story(told=(events.complaint(complaintSubType="OnAccountSuppressionList"),)),
    "suppressed_account-tenant": Story(told=(events.bounce(sub_type="OnTenantSuppressionList", words=None),)),
    "suppressed_account-validation": Story(told=(events.bounce(sub_type="EmailValidationSuppressed", words=None),)),
    "suppressed_global": Story(told=(events.bounce(sub_type="Suppressed"),)),
    "unsubscribed": Story(told=(events.bounce(sub_type="UnsubscribedRecipient", words=None),)),
    "virus_detected": Story(told=(events.reject(),)),
    "template_variable_missing": Story(
        told=(events.rendering_failure("Attribute 'orderNumber' is not present in the rendering data."),)
    ),
    "template_data_invalid": Story(told=(events.rendering_failure("Template rendering data is invalid"),)),
    "template_syntax_error": Story(told=(events.rendering_failure("Missing closing tag"),)),
    "template_limit_exceeded": Story(told=(events.rendering_failure("The result exceeds the maximum size"),)),
    "complaint": Story(told=(events.complaint(), events.delivery()), after=2 * DAY),
    "complaint-of-several": Story(
        told=(
            events.complaint(complainedRecipients=[{"emailAddress": events.TO}, {"emailAddress": "li@mail.example"}]),
        ),
        after=2 * DAY,
    ),
    "accepted_by_receiver-no-spam": Story(
        told=(events.delivery(), events.complaint(complaintFeedbackType="not-spam")), after=2 * DAY
    ),
    "complaint-alone": Story(told=(events.complaint(complaintFeedbackType="fraud"),), after=2 * DAY),
    "user_unknown-simulator": Story(
        told=(
            events.bounce(
                bouncedRecipients=[
                    {"emailAddress": "bounce@simulator.amazonses.com", "diagnosticCode": "smtp; 550 5.1.1 user unknown"}
                ]
            )
            | {"mail": events.mail(destination=["bounce@simulator.amazonses.com"])},
        )
    ),
}
