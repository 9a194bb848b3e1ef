"""The ``mail`` object of SES's events and notifications: what is told of the message itself."""

from dataclasses import dataclass
from typing import Any

from waybill.mail.address import AddressError, parse_mailbox_list
from waybill.mail.header import decode_words
from waybill.model.clock import rfc3339
from waybill.model.event import SesEvent
from waybill.model.message import Message
from waybill.model.outcome import Attempt

_ADDRESS_FIELDS = {"from": "from", "to": "to", "cc": "cc", "bcc": "bcc", "reply-to": "replyTo"}
_SPECIALS = frozenset('()<>[]:;@\\,."')
_TEXT_FIELDS = {"sender": "sender", "return-path": "returnPath", "date": "date"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Installation:
    """What the events say about us: region for ARNs, and the name that our SMTP client gives."""

    region: str
    hostname: str


def event_mail(message: Message, installation: Installation, kind: SesEvent, attempt: Attempt | None) -> dict[str, Any]:
    """The object of an event of this kind; ``attempt`` is the one that the tags tell of."""
    templated_send = message.template is not None and kind is SesEvent.SEND
    headers = message.headers
    if templated_send:  # rendered after the Send event: SES shows only what it knows before (recorded from real SES)
        headers = tuple(field for field in headers if field[0].lower() in {"from", "to", "mime-version"})
    mail: dict[str, Any] = {"timestamp": rfc3339(message.accepted_at), "source": message.source_header}
    if not templated_send:
        mail["sourceArn"] = _source_arn(message, installation)
    mail |= {
        "sendingAccountId": message.account,
        "messageId": message.id,
        "destination": list(message.destination),
        "headersTruncated": message.headers_truncated,
    }
    if kind is not SesEvent.RENDERING_FAILURE:
        mail["headers"] = [{"name": name, "value": value} for name, value in headers]
        mail["commonHeaders"] = _headers_at_a_glance(headers, message.id)
    mail["tags"] = _tags(message, attempt)
    return mail


def notification_mail(message: Message, installation: Installation, *, with_headers: bool) -> dict[str, Any]:
    """The object of a legacy notification: no tags, and headers only where the identity asks for them."""
    mail: dict[str, Any] = {
        "timestamp": rfc3339(message.accepted_at),
        "source": message.sender,
        "sourceArn": _source_arn(message, installation),
        "sourceIp": message.client_ip,
        "callerIdentity": message.caller,
        "sendingAccountId": message.account,
        "messageId": message.id,
        "destination": list(message.destination),
    }
    if with_headers:
        headers = message.headers
        own_id = next((value for name, value in headers if name.lower() == "message-id"), message.id)
        mail |= {
            "headersTruncated": message.headers_truncated,
            "headers": [{"name": header, "value": value} for header, value in headers],
            "commonHeaders": _headers_at_a_glance(headers, own_id.strip().strip("<>")),
        }
    return {key: value for key, value in mail.items() if value is not None}


def _source_arn(message: Message, installation: Installation) -> str:
    identity = message.identity or message.sender.rpartition("@")[2]
    return f"arn:aws:ses:{installation.region}:{message.account}:identity/{identity}"


def _headers_at_a_glance(headers: tuple[tuple[str, str], ...], message_id: str) -> dict[str, Any]:
    common: dict[str, Any] = {}
    subject = None
    for name, value in headers:
        key = name.lower()
        if key in _ADDRESS_FIELDS:
            common.setdefault(_ADDRESS_FIELDS[key], []).extend(_addresses(value))
        elif key in _TEXT_FIELDS:
            common[_TEXT_FIELDS[key]] = value
        elif key == "subject":
            subject = decode_words(value)
    common["messageId"] = message_id
    if subject is not None:
        common["subject"] = subject
    return common


def _addresses(value: str) -> list[str]:
    try:
        mailboxes = parse_mailbox_list(value)
    except AddressError:
        return [value]
    return [f"{_phrase(box.display)} <{box.address}>" if box.display else box.address for box in mailboxes]


def _phrase(display: str) -> str:
    """A display name, quoted where it would else be read as something else (RFC 5322 §3.2.3 specials)."""
    if _SPECIALS.isdisjoint(display):
        return display
    escaped = display.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _tags(message: Message, attempt: Attempt | None) -> dict[str, list[str]]:
    known = {
        "ses:source-tls-version": message.client_tls,
        "ses:operation": message.operation,
        "ses:configuration-set": message.configuration_set,
        "ses:source-ip": message.client_ip,
        "ses:from-domain": message.sender.rpartition("@")[2],
        "ses:caller-identity": message.caller,
    }
    if attempt is not None:
        known["ses:outgoing-ip"] = attempt.source_ip
        known["ses:outgoing-tls-version"] = attempt.tls.version if attempt.tls else None
    tags = {name: [value] for name, value in known.items() if value}
    tags.update({name: [value] for name, value in message.tags.items()})
    return tags
