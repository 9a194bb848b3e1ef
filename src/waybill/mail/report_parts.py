"""A mail that came home, taken apart once: its texts, its report parts, and the message that it returns."""

import email.utils
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from email.message import Message

from waybill.mail.address import AddressError, parse_mailbox_list
from waybill.mail.header import decode_words
from waybill.model.clock import Instant

MAX_TEXT = 200_000
MAX_PARTS = 200

_TAGS = re.compile(r"<(?:br|/p|/div|/tr|/td|/li)\b[^>]*>", re.IGNORECASE)
_MARKUP = re.compile(r"<(?!mailto:)(?:[a-z/!][^<>@]*)>|&nbsp;", re.IGNORECASE)
_ENTITIES = {"&lt;": "<", "&gt;": ">", "&amp;": "&", "&quot;": '"', "&#64;": "@"}
_RETURNED = re.compile(
    r"^(?:[-_=*# >]{0,40}(?:original message|returned message|message header|unsent message|below this line|the header of the original"
    r"|this is a copy|copy of (?:the|your) message|(?:message|headers?) follow|undelivered message|original mail|start of (?:the )?(?:returned|original))"
    r".{0,60}|(?:Received|Return-Path|Message-ID|DKIM-Signature|MIME-Version)[ \t]*:.*|(?:Your|The) (?:original )?(?:message|mail) (?:reads|headers?) .*)$",
    re.IGNORECASE | re.MULTILINE,
)
_MESSAGE_ID = re.compile(r"^message-id:\s*<?([^\s<>]+)>?", re.IGNORECASE | re.MULTILINE)
_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")
_FIELD = re.compile(r"^[ \t>]{0,4}([A-Za-z][A-Za-z0-9-]{1,40})[ \t]?:[ \t]*(.*)$")
_STATUS_TYPES = frozenset({"message/delivery-status", "message/global-delivery-status"})
_HEADER_TYPES = frozenset({"text/rfc822-headers", "message/global-headers"})
_RETURNED_TYPES = frozenset({"message/rfc822", "message/global"})
_ORIGINAL_TO = ("x-original-to", "to", "cc", "delivered-to")


@dataclass(frozen=True, kw_only=True, slots=True)
class Parts:
    """What the mail is made of. ``text`` is all that people would read, ``human`` the part of it before the returned mail.

    ``returned`` is the header of the mail that it is about, by lower-case name.
    """

    headers: dict[str, str]
    subject: str
    report_type: str
    types: frozenset[str]
    file_names: tuple[str, ...]
    text: str
    human: str
    status: str | None
    feedback: str | None
    returned: dict[str, str] = field(default_factory=dict)

    def header(self, name: str) -> str:
        """The first field of this (lower-case) name, unfolded; "" where there is none."""
        return self.headers.get(name, "")

    @property
    def original_message_id(self) -> str | None:
        """The Message-ID of the returned mail, or the one that the text quotes."""
        quoted = _MESSAGE_ID.search(
            f"message-id:{self.returned['message-id']}" if "message-id" in self.returned else self.text
        )
        return quoted[1] if quoted else None

    @property
    def original_recipients(self) -> tuple[str, ...]:
        """To whom the returned mail was addressed."""
        found: dict[str, None] = {}
        for name in _ORIGINAL_TO:
            found.update(dict.fromkeys(addresses(self.returned.get(name, ""))))
        return tuple(found)


def split(message: Message) -> Parts:
    """The parts of a mail; parts nested inside the returned mail are not looked at."""
    texts: list[str] = []
    status: list[str] = []
    feedback: list[str] = []
    returned: dict[str, str] = {}
    types: set[str] = set()
    names: list[str] = []
    for part in _outer_parts(message):
        kind = part.get_content_type()
        types.add(kind)
        names.extend(name for name in (part.get_filename(), part.get_param("name")) if isinstance(name, str))
        if kind in _STATUS_TYPES:
            status.append(_body(part))
        elif kind == "message/feedback-report":
            feedback.append(_body(part))
        elif kind in _RETURNED_TYPES or kind in _HEADER_TYPES:
            returned = returned or _returned_fields(part, kind)
        elif kind.startswith("text/") and len("".join(texts)) < MAX_TEXT:
            texts.append(_plain(_body(part), kind))
        elif kind.startswith("multipart/") and not part.is_multipart():
            texts.append(_body(part))  # the boundary is broken: all parts in one
    text = "\n".join(texts)[:MAX_TEXT]
    human, quoted = _cut(text)
    return Parts(
        headers=fields(message),
        subject=decode_words(_one_line(message.get("subject", ""))),
        report_type=str(message.get_param("report-type") or "").lower(),
        types=frozenset(types),
        file_names=tuple(names),
        text=text,
        human=human,
        status="\n\n".join(status) if status else None,
        feedback="\n\n".join(feedback) if feedback else None,
        returned=returned or _quoted_fields(quoted),
    )


def fields(message: Message) -> dict[str, str]:
    """The first field of each name, in lower case, on one line."""
    found: dict[str, str] = {}
    for name, value in message.items():
        found.setdefault(name.lower(), _one_line(value))
    return found


def addresses(value: str) -> tuple[str, ...]:
    """The addresses of a header field, also of a broken one."""
    try:
        return tuple(each.address for each in parse_mailbox_list(value))
    except AddressError:
        return tuple(_ADDRESS.findall(value))


def instant(value: str) -> Instant | None:
    """The instant that a date of RFC 5322 names; None where it is none."""
    try:
        return round(email.utils.parsedate_to_datetime(value).timestamp() * 1_000)
    except (ValueError, TypeError, IndexError, OverflowError, OSError):
        return None


def _one_line(value: object) -> str:
    return " ".join(str(value).split())


def _outer_parts(message: Message) -> Iterator[Message]:
    pending, seen = [message], 0
    while pending and seen < MAX_PARTS:
        part = pending.pop(0)
        seen += 1
        yield part
        payload = part.get_payload()
        if isinstance(payload, list) and (part.get_content_maintype() == "multipart" or _is_wrapped(message, payload)):
            pending = [each for each in payload if isinstance(each, Message)] + pending


def _is_wrapped(message: Message, payload: Sequence[object]) -> bool:
    """Whether a gateway put a whole bounce into a mail of its own."""
    inner = payload[0] if payload else None
    if message.get_content_type() == "multipart/report" or not isinstance(inner, Message):
        return False
    return inner.get_content_type() == "multipart/report"


def _body(part: Message) -> str:
    payload = part.get_payload()
    if isinstance(payload, list):
        # The parser splits message/delivery-status and message/feedback-report into blocks of fields.
        text = "\n".join(_block(each) for each in payload)
        encoding = str(part.get("content-transfer-encoding", "")).strip().lower()
        if encoding not in ("base64", "quoted-printable"):
            return text
        part = Message()
        part["content-transfer-encoding"] = encoding
        part.set_payload(text.strip())
    octets = part.get_payload(decode=True)
    if not isinstance(octets, bytes):
        return str(payload)
    charset = part.get_content_charset() or "utf-8"
    try:
        return octets.decode(charset, "replace")
    except LookupError:
        return octets.decode("utf-8", "replace")


def _block(part: Message | str) -> str:
    """A block of fields as it came; eight-bit octets in it are UTF-8 (RFC 6533 §3)."""
    if isinstance(part, str):
        return part
    lines = [f"{name}: {value}" for name, value in part.raw_items()]
    head = "\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape")
    rest = part.get_payload(decode=True)
    return (head + (rest if isinstance(rest, bytes) else b"")).decode("utf-8", "replace")


def _returned_fields(part: Message, kind: str) -> dict[str, str]:
    payload = part.get_payload()
    if kind not in _HEADER_TYPES and isinstance(payload, list) and payload and isinstance(payload[0], Message):
        return fields(payload[0])
    return fields(email.message_from_string(_body(part).lstrip()))


def _cut(text: str) -> tuple[str, str]:
    """The words of the report, and the returned mail where it is quoted below them."""
    for marker in _RETURNED.finditer(text):
        if text[: marker.start()].strip():
            return text[: marker.start()], text[marker.start() :]
    return text, ""


def _quoted_fields(text: str) -> dict[str, str]:
    """The header fields in a quoted mail, which may start with a ruler and have blank lines anywhere."""
    found: dict[str, str] = {}
    last = ""
    for line in text.splitlines()[:200]:
        field = _FIELD.match(line)
        if field is not None:
            last = field[1].lower() if field[1].lower() not in found else ""
            found.setdefault(field[1].lower(), _one_line(field[2]))
        elif line[:1] in (" ", "\t") and last:
            found[last] = f"{found[last]} {_one_line(line)}"
        else:
            last = ""
    return found


def _plain(text: str, kind: str) -> str:
    if kind != "text/html":
        return text
    bare = _MARKUP.sub(" ", _TAGS.sub("\n", text))
    for entity, character in _ENTITIES.items():
        bare = bare.replace(entity, character)
    return bare
