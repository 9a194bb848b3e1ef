"""The lane of one content filter (Rspamd, SpamAssassin): few questions at a time, bounded in time, and never in the mail's way."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable

from waybill.model.clock import SECOND, Clock, Instant
from waybill.model.content import ContentExamined
from waybill.model.message import Message
from waybill.net.content_filter import ContentFilter, FilterUnavailable, Question
from waybill.queue.trouble import Watch
from waybill.store.examinations import Examined

log = logging.getLogger(__name__)

AT_ONCE = 4
MOST_WAITING = 2_000
MOST_OCTETS = 64 * 1024 * 1024
LARGEST = 8 * 1024 * 1024
"""Octets of a message that a filter is asked about."""

REST = 30 * SECOND
"""How long a filter that cannot be asked is left alone."""

_POLL = 0.2


class FilterLane:
    """Asks one filter. Each message gets a fact: the verdict, or why there is none."""

    def __init__(
        self, content_filter: ContentFilter, *, clock: Clock, watch: Watch, done: Callable[[Examined], None]
    ) -> None:
        self._filter = content_filter
        self._clock = clock
        self._watch = watch
        self._done = done
        self._waiting: deque[Question] = deque()
        self._octets = 0
        self._rests_until: Instant = 0
        self._why = ""

    def take(self, message: Message, content: bytes) -> None:
        """Takes a message to ask about, or notes why it is not."""
        if len(content) > LARGEST:
            self._miss(message.id, f"the message has {len(content):,} octets; it is asked about up to {LARGEST:,}")
        elif len(self._waiting) >= MOST_WAITING or self._octets + len(content) > MOST_OCTETS:
            self._miss(message.id, "more mail was leaving than it could be asked about")
        else:
            question = Question(
                message_id=message.id, sender=message.sender, recipients=message.destination[:1], content=content
            )
            self._waiting.append(question)
            self._octets += len(content)

    async def run(self) -> None:
        """Asks about what comes, until it is cancelled."""
        await asyncio.gather(*(self._ask_on() for _ in range(AT_ONCE)))

    def give_up(self) -> None:
        """Notes for all that still waits that nobody was asked."""
        while self._waiting:
            self._miss(self._waiting.popleft().message_id, "the service was stopped before it was asked")

    async def close(self) -> None:
        """Lets go of the filter's connections."""
        await self._filter.close()

    async def _ask_on(self) -> None:
        while True:
            if not self._waiting:
                await asyncio.sleep(_POLL)
                continue
            question = self._waiting.popleft()
            self._octets -= len(question.content)
            try:
                await self._ask(question)
            except asyncio.CancelledError:
                self._miss(question.message_id, "the service was stopped before it answered")
                raise
            except Exception:  # a fault of ours in one question must not end the lane
                log.exception("filter_failed filter=%s message_id=%s", self._filter.name, question.message_id)
                self._miss(question.message_id, "asking it failed inside Waybill")

    async def _ask(self, question: Question) -> None:
        if self._clock() < self._rests_until:
            self._miss(question.message_id, self._why)
            return
        try:
            fact = await self._filter.examine(question)
        except FilterUnavailable as error:
            self._why, self._rests_until = str(error), self._clock() + REST
            self._watch("content filter", f"{self._filter.name}: {error}")
            self._miss(question.message_id, self._why)
        else:
            self._watch("content filter", None)
            self._done(Examined(message_id=question.message_id, at=self._clock(), fact=fact))

    def _miss(self, message_id: str, why: str) -> None:
        fact = ContentExamined(by=self._filter.name, unseen=why)
        self._done(Examined(message_id=message_id, at=self._clock(), fact=fact))
