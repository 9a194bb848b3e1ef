"""Each trouble that a machine can have: the service goes on with less, says so, recovers by itself, and loses nothing."""

import contextlib
import http.client
import json
import os
import resource
import signal
import smtplib
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from click.testing import CliRunner

from tests.flow.conftest import running
from tests.flow.installation import BIN, Installation, children_of, until
from tests.flow.outbox import told_of
from tests.flow.sink import Sink, counting
from waybill.cli import cli
from waybill.model.clock import HOUR

pytestmark = pytest.mark.story

DOMAINS = tuple(f"site{number}.example" for number in range(8))
MESSAGE = b"From: orders@shop.example\r\nSubject: x\r\n\r\nx\r\n"
MEGA = 1024 * 1024
PATIENCE = 40.0
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount and add addresses")


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    with counting(*DOMAINS) as sink:
        yield sink


@pytest.fixture
def installation(sink: Sink, tmp_path: Path) -> Installation:
    return install(sink, tmp_path)


def install(sink: Sink, folder: Path, command: tuple[str, ...] | None = None, **delivery: Any) -> Installation:
    """A service of one worker that sends to the sink."""
    sections: dict[str, dict[str, Any]] = {
        "service": {"workers": 1, "simulator": False},
        "dns": {"servers": [sink.dns]},
        "delivery": {
            "port": sink.port,
            "allow_private": True,
            "hostname": "mail.shop.example",
            "retry": ["300ms", "300ms", "300ms", "1s"],
            **delivery,
        },
        "identities": {"verification": "none"},
        "publish": {"file": str(folder / "events.jsonl")},
    }
    return Installation(folder, sections, command=command or (str(BIN / "waybill"), "serve"))


def part(installation: Installation, name: str) -> dict[str, Any]:
    """How a part is, as `waybill status` and the API say alike."""
    from_store: dict[str, Any] = status(installation)["parts"][name]
    with urllib.request.urlopen(f"{installation.http}/api/status", timeout=10) as answer:
        from_api = json.load(answer)["parts"][name]
    return from_store if from_store["state"] == from_api["state"] else {"state": "changing", "evidence": ""}


def status(installation: Installation) -> dict[str, Any]:
    """What `waybill status --json` prints, whatever its exit code says."""
    done = CliRunner().invoke(cli, ["status", "--json", "--config", str(installation.config)], catch_exceptions=False)
    found: dict[str, Any] = json.loads(done.stdout)
    failing = any(one["state"] == "failing" for one in found["parts"].values())
    assert int(failing) == done.exit_code, done.output
    return found


def comes_to(installation: Installation, name: str, *states: str) -> dict[str, Any]:
    """The part once its state is one of these."""

    def look() -> dict[str, Any] | None:
        found = part(installation, name)
        return found if found["state"] in states else None

    return until(look, PATIENCE)


def try_to_send(installation: Installation, recipient: str) -> str | ClientError:
    """The message id, or the error."""
    try:
        return installation.send(recipient)
    except ClientError as error:
        return error


def refused(installation: Installation) -> bool:
    """Whether neither door takes anything now: a 503 in SES's form, a 4xx reply in SMTP's."""
    answer = try_to_send(installation, "refused@site0.example")
    if isinstance(answer, str):
        return False
    assert 503 == answer.response["ResponseMetadata"]["HTTPStatusCode"]
    assert "nothing was accepted" in answer.response["Error"]["Message"]
    code, _ = installation.submit("refused@site0.example", MESSAGE)
    assert code in {421, 451}
    return True


def delivered(installation: Installation, sink: Sink, message_id: str, recipient: str) -> bool:
    """Whether the message has arrived, once, and the ledger knows."""
    told = installation.told(message_id)
    return told["status"] == "delivered" and 1 == sink.taken[recipient]


def check_events(installation: Installation, *message_ids: str) -> None:
    """Both events of each are in the file."""
    told = told_of(installation.folder)
    assert {(one, kind) for one in message_ids for kind in ("Send", "Delivery")} <= told.keys()


# the disk


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
        assert f"7,200 s {word}" in comes_to(installation, "clock", "degraded")["evidence"]
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


def submitted(installation: Installation, recipient: str) -> tuple[int, str]:
    """Submits over SMTP, whose clients show no clock: the reply's code and the message id in it."""
    code, text = installation.submit(recipient, MESSAGE)
    return code, text.split()[-1]


# the network


def test_a_dead_resolver(installation: Installation, sink: Sink) -> None:
    """DNS that fails for everybody is our trouble and no receiver's."""
    with running(installation):
        sink.end_dns()
        try:
            sent = {name: installation.send(f"resolver@{name}") for name in DOMAINS[:6]}
            assert "DNS fails" in comes_to(installation, "resolver", "failing")["evidence"]
        finally:
            sink.resume_dns()
        comes_to(installation, "resolver", "ok")
        until(
            lambda: all(delivered(installation, sink, one, f"resolver@{name}") for name, one in sent.items()), PATIENCE
        )


@contextmanager
def own_address(address: str) -> Iterator[None]:
    """An address of this machine, for as long as the block runs."""
    if subprocess.run(["ip", "address", "add", f"{address}/32", "dev", "lo"], check=False).returncode:
        pytest.skip("this sandbox lets nobody add an address")
    try:
        yield
    finally:
        subprocess.run(["ip", "address", "del", f"{address}/32", "dev", "lo"], check=True)


@AS_ROOT
def test_a_network_that_is_gone(tmp_path: Path) -> None:
    """The address to send from has left the machine, and comes back."""
    with own_address("198.51.100.88"), counting("far.example", address="198.51.100.88") as sink:
        installation = install(sink, tmp_path, source_addresses=["198.51.100.77"])
        with running(installation):
            sent = installation.send("network@far.example")
            assert "198.51.100.77" in comes_to(installation, "network", "failing")["evidence"]
            with own_address("198.51.100.77"):
                until(lambda: delivered(installation, sink, sent, "network@far.example"), PATIENCE)
                comes_to(installation, "network", "ok")


# descriptors


def test_few_descriptors(sink: Sink, tmp_path: Path) -> None:
    """Clients beyond what the worker can bear are told to come again; deliveries go on, and all is well after them."""
    command = ("bash", "-c", 'ulimit -n 160; exec "$0" "$@"', str(BIN / "waybill"), "serve")
    installation = install(sink, tmp_path, command)
    with running(installation):
        crowd = [socket.create_connection(installation.smtp, timeout=5) for _ in range(60)]
        greetings = [connection.recv(100)[:3] for connection in crowd]
        assert {b"220", b"421"} == set(greetings)
        host, _, port = installation.http.removeprefix("http://").rpartition(":")
        visitors = [http.client.HTTPConnection(host, int(port), timeout=5) for _ in range(60)]
        for visitor in visitors:
            visitor.connect()
        assert "SMTP submission has all its" in status(installation)["parts"]["descriptors"]["evidence"] or until(
            lambda: "SMTP submission has all its" in status(installation)["parts"]["descriptors"]["evidence"]
        )
        assert 503 == answered(visitors[-1])
        for connection in crowd:
            connection.close()
        for visitor in visitors:
            visitor.close()
        comes_to(installation, "descriptors", "ok")
        sent = installation.send("after@site7.example")
        until(lambda: delivered(installation, sink, sent, "after@site7.example"))
        with smtplib.SMTP(*installation.smtp, timeout=5) as smtp:
            assert 250 == smtp.noop()[0]


def answered(visitor: http.client.HTTPConnection) -> int:
    """The status that a connection is answered with, whether it asks or not."""
    assert visitor.sock is not None
    return int(visitor.sock.recv(100).split()[1])


# stopping


def test_a_stop_in_the_middle_of_everything(installation: Installation, sink: Sink) -> None:
    """SIGTERM under load: what got an id is delivered or waits, and the status says that the service was stopped."""
    installation.start()
    ids: list[str] = []
    over = threading.Event()

    def send() -> None:
        client = installation.client("sesv2")
        while not over.is_set():
            content = {"Simple": {"Subject": {"Data": "x"}, "Body": {"Text": {"Data": "x"}}}}
            to = {"ToAddresses": [f"stop-{len(ids)}@site0.example"]}
            with contextlib.suppress(ClientError, BotoCoreError):
                sent = client.send_email(FromEmailAddress="a@shop.example", Destination=to, Content=content)
                ids.append(sent["MessageId"])

    sender = threading.Thread(target=send)
    sender.start()
    time.sleep(0.5)
    installation.stop(signal.SIGTERM)
    over.set()
    sender.join(30)
    assert ids
    found = status(installation)
    assert "it was stopped" in found["parts"]["service"]["evidence"]
    installation.start()
    until(lambda: all(installation.told(one)["status"] == "delivered" for one in ids), PATIENCE)
    installation.stop()
    assert {1} == {count for recipient, count in sink.taken.items() if recipient.startswith("stop-")}
