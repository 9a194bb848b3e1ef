"""What is like something: failures that many messages share, addresses and domains that took mail before."""

import dataclasses
from typing import Any

from tests.store.builders import ACCOUNT, START, accepted, attempted, message, new_delivery
from waybill.model.cause import Cause
from waybill.model.clock import DAY, MINUTE
from waybill.model.event import EventKind, NewEvent, RenderingFailed
from waybill.model.history import FailedAlike, OftenTaken, TakenAt
from waybill.model.message import Status
from waybill.store.protocol import Store

FACT = RenderingFailed(
    cause=Cause.TEMPLATE_VARIABLE_MISSING,
    error="Attribute 'name' is not present in the rendering data.",
    template="order",
    template_version=7,
    variable="name",
)


async def failed(store: Store, at: int, account: str = ACCOUNT, **changes: Any) -> str:
    fact = dataclasses.replace(FACT, **changes)
    asked = message(at, account=account)
    one = new_delivery("bob@receiver.example", at, status=Status.RENDERING_FAILED, cause=fact.cause)
    events = (NewEvent(kind=EventKind.RENDERING_FAILED, at=at, fact=fact),)
    await accepted(store, at, message=asked, content=None, deliveries=(one,), events=events)
    return asked.id


async def test_failed_alike(store: Store) -> None:
    """The same template and variable, of this account, since then, without the message itself."""
    own = await failed(store, START + 9)
    assert None is await store.likenesses.failed_alike(ACCOUNT, own, FACT, START)
    await failed(store, START - 1)
    await failed(store, START + 2)
    await failed(store, START + 3, template_version=6)
    await failed(store, START + 4, variable="order_id")
    await failed(store, START + 5, template="other")
    await failed(store, START + 6, account="100000000002")
    expected = FailedAlike(messages=2, since=START + 2, versions=(6, 7))
    assert expected == await store.likenesses.failed_alike(ACCOUNT, own, FACT, START)


async def test_failed_alike_without_variable_or_template(store: Store) -> None:
    """Then the words must be the same; inline templates are like each other."""
    changes: dict[str, Any] = {"template": None, "template_version": None, "variable": None, "error": "no JSON"}
    own = await failed(store, START + 9, **changes)
    await failed(store, START + 1, **changes)
    await failed(store, START + 1, **changes | {"error": "other"})
    fact = dataclasses.replace(FACT, **changes)
    expected = FailedAlike(messages=1, since=START + 1)
    assert expected == await store.likenesses.failed_alike(ACCOUNT, own, fact, START)


async def deliver(
    store: Store, recipient: str, at: int, status: Status = Status.DELIVERED, account: str = ACCOUNT
) -> None:
    (delivery,) = await accepted(
        store, at, recipient, message=message(at, account=account), lease_owner="w", lease_until=at + MINUTE
    )
    await store.settle(attempted(delivery, status, at + 5))


async def test_taken_at(store: Store) -> None:
    """Addresses of the domain that took this account's mail, with the last time, the newest first."""
    await deliver(store, "anna@r.example", START)
    await deliver(store, "bob@r.example", START + DAY)
    await deliver(store, "anna@r.example", START + 2 * DAY)
    await deliver(store, "eve@r.example", START, Status.BOUNCED)
    await deliver(store, "zoe@r.example", START, account="100000000002")
    await deliver(store, "max@other.example", START)
    expected = [
        TakenAt(address="anna@r.example", at=START + 2 * DAY + 5),
        TakenAt(address="bob@r.example", at=START + DAY + 5),
    ]
    assert expected == await store.likenesses.taken_at(ACCOUNT, "r.example")


async def test_often_taken(store: Store) -> None:
    """Of these domains the one that took the most; only what arrived counts."""
    names = ["firma.example", "frma.example", "unknown.example"]
    assert None is await store.likenesses.often_taken(ACCOUNT, names)
    for _ in range(2):
        await deliver(store, "a@firma.example", START)
        await deliver(store, "a@frma.example", START, Status.BOUNCED)
    await deliver(store, "a@frma.example", START)
    assert OftenTaken(domain="firma.example", messages=2) == await store.likenesses.often_taken(ACCOUNT, names)
    assert None is await store.likenesses.often_taken("100000000002", names)
