"""What a worker notices: trouble begins and ends once, and the store is well only when something was written."""

import asyncio
import logging
from pathlib import Path

import pytest

from tests.store.builders import START, acceptance
from waybill.net.resolver import Resolver
from waybill.serve.health import HealthPage, State, health_path, read_page
from waybill.serve.monitor import Monitor, Probes, resolver_trouble
from waybill.serve.watch import Watch, watched
from waybill.store.open import open_store
from waybill.store.protocol import StoreUnavailable


class SteppingClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.at = START

    def __call__(self) -> int:
        return self.at


@pytest.fixture
def clock() -> SteppingClock:
    return SteppingClock()


@pytest.fixture
def watch(clock: SteppingClock) -> Watch:
    return Watch(clock)


def test_nothing_is_said_to_work_that_nobody_has_tried(watch: Watch) -> None:
    """At the beginning no name was looked up and no server was asked: all that is known is that no trouble was seen."""
    assert "no trouble seen since this worker began" == watch.parts["resolver"].evidence
    watch("resolver", "no answer")
    watch("resolver", None)
    assert "it answers" == watch.parts["resolver"].evidence


def test_since_is_when_the_state_changed(watch: Watch, clock: SteppingClock, caplog: pytest.LogCaptureFixture) -> None:
    """New evidence of the same trouble is the same trouble; the log tells its beginning and its end."""
    caplog.set_level(logging.INFO)
    clock.at += 10
    watch("store", "locked")
    clock.at += 10
    watch("store", "still locked")
    part = watch.parts["store"]
    assert (State.FAILING, "still locked", START + 10) == (part.state, part.evidence, part.since)
    watch("store", None)
    assert (State.OK, START + 20) == (watch.parts["store"].state, watch.parts["store"].since)
    watch("store", None)
    assert ["part_in_trouble", "part_recovered"] == [record.message.split()[0] for record in caplog.records]


def test_the_queue_cannot_call_the_store_well(watch: Watch) -> None:
    """It looks things up while nothing can be written; of other parts it speaks as it will."""
    watch.of_queue("store", "read-only")
    watch.of_queue("store", None)
    assert not watch.is_well("store")
    watch.of_queue("queue", "leases ran out")
    assert State.DEGRADED is watch.parts["queue"].state
    watch.of_queue("queue", None)
    assert watch.is_well("queue")


async def test_a_store_that_fails_is_noticed_by_whoever_uses_it(tmp_path: Path, watch: Watch) -> None:
    """And called well again by the next that writes."""
    opened = await open_store(f"sqlite:///{tmp_path}/waybill.db", clock=lambda: START)
    store = watched(opened, watch)
    await store.accept(acceptance())
    assert watch.is_well("store")
    (tmp_path / "waybill.db").rename(tmp_path / "away.db")
    with pytest.raises(StoreUnavailable):
        await store.accept(acceptance())
    assert "not the file that was opened" in watch.parts["store"].evidence
    (tmp_path / "away.db").rename(tmp_path / "waybill.db")
    await store.accept(acceptance())
    assert watch.is_well("store")
    await store.close()


async def test_the_monitor_asks_until_all_is_well(tmp_path: Path, watch: Watch, clock: SteppingClock) -> None:
    """A store and a resolver in trouble are asked about by themselves, and the last word is that it has stopped."""
    store = await open_store(f"sqlite:///{tmp_path}/waybill.db", clock=clock)
    page = HealthPage(health_path(tmp_path / "waybill.db"), 3)
    monitor = Monitor(name="one", folder=tmp_path, page=page, watch=watch, clock=clock)
    watch("store", "locked")
    watch("resolver", "dead")
    answers, well = ["still dead", None], asyncio.Event()

    async def resolver() -> str | None:
        answer = answers.pop(0)
        if answer is None:
            well.set()
        return answer

    task = asyncio.create_task(monitor.run(Probes(store=store, resolver=resolver, doors=lambda: "SMTP is full")))
    await well.wait()
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert watch.is_well("store")
    found = read_page(health_path(tmp_path / "waybill.db"))[3]
    assert ("one", True) == (found.name, found.stopped)
    assert State.DEGRADED is found.parts["descriptors"].state
    assert found.parts["descriptors"].evidence.startswith("SMTP is full; ")
    parts = {"store", "queue", "network", "egress", "resolver", "publishing", "disk", "clock", "descriptors", "memory"}
    assert parts == set(found.parts)
    page.close()
    await store.close()


async def test_a_dead_resolver_is_told_from_one_that_knows_nothing() -> None:
    """Whatever an answer says, it is an answer."""
    resolver = Resolver(["127.0.0.1:9"], patience=0.2, rounds=1)
    trouble = await resolver_trouble(resolver)
    assert trouble is not None
    assert "127.0.0.1:9" in trouble
    await resolver.close()
