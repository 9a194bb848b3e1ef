"""Random lives of messages against a small model of what the store must say of them."""

import asyncio
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.store.builders import START, accepted, attempted
from tests.store.conformance import ENGINES, FakeClock
from waybill.model.clock import HOUR, MINUTE, Instant
from waybill.model.message import OPEN_STATUSES, Delivery, Status
from waybill.store.protocol import LeaseLost, Search, Store

WORKERS = ("w1", "w2")
FATES = (Status.DELIVERED, Status.DELAYED, Status.BOUNCED)

STEPS = st.one_of(
    st.tuples(st.just("accept"), st.integers(1, 3), st.sampled_from([*WORKERS, None])),
    st.tuples(st.just("claim"), st.integers(1, 3), st.sampled_from(WORKERS)),
    st.tuples(st.just("settle"), st.integers(0, 9), st.sampled_from(FATES)),
    st.tuples(st.just("wait"), st.integers(0, 300), st.none()),
)


@dataclass(kw_only=True, slots=True)
class Expected:
    """What a delivery must be."""

    status: Status = Status.QUEUED
    owner: str | None = None
    until: Instant = 0
    next_at: Instant = START
    expires_at: Instant = 0
    events: int = 1


@dataclass(kw_only=True, slots=True)
class Model:
    """The statuses and leases that the steps make, and what each worker believes it holds."""

    now: Instant = START
    expected: dict[int, Expected] = field(default_factory=dict)
    held: list[Delivery] = field(default_factory=list)

    async def accept(self, store: Store, recipients: int, owner: str | None) -> None:
        until = self.now + MINUTE if owner else None
        names = [f"u{number}@r.example" for number in range(recipients)]
        for one in await accepted(store, self.now, *names, lease_owner=owner, lease_until=until):
            self.expected[one.id] = Expected(owner=owner, until=until or 0, next_at=self.now, expires_at=one.expires_at)
            if owner:
                self.held.append(one)

    async def claim(self, store: Store, limit: int, worker: str) -> None:
        free = {
            key
            for key, one in self.expected.items()
            if one.status in OPEN_STATUSES and max(one.next_at, one.until) <= self.now < one.expires_at
        }
        claims = await store.claim(worker, self.now, limit=limit, lease_until=self.now + MINUTE)
        taken = {claim.delivery.id for claim in claims}
        assert len(claims) == len(taken) == min(limit, len(free))
        assert taken <= free
        for claim in claims:
            one = self.expected[claim.delivery.id]
            one.events += one.owner not in (None, worker)  # it was taken over
            one.owner, one.until = worker, self.now + MINUTE
            self.held.append(claim.delivery)

    async def settle(self, store: Store, which: int, status: Status) -> None:
        if not self.held:
            return
        delivery = self.held.pop(which % len(self.held))
        one = self.expected[delivery.id]
        try:
            await store.settle(attempted(delivery, status, self.now))
        except LeaseLost:
            assert one.owner != delivery.lease_owner
        else:
            assert one.owner == delivery.lease_owner
            one.status, one.owner, one.until = status, None, 0
            one.next_at, one.events = self.now + HOUR, one.events + 1

    async def wait(self, store: Store, minutes: int, _: None) -> None:
        self.now += minutes * MINUTE


async def live(store: Store, steps: list[tuple[str, int, str | Status | None]]) -> None:
    model = Model()
    for name, number, word in steps:
        await getattr(model, name)(store, number, word)
    found = {one.delivery.id: one.delivery for one in await store.find(Search(limit=1000))}
    assert {key: (one.status, one.owner) for key, one in model.expected.items()} == {
        key: (one.status, one.lease_owner) for key, one in found.items()
    }
    for key, one in model.expected.items():
        ledger = await store.ledger(found[key].message_id)
        assert ledger is not None
        assert one.events == sum(event.recipient in (None, found[key].recipient) for event in ledger.events)
    counted = (await store.health()).deliveries
    statuses = [one.status for one in model.expected.values()]
    assert {status: statuses.count(status) for status in Status} == counted


@settings(max_examples=40, deadline=None)
@given(steps=st.lists(STEPS, max_size=25))
def test_random_lives(steps: list[tuple[str, int, str | Status | None]]) -> None:
    """Whatever is accepted, claimed and settled in whatever order: statuses, leases, events and counts agree."""

    async def run(name: str, folder: Path) -> None:
        engine = ENGINES[name](folder=folder, clock=FakeClock())
        try:
            await live(await engine.open(), steps)
        finally:
            await engine.close()

    for name in ENGINES:
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(run(name, Path(folder)))
