"""The command line on a store of its own."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from click.testing import CliRunner

from waybill.cli import cli

Run: TypeAlias = Callable[..., str]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command and checks its exit code: what it printed, or where it failed its one line of error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WAYBILL__STORE", "sqlite:///waybill.db")
    monkeypatch.setenv("COLUMNS", "200")

    def run_command(*arguments: str, code: int = 0, given: str | None = None) -> str:
        result = CliRunner().invoke(cli, arguments, input=given, catch_exceptions=False)
        assert code == result.exit_code, result.output
        if code > 1:
            assert "" == result.stdout
            assert 1 == len(result.stderr.splitlines()), result.stderr
        return result.stderr if code else result.stdout

    return run_command


def rows(text: str) -> Any:
    """What ``--json`` printed."""
    return json.loads(text)
