"""One message and everything that can become of it, for the page about events: facts as the ledger holds them."""

from dataclasses import dataclass, replace

from waybill.model.cause import CATALOGUE, Cause, Responder, Scope
from waybill.model.clock import HOUR, MINUTE, SECOND, Instant
from waybill.model.event import (
    Accepted,
    Attempted,
    BounceReceived,
    Complained,
    Event,
    EventKind,
    Expired,
    Fact,
    MalwareFound,
    RenderingFailed,
    Suppressed,
)
from waybill.model.message import Message, Source, message_id_instant
from waybill.model.outcome import Attempt, Outcome, Reply, Result, Stage, Tls
from waybill.model.suppression import GLOBAL, ON_ACCOUNT_LIST, ON_GLOBAL_LIST, Reason, Suppression
from waybill.publish.ses_mail import Installation

ACCOUNT = "123456789012"
RECIPIENT = "ada@customer.example"
_SENDER = "Waybill Demo <orders@shop.example>"
_ID = "010001a20b6380bb-7c1d5a52-4a1b-4e55-9d0e-2b6f0c3a9e11-000000"
_AT = message_id_instant(_ID)

_MESSAGE = Message(
    id=_ID,
    account=ACCOUNT,
    request_id="3d1f2b8e-6f0c-4b7e-9f55-0a4a3f6f1c11",
    source=Source.API,
    operation="SendEmail",
    accepted_at=_AT,
    sender="orders@shop.example",
    source_header=_SENDER,
    destination=(RECIPIENT,),
    identity="shop.example",
    configuration_set="transactional",
    headers=(
        ("From", _SENDER),
        ("To", RECIPIENT),
        ("Subject", "Your order 1042 has shipped"),
        ("MIME-Version", "1.0"),
        ("Content-Type", 'multipart/alternative; boundary="----=_Part_118_229417.1795573800123"'),
    ),
    tags={"campaign": "order-shipped"},
    client_ip="192.0.2.44",
    client_tls="TLSv1.3",
    caller="waybill-app",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """An event with what it is about; ``delivered`` is the delivery before a complaint."""

    title: str
    message: Message
    event: Event
    delivered: Attempt | None = None


def examples(installation: Installation) -> dict[str, Example]:
    """The examples by name, as this installation would have them in its ledger."""
    delivery = _attempt(installation, 1_412, Cause.ACCEPTED_BY_RECEIVER, "250 2.0.0 OK queued as 4Xt0bR1Zq9z")
    found = {
        "send": _example("Send", EventKind.ACCEPTED, 0, Accepted()),
        "delivery": _example("Delivery", EventKind.DELIVERED, 1_412, Attempted(attempt=delivery)),
        **_bounces(installation),
        **_complaints(delivery),
        "delivery-delay": _example("DeliveryDelay", EventKind.DEFERRED, 610_000, _deferral(installation)),
        "reject": _example(
            "Reject",
            EventKind.REJECTED,
            0,
            MalwareFound(reason="Bad content", signature="EICAR test file", where="order.pdf"),
        ),
        "rendering-failure": _example("Rendering Failure", EventKind.RENDERING_FAILED, 0, _RENDERING),
    }
    found["reject"] = _sent_by(found["reject"], "SendRawEmail")
    found["rendering-failure"] = _sent_by(found["rendering-failure"], "SendTemplatedEmail", template="OrderShipped")
    return found


def _sent_by(example: Example, operation: str, template: str | None = None) -> Example:
    return replace(example, message=replace(example.message, operation=operation, template=template))


_RENDERING = RenderingFailed(
    cause=Cause.TEMPLATE_VARIABLE_MISSING,
    error="Attribute 'orderNumber' is not present in the rendering data.",
    template="OrderShipped",
    template_version=3,
    part="subject",
    variable="orderNumber",
)


def _bounces(installation: Installation) -> dict[str, Example]:
    unknown = _attempt(installation, 1_900, Cause.USER_UNKNOWN, "550 5.1.1 <ada@customer.example>: user unknown")
    full = _attempt(installation, 3_200, Cause.MAILBOX_FULL, "552 5.2.2 mailbox full")
    unread = _returned(Cause.UNDETERMINED, status="5.0.0", diagnostic="smtp; 554 no reason given")
    filtered = _returned(
        Cause.SPAM_CONTENT,
        status="5.7.1",
        diagnostic="smtp; 550 5.7.1 message classified as spam",
        reporting_mta="dns; mx1.customer.example",
    )
    kind, late = EventKind.BOUNCED, EventKind.BOUNCE_RECEIVED
    custom = replace(
        _expired(5 * MINUTE, Cause.GREYLISTED, "451 4.7.1 greylisted, try again later"), by_configuration_set=True
    )
    expired = _expired(14 * HOUR, Cause.DNS_FAILURE, "421 4.4.0 Unable to lookup DNS for customer.example")
    return {
        "bounce-permanent-general": _example("Bounce, refused for good", kind, 1_900, _bounced(unknown, 1_900)),
        "bounce-transient-mailboxfull": _example("Bounce, mailbox full", kind, 3_200, _bounced(full, 3_200)),
        "bounce-transient-expired": _example("Bounce, time ran out", EventKind.EXPIRED, 14 * HOUR, expired),
        "bounce-transient-customtimeoutexceeded": _example(
            "Bounce, the configuration set's MaxDeliverySeconds ran out", EventKind.EXPIRED, 5 * MINUTE, custom
        ),
        "bounce-permanent-onaccountsuppressionlist": _example(
            "Bounce, on the account's suppression list", EventKind.SUPPRESSED, 300, _suppressed(ACCOUNT, Reason.BOUNCE)
        ),
        "bounce-permanent-suppressed-global": _example(
            "Bounce, on the global suppression list", EventKind.SUPPRESSED, 300, _suppressed(GLOBAL, Reason.BOUNCE)
        ),
        "bounce-after-delivery": _example("Bounce, by a bounce mail after the Delivery", late, 4_000, filtered),
        "bounce-no-dsn": _example("Bounce, by a bounce mail that tells nothing", late, 4_000, unread),
    }


def _complaints(delivery: Attempt) -> dict[str, Example]:
    complained = Complained(
        feedback_id=_feedback_id(24 * HOUR),
        feedback_type="abuse",
        user_agent="Example Feedback Loop (V1.0)",
        arrival_date=_AT + 24 * HOUR - 10 * SECOND,
        reported_by="fbl@customer.example",
    )
    complaint = _example("Complaint", EventKind.COMPLAINED, 24 * HOUR, complained)
    return {
        "complaint": replace(complaint, delivered=delivery),
        "complaint-onaccountsuppressionlist": _example(
            "Complaint, on the account's suppression list for an earlier one",
            EventKind.SUPPRESSED,
            300,
            _suppressed(ACCOUNT, Reason.COMPLAINT),
        ),
    }


def _example(title: str, kind: EventKind, after: Instant, fact: Fact) -> Example:
    event = Event(id=1, message_id=_ID, kind=kind, at=_AT + after, fact=fact, recipient=RECIPIENT)
    return Example(title=title, message=_MESSAGE, event=event)


def _feedback_id(after: Instant) -> str:
    return f"0100{_AT + after:012x}-5b0f9c38-91f2-4c0a-8d1e-6a77e2b4c0d3-000000"


def _bounced(attempt: Attempt, after: Instant) -> Attempted:
    return Attempted(attempt=attempt, feedback_id=_feedback_id(after))


def _deferral(installation: Installation) -> Attempted:
    attempt = _attempt(installation, 610_000, Cause.CONNECTION_FAILED, "421 4.4.1 Unable to connect to remote host")
    return Attempted(attempt=attempt, retry_at=_AT + 900_000, expires_at=_AT + 14 * HOUR)


def _suppressed(account: str, reason: Reason) -> Suppressed:
    entry = Suppression(account=account, address=RECIPIENT, reason=reason, at=_AT - HOUR, author="operator")
    text = ON_GLOBAL_LIST if account == GLOBAL else ON_ACCOUNT_LIST
    return Suppressed(entry=entry, feedback_id=_feedback_id(300), diagnostic=text)


def _expired(limit: Instant, cause: Cause, words: str) -> Expired:
    return Expired(
        underlying_cause=cause,
        last_diagnostic=f"smtp; {words}",
        diagnostic=f"smtp; 550 4.4.7 Message expired: unable to deliver in {limit // MINUTE} minutes.<{words}>",
        attempts=4,
        feedback_id=_feedback_id(limit),
        limit_ms=limit,
    )


def _returned(cause: Cause, *, status: str, diagnostic: str, reporting_mta: str | None = None) -> BounceReceived:
    return BounceReceived(
        cause=cause,
        scope=CATALOGUE[cause].scope,
        permanent=CATALOGUE[cause].permanent,
        status=status,
        action="failed",
        diagnostic=diagnostic,
        reporting_mta=reporting_mta,
        rule="example",
        feedback_id=_feedback_id(4_000),
    )


_RESULTS = {"2": Result.DELIVERED, "4": Result.DEFERRED, "5": Result.BOUNCED}


def _attempt(installation: Installation, after: Instant, cause: Cause, answer: str) -> Attempt:
    """An attempt that ended ``after`` milliseconds with this answer."""
    code, enhanced, words = answer.split(" ", 2)
    outcome = Outcome(
        result=_RESULTS[code[0]],
        cause=cause,
        scope=Scope.RECIPIENT,
        responder=Responder.REMOTE,
        permanent=code[0] == "5",
        stage=Stage.RCPT,
        status=enhanced,
        diagnostic=f"smtp; {answer}",
        rule="example",
        reply=Reply(code=int(code), enhanced=enhanced, lines=(f"{enhanced} {words}",)),
    )
    return Attempt(
        number=1,
        started_at=_AT + after - 400,
        ended_at=_AT + after,
        outcome=outcome,
        mx="mx1.customer.example",
        ip="203.0.113.25",
        port=25,
        source_ip="198.51.100.7",
        helo=installation.hostname,
        tls=Tls(version="TLSv1.3", cipher="TLS_AES_256_GCM_SHA384", peer_subject=None, verified=True),
    )
