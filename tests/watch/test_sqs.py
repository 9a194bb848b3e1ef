"""The queue is asked until it is time to stop, and nothing is deleted that is not on disk."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.watch import events
from waybill.model.clock import now
from waybill.store.elsewhere import Reported, TakenIn
from waybill.store.protocol import Store, StoreUnavailable
from waybill.store.sqlite import open_sqlite
from waybill.watch.sqs import NOTHING, drain, region_of_queue


class Sqs:
    """A queue whose polls are listed; ``deleted`` are the receipts that came back."""

    def __init__(self, *polls: list[str]) -> None:
        self.polls = [*polls]
        self.deleted: list[str] = []
        self.fails_to_delete = False

    def __call__(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        if operation == "receive_message":
            bodies = self.polls.pop(0) if self.polls else []
            return {"Messages": [{"Body": body, "ReceiptHandle": body[-9:], "MessageId": "m"} for body in bodies]}
        self.deleted += [entry["ReceiptHandle"] for entry in parameters["Entries"]]
        return {"Failed": [{"Code": "Throttled"}]} if self.fails_to_delete else {}


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = await open_sqlite(tmp_path / "waybill.db", clock=now)
    yield store
    await store.close()


async def test_it_goes_on_until_it_is_stopped(store: Store) -> None:
    """A poll in vain is no end; the stop is."""
    sqs, stop, seen = Sqs([], [json.dumps(events.bounce())], []), asyncio.Event(), []
    async for batch in drain(sqs, "u", store, stop=stop, once=False):
        seen.append(batch)
        if len(seen) == 3:
            stop.set()
    assert [0, 1, 0] == [batch.taken.new for batch in seen]
    assert NOTHING == seen[0] == seen[2]
    assert 1 == len(sqs.deleted)


async def test_once_ends_with_the_queue(store: Store) -> None:
    """After the first poll in vain."""
    sqs = Sqs([json.dumps(events.send())], [json.dumps(events.in_sns(events.bounce()))])
    taken = [batch.taken async for batch in drain(sqs, "u", store, stop=asyncio.Event(), once=True)]
    assert [TakenIn(new=1), TakenIn(new=1)] == taken


async def test_what_is_not_on_disk_stays_in_the_queue() -> None:
    """The store cannot be written: nothing is deleted."""

    class Gone:
        async def take_in(self, reports: Sequence[Reported]) -> TakenIn:
            raise StoreUnavailable("disk full")

    sqs = Sqs([json.dumps(events.send())])
    with pytest.raises(StoreUnavailable):
        await anext(drain(sqs, "u", Gone(), stop=asyncio.Event(), once=True))
    assert [] == sqs.deleted


async def test_what_could_not_be_deleted_is_said(store: Store) -> None:
    """It comes again, and is known then."""
    sqs = Sqs([json.dumps(events.send())])
    sqs.fails_to_delete = True
    (batch,) = [one async for one in drain(sqs, "u", store, stop=asyncio.Event(), once=True)]
    assert ("not deleted from the queue: Throttled",) == batch.faults


@pytest.mark.parametrize(
    ("url", "region"),
    [
        ("https://sqs.eu-west-1.amazonaws.com/123456789012/q", "eu-west-1"),
        ("https://eu-west-1.queue.amazonaws.com/123456789012/q", "eu-west-1"),
        ("http://127.0.0.1:5000/123456789012/q", None),
    ],
)
def test_the_region_is_in_the_url(url: str, region: str | None) -> None:
    """Of AWS's own queues."""
    assert region == region_of_queue(url)
