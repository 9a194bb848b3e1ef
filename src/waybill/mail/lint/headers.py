"""The header as receivers judge it: its form (RFC 5322), who it says it is from, and how to unsubscribe (RFC 8058)."""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from waybill.mail.address import AddressError, parse_mailbox_list
from waybill.mail.header import MAX_LINE, Field, decode_words
from waybill.mail.lint.links import organisation
from waybill.mail.lint.rules import found
from waybill.mail.mailbox_domains import MAILBOX_DOMAINS
from waybill.model.clock import DAY, HOUR, SECOND, Instant
from waybill.model.content import Finding
from waybill.model.record import record

_ONCE = ("from", "sender", "reply-to", "to", "cc", "message-id", "in-reply-to", "references", "subject", "date")
_FIELD_LINE = re.compile(rb"[!-9;-~]+[ \t]*:|[ \t]")
_ADDRESS = re.compile(r"[A-Za-z0-9._%+-]{1,64}@((?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,24})")
_REPLY = re.compile(r"(re|fwd?|aw|wg|sv|antw)\s?:", re.IGNORECASE)
_ID = re.compile(r"<[^<>@\s]+@([^<>@\s]+\.[^<>@\s.]+|\[[^<>\]\s]+\])>")
_SIGNED_FIELDS = re.compile(r"(?:^|;)\s*h\s*=([^;]*)", re.IGNORECASE)
_DATE = re.compile(r"(\d{1,2})\s+([A-Za-z]{3})\s+(\d{4})\s+(\d{1,2}):(\d\d)(?::(\d\d))?(?:\s+([+-]\d{4}))?")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_CAPITALS = 10
"""Letters that a subject needs before its capitals shout."""


@record(frozen=True, kw_only=True, slots=True)
class Circumstances:
    """What is known of a message beside its bytes.

    ``bulk``: it was sent as one of many. ``signs``: whether we sign it ourselves; our signatures cover both fields of RFC 8058.
    """

    at: Instant
    bulk: bool = False
    signs: bool = False


class Header:
    """The fields by lower-case name, in order."""

    def __init__(self, fields: Sequence[Field]) -> None:
        self.fields = fields
        self._by_name: dict[str, list[str]] = {}
        for field in fields:
            self._by_name.setdefault(field.name.lower(), []).append(field.value)

    def all(self, name: str) -> list[str]:
        """The values of every field of that name."""
        return self._by_name.get(name, [])

    def first(self, name: str) -> str | None:
        """The value of the first field of that name."""
        values = self._by_name.get(name)
        return values[0] if values else None


def judge_header(header: Header, data: bytes, end: int, known: Circumstances) -> Iterator[Finding]:
    """What speaks against the header, which ends at ``data[end]``."""
    yield from _judge_lines(data, end, header.fields)
    for name in _ONCE:
        if len(header.all(name)) > 1:
            yield found("field-repeated", field=name.title(), count=len(header.all(name)))
    yield from _judge_from(header, known)
    yield from _judge_date(header, known)
    yield from _judge_id(header)
    yield from _judge_subject(header)


def _judge_lines(data: bytes, end: int, fields: Sequence[Field]) -> Iterator[Finding]:
    for field in fields:
        if not data[field.start : field.end].isascii():
            yield found("header-eight-bit", where=f"{field.name} field", field=field.name)
            break
    if sum(field.end - field.start for field in fields) != end:
        number = 0
        for number, line in enumerate(data[:end].split(b"\n"), 1):
            if line.strip() and not _FIELD_LINE.match(line):
                shown = line.decode("utf-8", "replace")
                yield found("header-malformed", where=f"line {number} of the header", line=shown)
                break


def judge_line_ends(data: bytes) -> Iterator[Finding]:
    """Bare line ends and lines that are too long, anywhere in the message."""
    both = data.count(b"\r\n")
    for octet, what in ((b"\n", "line feed"), (b"\r", "carriage return")):
        if data.count(octet) != both:
            yield found("line-end-bare", what=what)
    longest = max(map(len, data.split(b"\n")))
    if longest > MAX_LINE + 1:
        yield found("line-too-long", octets=f"{longest - 1:,}")


def _judge_from(header: Header, known: Circumstances) -> Iterator[Finding]:
    values = header.all("from")
    if not values:
        yield found("from-missing")
        return
    where = "From field"
    try:
        mailboxes = parse_mailbox_list(values[0])
    except AddressError:
        return
    if len(mailboxes) > 1:
        yield found("from-several", where=where, count=len(mailboxes))
    for mailbox in mailboxes[:1]:
        if mailbox.domain in MAILBOX_DOMAINS and not known.signs:
            yield found("from-free-mail", where=where, domain=mailbox.domain)
        shown = _ADDRESS.search(mailbox.display[:300])
        if shown is not None and organisation(shown[1].lower()) != organisation(mailbox.domain):
            yield found("from-name-differs", where=where, shown=shown[0], domain=mailbox.domain)


def _judge_date(header: Header, known: Circumstances) -> Iterator[Finding]:
    value = header.first("date")
    if value is None:
        yield found("date-missing")
        return
    at = _read_date(value)
    if at is None:
        yield found("date-unreadable", where="Date field", value=value)
    elif abs(at - known.at) > DAY:
        yield found("date-far-off", where="Date field", hours=f"{abs(at - known.at) // HOUR:,}")


def _read_date(value: str) -> Instant | None:
    """RFC 5322 §3.3, with the names of zones that §4.3 still knows taken as UTC."""
    match = _DATE.search(value[:200])
    if match is None or match[2].lower() not in _MONTHS:
        return None
    day, year, hour, minute, second = (int(match[number] or 0) for number in (1, 3, 4, 5, 6))
    zone = match[7] or "+0000"
    offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[3:5]))
    try:
        local = datetime(year, _MONTHS.index(match[2].lower()) + 1, day, hour, minute, min(second, 59), tzinfo=UTC)
        return int((local + (offset if zone[0] == "-" else -offset)).timestamp()) * SECOND
    except (ValueError, OverflowError):
        return None


def _judge_id(header: Header) -> Iterator[Finding]:
    value = header.first("message-id")
    if value is None:
        yield found("message-id-missing")
    elif _ID.fullmatch(value[:1_000].strip()) is None:
        yield found("message-id-malformed", where="Message-ID field", value=value)


def _judge_subject(header: Header) -> Iterator[Finding]:
    value = header.first("subject")
    if value is None or not value.strip():
        yield found("subject-missing")
        return
    subject = decode_words(value[:2_000]).strip()
    reply = _REPLY.match(subject)
    if reply is not None and header.first("in-reply-to") is None and header.first("references") is None:
        yield found("subject-false-reply", where="Subject field", prefix=reply[0])
    letters = [letter for letter in subject if letter.isalpha()]
    if len(letters) >= _CAPITALS and subject == subject.upper() != subject.lower() and " " in subject:
        yield found("subject-shouts", where="Subject field")


def is_bulk(header: Header, known: Circumstances) -> bool:
    """Whether the message is one of many: it was sent so, or says so itself."""
    precedence = (header.first("precedence") or "").strip().lower()
    return known.bulk or precedence in {"bulk", "list"} or header.first("list-id") is not None


def judge_unsubscribing(header: Header, known: Circumstances, *, offers: bool) -> Iterator[Finding]:
    """How the recipient can unsubscribe. ``offers``: the body offers it, so that it is mail of the kind that must."""
    unsubscribe, post = header.first("list-unsubscribe"), header.first("list-unsubscribe-post")
    if unsubscribe is None:
        if offers or is_bulk(header, known):
            yield found("unsubscribe-missing")
        return
    where = "List-Unsubscribe field"
    if "<https:" not in unsubscribe.lower().replace(" ", ""):
        yield found("unsubscribe-not-https", where=where)
    if post is None:
        yield found("unsubscribe-not-one-click", where=where)
        return
    if post.strip().lower() != "list-unsubscribe=one-click":
        yield found("unsubscribe-post-malformed", where="List-Unsubscribe-Post field")
    signatures = header.all("dkim-signature")
    if not known.signs and signatures:
        for field in ("List-Unsubscribe", "List-Unsubscribe-Post"):
            if not any(field.lower() in _signed_fields(value) for value in signatures):
                yield found("unsubscribe-not-signed", where=f"{field} field", field=field)
                break


def _signed_fields(signature: str) -> set[str]:
    match = _SIGNED_FIELDS.search(signature[:10_000])
    return {name.strip().lower() for name in match[1].split(":")} if match else set()
