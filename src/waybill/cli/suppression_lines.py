"""The files of ``waybill suppression export`` and ``import``: SES's CSV, and JSON lines with all that an entry says."""

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from waybill.cli.instant import read_instant
from waybill.mail.address import AddressError, canonical
from waybill.model.cause import Cause
from waybill.model.clock import Instant, rfc3339
from waybill.model.suppression import Reason, Suppression

_BY_HAND = "operator"
_HEADER = ["emailaddress", "reason"]
_BOM = "\ufeff"
_SURROGATE = re.compile("[\ud800-\udfff]")  # half a character, which JSON can write and no store can keep


class EntryError(Exception):
    """What is wrong with an entry, in words."""


def entry_json(entry: Suppression) -> dict[str, object]:
    """An entry as it is printed and exported."""
    return {
        "emailAddress": entry.address,
        "reason": entry.reason.value,
        "at": rfc3339(entry.at),
        "author": entry.author,
        "cause": entry.cause.value if entry.cause else None,
        "message_id": entry.message_id,
        "feedback_id": entry.feedback_id,
        "event": entry.event,
        "diagnostic": entry.diagnostic,
        "expires_at": rfc3339(entry.expires_at) if entry.expires_at else None,
    }


def csv_line(entry: Suppression) -> str:
    """An entry as SES's import jobs take it: ``address,REASON``."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow([entry.address, entry.reason.value])
    return line.getvalue()


def read_entries(text: str, account: str, *, at: Instant) -> Iterator[Suppression]:
    """The entries of CSV lines or JSON lines; ``at`` is the time of those that name none.

    Raises:
        EntryError: a line is wrong; its number comes first.
    """
    first = True
    for number, line in enumerate(text.removeprefix(_BOM).split("\n"), 1):
        if not line.strip():  # lines end in LF alone: words that JSON quotes may hold other separators
            continue
        is_json = line.lstrip().startswith("{")
        header = first and not is_json and [cell.strip().lower() for cell in next(csv.reader([line]))] == _HEADER
        first = False
        if header:
            continue
        try:
            yield _of_json(line, account, at) if is_json else _of_csv(line, account, at)
        except EntryError as error:
            raise EntryError(f"line {number}: {error}") from None


def read_address(text: str) -> str:
    """The address as the lists hold it. Raises: EntryError."""
    try:
        return canonical(text)
    except AddressError as error:
        raise EntryError(f"{text!r} is not an address: {error}") from None


def read_reason(text: str) -> Reason:
    """The reason, in any case. Raises: EntryError."""
    if text.upper() not in set(Reason):
        raise EntryError(f"reason {text!r} is not allowed; it must be BOUNCE or COMPLAINT")
    return Reason(text.upper())


def _of_csv(line: str, account: str, at: Instant) -> Suppression:
    cells = [cell.strip() for cell in next(csv.reader([line]))]
    if len(cells) != len(_HEADER):
        raise EntryError("not of the form address,REASON")
    address, reason = read_address(cells[0]), read_reason(cells[1])
    return Suppression(account=account, address=address, reason=reason, at=at, author=_BY_HAND)


def _of_json(line: str, account: str, at: Instant) -> Suppression:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        row = None
    if not isinstance(row, dict) or "emailAddress" not in row or "reason" not in row:
        raise EntryError('not of the form {"emailAddress": …, "reason": …}')
    unknown = [name for name in row if name not in _FIELDS]
    if unknown:
        raise EntryError(f"{unknown[0]!r} is not a field of an entry; the fields are {', '.join(_FIELDS)}")
    evidence: dict[str, Any] = {
        name: read(name, row[name]) for name, read in _EVIDENCE.items() if row.get(name) is not None
    }
    return Suppression(
        account=account,
        address=read_address(str(row["emailAddress"]).strip()),
        reason=read_reason(str(row["reason"]).strip()),
        at=evidence.pop("at", at),
        author=evidence.pop("author", _BY_HAND),
        **evidence,
    )


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str) or not value or _SURROGATE.search(value):
        raise EntryError(f"{name} {value!r} is not allowed; it must be a text or null")
    return value


def _instant(name: str, value: Any) -> Instant:
    try:
        return read_instant(value if isinstance(value, str) else repr(value))
    except ValueError as error:
        raise EntryError(f"{name} {error}") from None


def _event(name: str, value: Any) -> int:
    if type(value) is not int or not 0 < value < 2**63:
        raise EntryError(f"{name} {value!r} is not allowed; it must be the number of an event, or null")
    return value


def _cause(name: str, value: Any) -> Cause:
    if value not in list(Cause):
        raise EntryError(f"{name} {value!r} is not allowed; docs/causes.md lists the causes")
    return Cause(value)


_EVIDENCE: dict[str, Callable[[str, Any], Any]] = {
    "at": _instant,
    "author": _text,
    "cause": _cause,
    "message_id": _text,
    "feedback_id": _text,
    "event": _event,
    "diagnostic": _text,
    "expires_at": _instant,
}
_FIELDS = ("emailAddress", "reason", *_EVIDENCE)
