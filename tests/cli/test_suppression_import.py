"""``waybill suppression import`` keeps what is known: evidence travels with the entries, and live entries stand."""

import asyncio
from pathlib import Path

import pytest

from tests.cli.conftest import Run, rows
from waybill.model.cause import Cause
from waybill.model.clock import DAY, now
from waybill.model.resource import DEFAULT_ACCOUNT
from waybill.model.suppression import Reason, Suppression
from waybill.store.open import open_store

ENTRY = Suppression(
    account=DEFAULT_ACCOUNT,
    address="Ana@b.example",
    reason=Reason.BOUNCE,
    at=1_795_487_400_123,
    author="rule:user-unknown",
    cause=Cause.USER_UNKNOWN,
    message_id="0100abc",
    feedback_id="0100fed",
    event=7,
    diagnostic="smtp; 550 5.1.1 no\u2028\x85 such user",
    expires_at=now() + 14 * DAY,
)


@pytest.fixture(autouse=True)
def listed(run: Run, tmp_path: Path) -> None:
    run("keys", "create")

    [file] = tmp_path.rglob("waybill.db")

    async def fill() -> None:
        store = await open_store(f"sqlite:///{file}", clock=now)
        await store.suppress([ENTRY])
        await store.close()

    asyncio.run(fill())


@pytest.fixture
def file(run: Run, tmp_path: Path) -> Path:
    """The list, exported."""
    exported = tmp_path / "list.jsonl"
    exported.write_text(run("suppression", "export", "--format", "json"), "utf-8")
    return exported


def shown(run: Run, *options: str) -> list[dict[str, object]]:
    entries = rows(run("suppression", "list", "--json", *options))
    assert isinstance(entries, list)
    return entries


@pytest.mark.parametrize("options", [(), ("--global",), ("--account", "200000000002")])
def test_all_that_an_export_writes_is_read(run: Run, file: Path, options: tuple[str, ...]) -> None:
    """Who, since when, why, and until when: a temporary entry does not become endless on another list."""
    before = shown(run)
    run("suppression", "remove", "Ana@b.example")
    assert "1 addresses added, 0 replaced, 0 kept as they were.\n" == run("suppression", "import", str(file), *options)
    assert before == shown(run, *options)
    assert before[0]["expires_at"]


def test_a_live_entry_is_kept(run: Run, tmp_path: Path) -> None:
    """A list without evidence does not wipe out what is known, unless that is asked for; domains have no case."""
    before = shown(run)
    names = tmp_path / "names.csv"
    names.write_text("Ana@B.Example,COMPLAINT\nbob@b.example,BOUNCE\nbob@b.example,COMPLAINT\n", "utf-8")
    assert "1 addresses added, 0 replaced, 1 kept as they were.\n" == run("suppression", "import", str(names))
    assert before == shown(run)[:1]
    assert "0 addresses added, 2 replaced, 0 kept as they were.\n" == run(
        "suppression", "import", str(names), "--replace"
    )
    assert [("operator", "COMPLAINT", None), ("operator", "BOUNCE", None)] == [
        (entry["author"], entry["reason"], entry["diagnostic"]) for entry in shown(run)
    ]


def test_an_expired_entry_is_none(run: Run, file: Path) -> None:
    """What stops nobody any more does not stand in the way of a new entry."""
    text = file.read_text("utf-8")
    expires = str(shown(run)[0]["expires_at"])
    file.write_text(text.replace(expires, "2020-01-01T00:00:00Z"), "utf-8")
    run("suppression", "import", str(file), "--replace")
    file.write_text(text, "utf-8")
    assert "1 addresses added, 0 replaced, 0 kept as they were.\n" == run("suppression", "import", str(file))


@pytest.mark.parametrize(
    "header", ["emailAddress,reason\r\n", "EMAILADDRESS, Reason\n", '\n"EmailAddress",REASON\n', ""]
)
def test_a_spreadsheets_file_is_read(run: Run, tmp_path: Path, header: str) -> None:
    """With the mark and the line of names that spreadsheets write."""
    names = tmp_path / "names.csv"
    names.write_bytes(b"\xef\xbb\xbf" + header.encode() + b"bob@b.example,BOUNCE\r\n")
    assert "1 addresses added, 0 replaced, 0 kept as they were.\n" == run("suppression", "import", str(names))
