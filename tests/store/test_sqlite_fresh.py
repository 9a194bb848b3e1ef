"""Notices that the process which wrote them goes on with, without reading them again."""

import dataclasses
from typing import Any

import pytest

from tests.store.builders import START, acceptance, accepted, attempted, message
from tests.store.conformance import Engine
from waybill.model.clock import MINUTE
from waybill.model.message import Status
from waybill.store.protocol import AlreadyExists, Notice, NoticeResult, Store
from waybill.store.sqlite.fresh import FRESH, LEASE, MOST_NOTICES, Fresh

LEASED: dict[str, Any] = {"lease_owner": "w", "lease_until": START + MINUTE}


async def due(store: Store, now: int = START, limit: int = 99) -> list[Notice]:
    return await store.claim_notices("w", now, limit=limit, lease_until=now + MINUTE)


async def test_as_if_it_had_been_read(engine: Engine) -> None:
    """What the publisher gets without reading is what another process would read, field by field."""
    store, other = await engine.open(file_events=True), await engine.open()
    (delivery,) = await accepted(store, **LEASED)
    settled = attempted(delivery, Status.DELIVERED, START)
    await store.settle(dataclasses.replace(settled, lease_owner="w"))
    fresh = await due(store)
    assert 2 == len(fresh)
    assert fresh == await due(other, START + LEASE)


async def test_leased_from_the_beginning(engine: Engine) -> None:
    """Nobody else gets such a notice until its lease is over; then it is anybody's."""
    store, other = await engine.open(file_events=True), await engine.open()
    await accepted(store, **LEASED)
    assert [] == await due(other, START + LEASE - 1)
    assert 1 == len(await due(other, START + LEASE))


async def test_too_old_to_begin_with(engine: Engine) -> None:
    """One that has waited long is left to its lease: it could end under the publisher's hands."""
    store = await engine.open(file_events=True)
    await accepted(store, **LEASED)
    assert [] == await due(store, START + FRESH)
    assert 1 == len(await due(store, START + LEASE))


async def test_nobody_goes_on_with_it(engine: Engine) -> None:
    """A message that no worker holds makes notices for whoever comes first."""
    store, other = await engine.open(file_events=True), await engine.open()
    await accepted(store)
    assert 1 == len(await due(other))


async def test_settled_without_holding_it(engine: Engine) -> None:
    """An event of a message that this process has not accepted is read from disk."""
    store, other = await engine.open(file_events=True), await engine.open(file_events=True)
    (delivery,) = await accepted(store, **LEASED)
    await other.settle(dataclasses.replace(attempted(delivery, Status.DELIVERED, START), lease_owner="w"))
    assert [delivery.message_id] == [notice.message.id for notice in await due(other) if notice.message]


async def test_what_was_undone_is_not_told(engine: Engine) -> None:
    """Acceptances that fail leave no notice behind, and the next message gets ids that nobody has heard of."""
    store = await engine.open(file_events=True)
    taken = message()
    await accepted(store, message=taken)
    await due(store)
    with pytest.raises(AlreadyExists):
        await store.accept(acceptance(message=taken, **LEASED))
    assert [] == await due(store)
    await accepted(store, **LEASED)
    (notice,) = await due(store)
    await store.settle_notices([NoticeResult(notice_id=notice.id)])
    assert (await store.health()).notices == 1


async def test_due_ones_are_not_forgotten(engine: Engine) -> None:
    """However many are fresh, what is due on disk comes first."""
    store = await engine.open(file_events=True)
    old = message()
    await accepted(store, message=old)
    for _ in range(3):
        await accepted(store, **LEASED)
    (first, second) = await due(store, limit=2)
    assert first.message == old
    assert second.message != old
    assert 2 == len(await due(store))


def test_bounded() -> None:
    """A publisher that cannot follow finds the rest on disk."""
    fresh = Fresh(lambda: START)
    notice = Notice.__new__(Notice)
    assert START + LEASE == fresh.lease_until()
    fresh.add([notice] * MOST_NOTICES)
    assert fresh.lease_until() is None
    assert 10 == len(fresh.take(START, 10))
    assert START + LEASE == fresh.lease_until()
