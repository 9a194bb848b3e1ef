"""The lane beside the sending in which contents are examined: by our own rules, and by the filters that are configured.

Nothing waits for it. It takes contents from memory while they are there, since the store deletes them once all is delivered.
One examination does for all copies of a mailing, and what has to be read in full is read a tenth of the time at most.
"""

import asyncio
import contextlib
import logging
import time
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from waybill.mail.lint import Circumstances, examine
from waybill.mail.lint.make import make_of
from waybill.model.clock import HOUR, Clock, Instant
from waybill.model.content import ContentExamined, Finding
from waybill.model.message import Message
from waybill.net.content_filter import ContentFilter
from waybill.queue.filters import FilterLane
from waybill.queue.trouble import Watch
from waybill.store.examinations import Examined
from waybill.store.protocol import Claim, Store, StoreUnavailable

log = logging.getLogger(__name__)

EXAMINER = "waybill"
POLL = 0.5
"""Seconds between looks at what has come, so that many are written in one transaction."""

SHARE = 10
"""After a full examination the lane rests until it was at work for one part in so many."""

REMEMBERED_FOR = HOUR
MOST_MAKES = 2_000
MOST_RECENT = 10_000
MOST_WAITING = 20_000
MOST_OCTETS = 64 * 1024 * 1024
MOST_UNWRITTEN = 10_000
_BATCH = 200
_AT_A_STRETCH = 10
_HEAVY = 64 * 1024
_LAST_SECONDS = 5.0

_TOO_MUCH = ContentExamined(by=EXAMINER, unseen="more mail was leaving than could be examined beside the sending")


class LinkLists(Protocol):
    """Lists of domains that links must not lead to."""

    async def judge(self, hosts: Sequence[str]) -> tuple[Finding, ...]:
        """What the lists say against the hosts. Raises nothing."""


class NoLists:
    """No list is configured."""

    async def judge(self, hosts: Sequence[str]) -> tuple[Finding, ...]:  # noqa: ARG002 - LinkLists
        return ()


@dataclass(frozen=True, kw_only=True, slots=True)
class ExamineParts:
    """What the lane works with."""

    store: Store
    clock: Clock
    watch: Watch
    filters: tuple[ContentFilter, ...] = ()
    lists: LinkLists = field(default_factory=NoLists)


@dataclass(frozen=True, slots=True)
class _Waiting:
    message: Message
    content: bytes


class Examiner:
    """One worker's lane. ``take`` costs the sending next to nothing; ``run`` does the work."""

    def __init__(self, parts: ExamineParts) -> None:
        self._store = parts.store
        self._clock = parts.clock
        self._lists = parts.lists
        self._waiting: deque[_Waiting] = deque()
        self._octets = 0
        self._recent: OrderedDict[str, None] = OrderedDict()
        self._known: OrderedDict[bytes, tuple[Instant, ContentExamined]] = OrderedDict()
        self._done: list[Examined] = []
        self._filters = [
            FilterLane(one, clock=parts.clock, watch=parts.watch, done=self._keep) for one in parts.filters
        ]

    def take(self, claim: Claim) -> None:
        """Takes what is about to be attempted for the first time; of many recipients' message one copy."""
        message, content = claim.message, claim.content
        if claim.delivery.attempts or message.id in self._recent:
            return
        self._recent[message.id] = None
        if len(self._recent) > MOST_RECENT:
            self._recent.popitem(last=False)
        if len(self._waiting) >= MOST_WAITING or self._octets + len(content) > MOST_OCTETS:
            self._say(message.id, _TOO_MUCH)
        else:
            self._waiting.append(_Waiting(message, content))
            self._octets += len(content)
        for lane in self._filters:
            lane.take(message, content)

    async def run(self, stop: asyncio.Event) -> None:
        """Works until ``stop`` is set; then what was taken is still examined, for some seconds."""
        filters = [asyncio.create_task(lane.run()) for lane in self._filters]
        try:
            while not stop.is_set():
                if not await self._work_safely():
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(stop.wait(), POLL)
            until = time.monotonic() + _LAST_SECONDS
            while time.monotonic() < until and await self.work_once():
                pass
        finally:
            for task in filters:
                task.cancel()
            await asyncio.gather(*filters, return_exceptions=True)
            for lane in self._filters:
                lane.give_up()
                await lane.close()
            await self._write()

    async def _work_safely(self) -> bool:
        try:
            return await self.work_once(rests=True)
        except Exception:  # a lane that has ended would fill the memory
            log.exception("lane_failed")
            return False

    async def work_once(self, *, rests: bool = False) -> bool:
        """Examines a batch and writes what was found. Whether there may be more."""
        for number in range(1, _BATCH + 1):
            if not self._waiting:
                break
            one = self._waiting.popleft()
            self._octets -= len(one.content)
            try:
                await self._examine(one, rests=rests)
            except Exception:  # a fault in a rule must end neither the lane nor the sending
                log.exception("examination_failed message_id=%s", one.message.id)
                self._say(one.message.id, ContentExamined(by=EXAMINER, unseen="the examination failed inside Waybill"))
            if number % _AT_A_STRETCH == 0:
                await asyncio.sleep(0)
        await self._write()
        return bool(self._waiting)

    async def _examine(self, one: _Waiting, *, rests: bool) -> None:
        message, content = one.message, one.content
        key = message.account.encode() + bytes([_is_bulk(message), _signs(message)]) + make_of(content)
        now = self._clock()
        known = self._known.get(key)
        if known is not None and known[0] > now:
            self._say(message.id, known[1])
            return
        began = time.perf_counter()
        circumstances = Circumstances(at=message.accepted_at, bulk=_is_bulk(message), signs=_signs(message))
        if len(content) > _HEAVY:
            result = await asyncio.to_thread(examine, content, circumstances)
        else:
            result = examine(content, circumstances)
        took = time.perf_counter() - began
        listed = await self._lists.judge(result.hosts)
        fact = ContentExamined(by=EXAMINER, findings=(*listed, *result.findings))
        self._say(message.id, fact)
        self._known[key] = now + REMEMBERED_FOR, ContentExamined(by=EXAMINER, like=message.id)
        if len(self._known) > MOST_MAKES:
            self._known.popitem(last=False)
        if rests:
            await asyncio.sleep(took * (SHARE - 1))

    def _say(self, message_id: str, fact: ContentExamined) -> None:
        self._keep(Examined(message_id=message_id, at=self._clock(), fact=fact))

    def _keep(self, examined: Examined) -> None:
        """Until it is written. Where the store is away for long, what is too much is lost, and the mail is not."""
        if len(self._done) < MOST_UNWRITTEN:
            self._done.append(examined)

    async def _write(self) -> None:
        batch = self._done[:]
        if not batch:
            return
        try:
            await self._store.examinations.keep(batch)
        except StoreUnavailable as error:  # the next time it may work
            log.warning("store_unavailable while=examining messages=%d error=%s", len(batch), error)
        else:
            del self._done[: len(batch)]


def _is_bulk(message: Message) -> bool:
    return message.operation.startswith("SendBulk")


def _signs(message: Message) -> bool:
    """Whether the message goes out with our signature for its domain; an address that is an identity has no key."""
    return message.identity is not None and "@" not in message.identity
