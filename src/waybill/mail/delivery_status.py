"""The machine-readable parts of reports: delivery status (RFC 3464) and feedback (RFC 5965), also where they are bent."""

import re
from dataclasses import dataclass

from waybill.mail.address import AddressError, parse_mailbox
from waybill.mail.reply import without_type
from waybill.mail.report_parts import Parts, instant
from waybill.model.clock import Instant

_FIELD = re.compile(r"^([A-Za-z][A-Za-z0-9-]*)[ \t]*:[ \t]*(.*)$")
_REFUSAL = re.compile(r"[45][0-9][0-9](?:[ -]|$)")
_STATUS = re.compile(r"\b([245]\.\d{1,3}\.\d{1,3})\b")
_REPLY = re.compile(r"(?:[\w-]+\s*;)?\s*([45])\d\d[ -]#?([245]\.\d{1,3}\.\d{1,3})\b")
_BLOCK = re.compile(
    r"(?:^(?:reporting-mta|arrival-date|final-recipient|original-recipient|action|status|diagnostic-code|remote-mta"
    r"|last-attempt-date|received-from-mta|x-[a-z-]+)[ \t]*:.*\n?(?:[ \t]+\S.*\n?)*|^[ \t]*\n)+",
    re.IGNORECASE | re.MULTILINE,
)
_RECIPIENT_FIELDS = ("final-recipient", "original-recipient", "x-actual-recipient")
_ESCAPED = re.compile(r"\\x\{([0-9A-Fa-f]{1,6})\}")
_ACTIONS = frozenset({"failed", "delayed", "delivered", "relayed", "expanded"})


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportedRecipient:
    """What a report says about one recipient. ``diagnostic`` is verbatim: ``smtp; 550 5.1.1 User unknown``."""

    recipient: str
    status: str | None = None
    action: str | None = None
    diagnostic: str | None = None
    remote_mta: str | None = None
    retry_until: Instant | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class StatusReport:
    """A delivery status report as a whole."""

    recipients: tuple[ReportedRecipient, ...] = ()
    reporting_mta: str | None = None
    arrival_date: Instant | None = None


def status_text(parts: Parts) -> str:
    """The delivery status of a mail: its own part, or, where the MIME structure is broken, what looks like one in the text."""
    if parts.status is not None:
        return parts.status
    if "-recipient:" not in parts.text.lower():
        return ""
    blocks = [match[0] for match in _BLOCK.finditer(parts.text)]
    return "\n".join(block for block in blocks if block.strip())


def read_status(text: str) -> StatusReport:
    """The recipients of a delivery status, with what became of each; empty where none is named."""
    reporting_mta: str | None = None
    arrival: Instant | None = None
    found: dict[str, ReportedRecipient] = {}
    for block in _blocks(text):
        reporting_mta = reporting_mta or next(iter(block.get("reporting-mta", [])), None)
        if "arrival-date" in block:
            arrival = arrival or instant(block["arrival-date"][0])
        named = [
            address
            for name in _RECIPIENT_FIELDS
            for each in block.get(name, [])
            if (address := recipient_address(each))
        ]
        if named:
            found.setdefault(named[0], _recipient(named[0], block))
    return StatusReport(recipients=tuple(found.values()), reporting_mta=reporting_mta, arrival_date=arrival)


def read_feedback(text: str) -> dict[str, list[str]]:
    """The fields of a feedback report by lower-case name."""
    merged: dict[str, list[str]] = {}
    for block in _blocks(text):
        for name, values in block.items():
            merged.setdefault(name, []).extend(values)
    return merged


def recipient_address(value: str) -> str | None:
    """The address in ``rfc822; <a@b>`` or ``utf-8; …`` (RFC 6533 §3); None where there is none."""
    kind, separator, rest = value.partition(";")
    bare = rest if separator and re.fullmatch(r"\s*[\w-]+\s*", kind) else value
    if separator and kind.strip().lower() == "utf-8":
        bare = _ESCAPED.sub(_unescape, bare)
    try:
        return parse_mailbox(bare.strip()).address
    except AddressError:
        word = bare.strip().strip("<>").strip()
        return word if re.fullmatch(r"[^\s<>@]+@[^\s<>@]+", word) else None


def _unescape(escaped: re.Match[str]) -> str:
    number = int(escaped[1], 16)
    return chr(number) if number <= 0x10FFFF and not 0xD800 <= number <= 0xDFFF else escaped[0]


def as_reply(reported: ReportedRecipient) -> str:
    """The receiver's words as an SMTP reply, on one line; words without a code of refusal get one by the class of the status (RFC 3463 §2)."""
    words = " ".join(without_type(reported.diagnostic).split())
    if _REFUSAL.match(words):
        return words
    status = reported.status or ""
    code = "450" if status.startswith("4") else "550" if status.startswith("5") else "554"
    return " ".join(part for part in (code, status if status not in words else "", words) if part)


def _recipient(address: str, block: dict[str, list[str]]) -> ReportedRecipient:
    diagnostic = next(iter(block.get("diagnostic-code", [])), None)
    given = _STATUS.search(next(iter(block.get("status", [])), ""))
    status = _status_in_reply(diagnostic) or (given[1] if given else None)
    action: str | None = next(iter(block.get("action", [""]))).partition(" ")[0].strip().lower()
    if action not in _ACTIONS:
        action = {"5": "failed", "4": "delayed", "2": "delivered"}.get((status or "5")[0])
    until = next(iter(block.get("will-retry-until", [])), None)
    return ReportedRecipient(
        recipient=address,
        status=status,
        action=action,
        diagnostic=diagnostic,
        remote_mta=next(iter(block.get("remote-mta", [])), None),
        retry_until=instant(until) if until else None,
    )


def _status_in_reply(diagnostic: str | None) -> str | None:
    """The enhanced code that the receiver itself gave behind its reply code (RFC 2034 §3): some relays put another, or 5.0.0, into Status."""
    found = _REPLY.match(diagnostic) if diagnostic else None
    return found[2] if found and found[1] == found[2][0] else None


def _blocks(text: str) -> list[dict[str, list[str]]]:
    blocks: list[dict[str, list[str]]] = [{}]
    last: list[str] | None = None
    for line in text.splitlines():
        field = _FIELD.match(line)
        if not line.strip():
            if blocks[-1]:
                blocks.append({})
            last = None
        elif field is not None:
            last = blocks[-1].setdefault(field[1].lower(), [])
            last.append(" ".join(field[2].split()))
        elif last is not None:
            last[-1] = f"{last[-1]} {' '.join(line.split())}".strip()
    return [block for block in blocks if block]
