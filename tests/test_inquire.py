"""What a person may type to find a message."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.explain.life import MESSAGE_ID, START, message
from waybill.explain import to_json
from waybill.inquire import Asked, find_asked, find_id, gather, inquire
from waybill.model.cause import Cause
from waybill.model.clock import MINUTE, Instant
from waybill.model.event import Accepted, EventKind, NewEvent, Refused
from waybill.model.message import Status, new_message_id
from waybill.store.open import open_store
from waybill.store.protocol import Acceptance, LimitReached, NewDelivery, Store

REQUEST_ID = "0e3f8a52-97b1-4a43-8f4b-0f4be7d83c10"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await open_store(f"sqlite:///{tmp_path / 'waybill.db'}", clock=lambda: START)
    yield opened
    await opened.close()


async def accept(store: Store, message_id: str, at: Instant, *recipients: str) -> None:
    result = await store.accept(
        Acceptance(
            message=message(id=message_id, accepted_at=at, destination=recipients),
            content=b"content",
            deliveries=tuple(
                NewDelivery(recipient=one, status=Status.QUEUED, cause=None, expires_at=at + MINUTE)
                for one in recipients
            ),
            events=(NewEvent(kind=EventKind.ACCEPTED, at=at, fact=Accepted()),),
        )
    )
    assert not isinstance(result, LimitReached)


async def refuse(store: Store, recipient: str, at: Instant) -> None:
    fact = Refused(cause=Cause.ADDRESS_INVALID, code="BadRequestException", text="Missing domain")
    await store.accept(
        Acceptance(
            message=message(id=REQUEST_ID, accepted_at=at, destination=(recipient,)),
            content=None,
            deliveries=(
                NewDelivery(recipient=recipient, status=Status.REFUSED, cause=Cause.ADDRESS_INVALID, expires_at=at),
            ),
            events=(NewEvent(kind=EventKind.REFUSED, at=at, fact=fact),),
        )
    )


@pytest.mark.parametrize(
    "key",
    [
        MESSAGE_ID,
        f"  {MESSAGE_ID}\n",
        f"<{MESSAGE_ID}@bounce.shop.example>",
        f"{MESSAGE_ID}@bounce.shop.example",
        f"<{MESSAGE_ID}>",
    ],
)
async def test_by_id(store: Store, key: str) -> None:
    """The id, bare or as the Message-ID field has it, means the message with all its recipients."""
    await accept(store, MESSAGE_ID, START, "a@firma.example", "b@firma.example")
    assert Asked(message_id=MESSAGE_ID) == await find_asked(store, key)
    told = await inquire(store, key, START + MINUTE)
    assert told is not None
    assert ["a@firma.example", "b@firma.example"] == [one.recipient for one in told.recipients]


@pytest.mark.parametrize("key", ["b@firma.example", "b@FIRMA.example", "<b@firma.example>", "Bo B <b@firma.example>"])
async def test_by_address(store: Store, key: str) -> None:
    """An address means the newest message to it, and tells of this recipient alone."""
    newer = new_message_id(START + 1)
    await accept(store, MESSAGE_ID, START, "b@firma.example")
    await accept(store, newer, START + 1, "a@firma.example", "b@firma.example")
    told = await inquire(store, key, START + MINUTE)
    assert told is not None
    assert newer == told.message_id
    assert ["b@firma.example"] == [one.recipient for one in told.recipients]


async def test_refused_request(store: Store) -> None:
    """A refused request is found by its request id, and by its recipient as the client wrote it."""
    await refuse(store, "Anna <anna@>", START)
    assert REQUEST_ID == await find_id(store, REQUEST_ID)
    assert REQUEST_ID == await find_id(store, "Anna <anna@>")
    told = await inquire(store, REQUEST_ID, START)
    assert told is not None
    assert "refused" == to_json(told)["recipients"][0]["status"]


@pytest.mark.parametrize(
    "key", ["", "  ", "nothing", "<>", "@", "@firma.example", "nobody@firma.example", "a\x00@b", "ü@ß"]
)
async def test_not_found(store: Store, key: str) -> None:
    """What the ledger does not know is None, whatever was typed."""
    await accept(store, MESSAGE_ID, START, "a@firma.example")
    assert None is await inquire(store, key, START)
    assert None is await find_id(store, key)


async def test_gather_nothing(store: Store) -> None:
    """There are no facts about an unknown message."""
    assert None is await gather(store, MESSAGE_ID, START)
