"""What the processes write to standard error: one line a record, nothing in it that strangers could forge, no storms."""

import logging
import time
from collections.abc import Callable

LONGEST = 2_000
"""Characters of a message that are written."""

BURST, PERIOD = 5, 10.0
"""So many warnings and errors of one kind are written in ``PERIOD`` seconds; the next one says how many were not."""

_OURS = "waybill"
_FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"
_ESCAPES = {
    code: repr(chr(code))[1:-1] for code in (*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), 0x2028, 0x2029)
}


class OneLine(logging.Formatter):
    """Writes control characters as escapes: what clients and servers said may not begin a line of its own."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the standard library's name
        """The record without its traceback."""
        record.message = record.message.translate(_ESCAPES)
        if len(record.message) > LONGEST:
            record.message = f"{record.message[:LONGEST]}… ({len(record.message)} characters)"
        return super().formatMessage(record)


class Calm(logging.Filter):
    """Lets ``BURST`` records of one kind pass in a period; a kind is a logger and its text before the values come in."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._monotonic = monotonic
        self._seen: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is written."""
        if record.levelno < logging.WARNING:
            return True
        key, now = (record.name, str(record.msg)), self._monotonic()
        since, count = self._seen.get(key, (now, 0))
        if now - since >= PERIOD:
            if count > BURST:
                record.msg, record.args = f"{record.getMessage()} (and {count - BURST} more like it before)", ()
            since, count = now, 0
        if len(self._seen) >= 1_000:
            self._seen.clear()
        self._seen[key] = (since, count + 1)
        return count < BURST


def start_journal(level: int) -> None:
    """Sets up the loggers of this process: our own write from ``level`` on, those of libraries no less than warnings."""
    out = logging.StreamHandler()
    out.setFormatter(OneLine(_FORMAT))
    out.addFilter(Calm())
    logging.basicConfig(level=max(level, logging.WARNING), handlers=[out])
    logging.getLogger(_OURS).setLevel(level)
