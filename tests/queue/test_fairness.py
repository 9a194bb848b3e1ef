"""The whole queue under load: a dead provider, a big account, replies that ask for patience, and what is on record of it."""

import asyncio
from collections import Counter
from dataclasses import replace
from typing import Any

from tests.queue.queueing import World, answer, finished, gate, work
from tests.queue.test_pace import silence, slow_down
from tests.store.builders import ACCOUNT, START, acceptance, accepted, message
from waybill.deliver.attempt import Parcel
from waybill.deliver.provider import Site, plain_site
from waybill.model.cause import Cause, Responder
from waybill.model.clock import SECOND
from waybill.model.message import Status
from waybill.model.outcome import Attempt, Result
from waybill.model.resource import INSTALLATION, Account
from waybill.queue.worker import Queue
from waybill.store.protocol import Claim, LimitReached


async def offer(world: World, queue: Queue, recipient: str, account: str = ACCOUNT) -> bool:
    """Accepts a message as a door does; whether this worker took it at once."""
    room = queue.has_room([recipient], account)
    taken = acceptance(START, recipient, message=message(account=account))
    if room:
        taken = replace(taken, lease_owner="w1", lease_until=START + 30 * SECOND)
    deliveries = await world.store.accept(taken)
    assert not isinstance(deliveries, LimitReached)
    if room:
        queue.offer([Claim(delivery=deliveries[0], message=taken.message, content=b"bytes")])
    return room


async def test_a_dead_provider_with_ten_thousand_delays_nobody(world: World) -> None:
    """Its mail hangs, and fills no more than its share: new mail for others is taken by the same worker, and delivered."""
    for _ in range(10):
        await accepted(world.store, START, *(f"u{number}@dead.example" for number in range(1_000)))
    stuck = gate(world)
    delivered: list[str] = []

    async def script(parcel: Parcel) -> Attempt:
        if parcel.recipient.endswith("@dead.example"):
            return await stuck(parcel)
        delivered.append(parcel.recipient)
        return answer(Result.DELIVERED, parcel, world.at)

    queue = world.queue(script)
    while await queue.work_once():
        pass
    healthy = [f"u@h{number}.example" for number in range(50)]
    assert all([await offer(world, queue, each) for each in healthy])
    async with asyncio.timeout(10):
        while len(delivered) < len(healthy):  # noqa: ASYNC110 - what the receiver has seen
            await asyncio.sleep(0.001)
    assert set(healthy) == set(delivered)
    await queue.work_once()  # nor do they stand before what another worker put off
    stuck.go_on.set()
    world.at += 10 * SECOND
    await queue._drain()


async def test_accounts_share_a_slow_site(world: World) -> None:
    """One account's two hundred do not stand before another's five."""
    await world.store.put(Account(account=INSTALLATION, name="100000000002", created_at=START))
    order: list[str] = []
    stuck = gate(world)

    async def script(parcel: Parcel) -> Attempt:
        order.append(parcel.recipient.partition("@")[0])
        await stuck.go_on.wait()
        return answer(Result.DELIVERED, parcel, world.at)

    queue = world.queue(script, concurrency=8)
    for _ in range(200):
        await offer(world, queue, "big@slow.example")
    for _ in range(5):
        await offer(world, queue, "small@slow.example", "100000000002")
    stuck.go_on.set()
    await finished(queue)
    assert Counter(order) == {"big": 200, "small": 5}
    assert {"big": 200, "small": 5} == dict(Counter(order))
    assert order[:25].count("small") == 5


async def test_an_account_has_its_share_of_a_worker(world: World) -> None:
    """Beyond it, others still have room, and claims leave its mail to other workers."""
    stuck = gate(world)
    queue = world.queue(stuck, backlog_of_account=10)
    taken = [await offer(world, queue, f"u@d{number}.example") for number in range(12)]
    assert [True] * 10 + [False] * 2 == taken
    assert queue.has_room(["u@x.example"], "100000000002")
    await queue.work_once()
    assert 2 == len(await world.store.claim("w2", world.at, limit=10, lease_until=world.at + 1))
    stuck.go_on.set()
    await finished(queue)


async def test_a_site_that_asks_for_patience_gets_it(world: World) -> None:
    """From the reply on, no more than a little at a time; the note says which reply it was."""
    asked = 0

    async def script(parcel: Parcel) -> Attempt:
        nonlocal asked
        asked += 1
        return replace(slow_down(world.at), number=parcel.number)

    queue = world.queue(script)
    await accepted(world.store, START, *(f"u{number}@busy.example" for number in range(60)))
    await queue.work_once()
    async with asyncio.timeout(10):
        while queue._running:  # noqa: ASYNC110 - the queue has no event for it
            await asyncio.sleep(0.001)
    assert 20 <= asked <= 22
    (note,) = queue.slowed()
    assert ("busy.example", "smtp; 421 4.7.0 Too many connections, slow down") == (note.site, note.reply)
    await queue._drain()


async def test_sites_are_learnt_and_remembered(world: World) -> None:
    """A domain whose site nobody knows waits for it alone; the store is told once."""
    world.unknown.add("new.example")
    (delivery,) = await accepted(world.store, START, "u@new.example")
    told: list[dict[str, str]] = []

    class Telling:
        def __getattr__(self, name: str) -> Any:
            return getattr(world.store, name)

        async def remember_sites(self, sites: dict[str, str]) -> None:
            told.append(sites)
            await world.store.remember_sites(sites)

    queue = world.queue(world.receiver(), store=Telling())  # type: ignore[arg-type]
    await work(queue)
    assert Status.DELIVERED is (await world.now(delivery)).status
    await queue.keep_house()
    await accepted(world.store, START, "v@new.example")
    await work(queue)
    await queue.keep_house()
    assert [{"new.example": "new.example"}] == told


async def test_a_site_that_cannot_be_told_is_the_domain(world: World) -> None:
    """A fault while asking costs no message."""

    class Broken:
        async def attempt(self, parcel: Parcel) -> Attempt:
            return answer(Result.DELIVERED, parcel, world.at)

        async def site(self, domain: str) -> Site:
            raise KeyError(domain)

        def known_site(self, domain: str) -> Site | None:
            return plain_site(domain) if domain == "known.example" else None

    deliveries = await accepted(world.store, START, "a@x.example", "b@x.example", "c@known.example")
    await work(world.queue(world.receiver(), parts={"transport": Broken()}))
    assert {Status.DELIVERED} == {(await world.now(each)).status for each in deliveries}


async def test_the_journal_knows_what_is_being_sent(world: World) -> None:
    """From before the attempt until what came of it is on disk; what is held is never begun."""
    (delivery,) = await accepted(world.store)
    stuck = gate(world)
    queue = world.queue(stuck)
    await queue.work_once()
    await stuck.started.wait()
    assert [("begin", delivery.id)] == world.diary.lines
    stuck.go_on.set()
    await finished(queue)
    assert [("begin", delivery.id), ("end", delivery.id)] == world.diary.lines


async def test_an_unknown_reply_is_counted(world: World) -> None:
    """With its site, its words and the message; a known one is not."""
    words = "451 4.9.9 Zorg frobnicates the quux today"

    async def odd(parcel: Parcel) -> Attempt:
        made = answer(Result.DEFERRED, parcel, world.at)
        reply = made.outcome.reply
        assert reply is not None
        outcome = replace(
            made.outcome,
            cause=Cause.UNDETERMINED,
            responder=Responder.REMOTE,
            rule="undetermined",
            reply=replace(reply, code=451, enhanced="4.9.9", lines=(words.partition(" ")[2],)),
        )
        return replace(made, outcome=outcome, source_ip="192.0.2.9")

    (delivery,) = await accepted(world.store)
    await work(world.queue(odd))
    (found,) = await world.store.unknown_replies()
    assert ("receiver.example", words, delivery.message_id, 1) == (
        found.site,
        found.example,
        found.message_id,
        found.count,
    )
    assert 1 == await world.store.sent_from("192.0.2.9", "receiver.example", START)


async def test_the_simulator_teaches_nothing(world: World) -> None:
    """Its refusals are a play: they neither slow down nor stop what else goes there."""

    async def script(parcel: Parcel) -> Attempt:
        if parcel.recipient.startswith("gone"):
            return silence(world.at, parcel.number)
        return replace(slow_down(world.at), number=parcel.number)

    queue = world.queue(script, played=("simulator.example",))
    names = [f"{word}{number}@x.simulator.example" for word in ("gone", "busy") for number in range(30)]
    deliveries = await accepted(world.store, START, *names)
    await work(queue)
    assert () == queue.slowed()
    assert {Status.DELAYED} == {(await world.now(each)).status for each in deliveries}
    assert [] == world.troubles
