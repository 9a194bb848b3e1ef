"""Settling: the new state and what explains it are written together."""

import asyncio
import dataclasses

import pytest

from tests.store.builders import ACCOUNT, START, acceptance, accepted, attempted, new_event, suppression
from waybill.model.cause import Cause, Scope
from waybill.model.clock import HOUR, MINUTE
from waybill.model.event import AutoReplied, BounceReceived, Complained, EventKind, Expired, Held, SuppressionAdded
from waybill.model.message import Delivery, Status
from waybill.model.suppression import GLOBAL, Reason
from waybill.store.protocol import LeaseLost, Ledger, NotFound, Overtaken, SendingBucket, Settlement, Store


async def leased(store: Store, *recipients: str) -> tuple[Delivery, ...]:
    return await accepted(store, START, *recipients, lease_owner="w1", lease_until=START + MINUTE)


async def ledger_of(store: Store, delivery: Delivery) -> Ledger:
    ledger = await store.ledger(delivery.message_id)
    assert ledger is not None
    return ledger


async def test_delivered(store: Store) -> None:
    """The delivery has its new state and no lease, the ledger the attempt with all its lines."""
    (delivery,) = await leased(store)
    settlement = attempted(delivery, Status.DELIVERED, START + 5)
    await store.settle(settlement)
    ledger = await ledger_of(store, delivery)
    assert (
        dataclasses.replace(
            delivery,
            status=Status.DELIVERED,
            cause=Cause.ACCEPTED_BY_RECEIVER,
            attempts=1,
            next_at=None,
            updated_at=START + 5,
            lease_owner=None,
            lease_until=None,
        ),
    ) == ledger.deliveries
    event = ledger.events[-1]
    assert (EventKind.DELIVERED, START + 5, delivery.recipient, settlement.events[0].fact) == (
        event.kind,
        event.at,
        event.recipient,
        event.fact,
    )


async def test_delayed_comes_back(store: Store) -> None:
    """A deferred delivery is free at its next time, with its signature and content; then it may be delivered."""
    (delivery,) = await leased(store)
    settlement = attempted(delivery, Status.DELAYED, START, dkim_header=b"DKIM-Signature: v=1\r\n")
    await store.settle(settlement)
    assert await store.claim("w2", START + HOUR - 1, limit=1, lease_until=START + 2 * HOUR) == []
    (claim,) = await store.claim("w2", START + HOUR, limit=1, lease_until=START + 2 * HOUR)
    assert (
        claim.delivery.status,
        claim.delivery.cause,
        claim.delivery.attempts,
    ) == (Status.DELAYED, Cause.GREYLISTED, 1)
    assert (claim.message.dkim_header, claim.content) == (b"DKIM-Signature: v=1\r\n", b"bytes")
    await store.settle(attempted(claim.delivery, Status.DELIVERED, START + HOUR))
    assert (await ledger_of(store, delivery)).message.dkim_header == b"DKIM-Signature: v=1\r\n"


async def test_held_keeps_its_lease(store: Store) -> None:
    """A worker that waits records why and keeps the delivery; attempts and next time stay."""
    (delivery,) = await leased(store)
    fact = Held(limit="connections", by="rule:google", text="at most 5 connections", until=START + 10)
    await store.settle(
        Settlement(
            delivery_id=delivery.id,
            status=Status.QUEUED,
            cause=Cause.HELD_BY_WAYBILL,
            events=(new_event(EventKind.HELD, START + 1, fact, delivery.recipient),),
            lease_owner="w1",
            keep_lease_until=START + HOUR,
        )
    )
    held = await store.delivery(delivery.id)
    assert (
        dataclasses.replace(delivery, cause=Cause.HELD_BY_WAYBILL, updated_at=START + 1, lease_until=START + HOUR)
        == held
    )


async def test_content_goes_with_the_last_open_delivery(store: Store) -> None:
    """As long as one delivery of a message is open its content is there; after the last it is gone."""
    first, second = await leased(store, "a@r.example", "b@r.example")
    await store.settle(attempted(first, Status.DELIVERED, START))
    await store.settle(attempted(second, Status.DELAYED, START))
    (claim,) = await store.claim("w2", START + HOUR, limit=9, lease_until=START + 2 * HOUR)
    assert claim.content == b"bytes"
    before = (await store.health()).bytes
    await store.settle(attempted(claim.delivery, Status.BOUNCED, START + HOUR))
    assert await store.claim("w2", START + 9 * HOUR, limit=9, lease_until=START + 10 * HOUR) == []
    assert before >= (await store.health()).bytes


async def test_suppressions_name_their_event(store: Store) -> None:
    """Entries are listed with the id of the event that caused them; the ledger shows them."""
    (delivery,) = await leased(store)
    bounce = attempted(delivery, Status.BOUNCED, START)
    added = SuppressionAdded(list="account", reason=Reason.BOUNCE, author="rule:user-unknown")
    entries = (suppression(message_id=delivery.message_id), suppression(account=GLOBAL, expires_at=START + HOUR))
    await store.settle(
        dataclasses.replace(
            bounce,
            events=(*bounce.events, new_event(EventKind.SUPPRESSION_ADDED, START, added, delivery.recipient)),
            suppressions=entries,
        )
    )
    ledger = await ledger_of(store, delivery)
    assert [one.kind for one in ledger.events] == [EventKind.ACCEPTED, EventKind.BOUNCED, EventKind.SUPPRESSION_ADDED]
    assert tuple(dataclasses.replace(entry, event=ledger.events[1].id) for entry in entries) == ledger.suppressions


async def test_a_bounce_that_comes_home(store: Store) -> None:
    """A delivered delivery is revised without a lease; what came before stays in the ledger."""
    (delivery,) = await leased(store)
    await store.settle(attempted(delivery, Status.DELIVERED, START))
    fact = BounceReceived(
        cause=Cause.MAILBOX_FULL,
        scope=Scope.RECIPIENT,
        permanent=True,
        status="5.2.2",
        action="failed",
        diagnostic="smtp; 552 5.2.2 full",
        reporting_mta="mx.receiver.example",
        rule="mailbox-full",
        feedback_id="f",
    )
    await store.settle(
        Settlement(
            delivery_id=delivery.id,
            status=Status.BOUNCED,
            cause=Cause.MAILBOX_FULL,
            events=(new_event(EventKind.BOUNCE_RECEIVED, START + HOUR, fact, delivery.recipient),),
        )
    )
    ledger = await ledger_of(store, delivery)
    assert (
        ledger.deliveries[0].status,
        ledger.deliveries[0].cause,
        ledger.deliveries[0].attempts,
        ledger.deliveries[0].updated_at,
    ) == (Status.BOUNCED, Cause.MAILBOX_FULL, 1, START + HOUR)
    assert [one.kind for one in ledger.events] == [EventKind.ACCEPTED, EventKind.DELIVERED, EventKind.BOUNCE_RECEIVED]


async def test_an_automatic_reply_changes_no_state(store: Store) -> None:
    """An event that leaves the status as it is counts nothing."""
    (delivery,) = await leased(store)
    await store.settle(attempted(delivery, Status.DELIVERED, START))
    fact = AutoReplied(subject="Away", auto_submitted="auto-replied")
    await store.settle(
        Settlement(
            delivery_id=delivery.id,
            status=Status.DELIVERED,
            cause=Cause.ACCEPTED_BY_RECEIVER,
            events=(new_event(EventKind.AUTO_REPLIED, START + 1, fact, delivery.recipient),),
        )
    )
    (bucket,) = await store.statistics(ACCOUNT, START)
    assert (bucket.delivery_attempts, bucket.bounces, bucket.complaints, bucket.rejects) == (1, 0, 0, 0)
    assert (await store.health()).deliveries[Status.DELIVERED] == 1


async def test_without_a_lease(store: Store) -> None:
    """Settling without a lease leaves another's lease on an open delivery, and ends it on a final one."""
    (delivery,) = await leased(store)
    held = Held(limit="l", by="operator", text="t")
    stays = Settlement(
        delivery_id=delivery.id,
        status=Status.QUEUED,
        cause=None,
        events=(new_event(EventKind.HELD, START, held, delivery.recipient),),
    )
    await store.settle(stays)
    assert delivery == await store.delivery(delivery.id)
    fact = Expired(
        underlying_cause=Cause.GREYLISTED,
        last_diagnostic="smtp; 451",
        diagnostic="expired",
        attempts=3,
        feedback_id="f",
        limit_ms=HOUR,
    )
    await store.settle(
        Settlement(
            delivery_id=delivery.id,
            status=Status.BOUNCED,
            cause=Cause.DELIVERY_EXPIRED,
            underlying_cause=Cause.GREYLISTED,
            events=(new_event(EventKind.EXPIRED, START, fact, delivery.recipient),),
        )
    )
    settled = await store.delivery(delivery.id)
    assert settled is not None
    assert (
        settled.cause,
        settled.underlying_cause,
        settled.lease_owner,
    ) == (Cause.DELIVERY_EXPIRED, Cause.GREYLISTED, None)


async def test_what_was_read_before_does_not_undo_what_came_in_between(store: Store) -> None:
    """Feedback that took the delivery to stand otherwise is not written, nor is its event."""
    (delivery,) = await leased(store)
    bounced = Settlement(delivery_id=delivery.id, status=Status.BOUNCED, cause=Cause.USER_UNKNOWN, events=())
    await store.settle(bounced)
    reply = AutoReplied(subject="Out of office", auto_submitted="auto-replied")
    late = Settlement(
        delivery_id=delivery.id,
        status=Status.DELIVERED,
        seen=Status.DELIVERED,
        cause=Cause.ACCEPTED_BY_RECEIVER,
        events=(new_event(EventKind.AUTO_REPLIED, START + 1, reply, delivery.recipient),),
    )
    with pytest.raises(Overtaken, match="is bounced, and no longer delivered"):
        await store.settle(late)
    ledger = await store.ledger(delivery.message_id)
    assert ledger is not None
    assert EventKind.AUTO_REPLIED not in {event.kind for event in ledger.events}
    after = await store.delivery(delivery.id)
    assert after is not None
    assert Status.BOUNCED is after.status


async def test_many_at_once(store: Store) -> None:
    """Settled at the same time, each delivery finds its own fate; the second word about one comes too late."""
    deliveries = await leased(store, *(f"u{number}@r.example" for number in range(50)))
    fates = [(Status.DELIVERED, Status.BOUNCED, Status.DELAYED)[one.id % 3] for one in deliveries]
    settlements = [attempted(one, fate, START) for one, fate in zip(deliveries, fates, strict=True)]
    missing = dataclasses.replace(settlements[0], delivery_id=9999)
    results = await asyncio.gather(
        *map(store.settle, [*settlements, *settlements[:3], missing]), return_exceptions=True
    )
    assert results[:50] == [None] * 50
    assert [LeaseLost, LeaseLost, LeaseLost, NotFound] == [type(result) for result in results[50:]]
    ledger = await ledger_of(store, deliveries[0])
    assert fates == [one.status for one in ledger.deliveries]
    assert len(ledger.events) == 51
    kinds = {one.recipient: one.kind for one in ledger.events[1:]}
    assert [{"delayed": "deferred"}.get(fate, fate) for fate in fates] == [kinds[one.recipient] for one in deliveries]


async def test_a_failing_one_among_many(store: Store) -> None:
    """A settlement that cannot be written fails alone; the others of its batch are written once."""
    deliveries = await leased(store, *(f"u{number}@r.example" for number in range(9)))
    settlements = [attempted(one, Status.BOUNCED, START) for one in deliveries]
    broken = suppression("\ud800@r.example")
    settlements[4] = dataclasses.replace(settlements[4], suppressions=(broken,))
    results = await asyncio.gather(*map(store.settle, settlements), return_exceptions=True)
    assert UnicodeEncodeError is type(results.pop(4))
    assert results == [None] * 8
    ledger = await ledger_of(store, deliveries[0])
    assert [index for index, one in enumerate(ledger.deliveries) if one.status is Status.QUEUED] == [4]
    assert len(ledger.events) == 9
    (bucket,) = await store.statistics(ACCOUNT, START)
    assert (bucket.delivery_attempts, bucket.bounces) == (8, 8)


async def test_final_stays_final(store: Store) -> None:
    """A delivery whose content is gone cannot be queued again; one that is not there is not found."""
    (delivery,) = await leased(store)
    await store.settle(attempted(delivery, Status.DELIVERED, START))
    again = attempted(delivery, Status.DELAYED, START, lease_owner=None)
    with pytest.raises(ValueError, match="cannot be delayed again"):
        await store.settle(again)
    with pytest.raises(NotFound):
        await store.settle(dataclasses.replace(again, delivery_id=delivery.id + 1))
    assert len((await ledger_of(store, delivery)).events) == 2


async def test_statistics(store: Store) -> None:
    """An attempt counts once for a delivery, a bounce and a complaint when it becomes one, each in its quarter of an hour."""
    quarter = 15 * MINUTE
    first = START - START % quarter
    later = first + 2 * quarter
    tried, bounced = await accepted(store, first, "a@r.example", "b@r.example", lease_owner="w1", lease_until=later)
    await store.settle(attempted(tried, Status.DELAYED, first, keep_lease_until=later))
    await store.settle(attempted(bounced, Status.BOUNCED, first))
    again = await store.delivery(tried.id)
    assert again is not None
    await store.settle(attempted(again, Status.DELIVERED, later))
    complaint = Complained(
        feedback_id="f", feedback_type="abuse", user_agent=None, arrival_date=None, reported_by="provider"
    )
    for _ in range(2):
        await store.settle(
            Settlement(
                delivery_id=tried.id,
                status=Status.COMPLAINED,
                cause=Cause.COMPLAINT,
                events=(new_event(EventKind.COMPLAINED, later, complaint, tried.recipient),),
            )
        )
    expected = [
        SendingBucket(start=first, delivery_attempts=2, bounces=1, complaints=0, rejects=0),
        SendingBucket(start=later, delivery_attempts=0, bounces=0, complaints=1, rejects=0),
    ]
    assert expected == await store.statistics(ACCOUNT, first)
    assert expected[1:] == await store.statistics(ACCOUNT, first + quarter)
    assert await store.statistics("200000000002", first) == []


async def test_health(store: Store) -> None:
    """Health counts deliveries by status, events and notices, and knows the oldest that waits."""
    empty = await store.health()
    assert (empty.events, empty.notices, empty.oldest_queued_at, empty.oldest_notice_at) == (0, 0, None, None)
    assert dict.fromkeys(Status, 0) == empty.deliveries
    (delivery,) = await leased(store)
    await store.accept(acceptance(START + 5))
    assert (await store.health()).oldest_queued_at == START
    await store.settle(attempted(delivery, Status.DELIVERED, START))
    health = await store.health()
    assert (health.events, health.oldest_queued_at) == (3, START + 5)
    assert {key: n for key, n in health.deliveries.items() if n} == {Status.QUEUED: 1, Status.DELIVERED: 1}
    assert health.bytes > 0
