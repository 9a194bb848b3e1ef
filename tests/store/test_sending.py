"""The sending journal: what a killed worker was sending is known afterwards, and what it was not sending too."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from waybill.store import sending
from waybill.store.sending import SLOTS, Journal, Journals, journals_folder, machine_start

KILLED = """
import sys, time
from pathlib import Path
from waybill.store.sending import Journal
journal = Journal(Path(sys.argv[1]), "dead")
for number in (1, 256, 3):
    journal.begin(number)
journal.end(3)
print("ready", flush=True)
time.sleep(60)
"""
LATE = 1 << 60


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return journals_folder(tmp_path / "waybill.db")


@pytest.fixture
def journal(folder: Path) -> Iterator[Journal]:
    journal = Journal(folder, "one")
    yield journal
    journal.close()


def test_a_killed_workers_file_says_what_it_was_sending(folder: Path) -> None:
    """SIGKILL leaves what was begun and not ended; nothing else of it is taken for sent, nor is another's."""
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(folder)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert b"ready\n" == process.stdout.readline()
    journals = Journals(folder)
    assert 0 == journals.remove_old(LATE)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert [True, True, False, False] == [journals.was_sending("dead", number) for number in (1, 256, 3, 4)]
    assert journals.was_sending("never seen", 1) is None
    assert journals.was_sending("../dead", 1) is None
    assert 1 == journals.remove_old(LATE)
    assert journals.was_sending("dead", 1) is None


def test_numbers_are_not_found_across_two_slots(journal: Journal, folder: Path) -> None:
    """1 << 32 and 1 side by side contain the octets of other numbers."""
    journal.begin(1 << 40)
    journal.begin(1)
    journals = Journals(folder)
    assert not journals.was_sending("one", 1 << 24)
    assert not journals.was_sending("one", 1 << 16)
    assert journals.was_sending("one", 1 << 40)
    journal.end(1 << 40)
    journal.end(1)


def test_what_has_no_slot_is_not_known(journal: Journal, folder: Path) -> None:
    """With every slot taken no delivery is said not to be sent; once there is room again all is known."""
    for number in range(1, SLOTS + 2):
        journal.begin(number)
    journals = Journals(folder)
    assert journals.was_sending("one", SLOTS + 1) is None
    assert journals.was_sending("one", SLOTS)
    for number in range(1, SLOTS + 2):
        journal.end(number)
    assert False is journals.was_sending("one", SLOTS + 1)


def test_a_file_of_before_the_machine_started_is_not_believed(
    journal: Journal, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """After a power cut the last numbers may never have reached the disk; nor is one that is too short believed."""
    other = tmp_path / "boot_id"
    other.write_text("00000000-0000-0000-0000-000000000001\n", "ascii")
    assert False is Journals(folder).was_sending("one", 1)
    monkeypatch.setattr(sending, "_START_ID", other)
    assert Journals(folder).was_sending("one", 1) is None
    monkeypatch.setattr(sending, "_START_ID", tmp_path / "none")
    assert bytes(16) == machine_start()
    Journal(folder, "two").begin(1)
    assert Journals(folder).was_sending("two", 1) is None
    (folder / "short").write_bytes(b"x")
    assert Journals(folder).was_sending("short", 1) is None


def test_a_worker_that_ends_well_was_sending_nothing(folder: Path) -> None:
    """A message that it accepted while it ended is still leased to it; one that still sends when it closes says so."""
    Journal(folder, "done").close()
    late = Journal(folder, "late")
    late.begin(7)
    late.close()
    assert (False, True) == (Journals(folder).was_sending("done", 7), Journals(folder).was_sending("late", 7))


def test_a_worker_that_dies_again_and_again_does_not_fill_the_disk(journal: Journal, folder: Path) -> None:
    """Beyond a number the oldest go, however young; never a living one's."""
    for number in range(5):
        Journal(folder, f"dead-{number}").close()
        os.utime(folder / f"dead-{number}", (number + 10**10, number + 10**10))
    os.utime(folder / "one", (1, 1))
    assert 3 == Journals(folder).remove_old(0, most=2)
    assert ["dead-3", "dead-4", "one"] == names(folder)
    journal.begin(1)
    journal.end(1)


def test_files_of_the_living_and_the_young_stay(journal: Journal, folder: Path) -> None:
    """Only those of dead workers go, that were not touched since the instant given."""
    late = Journal(folder, "late")
    late.begin(7)
    late.close()
    assert 0 == Journals(folder).remove_old(0)
    assert 1 == Journals(folder).remove_old(LATE)
    assert ["one"] == names(folder)
    assert 0 == Journals(folder / "absent").remove_old(LATE)
    journal.begin(1)
    journal.end(1)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 6), max_size=40))
def test_it_knows_exactly_what_is_under_way(tmp_path_factory: pytest.TempPathFactory, numbers: list[int]) -> None:
    """Whatever the order of beginnings and ends."""
    folder = tmp_path_factory.mktemp("journal") / "sending"
    journal = Journal(folder, "one")
    sent: set[int] = set()
    for number in numbers:
        if number in sent:
            journal.end(number)
        else:
            journal.begin(number)
        sent ^= {number}
    journals = Journals(folder)
    assert sent == {number for number in range(1, 7) if journals.was_sending("one", number)}
    journal.close()
