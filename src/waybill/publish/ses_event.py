"""SES's event JSON, from the ledger's facts: the same Outcome that the explanation is made from.

Two families share their inner objects (SES Developer Guide, "Examples of event data"): *events* of configuration
sets (``eventType``, with tags and headers) and *notifications* of identities (``notificationType``; only Bounce,
Complaint and Delivery).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from waybill.model.cause import CATALOGUE, Cause
from waybill.model.clock import rfc3339
from waybill.model.event import (
    Attempted,
    BounceReceived,
    Complained,
    Event,
    EventKind,
    Expired,
    MalwareFound,
    RenderingFailed,
    SesEvent,
    Suppressed,
    ses_event,
)
from waybill.model.message import Message
from waybill.model.outcome import Attempt
from waybill.model.resource import FeedbackTopics
from waybill.publish.ses_mail import Installation, event_mail, notification_mail

_NAMES = {
    SesEvent.SEND: "Send",
    SesEvent.REJECT: "Reject",
    SesEvent.BOUNCE: "Bounce",
    SesEvent.COMPLAINT: "Complaint",
    SesEvent.DELIVERY: "Delivery",
    SesEvent.RENDERING_FAILURE: "Rendering Failure",
    SesEvent.DELIVERY_DELAY: "DeliveryDelay",
}

SUPPRESSED_BY = "dns; amazonses.com"
"""SES's ``reportingMTA`` where it did not send at all."""


def delivered_attempt(event: Event, ledger: Sequence[Event]) -> Attempt | None:
    """The delivery to the event's recipient that the ledger tells of, or None."""
    for other in reversed(ledger):
        if other.kind is EventKind.DELIVERED and other.recipient == event.recipient:
            return other.fact.attempt if isinstance(other.fact, Attempted) else None
    return None


def event_json(event: Event, message: Message, installation: Installation, delivered: Attempt | None = None) -> bytes:
    """The event as SES publishes it for a configuration set: compact JSON and a line feed.

    ``delivered`` is the delivery before a complaint; the tags name its addresses.
    """
    kind = ses_event(event.kind, event.fact)
    assert kind is not None, f"{event.kind} is not published"
    name = _NAMES[kind]
    detail = _DETAILS[kind](event, message, installation)
    mail = {"mail": event_mail(message, installation, kind, _attempt_of(event, kind) or delivered)}
    return msgspec.json.encode({"eventType": name, **_in_order(kind, mail, detail)}) + b"\n"


def notification_json(event: Event, message: Message, installation: Installation, topics: FeedbackTopics) -> bytes:
    """The same fact as a legacy notification of the identity; headers only where the identity asks for them."""
    kind = ses_event(event.kind, event.fact)
    assert kind is not None, f"{event.kind} is not published"
    with_headers = {
        SesEvent.BOUNCE: topics.bounce_headers,
        SesEvent.COMPLAINT: topics.complaint_headers,
        SesEvent.DELIVERY: topics.delivery_headers,
    }[kind]
    mail = {"mail": notification_mail(message, installation, with_headers=with_headers)}
    detail = _DETAILS[kind](event, message, installation)
    return msgspec.json.encode({"notificationType": _NAMES[kind], **_in_order(kind, mail, detail)})


def _attempt_of(event: Event, kind: SesEvent) -> Attempt | None:
    """The attempt that the tags tell of; SES has none for a delay."""
    if kind is SesEvent.DELIVERY_DELAY or not isinstance(event.fact, Attempted):
        return None
    return event.fact.attempt


def _in_order(kind: SesEvent, mail: dict[str, Any], detail: dict[str, Any]) -> dict[str, Any]:
    """SES writes bounces and complaints before ``mail``, everything else after it."""
    return {**detail, **mail} if kind in {SesEvent.BOUNCE, SesEvent.COMPLAINT} else {**mail, **detail}


def _send(event: Event, message: Message, installation: Installation) -> dict[str, Any]:  # noqa: ARG001 - one signature for all
    return {"send": {}}


def _reject(event: Event, message: Message, installation: Installation) -> dict[str, Any]:  # noqa: ARG001 - one signature for all
    assert isinstance(event.fact, MalwareFound)
    return {"reject": {"reason": event.fact.reason}}


def _rendering_failure(event: Event, message: Message, installation: Installation) -> dict[str, Any]:  # noqa: ARG001 - one signature for all
    assert isinstance(event.fact, RenderingFailed)
    return {"failure": {"errorMessage": event.fact.error, "templateName": event.fact.template or ""}}


def _delivery(event: Event, message: Message, installation: Installation) -> dict[str, Any]:
    assert isinstance(event.fact, Attempted)
    attempt = event.fact.attempt
    reply = attempt.outcome.reply
    delivery = {
        "timestamp": rfc3339(event.at),
        "processingTimeMillis": max(0, event.at - message.accepted_at),
        "recipients": [event.recipient],
        "smtpResponse": reply.text if reply else attempt.outcome.diagnostic.removeprefix("smtp; "),
        "remoteMtaIp": attempt.ip,
        "reportingMTA": attempt.helo or installation.hostname,
    }
    return {"delivery": {key: value for key, value in delivery.items() if value is not None}}


def _delay(event: Event, message: Message, installation: Installation) -> dict[str, Any]:  # noqa: ARG001 - one signature for all
    assert isinstance(event.fact, Attempted)
    outcome = event.fact.attempt.outcome
    delay: dict[str, Any] = {
        "timestamp": rfc3339(event.at),
        "delayType": CATALOGUE[outcome.cause].delay_type or "Undetermined",
    }
    if event.fact.expires_at is not None:
        delay["expirationTime"] = rfc3339(event.fact.expires_at)
    if event.fact.attempt.source_ip is not None:
        delay["reportingMTA"] = event.fact.attempt.source_ip
    delay["delayedRecipients"] = [
        {"emailAddress": event.recipient, "status": outcome.status, "diagnosticCode": outcome.diagnostic}
    ]
    return {"deliveryDelay": delay}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Bounce:
    """What a bounce object says, wherever the fact comes from. Without a ``status`` it says nothing of the recipient."""

    feedback_id: str
    kind: tuple[str, str]
    status: str | None
    diagnostic: str
    reporting_mta: str | None
    action: str = "failed"
    remote_ip: str | None = None


def _bounce_of(event: Event, message: Message, installation: Installation) -> _Bounce:
    own = f"dns; {installation.hostname}"
    match event.fact:
        case Attempted(attempt=attempt, feedback_id=feedback_id):
            return _Bounce(
                feedback_id=feedback_id or message.id,
                kind=_type_of(attempt.outcome.cause),
                status=attempt.outcome.status,
                diagnostic=attempt.outcome.diagnostic,
                reporting_mta=f"dns; {attempt.helo}" if attempt.helo else own,
                remote_ip=attempt.ip,
            )
        case Expired() as expired:
            custom = ("Transient", "CustomTimeoutExceeded")
            return _Bounce(
                feedback_id=expired.feedback_id,
                kind=custom if expired.by_configuration_set else ("Transient", "General"),
                status="4.4.7",
                diagnostic=expired.diagnostic,
                reporting_mta=own,
            )
        case Suppressed() as suppressed:
            return _Bounce(
                feedback_id=suppressed.feedback_id,
                kind=_type_of(suppressed.cause),
                status="5.1.1",
                diagnostic=suppressed.diagnostic,
                reporting_mta=SUPPRESSED_BY,
            )
        case BounceReceived() as received:
            mta = received.reporting_mta
            nothing_learnt = mta is None and received.cause is Cause.UNDETERMINED  # no DSN, and no words we know
            return _Bounce(
                feedback_id=received.feedback_id,
                kind=_type_of(received.cause),
                status=None if nothing_learnt else received.status,
                diagnostic=received.diagnostic,
                reporting_mta=mta if mta is None or ";" in mta else f"dns; {mta}",  # RFC 3464 §2.2.2: with its type
                action=received.action,
            )
        case _:
            raise TypeError(f"a {event.kind} event with {type(event.fact).__name__} is no bounce")


def _type_of(cause: Cause) -> tuple[str, str]:
    return CATALOGUE[cause].ses or ("Undetermined", "Undetermined")


def _bounce(event: Event, message: Message, installation: Installation) -> dict[str, Any]:
    found = _bounce_of(event, message, installation)
    recipient = {"emailAddress": event.recipient}
    if found.status is not None:
        recipient |= {"action": found.action, "status": found.status, "diagnosticCode": found.diagnostic}
    bounce: dict[str, Any] = {
        "feedbackId": found.feedback_id,
        "bounceType": found.kind[0],
        "bounceSubType": found.kind[1],
        "bouncedRecipients": [recipient],
        "timestamp": rfc3339(event.at),
    }
    if found.reporting_mta:
        bounce["reportingMTA"] = found.reporting_mta
    if found.remote_ip:
        bounce["remoteMtaIp"] = found.remote_ip
    return {"bounce": bounce}


def _complaint(event: Event, message: Message, installation: Installation) -> dict[str, Any]:  # noqa: ARG001 - one signature for all
    recipients = [{"emailAddress": event.recipient}]
    if isinstance(event.fact, Suppressed):
        return {
            "complaint": {
                "feedbackId": event.fact.feedback_id,
                "complaintSubType": "OnAccountSuppressionList",
                "complainedRecipients": recipients,
                "timestamp": rfc3339(event.at),
            }
        }
    assert isinstance(event.fact, Complained)
    complained = event.fact
    complaint: dict[str, Any] = {
        "feedbackId": complained.feedback_id,
        "complaintSubType": complained.sub_type,
        "complainedRecipients": recipients,
        "timestamp": rfc3339(event.at),
    }
    if complained.user_agent is not None:
        complaint["userAgent"] = complained.user_agent
    if complained.feedback_type is not None:
        complaint["complaintFeedbackType"] = complained.feedback_type
    if complained.arrival_date is not None:
        complaint["arrivalDate"] = rfc3339(complained.arrival_date)
    return {"complaint": complaint}


_DETAILS: dict[SesEvent, Callable[[Event, Message, Installation], dict[str, Any]]] = {
    SesEvent.SEND: _send,
    SesEvent.REJECT: _reject,
    SesEvent.BOUNCE: _bounce,
    SesEvent.COMPLAINT: _complaint,
    SesEvent.DELIVERY: _delivery,
    SesEvent.RENDERING_FAILURE: _rendering_failure,
    SesEvent.DELIVERY_DELAY: _delay,
}
