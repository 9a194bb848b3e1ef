"""Trouble with the network, too many clients, and an end in the middle: said, survived, and nothing is lost."""

import contextlib
import http.client
import signal
import smtplib
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests.flow.conftest import running
from tests.flow.installation import BIN, Installation, until
from tests.flow.sink import Sink, counting
from tests.flow.trouble import (
    AS_ROOT,
    DOMAINS,
    PATIENCE,
    comes_to,
    delivered,
    install,
    status,
)

pytestmark = pytest.mark.story


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    with counting(*DOMAINS) as sink:
        yield sink


@pytest.fixture
def installation(sink: Sink, tmp_path: Path) -> Installation:
    return install(sink, tmp_path)


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
