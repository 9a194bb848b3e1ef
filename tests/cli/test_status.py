"""``waybill status``: what is in trouble, and what merely waits."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.cli.conftest import Run, rows
from tests.store.builders import accepted, attempted
from waybill.cli import cli
from waybill.model.clock import HOUR, Instant, now, rfc3339
from waybill.model.health import HealthPeriod
from waybill.model.message import Status
from waybill.serve.health import SUPERVISOR, HealthPage, PartHealth, ProcessHealth, State
from waybill.store.open import open_store


async def accept(at: Instant, retry_at: Instant | None = None) -> None:
    """Puts a message into the store that was accepted then, and put off until ``retry_at`` where one is given."""
    store = await open_store("sqlite:///waybill.db", clock=now)
    try:
        (delivery,) = await accepted(store, at)
        if retry_at is not None:
            await store.settle(attempted(delivery, Status.DELAYED, at, next_at=retry_at))
    finally:
        await store.close()


def test_an_idle_service_is_well(run: Run) -> None:
    """Every part is ok, with its evidence, for people and for programs."""
    run("keys", "create")
    shown = rows(run("status", "--json"))
    service = shown["parts"].pop("service")
    assert ("degraded", "not running; it has never run on this store") == (service["state"], service["evidence"])
    assert {"store", "queue", "publishing"} == set(shown["parts"])
    assert {"ok"} == {part["state"] for part in shown["parts"].values()}
    assert [[], [], [], []] == [shown[name] for name in ("workers", "queue", "suspensions", "stuck")]
    assert "none yet" in run("status")


def test_messages_that_wait_for_their_receiver_are_no_trouble(run: Run) -> None:
    """However old they are, as long as their next attempt is not overdue; nor is a message that came just now."""
    asyncio.run(accept(now() - 5 * HOUR, retry_at=now() + HOUR))
    asyncio.run(accept(now()))
    shown = rows(run("status", "--json"))
    assert "ok" == shown["parts"]["queue"]["state"]
    assert {"queued": 1, "delayed": 1} == shown["recipients"]


def test_messages_that_nobody_touches_are_a_failure(run: Run) -> None:
    """Due for an hour and under nobody's lease: no worker is at work, exit 1."""
    asyncio.run(accept(now() - 5 * HOUR, retry_at=now() - HOUR))
    run("status", code=1)


def test_a_message_that_was_never_attempted_is_a_failure_too(run: Run) -> None:
    """The first attempt is due at once."""
    asyncio.run(accept(now() - HOUR))
    run("status", code=1)


def say(place: int, *, ago: float = 0, stopped: bool = False, **parts: PartHealth) -> None:
    """A process of the service says how it is, so many seconds ago."""
    page = HealthPage(Path("waybill.db.health"), place)
    beat = time.monotonic() - ago
    page.write(
        ProcessHealth(name=f"w{place}", pid=1, started_at=now(), at=now(), beat=beat, stopped=stopped, parts=parts)
    )
    page.close()


@pytest.mark.parametrize("life", ["runs", "was killed", "was stopped"])
def test_a_store_that_is_gone_is_a_failure(life: str, run: Run) -> None:
    """Where a service has run, nobody is told to begin anew: the store is failing, in words, and exit 1."""
    run("keys", "create")
    lives: dict[str, dict[str, Any]] = {"runs": {}, "was killed": {"ago": 60.0}, "was stopped": {"stopped": True}}
    how = lives[life]
    say(SUPERVISOR, **how, workers=PartHealth(state=State.OK, evidence="1 worker"))
    failing = PartHealth(state=State.FAILING, evidence="the store's file was moved", since=now())
    say(0, **how, store=failing, disk=PartHealth(state=State.OK, evidence="9 GB free"))
    Path("waybill.db").rename("elsewhere.db")
    run("status", code=1)
    shown = CliRunner().invoke(cli, ["status"]).stdout
    assert "store        failing    its file waybill.db is gone, and a service has run on it: put it back" in shown
    assert "recipients   not known: the store cannot be read" in shown
    assert "makes it at its first start" not in shown
    document = rows(CliRunner().invoke(cli, ["status", "--json"]).stdout)
    service = {"runs": "ok", "was killed": "failing", "was stopped": "degraded"}[life]
    assert (service, "failing") == (document["parts"]["service"]["state"], document["parts"]["store"]["state"])
    assert (life == "runs") is ("disk" in document["parts"])
    assert not Path("waybill.db").exists()


def test_a_store_that_cannot_be_opened_is_a_failure_of_a_service_that_ran(run: Run) -> None:
    """Its own words stand then."""
    run("keys", "create")
    say(SUPERVISOR, ago=60)
    Path("waybill.db").write_bytes(b"no database at all, but some other file" * 100)
    run("status", code=1)
    assert "store        failing    " in CliRunner().invoke(cli, ["status"]).stdout


def test_where_nothing_ever_was_there_is_no_status(run: Run) -> None:
    """Neither a store nor a word of a service: exit 3."""
    assert "there is no store at waybill.db" in run("status", code=3)


async def _keep(*periods: HealthPeriod) -> None:
    store = await open_store("sqlite:///waybill.db", clock=now)
    await store.health_history.keep(periods, now())
    await store.close()


def test_history(run: Run) -> None:
    """The times in which a part was not well, the newest first, for people and for programs; with --since those after it."""
    run("keys", "create")
    assert "Every part has been well since " in run("status", "--history")
    at = now()
    ended = HealthPeriod(part="resolver", state="failing", since=at - HOUR, until=at - HOUR // 2, evidence="DNS fails")
    lasts = HealthPeriod(part="disk", state="degraded", since=at - HOUR // 4, evidence="900 MB \x1b[2J free")
    asyncio.run(_keep(ended, lasts))
    shown = run("status", "--history").splitlines()
    assert 2 == len(shown)
    assert "still so         disk         degraded  900 MB \\x1b[2J free" in shown[0]
    assert "for 30 min       resolver     failing   DNS fails" in shown[1]
    listed = rows(run("status", "--history", "--since", rfc3339(at - HOUR // 3), "--json"))
    assert [("disk", "degraded", rfc3339(at - HOUR // 4), None)] == [
        (one["part"], one["state"], one["since"], one["until"]) for one in listed
    ]
    assert ["disk", "resolver"] == [one["part"] for one in rows(run("status", "--json"))["history"]]


@pytest.mark.parametrize("options", [("--history", "--since", "yesterday"), ("--since", "2026-11-24T00:00:00Z")])
def test_history_wants_a_time(options: tuple[str, ...], run: Run) -> None:
    """A wrong time is named; without --history there is none to give."""
    run("keys", "create")
    assert "--since" in run("status", *options, code=2)
