"""Amazon SES's events as JSON (SES Developer Guide, "Contents of event data" and "Amazon SNS notification contents").

Both families: events of a configuration set (``eventType``) and feedback notifications of an identity
(``notificationType``). Fields that are not named here are tolerated, as SES asks of whoever reads them.
"""

from typing import Any

import msgspec

from waybill.model.clock import Instant, parse_rfc3339

LATEST: Instant = 253_402_300_799_999


class BadEvent(ValueError):  # noqa: N818 - it is named for what came, not for what was done
    """It is no event of Amazon SES, or one with a fault; the text names the field."""


class Header(msgspec.Struct, frozen=True):
    """One header field of the message."""

    name: str
    value: str = ""


class Mail(msgspec.Struct, frozen=True, rename="camel"):
    """The object ``mail``: what every event says of its message."""

    timestamp: str
    message_id: str
    source: str | None = None
    source_arn: str | None = None
    source_ip: str | None = None
    caller_identity: str | None = None
    sending_account_id: str | None = None
    destination: list[str] | None = None
    headers_truncated: bool | None = None
    headers: list[Header] | None = None
    common_headers: dict[str, Any] | None = None
    tags: dict[str, list[str]] | None = None


class Recipient(msgspec.Struct, frozen=True, rename="camel"):
    """A bounced, delayed or complained recipient."""

    email_address: str
    action: str | None = None
    status: str | None = None
    diagnostic_code: str | None = None


class Bounce(msgspec.Struct, frozen=True, rename="camel"):
    """The object ``bounce``."""

    bounce_type: str
    timestamp: str
    bounce_sub_type: str | None = None
    bounced_recipients: list[Recipient] = []
    feedback_id: str | None = None
    reporting_mta: str | None = msgspec.field(default=None, name="reportingMTA")
    remote_mta_ip: str | None = None


class Complaint(msgspec.Struct, frozen=True, rename="camel"):
    """The object ``complaint``."""

    timestamp: str
    complained_recipients: list[Recipient] = []
    feedback_id: str | None = None
    complaint_sub_type: str | None = None
    complaint_feedback_type: str | None = None
    user_agent: str | None = None
    arrival_date: str | None = None


class Delivery(msgspec.Struct, frozen=True, rename="camel"):
    """The object ``delivery``."""

    timestamp: str
    recipients: list[str] = []
    processing_time_millis: int | None = None
    smtp_response: str | None = None
    reporting_mta: str | None = msgspec.field(default=None, name="reportingMTA")
    remote_mta_ip: str | None = None


class Delay(msgspec.Struct, frozen=True, rename="camel"):
    """The object ``deliveryDelay``."""

    timestamp: str
    delay_type: str | None = None
    delayed_recipients: list[Recipient] = []
    expiration_time: str | None = None
    reporting_mta: str | None = msgspec.field(default=None, name="reportingMTA")


class Reject(msgspec.Struct, frozen=True):
    """The object ``reject``."""

    reason: str | None = None


class Failure(msgspec.Struct, frozen=True, rename="camel"):
    """The object ``failure`` of a Rendering Failure."""

    error_message: str | None = None
    template_name: str | None = None


class Engagement(msgspec.Struct, frozen=True, rename="camel"):
    """The objects ``open`` and ``click``."""

    timestamp: str
    ip_address: str | None = None
    user_agent: str | None = None
    link: str | None = None
    is_bot_event: str | bool | None = None


class Subscription(msgspec.Struct, frozen=True, rename="camel"):
    """The object ``subscription``."""

    timestamp: str
    contact_list: str | None = None
    source: str | None = None
    new_topic_preferences: dict[str, Any] | None = None


class Event(msgspec.Struct, frozen=True, rename="camel"):
    """An event with the one object that belongs to its type."""

    mail: Mail
    event_type: str | None = None
    notification_type: str | None = None
    bounce: Bounce | None = None
    complaint: Complaint | None = None
    delivery: Delivery | None = None
    delivery_delay: Delay | None = None
    reject: Reject | None = None
    failure: Failure | None = None
    open: Engagement | None = None
    click: Engagement | None = None
    subscription: Subscription | None = None


def read_event(document: object) -> Event:
    """The event that decoded JSON holds.

    Raises:
        BadEvent: a field is missing or of the wrong kind.
    """
    try:
        return msgspec.convert(document, Event)
    except msgspec.ValidationError as error:
        raise BadEvent(f"not an event of Amazon SES: {error}") from None


def instant(text: str, name: str) -> Instant:
    """The time that a field holds.

    Raises:
        BadEvent: it is none, or lies outside the years 1970 to 9999.
    """
    try:
        at = parse_rfc3339(text)
    except (ValueError, OverflowError):
        at = -1
    if not 0 <= at <= LATEST:
        raise BadEvent(f"{name} = {text[:64]!r} is no time such as 2026-11-24T02:30:00.123Z")
    return at
