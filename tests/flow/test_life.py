"""The process tree: how it starts, what stops it from starting, and how it ends in every way that it can be ended."""

import os
import re
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from tests.flow.conftest import Surroundings
from tests.flow.installation import BIN, Installation, children_of, environment, free_port, is_alive, until
from tests.flow.listener import Listener
from waybill.serve.setup import DEV_ACCESS_KEY_ID, DEV_SECRET_ACCESS_KEY

pytestmark = pytest.mark.story


@pytest.fixture
def own(folder: Path, surroundings: Surroundings) -> Iterator[Installation]:
    """A service that a test may treat as it likes; it is not started yet."""
    installation = Installation(
        folder, surroundings.sections(publish={"allow_private": True, "file": str(folder / "events.jsonl")})
    )
    try:
        yield installation
    finally:
        installation.abandon()


def ended(*arguments: str, cwd: Path) -> tuple[int, str]:
    """Exit code and standard error of a command that ends by itself."""
    done = subprocess.run(
        [BIN / "waybill", *arguments],
        cwd=cwd,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return done.returncode, done.stderr


def test_a_drained_service_has_lost_nothing_and_explains_while_it_is_down(own: Installation) -> None:
    """SIGTERM lets a slow delivery end and its events go out; the store answers without the service, and with it again."""
    own.start()
    slow = own.send("slow@customer.example")
    later = own.send("waiting@customer.example")
    own.stop()
    assert "Waybill has drained and stopped." in own.log
    assert "delivered" == own.told(slow)["status"]
    assert own.told(later)["status"] in {"queued", "delayed"}
    assert '"eventType":"Delivery"' in (own.folder / "events.jsonl").read_text("utf-8")
    assert "no message 'nonsense'" in own.run("explain", "nonsense", code=4)
    own.start()
    assert "delayed" == own.ended(later, "delayed")["status"]
    own.stop(signal.SIGINT)


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        ('[http]\nlisten = "nowhere"', "http.listen"),
        ("[delivery]\nretires = []", "delivery.retires"),
        ('store = "mysql://x"', "store"),
        ("[http", "not a TOML file"),
    ],
)
def test_a_wrong_setting_stops_the_start_with_one_line(setting: str, named: str, folder: Path) -> None:
    """The line names the file and the key; exit 2."""
    file = folder / "wrong.toml"
    file.write_text(setting, "utf-8")
    code, text = ended("serve", "--config", str(file), cwd=folder)
    assert (2, 1) == (code, len(text.splitlines())), text
    assert str(file) in text
    assert named in text


def test_a_port_in_use_stops_the_start(own: Installation, listener: Listener) -> None:
    """Exit 3, and one line that names the setting, the address and what is wrong."""
    taken = listener.url.removeprefix("http://")
    own.config.write_text(own.config.read_text("utf-8").replace('"127.0.0.1:0"', f'"{taken}"', 1), "utf-8")
    code, text = ended("serve", "--config", str(own.config), cwd=own.folder)
    assert (3, f"waybill: http.listen = {taken}: cannot listen there: Address already in use\n") == (code, text)


def test_a_second_service_on_the_same_ports_is_refused(own: Installation, service: Installation) -> None:
    """The workers of one installation share their ports; another installation is not let in among them."""
    taken = service.http.removeprefix("http://")
    own.config.write_text(own.config.read_text("utf-8").replace('"127.0.0.1:0"', f'"{taken}"', 1), "utf-8")
    code, text = ended("serve", "--config", str(own.config), cwd=own.folder)
    assert (3, True) == (code, f"http.listen = {taken}" in text)
    with urllib.request.urlopen(f"{service.http}/readyz", timeout=5) as answer:
        assert 200 == answer.status


def test_of_two_services_started_at_once_one_is_refused(folder: Path, surroundings: Surroundings) -> None:
    """Also before the first has begun to listen."""
    port = free_port()
    both = []
    for name in ("one", "two"):
        (folder / name).mkdir()
        sections = surroundings.sections(http={"listen": f"127.0.0.1:{port}"}, service={"simulator": False})
        both.append(Installation(folder / name, sections))
    try:
        for installation in both:
            installation.launch()
        until(lambda: any(each.process is not None and each.process.poll() is not None for each in both))
        codes = [each.process.poll() for each in both if each.process is not None]
        assert sorted(codes, key=str) == [3, None]
        winner = both[codes.index(None)]
        until(lambda: "Waybill is ready." in winner.announced)
        winner.stop()
    finally:
        for installation in both:
            installation.abandon()


def test_a_worker_that_dies_is_replaced(own: Installation) -> None:
    """The supervisor says so and starts another; the doors are open again."""
    own.start()
    (worker,) = children_of(own.pid)
    os.kill(worker, signal.SIGKILL)
    until(lambda: [pid for pid in children_of(own.pid) if pid != worker and is_alive(pid)])

    def is_ready() -> bool:
        try:
            with urllib.request.urlopen(f"{own.http}/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, ConnectionError):
            return False

    until(is_ready)
    assert f"worker_ended worker=0 pid={worker} code=-9" in own.log
    assert "delivered" == own.ended(own.send("after@customer.example"), "delivered")["status"]
    own.stop()


def test_workers_end_by_themselves_when_their_supervisor_is_killed(own: Installation) -> None:
    """Nothing is left running that nobody could stop, and the ports are free again."""
    own.start()
    assert own.process is not None
    workers = children_of(own.pid)
    own.process.kill()
    own.process.wait(10)
    until(lambda: not any(is_alive(pid) for pid in workers))
    host, _, port = own.http.removeprefix("http://").partition(":")
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, int(port)))
    assert "Traceback" not in own.log


def test_a_stop_while_it_starts_is_obeyed(own: Installation) -> None:
    """SIGTERM before the workers are ready ends the start, without leaving one behind."""
    own.launch()
    until(lambda: children_of(own.pid))
    own.stop()


def test_the_printed_lines_work_as_pasted(folder: Path) -> None:
    """With ``--data`` the start prints what other commands need to find this store, and in ``--dev`` the key to send with."""
    doors = {f"WAYBILL__{name}__LISTEN": "127.0.0.1:0" for name in ("HTTP", "SUBMISSION", "INBOUND")}
    out = folder / "serve.out"
    data = folder / "a folder"
    with out.open("wb") as stdout:
        serve = subprocess.Popen(
            [BIN / "waybill", "serve", "--dev", "--data", str(data)],
            cwd=folder,
            env={**environment(), **doors},
            stdout=stdout,
            stderr=subprocess.DEVNULL,
        )
    try:
        until(lambda: "mailbox simulator" in out.read_text("utf-8"))
        text = out.read_text("utf-8")
        endpoint = re.search(r"endpoint +(http://\S+)", text)
        assert endpoint is not None
        ses = boto3.client(
            "sesv2",
            endpoint_url=endpoint[1],
            region_name="us-east-1",
            aws_access_key_id=DEV_ACCESS_KEY_ID,
            aws_secret_access_key=DEV_SECRET_ACCESS_KEY,
        )
        sent = ses.send_email(
            FromEmailAddress="me@example.com",
            Destination={"ToAddresses": ["anybody@example.net"]},
            Content={"Simple": {"Subject": {"Data": "Hello"}, "Body": {"Text": {"Data": "Hello"}}}},
        )
        exports = [line.strip() for line in text.splitlines() if line.strip().startswith("export ")]
        assert [f"export WAYBILL__STORE='sqlite:///{data}/waybill.db'"] == exports
        script = "\n".join([*exports, f'"{BIN}/waybill" explain {sent["MessageId"]}'])

        def explained() -> str:
            done = subprocess.run(
                ["sh", "-c", script], cwd="/", env=environment(), capture_output=True, text=True, check=True
            )
            return done.stdout

        until(lambda: "250 2.0.0 Ok: captured by Waybill, not sent on" in explained())
    finally:
        serve.terminate()
        assert 0 == serve.wait(30)


def test_dev_is_for_this_machine_only(folder: Path) -> None:
    """``--dev`` has a key that everybody knows: it refuses to listen where others could use it."""
    (folder / "open.toml").write_text('[http]\nlisten = "0.0.0.0:0"\n', "utf-8")
    code, text = ended("serve", "--dev", "--config", "open.toml", cwd=folder)
    assert (2, 1) == (code, len(text.splitlines()))
    assert "http.listen = '0.0.0.0:0'" in text
