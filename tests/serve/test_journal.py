"""What is written to standard error."""

import logging
import subprocess
import sys

import pytest

from waybill.serve.journal import BURST, LONGEST, PERIOD, Calm, OneLine


def record(text: str, *values: object, level: int = logging.ERROR) -> logging.LogRecord:
    return logging.LogRecord("waybill.queue", level, __file__, 1, text, values, None)


def test_nobody_forges_a_line() -> None:
    """Line ends, terminal sequences and marks that turn text around are written as escapes."""
    written = OneLine("%(levelname)s %(message)s").format(record("refused: %s", "a\r\nERROR b\x1b[2J\u2028\u202e"))
    assert "ERROR refused: a\\r\\nERROR b\\x1b[2J\\u2028\\u202e" == written


def test_long_texts_are_cut() -> None:
    """A stranger's megabyte does not fill the disk."""
    written = OneLine("%(message)s").format(record("%s", "x" * 1_000_000))
    assert written.startswith("x" * LONGEST + "… (1000000 ")
    assert len(written) < LONGEST + 100


def test_a_storm_is_counted_not_written() -> None:
    """The same complaint is written a few times in a period; afterwards it says how often it was not."""
    now = 0.0
    calm = Calm(lambda: now)
    assert [True] * BURST + [False] * 95 == [calm.filter(record("the disk is full: %d", n)) for n in range(100)]
    assert calm.filter(record("something else"))
    assert all(calm.filter(record("the disk is full: %d", n, level=logging.INFO)) for n in range(BURST + 1))
    now = PERIOD
    late = record("the disk is full: %d", 7)
    assert calm.filter(late)
    assert "the disk is full: 7 (and 95 more like it before)" == late.getMessage()


_SPEAK = """
import logging
from waybill.serve.journal import start_journal
start_journal(logging.{level})
for name in ("waybill.inbound.door", "flufl.bounce"):
    for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.CRITICAL):
        logging.getLogger(name).log(level, "it")
"""


@pytest.mark.parametrize(
    ("level", "ours", "theirs"),
    [
        ("INFO", ["INFO", "WARNING", "CRITICAL"], ["WARNING", "CRITICAL"]),
        ("DEBUG", ["DEBUG", "INFO", "WARNING", "CRITICAL"], ["WARNING", "CRITICAL"]),
        ("CRITICAL", ["CRITICAL"], ["CRITICAL"]),
    ],
)
def test_libraries_tell_no_more_than_warnings(level: str, ours: list[str], theirs: list[str]) -> None:
    """What flufl.bounce tries with each mail is of no interest to those who run the service."""
    spoken = subprocess.run(  # a process of its own: the loggers are the whole process's
        [sys.executable, "-c", _SPEAK.format(level=level)], capture_output=True, text=True, check=True
    ).stderr
    lines = [line.split()[2:4] for line in spoken.splitlines()]
    assert ours == [said for said, name in lines if name == "waybill.inbound.door"]
    assert theirs == [said for said, name in lines if name == "flufl.bounce"]
