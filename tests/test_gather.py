"""What is gathered around a failure: near misses, failures alike, and the findings of a message made alike."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.store.builders import START, accepted, attempted, message, new_delivery
from waybill.inquire import gather
from waybill.model.cause import Cause
from waybill.model.clock import MINUTE
from waybill.model.content import ContentExamined, Finding, Severity
from waybill.model.event import EventKind, NewEvent, RenderingFailed
from waybill.model.history import FailedAlike, OftenTaken, TakenAt
from waybill.model.message import Status
from waybill.store.examinations import Examined
from waybill.store.open import open_store
from waybill.store.protocol import Store

FINDING = Finding(id="html-only", severity=Severity.MEDIUM, text="there is no text part beside the HTML")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await open_store(f"sqlite:///{tmp_path / 'waybill.db'}", clock=lambda: START)
    yield opened
    await opened.close()


async def deliver(store: Store, recipient: str, status: Status, cause: Cause) -> str:
    (one,) = await accepted(store, START, recipient, lease_owner="w", lease_until=START + MINUTE)
    await store.settle(replace(attempted(one, status, START + 5), cause=cause))
    return one.message_id


async def test_findings_of_a_message_made_alike(store: Store) -> None:
    """They are told with the message that they were found in; where that is gone, the note alone."""
    (first,) = await accepted(store)
    (second,) = await accepted(store)
    (third,) = await accepted(store)
    whole = ContentExamined(by="waybill", findings=(FINDING,))
    copies = [ContentExamined(by="waybill", like=first.message_id), ContentExamined(by="waybill", like="gone")]
    await store.examinations.keep(
        [
            Examined(message_id=one.message_id, at=START, fact=fact)
            for one, fact in zip((first, second, third), (whole, *copies), strict=True)
        ]
    )
    told = []
    for one in (first, second, third):
        facts = await gather(store, one.message_id, START)
        assert facts is not None
        told.append(facts.events[-1].fact)
    unknown = replace(copies[1], unseen="it is made like message gone, which is not on record")
    assert [whole, replace(whole, like=first.message_id), unknown] == told


async def test_addresses_at_the_same_domain(store: Store) -> None:
    """They are looked up for a mailbox that is not there."""
    await deliver(store, "anna@r.example", Status.DELIVERED, Cause.ACCEPTED_BY_RECEIVER)
    failed = await deliver(store, "ana@r.example", Status.BOUNCED, Cause.USER_UNKNOWN)
    facts = await gather(store, failed, START + MINUTE)
    assert facts is not None
    (likeness,) = facts.likeness.values()
    assert (TakenAt(address="anna@r.example", at=START + 5),) == likeness.addresses


async def test_a_domain_of_nearly_the_same_name(store: Store) -> None:
    """It is looked up for a domain that is not there."""
    await deliver(store, "anna@firma.example", Status.DELIVERED, Cause.ACCEPTED_BY_RECEIVER)
    failed = await deliver(store, "anna@frima.example", Status.BOUNCED, Cause.DOMAIN_NOT_FOUND)
    facts = await gather(store, failed, START + MINUTE)
    assert facts is not None
    (likeness,) = facts.likeness.values()
    assert OftenTaken(domain="firma.example", messages=1) == likeness.domain


async def test_failures_alike(store: Store) -> None:
    """They are counted once for a message, whoever its recipients are; a message that is well is asked nothing about."""
    fact = RenderingFailed(
        cause=Cause.TEMPLATE_VARIABLE_MISSING, error="no x", template="t", template_version=3, variable="x"
    )
    ids = []
    for number in range(2):
        asked = message(START + number)
        deliveries = tuple(
            new_delivery(f"{name}@r.example", status=Status.RENDERING_FAILED, cause=fact.cause) for name in "ab"
        )
        event = NewEvent(kind=EventKind.RENDERING_FAILED, at=START + number, fact=fact)
        await accepted(store, START, message=asked, content=None, deliveries=deliveries, events=(event,))
        ids.append(asked.id)
    facts = await gather(store, ids[1], START + MINUTE)
    assert facts is not None
    alike = FailedAlike(messages=1, since=START, versions=(3,))
    assert [alike, alike] == [likeness.failed for likeness in facts.likeness.values()]
    well = await deliver(store, "a@r.example", Status.DELIVERED, Cause.ACCEPTED_BY_RECEIVER)
    facts = await gather(store, well, START + MINUTE)
    assert facts is not None
    assert {} == facts.likeness
