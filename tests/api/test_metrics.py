"""The figures that Prometheus reads of the queue: by site, within bounds, and not counted more often than they are worth."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from prometheus_client.core import Metric

from tests.store.builders import START, accepted, attempted
from tests.store.conformance import FakeClock
from waybill.api.metrics import MOST_SITES, StoreFigures
from waybill.model.clock import DAY, HOUR, MINUTE, SECOND
from waybill.model.event import Held
from waybill.model.message import Status
from waybill.model.resource import INSTALLATION, Suspension
from waybill.store.observed import UnknownReply
from waybill.store.queueing import Selection
from waybill.store.sqlite import SqliteStore, open_sqlite


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    opened = await open_sqlite(tmp_path / "waybill.db", clock=lambda: START)
    yield opened
    await opened.close()


def values(figures: StoreFigures, name: str) -> dict[tuple[str, ...], float]:
    """The samples of a metric by their labels."""
    families: dict[str, Metric] = {family.name: family for family in figures.collect()}
    return {tuple(sample.labels.values()): sample.value for sample in families[name].samples}


async def test_the_queue_by_site(store: SqliteStore) -> None:
    """What waits, is held, is due and is in a worker's hands, of the fullest sites alone."""
    await store.remember_sites({"a.example": "google"})
    await accepted(store, START, "u@a.example", "v@a.example", "w@a.example")
    await accepted(store, START, "x@a.example", lease_owner="w", lease_until=START + HOUR)
    (held,) = await accepted(store, START, "y@a.example")
    hold = Held(limit="operator", by="operator", text="", until=START + HOUR)
    await store.hold(Selection(message_id=held.message_id), hold, now=START, limit=1)
    for number in range(MOST_SITES):
        await accepted(store, START, f"u@{number}.example")
    figures, clock = StoreFigures(), FakeClock()
    assert [] == list(figures.collect())
    await figures.look(store, clock)
    found = values(figures, "waybill_queue")
    google = {"waiting": 5, "held": 1, "due": 3, "in_hand": 1}
    assert google == {state: value for (site, state), value in found.items() if site == "google"}
    assert MOST_SITES == len({site for site, _ in found})


async def test_suspensions_unknown_replies_and_forged_bounces(store: SqliteStore) -> None:
    """Those in force, with their author; how many replies no rule knew; the forged bounces of today and yesterday."""
    for name, until in (("google", None), ("yahoo", START + 1), ("gone", START)):
        await store.put(
            Suspension(account=INSTALLATION, name=name, by="operator", reason="", at=START - HOUR, until=until)
        )
    reply = UnknownReply(fingerprint="x", site="s", example="x", message_id="m", first_at=START, last_at=START, count=3)
    (delivery,) = await accepted(store, lease_owner="w", lease_until=START + 1)
    await store.settle(attempted(delivery, Status.DELAYED, START, unknown_reply=reply))
    for days, more in ((0, 4), (1, 2), (3, 100)):
        await store.tally("forged_bounces", START - days * DAY, more)
    figures = StoreFigures()
    await figures.look(store, FakeClock())
    assert {("google", "operator"): 1, ("yahoo", "operator"): 1} == values(figures, "waybill_suspended")
    assert {(): 3} == values(figures, "waybill_unknown_replies")
    assert {(): 6} == values(figures, "waybill_forged_bounces")


async def test_a_long_queue_is_not_counted_all_the_time(store: SqliteStore) -> None:
    """After a count that took two seconds the figures stand for twenty times as long; the others are always fresh."""
    ticks = iter([START, START, START + SECOND, START + 2 * SECOND])
    figures, clock = StoreFigures(), FakeClock(at=START + 3 * SECOND)
    await figures.look(store, lambda: next(ticks))
    await accepted(store, START, "u@a.example")
    await figures.look(store, clock)
    assert ({}, 1) == (values(figures, "waybill_queue"), values(figures, "waybill_events")[()])
    clock.at = START + 2 * MINUTE
    await figures.look(store, clock)
    assert 4 == len(values(figures, "waybill_queue"))
