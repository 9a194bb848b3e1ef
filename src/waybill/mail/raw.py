"""Takes in a whole message as a client wrote it, and changes what SES changes before it is signed and sent."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from waybill.mail.compose import encode_mailbox
from waybill.mail.header import MAX_LINE, Field, decode_words, find_body, format_date, refuse_controls, scan
from waybill.mail.line_ends import normalise_line_ends
from waybill.model.clock import Instant

# The fields that SES lets a message have once only (its guide's "header fields" page); To and Cc are not among them.
ONCE_ONLY = frozenset(
    """
    accept-language acceptlanguage archived-at auto-submitted bounces-to comments content-alternative content-base
    content-class content-description content-disposition content-duration content-features content-id
    content-language content-length content-location content-md5 content-transfer-encoding content-type date
    delivered-to disposition-notification-options disposition-notification-to dkim-signature domainkey-signature
    errors-to from importance in-reply-to keywords list-archive list-help list-id list-owner list-post
    list-subscribe list-unsubscribe list-unsubscribe-post message-context message-id mime-version organization
    original-from original-message-id original-recipient original-subject precedence priority references reply-to
    return-path return-receipt-to sender sensitivity solicitation subject thread-index thread-topic user-agent
    vbr-info
    """.split()  # noqa: SIM905 - a paragraph of names reads better than sixty lines
)
_CONTROL_PREFIX = "x-ses-"
_REMOVED = frozenset({"bcc", "return-path"})
_MBOX_LINE = re.compile(rb">?From [^\n]*\n")
_BROKEN_LINE = re.compile(rb"\A[ \t][^\n]*|^(?![ \t]|[!-9;-~]+[ \t]*:)[^\n]*", re.MULTILINE)


class RawError(ValueError):
    """A raw message that SES refuses; the text is its own where it is known."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RawEdit:
    """What to write into the message: ``message_id`` without ``<>``; ``from_header`` is used where it has no From."""

    message_id: str
    date: Instant
    from_header: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Prepared:
    """A message ready to be signed, and what its header said before it was changed.

    ``fields`` are the original fields, unfolded but not decoded, as SES's events show them; ``control`` the X-SES-
    fields by lower-case name. ``subject`` is decoded, the address fields are as written (several To, Cc or Bcc fields
    are joined with commas).
    """

    content: bytes
    fields: tuple[tuple[str, str], ...]
    control: dict[str, str]
    from_header: str
    sender_header: str | None
    subject: str | None
    to: str | None
    cc: str | None
    bcc: str | None
    reply_to: str | None
    return_path: str | None


def prepare_raw(data: bytes, edit: RawEdit) -> Prepared:
    """Returns the message with our Message-ID and Date, without X-SES-, Bcc and Return-Path fields, all else kept.

    Bare CR and bare LF become CRLF (RFC 5321 §2.3.8). Body lines over 998 octets are kept: cutting them would change
    the content, and receivers take them.

    Raises:
        RawError: there is a NUL, a broken or over-long header line, a second field of those allowed once, or no From.
        HeaderError: the address for the missing From is none.
    """
    if b"\0" in data:
        raise RawError(f"The message holds a NUL octet at offset {data.index(0)}; encode binary content as base64.")
    data = (
        _MBOX_LINE.sub(b"", normalise_line_ends(data), count=1) if _MBOX_LINE.match(data) else normalise_line_ends(data)
    )
    end, body = find_body(data)
    fields, _ = scan(data)
    _check_lines(data, end, fields)
    by_name: dict[str, str] = {}
    for field in fields:
        name = field.name.lower()
        if name not in by_name:
            by_name[name] = field.value
        elif name in ONCE_ONLY:
            raise RawError(f"Duplicate header '{field.name}'.")
        elif name in ("to", "cc", "bcc"):
            by_name[name] += f", {field.value}"
    from_header = by_name.get("from") or edit.from_header
    if not from_header:
        raise RawError("Missing required header 'From'.")
    return Prepared(
        content=b"".join([*_edited(data, fields, edit), b"\r\n", data[body:]]),
        fields=tuple((field.name, field.value) for field in fields),
        control={name: value for name, value in by_name.items() if name.startswith(_CONTROL_PREFIX)},
        from_header=from_header,
        sender_header=by_name.get("sender"),
        subject=decode_words(by_name["subject"]) if "subject" in by_name else None,
        to=by_name.get("to"),
        cc=by_name.get("cc"),
        bcc=by_name.get("bcc"),
        reply_to=by_name.get("reply-to"),
        return_path=by_name.get("return-path"),
    )


def _check_lines(data: bytes, end: int, fields: Sequence[Field]) -> None:
    if sum([field.end - field.start for field in fields]) != end:  # else every line belongs to a field
        broken = _BROKEN_LINE.search(data, 0, end)
        assert broken is not None
        number = data.count(b"\n", 0, broken.start()) + 1
        shown = broken[0][:60].decode("utf-8", "replace").strip()
        raise RawError(f"Line {number} of the header is not of the form 'Name: value': {shown!r}.")
    for field in fields:
        if field.end - field.start > MAX_LINE:
            longest = max(map(len, data[field.start : field.end].split(b"\r\n")))
            if longest > MAX_LINE:
                raise RawError(f"Header '{field.name}' has a line of {longest} octets; at most {MAX_LINE} are allowed.")


def _edited(data: bytes, fields: Sequence[Field], edit: RawEdit) -> list[bytes]:
    """The header's new pieces: kept fields in one piece from one change to the next."""
    refuse_controls("Message-ID", edit.message_id)
    ours = {
        "message-id": f"Message-ID: <{edit.message_id}>\r\n".encode("ascii"),
        "date": f"Date: {format_date(edit.date)}\r\n".encode("ascii"),
    }
    pieces: list[bytes] = []
    has_from = False
    for field in fields:
        name = field.name.lower()
        if name in ours:
            pieces.append(ours.pop(name))
        elif name == "from" and not field.value:
            continue
        elif name not in _REMOVED and not name.startswith(_CONTROL_PREFIX):
            has_from = has_from or name == "from"
            piece = data[field.start : field.end]
            pieces.append(piece if piece.endswith(b"\r\n") else piece + b"\r\n")
    if not has_from and edit.from_header:
        pieces.insert(0, f"From: {encode_mailbox(edit.from_header, 6)}\r\n".encode("ascii"))
    return [*pieces, *ours.values()]
