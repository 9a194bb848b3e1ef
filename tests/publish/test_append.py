"""The file of events."""

import errno
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from waybill.publish.append import append_durably


def test_lines_are_added(tmp_path: Path) -> None:
    """The folder is made where there is none, and lines follow one another."""
    file = tmp_path / "a" / "events.jsonl"
    append_durably(file, b"1\n2\n")
    append_durably(file, b"3\n")
    assert file.read_bytes() == b"1\n2\n3\n"
    assert oct(file.stat().st_mode & 0o777) == "0o640"


def test_a_line_that_a_crash_cut_short_is_ended(tmp_path: Path) -> None:
    """What comes after a half line begins on its own."""
    file = tmp_path / "events.jsonl"
    file.write_bytes(b'{"a":1}\n{"eventTy')
    append_durably(file, b'{"b":2}\n')
    assert file.read_bytes().splitlines() == [b'{"a":1}', b'{"eventTy', b'{"b":2}']


def test_many_writers(tmp_path: Path) -> None:
    """Lines of several writers are never mixed."""
    file = tmp_path / "events.jsonl"
    lines = [b"%d" % number * 5_000 + b"\n" for number in range(10)]
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda line: append_durably(file, line), lines * 4))
    assert sorted(file.read_bytes().splitlines(keepends=True)) == sorted(lines * 4)


def test_a_failed_write_leaves_no_half_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk is full after some bytes, the file is as it was, and the error is the caller's."""
    file = tmp_path / "events.jsonl"
    append_durably(file, b"1\n")
    write, sizes = os.write, [4]

    def full(descriptor: int, data: bytes) -> int:
        if sizes:
            return write(descriptor, data[: sizes.pop()])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space left"):
        append_durably(file, b"22222222\n")
    assert file.read_bytes() == b"1\n"
