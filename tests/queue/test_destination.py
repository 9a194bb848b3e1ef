"""No destination takes the worker from the others: domains take turns, and one that nobody answers for rests."""

import asyncio
from dataclasses import replace

from tests.queue.queueing import World, answer, finished, gate
from tests.store.builders import START, accepted, attempt
from waybill.deliver.attempt import Parcel
from waybill.model.cause import Cause, Responder, Scope
from waybill.model.clock import SECOND
from waybill.model.message import Status
from waybill.model.outcome import Attempt, Outcome, Result, Stage
from waybill.queue.destination import FAILURES, FIRST_AT_ONCE, MOST_AT_ONCE, Destinations, put_off

UNREACHED = Outcome(
    result=Result.DEFERRED,
    cause=Cause.CONNECTION_FAILED,
    scope=Scope.RECIPIENT_DOMAIN,
    responder=Responder.NETWORK,
    permanent=False,
    stage=Stage.CONNECT,
    status="4.4.1",
    diagnostic="Connecting to mx.dead.example [192.0.2.1]:25 timed out",
    rule="connection-timeout",
)


def silence(number: int = 1, at: int = START) -> Attempt:
    return Attempt(number=number, started_at=at, ended_at=at, outcome=UNREACHED)


async def dead_or_alive(parcel: Parcel) -> Attempt:
    """Nobody answers for dead.example."""
    if parcel.recipient.endswith("@dead.example"):
        return silence(parcel.number)
    return answer(Result.DELIVERED, parcel, START)


async def test_a_silent_domain_leaves_the_others_their_places(world: World) -> None:
    """Attempts that hang fill their own domain's places; mail that comes later for another domain goes out at once."""
    dead = await accepted(world.store, START, *(f"u{number}@dead.example" for number in range(300)))
    stuck = gate(world)

    async def hanging(parcel: Parcel) -> Attempt:
        return await (stuck if parcel.recipient.endswith("@dead.example") else dead_or_alive)(parcel)

    queue = world.queue(hanging, backlog=300, backlog_of_domain=100)
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


async def test_a_domain_rests_after_failures_in_a_row(world: World) -> None:
    """While it rests its mail is put off with the same cause, and the ledger says that nothing was tried."""
    deliveries = await accepted(world.store, START, *(f"u{number}@dead.example" for number in range(50)))
    tried: list[str] = []

    async def counted(parcel: Parcel) -> Attempt:
        tried.append(parcel.recipient)
        return await dead_or_alive(parcel)

    queue = world.queue(counted)
    await queue.work_once()
    await finished(queue)
    assert FAILURES <= len(tried) <= FIRST_AT_ONCE
    last = await world.now(deliveries[-1])
    assert (Status.DELAYED, Cause.CONNECTION_FAILED, 1) == (last.status, last.cause, last.attempts)
    assert last.next_at is not None
    assert last.next_at > START
    (event,) = [event for event in (await world.ledger(last)).events if event.recipient == last.recipient]
    assert "not tried anew" in str(event.fact)


def test_what_a_domain_may_have_under_way() -> None:
    """It begins with a few, grows with answers, shrinks with silence, and is tried by one after its rest."""
    destinations = Destinations(rest=10 * SECOND)
    assert FIRST_AT_ONCE == destinations.at_once("d.example", START)
    for _ in range(FAILURES):
        assert destinations.resting("d.example", START) is None
        destinations.learn("d.example", silence())
    assert destinations.resting("d.example", START + 10 * SECOND - 1) == silence()
    assert destinations.resting("d.example", START + 10 * SECOND) is None
    assert 1 == destinations.at_once("d.example", START + 10 * SECOND)
    for _ in range(MOST_AT_ONCE):
        destinations.learn("d.example", attempt(START, Result.DEFERRED, Cause.GREYLISTED, "451 4.7.1 Try again"))
    assert MOST_AT_ONCE == destinations.at_once("d.example", START)


def test_only_silence_counts_against_a_domain() -> None:
    """Neither a reply, however bad, nor a fault inside Waybill says that nobody is there."""
    destinations = Destinations(rest=10 * SECOND)
    ours = replace(silence(), outcome=replace(UNREACHED, responder=Responder.WAYBILL, cause=Cause.WAYBILL_INCIDENT))
    replied = attempt(START, Result.DEFERRED, Cause.GREYLISTED, "421 4.3.2 Busy")
    for _ in range(FAILURES):
        destinations.learn("d.example", ours)
        destinations.learn("d.example", replied)
    assert destinations.resting("d.example", START) is None


def test_what_is_put_off_says_so() -> None:
    """The cause stays, the words say when it was found and that nothing was tried."""
    written = put_off(3, silence(), START + SECOND)
    assert (3, START + SECOND, START + SECOND) == (written.number, written.started_at, written.ended_at)
    assert UNREACHED.cause is written.outcome.cause
    assert written.outcome.diagnostic.endswith("; not tried anew)")
    assert written.transcript[0].text.startswith("Not tried: ")
