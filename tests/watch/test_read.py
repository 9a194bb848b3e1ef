"""What Waybill reads in each event of Amazon SES."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.shared_data import SHARED
from tests.watch import events
from waybill.model.amazon import UNKNOWN_ACCOUNT, AmazonEvent, AmazonReported, fate_of, status_of
from waybill.model.cause import Cause, Responder, Scope
from waybill.model.message import Source, Status
from waybill.store.elsewhere import Reported
from waybill.watch.read import read_report
from waybill.watch.ses_event import BadEvent
from waybill.watch.stream import Fault, read_stream

EVENT_FILES = sorted((SHARED / "data" / "events").glob("*.json")) if SHARED is not None else []


def fact_of(document: dict[str, Any]) -> AmazonReported:
    (event,) = read_report(document).events
    assert isinstance(event.fact, AmazonReported)
    return event.fact


def test_a_message_is_what_mail_says_of_it() -> None:
    """Everything that Waybill can show of a message it did not send."""
    message = read_report(events.send()).message
    assert events.MESSAGE_ID == message.id
    assert (Source.AMAZON_SES, events.ACCOUNT, "shop.example") == (message.source, message.account, message.identity)
    assert ("orders@shop.example", events.SENDER) == (message.sender, message.source_header)
    assert ((events.TO,), "Your order") == (message.destination, message.subject)
    assert ("transactional", {"campaign": "autumn"}) == (message.configuration_set, message.tags)
    assert ("SendEmail", "192.0.2.44", 1795511522700) == (message.operation, message.client_ip, message.accepted_at)


def test_a_legacy_notification_tells_less() -> None:
    """No tags and no headers: the configuration set is not known, the caller is."""
    message = read_report(events.legacy(events.bounce())).message
    assert (None, None, "shop-app") == (message.configuration_set, message.subject, message.caller)


@pytest.mark.parametrize(
    ("document", "cause", "responder", "permanent"),
    [
        (events.bounce(), Cause.USER_UNKNOWN, Responder.REMOTE, True),
        (
            events.bounce(sub_type="OnAccountSuppressionList", words=events.ON_ACCOUNT_LIST),
            Cause.SUPPRESSED_ACCOUNT,
            Responder.WAYBILL,
            True,
        ),
        (events.bounce(sub_type="OnTenantSuppressionList"), Cause.SUPPRESSED_ACCOUNT, Responder.WAYBILL, True),
        (events.bounce(sub_type="EmailValidationSuppressed"), Cause.SUPPRESSED_ACCOUNT, Responder.WAYBILL, True),
        (events.bounce(sub_type="Suppressed"), Cause.SUPPRESSED_GLOBAL, Responder.WAYBILL, True),
        (events.bounce(sub_type="UnsubscribedRecipient", words=None), Cause.UNSUBSCRIBED, Responder.WAYBILL, True),
        (events.bounce(sub_type="NoEmail", words=None), Cause.USER_UNKNOWN, Responder.REMOTE, True),
        (events.bounce("Transient", "MailboxFull", None), Cause.MAILBOX_FULL, Responder.REMOTE, False),
        (events.bounce("Transient", "MessageTooLarge", None), Cause.MESSAGE_TOO_LARGE, Responder.REMOTE, True),
        (events.bounce("Transient", "AttachmentRejected", None), Cause.ATTACHMENT_REJECTED, Responder.REMOTE, True),
        (events.bounce("Transient", "ContentRejected", None), Cause.SPAM_CONTENT, Responder.REMOTE, True),
        (events.bounce("Transient", "General", None), Cause.UNDETERMINED, Responder.REMOTE, False),
        (events.bounce("Permanent", "General", None), Cause.UNDETERMINED, Responder.REMOTE, True),
        (events.bounce("Transient", "General", "550 5.7.26 DMARC policy"), Cause.AUTH_FAILED, Responder.REMOTE, True),
        (events.complaint(), Cause.COMPLAINT, Responder.RECIPIENT, True),
        (
            events.complaint(complaintSubType="OnAccountSuppressionList"),
            Cause.SUPPRESSED_ACCOUNT,
            Responder.WAYBILL,
            True,
        ),
        (events.reject(), Cause.VIRUS_DETECTED, Responder.WAYBILL, True),
        (events.delivery(), Cause.ACCEPTED_BY_RECEIVER, Responder.REMOTE, False),
        (events.opened(), Cause.ACCEPTED_BY_RECEIVER, Responder.REMOTE, False),
    ],
)
def test_what_an_event_means(document: dict[str, Any], cause: Cause, responder: Responder, permanent: bool) -> None:
    """The receiver's words decide; where there are none, SES's types do."""
    fact = fact_of(document)
    assert (cause, responder, permanent) == (fact.cause, fact.responder, fact.permanent)


@pytest.mark.parametrize("sub_type", ["General", "CustomTimeoutExceeded"])
def test_an_expiry_names_what_stood_behind_it(sub_type: str) -> None:
    """SES quotes the last answer in angle brackets."""
    fact = fact_of(events.bounce("Transient", sub_type, events.EXPIRED))
    assert (Cause.DELIVERY_EXPIRED, Cause.DNS_FAILURE) == (fact.cause, fact.underlying_cause)
    assert (Responder.DNS, Scope.RECIPIENT_DOMAIN, True) == (fact.responder, fact.scope, fact.permanent)


@pytest.mark.parametrize(
    ("kind", "words", "cause", "responder"),
    [
        ("MailboxFull", None, Cause.MAILBOX_FULL, Responder.REMOTE),
        ("SpamDetected", None, Cause.LOW_REPUTATION, Responder.REMOTE),
        ("RecipientServerError", None, Cause.SERVER_UNAVAILABLE, Responder.REMOTE),
        ("IPFailure", None, Cause.RATE_LIMITED, Responder.REMOTE),
        (
            "IPFailure",
            "smtp; 550 5.7.1 192.0.2.1 is listed at zen.spamhaus.org",
            Cause.IP_BLOCKLISTED,
            Responder.REMOTE,
        ),
        ("TransientCommunicationFailure", None, Cause.CONNECTION_FAILED, Responder.NETWORK),
        ("General", "smtp; 451 4.7.1 Greylisted, try again later", Cause.GREYLISTED, Responder.REMOTE),
        ("General", "smtp; 421 4.4.0 Unable to lookup DNS for mail.example", Cause.DNS_FAILURE, Responder.DNS),
        ("BYOIPHostNameLookupUnavailable", None, Cause.PTR_MISSING, Responder.REMOTE),
        ("SendingDeferral", None, Cause.HELD_BY_WAYBILL, Responder.WAYBILL),
        ("InternalFailure", "smtp; 451 4.3.0 Internal failure", Cause.WAYBILL_INCIDENT, Responder.WAYBILL),
        ("Undetermined", None, Cause.UNDETERMINED, Responder.REMOTE),
    ],
)
def test_what_a_delay_means(kind: str, words: str | None, cause: Cause, responder: Responder) -> None:
    """The words first, then the delayType; nothing is final."""
    fact = fact_of(events.delay(kind, words))
    assert (cause, responder, False, Status.DELAYED) == (fact.cause, fact.responder, fact.permanent, status_of(fact))
    assert 1795561922700 == fact.expires_at


@pytest.mark.parametrize(
    ("error", "cause", "variable"),
    [
        (
            "Attribute 'user.first-name' is not present in the rendering data.",
            Cause.TEMPLATE_VARIABLE_MISSING,
            "user.first-name",
        ),
        ("Template rendering data is invalid", Cause.TEMPLATE_DATA_INVALID, None),
        ("The rendered message exceeds the maximum size", Cause.TEMPLATE_LIMIT_EXCEEDED, None),
        ("Missing closing tag for {{#if}}", Cause.TEMPLATE_SYNTAX_ERROR, None),
    ],
)
def test_why_rendering_failed(error: str, cause: Cause, variable: str | None) -> None:
    """The missing attribute is read out of SES's text."""
    fact = fact_of(events.rendering_failure(error))
    assert (cause, variable, "OrderShipped") == (fact.cause, fact.detail.get("variable"), fact.detail["template"])


def test_several_recipients_have_an_event_each() -> None:
    """One bounce of two recipients, with different words."""
    two = [
        {"emailAddress": "a@mail.example", "diagnosticCode": "smtp; 550 5.1.1 user unknown"},
        {"emailAddress": "b@MAIL.example", "diagnosticCode": "smtp; 552 5.2.2 mailbox full"},
    ]
    told = read_report(events.bounce(bouncedRecipients=two)).events
    assert [("a@mail.example", Cause.USER_UNKNOWN), ("b@mail.example", Cause.MAILBOX_FULL)] == [
        (event.recipient, event.fact.cause) for event in told if isinstance(event.fact, AmazonReported)
    ]


def test_of_several_recipients_nobody_knows_who_opened_it() -> None:
    """An open of a message to two is about the message, and proves no delivery."""
    document = events.opened() | {"mail": events.mail(destination=["a@mail.example", "b@mail.example"])}
    (event,) = read_report(document).events
    assert isinstance(event.fact, AmazonReported)
    assert (None, None) == (event.recipient, event.fact.cause)


def test_an_account_that_is_not_named() -> None:
    """Then the events are nobody's, and still found."""
    document = events.send(sendingAccountId=None, sourceArn=None)
    assert UNKNOWN_ACCOUNT == read_report(document).message.account


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({}, "missing required field `mail`"),
        (events.send() | {"eventType": "Sent"}, "eventType = 'Sent' is not known"),
        ({"mail": events.mail()}, "neither eventType nor notificationType"),
        ({"eventType": "Bounce", "mail": events.mail()}, "has the object 'bounce'"),
        (events.send(messageId=" "), "mail.messageId = '' is no message id"),
        (events.send(messageId="a\nb"), "is no message id"),
        (events.send(timestamp="yesterday"), "mail.timestamp = 'yesterday' is no time"),
        (events.send(timestamp="9999-12-31T23:59:59.999-23:59"), "is no time"),
        (events.send(destination=None), "names no recipient"),
        (events.bounce(bouncedRecipients=[]), "bounce.bouncedRecipients names nobody"),
        (events.bounce(bouncedRecipients=[{"emailAddress": 7}]), "Expected `str`, got `int`"),
        (events.send(destination=[f"{n}@mail.example" for n in range(1_001)]), "has 1001 addresses"),
    ],
)
def test_a_fault_is_named(document: dict[str, Any], words: str) -> None:
    """One clear line that names the field."""
    with pytest.raises(BadEvent, match=words.replace("(", r"\(")):
        read_report(document)


def test_an_event_without_anybody_is_a_fault() -> None:
    """A complaint whose recipients were left out, of a message whose recipients were, too."""
    document = events.complaint(complainedRecipients=[]) | {"mail": events.mail(destination=[])}
    with pytest.raises(BadEvent, match="names no recipient"):
        read_report(document)


def test_of_several_who_may_have_complained_it_is_only_possible() -> None:
    """SES names everybody at the domain that the complaint came from: one of them it was."""
    two = [{"emailAddress": events.TO}, {"emailAddress": "li@mail.example"}]
    facts = [one.fact for one in read_report(events.complaint(complainedRecipients=two)).events]
    assert [("possible", "2")] * 2 == [(one.confidence, one.detail["candidates"]) for one in facts]  # type: ignore[union-attr,index]


@pytest.mark.parametrize(
    ("kind", "cause", "status"),
    [
        ("not-spam", Cause.ACCEPTED_BY_RECEIVER, Status.DELIVERED),
        ("auth-failure", None, Status.QUEUED),
        ("abuse", Cause.COMPLAINT, Status.COMPLAINED),
        (None, Cause.COMPLAINT, Status.COMPLAINED),
    ],
)
def test_not_every_feedback_report_is_a_complaint(kind: str | None, cause: Cause | None, status: Status) -> None:
    """Who says that it is no spam has not complained, and a failed check is nobody's word (RFC 6591)."""
    (event,) = read_report(events.complaint(complaintFeedbackType=kind)).events
    assert isinstance(event.fact, AmazonReported)
    assert (cause, status) == (event.fact.cause, status_of(event.fact))


def test_a_bounce_weighs_more_than_a_complaint_that_may_be_another_ones() -> None:
    """Who never got it has not complained."""
    two = [{"emailAddress": events.TO}, {"emailAddress": "li@mail.example"}]
    perhaps = read_report(events.complaint(complainedRecipients=two)).events[0]
    told = [perhaps, *read_report(events.bounce()).events, *read_report(events.delivery()).events]
    facts = [(one.at, one.fact) for one in told if isinstance(one.fact, AmazonReported)]
    assert Status.BOUNCED is fate_of(0, facts).status
    assert Status.COMPLAINED is fate_of(0, [facts[0], facts[2]]).status


@pytest.mark.parametrize("path", EVENT_FILES, ids=lambda path: path.stem)
def test_every_known_form_can_be_read(path: Path) -> None:
    """Each example of the shared data gives its events, or is SNS's own."""
    found = list(read_stream(path.read_bytes()))
    assert [] == [one for one in found if isinstance(one, Fault)]
    expected = not path.stem.startswith("sns-envelope") or path.stem.endswith("notification")
    assert expected == any(isinstance(one, Reported) for one in found)


def test_the_types_are_those_of_ses() -> None:
    """Ten, spelled as its JSON does."""
    told = [
        *(events.send(), events.delivery(), events.bounce(), events.complaint(), events.reject()),
        *(events.rendering_failure("x"), events.delay(), events.opened(), events.clicked(), events.subscription()),
    ]
    assert set(AmazonEvent) == {json.loads(json.dumps(document))["eventType"] for document in told}
    assert list(AmazonEvent) == sorted({fact_of(one).type for one in told}, key=list(AmazonEvent).index)
