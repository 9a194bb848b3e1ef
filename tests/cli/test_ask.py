"""``waybill explain``, ``find``, ``events`` and ``render`` on a store in a file."""

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.explain.life import ACCOUNT, MESSAGE_ID, START
from tests.explain.stories import STORIES
from tests.explain.test_commands import tell_store
from waybill.cli import cli
from waybill.model.clock import now
from waybill.model.resource import Template
from waybill.store.open import open_store


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Settings of a store that holds one story."""
    url = f"sqlite:///{tmp_path / 'waybill.db'}"
    path = tmp_path / "my settings.toml"
    path.write_text(f'store = "{url}"\n', "utf-8")
    asyncio.run(tell_store(url, STORIES["user_unknown"]()))
    return path


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, words)


def test_explain(config: Path) -> None:
    """The answer in words; the commands in it name the same settings."""
    result = run("explain", "anna.k@firma.example", "--config", str(config))
    assert 0 == result.exit_code
    assert "anna.k@firma.example: not delivered. firma.example's mail server says" in result.stdout
    assert f"waybill suppression remove anna.k@firma.example --config '{config}'\n" in result.stdout


def test_explain_as_json(config: Path) -> None:
    """The same answer as the API's JSON."""
    result = run("explain", MESSAGE_ID, "--json", "--config", str(config))
    told = json.loads(result.stdout)
    assert (0, MESSAGE_ID, "user_unknown") == (result.exit_code, told["message_id"], told["recipients"][0]["cause"])
    assert "waybill suppression remove anna.k@firma.example" == told["recipients"][0]["remedies"][1]["command"]


def test_live_needs_the_ledger(config: Path) -> None:
    """A file's message is nobody's to walk for."""
    result = run("explain", "--from-file", "-", "--live", "--config", str(config))
    assert (2, True) == (result.exit_code, "--live" in result.stderr)


@pytest.mark.parametrize("command", ["explain", "events"])
def test_not_found(config: Path, command: str) -> None:
    """An unknown id is exit code 4, and one line that says so."""
    result = run(command, "nobody@firma.example", "--config", str(config))
    assert (4, "", 1) == (result.exit_code, result.stdout, len(result.stderr.splitlines()))
    assert "'nobody@firma.example'" in result.stderr


def test_no_store(tmp_path: Path) -> None:
    """A store that is not there is exit code 3."""
    path = tmp_path / "waybill.toml"
    path.write_text(f'store = "sqlite:///{tmp_path / "none" / "waybill.db"}"\n', "utf-8")
    assert 3 == run("explain", MESSAGE_ID, "--config", str(path)).exit_code


@pytest.mark.parametrize(
    ("query", "code"),
    [
        (["--to", "@firma.example"], 0),
        (["--cause", "user_unknown", "--status", "bounced", "--account", ACCOUNT], 0),
        (["--from", "orders@shop.example", "--since", "2026-11-24T00:00:00Z", "--until", "2026-11-25T00:00:00Z"], 0),
        (["--until", "2026-11-23T00:00:00Z"], 1),
        (["--account", "100000000002"], 1),
        (["--status", "delivered"], 1),
        (["--status", "lost"], 2),
        (["--cause", "gremlins"], 2),
        (["--since", "yesterday"], 2),
        (["--limit", "0"], 2),
    ],
)
def test_find(config: Path, query: list[str], code: int) -> None:
    """What is found is listed; nothing found is exit code 1, a wrong value 2 and named."""
    result = run("find", *query, "--config", str(config))
    assert (code, code == 0) == (result.exit_code, MESSAGE_ID in result.stdout)
    assert (code == 2) is bool(result.stderr)
    if code == 2:
        assert query[-1] in result.stderr


def test_find_as_json(config: Path) -> None:
    """Each hit says where the message stands."""
    found = json.loads(run("find", "--json", "--config", str(config)).stdout)
    assert [(MESSAGE_ID, "anna.k@firma.example", "bounced", "user_unknown")] == [
        (hit["message_id"], hit["recipient"], hit["status"], hit["cause"]) for hit in found
    ]


def test_events(config: Path) -> None:
    """The whole ledger, for people and as JSON, by any key that explain takes."""
    text = run("events", "anna.k@firma.example", "--config", str(config))
    listed = json.loads(run("events", MESSAGE_ID, "--json", "--config", str(config)).stdout)
    assert 0 == text.exit_code
    assert "S: 550 5.1.1 <anna.k@firma.example>: Recipient address rejected" in text.stdout
    assert ["accepted", "bounced", "suppression_added", "suppression_added"] == [event["kind"] for event in listed]
    assert "550 5.1.1" in listed[1]["fact"]["attempt"]["outcome"]["diagnostic"]


async def _put_template(url: str, text: str) -> None:
    store = await open_store(url, clock=now)
    await store.put(
        Template(
            account=ACCOUNT,
            name="hello",
            subject="Hi {{name}}",
            text=text,
            html=None,
            created_at=START,
            updated_at=START,
        )
    )
    await store.close()


@pytest.mark.parametrize(
    ("data", "code", "out", "error"),
    [
        ('{"name": "Ada"}', 0, "Subject: Hi Ada\n\nText:\nYours, Ada\n", ""),
        ('{"nmae": "Ada"}', 1, "", "subject, line 1, column 4"),
        ("{", 1, "", "waybill: "),
    ],
)
def test_render(config: Path, data: str, code: int, out: str, error: str) -> None:
    """The mail as it would be, or where it cannot be rendered and what was probably meant."""
    url = config.read_text("utf-8").split('"')[1]
    asyncio.run(_put_template(url, "Yours, {{name}}"))
    result = run("render", "hello", "--data", data, "--config", str(config))
    assert (code, out) == (result.exit_code, result.stdout)
    assert error in result.stderr


def test_render_unknown_template(config: Path) -> None:
    """A template that is not there is exit code 4."""
    result = run("render", "none", "--config", str(config))
    assert (4, "waybill: Template none does not exist.\n") == (result.exit_code, result.stderr)
