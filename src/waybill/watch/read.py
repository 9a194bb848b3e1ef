"""From an event of Amazon SES to what the ledger writes of it: pure."""

import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from typing import Any

from waybill.mail.address import AddressError, canonical
from waybill.model.address import comparable
from waybill.model.amazon import UNKNOWN_ACCOUNT, AmazonEvent, AmazonReported
from waybill.model.clock import Instant, rfc3339
from waybill.model.event import EventKind, NewEvent
from waybill.model.message import Message, Source
from waybill.store.elsewhere import Reported
from waybill.watch.meaning import (
    Meaning,
    meaning_of_bounce,
    meaning_of_complaint,
    meaning_of_delay,
    meaning_of_delivery,
    meaning_of_rejection,
    meaning_of_rendering,
)
from waybill.watch.ses_event import BadEvent, Event, Mail, instant, read_event

_ARN = re.compile(r"arn:[a-z0-9-]+:ses:([a-z0-9-]*):(\d*):identity/(.+)", re.DOTALL)
_LONGEST_ID = 256
_MOST_RECIPIENTS = 1_000
_DETAIL = 1_000
_WORDS = 4_000

_OBJECTS = {
    AmazonEvent.DELIVERY: "delivery",
    AmazonEvent.BOUNCE: "bounce",
    AmazonEvent.COMPLAINT: "complaint",
    AmazonEvent.REJECT: "reject",
    AmazonEvent.RENDERING_FAILURE: "failure",
    AmazonEvent.DELIVERY_DELAY: "deliveryDelay",
    AmazonEvent.OPEN: "open",
    AmazonEvent.CLICK: "click",
    AmazonEvent.SUBSCRIPTION: "subscription",
}
_SPELLED = {re.sub(r"[^a-z]", "", kind.lower()): kind for kind in AmazonEvent}


def read_report(document: object) -> Reported:
    """What an event (decoded JSON) tells of its message and of each recipient that it is about.

    Raises:
        BadEvent: it is no event of Amazon SES, or one with a fault; the text names the field.
    """
    event = read_event(document)
    kind = _kind(event)
    name = _OBJECTS.get(kind)
    if name is not None and getattr(event, _attribute(name)) is None:
        raise BadEvent(f"an event of type {kind.value} has the object {name!r}, and this one has not")
    message = _message(event.mail)
    told = tuple(_READERS[kind](event, message))
    if not message.destination and not any(one.recipient for one in told):
        raise BadEvent("it names no recipient (mail.destination)")
    region = _arn(event.mail)[0]
    return Reported(message=message, events=tuple(_with_region(one, region) for one in told))


def _attribute(name: str) -> str:
    return re.sub(r"[A-Z]", lambda letter: f"_{letter[0].lower()}", name)


def _kind(event: Event) -> AmazonEvent:
    text = event.event_type or event.notification_type
    if text is None:
        raise BadEvent("it has neither eventType nor notificationType")
    kind = _SPELLED.get(re.sub(r"[^a-z]", "", text.lower()))
    if kind is None:
        raise BadEvent(f"eventType = {text[:64]!r} is not known; known are {', '.join(AmazonEvent)}")
    return kind


def _arn(mail: Mail) -> tuple[str | None, str | None, str | None]:
    """Region, account and identity that sourceArn names."""
    match = _ARN.fullmatch(mail.source_arn or "")
    return (match[1] or None, match[2] or None, match[3]) if match else (None, None, None)


def _message(mail: Mail) -> Message:
    message_id = mail.message_id.strip()
    if not 1 <= len(message_id) <= _LONGEST_ID or not message_id.isprintable():
        raise BadEvent(f"mail.messageId = {message_id[:64]!r} is no message id")
    destination = tuple(dict.fromkeys(_bare(one) for one in mail.destination or ()))
    if len(destination) > _MOST_RECIPIENTS:
        raise BadEvent(f"mail.destination has {len(destination)} addresses; {_MOST_RECIPIENTS} are allowed")
    _, account, identity = _arn(mail)
    tags = {name: ", ".join(values) for name, values in (mail.tags or {}).items()}
    common = mail.common_headers or {}
    source = _text(mail.source) or _first(common.get("from")) or ""
    headers = tuple((header.name, header.value) for header in mail.headers or ())
    return Message(
        id=message_id,
        account=mail.sending_account_id or account or UNKNOWN_ACCOUNT,
        request_id=message_id,
        source=Source.AMAZON_SES,
        operation=tags.get("ses:operation", ""),
        accepted_at=instant(mail.timestamp, "mail.timestamp"),
        sender=_bare(source),
        source_header=_first(common.get("from")) or source,
        destination=destination,
        subject=_text(common.get("subject")) or _header(headers, "subject"),
        identity=identity,
        configuration_set=tags.get("ses:configuration-set"),
        headers=headers,
        headers_truncated=bool(mail.headers_truncated),
        tags={name: value for name, value in tags.items() if not name.startswith("ses:")},
        client_ip=mail.source_ip or tags.get("ses:source-ip"),
        client_tls=tags.get("ses:source-tls-version"),
        caller=mail.caller_identity or tags.get("ses:caller-identity"),
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _first(value: object) -> str | None:
    return _text(value[0]) if isinstance(value, list) and value else _text(value)


def _header(headers: tuple[tuple[str, str], ...], name: str) -> str | None:
    return next((value for field, value in headers if field.lower() == name), None)


def _bare(text: str) -> str:
    """The address alone, its domain in lower case; what is no address stays as it is."""
    try:
        return canonical(text)
    except AddressError:
        return comparable(text.strip())


def _reported(of_type: AmazonEvent, meaning: Meaning | None, **told: Any) -> AmazonReported:
    detail = {name: str(value)[:_DETAIL] for name, value in told.pop("detail", {}).items() if value is not None}
    if told.get("diagnostic") is not None:
        told["diagnostic"] = told["diagnostic"][:_WORDS]
    return AmazonReported(type=of_type, **(asdict(meaning) if meaning else {}), **told, detail=detail)


def _event(at: Instant, fact: AmazonReported, recipient: str | None) -> NewEvent:
    return NewEvent(
        kind=EventKind.AMAZON_REPORTED, at=at, fact=fact, recipient=None if recipient is None else _bare(recipient)
    )


def _with_region(event: NewEvent, region: str | None) -> NewEvent:
    fact = event.fact
    assert isinstance(fact, AmazonReported)
    return event if region is None else replace(event, fact=replace(fact, region=region))


def _send(event: Event, message: Message) -> Iterator[NewEvent]:  # noqa: ARG001 - one signature for all
    yield _event(message.accepted_at, _reported(AmazonEvent.SEND, None), None)


def _reject(event: Event, message: Message) -> Iterator[NewEvent]:
    reject = event.reject
    assert reject is not None
    reason = reject.reason or "no reason was given"
    yield _event(message.accepted_at, _reported(AmazonEvent.REJECT, meaning_of_rejection(), diagnostic=reason), None)


def _rendering_failure(event: Event, message: Message) -> Iterator[NewEvent]:
    failure = event.failure
    assert failure is not None
    error = failure.error_message or "no reason was given"
    meaning, variable = meaning_of_rendering(error)
    detail = {"template": failure.template_name, "variable": variable}
    yield _event(
        message.accepted_at,
        _reported(AmazonEvent.RENDERING_FAILURE, meaning, diagnostic=error, detail=detail),
        None,
    )


def _delivery(event: Event, message: Message) -> Iterator[NewEvent]:
    told = event.delivery
    assert told is not None
    at = instant(told.timestamp, "delivery.timestamp")
    for recipient in told.recipients or message.destination:
        fact = _reported(
            AmazonEvent.DELIVERY,
            meaning_of_delivery(),
            diagnostic=told.smtp_response,
            reporting_mta=told.reporting_mta,
            remote_ip=told.remote_mta_ip,
            processing_ms=told.processing_time_millis,
            detail={"outgoing_ip": _tag(event, "ses:outgoing-ip"), "tls": _tag(event, "ses:outgoing-tls-version")},
        )
        yield _event(at, fact, recipient)


def _tag(event: Event, name: str) -> str | None:
    values = (event.mail.tags or {}).get(name)
    return values[0] if values else None


def _bounce(event: Event, message: Message) -> Iterator[NewEvent]:  # noqa: ARG001 - one signature for all
    told = event.bounce
    assert told is not None
    if not told.bounced_recipients:
        raise BadEvent("bounce.bouncedRecipients names nobody")
    at = instant(told.timestamp, "bounce.timestamp")
    for one in told.bounced_recipients:
        fact = _reported(
            AmazonEvent.BOUNCE,
            meaning_of_bounce(told.bounce_type, told.bounce_sub_type, one.diagnostic_code),
            kind=told.bounce_type,
            sub_type=told.bounce_sub_type,
            status=one.status,
            action=one.action,
            diagnostic=one.diagnostic_code,
            reporting_mta=told.reporting_mta,
            remote_ip=told.remote_mta_ip,
            feedback_id=told.feedback_id,
        )
        yield _event(at, fact, one.email_address)


def _complaint(event: Event, message: Message) -> Iterator[NewEvent]:
    told = event.complaint
    assert told is not None
    at = instant(told.timestamp, "complaint.timestamp")
    arrived = None if told.arrival_date is None else rfc3339(instant(told.arrival_date, "complaint.arrivalDate"))
    candidates = tuple(one.email_address for one in told.complained_recipients) or message.destination
    several = len(candidates) if len(candidates) > 1 else None
    for recipient in candidates:
        fact = _reported(
            AmazonEvent.COMPLAINT,
            meaning_of_complaint(told.complaint_sub_type, told.complaint_feedback_type, len(candidates)),
            kind=told.complaint_feedback_type,
            sub_type=told.complaint_sub_type,
            feedback_id=told.feedback_id,
            detail={"user_agent": told.user_agent, "arrival_date": arrived, "candidates": several},
        )
        yield _event(at, fact, recipient)


def _delay(event: Event, message: Message) -> Iterator[NewEvent]:  # noqa: ARG001 - one signature for all
    told = event.delivery_delay
    assert told is not None
    at = instant(told.timestamp, "deliveryDelay.timestamp")
    until = None if told.expiration_time is None else instant(told.expiration_time, "deliveryDelay.expirationTime")
    for one in told.delayed_recipients:
        fact = _reported(
            AmazonEvent.DELIVERY_DELAY,
            meaning_of_delay(told.delay_type, one.diagnostic_code),
            kind=told.delay_type,
            status=one.status,
            diagnostic=one.diagnostic_code,
            reporting_mta=told.reporting_mta,
            expires_at=until,
        )
        yield _event(at, fact, one.email_address)


def _engagement(event: Event, message: Message) -> Iterator[NewEvent]:
    kind, told = (AmazonEvent.OPEN, event.open) if event.open is not None else (AmazonEvent.CLICK, event.click)
    assert told is not None
    bot = "likely" if told.is_bot_event in {"Likely", "true", True} else None
    detail = {"ip": told.ip_address, "user_agent": told.user_agent, "link": told.link, "by_a_machine": bot}
    at = instant(told.timestamp, f"{kind.value.lower()}.timestamp")
    # With several recipients nobody knows whose copy it was.
    alone = message.destination[0] if len(message.destination) == 1 else None
    meaning = meaning_of_delivery() if alone is not None else None
    yield _event(at, _reported(kind, meaning, detail=detail), alone)


def _subscription(event: Event, message: Message) -> Iterator[NewEvent]:
    told = event.subscription
    assert told is not None
    everything = (told.new_topic_preferences or {}).get("unsubscribeAll")
    detail = {"contact_list": told.contact_list, "source": told.source, "unsubscribed_from_all": everything}
    alone = message.destination[0] if len(message.destination) == 1 else None
    fact = _reported(AmazonEvent.SUBSCRIPTION, None, detail=detail)
    yield _event(instant(told.timestamp, "subscription.timestamp"), fact, alone)


_READERS: dict[AmazonEvent, Callable[[Event, Message], Iterator[NewEvent]]] = {
    AmazonEvent.SEND: _send,
    AmazonEvent.REJECT: _reject,
    AmazonEvent.RENDERING_FAILURE: _rendering_failure,
    AmazonEvent.DELIVERY: _delivery,
    AmazonEvent.BOUNCE: _bounce,
    AmazonEvent.COMPLAINT: _complaint,
    AmazonEvent.DELIVERY_DELAY: _delay,
    AmazonEvent.OPEN: _engagement,
    AmazonEvent.CLICK: _engagement,
    AmazonEvent.SUBSCRIPTION: _subscription,
}
