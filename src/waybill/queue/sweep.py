"""Ends what has run out of time, and looks for what nobody takes up: by itself, whatever the queue is doing."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

from waybill.model.clock import MINUTE, Clock
from waybill.model.message import Delivery
from waybill.queue.settle import NEVER_TRIED, last_word, settle_expiry
from waybill.queue.write import settle_for_good
from waybill.store.protocol import Store, StoreUnavailable

log = logging.getLogger(__name__)

SWEEP_EVERY = 1.0
WATCH_EVERY = 30.0
"""Seconds."""

SEIZE_AFTER = 10 * MINUTE
"""What expired so long ago is ended although a worker holds it: it hangs, and goes on renewing its leases."""

STUCK_AFTER = 15 * MINUTE
"""What has been due for so long, and held by nobody, is stuck."""

MOST_AT_ONCE = 100
_MOST_LOGGED = 10


class Sweeper:
    """Needs nothing of the queue, so that it goes on where attempts hang, the queue is full or a site is suspended."""

    def __init__(self, store: Store, clock: Clock, *, worker: str, lease: int, max_lifetime: int) -> None:
        self._store = store
        self._clock = clock
        self._worker = worker
        self._lease = lease
        self._max_lifetime = max_lifetime

    async def run(self, stop: asyncio.Event) -> None:
        """Works until ``stop`` is set."""
        await asyncio.gather(
            self._every(SWEEP_EVERY, self.sweep, stop), self._every(WATCH_EVERY, self.look_for_stuck, stop)
        )

    async def sweep(self) -> int:
        """Ends what has expired; how many there were. Raises: StoreUnavailable."""
        swept = 0
        while True:
            now = self._clock()
            deliveries = await self._store.overdue(
                self._worker, now, limit=MOST_AT_ONCE, lease_until=now + self._lease, seize_before=now - SEIZE_AFTER
            )
            await asyncio.gather(*(self.expire(delivery) for delivery in deliveries))
            swept += len(deliveries)
            if len(deliveries) < MOST_AT_ONCE:
                return swept

    async def expire(self, delivery: Delivery) -> None:
        """Ends a delivery whose time is over, with the last words that a receiver, the DNS or the network gave.

        One that an incident has given more time since it was claimed is given back.
        """
        now = await self._store.delivery(delivery.id)
        if now is not None and now.expires_at > max(delivery.expires_at, self._clock()):
            await self._store.give_back(self._worker, (delivery.id,))
            return
        ledger = await self._store.ledger(delivery.message_id)
        last = last_word(ledger.events, delivery) if ledger else NEVER_TRIED
        has_set = ledger is not None and ledger.message.configuration_set is not None
        own_limit = has_set and delivery.expires_at - delivery.accepted_at < self._max_lifetime
        settlement = settle_expiry(delivery, last, own_limit=own_limit, at=self._clock())
        await settle_for_good(self._store, settlement, delivery.message_id)

    async def look_for_stuck(self) -> int:
        """Marks what is stuck; how many were newly found. Raises: StoreUnavailable."""
        found = 0
        while True:
            now = self._clock()
            stuck = await self._store.mark_stuck(now, due_before=now - STUCK_AFTER, limit=MOST_AT_ONCE)
            for delivery in stuck[:_MOST_LOGGED]:
                log.error("stuck message_id=%s delivery=%d", delivery.message_id, delivery.id)
            found += len(stuck)
            if len(stuck) < MOST_AT_ONCE:
                break
        if found:
            log.error("stuck_deliveries count=%d due_for_minutes=%d", found, STUCK_AFTER // MINUTE)
        return found

    async def _every(self, seconds: float, work: Callable[[], Awaitable[int]], stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                await work()
            except StoreUnavailable as error:
                log.warning("store_unavailable while=sweeping error=%s", error)
            except Exception:  # it is tried again, and nothing else is held up
                log.exception("sweep_failed")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), seconds)
