"""Mail that waits: it is never given up early, never forgotten, and always says why it waits and until when."""

import asyncio

import pytest

from tests.lessons.journey import EVERYWHERE, Journey, journey, received, refusing
from tests.net.scripted import scripted
from tests.queue.queueing import World, work
from tests.store.builders import ACCOUNT, START, accepted
from waybill.deliver.provider import PROVIDERS
from waybill.lab.receiver import Receiver
from waybill.lab.script import Script, greylist
from waybill.model.cause import Cause, Responder
from waybill.model.clock import HOUR, MINUTE
from waybill.model.event import Attempted, EventKind, Expired, Held
from waybill.model.message import Delivery, Status
from waybill.model.outcome import Stage
from waybill.model.resource import INSTALLATION, Suspension
from waybill.queue.schedule import POLICIES
from waybill.store.queueing import EVERYTHING


async def closed_port() -> int:
    """A port that nobody listens on."""
    async with Receiver() as receiver:
        return receiver.port


async def test_a_receiver_that_is_away_for_hours_loses_no_mail(world: World) -> None:
    """Hosts that cannot be reached are tried until the message expires, not once more: after ten hours it is delivered."""
    port = await closed_port()
    async with journey(world, port) as trip:
        (delivery,) = await trip.send("u@a.test")
        while world.at < START + 10 * HOUR:
            delivery = await trip.go_on(delivery)
            assert (Status.DELAYED, Cause.CONNECTION_FAILED) == (delivery.status, delivery.cause)
        assert delivery.attempts > 10
        async with Receiver(port=port):
            delivery = await trip.go_on(delivery)
    assert Status.DELIVERED is delivery.status


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        ("451 4.7.1 Greylisted, please come back later", Cause.GREYLISTED),
        ("452 4.2.2 Mailbox full", Cause.MAILBOX_FULL),
        ("454 4.4.4 no MX or A for domain", None),
    ],
)
async def test_what_ran_out_of_time_keeps_the_receivers_last_words(
    world: World, words: str, cause: Cause | None
) -> None:
    """Expiry is our own word; the cause and the reply that made it wait stand beside it."""
    async with received(world, refusing({"*": words})) as (trip, _):
        (delivery,) = await trip.send("u@a.test")
        seen = delivery.cause
        world.at = delivery.expires_at
        await work(trip.queue)
        ended = await world.now(delivery)
        (fact,) = [event.fact for event in await trip.events(delivery, EventKind.EXPIRED)]
    assert isinstance(fact, Expired)
    assert (Status.BOUNCED, Cause.DELIVERY_EXPIRED, seen) == (ended.status, ended.cause, ended.underlying_cause)
    assert cause in (None, seen)
    assert (seen, f"smtp; {words}", Responder.WAYBILL) == (fact.underlying_cause, fact.last_diagnostic, fact.responder)
    assert words in fact.diagnostic


async def every_open_delivery(world: World) -> list[Delivery]:
    return await world.store.queued(EVERYTHING, limit=1_000)


async def test_nothing_waits_without_a_reason_and_a_time(world: World) -> None:
    """Whoever asks the queue is told of each message when it goes on and what it waits for, in words."""
    async with received(world, Script(rules=(greylist(),))) as (trip, _):
        await trip.send("grey@a.test")
        (held,) = await accepted(world.store, world.at, "held@b.test")
        suspension = Suspension(
            account=INSTALLATION,
            name="b.test",
            by="operator",
            reason="they asked for a pause",
            at=world.at,
            until=world.at + HOUR,
        )
        await world.store.put(suspension)
        await trip.queue.keep_house()
        await work(trip.queue)
        waiting = {one.recipient: one for one in await every_open_delivery(world)}
        assert {"grey@a.test", "held@b.test"} == set(waiting)
        for one in waiting.values():
            assert one.next_at is not None
            assert world.at < one.next_at <= one.expires_at
        assert (Cause.GREYLISTED, Cause.HELD_BY_WAYBILL) == (
            waiting["grey@a.test"].cause,
            waiting["held@b.test"].cause,
        )
        (fact,) = [event.fact for event in await trip.events(held, EventKind.HELD)]
    assert isinstance(fact, Held)
    assert ("operator", world.at + HOUR) == (fact.by, fact.until)
    assert "they asked for a pause" in fact.text


@pytest.mark.parametrize(
    ("words", "least"),
    [
        ("452 4.2.2 The email account that you tried to reach is over quota", HOUR),
        ("451 4.7.1 Message rejected due to local policy", 30 * MINUTE),
        ("450 4.7.1 Client host [192.0.2.1] blocked using zen.spamhaus.org", 30 * MINUTE),
        ("421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to unexpected volume", 10 * MINUTE),
        ("451 4.7.1 Greylisted, please try again in 600 seconds", 10 * MINUTE),
    ],
)
async def test_a_cause_that_time_alone_does_not_cure_is_not_hurried(world: World, words: str, least: int) -> None:
    """A full mailbox, a policy, a listing and a request to be slower are not answered with the next attempt in a minute."""
    waits = (MINUTE, 5 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR)
    async with received(world, refusing({"*": words}), retry=waits) as (trip, _):
        (delivery,) = await trip.send("u@a.test")
    assert Status.DELAYED is delivery.status
    assert delivery.next_at is not None
    assert delivery.next_at - world.at >= least * 0.9


async def test_what_is_refused_for_good_is_not_tried_again(world: World) -> None:
    """ "Soft bounce" is no state of ours: a refusal ends the delivery, a deferral names the next attempt."""
    replies = {"full@a.test": "552 5.2.2 Mailbox full", "later@a.test": "450 4.2.0 Try again later"}
    async with received(world, refusing(replies)) as (trip, receiver):
        full, later = await trip.send(*replies)
        (bounced,) = [event.fact for event in await trip.events(full, EventKind.BOUNCED)]
        (deferred,) = [event.fact for event in await trip.events(later, EventKind.DEFERRED)]
        assert isinstance(bounced, Attempted)
        assert isinstance(deferred, Attempted)
        assert (None, None) == (bounced.retry_at, full.next_at)
        assert deferred.retry_at == later.next_at is not None
        world.at += 13 * HOUR
        heard = receiver.connection_count
        await work(trip.queue)
        assert 1 == len(await trip.attempts(full))
        assert 2 == len(await trip.attempts(later))
    assert heard <= receiver.connection_count


async def test_one_dead_receiver_does_not_hold_up_the_others(world: World) -> None:
    """Two hundred messages whose server says nothing, and mail to a server that works goes out at once."""
    zones = {
        "dead.test": ["MX 10 mx.dead.test"],
        "mx.dead.test": ["A 127.0.0.2"],
        "fine.test": ["MX 10 mx.fine.test"],
        "mx.fine.test": ["A 127.0.0.1"],
    }
    async with (
        scripted(CONNECT=b"<hang>", at=("127.0.0.2", 0)) as dead,
        scripted(at=("127.0.0.1", dead.port)) as fine,
        journey(world, dead.port, zones, backlog_of_site=50) as trip,
    ):
        await accepted(world.store, START, *(f"u{number}@dead.test" for number in range(200)))
        await trip.queue.work_once()
        await dead.until(lambda: dead.connections > 0)
        await accepted(world.store, START + 1, *(f"u{number}@fine.test" for number in range(5)))
        world.at += 1
        async with asyncio.timeout(5):
            while len(fine.contents) < 5:
                await trip.queue.work_once()
                await asyncio.sleep(0.01)
        assert dead.contents == []
        assert dead.most_open <= 20
        await stop(trip)


async def stop(trip: Journey) -> None:
    """Leaves what hangs."""
    for task in trip.queue._running:
        task.cancel()
    await asyncio.gather(*trip.queue._running, return_exceptions=True)


async def test_domains_of_one_host_share_its_limits(world: World) -> None:
    """Forty domains behind one MX get no more connections than one: it is the host that bears them."""
    zones = {f"d{number}.test": ["MX 10 mx.shared.test"] for number in range(40)} | {"mx.shared.test": ["A 127.0.0.1"]}
    async with scripted() as server, journey(world, server.port, zones) as trip:
        await accepted(world.store, START, *(f"u@d{number}.test" for number in range(40)))
        await work(trip.queue)
        assert 40 == len(server.contents)
        assert server.most_open <= 20


def test_every_number_of_a_provider_has_a_source_and_a_suffix() -> None:
    """A provider that no host can match would be a dead letter; each number says where it is from."""
    for provider in PROVIDERS.by_name.values():
        assert provider.mx
        for suffix in provider.mx:
            found = PROVIDERS.of_host(f"mx1.{suffix}")
            assert found is not None
            assert provider.name == found.name


def test_no_cause_has_a_policy_for_replies_that_nobody_gives() -> None:
    """What has a slow schedule is what receivers say; our own troubles and dead networks follow the configured waits."""
    ours = {Cause.WAYBILL_INCIDENT, Cause.HELD_BY_WAYBILL, Cause.STUCK, Cause.CONNECTION_FAILED, Cause.DNS_FAILURE}
    assert not ours & set(POLICIES)


async def test_a_receiver_that_knows_us_is_come_back_to_from_the_same_address(world: World) -> None:
    """Greylisting remembers address, sender and recipient: every attempt of a message has the same three."""
    addresses = ("127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4")
    script = Script(rules=(greylist(attempts=6),))
    async with received(world, script, zones=EVERYWHERE, sources=addresses) as (trip, receiver):
        (delivery,) = await trip.send("u@a.test")
        while delivery.status is Status.DELAYED:
            world.at += MINUTE  # the kept connection has been left by then
            delivery = await trip.go_on(delivery)
        attempts = await trip.attempts(delivery)
        (taken,) = receiver.received
    assert 7 == len(attempts)
    assert taken.mail_from.endswith("@bounce.test")
    assert 1 == len({attempt.source_ip for attempt in attempts})


async def test_a_bounce_never_comes_from_a_fault_of_ours(world: World) -> None:
    """A wrong password for our own relay, or a network that is gone, is put off, and suppresses nobody."""
    async with received(world, refusing({"*": "535 5.7.8 Authentication failed"}, Stage.AUTH)) as (trip, _):
        (delivery,) = await trip.send("u@a.test")
        assert Status.DELIVERED is delivery.status  # no relay: nobody logs in
    assert [] == await world.store.suppressions(ACCOUNT)
