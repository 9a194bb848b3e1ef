"""The worker: claims, leases, retries, expiry, faults, draining."""

import asyncio
import sqlite3
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.queue.queueing import Flaky, World, finished, gate, work
from tests.store.builders import ACCOUNT, START, acceptance, accepted, message
from waybill.mail.return_path import decode
from waybill.model.cause import Cause
from waybill.model.clock import HOUR, MINUTE, SECOND
from waybill.model.event import Attempted, EventKind, Expired
from waybill.model.message import Status
from waybill.model.outcome import Result
from waybill.model.resource import ConfigurationSet
from waybill.model.suppression import Reason
from waybill.queue.worker import RETURN_PATH_PURPOSE
from waybill.store.protocol import Claim, LimitReached, StoreUnavailable


async def test_a_due_delivery_is_attempted_and_settled(world: World) -> None:
    """The parcel names the delivery; its return path proves it."""
    (delivery,) = await accepted(world.store)
    receiver = world.receiver()
    await work(world.queue(receiver))
    (parcel,) = receiver.parcels
    assert (delivery.id, delivery.message_id, "bob@receiver.example", b"bytes", 1, False) == (
        parcel.delivery_id,
        parcel.message_id,
        parcel.recipient,
        parcel.content,
        parcel.number,
        parcel.tls_required,
    )
    assert parcel.mail_from.endswith("@bounce.test")
    assert delivery.id == decode(parcel.mail_from, world.store.secret(RETURN_PATH_PURPOSE))
    settled = await world.now(delivery)
    assert (Status.DELIVERED, Cause.ACCEPTED_BY_RECEIVER, 1, None) == (
        settled.status,
        settled.cause,
        settled.attempts,
        settled.lease_owner,
    )
    await work(world.queue(receiver))
    assert 1 == len(receiver.parcels)


async def test_what_is_offered_needs_no_claim(world: World) -> None:
    """Accepted here, delivered here."""
    taken = acceptance(lease_owner="w1", lease_until=START + 30 * SECOND)
    deliveries = await world.store.accept(taken)
    assert not isinstance(deliveries, LimitReached)
    receiver = world.receiver()
    queue = world.queue(receiver)
    claim = Claim(delivery=deliveries[0], message=taken.message, content=b"bytes")
    queue.offer([claim])
    queue.offer([claim])
    await finished(queue)
    assert 1 == len(receiver.parcels)
    assert Status.DELIVERED is (await world.now(deliveries[0])).status


async def test_the_custom_mail_from_domain_and_tls(world: World) -> None:
    """The message's MAIL FROM domain is the return path's; the configuration set's policy goes with the parcel."""
    await world.store.put(ConfigurationSet(account=ACCOUNT, name="strict", created_at=START, tls_required=True))
    await accepted(world.store, message=message(mail_from="m.sender.example", configuration_set="strict"))
    receiver = world.receiver()
    await work(world.queue(receiver))
    assert receiver.parcels[0].mail_from.endswith("@m.sender.example")
    assert receiver.parcels[0].tls_required


async def test_it_is_tried_again_at_the_right_time(world: World) -> None:
    """Not a moment before; numbered; and the ledger says when."""
    (delivery,) = await accepted(world.store)
    receiver = world.receiver(Result.DEFERRED, Result.DEFERRED, Result.DELIVERED)
    queue = world.queue(receiver)
    await work(queue)
    waiting = await world.now(delivery)
    assert (Status.DELAYED, Cause.GREYLISTED, 1) == (waiting.status, waiting.cause, waiting.attempts)
    assert waiting.next_at is not None
    assert abs(waiting.next_at - START - 5 * MINUTE) <= 30 * SECOND
    world.at = waiting.next_at - 1
    await work(queue)
    assert 1 == len(receiver.parcels)
    world.at += 1
    await work(queue)
    again = await world.now(delivery)
    assert again.next_at is not None
    assert abs(again.next_at - world.at - 5 * MINUTE) <= 30 * SECOND
    world.at = again.next_at
    await work(queue)
    assert [1, 2, 3] == [parcel.number for parcel in receiver.parcels]
    assert len({parcel.mail_from for parcel in receiver.parcels}) == 1
    ledger = await world.ledger(delivery)
    assert [EventKind.ACCEPTED, EventKind.DEFERRED, EventKind.DEFERRED, EventKind.DELIVERED] == [
        event.kind for event in ledger.events
    ]
    assert isinstance(ledger.events[1].fact, Attempted)
    assert waiting.next_at == ledger.events[1].fact.retry_at


async def test_a_bounce_suppresses_the_recipient(world: World) -> None:
    """Entries on both lists, each with its event; the entry points at the bounce."""
    (delivery,) = await accepted(world.store)
    await work(world.queue(world.receiver(Result.BOUNCED)))
    ledger = await world.ledger(delivery)
    assert [EventKind.ACCEPTED, EventKind.BOUNCED, EventKind.SUPPRESSION_ADDED, EventKind.SUPPRESSION_ADDED] == [
        event.kind for event in ledger.events
    ]
    (entry,) = await world.store.suppressions(ACCOUNT)
    assert ("bob@receiver.example", Reason.BOUNCE, "rule:user-unknown", ledger.events[1].id) == (
        entry.address,
        entry.reason,
        entry.author,
        entry.event,
    )
    assert Status.BOUNCED is (await world.now(delivery)).status


async def test_time_runs_out(world: World) -> None:
    """The last attempt's words are kept; the next look ends it, with nothing more tried."""
    (delivery,) = await accepted(world.store)
    receiver = world.receiver(Result.DEFERRED)
    queue = world.queue(receiver, retry=(20 * HOUR,))
    await work(queue)
    assert delivery.expires_at == (await world.now(delivery)).next_at
    world.at = delivery.expires_at
    await work(queue)
    ended = await world.now(delivery)
    assert (Status.BOUNCED, Cause.DELIVERY_EXPIRED, Cause.GREYLISTED) == (
        ended.status,
        ended.cause,
        ended.underlying_cause,
    )
    fact = (await world.ledger(delivery)).events[-1].fact
    assert isinstance(fact, Expired)
    assert (
        "smtp; 550 4.4.7 Message expired: unable to deliver in 840 minutes.<451 4.7.1 Greylisted, try again>",
        1,
        False,
    ) == (fact.diagnostic, fact.attempts, fact.by_configuration_set)
    assert 1 == len(receiver.parcels)


@pytest.mark.parametrize(("configuration_set", "expected"), [("quick", True), (None, False)])
async def test_max_delivery_seconds_ended_it(world: World, configuration_set: str | None, expected: bool) -> None:
    """A short life counts as the configuration set's only where the message has one."""
    taken = acceptance(message=message(configuration_set=configuration_set))
    taken = replace(taken, deliveries=tuple(replace(each, expires_at=START + 5 * MINUTE) for each in taken.deliveries))
    deliveries = await world.store.accept(taken)
    assert not isinstance(deliveries, LimitReached)
    world.at = START + 5 * MINUTE
    await work(world.queue(world.receiver()))
    fact = (await world.ledger(deliveries[0])).events[-1].fact
    assert isinstance(fact, Expired)
    assert (expected, Cause.HELD_BY_WAYBILL, 0) == (fact.by_configuration_set, fact.underlying_cause, fact.attempts)


async def test_a_crash_inside_neither_loses_nor_blocks(world: World) -> None:
    """The delivery is deferred with the fault as its evidence, the other is delivered, and the next attempt succeeds."""
    broken, other = await accepted(world.store, START, "a@receiver.example", "b@receiver.example")
    receiver = world.receiver(KeyError("boom"), Result.DELIVERED)
    queue = world.queue(receiver, concurrency=1)
    await work(queue)
    waiting = await world.now(broken)
    assert (Status.DELAYED, Cause.WAYBILL_INCIDENT) == (waiting.status, waiting.cause)
    assert Status.DELIVERED is (await world.now(other)).status
    fact = next(event.fact for event in (await world.ledger(broken)).events if event.kind is EventKind.DEFERRED)
    assert isinstance(fact, Attempted)
    assert "Waybill failed inside: KeyError: 'boom'" == fact.attempt.outcome.diagnostic
    world.at = waiting.next_at or 0
    await work(queue)
    assert Status.DELIVERED is (await world.now(broken)).status


async def test_an_answer_is_not_forgotten_while_the_store_is_away(world: World) -> None:
    """Settling is tried until it is written; the receiver is not asked twice."""
    (delivery,) = await accepted(world.store)
    receiver = world.receiver()
    await work(world.queue(receiver, store=Flaky(world.store, failures=2)))
    assert (1, Status.DELIVERED) == (len(receiver.parcels), (await world.now(delivery)).status)


async def test_running_goes_on_through_an_outage(world: World) -> None:
    """A store that cannot be reached is asked again."""
    (delivery,) = await accepted(world.store)

    @dataclass
    class Away:
        store: Any
        asked: int = 0

        def __getattr__(self, name: str) -> Any:
            return getattr(self.store, name)

        async def claim(self, *args: Any, **options: Any) -> Any:
            self.asked += 1
            if self.asked == 1:
                raise StoreUnavailable("locked")
            return await self.store.claim(*args, **options)

    stop = asyncio.Event()
    away = Away(world.store)
    queue = world.queue(world.receiver(), store=away)
    running = asyncio.create_task(queue.run(stop))
    async with asyncio.timeout(10):
        while (await world.now(delivery)).status is not Status.DELIVERED:  # noqa: ASYNC110 - state on disk
            await asyncio.sleep(0.01)
    stop.set()
    await running
    assert away.asked >= 2
    assert [("store", "the store is unavailable (claiming): locked"), ("store", None)] == world.troubles


async def test_content_is_gone_when_all_is_final(world: World, tmp_path: Path) -> None:
    """The store keeps no mail that nobody waits for."""
    await accepted(world.store)
    await work(world.queue(world.receiver()))
    with sqlite3.connect(tmp_path / "waybill.db") as connection:
        assert [(0,)] == connection.execute("SELECT count(*) FROM contents").fetchall()
    connection.close()


async def test_what_expires_while_it_waits_is_not_attempted(world: World) -> None:
    """It has a lease, and its time is over when its turn comes."""
    one, two = await accepted(world.store, START, "a@receiver.example", "b@receiver.example")
    stuck = gate(world)
    queue = world.queue(stuck, concurrency=1, lease=20 * HOUR)
    await queue.work_once()
    await stuck.started.wait()
    world.at = two.expires_at
    stuck.go_on.set()
    await finished(queue)
    assert [Status.DELIVERED, Status.BOUNCED] == [(await world.now(each)).status for each in (one, two)]
    assert Cause.DELIVERY_EXPIRED is (await world.now(two)).cause
