"""``waybill suppression remove`` without an address: what one rule, cause or night put on a list comes off it at once."""

import asyncio
from pathlib import Path

import pytest

from tests.cli.conftest import Run, rows
from waybill.model.cause import Cause
from waybill.model.clock import now, parse_rfc3339
from waybill.model.resource import DEFAULT_ACCOUNT
from waybill.model.suppression import Reason, Suppression
from waybill.store.open import open_store


def entry(address: str, rule: str, cause: Cause, at: str) -> Suppression:
    return Suppression(
        account=DEFAULT_ACCOUNT,
        address=address,
        reason=Reason.BOUNCE,
        at=parse_rfc3339(at),
        author=f"rule:{rule}",
        cause=cause,
        diagnostic="smtp; 550 5.1.1 no",
    )


@pytest.fixture(autouse=True)
def listed(run: Run, tmp_path: Path) -> None:
    run("keys", "create")

    [file] = tmp_path.rglob("waybill.db")

    async def fill() -> None:
        store = await open_store(f"sqlite:///{file}", clock=now)
        await store.suppress(
            [
                entry("a@b.example", "user-unknown", Cause.USER_UNKNOWN, "2026-11-01T00:00:00Z"),
                entry("b@b.example", "user-unknown", Cause.USER_UNKNOWN, "2026-11-20T00:00:00Z"),
                entry("c@b.example", "disabled", Cause.MAILBOX_DISABLED, "2026-11-20T00:00:00Z"),
            ]
        )
        await store.close()

    asyncio.run(fill())


@pytest.mark.parametrize(
    ("options", "left"),
    [
        (("--rule", "user-unknown"), ["c@b.example"]),
        (("--cause", "mailbox_disabled"), ["a@b.example", "b@b.example"]),
        (("--since", "2026-11-10T00:00:00Z"), ["a@b.example"]),
        (("--until", "2026-11-10T00:00:00Z"), ["b@b.example", "c@b.example"]),
        (("--since", "2026-11-10T00:00:00Z", "--rule", "user-unknown"), ["a@b.example", "c@b.example"]),
        (("--reason", "bounce"), []),
    ],
)
def test_what_fits_comes_off(run: Run, options: tuple[str, ...], left: list[str]) -> None:
    """And the command says who, since when and why."""
    removed = rows(run("suppression", "remove", *options, "--json"))
    assert 3 - len(left) == len(removed)
    assert all(row["diagnostic"] == "smtp; 550 5.1.1 no" for row in removed)
    assert left == [row["emailAddress"] for row in rows(run("suppression", "list", "--json"))]


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        ((), 2, "give either an ADDRESS, or at least one of"),
        (("a@b.example", "--rule", "user-unknown"), 2, "give either an ADDRESS, or at least one of"),
        (
            ("--since", "yesterday"),
            2,
            "--since 'yesterday' is not allowed; it must be a time with its offset from UTC, such",
        ),
        (("--until", "2026-11-24T02:30:00"), 2, "--until '2026-11-24T02:30:00' is not allowed; it must be a time with"),
        (("--until", "0001-01-01T00:00:00Z"), 2, "--until '0001-01-01T00:00:00Z' is not allowed"),
        (("--cause", "spite"), 2, "spite"),
        (("--rule", "nobody"), 4, "no entry of the account suppression list fits that"),
        (("--rule", "user-unknown", "--global"), 4, "no entry of the global suppression list fits that"),
    ],
)
def test_what_is_not_done(run: Run, options: tuple[str, ...], code: int, words: str) -> None:
    """Nothing is removed where it is not said what."""
    assert words in run("suppression", "remove", *options, code=code)
    assert 3 == len(rows(run("suppression", "list", "--json")))
