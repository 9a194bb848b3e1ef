"""The sweeper: time runs out for every message, whatever the queue is doing; and what nobody takes up is found."""

import asyncio
from typing import Any

from tests.queue.queueing import World, finished, gate
from tests.store.builders import START, acceptance, accepted, new_delivery
from waybill.model.cause import Cause
from waybill.model.clock import MINUTE, SECOND
from waybill.model.event import EventKind, Stuck
from waybill.model.message import Status
from waybill.store.protocol import LimitReached, StoreUnavailable


async def test_it_goes_on_while_every_attempt_hangs(world: World) -> None:
    """What waits in the store ends in time; what hangs is taken from the worker ten minutes later, and stays ended."""
    taken = acceptance(
        deliveries=tuple(new_delivery(f"u{n}@receiver.example", expires_at=START + MINUTE) for n in "ab")
    )
    deliveries = await world.store.accept(taken)
    assert not isinstance(deliveries, LimitReached)
    hanging, waiting = deliveries
    stuck = gate(world)
    queue = world.queue(stuck, backlog=1, lease=20 * MINUTE)
    await queue.work_once()
    await stuck.started.wait()
    world.at = START + MINUTE
    assert 1 == await queue.sweeper.sweep()
    assert Status.BOUNCED is (await world.now(waiting)).status
    assert Status.QUEUED is (await world.now(hanging)).status
    world.at = START + 11 * MINUTE + 1
    assert 1 == await queue.sweeper.sweep()
    ended = await world.now(hanging)
    assert (Status.BOUNCED, Cause.DELIVERY_EXPIRED) == (ended.status, ended.cause)
    stuck.go_on.set()
    await finished(queue)
    assert Status.BOUNCED is (await world.now(hanging)).status


async def test_what_waits_in_hand_ends_in_time(world: World) -> None:
    """Although a worker holds it, and without an attempt."""
    taken = acceptance(
        deliveries=tuple(new_delivery(f"u{n}@receiver.example", expires_at=START + MINUTE) for n in "ab")
    )
    deliveries = await world.store.accept(taken)
    assert not isinstance(deliveries, LimitReached)
    stuck = gate(world)
    queue = world.queue(stuck, concurrency=1, lease=20 * MINUTE)
    await queue.work_once()
    await stuck.started.wait()
    world.at = START + MINUTE
    await queue.keep_house()
    async with asyncio.timeout(10):
        while (await world.now(deliveries[1])).status is not Status.BOUNCED:  # noqa: ASYNC110 - state on disk
            await asyncio.sleep(0.005)
    stuck.go_on.set()
    await finished(queue)


async def test_it_ends_any_number(world: World) -> None:
    """Portion by portion."""
    await accepted(world.store, START, *(f"u{number}@receiver.example" for number in range(250)))
    world.at = START + 15 * 60 * MINUTE
    assert 250 == await world.queue(gate(world)).sweeper.sweep()


async def test_what_nobody_takes_up_is_stuck(world: World) -> None:
    """Fifteen minutes after it was due, once; then it goes its way."""
    (delivery,) = await accepted(world.store)
    receiver = world.receiver()
    queue = world.queue(receiver)
    world.at = START + 15 * MINUTE - SECOND
    assert 0 == await queue.sweeper.look_for_stuck()
    world.at += 2 * SECOND
    assert [1, 0] == [await queue.sweeper.look_for_stuck() for _ in range(2)]
    assert Cause.STUCK is (await world.now(delivery)).cause
    await queue.work_once()
    await finished(queue)
    events = (await world.ledger(delivery)).events
    assert [EventKind.ACCEPTED, EventKind.STUCK, EventKind.DELIVERED] == [event.kind for event in events]
    assert isinstance(events[1].fact, Stuck)


async def test_an_outage_does_not_end_the_sweeper(world: World) -> None:
    """Nor does a fault inside: it looks again."""

    class Away:
        looks = 0

        def __getattr__(self, name: str) -> Any:
            return getattr(world.store, name)

        async def overdue(self, *args: Any, **options: Any) -> Any:
            self.looks += 1
            if self.looks == 1:
                raise StoreUnavailable("locked")
            if self.looks == 2:
                raise KeyError("boom")
            return await world.store.overdue(*args, **options)

    (delivery,) = await accepted(world.store)
    world.at = delivery.expires_at
    away = Away()
    sweeper = world.queue(gate(world), store=away).sweeper
    for _ in range(2):
        stop = asyncio.Event()
        running = asyncio.create_task(sweeper.run(stop))
        async with asyncio.timeout(10):
            looks = away.looks
            while away.looks == looks:  # noqa: ASYNC110 - what the store has seen
                await asyncio.sleep(0.001)
        stop.set()
        await running
    await sweeper.sweep()
    assert Status.BOUNCED is (await world.now(delivery)).status
