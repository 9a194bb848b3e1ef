"""Trouble with the machine: the service goes on with less, says so, recovers by itself, and loses nothing."""

import contextlib
import resource
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from tests.flow.conftest import running
from tests.flow.installation import BIN, Installation, children_of, until
from tests.flow.sink import Sink, counting
from tests.flow.trouble import (
    AS_ROOT,
    DOMAINS,
    PATIENCE,
    check_events,
    comes_to,
    delivered,
    install,
    part,
    refused,
    submitted,
    try_to_send,
)
from waybill.model.clock import HOUR

pytestmark = pytest.mark.story


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    with counting(*DOMAINS) as sink:
        yield sink


@pytest.fixture
def installation(sink: Sink, tmp_path: Path) -> Installation:
    return install(sink, tmp_path)


@contextmanager
def small_disk(at: Path, megabytes: int) -> Iterator[Path]:
    """A file system of so many megabytes."""
    at.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(at)], check=True)
    try:
        yield at
    finally:
        subprocess.run(["umount", "-l", str(at)], check=True)


def fill(disk: Path) -> Path:
    """Takes all that is free."""
    file = disk / "filling"
    with file.open("wb", buffering=0) as out, contextlib.suppress(OSError):
        while True:
            out.write(bytes(4096))
    return file


@AS_ROOT
def test_a_full_disk(sink: Sink, tmp_path: Path) -> None:
    """Nothing is accepted that could not be kept; once there is room, mail flows again."""
    try:
        disk = contextlib.ExitStack()
        folder = disk.enter_context(small_disk(tmp_path / "disk", 130))
    except subprocess.CalledProcessError:
        pytest.skip("this sandbox lets nobody mount")
    with disk, running(install(sink, folder)) as installation:
        before = installation.send("before@site1.example")
        assert "degraded" == comes_to(installation, "disk", "degraded")["state"]
        filling = fill(folder)
        until(lambda: refused(installation))
        assert "MB free at" in comes_to(installation, "disk", "failing")["evidence"]
        assert "cannot be written" in comes_to(installation, "store", "failing")["evidence"]
        filling.unlink()
        comes_to(installation, "store", "ok")
        after = installation.send("after@site1.example")
        until(lambda: delivered(installation, sink, after, "after@site1.example"))
        until(lambda: delivered(installation, sink, before, "before@site1.example"))
        installation.stop()
        check_events(installation, before, after)


def test_a_store_that_takes_no_writes(installation: Installation, sink: Sink) -> None:
    """Every write of the worker fails, as on a file system that has gone read-only: what is delivered is settled later."""
    with running(installation):
        (worker,) = children_of(installation.pid)
        _, most = resource.prlimit(worker, resource.RLIMIT_FSIZE)
        before = installation.send("before@site2.example")
        resource.prlimit(worker, resource.RLIMIT_FSIZE, (0, most))
        until(lambda: refused(installation))
        comes_to(installation, "store", "failing")
        resource.prlimit(worker, resource.RLIMIT_FSIZE, (most, most))
        comes_to(installation, "store", "ok")
        after = installation.send("after@site2.example")
        for message_id, name in ((before, "before"), (after, "after")):
            until(lambda one=message_id, to=name: delivered(installation, sink, one, f"{to}@site2.example"))  # type: ignore[misc] # mypy wants no defaults in a lambda
        installation.stop()
        check_events(installation, before, after)


@AS_ROOT
def test_a_read_only_disk_stops_the_start_in_one_line(sink: Sink, tmp_path: Path) -> None:
    """Exit 3, with what is wrong."""
    try:
        disk = contextlib.ExitStack()
        folder = disk.enter_context(small_disk(tmp_path / "disk", 20))
    except subprocess.CalledProcessError:
        pytest.skip("this sandbox lets nobody mount")
    with disk:
        installation = install(sink, folder)
        with running(installation):
            pass
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        done = subprocess.run(
            [BIN / "waybill", "serve", "--config", str(installation.config)],
            capture_output=True,
            check=False,
            cwd=tmp_path,
            text=True,
        )
        assert (3, 1) == (done.returncode, len(done.stderr.splitlines())), done.stderr


def test_a_locked_store(installation: Installation, sink: Sink) -> None:
    """Another program holds the write lock for longer than anybody waits for it."""
    with running(installation):
        holder = sqlite3.connect(installation.folder / "waybill.db", isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        try:
            answers: list[str | ClientError] = []
            sender = threading.Thread(target=lambda: answers.append(try_to_send(installation, "locked@site3.example")))
            sender.start()
            assert "locked" in comes_to(installation, "store", "failing")["evidence"]
            sender.join(20)
            assert isinstance(answers[0], ClientError)
            assert 503 == answers[0].response["ResponseMetadata"]["HTTPStatusCode"]
        finally:
            holder.execute("ROLLBACK")
            holder.close()
        comes_to(installation, "store", "ok")
        after = installation.send("after@site3.example")
        until(lambda: delivered(installation, sink, after, "after@site3.example"))
        assert 0 == sink.taken["locked@site3.example"]


def test_an_events_file_that_cannot_be_written(installation: Installation, sink: Sink) -> None:
    """Mail goes on; the events wait, and are written once they can be."""
    file = installation.folder / "events.jsonl"
    with running(installation):
        file.mkdir()
        sent = installation.send("events@site3.example")
        until(lambda: delivered(installation, sink, sent, "events@site3.example"))
        assert "events.jsonl cannot be written" in comes_to(installation, "publishing", "degraded")["evidence"]
        file.rmdir()
        comes_to(installation, "publishing", "ok")
        installation.stop()
        check_events(installation, sent)


# the clock


@pytest.mark.parametrize("shift", [2 * HOUR, -2 * HOUR])
def test_a_clock_that_jumps(shift: int, sink: Sink, tmp_path: Path) -> None:
    """Two hours forward or back: said in status and log; nothing expires, nothing is lost, new mail goes at once."""
    file = tmp_path / "shift"
    file.write_text("0", "ascii")
    script = Path(__file__).with_name("serve_shifted.py")
    installation = install(sink, tmp_path, (sys.executable, str(script)), retry=["2s"])
    sink.busy = True
    try:
        installation.start()
        _, waiting = submitted(installation, "waiting@site4.example")
        until(lambda: installation.told(waiting)["status"] == "delayed", PATIENCE)
        set_clock(file, shift)
        word = "forward" if shift > 0 else "back"
        until(lambda: f"7,200 s {word}" in part(installation, "clock")["evidence"], PATIENCE)
        assert "clock_jumped" in installation.log
    finally:
        sink.busy = False
    try:
        address = f"after{shift}@site5.example"
        code, after = submitted(installation, address)
        assert 250 == code
        until(lambda: delivered(installation, sink, after, address), PATIENCE)
        if shift < 0:  # it was put off by a clock that was two hours ahead, and waits until that one's time has come
            assert "delayed" == installation.told(waiting)["status"]
            set_clock(file, 0)
        until(lambda: delivered(installation, sink, waiting, "waiting@site4.example"), PATIENCE)
        sink.taken.clear()
        installation.stop()
    finally:
        installation.abandon()


def set_clock(file: Path, shift: int) -> None:
    """Sets the workers' clock, at once."""
    draft = file.with_name("draft")
    draft.write_text(str(shift), "ascii")
    draft.replace(file)
