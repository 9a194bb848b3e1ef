"""Mail that waits: it is never given up early, never forgotten, and always says why it waits and until when."""

import pytest

from tests.lessons.journey import journey, received, refusing
from tests.net.scripted import scripted
from tests.queue.queueing import World, work
from tests.store.builders import ACCOUNT, START, accepted
from waybill.deliver.provider import PROVIDERS
from waybill.lab.receiver import Receiver
from waybill.lab.script import Script, greylist
from waybill.model.cause import Cause, Responder, Scope
from waybill.model.clock import HOUR, MINUTE
from waybill.model.event import Attempted, EventKind, Expired, Held
from waybill.model.message import Delivery, Status
from waybill.model.resource import INSTALLATION, Suspension
from waybill.queue.schedule import POLICIES
from waybill.store.queueing import EVERYTHING

APART = "127.0.0.9"  # where no other program of this machine happens to listen


async def test_a_receiver_that_is_away_for_hours_loses_no_mail(world: World) -> None:
    """Hosts that cannot be reached are tried until the message expires, not once more: after ten hours it is delivered."""
    zones = {"a.test": ["MX 10 mx.a.test"], "mx.a.test": [f"A {APART}"]}
    async with Receiver(Script(), host=APART) as receiver:
        port = receiver.port
    async with journey(world, port, zones) as trip:
        (delivery,) = await trip.send("u@a.test")
        while world.at < START + 10 * HOUR:
            delivery = await trip.go_on(delivery)
            assert Status.DELAYED is delivery.status
            assert Cause.CONNECTION_FAILED in (delivery.cause, delivery.underlying_cause)
        assert len(await trip.attempts(delivery)) > 10
        async with Receiver(Script(), host=APART, port=port):
            while delivery.status is Status.DELAYED:
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


async def test_a_receiver_that_puts_strangers_off_knows_us_again(world: World) -> None:
    """Greylisting remembers sender and recipient: each attempt of a message bears the same two, and so is let in."""
    async with received(world, Script(rules=(greylist(attempts=3),))) as (trip, receiver):
        (delivery,) = await trip.send("u@a.test")
        while delivery.status is Status.DELAYED:
            delivery = await trip.go_on(delivery)
        senders = {
            line.text
            for attempt in await trip.attempts(delivery)
            for line in attempt.transcript
            if line.text.startswith(("MAIL FROM:", "RCPT TO:"))
        }
        (taken,) = receiver.received
    assert (Status.DELIVERED, 4) == (delivery.status, delivery.attempts)
    assert 2 == len(senders)
    assert any(taken.mail_from in line for line in senders)


async def test_a_wrong_password_for_our_own_relay_bounces_nobody(world: World) -> None:
    """535 of the relay is our own mistake: the mail waits until it is corrected, and nobody is listed."""
    async with scripted(
        EHLO=b"250-mx.test\r\n250 AUTH PLAIN\r\n", AUTH=b"535 5.7.8 Authentication failed\r\n"
    ) as server:
        relay = f"smtp://us:wrong@127.0.0.1:{server.port}"
        async with journey(world, server.port, relay=relay) as trip:
            (delivery,) = await trip.send("u@a.test")
            (attempt,) = await trip.attempts(delivery)
    assert (Status.DELAYED, Cause.AUTH_REQUIRED) == (delivery.status, delivery.cause)
    assert (Scope.SERVICE, False) == (attempt.outcome.scope, attempt.outcome.permanent)
    assert [] == await world.store.suppressions(ACCOUNT)
