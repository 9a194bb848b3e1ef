"""What Waybill itself said: refused requests, templates, suppression, malware, waiting; as stories to explain."""

from collections.abc import Callable
from dataclasses import replace

from tests.explain.life import ACCOUNT, FEEDBACK, START, Life, message
from waybill.model.cause import Cause
from waybill.model.clock import DAY, HOUR, MINUTE
from waybill.model.event import AutoReplied, EventKind, Held, MalwareFound, RenderingFailed, Suppressed
from waybill.model.history import FailedAlike, Likeness
from waybill.model.message import Source, Status
from waybill.model.outcome import Stage
from waybill.model.suppression import GLOBAL, Reason, Suppression

REQUEST_ID = "0e3f8a52-97b1-4a43-8f4b-0f4be7d83c10"


def _request(
    recipient: str = "anna.k@firma.example", *, smtp: bool = False, sender: str = "orders@shop.example"
) -> Life:
    """A request that is going to be refused: its id is the request's."""
    asked = message(
        id=REQUEST_ID,
        request_id=REQUEST_ID,
        source=Source.SMTP if smtp else Source.API,
        operation="SendRawEmail" if smtp else "SendEmail",
        sender=sender,
        source_header=sender,
        subject=None,
        identity=None,
        size=0,
    )
    return Life(recipient=recipient, message=asked)


def _rendering(fact: RenderingFailed) -> Life:
    life = Life(message=message(template=fact.template, template_version=fact.template_version))
    return life.end(Status.RENDERING_FAILED, fact.cause, EventKind.RENDERING_FAILED, fact, about_all=True)


MISSING = RenderingFailed(
    cause=Cause.TEMPLATE_VARIABLE_MISSING,
    error="Attribute 'display_name' is not present in the rendering data.",
    template="order-shipped",
    template_version=7,
    part="subject",
    line=1,
    column=7,
    tag="{{display_name}}",
    variable="display_name",
    available=("display-name", "order_id", "tracking_url"),
    closest="display-name",
)
NESTED = replace(
    MISSING,
    error="Attribute 'order.id' is not present in the rendering data.",
    part="text",
    tag="{{order.id}}",
    variable="order.id",
    available=("number", "total"),
    closest=None,
)


def _missing_elsewhere() -> Life:
    life = _rendering(MISSING)
    life.likeness = Likeness(failed=FailedAlike(messages=41, since=START - 5 * MINUTE, versions=(7,)))
    return life


def _suppressed(**changes: str | Reason | int | None) -> Life:
    entry = Suppression(
        account=ACCOUNT,
        address="anna.k@firma.example",
        reason=Reason.BOUNCE,
        at=START - 9 * DAY,
        author="rule:user-unknown",
        message_id="01000199e1a2b3c4-11111111-2222-4333-8444-555555555555-000000",
        diagnostic="smtp; 550 5.1.1 <anna.k@firma.example>: User unknown in virtual mailbox table",
        event=17,
    )
    entry = replace(entry, **changes)  # type: ignore[arg-type]
    cause = Cause.SUPPRESSED_GLOBAL if entry.account == GLOBAL else Cause.SUPPRESSED_ACCOUNT
    life = Life(recipient=entry.address, entries=[entry])
    return life.end(
        Status.SUPPRESSED,
        cause,
        EventKind.SUPPRESSED,
        Suppressed(
            entry=entry, feedback_id=FEEDBACK, diagnostic="Amazon SES did not send the message to this address."
        ),
    )


def _taken_off() -> Life:
    life = _suppressed()
    life.entries.clear()
    return life


def _by_hand(**changes: str) -> Life:
    return _suppressed(author="operator", message_id=None, diagnostic=None, event=None, **changes)


def _unsubscribed() -> Life:
    life = _by_hand()
    life.delivery = replace(life.delivery, cause=Cause.UNSUBSCRIBED)
    return life


def _held() -> Life:
    life = Life(recipient="max@yahoo.example")
    fact = Held(
        limit="warm-up",
        by="warm-up",
        text="Every address that this message may go from is warming up and has used its day",
        until=START + 2 * HOUR,
    )
    life.end(Status.QUEUED, Cause.HELD_BY_WAYBILL, EventKind.HELD, fact)
    life.delivery = replace(life.delivery, next_at=START + 2 * HOUR)
    return life.wait(40 * MINUTE)


def _taken_with(cause: Cause) -> Life:
    life = Life(recipient="sam@corp.example").answered("250 2.0.0 Ok", Stage.MESSAGE).wait(HOUR)
    life.delivery = replace(life.delivery, cause=cause)
    return life


def _out_of_office() -> Life:
    life = Life(recipient="sam@corp.example").answered("250 2.0.0 Ok", Stage.MESSAGE).wait(MINUTE)
    fact = AutoReplied(subject="Out of office", auto_submitted="auto-replied")
    return life.end(Status.DELIVERED, Cause.ACCEPTED_BY_RECEIVER, EventKind.AUTO_REPLIED, fact).wait(HOUR)


def _queued_long_ago() -> Life:
    """Delayed without an attempt on record, as a ledger that was cut short would have it."""
    life = Life().wait(MINUTE)
    life.delivery = replace(life.delivery, status=Status.DELAYED, cause=Cause.GREYLISTED, next_at=None)
    return life


def _stuck_after_attempt() -> Life:
    life = Life().answered("451 4.7.1 Greylisted, try again later").wait(3 * HOUR)
    life.delivery = replace(life.delivery, lease_owner="w1", lease_until=START + HOUR)
    return life


def _provider_incident() -> Life:
    life = Life().answered("451 4.3.2 try again later")
    life.delivery = replace(life.delivery, cause=Cause.PROVIDER_INCIDENT, underlying_cause=Cause.SERVER_UNAVAILABLE)
    return life


def _unrecorded() -> Life:
    life = Life()
    life.delivery = replace(life.delivery, status=Status.BOUNCED, cause=Cause.USER_UNKNOWN)
    return life


_VERIFIED = "Email address is not verified. The following identities failed the check in region US-EAST-1: "
LIVES: dict[str, Callable[[], Life]] = {
    "template_variable_missing": lambda: _rendering(MISSING),
    "template_variable_missing-widely": _missing_elsewhere,
    "template_variable_missing-nested": lambda: _rendering(NESTED),
    "template_variable_missing-inline": lambda: _rendering(replace(MISSING, template=None, template_version=None)),
    "template_data_invalid": lambda: _rendering(
        RenderingFailed(
            cause=Cause.TEMPLATE_DATA_INVALID,
            error="Template data is not valid JSON: Expecting value at line 1, column 18",
            template="order-shipped",
            template_version=7,
        )
    ),
    "template_syntax_error": lambda: _rendering(
        RenderingFailed(
            cause=Cause.TEMPLATE_SYNTAX_ERROR,
            error="{{#each items}} is not closed (line 1, column 1)",
            template="order-shipped",
            template_version=8,
            part="text",
            line=1,
            column=1,
            tag="{{#each items}}",
        )
    ),
    "template_syntax_error-of-inline": lambda: _rendering(
        RenderingFailed(
            cause=Cause.TEMPLATE_SYNTAX_ERROR,
            error="{{name is not closed (line 1, column 4)",
            template=None,
            template_version=None,
            part="subject",
            line=1,
            column=4,
            tag="{{name",
        )
    ),
    "template_limit_exceeded": lambda: _rendering(
        RenderingFailed(
            cause=Cause.TEMPLATE_LIMIT_EXCEEDED,
            error="Rendering took more than 100000 steps",
            template="order-shipped",
            template_version=7,
            part="text",
        )
    ),
    "template_syntax_error-no-template": lambda: _request().refused(
        Cause.TEMPLATE_SYNTAX_ERROR, "NotFoundException", "Template nosuch does not exist.", template="nosuch"
    ),
    "template_syntax_error-inline": lambda: _request().refused(
        Cause.TEMPLATE_SYNTAX_ERROR, "BadRequestException", "Template contains unsupported operations."
    ),
    "suppressed_account": _suppressed,
    "suppressed_account-by-hand": _by_hand,
    "suppressed_account-taken-off": _taken_off,
    "suppressed_account-complaint": lambda: _suppressed(
        reason=Reason.COMPLAINT,
        author="rule:complaint-report",
        diagnostic="complaint (abuse) reported by arf.mail.example",
    ),
    "suppressed_global": lambda: _suppressed(account=GLOBAL, expires_at=START + 5 * DAY),
    "suppressed_global-by-hand": lambda: _by_hand(account=GLOBAL),
    "suppressed_global-simulator": lambda: _suppressed(
        account=GLOBAL,
        address="suppressionlist@simulator.amazonses.com",
        author="rule:simulator",
        at=START,
        message_id=None,
        event=None,
        diagnostic="the mailbox simulator's suppressionlist@ behaves as if it were on the global suppression list",
    ),
    "unsubscribed": _unsubscribed,
    "virus_detected": lambda: Life().end(
        Status.REJECTED,
        Cause.VIRUS_DETECTED,
        EventKind.REJECTED,
        MalwareFound(reason="Bad content", signature="EICAR-Test-File", where="attachment invoice.zip"),
        about_all=True,
    ),
    "identity_not_verified": lambda: _request().refused(
        Cause.IDENTITY_NOT_VERIFIED,
        "MessageRejected",
        f"{_VERIFIED}orders@shop.example",
        identities="orders@shop.example",
    ),
    "identity_not_verified-over-smtp": lambda: _request(smtp=True).refused(
        Cause.IDENTITY_NOT_VERIFIED,
        "554",
        f"554 Message rejected: {_VERIFIED}orders@shop.example",
        identities="orders@shop.example",
    ),
    "identity_not_verified-sandbox": lambda: _request().refused(
        Cause.IDENTITY_NOT_VERIFIED,
        "MessageRejected",
        f"{_VERIFIED}anna.k@firma.example",
        identities="anna.k@firma.example",
    ),
    "identity_not_verified-unreadable": lambda: _request(sender="orders").refused(
        Cause.IDENTITY_NOT_VERIFIED, "MessageRejected", f"{_VERIFIED}orders", identities="orders"
    ),
    "mail_from_not_verified": lambda: _request().refused(
        Cause.MAIL_FROM_NOT_VERIFIED,
        "MailFromDomainNotVerifiedException",
        "Mail FROM domain is not verified",
        identity="shop.example",
        mail_from_domain="bounce.shop.example",
    ),
    "sending_paused": lambda: _request().refused(
        Cause.SENDING_PAUSED,
        "SendingPausedException",
        "Account sending is disabled.",
        by="operator",
        reason="the newsletter went to a bought list",
        account=ACCOUNT,
    ),
    "sending_paused-configuration-set": lambda: _request().refused(
        Cause.SENDING_PAUSED,
        "SendingPausedException",
        "Sending is paused for configuration set news.",
        configuration_set="news",
    ),
    "sending_paused-by-bounce-rate": lambda: _request().refused(
        Cause.SENDING_PAUSED,
        "SendingPausedException",
        "Sending paused for this account. For more information, please check the inbox of the email address associated with your AWS account.",
        by="rule:bounce-rate",
        reason="140 of 1,000 recipients (14.0 %) bounced for good in the last 24 hours, and sending stops at 10 %",
        paused_at="2026-11-24T13:58:01.000Z",
        account=ACCOUNT,
    ),
    "sending_paused-configuration-set-by-complaint-rate": lambda: _request().refused(
        Cause.SENDING_PAUSED,
        "SendingPausedException",
        "Sending is paused for configuration set news.",
        by="rule:complaint-rate",
        reason="20 of 1,000 recipients (2.0 %) complained in the last 24 hours, and sending stops at 0.5 %",
        paused_at="2026-11-24T13:58:01.000Z",
        configuration_set="news",
    ),
    "sending_paused-no-account": lambda: _request().refused(
        Cause.SENDING_PAUSED, "AccountSuspendedException", "Account 100000000009 does not exist in this installation."
    ),
    "quota_exceeded": lambda: _request().refused(
        Cause.QUOTA_EXCEEDED,
        "LimitExceededException",
        "Daily message quota exceeded.",
        limit="200",
        sent="200",
        free_at="2026-11-24T20:15:00.000Z",
    ),
    "quota_exceeded-without-figures": lambda: _request("anna.k@").refused(
        Cause.QUOTA_EXCEEDED, "LimitExceededException", "Daily message quota exceeded."
    ),
    "sending_rate_exceeded": lambda: _request(smtp=True).refused(
        Cause.SENDING_RATE_EXCEEDED,
        "454",
        "454 Throttling failure: Maximum sending rate exceeded",
        limit="14",
        sent="14",
        free_at="2026-11-24T14:03:10.000Z",
    ),
    "address_invalid-in-request": lambda: _request("anna.k@").refused(
        Cause.ADDRESS_INVALID, "BadRequestException", "Missing domain", field="ToAddresses", address="anna.k@"
    ),
    "identity_not_verified-odd-recipient": lambda: _request("anna.k@").refused(
        Cause.IDENTITY_NOT_VERIFIED, "MessageRejected", f"{_VERIFIED}a@shop.example", identities="a@shop.example"
    ),
    "address_invalid-of-another": lambda: _request().refused(
        Cause.ADDRESS_INVALID, "BadRequestException", "Missing final '@domain'", field="CcAddresses", address="bob"
    ),
    "address_invalid-no-recipient": lambda: _request("").refused(
        Cause.ADDRESS_INVALID, "BadRequestException", "There are no recipients specified"
    ),
    "sender_invalid-in-request": lambda: _request(sender="orders").refused(
        Cause.SENDER_INVALID, "BadRequestException", "Missing final '@domain'", field="From", address="orders"
    ),
    "too_many_recipients-in-request": lambda: _request(smtp=True).refused(
        Cause.TOO_MANY_RECIPIENTS, "452", "452 Too many recipients: Recipient count exceeds 50.", recipients="51"
    ),
    "message_too_large-in-request": lambda: _request(smtp=True).refused(
        Cause.MESSAGE_TOO_LARGE, "552", "552 Message is too long."
    ),
    "content_malformed-in-request": lambda: _request(smtp=True).refused(
        Cause.CONTENT_MALFORMED, "554", "554 Transaction failed: Duplicate header 'From'."
    ),
    "content_malformed-configuration-set": lambda: _request().refused(
        Cause.CONTENT_MALFORMED,
        "NotFoundException",
        "Configuration set <nosuch> does not exist.",
        configuration_set="nosuch",
    ),
    "queued": lambda: Life().wait(700),
    "held_by_waybill": _held,
    "greylisted-unrecorded": _queued_long_ago,
    "stuck": lambda: Life().wait(9 * HOUR),
    "stuck-after-attempt": _stuck_after_attempt,
    "provider_incident": _provider_incident,
    "placed_in_spam": lambda: _taken_with(Cause.PLACED_IN_SPAM),
    "delayed_before_acceptance": lambda: _taken_with(Cause.DELAYED_BEFORE_ACCEPTANCE),
    "delayed_after_acceptance": lambda: _taken_with(Cause.DELAYED_AFTER_ACCEPTANCE),
    "accepted_by_receiver-out-of-office": _out_of_office,
    "user_unknown-unrecorded": _unrecorded,
}
