"""How commands read a time: what is wrong with one, and how it is written."""

from waybill.model.clock import Instant, parse_rfc3339

_LATEST = 253_402_300_799_999  # 9999-12-31T23:59:59.999Z


def read_instant(text: str) -> Instant:
    """The instant that an RFC 3339 text names.

    Raises:
        ValueError: it names none between 1970 and 9999; the words begin with the text and go behind a field's name.
    """
    try:
        at = parse_rfc3339(text)
    except (ValueError, OverflowError):
        at = -1
    if not 0 <= at <= _LATEST:
        msg = f"{text[:64]!r} is not allowed; it must be a time with its offset from UTC, such as 2026-11-24T02:30:00Z"
        raise ValueError(msg)
    return at
