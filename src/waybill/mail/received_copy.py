"""A received copy's header, read as a whole: its path, what receivers found and decided, and what may name it in a ledger."""

import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from waybill.mail.arc import ArcChain, read_arc
from waybill.mail.authentication_results import (
    AuthenticationResults,
    parse_authentication_results,
    parse_received_spf,
)
from waybill.mail.header import Field, decode_words, scan
from waybill.mail.mail_date import parse_mail_date
from waybill.mail.received_path import Path, read_path
from waybill.mail.receiver_verdict import decide, read_verdicts
from waybill.mail.verdict import MAX_ALIKE, Verdict
from waybill.model.clock import Instant

MAX_HEADER = 2 * 1024 * 1024
"""Octets of a header that are looked at."""

_MOST = 2_000
"""Characters of a field in which addresses and ids are looked for."""

_KNOWN = frozenset(
    "received x-received from date message-id return-path delivered-to subject to sender authentication-results".split()  # noqa: SIM905 - reads better
)
_SES_ID = re.compile(r"[0-9a-f]{16}-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}-\d{6}")
_ADDRESS = re.compile(r"[^\s<>@,;()\"]{1,128}@[^\s<>@,;()\"]{1,253}")
_MBOX = re.compile(rb">?From [^\n]*\n")
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """Authentication as one server wrote it; ``place`` is where in the header."""

    results: AuthenticationResults
    place: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ReceivedCopy:
    """What the header of a copy says.

    ``ids`` may each name a message of the ledger, the likeliest first; ``return_paths`` are envelope senders; ``delivered_to`` are
    recipients that servers wrote down, the last one first.
    """

    path: Path
    seen: tuple[Seen, ...]
    arc: ArcChain | None
    verdicts: tuple[Verdict, ...]
    decided: Verdict | None
    message_id: str | None
    subject: str | None
    sender: str | None
    date: Instant | None
    ids: tuple[str, ...]
    return_paths: tuple[str, ...]
    delivered_to: tuple[str, ...]


def read_copy(data: bytes) -> ReceivedCopy | None:
    """What the header of a message says; None where this is no message. Takes a whole one, or only its header, pasted."""
    fields, _ = scan(_tidy(data[:MAX_HEADER]))
    by_name: dict[str, list[str]] = {}
    for each in fields:
        found = by_name.setdefault(each.name.lower(), [])
        if len(found) < MAX_ALIKE:
            found.append(each.value)
    if not _KNOWN & by_name.keys():
        return None
    path = read_path(fields)
    seen = tuple(islice(_seen(fields), MAX_ALIKE))
    verdicts = read_verdicts(fields)
    dates = by_name.get("date", [])
    date = parse_mail_date(dates[0]) if dates else None
    message_id = _first(by_name, "message-id")
    return ReceivedCopy(
        path=path,
        seen=seen,
        arc=read_arc(fields),
        verdicts=verdicts,
        decided=decide(verdicts),
        message_id=message_id,
        subject=_decoded(by_name, "subject"),
        sender=_decoded(by_name, "from"),
        date=date.at if date else None,
        ids=tuple(dict.fromkeys(_ids(by_name))),
        return_paths=tuple(dict.fromkeys(_return_paths(by_name, path, seen))),
        delivered_to=tuple(dict.fromkeys(_recipients(by_name, path))),
    )


def _tidy(data: bytes) -> bytes:
    """Without what pasting and mailboxes put around a message: a mark, blank lines, a From line, one indentation."""
    data = data.removeprefix(_BOM)
    if b"\n" not in data:
        data = data.replace(b"\r", b"\n")
    data = data.lstrip(b"\r\n") if not data[:1].isspace() or data[:1] in b"\r\n" else data
    if data[:1] in (b" ", b"\t"):
        data = textwrap.dedent(data.decode("latin-1")).lstrip("\r\n").encode("latin-1")
    return _MBOX.sub(b"", data, count=1) if _MBOX.match(data) else data


def _first(by_name: dict[str, list[str]], name: str) -> str | None:
    values = by_name.get(name)
    return values[0] if values and values[0] else None


def _decoded(by_name: dict[str, list[str]], name: str) -> str | None:
    value = _first(by_name, name)
    return decode_words(value) if value else None


def _seen(fields: Sequence[Field]) -> Iterator[Seen]:
    for place, each in enumerate(fields):
        name = each.name.lower()
        if name in {"authentication-results", "x-original-authentication-results"}:
            yield Seen(results=parse_authentication_results(each.value, each.name), place=place)
        elif name == "received-spf":
            yield Seen(results=parse_received_spf(each.value), place=place)


def _ids(by_name: dict[str, list[str]]) -> Iterator[str]:
    """The Message-ID, and everything of SES's form where such an id may stand."""
    names = ("message-id", "x-message-id", "x-microsoft-original-message-id", "x-original-message-id", "return-path")
    for name in names:
        for value in by_name.get(name, ()):
            yield from _SES_ID.findall(value[:_MOST].lower())
    yield from (value.strip("<> \t") for value in by_name.get("message-id", ()) if value.strip("<> \t"))


def _return_paths(by_name: dict[str, list[str]], path: Path, seen: Sequence[Seen]) -> Iterator[str]:
    for name in ("return-path", "x-envelope-from", "x-original-return-path"):
        for value in by_name.get(name, ()):
            yield from _ADDRESS.findall(value[:_MOST])
    yield from (step.hop.envelope_from for step in path.steps if step.hop.envelope_from)
    for one in seen:
        for result in one.results.results:
            yield from _ADDRESS.findall(result.properties.get("smtp.mailfrom", "")[:_MOST])


def _recipients(by_name: dict[str, list[str]], path: Path) -> Iterator[str]:
    for name in ("delivered-to", "x-original-to", "x-apparently-to", "x-rcpt-to", "envelope-to", "x-envelope-to"):
        for value in by_name.get(name, ()):
            yield from _ADDRESS.findall(value[:_MOST])
    yield from (step.hop.recipient for step in reversed(path.steps) if step.hop.recipient and "@" in step.hop.recipient)
