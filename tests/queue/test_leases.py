"""Leases: what a worker holds it alone attempts; what it cannot finish goes to others."""

import asyncio
from pathlib import Path

import pytest

from tests.queue.queueing import Flaky, World, finished, gate, work
from tests.store.builders import START, accepted
from waybill.model.clock import SECOND
from waybill.model.event import EventKind
from waybill.queue import worker
from waybill.store.protocol import StoreUnavailable
from waybill.store.sqlite import open_sqlite


async def test_a_dead_workers_mail_is_taken_over_after_its_lease(world: World, tmp_path: Path) -> None:
    """Two queues on one store: not before, and what the first settles later is not written."""
    (delivery,) = await accepted(world.store)
    stuck = gate(world)
    first = world.queue(stuck)
    await first.work_once()
    await stuck.started.wait()
    other = await open_sqlite(tmp_path / "waybill.db", clock=world.clock)
    receiver = world.receiver()
    second = world.queue(receiver, store=other, worker="w2")
    world.at = START + 30 * SECOND - 1
    await work(second)
    assert [] == receiver.parcels
    world.at += 1
    await work(second)
    assert [delivery.id] == [parcel.delivery_id for parcel in receiver.parcels]
    stuck.go_on.set()
    await finished(first)
    kinds = [event.kind for event in (await world.ledger(delivery)).events]
    assert [EventKind.ACCEPTED, EventKind.TAKEN_OVER, EventKind.DELIVERED] == kinds
    await other.close()


async def test_a_renewed_lease_holds(world: World) -> None:
    """Nobody else gets what a living worker still attempts."""
    await accepted(world.store)
    stuck = gate(world)
    first = world.queue(stuck)
    await first.work_once()
    await stuck.started.wait()
    world.at = START + 20 * SECOND
    await first.renew()
    world.at = START + 40 * SECOND
    receiver = world.receiver()
    await work(world.queue(receiver, worker="w2"))
    assert [] == receiver.parcels
    stuck.go_on.set()
    await finished(first)


async def test_what_waited_beyond_its_lease_is_left_to_others(world: World) -> None:
    """A worker that could not renew does not attempt what another may have taken."""
    one, two = await accepted(world.store, START, "a@receiver.example", "b@receiver.example")
    stuck = gate(world)
    first = world.queue(stuck, concurrency=1)
    await first.work_once()
    await stuck.started.wait()
    world.at = START + 30 * SECOND
    receiver = world.receiver()
    await work(world.queue(receiver, worker="w2"))
    assert {one.id, two.id} == {parcel.delivery_id for parcel in receiver.parcels}
    stuck.go_on.set()
    await first.renew()
    await finished(first)
    assert 2 == len([e for e in (await world.ledger(one)).events if e.kind is EventKind.DELIVERED])


async def test_draining_finishes_what_is_under_way_and_gives_back_the_rest(world: World) -> None:
    """The rest can be claimed at once by another worker."""
    await accepted(world.store, START, "a@receiver.example", "b@receiver.example")
    stuck, stop = gate(world), asyncio.Event()
    queue = world.queue(stuck, concurrency=1)
    running = asyncio.create_task(queue.run(stop))
    await stuck.started.wait()
    stop.set()
    await asyncio.sleep(0)
    assert not running.done()
    stuck.go_on.set()
    await running
    assert not queue.has_room()
    claims = await world.store.claim("w2", world.at, limit=10, lease_until=world.at + 1)
    assert ["b@receiver.example"] == [claim.delivery.recipient for claim in claims]


async def test_a_worker_takes_no_more_than_it_has_room_for(world: World) -> None:
    """In deliveries and in bytes; the rest stays for others."""
    await accepted(world.store, START, *(f"r{number}@receiver.example" for number in range(5)))
    stuck = gate(world)
    queue = world.queue(stuck, backlog=3)
    assert await queue.work_once()
    assert not queue.has_room()
    assert not await queue.work_once()
    others = await world.store.claim("w2", world.at, limit=10, lease_until=world.at + 1)
    assert 2 == len(others)
    stuck.go_on.set()
    await finished(queue)
    assert queue.has_room()
    assert not world.queue(stuck, backlog_bytes=0).has_room()


async def test_leases_are_renewed_while_it_runs(world: World) -> None:
    """Three times in a lease's time."""
    (delivery,) = await accepted(world.store)
    stuck, stop = gate(world), asyncio.Event()
    running = asyncio.create_task(world.queue(stuck, lease=90).run(stop))
    await stuck.started.wait()
    world.at += 45
    async with asyncio.timeout(10):
        while (await world.now(delivery)).lease_until != world.at + 90:  # noqa: ASYNC110 - state on disk
            await asyncio.sleep(0.005)
    stuck.go_on.set()
    stop.set()
    await running


async def test_an_attempt_that_outlasts_the_drain_is_left_to_its_lease(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have got through: nobody takes it up at once, and it is not lost."""
    monkeypatch.setattr(worker, "DRAIN", 0.01)
    await accepted(world.store)
    stuck, stop = gate(world), asyncio.Event()
    running = asyncio.create_task(world.queue(stuck).run(stop))
    await stuck.started.wait()
    stop.set()
    await running
    assert [] == await world.store.claim("w2", world.at, limit=10, lease_until=world.at + 1)
    world.at += 30 * SECOND
    assert 1 == len(await world.store.claim("w2", world.at, limit=10, lease_until=world.at + 1))


async def test_leases_that_cannot_be_renewed_do_not_stop_the_worker(world: World) -> None:
    """Neither while it runs nor when it gives back what is left."""

    class NoRenewal(Flaky):
        async def renew(self, *_args: object) -> None:
            self.failures += 1
            raise StoreUnavailable("locked")

        give_back = renew

    store = NoRenewal(world.store, failures=0)
    await accepted(world.store, START, "a@receiver.example", "b@receiver.example")
    stuck, stop = gate(world), asyncio.Event()
    queue = world.queue(stuck, store=store, concurrency=1, lease=30)
    running = asyncio.create_task(queue.run(stop))
    await stuck.started.wait()
    async with asyncio.timeout(10):
        while not store.failures:  # noqa: ASYNC110 - what the store has seen
            await asyncio.sleep(0.005)
    store.failures = 0
    stop.set()
    stuck.go_on.set()
    await running
    assert store.failures
