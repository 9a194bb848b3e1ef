"""Accepting: a message is written whole, or not at all where a limit is reached."""

import asyncio
import dataclasses

import pytest

from tests.store.builders import ACCOUNT, START, acceptance, accepted, message, new_delivery, new_event, suppression
from tests.store.conformance import Engine
from waybill.model.cause import Cause
from waybill.model.clock import DAY, HOUR, MINUTE, SECOND
from waybill.model.event import Accepted, EventKind, Refused, RenderingFailed, Suppressed
from waybill.model.message import Status
from waybill.model.suppression import GLOBAL, Reason
from waybill.store.protocol import AlreadyExists, LimitKind, LimitReached, Limits, Search, SendingBucket, Store


async def test_written_whole(engine: Engine) -> None:
    """Message, deliveries and events are in the ledger as they were given."""
    store, other = await engine.open(), await engine.open()
    asked = acceptance(START, "bob@receiver.example", "Carol@Other.Example", lease_owner="w1", lease_until=START + 9)
    deliveries = await store.accept(asked)
    assert isinstance(deliveries, tuple)
    assert [one.recipient for one in deliveries] == ["bob@receiver.example", "Carol@Other.Example"]
    assert {(Status.QUEUED, "w1", START + 9, START, 0)} == {
        (one.status, one.lease_owner, one.lease_until, one.next_at, one.attempts) for one in deliveries
    }
    for one in (store, other):
        ledger = await one.ledger(asked.message.id)
        assert ledger is not None
        assert asked.message == ledger.message
        assert deliveries == ledger.deliveries
        assert [(EventKind.ACCEPTED, None, Accepted())] == [
            (event.kind, event.recipient, event.fact) for event in ledger.events
        ]
        assert deliveries[0] == await one.delivery(deliveries[0].id)
    assert await store.delivery(deliveries[-1].id + 1) is None
    assert await store.ledger("0100") is None


async def test_an_id_is_given_once(store: Store) -> None:
    """A second message of the same id is refused, and leaves nothing."""
    asked = acceptance()
    await store.accept(asked)
    with pytest.raises(AlreadyExists, match=asked.message.id):
        await store.accept(dataclasses.replace(asked, deliveries=(new_delivery("eve@receiver.example"),)))
    assert [one.delivery.recipient for one in await store.find(Search())] == ["bob@receiver.example"]
    assert await store.sent(ACCOUNT, START) == 1


async def test_refused_request(store: Store) -> None:
    """A refused request is in the ledger with its error; it counts nowhere and nothing is sent."""
    fact = Refused(cause=Cause.QUOTA_EXCEEDED, code="LimitExceededException", text="Daily message quota exceeded.")
    asked = acceptance(
        content=None,
        deliveries=(new_delivery(status=Status.REFUSED, cause=Cause.QUOTA_EXCEEDED),),
        events=(new_event(EventKind.REFUSED, START, fact),),
    )
    await store.accept(asked)
    ledger = await store.ledger(asked.message.id)
    assert ledger is not None
    assert [(one.status, one.cause, one.next_at) for one in ledger.deliveries] == [
        (Status.REFUSED, Cause.QUOTA_EXCEEDED, None)
    ]
    assert [fact] == [event.fact for event in ledger.events]
    assert await store.sent(ACCOUNT, START) == 0
    assert await store.claim("w1", START + DAY, limit=10, lease_until=START + DAY) == []


async def test_final_deliveries_are_not_leased(store: Store) -> None:
    """Of a message to a listed and a free recipient, the one is final at once and the other is to be sent."""
    entry = suppression("listed@receiver.example")
    asked = acceptance(
        deliveries=(
            new_delivery(entry.address, status=Status.SUPPRESSED, cause=Cause.SUPPRESSED_ACCOUNT),
            new_delivery("bob@receiver.example"),
        ),
        lease_owner="w1",
        lease_until=START + 10,
    )
    deliveries = await store.accept(asked)
    assert isinstance(deliveries, tuple)
    listed, free = deliveries
    assert (listed.lease_owner, listed.lease_until, listed.next_at) == (None, None, None)
    claims = await store.claim("w2", START + 10, limit=10, lease_until=START + 20)
    assert [free.id] == [claim.delivery.id for claim in claims]
    assert claims[0].content == b"bytes"


async def test_an_open_delivery_needs_content(store: Store) -> None:
    """A delivery that could never be sent is refused."""
    with pytest.raises(ValueError, match="no content to send"):
        await store.accept(acceptance(content=None))
    assert await store.find(Search()) == []


async def test_failing_work_undoes_only_itself(store: Store) -> None:
    """Among messages accepted at the same time, one that cannot be written leaves nothing, the others are whole."""
    broken = [acceptance(message=message(subject="\ud800")), acceptance(START, "\udfff@receiver.example")]
    whole = [acceptance() for _ in range(20)]
    results = await asyncio.gather(*map(store.accept, [*whole, *broken, *whole[:1]]), return_exceptions=True)
    assert [UnicodeEncodeError, UnicodeEncodeError, AlreadyExists] == [type(result) for result in results[20:]]
    found = await store.find(Search())
    assert sorted(one.message.id for one in whole) == sorted(one.message.id for one in found)
    assert await store.sent(ACCOUNT, START) == 20
    health = await store.health()
    assert (health.deliveries[Status.QUEUED], health.events) == (20, 20)


async def test_rate(store: Store) -> None:
    """Recipients of one second are counted; the next second is free again."""
    limits = Limits(per_second=3)
    second = START - START % SECOND
    await accepted(store, second, "a@r.example", "b@r.example", limits=limits)
    await accepted(store, second + 999, limits=limits)
    reached = await store.accept(acceptance(second + 999, limits=limits))
    assert LimitReached(kind=LimitKind.RATE, limit=3, sent=3, free_at=second + SECOND) == reached
    await accepted(store, second + SECOND, limits=limits)
    assert await store.sent(ACCOUNT, START) == 4


async def test_rate_below_one(store: Store) -> None:
    """The smallest allowance is one recipient a second."""
    limits = Limits(per_second=0.2)
    await accepted(store, START, limits=limits)
    assert isinstance(await store.accept(acceptance(START, limits=limits)), LimitReached)


async def test_a_large_message_passes_alone(store: Store) -> None:
    """A message with more recipients than the rate passes as the only one of its second."""
    limits = Limits(per_second=1)
    await accepted(store, START, "a@r.example", "b@r.example", limits=limits)
    assert isinstance(await store.accept(acceptance(START, limits=limits)), LimitReached)


async def test_quota(store: Store) -> None:
    """Recipients of the last 24 hours are counted; room is told to be when enough of them have left the period."""
    limits, minute = Limits(per_24_hours=3), START - START % MINUTE
    await accepted(store, minute, limits=limits)
    await accepted(store, minute + HOUR, "a@r.example", "b@r.example", limits=limits)
    later = minute + 2 * HOUR
    free_at = minute + MINUTE + DAY
    assert LimitReached(kind=LimitKind.QUOTA, limit=3, sent=3, free_at=free_at) == await store.accept(
        acceptance(later, limits=limits)
    )
    assert LimitReached(kind=LimitKind.QUOTA, limit=3, sent=3, free_at=free_at + HOUR) == await store.accept(
        acceptance(later, "a@r.example", "b@r.example", limits=limits)
    )
    assert isinstance(await store.accept(acceptance(free_at - 1, limits=limits)), LimitReached)
    await accepted(store, free_at, limits=limits)
    assert await store.sent(ACCOUNT, free_at - DAY) == 3


async def test_a_limit_writes_nothing(store: Store) -> None:
    """What a limit refuses is not in the ledger, and is not counted."""
    asked = acceptance(START, "a@r.example", "b@r.example", limits=Limits(per_24_hours=1))
    assert isinstance(await store.accept(asked), LimitReached)
    assert await store.ledger(asked.message.id) is None
    assert await store.sent(ACCOUNT, START) == 0


async def test_limits_hold_at_once(engine: Engine) -> None:
    """Of many messages accepted at the same time through two stores, exactly as many pass as the limits allow."""
    stores = [await engine.open(), await engine.open()]
    for limits in (Limits(per_second=7), Limits(per_24_hours=7 + 5)):
        asked = [stores[n % 2].accept(acceptance(START, limits=limits)) for n in range(40)]
        passed = [one for one in await asyncio.gather(*asked) if not isinstance(one, LimitReached)]
        assert (7 if limits.per_second else 5) == len(passed)


async def test_what_does_not_count(store: Store) -> None:
    """Messages that do not count against the quota pass a quota used up, and leave it as it is."""
    limits = Limits(per_24_hours=1)
    await accepted(store, START, limits=limits)
    await accepted(store, START, limits=limits, counts_against_quota=False)
    assert await store.sent(ACCOUNT, START) == 1


async def test_accounts_are_apart(store: Store) -> None:
    """Another account's messages use nothing of an account's quota."""
    limits = Limits(per_24_hours=1)
    await accepted(store, START, limits=limits, message=message(account="200000000002"))
    await accepted(store, START, limits=limits)
    assert [await store.sent(account, START) for account in (ACCOUNT, "200000000002")] == [1, 1]


async def test_statistics_of_what_is_never_sent(store: Store) -> None:
    """The global list's bounce counts as one and as an attempt; the account's own list as neither; malware as a reject."""
    for whose, status in ((GLOBAL, Status.SUPPRESSED), (ACCOUNT, Status.SUPPRESSED), (None, Status.REJECTED)):
        entry = suppression(account=whose or "", reason=Reason.BOUNCE)
        fact = Suppressed(entry=entry, feedback_id="f", diagnostic="listed")
        await accepted(
            store,
            content=None,
            deliveries=(new_delivery(status=status, cause=Cause.SUPPRESSED_GLOBAL),),
            events=(new_event(EventKind.SUPPRESSED, START, fact),) if whose is not None else (),
        )
    start = START - START % (15 * MINUTE)
    expected = SendingBucket(start=start, delivery_attempts=1, bounces=1, complaints=0, rejects=1)
    assert [expected] == await store.statistics(ACCOUNT, START)


async def test_rendering_failure_keeps_its_fact(store: Store) -> None:
    """The record of a failed rendering comes back equal."""
    fact = RenderingFailed(
        cause=Cause.TEMPLATE_VARIABLE_MISSING,
        error="Attribute 'name' is not present in the rendering data.",
        template="welcome",
        template_version=2,
        part="html",
        line=3,
        available=("nam", "title"),
        closest="nam",
    )
    asked = acceptance(
        content=None,
        deliveries=(new_delivery(status=Status.RENDERING_FAILED, cause=fact.cause),),
        events=(new_event(EventKind.RENDERING_FAILED, START, fact),),
    )
    await store.accept(asked)
    ledger = await store.ledger(asked.message.id)
    assert ledger is not None
    assert [fact] == [event.fact for event in ledger.events]


async def test_old_counters_go(store: Store) -> None:
    """Counters of long ago are forgotten once newer messages come."""
    await accepted(store, START)
    await accepted(store, START + 30 * DAY)
    assert await store.sent(ACCOUNT, START + 29 * DAY) == 1
    assert await store.sent(ACCOUNT, 0) == 1
