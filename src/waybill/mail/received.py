"""One Received field of any mail system: who had the message from whom, when, and how (RFC 5321 §4.4, RFC 5322 §3.6.7).

Every system writes the field its own way, in clauses whose details stand in comments. Nothing here raises: what cannot be
read is None.
"""

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from waybill.mail.mail_date import parse_mail_date
from waybill.model.clock import Instant

MAX_FIELD = 8_000
"""Octets of a field that are looked at."""

# A quoted string that nobody closes goes on to the end: a pattern that could fail there would take time squared.
_TOKEN = re.compile(r'"(?:[^"\\]|\\.?)*(?:"|$)|;|[^\s();"]+|[()]', re.DOTALL)
_CLAUSES = frozenset({"from", "by", "via", "with", "id", "for"})
_HELO = re.compile(r"\b(?:helo|ehlo|lhlo)[= ]\[?([^\s\])]+)", re.IGNORECASE)
_BRACKETED = re.compile(r"\[(?:IPv6:)?([0-9a-fA-F.:]{3,45})(?:%\w+)?\]", re.IGNORECASE)
_BARE = re.compile(r"(?<![\w.:-])((?:\d{1,3}\.){3}\d{1,3}|(?:[0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F.]{0,15})(?![\w.-])")
_TLS = re.compile(r"(?:\b|_)(TLS|SSL)[ _v]{0,2}([123](?:[._][0-3])?)\b(?!_)", re.IGNORECASE)
_CIPHER = re.compile(r"(?:cipher[= ]|\b)(TLS_[A-Z0-9_]{8,}|(?:ECDHE|DHE|AES|RSA|CHACHA20)[A-Z0-9_-]{6,})\b")
_UNKNOWN = frozenset({"unknown", "localhost", "nowhere"})
_ARROWS = "<>"
_AS_ID = re.compile(r"\(qmail (\d+) invoked", re.IGNORECASE)
_ENVELOPE = re.compile(r"envelope-from[ =]<?([^\s<>;)]*)", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Hop:
    """What one server wrote when it took the message.

    ``sender`` is the first word after ``from``, ``helo`` what the other side called itself, ``ip`` where it came from;
    ``by`` the server that writes, ``software`` its remark about itself; ``protocol`` what follows ``with``; ``tls`` such as
    ``TLSv1.3 TLS_AES_256_GCM_SHA384``. ``has_zone`` is false where the date has no zone that can be read: UTC is taken then.
    """

    sender: str | None = None
    helo: str | None = None
    ip: str | None = None
    by: str | None = None
    by_ip: str | None = None
    software: str | None = None
    via: str | None = None
    protocol: str | None = None
    id: str | None = None
    recipient: str | None = None
    envelope_from: str | None = None
    tls: str | None = None
    at: Instant | None = None
    has_zone: bool = True
    name: str = "Received"
    raw: str = ""

    @property
    def place(self) -> str:
        """The server that wrote it, as well as it is known."""
        return self.by or self.by_ip or "a server that does not say its name"

    @property
    def origin(self) -> str | None:
        """Whom it had the message from, as well as it is known."""
        named = self.sender if self.sender and self.sender.lower() not in _UNKNOWN else None
        return named or self.helo or self.ip or self.sender


@dataclass(slots=True)
class _Clauses:
    words: dict[str, list[str]] = field(default_factory=dict)
    comments: dict[str, list[str]] = field(default_factory=dict)

    def first(self, clause: str) -> str | None:
        """The first word of a clause."""
        words = self.words.get(clause)
        return words[0] if words else None

    def said(self, clause: str) -> str:
        """The comments of a clause."""
        return " ".join(self.comments.get(clause, ()))


def parse_received(value: str, name: str = "Received") -> Hop:
    """What a Received (or X-Received) field says, unfolded or not."""
    text = value[:MAX_FIELD]
    head, _, tail = _split_date(text)
    clauses = _read_clauses(head)
    date = parse_mail_date(tail) if tail else parse_mail_date(head)
    from_said = clauses.said("from")
    ip = _address_in(f"{' '.join(clauses.words.get('from', ()))} {from_said}")
    sender = _host(clauses.first("from"))
    by = _host(clauses.first("by"))
    protocol = " ".join(_protocol(clauses.words.get("with", ())))
    named = _HELO.search(from_said)
    qmail = _AS_ID.search(text)
    identified = clauses.first("id") or (qmail[1] if qmail else None)
    recipient = clauses.first("for")
    envelope = _ENVELOPE.search(head)
    return Hop(
        sender=sender,
        helo=_host(named[1]) if named else sender,
        ip=ip,
        by=by,
        by_ip=_address_in(clauses.said("by")) or _as_address(by or ""),
        software=_software(clauses),
        via=clauses.first("via"),
        protocol=protocol or None,
        id=identified.strip(_ARROWS) if identified else None,
        recipient=recipient.strip(_ARROWS) if recipient else None,
        envelope_from=envelope[1] if envelope and envelope[1] else None,
        tls=_tls(head),
        at=date.at if date else None,
        has_zone=date.has_zone if date else True,
        name=name,
        raw=" ".join(text.split()),
    )


def _split_date(text: str) -> tuple[str, str, str]:
    """The clauses and the date, cut at the last semicolon that is in no comment and no quoted string."""
    depth, at = 0, -1
    for token in _TOKEN.finditer(text):
        if token[0] == "(":
            depth += 1
        elif token[0] == ")":
            depth = max(0, depth - 1)
        elif token[0] == ";" and not depth:
            at = token.start()
    if at < 0:  # the parentheses may be broken
        at = text.rfind(";")
    return (text, "", "") if at < 0 else (text[:at], ";", text[at + 1 :])


def _read_clauses(text: str) -> _Clauses:
    clauses = _Clauses()
    current = ""
    for is_comment, word in _words(text):
        if is_comment:
            clauses.comments.setdefault(current, []).append(word)
        elif word.lower() in _CLAUSES and _may_begin(clauses, current, word.lower()):
            current = word.lower()
        else:
            clauses.words.setdefault(current, []).append(word.strip('"'))
    return clauses


def _may_begin(clauses: _Clauses, current: str, word: str) -> bool:
    """Whether the word opens a clause: not the second time, except that a system may say ``with`` twice, and not as a value."""
    if current and current not in clauses.words and current not in clauses.comments:
        return False  # "by with" names a host called "with"
    return word not in clauses.words or word == "with"


def _words(text: str) -> Iterator[tuple[bool, str]]:
    """The words, and the comments as they stand without their outer parentheses."""
    depth, start = 0, 0
    for token in _TOKEN.finditer(text):
        if token[0] == "(":
            if not depth:
                start = token.end()
            depth += 1
        elif token[0] == ")":
            if depth == 1:
                yield True, text[start : token.start()].strip()
            depth = max(0, depth - 1)
        elif not depth:
            yield False, token[0]
    if depth:
        yield True, text[start:].strip()


def _protocol(words: list[str] | tuple[str, ...]) -> Iterator[str]:
    """What follows ``with``, up to what is no protocol any more (Exim writes ``tls …``, Haraka ``envelope-from …``)."""
    for word in words:
        if word.lower() in {"tls", "envelope-from", "cipher"} or "=" in word:
            return
        yield word


def _software(clauses: _Clauses) -> str | None:
    said = [each for each in clauses.comments.get("by", ()) if each and _as_address(each.strip("[]")) is None]
    if said:
        return said[0][:120]
    exim = next((each for each in clauses.comments.get("with", ()) if each.lower().startswith("exim")), None)
    return exim or next((each for each in clauses.comments.get("", ()) if each.lower().startswith("qmail")), None)


def _host(word: str | None) -> str | None:
    """A name without the marks around it; an address in brackets stays an address."""
    if word is None:
        return None
    bare = word.strip('",').removeprefix("[").removesuffix("]").rstrip(".")
    return bare.removeprefix("IPv6:") or None


def _address_in(text: str) -> str | None:
    for pattern in (_BRACKETED, _BARE):
        for match in pattern.finditer(text):
            found = _as_address(match[1])
            if found is not None:
                return found
    return None


def _as_address(text: str) -> str | None:
    bare = text.removeprefix("IPv6:").removeprefix("[").removesuffix("]")
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(address)


def _tls(text: str) -> str | None:
    version, cipher = _TLS.search(text), _CIPHER.search(text)
    if version is None and cipher is None:
        return None
    name = f"{version[1].upper()}v{version[2].replace('_', '.')}" if version else "TLS"
    return f"{name} {cipher[1]}" if cipher else name
