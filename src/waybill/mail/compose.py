"""Builds a message (RFC 5322, MIME RFC 2045-2049) from its pieces, by hand, since it is on the path of every send."""

import re
from collections.abc import Sequence

from waybill.mail.address import AddressError, parse_mailbox
from waybill.mail.entity import Attachment as Attachment
from waybill.mail.entity import Entity, attach, combine, encode_text
from waybill.mail.header import (
    CONTROL_PREFIX,
    ONCE_ONLY,
    HeaderError,
    check_header,
    encode_words,
    fold,
    format_date,
    refuse_controls,
)
from waybill.model.clock import Instant
from waybill.model.record import record

# Fields that only the parts of a Composition may set: a second one would contradict the first.
_OWN = frozenset(
    {"from", "to", "cc", "bcc", "reply-to", "subject", "mime-version", "return-path", "content-type"}
    | {"content-transfer-encoding", "content-disposition", "content-id", "content-description"}
)
_DROPPED = ("message-id", "date")  # SES overwrites them without a word

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_ADDR_SPEC = rf"{_ATOM}(?:\.{_ATOM})*@[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*"
_PLAIN_MAILBOX = re.compile(rf"(?:{_ADDR_SPEC}|(?:{_ATOM} )+<{_ADDR_SPEC}>)")
_BARE_PHRASE = re.compile(r"[A-Za-z0-9]+(?: [A-Za-z0-9]+)*")
_LINE = 78  # RFC 5322 §2.1.1


@record(frozen=True, kw_only=True, slots=True)
class Composition:
    """All that a message is made of. Addresses are as the client wrote them; ``message_id`` is without ``<>``."""

    from_header: str
    to: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()
    reply_to: tuple[str, ...] = ()
    subject: str | None = None
    subject_charset: str = "UTF-8"
    text: str | None = None
    html: str | None = None
    text_charset: str = "UTF-8"
    html_charset: str = "UTF-8"
    attachments: tuple[Attachment, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    message_id: str
    date: Instant
    boundary_seed: str


def compose(parts: Composition) -> bytes:
    """Returns the message, with CRLF line ends.

    Custom Message-ID, Date and X-SES- fields are left out, as SES leaves them out.

    Raises:
        HeaderError: a value cannot be written: it would inject a field, is no address, charset or content type, or is
            over the limits of a line. The text names it.
    """
    refuse_controls("Message-ID", parts.message_id)
    fields = [f"From: {encode_mailbox(parts.from_header, 6)}\r\n"]
    for name, addresses in (("To", parts.to), ("Cc", parts.cc), ("Reply-To", parts.reply_to)):
        if addresses:
            fields.append(f"{name}: {encode_mailboxes(addresses, len(name) + 2)}\r\n")
    if parts.subject is not None:
        refuse_controls("Subject", parts.subject)
        fields.append(f"Subject: {encode_words(parts.subject, parts.subject_charset, offset=9)}\r\n")
    fields.append(f"Date: {format_date(parts.date)}\r\nMessage-ID: <{parts.message_id}>\r\n")
    fields += _custom_fields(parts.headers)
    entity = _compose_body(parts)
    fields += ["MIME-Version: 1.0\r\n", entity.header, "\r\n"]
    ending = b"" if entity.body.endswith(b"\r\n") else b"\r\n"  # SMTP can only carry whole lines
    return b"".join(("".join(fields).encode("ascii"), entity.body, ending))


def encode_mailboxes(addresses: Sequence[str], offset: int = 0) -> str:
    """Returns an address list for a header field, folded between the mailboxes.

    Raises:
        HeaderError: as ``encode_mailbox``.
    """
    out = [encode_mailbox(addresses[0], offset)]
    column = _end_column(out[0], offset)
    for address in addresses[1:]:
        encoded = encode_mailbox(address, 1)
        if column + 2 + len(encoded) > _LINE:
            out.append(f",\r\n {encoded}")
            column = _end_column(encoded, 1)
        else:
            out.append(f", {encoded}")
            column += 2 + len(encoded)
    return "".join(out)


def encode_mailbox(text: str, offset: int = 0) -> str:
    """Returns one mailbox for a header field: its display name quoted or encoded, its domain in A-labels, folded.

    Plain ASCII, encoded words that the client has written included, is kept as it is. ``offset`` is the number of
    columns before it on its line.

    Raises:
        HeaderError: the text is no mailbox, or holds CR, LF or NUL.
    """
    if _PLAIN_MAILBOX.fullmatch(text):
        return fold(text, offset)
    refuse_controls("address", text)
    try:
        mailbox = parse_mailbox(text)
    except AddressError as error:
        raise HeaderError(f"{error}: {text!r}") from None
    display = mailbox.display
    if not display:
        return mailbox.address
    if not (display.isascii() and display.isprintable()):
        name = encode_words(display, offset=offset)
        gap = "\r\n " if _end_column(name, offset) + len(mailbox.address) + 3 > _LINE else " "
        return f"{name}{gap}<{mailbox.address}>"
    if _BARE_PHRASE.fullmatch(display) is None:
        escaped = display.replace("\\", "\\\\").replace('"', '\\"')
        display = f'"{escaped}"'
    return fold(f"{display} <{mailbox.address}>", offset)


def _end_column(encoded: str, offset: int) -> int:
    last = encoded.rfind("\n")
    return offset + len(encoded) if last < 0 else len(encoded) - last - 1


def _custom_fields(headers: Sequence[tuple[str, str]]) -> list[str]:
    names: set[str] = set()
    for name, _ in headers:
        lower = name.lower()
        if lower in names and lower in ONCE_ONLY:
            raise HeaderError(f"Duplicate header {name!r}.")
        names.add(lower)
    return [_custom_field(name, value) for name, value in headers]


def _custom_field(name: str, value: str) -> str:
    check_header(name, value)
    lower = name.lower()
    if lower in _DROPPED or lower.startswith(CONTROL_PREFIX):
        return ""
    if lower in _OWN:
        raise HeaderError(f"Header {name!r} cannot be given as a custom header; it is made from the other parameters.")
    value = value.replace("\t", " ").strip()
    # ASCII is never encoded here: the field may be a structured one, such as List-Unsubscribe.
    is_plain = value.isascii() and value.isprintable()
    return f"{name}: {(fold if is_plain else encode_words)(value, offset=len(name) + 2)}\r\n"


def _compose_body(parts: Composition) -> Entity:
    """Text and HTML as alternatives, inline parts related to the HTML, attachments beside them all (RFC 2046 §5.1)."""
    seed = parts.boundary_seed
    has_html = parts.html is not None
    inline = [part for part in parts.attachments if has_html and part.is_inline]
    beside = [part for part in parts.attachments if not (has_html and part.is_inline)]
    bodies: list[Entity] = []
    if parts.text is not None or (parts.html is None and not beside):
        bodies.append(encode_text(parts.text or "", "plain", parts.text_charset))
    if parts.html is not None:
        html = encode_text(parts.html, "html", parts.html_charset)
        bodies.append(combine("related", [html, *map(attach, inline)], seed) if inline else html)
    body = combine("alternative", bodies, seed) if len(bodies) > 1 else None
    if not beside:
        return body or bodies[0]
    return combine("mixed", [*([body] if body else bodies), *map(attach, beside)], seed)
