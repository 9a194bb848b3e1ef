"""The dates that mail servers write: RFC 5322 §3.3, its obsolete forms (§4.3), and what is written against all rules."""

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import NamedTuple

from waybill.model.clock import Instant

_MONTHS = {name: number for number, name in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)}  # noqa: SIM905 - reads better
_ZONES = {"ut": 0, "utc": 0, "gmt": 0, "z": 0, "est": -5, "edt": -4, "cst": -6, "cdt": -5} | {
    "mst": -7,
    "mdt": -6,
    "pst": -8,
    "pdt": -7,
    "cet": 1,
    "cest": 2,
    "met": 1,
    "mest": 2,
    "wet": 0,
    "west": 1,
    "bst": 1,
    "eet": 2,
    "eest": 3,
    "msk": 3,
    "jst": 9,
    "kst": 9,
    "hkt": 8,
    "aest": 10,
    "aedt": 11,
}
"""Hours east of Greenwich: the names of RFC 5322 §4.3, and those that servers use beside them."""

_CLOCK = r"(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?"
_ZONE = r"(?:[ \t]*([+-]\d{2}:?\d{2}|[A-Za-z]{1,5})\b)?"
_RFC = re.compile(
    rf"(?:[A-Za-z]{{3,9}}[,.]?[ \t]*)?(\d{{1,2}})[ \t-]+([A-Za-z]{{3}})[a-z]*\.?,?[ \t-]+(\d{{2,4}})[ \t]+{_CLOCK}{_ZONE}"
)
_CTIME = re.compile(rf"(?:[A-Za-z]{{3}},?[ \t]+)?([A-Za-z]{{3}})[ \t]+(\d{{1,2}})[ \t]+{_CLOCK}{_ZONE}[ \t]+(\d{{4}})")
_ISO = re.compile(rf"(\d{{4}})-(\d{{2}})-(\d{{2}})[Tt \t]+{_CLOCK}{_ZONE}")
_COMMENT = re.compile(r"\([^()]*\)")


class MailDate(NamedTuple):
    """An instant, and whether the zone was written: without one, UTC is taken."""

    at: Instant
    has_zone: bool


def parse_mail_date(text: str) -> MailDate | None:
    """The first date in the text; None where there is none."""
    plain = text[:1_000]
    for _ in range(4):
        plain, found = _COMMENT.subn(" ", plain)
        if not found:
            break
    if match := _ISO.search(plain):
        year, month, day, *rest = match.groups()
        return _instant((int(year), int(month), int(day)), rest)
    if match := _RFC.search(plain):
        day, name, written, *rest = match.groups()
        return _instant((_year(written), _MONTHS.get(name.lower(), 0), int(day)), rest)
    if match := _CTIME.search(plain):
        name, day, *rest, written = match.groups()
        return _instant((int(written), _MONTHS.get(name.lower(), 0), int(day)), rest)
    return None


def _year(written: str) -> int:
    """RFC 5322 §4.3: of two digits 00 to 49 are of this century, all others, and three digits, count from 1900."""
    year = int(written)
    if len(written) == 2 and year < 50:
        return 2000 + year
    return year if len(written) == 4 else 1900 + year


def _instant(day: tuple[int, int, int], rest: list[str | None]) -> MailDate | None:
    hour, minute, second, fraction, zone = rest
    offset = _offset(zone)
    seconds = int(second or 0)
    try:
        base = datetime(*day, int(hour or 0), int(minute or 0), min(seconds, 59), tzinfo=timezone(timedelta()))
        at = base - timedelta(minutes=offset or 0) + timedelta(seconds=max(0, min(seconds, 60) - 59))
        epoch = datetime(1970, 1, 1, tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    whole = (at - epoch) // timedelta(milliseconds=1)
    return MailDate(whole + int((fraction or "0").ljust(3, "0")[:3]), has_zone=offset is not None)


def _offset(zone: str | None) -> int | None:
    """Minutes east of Greenwich; None where that is not said. Military letters say nothing (RFC 5322 §4.3)."""
    if zone is None:
        return None
    if zone[0] in "+-":
        digits = zone[1:].replace(":", "")
        minutes = int(digits[:2]) * 60 + int(digits[2:])
        return -minutes if zone[0] == "-" else minutes
    hours = _ZONES.get(zone.lower())
    return None if hours is None else hours * 60
