"""Claiming: every due delivery is leased to one worker at a time."""

import asyncio
import dataclasses

import pytest

from tests.store.builders import ACCOUNT, START, acceptance, accepted, attempted, message, new_delivery
from tests.store.conformance import Engine
from waybill.model.clock import HOUR, MINUTE
from waybill.model.event import EventKind, Fact, TakenOver
from waybill.model.message import Delivery, Status
from waybill.store.protocol import LeaseLost, Store
from waybill.store.queueing import Skip


async def test_a_claim_holds_all_it_takes(store: Store) -> None:
    """A claim has the delivery with its new lease, the message and the content."""
    asked = acceptance(START, "a@r.example", "b@r.example", content=b"\x00\xff bytes")
    await store.accept(asked)
    claims = await store.claim("w1", START, limit=10, lease_until=START + MINUTE)
    assert [claim.delivery.recipient for claim in claims] == ["a@r.example", "b@r.example"]
    for claim in claims:
        assert (asked.message, b"\x00\xff bytes") == (claim.message, claim.content)
        assert (claim.delivery.lease_owner, claim.delivery.lease_until) == ("w1", START + MINUTE)
        assert claim.delivery == await store.delivery(claim.delivery.id)


async def test_longest_due_first_within_the_limit(store: Store) -> None:
    """Deliveries are claimed in the order they are due, those not yet due not at all."""
    for minutes in (3, 1, 9, 2):
        await accepted(store, deliveries=(new_delivery(f"u{minutes}@r.example", next_at=START + minutes * MINUTE),))
    now = START + 5 * MINUTE
    first = await store.claim("w1", now, limit=2, lease_until=now + MINUTE)
    second = await store.claim("w1", now, limit=2, lease_until=now + MINUTE)
    assert [[claim.delivery.recipient for claim in claims] for claims in (first, second)] == [
        ["u1@r.example", "u2@r.example"],
        ["u3@r.example"],
    ]
    assert await store.claim("w1", now, limit=2, lease_until=now + MINUTE) == []


async def test_the_lease_given_at_accept(store: Store) -> None:
    """A delivery accepted under a lease is free when the lease has run out, not before."""
    (delivery,) = await accepted(store, lease_owner="w1", lease_until=START + MINUTE)
    assert await store.claim("w2", START + MINUTE - 1, limit=1, lease_until=START + HOUR) == []
    (claim,) = await store.claim("w2", START + MINUTE, limit=1, lease_until=START + HOUR)
    assert delivery.id == claim.delivery.id


async def test_fencing(engine: Engine) -> None:
    """Who has lost a lease to another cannot settle any more; the one who holds it can."""
    store, other = await engine.open(), await engine.open()
    (delivery,) = await accepted(store, lease_owner="w1", lease_until=START + MINUTE)
    (claim,) = await other.claim("w2", START + MINUTE, limit=1, lease_until=START + HOUR)
    with pytest.raises(LeaseLost, match="held by w2"):
        await store.settle(attempted(delivery, Status.DELIVERED, START + MINUTE))
    await other.settle(attempted(claim.delivery, Status.BOUNCED, START + MINUTE))
    with pytest.raises(LeaseLost, match="held by nobody"):
        await store.settle(attempted(delivery, Status.DELIVERED, START + MINUTE))
    ledger = await store.ledger(delivery.message_id)
    assert ledger is not None
    assert (ledger.deliveries[0].status, [event.kind for event in ledger.events]) == (
        Status.BOUNCED,
        [EventKind.ACCEPTED, EventKind.TAKEN_OVER, EventKind.BOUNCED],
    )


async def test_a_lease_run_out_but_not_taken_over_still_settles(store: Store) -> None:
    """As long as nobody else has it, a late worker's result is good."""
    (delivery,) = await accepted(store, lease_owner="w1", lease_until=START + 1)
    await store.settle(attempted(delivery, Status.DELIVERED, START + HOUR))
    settled = await store.delivery(delivery.id)
    assert settled is not None
    assert Status.DELIVERED is settled.status


async def test_renew(store: Store) -> None:
    """A worker prolongs the leases it holds, not those of others and not of what is final."""
    (mine,) = await accepted(store, lease_owner="w1", lease_until=START + MINUTE)
    (other,) = await accepted(store, lease_owner="w2", lease_until=START + MINUTE)
    (done,) = await accepted(store, lease_owner="w1", lease_until=START + MINUTE)
    await store.settle(attempted(done, Status.DELIVERED, START))
    await store.renew("w1", [mine.id, other.id, done.id, done.id + 1], START + HOUR)
    leases = [one and one.lease_until for one in [await store.delivery(one.id) for one in (mine, other, done)]]
    assert leases == [START + HOUR, START + MINUTE, None]
    claims = await store.claim("w3", START + MINUTE, limit=9, lease_until=START + HOUR)
    assert [other.id] == [claim.delivery.id for claim in claims]


async def test_overdue(store: Store) -> None:
    """A delivery past its expiry that nobody holds is leased once for its end, and no longer claimed to be sent."""
    (held,) = await accepted(
        store,
        deliveries=(new_delivery("held@r.example", expires_at=START + HOUR),),
        lease_owner="w1",
        lease_until=START + 2 * HOUR,
    )
    (waiting,) = await accepted(store, deliveries=(new_delivery(expires_at=START + HOUR, next_at=START + 3 * HOUR),))
    lease = START + 2 * HOUR
    assert await store.overdue("w2", START + HOUR - 1, limit=9, lease_until=lease) == []
    (overdue,) = await store.overdue("w2", START + HOUR, limit=9, lease_until=lease)
    assert dataclasses.replace(waiting, lease_owner="w2", lease_until=lease) == overdue
    assert await store.overdue("w3", START + HOUR, limit=9, lease_until=lease) == []
    assert await store.claim("w3", START + 3 * HOUR, limit=9, lease_until=START + 4 * HOUR) == []
    both = await store.overdue("w3", lease, limit=9, lease_until=START + 4 * HOUR)
    assert [held.id, waiting.id] == sorted(one.id for one in both)


async def test_two_stores_never_claim_the_same(engine: Engine) -> None:
    """Workers that claim at the same time through two stores share the deliveries without overlap, and leave none."""
    stores = [await engine.open(), await engine.open()]
    for _ in range(20):
        await accepted(stores[0], START, *(f"u{number}@r.example" for number in range(5)))

    async def work(name: str, store: Store) -> list[int]:
        mine: list[int] = []
        while claims := await store.claim(name, START, limit=3, lease_until=START + MINUTE):
            mine += [claim.delivery.id for claim in claims]
        return mine

    claimed = await asyncio.gather(*(work(f"w{number}", stores[number % 2]) for number in range(6)))
    every = [delivery_id for mine in claimed for delivery_id in mine]
    assert 100 == len(every) == len(set(every))


async def test_nothing_is_claimed_without_need(store: Store) -> None:
    """An empty queue gives nothing, and a limit of zero takes nothing."""
    assert await store.claim("w1", START, limit=9, lease_until=START + 1) == []
    assert await store.overdue("w1", START, limit=9, lease_until=START + 1) == []
    await accepted(store)
    assert await store.claim("w1", START, limit=0, lease_until=START + 1) == []


async def test_domains_that_are_skipped(store: Store) -> None:
    """A claim leaves the domains that the worker has enough of."""
    await accepted(store, START, "a@full.example", "b@Full.example", "c@other.example")
    claims = await store.claim(
        "w1", START, limit=10, lease_until=START + MINUTE, skip=Skip(domains=("full.example", "x.example"))
    )
    assert ["c@other.example"] == [claim.delivery.recipient for claim in claims]
    assert 2 == len(await store.claim("w1", START, limit=10, lease_until=START + MINUTE))


async def test_accounts_that_are_skipped(store: Store) -> None:
    """A claim leaves the accounts that the worker has enough of."""
    await accepted(store, START, "a@r.example")
    await accepted(store, message=message(account="200000000002"))
    claims = await store.claim("w1", START, limit=10, lease_until=START + MINUTE, skip=Skip(accounts=(ACCOUNT, "x")))
    assert ["200000000002"] == [claim.delivery.account for claim in claims]


async def facts(store: Store, delivery: Delivery) -> list[Fact]:
    ledger = await store.ledger(delivery.message_id)
    assert ledger is not None
    return [event.fact for event in ledger.events[1:]]


@pytest.mark.parametrize("was_sending", [True, False, None])
async def test_what_a_dead_worker_had_in_hand(store: Store, was_sending: bool | None) -> None:
    """Who claims what another never settled writes down whom it took it over from, and whether that one was sending it."""
    (delivery,) = await accepted(store, lease_owner="w1", lease_until=START + MINUTE)
    asked: list[tuple[str, int]] = []

    def journal(worker: str, delivery_id: int) -> bool | None:
        asked.append((worker, delivery_id))
        return was_sending

    lease = START + 2 * MINUTE
    (claim,) = await store.claim("w2", START + MINUTE, limit=1, lease_until=lease, was_sending=journal)
    assert [("w1", delivery.id)] == asked
    assert [TakenOver(worker="w1", was_sending=was_sending)] == await facts(store, delivery)
    assert ("w2", lease) == (claim.delivery.lease_owner, claim.delivery.lease_until)


async def test_what_was_given_back_is_not_taken_over(store: Store) -> None:
    """A lease that its holder gave back leaves no trace; leases of others and of what is final stay as they are."""
    mine, other = await accepted(store, START, "a@r.example", "b@r.example", lease_owner="w1", lease_until=START + HOUR)
    await store.give_back("w2", (mine.id, other.id))
    await store.give_back("w1", (mine.id, 99))
    await store.give_back("w1", ())
    (claim,) = await store.claim("w2", START, limit=9, lease_until=START + HOUR)
    assert (mine.id, []) == (claim.delivery.id, await facts(store, mine))


async def test_a_worker_takes_over_nothing_from_itself(store: Store) -> None:
    """A worker that claims again what it had is not another; what it settled is nobody's any more."""
    (delivery,) = await accepted(store, lease_owner="w1", lease_until=START + MINUTE)
    (again,) = await store.claim("w1", START + MINUTE, limit=1, lease_until=START + 2 * MINUTE)
    await store.settle(attempted(again.delivery, Status.DELAYED, START + MINUTE, next_at=START + 2 * MINUTE))
    await store.claim("w2", START + 2 * MINUTE, limit=1, lease_until=START + HOUR)
    assert 1 == len(await facts(store, delivery))


async def test_what_a_worker_hangs_on_is_seized(store: Store) -> None:
    """What expired long enough ago is taken from a worker that keeps renewing; it cannot settle any more."""
    lease = START + 9 * HOUR
    (held,) = await accepted(
        store, deliveries=(new_delivery(expires_at=START + HOUR),), lease_owner="w1", lease_until=lease
    )
    now = START + HOUR + MINUTE
    assert await store.overdue("w2", now, limit=9, lease_until=lease) == []
    assert await store.overdue("w2", now, limit=9, lease_until=lease, seize_before=START + HOUR) == []
    (seized,) = await store.overdue("w2", now, limit=9, lease_until=lease, seize_before=START + HOUR + 1)
    assert (held.id, "w2") == (seized.id, seized.lease_owner)
    with pytest.raises(LeaseLost):
        await store.settle(attempted(held, Status.DELIVERED, now))
