"""What an operator releases is really tried: a rest ends in every worker, and is no longer for having been ended."""

import asyncio
from typing import Any

import pytest

from tests.queue.queueing import World, answer, finished
from tests.queue.test_holding import all_claimed, suspension
from tests.queue.test_pace import learn, pace, silence, taken
from tests.store.builders import START, accepted
from waybill.deliver.attempt import Parcel
from waybill.model.clock import HOUR, MINUTE, SECOND, Instant
from waybill.model.event import EventKind
from waybill.model.message import Delivery, Status
from waybill.model.outcome import Attempt, Result
from waybill.model.resource import EVERY_SITE, INSTALLATION, Probe, Suspension
from waybill.queue.holding import LONGEST_SPREAD
from waybill.queue.pace import FAILURES, LONGEST_REST, Pace
from waybill.queue.probes import KEPT
from waybill.queue.worker import Queue
from waybill.store.queueing import Selection

REST = 30 * SECOND
SITE = "dead.example"


class Host:
    """Nobody answers for the site, until ``up``; ``tried`` are the workers' attempts."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.up = False
        self.tried: list[str] = []

    async def __call__(self, parcel: Parcel) -> Attempt:
        self.tried.append(parcel.recipient)
        if self.up:
            return answer(Result.DELIVERED, parcel, self.world.at)
        return silence(self.world.at, parcel.number)


async def rested(world: World, host: Host) -> tuple[list[Queue], list[Delivery]]:
    """Two workers, each of which has found out that nobody answers, and what they hold."""
    queues = [world.queue(host, worker=name, workers=2) for name in ("w1", "w2")]
    deliveries: list[Delivery] = []
    for queue in queues:
        deliveries += await accepted(world.store, world.at, *(f"u{len(deliveries)}-{n}@{SITE}" for n in range(7)))
        await all_claimed(queue)
        await queue.keep_house()
        await finished(queue)
    return queues, deliveries


async def release(world: World, selection: Selection, site: str = SITE) -> None:
    """As ``waybill queue release`` does it."""
    await world.store.put(Probe(account=INSTALLATION, name=site, by="operator", at=world.at))
    await world.store.release(selection, by="operator", now=world.at, limit=1_000)
    await world.store.retry_now(selection, now=world.at, limit=1_000)


def rest_of(queue: Queue) -> Instant:
    """When the rest at the site ends, or ended."""
    lane = queue._lanes.lane(SITE)
    assert lane is not None
    assert lane.pace.rest is not None
    return lane.pace.rest.until


async def drained(queues: list[Queue]) -> None:
    """A few rounds of everything that a worker does within a second."""
    for _ in range(4):
        for queue in queues:
            await queue.work_once()
            await queue.keep_house()
    for queue in queues:
        await finished(queue)


@pytest.mark.parametrize("site", [SITE, EVERY_SITE])
async def test_released_mail_goes_once_the_host_is_up(world: World, site: str) -> None:
    """Whichever worker claims it, and although it claims before it has looked for probes: nothing is held again."""
    host = Host(world)
    queues, deliveries = await rested(world, host)
    assert all(rest_of(queue) > world.at for queue in queues)
    host.up = True
    world.at += 2 * SECOND
    await release(world, Selection(sites=(SITE,)), site)
    await drained(queues)
    assert {Status.DELIVERED} == {(await world.now(each)).status for each in deliveries}
    for each in deliveries:
        kinds = [event.kind for event in (await world.ledger(each)).events if event.recipient == each.recipient]
        assert EventKind.HELD not in kinds[kinds.index(EventKind.RELEASED) :] if EventKind.RELEASED in kinds else True


async def test_a_probe_that_finds_nobody_costs_one_attempt(world: World) -> None:
    """In each worker at most; all is held again, for as long as before and no longer, however often it is asked for."""
    host = Host(world)
    queues, deliveries = await rested(world, host)
    lengths = []
    for _ in range(4):
        world.at += 2 * SECOND
        before = len(host.tried)
        await release(world, Selection(sites=(SITE,)))
        await drained(queues)
        assert before < len(host.tried) <= before + len(queues)
        tried = [queue for queue in queues if rest_of(queue) > world.at]
        lengths += [rest_of(queue) - world.at for queue in tried]
    assert {REST} == set(lengths)
    waiting = [await world.now(each) for each in deliveries]
    assert all(each.next_at is not None and each.next_at > world.at for each in waiting)


async def test_one_released_message_is_tried_and_the_others_wait(world: World) -> None:
    """Nobody has released them."""
    host = Host(world)
    queues, _ = await rested(world, host)
    (one,) = await accepted(world.store, world.at, f"one@{SITE}")
    await accepted(world.store, world.at, f"other@{SITE}")
    await drained(queues)
    world.at += 2 * SECOND
    host.up, before = True, len(host.tried)
    await release(world, Selection(message_id=one.message_id))
    await drained(queues)
    assert [one.recipient] == host.tried[before:]
    assert Status.DELIVERED is (await world.now(one)).status


async def test_a_probe_is_forgotten(world: World) -> None:
    """Once every rest that it may have ended is over; a rest that began after it goes on."""
    host = Host(world)
    await world.store.put(Probe(account=INSTALLATION, name=SITE, by="operator", at=world.at - 1))
    queues, _ = await rested(world, host)
    assert all(rest_of(queue) > world.at for queue in queues)
    world.at += KEPT
    await queues[0].keep_house()
    assert [] == await world.store.scan(Probe, INSTALLATION)
    for queue in queues:
        await finished(queue)


def resting(times: int) -> tuple[Pace, Instant]:
    """A site that rests for the so-manieth time, and when it was last tried."""
    site, at = pace(), START
    for _ in range(FAILURES):
        learn(site, silence(at))
    for _ in range(times - 1):
        assert site.rest is not None
        at = site.rest.until
        learn(site, silence(at))
    return site, at


@pytest.mark.parametrize("times", [1, 2, 3, 8])
def test_a_probed_rest_is_not_longer_next_time(times: int) -> None:
    """As long as the one that was ended; and the one after that is as it would have been."""
    site, at = resting(times)
    assert site.rest is not None
    length = site.rest.until - at
    assert REST * min(2 ** (times - 1), LONGEST_REST) == length
    for _ in range(3):
        at += SECOND
        assert 0 == site.room(at)
        assert site.probe(at, at)
        assert 1 == site.room(at)
        learn(site, silence(at))
        assert (at + length, 0) == (site.rest.until, site.room(at))
    at = site.rest.until
    learn(site, silence(at))
    assert REST * min(2**times, LONGEST_REST) == site.rest.until - at


def test_a_probe_ends_only_rests_from_before() -> None:
    """Nor one twice; a site that does not rest is left as it is."""
    site, at = resting(1)
    assert not site.probe(at - 1, at)
    assert site.probe(at, at + 1)
    assert not site.probe(at, at + 1)
    learn(site, silence(at + 1))
    assert not site.probe(at, at + 2)
    learn(site, taken(at + HOUR))
    assert not site.probe(at + HOUR, at + HOUR)
    assert not pace().probe(at, at)


@pytest.mark.parametrize("ends", ["by itself", "by hand"])
async def test_mail_goes_when_its_suspension_ends(world: World, ends: str) -> None:
    """At once, and not a tenth of the suspension's time later; the ledger names who had set it, or who ended it."""
    await world.store.put(suspension(by="rule:yahoo-tss04"))
    queue = world.queue(world.receiver())
    await queue.keep_house()
    (delivery,) = await accepted(world.store)
    await all_claimed(queue)
    next_at = (await world.now(delivery)).next_at
    assert next_at is not None
    assert START + HOUR < next_at <= START + HOUR + LONGEST_SPREAD
    if ends == "by itself":
        world.at = START + HOUR
    else:
        await world.store.delete(Suspension, INSTALLATION, "receiver.example")
    await queue.keep_house()
    await finished(queue)
    await all_claimed(queue)
    assert Status.DELIVERED is (await world.now(delivery)).status
    (fact,) = [event.fact for event in (await world.ledger(delivery)).events if event.kind is EventKind.RELEASED]
    by: Any = fact
    assert {"by itself": "rule:yahoo-tss04", "by hand": "operator"}[ends] == by.by


async def test_however_long_a_hold_was_its_end_is_spread_over_a_minute(world: World) -> None:
    """What was held for weeks waits no longer than what was held for ten minutes."""
    await world.store.put(suspension(until=START + 10 * HOUR))
    queue = world.queue(world.receiver(), parts={"chance": lambda: 1.0})
    await queue.keep_house()
    (delivery,) = await accepted(world.store)
    await all_claimed(queue)
    assert START + 10 * HOUR + MINUTE == (await world.now(delivery)).next_at


async def test_workers_look_for_probes_by_themselves(world: World) -> None:
    """A running worker ends its rest within about a second, although nothing is due."""
    host = Host(world)
    (queue, _), _ = await rested(world, host)
    stop = asyncio.Event()
    running = asyncio.create_task(queue.run(stop))
    await world.store.put(Probe(account=INSTALLATION, name=SITE, by="operator", at=world.at))
    async with asyncio.timeout(10):
        while rest_of(queue) > world.at:  # noqa: ASYNC110 - the queue has no event for it
            await asyncio.sleep(0.01)
    stop.set()
    await running
