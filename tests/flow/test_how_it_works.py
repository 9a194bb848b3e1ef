"""Performs docs/how-it-works.md and README.md: what they tell the reader to type works, and prints what they show."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.flow.page import ROOT, Block, Command, blocks, commands, differs
from waybill.cli import COMMANDS

PAGES = ("docs/how-it-works.md", "README.md")
PATIENCE = 30.0
BIN = str(Path(sys.executable).parent)
DOORS = {"http": "127.0.0.1:8025", "submission": "127.0.0.1:1025", "inbound": "127.0.0.1:2526"}


@dataclass(kw_only=True)
class Reader:
    """Somebody who follows the page in a folder of their own."""

    folder: Path
    environment: dict[str, str]
    addresses: dict[str, str]

    def run(self, command: list[str]) -> str:
        """Runs a command to its end; what it printed. Exit codes other than 0 fail."""
        ended = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert ended.returncode == 0, f"{command[-1]} ended with {ended.returncode}: {ended.stdout}{ended.stderr}"
        return ended.stdout

    def placed(self, text: str) -> str:
        """The text with the ports that the service really has, in place of the default ones."""
        for page, real in self.addresses.items():
            host, _, port = page.partition(":")
            text = text.replace(page, real).replace(f'"{host}", {port}', f'"{host}", {real.rpartition(":")[2]}')
        return text


@contextmanager
def serving(folder: Path) -> Iterator[Reader]:
    """The service as ``waybill serve --dev`` starts it, on free ports."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("WAYBILL", "AWS_"))}
    environment |= {"PATH": f"{BIN}:{os.environ['PATH']}", "COLUMNS": "100", "HOME": str(folder)}
    free = {f"WAYBILL__{door.upper()}__LISTEN": "127.0.0.1:0" for door in DOORS}
    service = subprocess.Popen(
        ["waybill", "serve", "--dev"],
        cwd=folder,
        env={**environment, **free},
        executable=f"{BIN}/waybill",
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert service.stdout is not None
        ready = service.stdout.readline()
        found = re.fullmatch(r"Waybill is ready\.  HTTP http://(\S+)   SMTP (\S+)   inbound (\S+)\n", ready)
        assert found is not None, f"the service began with {ready!r}"
        yield Reader(
            folder=folder,
            environment=environment,
            addresses=dict(zip(DOORS.values(), found.groups(), strict=True)),
        )
    finally:
        service.send_signal(signal.SIGTERM)
        service.communicate(timeout=PATIENCE)
    assert service.returncode == 0


def perform_command(reader: Reader, command: Command) -> None:
    """Runs the command until it prints what the page shows: mail takes its time."""
    deadline = time.monotonic() + PATIENCE
    while True:
        printed = reader.run(["bash", "-c", reader.placed(command.line)])
        missing = differs(command.shown, printed)
        if missing is None:
            return
        assert time.monotonic() < deadline, f"$ {command.line}\nprinted\n{printed}\nwithout\n{missing}"
        time.sleep(0.2)


def perform(reader: Reader, block: Block) -> None:
    """Performs a block: Python is run; commands are run and what they print is compared."""
    if block.language == "python":
        reader.run([sys.executable, "-W", "error", "-c", reader.placed(block.text)])
    elif block.language == "console":
        for command in commands(block):
            if command.line.startswith("export "):
                name, _, value = command.line.removeprefix("export ").partition("=")
                reader.environment[name] = value
            elif not command.line.startswith("waybill serve"):
                perform_command(reader, command)


@pytest.mark.parametrize("page", PAGES)
def test_the_page_does_what_it_says(page: str, tmp_path: Path) -> None:
    """Every command and snippet of the page works, in order, and prints what the page shows."""
    listed = blocks(ROOT / page)
    assert {"console", "python"} <= {block.language for block in listed}
    with serving(tmp_path) as reader:
        for block in listed:
            perform(reader, block)


def test_the_shown_start_of_the_service_is_the_real_one(tmp_path: Path) -> None:
    """The page's first line of ``waybill serve --dev`` is what the service prints: the pattern above reads it."""
    [shown] = [
        command.shown
        for block in blocks(ROOT / PAGES[0])
        if block.language == "console"
        for command in commands(block)
        if command.line.startswith("waybill serve")
    ]
    assert "Waybill is ready.  HTTP http://127.0.0.1:8025   SMTP 127.0.0.1:1025   inbound 127.0.0.1:2526\n" == shown


def test_every_file_and_link_that_the_pages_name_exists() -> None:
    """Files of the source that the page names, and links between the pages, lead somewhere."""
    page = (ROOT / PAGES[0]).read_text("utf-8")
    named = re.findall(r"`((?:\w+/)+\w+\.(?:py|toml|json))`", page)
    assert len(named) > 25
    missing = [name for name in named if not ((ROOT / "src/waybill" / name).exists() or (ROOT / name).exists())]
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        links = re.findall(r"\]\((?!https?:|#)([^)#]+)", path.read_text("utf-8"))
        missing.extend(f"{path.name}: {link}" for link in links if not (path.parent / link).exists())
    assert [] == missing


def test_every_command_that_the_pages_name_exists() -> None:
    """``waybill word`` in any page is a command."""
    pages = [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")]
    named = {name for page in pages for name in re.findall(r"[`$] ?waybill ([a-z][a-z-]*)", page.read_text("utf-8"))}
    assert {"demo", "serve", "explain", "find", "status", "keys"} <= named
    assert set() == named - set(COMMANDS)


def test_a_page_that_shows_something_else_is_noticed() -> None:
    """Other words, or the same in another order, differ; ids, times, ports, durations and line breaks do not."""
    printed = (
        "ready on 127.0.0.1:4711\nsent 010001a20bc31083-0c11b660-25c5-4202-9d88-8b34c19ee40c-000000 in 0.4 s\nbye\n"
    )
    shown = "ready on\n127.0.0.1:8025\n…\nin 17.0 s bye\n"
    assert differs(shown, printed) is None
    assert "ready" == differs("bye\n…\nready\n", "ready bye\n")
    assert "ready at <address>" == differs("ready at 127.0.0.1:8025", printed)
