"""Every command explains itself, takes the options that all have in common, and asks for nothing that it does not use."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tests.cli.conftest import Run
from waybill.cli import COMMANDS, cli

HEAVY = ("aiohttp", "cryptography", "starlette", "uvicorn", "dns", "rich", "msgspec", "sqlite3", "asyncio")


def _leaves(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from _leaves(found, (*path, name))
    else:
        yield path, command


LEAVES = dict(_leaves(cli))


def test_the_list_of_commands_loads_nothing_heavy() -> None:
    """``waybill --help`` answers at once: it imports none of the libraries that the service needs."""
    script = (
        "import sys, json\nfrom waybill.cli import cli\n"
        "try:\n    cli(['--help'])\nexcept SystemExit:\n    print('\\n' + json.dumps(list(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=True)
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert [] == [name for name in HEAVY if name in loaded]
    for name in COMMANDS:
        assert f"\n  {name}" in done.stdout


@pytest.mark.parametrize("path", LEAVES, ids="-".join)
def test_every_command_has_help_and_takes_a_settings_file(path: tuple[str, ...], run: Run) -> None:
    """``--help`` begins with the usage and says what the command does; ``--config`` is understood everywhere."""
    text = run(*path, "--help")
    assert text.startswith(f"Usage: cli {' '.join(path)}")
    assert LEAVES[path].help
    assert "--config" in text


def test_the_list_says_what_each_command_says_itself() -> None:
    """The list is written by hand, so that nothing needs to be imported; it must not lead astray."""
    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        assert name == command.name


def test_a_settings_file_that_is_not_there_is_an_error(run: Run) -> None:
    """Also for commands that need no settings: exit 2 and one line."""
    for arguments in (("find",), ("classify", "550 x"), ("status",)):
        assert "missing.toml: cannot be read" in run(*arguments, "--config", "missing.toml", code=2)


@pytest.mark.parametrize(
    "arguments",
    [
        ("explain", "x"),
        ("find",),
        ("events", "x"),
        ("status",),
        ("standing",),
        ("queue", "list"),
        ("queue", "hold", "--all"),
        ("queue", "suspensions"),
        ("keys", "list"),
        ("keys", "revoke", "x"),
        ("account", "show"),
        ("account", "pause", "--reason", "x"),
        ("identities", "list"),
        ("identities", "show", "x.example"),
        ("suppression", "list"),
        ("suppression", "add", "a@b.example"),
        ("suppression", "export"),
    ],
    ids="-".join,
)
def test_without_a_store_there_is_nothing_to_answer_from(arguments: tuple[str, ...], run: Run, tmp_path: Path) -> None:
    """Exit 3, one line, and no empty store is left where somebody mistyped its name."""
    assert "waybill.db" in run(*arguments, code=3)
    assert [] == list(tmp_path.iterdir())


def test_output_that_nobody_reads_is_no_failure() -> None:
    """``waybill … | head`` ends without a traceback."""
    script = f"yes '550 5.1.1 user unknown' | head -2000 | {sys.executable} -m waybill classify | head -1"
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert ("", "user_unknown") == (done.stderr, json.loads(done.stdout)["cause"])
