"""The queue as people and rules steer it: by site, cause and message, in portions."""

import dataclasses
from typing import Any

import pytest

from tests.store.builders import ACCOUNT, START, accepted, attempted, message, new_delivery
from waybill.model.cause import Cause
from waybill.model.clock import DAY, HOUR, MINUTE, Instant
from waybill.model.event import EventKind, Fact, Held, Released, Stuck
from waybill.model.message import Delivery, Status
from waybill.store.protocol import Store
from waybill.store.queueing import Selection, SiteQueue

ALL = Selection()
HOLD = Held(limit="operator", by="operator", text="held by hand: counting", until=START + HOUR)


async def waiting(store: Store, recipient: str = "a@r.example", **changes: Any) -> Delivery:
    """An open delivery that nobody has in hand."""
    (delivery,) = await accepted(store, deliveries=(new_delivery(recipient, **changes),))
    return delivery


async def delayed(store: Store, recipient: str = "a@r.example", next_at: Instant = START + HOUR) -> Delivery:
    """One that was greylisted."""
    (delivery,) = await accepted(store, START, recipient, lease_owner="w1", lease_until=START + MINUTE)
    await store.settle(attempted(delivery, Status.DELAYED, START, next_at=next_at))
    return await now_of(store, delivery)


async def now_of(store: Store, delivery: Delivery) -> Delivery:
    """The delivery as it is now."""
    found = await store.delivery(delivery.id)
    assert found is not None
    return found


async def facts(store: Store, delivery: Delivery, kind: EventKind) -> list[Fact]:
    """What the ledger says of that kind about the recipient."""
    ledger = await store.ledger(delivery.message_id)
    assert ledger is not None
    return [event.fact for event in ledger.events if (event.kind, event.recipient) == (kind, delivery.recipient)]


async def claimable(store: Store, now: Instant) -> list[int]:
    """The ids of those that a worker would get."""
    return [one.delivery.id for one in await store.claim("w9", now, limit=99, lease_until=now)]


async def test_holding(store: Store) -> None:
    """A held delivery keeps its status and attempts, and its cause beside the new one; it is due when the hold ends."""
    one = await delayed(store, next_at=START + MINUTE)
    assert 1 == await store.hold(ALL, HOLD, now=START, limit=9)
    held = await now_of(store, one)
    assert (
        dataclasses.replace(
            one,
            cause=Cause.HELD_BY_WAYBILL,
            underlying_cause=Cause.GREYLISTED,
            next_at=START + HOUR,
            updated_at=START,
        )
        == held
    )
    assert [HOLD] == await facts(store, one, EventKind.HELD)
    assert [] == await claimable(store, START + HOUR - 1)
    assert [one.id] == await claimable(store, START + HOUR)


async def test_a_hold_without_end(store: Store) -> None:
    """What is held until somebody releases it is never due, but expires in its time."""
    one = await waiting(store, expires_at=START + DAY)
    await store.hold(ALL, dataclasses.replace(HOLD, until=None), now=START, limit=9)
    assert (None, Status.QUEUED) == ((held := await now_of(store, one)).next_at, held.status)
    assert [] == await claimable(store, START + DAY - 1)
    (over,) = await store.overdue("w", START + DAY, limit=9, lease_until=START + 2 * DAY)
    assert (one.id, None) == (over.id, over.next_at)


async def test_what_a_worker_has_in_hand_is_left(store: Store) -> None:
    """Nothing is held, released or hurried whose lease runs; one whose lease has lapsed is held, and still taken over later."""
    (one,) = await accepted(store, lease_owner="w1", lease_until=START + MINUTE)
    assert 0 == await store.hold(ALL, HOLD, now=START, limit=9)
    assert 0 == await store.retry_now(ALL, now=START, limit=9)
    assert 1 == await store.hold(ALL, HOLD, now=START + MINUTE, limit=9)
    await store.claim("w2", START + HOUR, limit=9, lease_until=START + 2 * HOUR)
    assert 1 == len(await facts(store, one, EventKind.TAKEN_OVER))
    assert 0 == await store.release(ALL, by="operator", now=START + HOUR, limit=9)


async def test_the_same_hold_goes_on(store: Store) -> None:
    """By the same author for the same limit a hold only lasts longer; another's is another event, and what waits longer anyway is left."""
    one = await delayed(store, next_at=START + MINUTE)
    rule = Held(limit="unreachable", by="rule:unreachable", text="", until=START + 2 * MINUTE)
    longer = dataclasses.replace(rule, until=START + 4 * MINUTE, text="still")
    assert [1, 0, 1] == [await store.hold(ALL, held, now=START, limit=9) for held in (rule, rule, longer)]
    assert START + 4 * MINUTE == (await now_of(store, one)).next_at
    assert [rule] == await facts(store, one, EventKind.HELD)
    assert 1 == await store.hold(ALL, HOLD, now=START, limit=9)
    assert 0 == await store.hold(ALL, dataclasses.replace(rule, until=START + HOUR - 1), now=START, limit=9)
    held = await now_of(store, one)
    assert (START + HOUR, Cause.GREYLISTED) == (held.next_at, held.underlying_cause)
    assert [rule, HOLD] == await facts(store, one, EventKind.HELD)


async def test_releasing(store: Store) -> None:
    """A released delivery is due at once with the cause it had before, and its ledger says who did it and what the hold had been."""
    new, old = await waiting(store), await delayed(store, "b@r.example")
    await store.hold(ALL, HOLD, now=START, limit=9)
    await store.hold(ALL, dataclasses.replace(HOLD, until=START + DAY), now=START, limit=9)
    assert 2 == await store.release(ALL, by="ada", now=START + 1, limit=9)
    assert [(None, None), (Cause.GREYLISTED, None)] == [
        ((now := await now_of(store, one)).cause, now.underlying_cause) for one in (new, old)
    ]
    assert [new.id, old.id] == await claimable(store, START + 1)
    assert [Released(by="ada", text="held by hand: counting")] == await facts(store, old, EventKind.RELEASED)
    assert 0 == await store.release(ALL, by="ada", now=START + 1, limit=9)


async def test_releasing_what_one_limit_holds(store: Store) -> None:
    """The end of a suspension releases what it holds, and not what somebody holds by hand or what was never held."""
    suspended, by_hand, later = [await waiting(store, f"{name}@r.example") for name in "abc"]
    suspension = Held(limit="suspension", by="operator", text="google is suspended")
    await store.hold(Selection(message_id=suspended.message_id), HOLD, now=START, limit=9)
    for one, held in ((suspended, suspension), (by_hand, dataclasses.replace(HOLD, until=None))):
        await store.hold(Selection(message_id=one.message_id), held, now=START, limit=9)
    of_suspension = Selection(held_for="suspension")
    assert [suspended.id] == [one.id for one in await store.queued(of_suspension)]
    assert 1 == await store.release(of_suspension, by="operator", now=START, limit=9)
    assert [suspended.id, later.id] == sorted(await claimable(store, START))


async def test_retrying_now(store: Store) -> None:
    """What waits for a later attempt is due at once, without an event; what is held stays held."""
    one, held = await delayed(store), await delayed(store, "h@held.example")
    await store.hold(Selection(domain="held.example"), HOLD, now=START, limit=9)
    await store.hold(Selection(domain="held.example"), dataclasses.replace(HOLD, until=None), now=START, limit=9)
    assert 1 == await store.retry_now(ALL, now=START + 1, limit=9)
    assert (dataclasses.replace(one, next_at=START + 1), None) == (
        await now_of(store, one),
        (await now_of(store, held)).next_at,
    )
    assert 0 == await store.retry_now(ALL, now=START + 1, limit=9)


@pytest.mark.parametrize(
    ("selection", "chosen"),
    [
        (ALL, "abcd"),
        (Selection(account=ACCOUNT), "abc"),
        (Selection(domain="One.example"), "ad"),
        (Selection(sites=("two.example",)), "b"),
        (Selection(sites=("google",)), "bc"),
        (Selection(sites=("google", "one.example", "nobody")), "abcd"),
        (Selection(sites=("google",), domain="two.example"), "b"),
        (Selection(cause=Cause.GREYLISTED), "bc"),
        (Selection(cause=Cause.HELD_BY_WAYBILL), "c"),
        (Selection(held=True), "c"),
        (Selection(held=False), "abd"),
        (Selection(held=True, cause=Cause.GREYLISTED), "c"),
        (Selection(held_for="operator"), "c"),
        (Selection(held_for="suspension"), ""),
        (Selection(message_id="none"), ""),
    ],
)
async def test_selecting(store: Store, selection: Selection, chosen: str) -> None:
    """A selection is those that fit all that it gives, by id, in pages; what is final is never among them."""
    await store.remember_sites({"two.example": "google", "three.example": "outlook"})
    await store.remember_sites({"three.example": "google"})
    await store.remember_sites({})
    ids = {"a": (await waiting(store, "a@one.example")).id, "b": (await delayed(store, "b@two.example")).id}
    ids["c"] = (await delayed(store, "c@three.example")).id
    (other,) = await accepted(
        store, message=message(account="200000000002"), deliveries=(new_delivery("d@One.example"),)
    )
    ids["d"] = other.id
    (done,) = await accepted(store, START, "e@one.example", lease_owner="w", lease_until=START + 1)
    await store.settle(attempted(done, Status.DELIVERED, START))
    await store.hold(Selection(domain="three.example"), dataclasses.replace(HOLD, until=None), now=START, limit=9)
    found = await store.queued(selection)
    assert sorted(ids[name] for name in chosen) == [one.id for one in found]
    assert found[1:2] == await store.queued(selection, after=found[0].id if found else 0, limit=1)


async def test_selecting_a_message(store: Store) -> None:
    """All recipients of one message, or those of one of its domains."""
    first, second = await accepted(store, START, "a@one.example", "b@two.example")
    await waiting(store)
    whole = Selection(message_id=first.message_id)
    assert [first, second] == await store.queued(whole)
    assert [second] == await store.queued(dataclasses.replace(whole, domain="two.example"))
    assert 2 == await store.hold(whole, HOLD, now=START, limit=9)


async def test_portions(store: Store) -> None:
    """Each call does as many as it may, until none are left: however many there are, no transaction is long."""
    for number in range(7):
        await waiting(store, f"u{number}@r.example")
    site = Selection(sites=("r.example",))
    forever = dataclasses.replace(HOLD, until=None)
    assert [3, 3, 1, 0] == [await store.hold(site, forever, now=START, limit=3) for _ in range(4)]
    assert [4, 3, 0] == [await store.release(site, by="ada", now=START, limit=4) for _ in range(3)]
    assert 7 == len(await claimable(store, START))


async def test_what_is_stuck(store: Store) -> None:
    """What was due before then and nobody took up is told so once, with an event; who delivers it needs no more than before."""
    due = await delayed(store, next_at=START + MINUTE)
    (lapsed,) = await accepted(store, START, lease_owner="w1", lease_until=START + MINUTE)
    await accepted(store, START, lease_owner="w1", lease_until=START + 2 * HOUR)
    await waiting(store, next_at=START + HOUR)
    now = START + HOUR
    assert [] == await store.mark_stuck(now, due_before=START + MINUTE - 1, limit=9)
    marked = await store.mark_stuck(now, due_before=START + MINUTE, limit=9)
    assert [
        (due.id, Status.DELAYED, Cause.STUCK, Cause.GREYLISTED),
        (lapsed.id, Status.QUEUED, Cause.STUCK, None),
    ] == [(one.id, one.status, one.cause, one.underlying_cause) for one in marked]
    assert marked[0] == await now_of(store, due)
    (fact,) = await facts(store, due, EventKind.STUCK)
    assert isinstance(fact, Stuck)
    assert (START + MINUTE, "due for 59 minutes, and no worker has taken it up") == (fact.due_at, fact.text)
    assert [] == await store.mark_stuck(now, due_before=START + MINUTE, limit=9)
    assert due.id in await claimable(store, now)


async def test_stuck_then_held(store: Store) -> None:
    """The cause that a receiver gave stays the underlying one through all that Waybill does with the delivery."""
    one = await delayed(store, next_at=START)
    await store.mark_stuck(START + HOUR, due_before=START, limit=9)
    await store.hold(ALL, dataclasses.replace(HOLD, until=None), now=START + HOUR, limit=9)
    assert Cause.GREYLISTED is (await now_of(store, one)).underlying_cause
    await store.release(ALL, by="ada", now=START + HOUR, limit=9)
    assert Cause.GREYLISTED is (await now_of(store, one)).cause


async def test_the_queue_by_site(store: Store) -> None:
    """By site, the fullest first: what waits, is held, is in a worker's hands, is due; since when, until when, and why."""
    await store.remember_sites({"one.example": "google", "two.example": "google"})
    await waiting(store, "a@one.example")
    await delayed(store, "b@two.example", next_at=START + 9 * MINUTE)
    held = await delayed(store, "c@two.example")
    (leased,) = await accepted(store, START + 5, "d@own.example", lease_owner="w", lease_until=START + HOUR)
    forever = dataclasses.replace(HOLD, until=None)
    await store.hold(Selection(message_id=held.message_id), forever, now=START, limit=1)
    google = SiteQueue(
        site="google",
        waiting=3,
        held=1,
        under_lease=0,
        due=1,
        oldest_at=START,
        next_at=START,
        causes={"greylisted": 2},
    )
    own = SiteQueue(
        site="own.example", waiting=1, held=0, under_lease=1, due=0, oldest_at=START + 5, next_at=None, causes={}
    )
    assert [google, own] == await store.queue_by_site(START + MINUTE)
    assert [google] == await store.queue_by_site(START + MINUTE, limit=1)
    assert [own] == await store.queue_by_site(START + MINUTE, selection=Selection(domain="own.example"))
    (part,) = await store.queue_by_site(START + MINUTE, selection=Selection(held=True))
    assert ("google", 1, None) == (part.site, part.waiting, part.next_at)
    await store.settle(attempted(leased, Status.BOUNCED, START + MINUTE))
    assert ["google"] == [one.site for one in await store.queue_by_site(START + 2 * HOUR)]
