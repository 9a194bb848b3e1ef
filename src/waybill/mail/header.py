"""The header section of a message (RFC 5322 §2.2): scanned from bytes, and written so that nothing can be injected."""

import binascii
import codecs
import re
import time
from typing import NamedTuple

from waybill.model.clock import Instant

MAX_LINE = 998  # octets without CRLF, RFC 5322 §2.1.1
CONTROL_PREFIX = "x-ses-"
"""Fields of this prefix are for SES, and never leave."""

MAX_NAME = 126
MAX_VALUE = 995
MAX_FIELD = 996  # name and value of a custom header together (SES v2 model, MessageHeader)

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


_FIELD = re.compile(r"^([!-9;-~]+)[ \t]*:[ \t]*([^\n]*(?:\n[ \t][^\n]*)*)\n?", re.MULTILINE)
_NAME = re.compile(r"[!-9;-~]+")
_FORBIDDEN = re.compile(r"[\r\n\0]")
_FORBIDDEN_NAMES = {"\r": "a carriage return", "\n": "a line feed", "\0": "a NUL"}
_FOLDABLE = re.compile(r"[ \t]*[^ \t]+")
_PREFERRED_LINE = 78  # RFC 5322 §2.1.1
_ENCODED_LINE = 76  # RFC 2047 §2

_ENCODED_WORD = re.compile(r"=\?([^?\s*]+)(?:\*[^?\s]*)?\?([BbQq])\?([^?]*)\?=")
# Codecs that are no character sets of mail; some of them warn or fail whatever the error handler.
_NO_CHARSETS = frozenset({"idna", "punycode", "undefined", "unicode-escape", "raw-unicode-escape", "mbcs", "oem"})
# RFC 2047 §5 (3): what may stand unencoded in a phrase, the strictest of the three places for encoded words.
_Q_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/")
_Q = ["_" if octet == 0x20 else chr(octet) if octet in _Q_PLAIN else f"={octet:02X}" for octet in range(256)]

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class HeaderError(ValueError):
    """A header field that may not be written; the text names the field and what is wrong with it."""


class Field(NamedTuple):
    """A header field as it stands: ``value`` unfolded (not decoded), ``data[start:end]`` the whole field with its line ends."""

    name: str
    value: str
    start: int
    end: int


def scan(data: bytes) -> tuple[tuple[Field, ...], int]:
    """Returns the fields of the header section in order, and the offset at which the body begins.

    Lines may end in CRLF or LF; a line that is neither a field nor a continuation belongs to no field. Octets that are
    no UTF-8 become replacement characters.
    """
    end, body = find_body(data)
    fields = []
    for match in _FIELD.finditer(data[:end].decode("latin-1")):  # one character per octet, so offsets hold
        name, value = match.groups()
        if "\n" in value:
            value = value.replace("\r\n", "").replace("\n", "")
        if not value.isascii():
            value = value.encode("latin-1").decode("utf-8", "replace")
        fields.append(Field(name, value.strip(" \t\r"), *match.span()))
    return tuple(fields), body


def find_body(data: bytes) -> tuple[int, int]:
    """Returns where the header section ends (after its last line end) and where the body begins."""
    if data.startswith(b"\r\n"):
        return 0, 2
    if data.startswith(b"\n"):
        return 0, 1
    crlf = data.find(b"\n\r\n")
    lf = data.find(b"\n\n", 0, crlf + 1 if crlf >= 0 else len(data))
    if lf >= 0:
        return lf + 1, lf + 2
    return (crlf + 1, crlf + 3) if crlf >= 0 else (len(data), len(data))


def check_header(name: str, value: str) -> None:
    """Checks a custom header field against SES's limits.

    Raises:
        HeaderError: the name is no field name (RFC 5322 §2.2) of at most 126 characters, the value is over 995
            characters or holds CR, LF or NUL, or both together are over 996 characters.
    """
    if _NAME.fullmatch(name) is None:
        raise HeaderError(f"Invalid header name {name!r}: only printable ASCII characters except ':' are allowed.")
    if len(name) > MAX_NAME:
        raise HeaderError(f"Header name {name[:40]!r}… has {len(name)} characters; at most {MAX_NAME} are allowed.")
    if len(value) > MAX_VALUE:
        raise HeaderError(f"The value of header {name!r} has {len(value)} characters; at most {MAX_VALUE} are allowed.")
    if len(name) + len(value) > MAX_FIELD:
        raise HeaderError(
            f"Header {name!r} has {len(name) + len(value)} characters with its value; at most {MAX_FIELD} are allowed."
        )
    refuse_controls(name, value)


def refuse_controls(name: str, value: str) -> None:
    """Keeps one field from becoming two.

    Raises:
        HeaderError: the value of what ``name`` names holds CR, LF or NUL.
    """
    match = _FORBIDDEN.search(value)
    if match is not None:
        raise HeaderError(
            f"{name!r} holds {_FORBIDDEN_NAMES[match[0]]} at character {match.start() + 1}; none is allowed."
        )


def decode_words(value: str) -> str:
    """Returns the text with its encoded words (RFC 2047) decoded; words that cannot be decoded stay as they are.

    Neighbours of one charset are joined before decoding, since many programs cut a character in two. CR, LF and NUL
    that a word hides become spaces.
    """
    if "=?" not in value:
        return value
    text: list[str] = []
    charset, octets, at = "", b"", 0
    for match in _ENCODED_WORD.finditer(value):
        decoded = _decode_transfer(match[2], match[3])
        if decoded is None or _codec(match[1]) is None:
            continue
        gap = value[at : match.start()]
        if octets and not gap.strip(" \t\r\n") and match[1].lower() == charset:
            octets += decoded
        else:
            text.append(_decode_charset(charset, octets))
            if not charset or gap.strip(" \t\r\n"):
                text.append(gap)
            charset, octets = match[1].lower(), decoded
        at = match.end()
    text += [_decode_charset(charset, octets), value[at:]]
    return "".join(text)


def _decode_transfer(encoding: str, text: str) -> bytes | None:
    try:
        if encoding in "Bb":
            return binascii.a2b_base64(text + "==")
        return binascii.a2b_qp(text, header=True)
    except ValueError:
        return None


def _codec(charset: str) -> str | None:
    try:
        name = codecs.lookup(charset).name
        b"A".decode(name, "replace")  # empty input would not tell the codecs that are none of text
    except (LookupError, ValueError):
        return None
    return None if name.replace("_", "-") in _NO_CHARSETS else name


def _decode_charset(charset: str, octets: bytes) -> str:
    name = _codec(charset) if charset else None
    if name is None:
        return ""
    text = octets.decode(name, "replace").encode("utf-8", "replace").decode()  # UTF-7 can bring lone surrogates
    return _FORBIDDEN.sub(" ", text)


def encode_words(value: str, charset: str = "UTF-8", offset: int = 0) -> str:
    """Returns unstructured text or a phrase for a header field, as encoded words where it is not plain ASCII, folded.

    ``offset`` is the number of columns before it on its line. Printable ASCII is left as it is, so that text which
    the client has encoded itself stays so. Text that ``charset`` cannot express is written in UTF-8, as is all text where the
    charset does not contain ASCII.

    Raises:
        HeaderError: the value holds CR, LF or NUL, or the charset is unknown.
    """
    refuse_controls("value", value)
    if value.isascii() and value.isprintable() and (len(value) < 900 or max(map(len, value.split())) < 900):
        return fold(value, offset)
    name = _codec(charset)
    if name is None:
        raise HeaderError(f"Unknown charset {charset!r}; use an IANA name that is in general use, such as UTF-8.")
    try:
        data = value.encode(name)
        if "A".encode(name) != b"A":  # UTF-16 and the like would begin every word with a mark
            charset, name, data = "UTF-8", "utf-8", value.encode("utf-8", "replace")
    except UnicodeEncodeError:
        charset, name, data = "UTF-8", "utf-8", value.encode("utf-8", "replace")
    quoted = sum(len(_Q[octet]) for octet in data) <= (len(data) + 2) // 3 * 4
    encode = _q if quoted else _b
    opening = f"=?{charset}?{'Q' if quoted else 'B'}?"
    first_room = min(_ENCODED_LINE - offset, _ENCODED_LINE - 1) - len(opening) - 2
    lead = "" if first_room >= 16 else "\r\n "
    room = _ENCODED_LINE - 1 - len(opening) - 2
    words: list[str] = []
    at = 0
    while at < len(value):
        budget = room if words or lead else first_room
        count = budget
        payload = encode(value[at : at + count].encode(name, "replace"))
        while len(payload) > budget and count > 1:
            count = max(1, min(count - 1, count * budget // len(payload)))
            payload = encode(value[at : at + count].encode(name, "replace"))
        words.append(f"{opening}{payload}?=")
        at += count
    return lead + "\r\n ".join(words)


def _q(octets: bytes) -> str:
    return "".join([_Q[octet] for octet in octets])


def _b(octets: bytes) -> str:
    return binascii.b2a_base64(octets, newline=False).decode("ascii")


def fold(value: str, offset: int = 0) -> str:
    """Returns ASCII text broken before white space (RFC 5322 §2.2.3) into lines of at most 78 columns where possible.

    Raises:
        HeaderError: a word is so long that its line would be over 998 octets.
    """
    if offset + len(value) <= _PREFERRED_LINE:
        return value
    out: list[str] = []
    column = offset
    for word in _FOLDABLE.findall(value):
        if column + len(word) > _PREFERRED_LINE and word[0] in " \t":
            out.append("\r\n")
            column = 0
        elif column + len(word) > MAX_LINE:
            out.append("\r\n ")
            column = 1
        if column + len(word) > MAX_LINE:
            raise HeaderError(f"{word[:40]!r}… has {len(word)} characters without a space; a line may have {MAX_LINE}.")
        out.append(word)
        column += len(word)
    return "".join(out)


def format_date(at: Instant) -> str:
    """Returns the instant as a Date field has it (RFC 5322 §3.3): ``Tue, 24 Nov 2026 02:30:00 +0000``."""
    t = time.gmtime(at // 1000)
    month = _MONTHS[t.tm_mon - 1]
    return f"{_DAYS[t.tm_wday]}, {t.tm_mday:02d} {month} {t.tm_year:04d} {t.tm_hour:02d}:{t.tm_min:02d}:{t.tm_sec:02d} +0000"
