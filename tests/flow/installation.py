"""A real ``waybill serve`` in a process tree of its own, and what its users hold in their hands."""

import asyncio
import json
import os
import re
import signal
import smtplib
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import boto3
import jsonschema
from botocore.config import Config
from click.testing import CliRunner

from tests.shared_data import SHARED
from waybill.cli import cli
from waybill.model.clock import now
from waybill.store.open import open_store
from waybill.store.protocol import R

BIN = Path(sys.executable).parent
READY = re.compile(r"HTTP (http://\S+) +SMTP (\S+):(\d+) +inbound (\S+):(\d+)")
SCHEMA = json.loads((SHARED / "contract/explanation.schema.json").read_text()) if SHARED else {}
REGION = "us-east-1"
PATIENCE = 20.0

T = TypeVar("T")


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def until(look: Callable[[], T | None], seconds: float = PATIENCE) -> T:
    """What ``look`` finds, as soon as it finds something."""
    end = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < end, f"nothing found in {seconds} s; last: {found!r}"
        time.sleep(0.1)
    return found


def environment() -> dict[str, str]:
    """This process's environment without Waybill's and AWS's own variables."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("WAYBILL", "AWS_"))}
    return {**kept, "AWS_EC2_METADATA_DISABLED": "true", "COLUMNS": "200"}


def children_of(pid: int) -> list[int]:
    """The processes that a process has started."""
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii")
    return [int(child) for child in listed.split()]


def is_alive(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text("utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return False


def _toml(sections: dict[str, dict[str, Any]]) -> str:
    lines = []
    for name, values in sections.items():
        lines += [f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in values.items())]
    return "\n".join(lines) + "\n"


@dataclass
class Installation:
    """A folder with settings and a store, and the service while it runs."""

    folder: Path
    sections: dict[str, dict[str, Any]]
    options: tuple[str, ...] = ()
    command: tuple[str, ...] = (str(BIN / "waybill"), "serve")
    process: subprocess.Popen[bytes] | None = None
    http: str = ""
    smtp: tuple[str, int] = ("", 0)
    inbound: tuple[str, int] = ("", 0)
    key: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        doors = {name: {"listen": "127.0.0.1:0"} for name in ("http", "submission", "inbound")}
        merged = {name: {**doors.get(name, {}), **self.sections.get(name, {})} for name in {**doors, **self.sections}}
        store = f"store = {json.dumps(f'sqlite:///{self.folder}/waybill.db')}\n"
        self.config.write_text(store + _toml(merged), "utf-8")

    @property
    def config(self) -> Path:
        """The settings file."""
        return self.folder / "settings.toml"

    @property
    def log(self) -> str:
        """What the process tree wrote to its standard error, all starts together."""
        return (self.folder / "serve.log").read_text("utf-8")

    @property
    def pid(self) -> int:
        """The supervisor's process id."""
        assert self.process is not None
        return self.process.pid

    def launch(self) -> None:
        """Starts the service and returns at once."""
        out = self.folder / "serve.out"
        with out.open("wb") as stdout, (self.folder / "serve.log").open("ab") as stderr:
            self.process = subprocess.Popen(
                [*self.command, "--config", str(self.config), *self.options],
                cwd=self.folder,
                env=environment(),
                stdout=stdout,
                stderr=stderr,
            )

    def start(self) -> None:
        """Starts the service and waits until it says that it is ready."""
        self.launch()
        process = self.process
        assert process is not None

        def look() -> re.Match[str] | None:
            assert process.poll() is None, self.log
            return READY.search(self.announced)

        found = until(look)
        self.http = found[1]
        self.smtp = (found[2], int(found[3]))
        self.inbound = (found[4], int(found[5]))
        if not self.key:
            self.key = self.json("keys", "create", "--label", "tests")
        for name in ("ses", "sesv2", "sns"):
            self.__dict__.pop(name, None)  # their ports may have changed

    @property
    def announced(self) -> str:
        """What the service printed."""
        return (self.folder / "serve.out").read_text("utf-8")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Ends the service as an operator does; it drains, says so, and leaves nothing behind."""
        assert self.process is not None
        workers = children_of(self.pid)
        self.process.send_signal(number)
        assert 0 == self.process.wait(30), self.log
        assert "Traceback" not in self.log, self.log
        assert [] == [pid for pid in workers if is_alive(pid)]
        self.process = None

    def kill_all(self) -> None:
        """Kills the whole tree at once, as a power cut does."""
        assert self.process is not None
        workers = children_of(self.pid)
        for pid in (self.pid, *workers):
            os.kill(pid, signal.SIGKILL)
        self.process.wait(10)
        until(lambda: not any(is_alive(pid) for pid in workers))
        self.process = None

    def abandon(self) -> None:
        """Makes sure that nothing is left, whatever a failed test left running."""
        if self.process is not None and self.process.poll() is None:
            self.kill_all()

    # the command line

    def run(self, *arguments: str, code: int = 0) -> str:
        """What a command prints, run in this process on the installation's settings."""
        result = CliRunner().invoke(cli, [*arguments, "--config", str(self.config)], catch_exceptions=False)
        assert code == result.exit_code, result.output
        return result.output if code else result.stdout

    def json(self, *arguments: str, code: int = 0) -> Any:
        """What a command prints with ``--json``."""
        return json.loads(self.run(*arguments, "--json", code=code))

    def explain(self, key: str) -> dict[str, Any]:
        """The explanation; it keeps to the published schema."""
        found: dict[str, Any] = self.json("explain", key)
        jsonschema.validate(found, SCHEMA)
        return found

    def told(self, key: str) -> dict[str, Any]:
        """The explanation of a message to one recipient."""
        recipients = self.explain(key)["recipients"]
        assert 1 == len(recipients)
        recipient: dict[str, Any] = recipients[0]
        return recipient

    def ended(self, message_id: str, *statuses: str) -> dict[str, Any]:
        """The recipient's explanation once its status is one of these."""

        def look() -> dict[str, Any] | None:
            told = self.told(message_id)
            return told if told["status"] in statuses else None

        return until(look)

    def kinds(self, message_id: str) -> list[str]:
        """The kinds of the ledger's events about a message, in order; not when its content was examined, which may be any time."""
        kinds = [event["kind"] for event in self.json("events", message_id)]
        return [kind for kind in kinds if kind != "content_examined"]

    def change(self, kind: type[R], account: str, name: str, change: Callable[[R], R]) -> None:
        """Changes a resource in the store, as no door and no command can."""

        async def work() -> None:
            store = await open_store(f"sqlite:///{self.folder}/waybill.db", clock=now)
            try:
                await store.update(kind, account, name, change)
            finally:
                await store.close()

        asyncio.run(work())

    # clients

    def client(self, service: str, key: dict[str, str] | None = None) -> Any:
        """A boto3 client that does not try again by itself."""
        used = key or self.key
        make: Any = boto3.client  # its stubs have an overload for each service, and want its name literally
        return make(
            service,
            endpoint_url=self.http,
            region_name=REGION,
            aws_access_key_id=used["access_key_id"],
            aws_secret_access_key=used["secret_access_key"],
            config=Config(retries={"max_attempts": 0}, connect_timeout=5, read_timeout=20),
        )

    @cached_property
    def sesv2(self) -> Any:
        """SES, version 2."""
        return self.client("sesv2")

    @cached_property
    def ses(self) -> Any:
        """SES, version 1."""
        return self.client("ses")

    @cached_property
    def sns(self) -> Any:
        """SNS."""
        return self.client("sns")

    def submit(self, recipient: str, message: bytes, key: dict[str, str] | None = None) -> tuple[int, str]:
        """Submits a message over SMTP with AUTH: the last reply's code and text."""
        used = key or self.key
        with smtplib.SMTP(*self.smtp, timeout=10) as smtp:
            smtp.login(used["smtp_username"], used["smtp_password"])
            for code, text in (smtp.mail("orders@shop.example"), smtp.rcpt(recipient)):
                if code != 250:
                    return code, text.decode()
            code, text = smtp.data(message)
            return code, text.decode()

    def send(self, recipient: str, *, sender: str = "Shop <orders@shop.example>", **more: Any) -> str:
        """Sends a plain message over SES v2; the message id."""
        content = {"Simple": {"Subject": {"Data": "Your order"}, "Body": {"Text": {"Data": "It has shipped."}}}}
        request = {
            "FromEmailAddress": sender,
            "Destination": {"ToAddresses": [recipient]},
            "Content": content,
            **more,
        }
        return str(self.sesv2.send_email(**request)["MessageId"])
