"""``waybill status``: what is in trouble, and what merely waits."""

import asyncio

from tests.cli.conftest import Run, rows
from tests.store.builders import accepted, attempted
from waybill.model.clock import HOUR, Instant, now
from waybill.model.message import Status
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
