"""Takes in a whole message as a client wrote it, and changes what SES changes before it is signed and sent."""

import re
from collections.abc import Mapping, Sequence

from waybill.mail.address import AddressError, parse_mailbox_list
from waybill.mail.compose import encode_mailbox, encode_mailboxes
from waybill.mail.header import (
    CONTROL_PREFIX,
    MAX_LINE,
    ONCE_ONLY,
    Field,
    decode_words,
    find_body,
    format_date,
    refuse_controls,
    scan,
)
from waybill.mail.line_ends import normalise_line_ends
from waybill.model.clock import Instant
from waybill.model.record import record

MAX_HEADER = 1024 * 1024
"""Octets of all header fields together; servers take 100 KB to 1 MB (Postfix's header_size_limit: 102,400)."""

_REMOVED = frozenset({"bcc", "return-path"})
_MBOX_LINE = re.compile(rb">?From [^\n]*\n")
_BROKEN_LINE = re.compile(rb"\A[ \t][^\n]*|^(?![ \t]|[!-9;-~]+[ \t]*:)[^\n]*", re.MULTILINE)


class RawError(ValueError):
    """A raw message that SES refuses; the text is its own where it is known."""


@record(frozen=True, kw_only=True, slots=True)
class RawEdit:
    """What to write into the message; ``message_id`` is without ``<>``.

    ``from_header`` is used where the message has no From, and with ``replace_from`` in any case; ``reply_to`` replaces
    a Reply-To. A field that says the same already keeps its octets.
    """

    message_id: str
    date: Instant
    from_header: str | None = None
    replace_from: bool = False
    reply_to: tuple[str, ...] = ()


@record(frozen=True, kw_only=True, slots=True)
class Prepared:
    """A message ready to be signed, and what its header said before it was changed.

    ``fields`` are the original fields, unfolded but not decoded, as SES's events show them (a sender or an address for
    replies that the request replaced is shown as replaced); ``control`` the X-SES-
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

    Bare CR and bare LF become CRLF (RFC 5321 §2.3.8), and the last line ends in one. Body lines over 998 octets are kept: cutting them would change
    the content, and receivers take them.

    Raises:
        RawError: there is a NUL, a broken or over-long header line, too long a header, a second field of those allowed once, or no From.
        HeaderError: the address for the missing From is none.
    """
    if b"\0" in data:
        raise RawError(f"The message holds a NUL octet at offset {data.index(0)}; encode binary content as base64.")
    data = normalise_line_ends(data)
    if _MBOX_LINE.match(data):
        data = _MBOX_LINE.sub(b"", data, count=1)
    end, body = find_body(data)
    check_header_size(end)
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
    ours = _ours(edit, by_name)
    from_header = edit.from_header if "from" in ours else by_name.get("from")
    if not from_header:
        raise RawError("Missing required header 'From'.")
    said = {"from": from_header} if "from" in ours else {}
    if "reply-to" in ours:
        said["reply-to"] = ", ".join(edit.reply_to)
    # SMTP can only carry whole lines. Without a body the line end before this is the last.
    ending = b"" if len(data) <= body or data.endswith(b"\r\n") else b"\r\n"
    return Prepared(
        content=b"".join([*_edited(data, fields, ours), b"\r\n", data[body:], ending]),
        fields=tuple((field.name, said.get(field.name.lower(), field.value)) for field in fields),
        control={name: value for name, value in by_name.items() if name.startswith(CONTROL_PREFIX)},
        from_header=from_header,
        sender_header=by_name.get("sender"),
        subject=decode_words(by_name["subject"]) if "subject" in by_name else None,
        to=by_name.get("to"),
        cc=by_name.get("cc"),
        bcc=by_name.get("bcc"),
        reply_to=by_name.get("reply-to"),
        return_path=by_name.get("return-path"),
    )


def check_header_size(size: int) -> None:
    """Raises: RawError: a header section of so many octets would be refused by every receiver."""
    if size > MAX_HEADER:
        raise RawError(f"The header has {size} octets; at most {MAX_HEADER} are allowed.")


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


def _ours(edit: RawEdit, given: Mapping[str, str]) -> dict[str, bytes]:
    """The fields to write by lower-case name, where they differ from those given. Raises: HeaderError."""
    refuse_controls("Message-ID", edit.message_id)
    ours = {
        "message-id": f"Message-ID: <{edit.message_id}>\r\n".encode("ascii"),
        "date": f"Date: {format_date(edit.date)}\r\n".encode("ascii"),
    }
    from_header = given.get("from")
    if edit.from_header and (
        not from_header or (edit.replace_from and not _says_the_same(from_header, (edit.from_header,)))
    ):
        ours["from"] = f"From: {encode_mailbox(edit.from_header, 6)}\r\n".encode("ascii")
    if edit.reply_to and not _says_the_same(given.get("reply-to", ""), edit.reply_to):
        ours["reply-to"] = f"Reply-To: {encode_mailboxes(edit.reply_to, 10)}\r\n".encode("ascii")
    return ours


def _says_the_same(value: str, texts: Sequence[str]) -> bool:
    try:
        return parse_mailbox_list(value) == parse_mailbox_list(", ".join(texts))
    except AddressError:
        return False


def _edited(data: bytes, fields: Sequence[Field], ours: Mapping[str, bytes]) -> list[bytes]:
    """The header's new pieces: kept fields as they are, ours in the places of those that they replace."""
    left = dict(ours)
    pieces: list[bytes] = []
    for field in fields:
        name = field.name.lower()
        if name in left:
            pieces.append(left.pop(name))
        elif name not in _REMOVED and not name.startswith(CONTROL_PREFIX):
            piece = data[field.start : field.end]
            pieces.append(piece if piece.endswith(b"\r\n") else piece + b"\r\n")
    if "from" in left:
        pieces.insert(0, left.pop("from"))
    return [*pieces, *left.values()]
