"""The health page: what each process said last, read by anybody, whatever state the writer died in."""

import os
import time
import zlib
from dataclasses import replace
from pathlib import Path

import pytest

from waybill.serve.health import (
    PLACES,
    SILENT_AFTER,
    SUPERVISOR,
    HealthPage,
    PartHealth,
    ProcessHealth,
    State,
    health_path,
    read_page,
)

AT = 1_795_500_000_000
SAID = ProcessHealth(
    name="mail-1-0-ab",
    pid=4711,
    started_at=AT,
    at=AT + 5,
    beat=12.5,
    parts={
        "disk": PartHealth(state=State.FAILING, evidence="3 MB of 1 GB free at „Postfächer“", since=AT),
        "store": PartHealth(state=State.OK, evidence="fine"),
    },
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return health_path(tmp_path / "waybill.db")


def test_every_process_has_its_place(path: Path) -> None:
    """What one says does not touch what another said; a shorter word after a longer one is read whole."""
    pages = {place: HealthPage(path, place) for place in (0, 63, SUPERVISOR)}
    for place, page in pages.items():
        page.write(replace(SAID, pid=place))
    pages[63].write(replace(SAID, pid=63, parts={}))
    found = read_page(path)
    assert {0: SAID.parts, 63: {}, SUPERVISOR: SAID.parts} == {place: one.parts for place, one in found.items()}
    assert [0, 63, SUPERVISOR] == [one.pid for one in found.values()]
    assert replace(SAID, pid=0) == found[0]
    for page in pages.values():
        page.close()
    pages[0].write(SAID)
    assert 0 == read_page(path)[0].pid


def test_a_page_that_nobody_wrote_says_nothing(path: Path) -> None:
    """Neither does one that is not there, nor a new one, nor one that was cleared."""
    assert {} == read_page(path)
    page = HealthPage(path, 0)
    assert {} == read_page(path)
    page.write(SAID)
    page.clear()
    assert {} == read_page(path)
    page.close()


@pytest.mark.parametrize("body", [b"{}", b"[]", b"nonsense", b'{"parts":{"disk":["gone","",null]}}', b'{"parts":{}}'])
def test_words_of_another_version_are_left(path: Path, body: bytes) -> None:
    """They are no failure of the reader."""
    page = HealthPage(path, 1)
    page.write(SAID)
    page.close()
    head = len(body).to_bytes(4, "little") + zlib.crc32(body).to_bytes(4, "little")
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // PLACES)
        file.write(head + body)
    assert {} == read_page(path)


def test_half_a_word_is_not_believed(path: Path) -> None:
    """A process that was killed while it wrote leaves a sum that is wrong."""
    page = HealthPage(path, 0)
    page.write(SAID)
    with path.open("r+b") as file:
        file.seek(20)
        file.write(b"x")
    assert {} == read_page(path)
    page.close()


def test_its_octets_are_on_the_disk_before_they_are_needed(path: Path) -> None:
    """A hole in the file would kill its writer once the disk is full."""
    HealthPage(path, 0).close()
    found = path.stat()
    assert found.st_blocks * 512 >= found.st_size > 0


def test_evidence_without_end_is_cut(path: Path) -> None:
    """The rest of the page stays readable."""
    page = HealthPage(path, 0)
    long = {str(number): PartHealth(state=State.OK, evidence="ü" * 5_000) for number in range(4)}
    page.write(replace(SAID, parts=long))
    assert {300} == {len(part.evidence) for part in read_page(path)[0].parts.values()}
    page.close()


def test_who_says_nothing_is_not_alive(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Silence, an end as it was told to, or another start of the machine."""
    assert SAID.is_alive(SAID.beat + SILENT_AFTER - 0.1)
    assert not SAID.is_alive(SAID.beat + SILENT_AFTER)
    assert not replace(SAID, stopped=True).is_alive(SAID.beat)
    other = replace(SAID, machine="00" * 16)
    assert (None, False) == (other.silent_for(SAID.beat), other.is_alive(SAID.beat))


def test_it_is_read_while_it_is_written(path: Path) -> None:
    """No reader ever sees a mixture."""
    page = HealthPage(path, 0)
    page.write(SAID)
    child = os.fork()
    if child == 0:  # pragma: no cover - another process
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            page.write(replace(SAID, pid=1, parts={}))
            page.write(SAID)
        os._exit(0)
    seen = [read_page(path).get(0) for _ in range(200)]
    os.waitpid(child, 0)
    assert {4711, 1} >= {one.pid for one in seen if one is not None}
    assert all(one.parts == ({} if one.pid == 1 else SAID.parts) for one in seen if one is not None)
    page.close()
