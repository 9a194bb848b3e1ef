"""Instants: milliseconds since the Unix epoch, UTC, and how they are written.

Everything that flows carries absolute instants; durations are subtracted when they are shown.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import TypeAlias

Instant: TypeAlias = int
"""Milliseconds since 1970-01-01T00:00:00Z."""

Clock: TypeAlias = Callable[[], Instant]

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR


def now() -> Instant:
    """The wall clock. Passed in as an argument wherever time matters, so that tests can pass another."""
    return time.time_ns() // 1_000_000


def rfc3339(at: Instant) -> str:
    """``2026-11-24T02:30:00.123Z`` (RFC 3339 §5.6, always UTC, always milliseconds; SES writes the same)."""
    seconds, millis = divmod(at, 1_000)
    return f"{_to_the_second(seconds)}.{millis:03d}Z"


@lru_cache(maxsize=256)  # events of the same seconds are written by the thousand
def _to_the_second(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"


def parse_rfc3339(text: str) -> Instant:
    """The instant that an RFC 3339 or ISO 8601 text with an offset names.

    Raises:
        ValueError: the text is no timestamp, or names no offset from UTC.
    """
    parsed = datetime.fromisoformat(text)
    if parsed.tzinfo is None:
        msg = f"timestamp {text!r} has no offset from UTC; write it as 2026-11-24T02:30:00Z"
        raise ValueError(msg)
    return round(parsed.timestamp() * 1_000)
