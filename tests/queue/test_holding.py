"""What cannot go for a while is held, not tried: for sites that nobody answers for, and for suspensions."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from tests.queue.queueing import World, answer, finished, gate, site_of, work
from tests.queue.test_pace import UNREACHED, silence
from tests.store.builders import ACCOUNT, START, accepted, attempt, message
from waybill.deliver.attempt import Parcel
from waybill.deliver.sources import Hold
from waybill.model.cause import Cause, Responder, Scope
from waybill.model.clock import HOUR, MINUTE, SECOND, rfc3339
from waybill.model.event import EventKind, Expired, Held
from waybill.model.message import Delivery, Status
from waybill.model.outcome import Attempt, Result, Stage
from waybill.model.resource import INSTALLATION, ConfigurationSet, Suspension
from waybill.queue.holding import UNREACHABLE
from waybill.queue.pace import FAILURES, FIRST_AT_ONCE
from waybill.queue.worker import Queue
from waybill.store.queueing import Selection


def is_dead(parcel: Parcel) -> bool:
    return parcel.recipient.endswith("@dead.example")


def dead_or_alive(world: World, tried: list[str]) -> Any:
    """Nobody answers for dead.example."""

    async def script(parcel: Parcel) -> Attempt:
        tried.append(parcel.recipient)
        if is_dead(parcel):
            return silence(world.at, parcel.number)
        return answer(Result.DELIVERED, parcel, world.at)

    return script


async def all_claimed(queue: Queue) -> None:
    while await queue.work_once():
        pass
    await finished(queue)


async def holds_of(world: World, delivery: Delivery) -> list[Held]:
    return [
        event.fact
        for event in (await world.ledger(delivery)).events
        if isinstance(event.fact, Held) and event.recipient == delivery.recipient
    ]


async def test_a_silent_site_leaves_the_others_their_places(world: World) -> None:
    """Attempts that hang fill their own site's places; mail that comes later for another goes out at once."""
    dead = await accepted(world.store, START, *(f"u{number}@dead.example" for number in range(300)))
    stuck = gate(world)

    async def hanging(parcel: Parcel) -> Attempt:
        return await stuck(parcel) if is_dead(parcel) else answer(Result.DELIVERED, parcel, world.at)

    queue = world.queue(hanging, backlog=300, backlog_of_site=100)
    while await queue.work_once():
        pass
    (alive,) = await accepted(world.store, START, "a@alive.example")
    assert not queue.has_room(["b@dead.example"])
    assert queue.has_room(["b@alive.example"])
    await queue.work_once()
    async with asyncio.timeout(10):
        while (await world.now(alive)).status is not Status.DELIVERED:  # noqa: ASYNC110 - state on disk
            await asyncio.sleep(0.005)
    assert Status.QUEUED is (await world.now(dead[0])).status
    stuck.go_on.set()
    await finished(queue)


async def test_a_site_that_nobody_answers_for_rests(world: World) -> None:
    """A few were tried; the others are held, with the reason in words, and were not attempted; one message probes it later."""
    deliveries = await accepted(world.store, START, *(f"u{number}@dead.example" for number in range(700)))
    tried: list[str] = []
    queue = world.queue(dead_or_alive(world, tried), backlog_of_site=200)
    await all_claimed(queue)
    assert FAILURES <= len(tried) <= FIRST_AT_ONCE
    last = await world.now(deliveries[-1])
    assert (Status.QUEUED, Cause.HELD_BY_WAYBILL, 0) == (last.status, last.cause, last.attempts)
    (held,) = await holds_of(world, last)
    assert ("unreachable", UNREACHABLE, START + 90 * SECOND) == (held.limit, held.by, held.until)  # in the store
    assert held.text.startswith("Nobody answers for dead.example: 5 attempts in a row reached no server, the last at ")
    assert UNREACHED.diagnostic in held.text
    assert f"One message is tried again after {rfc3339(START + 30 * SECOND)}" in held.text
    assert deliveries[0].message_id in held.text
    assert [] == await world.store.claim("w2", world.at, limit=700, lease_until=world.at + 1)
    before = len(tried)
    world.at += 34 * SECOND
    await all_claimed(queue)
    assert before + 1 == len(tried)
    assert 1 == len(await holds_of(world, last))  # it only waits longer
    again = await world.now(last)
    assert again.next_at is not None
    assert world.at + 2 * MINUTE == again.next_at


async def test_new_mail_for_a_resting_site_is_held_at_once(world: World) -> None:
    """With the cause that lies behind it; when somebody answers again, everything goes."""
    await accepted(world.store, START, *(f"u{number}@dead.example" for number in range(FAILURES)))
    tried: list[str] = []
    queue = world.queue(dead_or_alive(world, tried))
    await all_claimed(queue)
    (new,) = await accepted(world.store, START, "new@dead.example")
    await work(queue)
    waiting = await world.now(new)
    assert (Cause.HELD_BY_WAYBILL, Cause.CONNECTION_FAILED) == (waiting.cause, waiting.underlying_cause)
    healthy = world.queue(world.receiver(), worker="w2")
    world.at += 10 * MINUTE
    await all_claimed(healthy)
    assert Status.DELIVERED is (await world.now(new)).status


async def test_what_expires_while_it_is_held_says_why(world: World) -> None:
    """Never tried itself: the hold's words and the cause behind it are the last that was known."""
    deliveries = await accepted(world.store, START, *(f"u{number}@dead.example" for number in range(30)))
    queue = world.queue(dead_or_alive(world, []))
    await all_claimed(queue)
    last = await world.now(deliveries[-1])
    assert (0, Cause.HELD_BY_WAYBILL) == (last.attempts, last.cause)
    world.at = last.expires_at
    await queue.sweeper.sweep()
    ended = await world.now(last)
    assert (Status.BOUNCED, Cause.DELIVERY_EXPIRED) == (ended.status, ended.cause)
    facts = [event.fact for event in (await world.ledger(last)).events if event.recipient == last.recipient]
    assert isinstance(facts[-1], Expired)
    assert Cause.CONNECTION_FAILED is facts[-1].underlying_cause
    assert facts[-1].last_diagnostic.startswith("Nobody answers for dead.example")


def suspension(site: str = "receiver.example", **changes: Any) -> Suspension:
    fields: dict[str, Any] = {
        "by": "operator",
        "reason": "they asked us to",
        "at": START,
        "until": START + HOUR,
    }
    return Suspension(account=INSTALLATION, name=site, **fields | changes)


@pytest.mark.parametrize("until", [START + HOUR, None])
async def test_a_suspension_holds_and_its_end_lets_go(world: World, until: int | None) -> None:
    """What waits is held with its words, in hand and in the store; deleting the suspension makes it due, and it goes."""
    receiver = world.receiver()
    queue = world.queue(receiver)
    (first,) = await accepted(world.store)
    await all_claimed(queue)
    await queue.keep_house()  # which site the domain is of is known from now on
    in_store = await accepted(world.store, START, "x@receiver.example", "y@receiver.example")
    await world.store.put(suspension(until=until))
    await queue.keep_house()
    await finished(queue)
    (late,) = await accepted(world.store, START, "late@receiver.example")
    (other,) = await accepted(world.store, START, "late@other.example")
    await all_claimed(queue)
    assert Status.DELIVERED is (await world.now(other)).status
    for each in (*in_store, late):
        waiting = await world.now(each)
        assert (Status.QUEUED, Cause.HELD_BY_WAYBILL, None) == (waiting.status, waiting.cause, waiting.lease_owner)
        (held,) = await holds_of(world, each)
        assert ("suspension", "operator", until) == (held.limit, held.by, held.until)
        words = f"until {rfc3339(until)}" if until else "until somebody resumes it"
        assert f"All mail to receiver.example is suspended {words}: they asked us to" == held.text
    await world.store.delete(Suspension, INSTALLATION, "receiver.example")
    await queue.keep_house()
    await finished(queue)
    await all_claimed(queue)
    assert {Status.DELIVERED} == {(await world.now(each)).status for each in (first, *in_store, late)}
    kinds = [event.kind for event in (await world.ledger(late)).events]
    assert [EventKind.ACCEPTED, EventKind.HELD, EventKind.RELEASED, EventKind.DELIVERED] == kinds


async def test_a_suspension_ends_by_itself(world: World) -> None:
    """At its time, a little spread; nobody need release anything."""
    receiver = world.receiver()
    queue = world.queue(receiver)
    await world.store.put(suspension())
    await queue.keep_house()
    (delivery,) = await accepted(world.store)
    await all_claimed(queue)
    assert [] == receiver.parcels
    world.at += HOUR + 6 * MINUTE
    await queue.keep_house()
    await all_claimed(queue)
    assert Status.DELIVERED is (await world.now(delivery)).status
    assert [] != await world.store.scan(Suspension, INSTALLATION)
    world.at += 25 * HOUR
    await queue.keep_house()
    assert [] == await world.store.scan(Suspension, INSTALLATION)


async def test_a_rule_suspends_a_provider(world: World) -> None:
    """The second such reply: in every worker, with rule, message, reply and end; mail for others goes on."""
    words = (
        "421 4.7.0 [TSS04] Messages from 192.0.2.25 temporarily deferred due to unexpected volume or user complaints"
    )

    async def yahoo(parcel: Parcel) -> Attempt:
        if "yahoodns.net" not in parcel.recipient:
            return answer(Result.DELIVERED, parcel, world.at)
        made = attempt(world.at, Result.DEFERRED, Cause.LOW_REPUTATION, words)
        return replace(made, outcome=replace(made.outcome, scope=Scope.SOURCE_IP), number=parcel.number)

    domain = "mta5.am0.yahoodns.net"
    queue, other = world.queue(yahoo), world.queue(yahoo, worker="w2")
    one, two = await accepted(world.store, START, f"a@{domain}", f"b@{domain}")
    await all_claimed(queue)
    tried = await world.now(one)
    assert (Status.DELAYED, Cause.HELD_BY_WAYBILL, Cause.LOW_REPUTATION, 1) == (
        tried.status,
        tried.cause,
        tried.underlying_cause,
        tried.attempts,
    )
    (found,) = await world.store.scan(Suspension, INSTALLATION)
    assert ("yahoo", "rule:yahoo-tss04", START + 1 + 2 * HOUR, 0, f"smtp; {words}") == (
        found.name,
        found.by,
        found.until,
        found.per_minute,
        found.reply,
    )
    assert found.message_id == two.message_id
    await other.keep_house()
    late, third = await accepted(world.store, START, f"late@{domain}", "x@other.example")
    await all_claimed(other)
    (held,) = await holds_of(world, late)
    assert ("suspension", "rule:yahoo-tss04") == (held.limit, held.by)
    assert held.text.endswith(f"(the reply to message {two.message_id}: smtp; {words})")
    assert Status.DELIVERED is (await world.now(third)).status


async def test_a_suspended_message_expires_in_time(world: World) -> None:
    """With what the receiver last said, and not with the suspension, as its cause."""
    words = "451 4.7.1 Not yet"
    (delivery,) = await accepted(world.store)

    async def not_yet(parcel: Parcel) -> Attempt:
        return replace(
            attempt(world.at, Result.DEFERRED, Cause.SERVER_UNAVAILABLE, words), number=parcel.number, ended_at=world.at
        )

    queue = world.queue(not_yet)
    await all_claimed(queue)
    await world.store.put(suspension(until=None))
    await queue.keep_house()
    await finished(queue)
    assert Cause.HELD_BY_WAYBILL is (await world.now(delivery)).cause
    world.at = delivery.expires_at
    await queue.sweeper.sweep()
    ended = await world.now(delivery)
    assert (Cause.DELIVERY_EXPIRED, Cause.SERVER_UNAVAILABLE) == (ended.cause, ended.underlying_cause)


async def test_a_slow_suspension_lets_some_through(world: World) -> None:
    """Ten a minute: one now, the next six seconds later; nothing is held."""
    await world.store.put(suspension(per_minute=10))
    receiver = world.receiver()
    queue = world.queue(receiver)
    await queue.keep_house()
    await accepted(world.store, START, *(f"u{number}@receiver.example" for number in range(4)))
    await queue.work_once()
    for expected in (1, 2, 3):
        async with asyncio.timeout(10):
            while len(receiver.parcels) < expected or queue._running:  # noqa: ASYNC110 - the queue has no event for it
                await asyncio.sleep(0.001)
        await queue.keep_house()
        assert expected == len(receiver.parcels)
        world.at += 6 * SECOND
    await queue.keep_house()
    await finished(queue)


async def test_an_address_that_may_not_send_holds(world: World) -> None:
    """The pool of the configuration set is asked for, with the site; the parcel names it; held until it says."""
    await world.store.put(ConfigurationSet(account=ACCOUNT, name="pooled", created_at=START, sending_pool="p1"))
    asked: list[tuple[str | None, str, int]] = []

    async def hold(pool: str | None, site: str, now: int) -> Hold | None:
        asked.append((pool, site, now))
        if len(asked) > 1:
            return None
        return Hold(limit="warm-up", by="warm-up", text="used up", until=now + HOUR)

    (delivery,) = await accepted(world.store, message=message(configuration_set="pooled"))
    receiver = world.receiver()
    queue = world.queue(receiver, parts={"hold": hold})
    await work(queue)
    assert [(f"{ACCOUNT}/p1", "receiver.example", START)] == asked
    waiting = await world.now(delivery)
    assert (Status.QUEUED, 0, Cause.HELD_BY_WAYBILL) == (waiting.status, waiting.attempts, waiting.cause)
    assert [Held(limit="warm-up", by="warm-up", text="used up", until=START + HOUR)] == await holds_of(world, delivery)
    assert waiting.next_at is not None
    world.at = waiting.next_at
    await work(queue)
    assert [f"{ACCOUNT}/p1"] == [parcel.pool for parcel in receiver.parcels]


async def test_an_attempt_that_found_no_address_is_a_hold(world: World) -> None:
    """Others used up what was left between the question and the attempt: nothing was tried, so nothing is deferred."""
    (delivery,) = await accepted(world.store)
    asked: list[int] = []

    async def hold(pool: str | None, site: str, now: int) -> Hold | None:
        asked.append(now)
        if len(asked) == 1:
            return None
        return Hold(limit="warm-up", by="warm-up", text=f"{pool} {site} used up", until=now + HOUR)

    async def no_source(parcel: Parcel) -> Attempt:
        outcome = replace(UNREACHED, cause=Cause.HELD_BY_WAYBILL, stage=Stage.ROUTE, rule="failure-no-source")
        return replace(silence(world.at, parcel.number), outcome=outcome)

    await work(world.queue(no_source, parts={"hold": hold}))
    waiting = await world.now(delivery)
    assert (Status.QUEUED, 0, Cause.HELD_BY_WAYBILL) == (waiting.status, waiting.attempts, waiting.cause)
    expected = Held(limit="warm-up", by="warm-up", text="None receiver.example used up", until=START + HOUR)
    assert [expected] == await holds_of(world, delivery)


async def test_our_own_trouble_sends_no_site_to_rest(world: World) -> None:
    """DNS that fails for one site after another is our resolver's fault: it is told, and over with the first answer."""
    sites = [f"u@d{number}.example" for number in range(8)]
    await accepted(world.store, START, *sites)
    good = False

    async def resolverless(parcel: Parcel) -> Attempt:
        if good:
            return answer(Result.DELIVERED, parcel, world.at)
        outcome = replace(
            UNREACHED, cause=Cause.DNS_FAILURE, responder=Responder.DNS, stage=Stage.ROUTE, diagnostic="SERVFAIL"
        )
        return replace(silence(world.at, parcel.number), outcome=outcome)

    queue = world.queue(resolverless)
    await all_claimed(queue)
    assert ("resolver", "DNS fails for 5 sites in a row, last for d4.example: SERVFAIL") == world.troubles[0]
    good = True
    world.at += 2 * MINUTE
    await all_claimed(queue)
    assert ("resolver", None) == world.troubles[-1]
    assert 0 == len(await world.store.queued(Selection(), limit=100))


def test_sites_of_the_harness() -> None:
    """Its domains are sites of their own, unless they bear a provider's name."""
    assert ("yahoo", "x.example") == (site_of("mta5.am0.yahoodns.net").name, site_of("x.example").name)


async def test_a_worker_that_stops_leaves_what_is_not_held_yet(world: World) -> None:
    """It is given back, free for whoever claims it, and nothing is written after that."""
    await accepted(world.store, START, *(f"u{number}@dead.example" for number in range(900)))
    stop = asyncio.Event()
    tried: list[str] = []
    queue = world.queue(dead_or_alive(world, tried), store=world.store)
    running = asyncio.create_task(queue.run(stop))
    async with asyncio.timeout(10):
        while not queue._holder._in_store:  # noqa: ASYNC110 - the queue has no event for it
            await asyncio.sleep(0)
    stop.set()
    await running
    assert set() == queue._holder._tasks
    queue.offer([])
    free = await world.store.queued(Selection(), limit=1_000)
    assert 900 == len(free)
    assert {None} == {each.lease_owner for each in free}
