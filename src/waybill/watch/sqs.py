"""Takes Amazon SES's events from an SQS queue: a long poll, one transaction for each batch, and only then the delete."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from waybill.store.elsewhere import Elsewhere, Reported, TakenIn
from waybill.watch.aws import Ask, NotAsked
from waybill.watch.stream import Fault, Skipped, read_document

BATCH = 10
"""SQS gives at most so many at once."""

LONG_POLL = 10
_REGION = re.compile(r"https?://(?:sqs\.([a-z0-9-]+)\.amazonaws\.com|([a-z0-9-]+)\.queue\.amazonaws\.com)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Drained:
    """One batch: what was taken in, which reports, and what could not be read (it stays in the queue, for its redrive policy)."""

    taken: TakenIn
    reports: tuple[Reported, ...]
    aside: int
    faults: tuple[str, ...]


NOTHING = Drained(taken=TakenIn(), reports=(), aside=0, faults=())
"""A poll that found the queue empty."""


def region_of_queue(url: str) -> str | None:
    """The AWS region in a queue's URL."""
    match = _REGION.match(url)
    return (match[1] or match[2]) if match else None


async def drain(ask: Ask, url: str, store: Elsewhere, *, stop: asyncio.Event, once: bool) -> AsyncIterator[Drained]:
    """Batches, each on disk and deleted from the queue when it is given, or ``NOTHING`` after a poll in vain; ``once`` ends when the queue is empty, ``stop`` after the poll under way.

    Raises:
        NotAsked: SQS cannot be asked.
        StoreUnavailable: nothing of the batch is written, and it stays in the queue.
    """
    while not stop.is_set():
        wait = 1 if once else LONG_POLL
        answer = await asyncio.to_thread(
            ask, "sqs", "receive_message", QueueUrl=url, MaxNumberOfMessages=BATCH, WaitTimeSeconds=wait
        )
        messages: list[dict[str, Any]] = answer.get("Messages") or []
        if messages:
            yield await _take(ask, url, store, messages)
        elif once:
            return
        else:
            yield NOTHING


async def _take(ask: Ask, url: str, store: Elsewhere, messages: list[dict[str, Any]]) -> Drained:
    reports: list[Reported] = []
    faults: list[str] = []
    done: list[dict[str, str]] = []
    aside = 0
    for number, message in enumerate(messages):
        found = await asyncio.to_thread(_read, str(message.get("Body", "")))
        wrong = [one.text for one in found if isinstance(one, Fault)]
        faults += [f"message {message.get('MessageId')}: {text}" for text in wrong]
        reports += [one for one in found if isinstance(one, Reported)]
        aside += sum(isinstance(one, Skipped) for one in found)
        if not wrong:
            done.append({"Id": str(number), "ReceiptHandle": str(message.get("ReceiptHandle", ""))})
    taken = await store.take_in(reports)
    if done:
        answer = await asyncio.to_thread(ask, "sqs", "delete_message_batch", QueueUrl=url, Entries=done)
        for failure in answer.get("Failed") or ():  # it comes again, and is known then
            faults.append(f"not deleted from the queue: {failure.get('Code')}")
    return Drained(taken=taken, reports=tuple(reports), aside=aside, faults=tuple(faults))


def _read(body: str) -> list[Reported | Fault | Skipped]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return [Fault(line=1, text=f"not JSON: {body[:60]!r}")]
    return list(read_document(document))


__all__ = ["Drained", "NotAsked", "drain", "region_of_queue"]
