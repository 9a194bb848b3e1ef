"""Holds back what waits for a site to which nothing may begin for a while, in hand and in the store, and says why."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from typing import Any

from waybill.model.cause import Cause
from waybill.model.clock import MINUTE, Instant, rfc3339
from waybill.model.event import Held
from waybill.model.message import Delivery
from waybill.model.record import record
from waybill.model.resource import Suspension
from waybill.queue.config import QueueParts
from waybill.queue.lanes import Lane, Lanes
from waybill.queue.pace import Rest
from waybill.queue.probes import Probes
from waybill.queue.settle import settle_hold
from waybill.queue.trouble import Trouble
from waybill.queue.write import settle_for_good
from waybill.store.protocol import Claim, StoreUnavailable
from waybill.store.queueing import Selection

log = logging.getLogger(__name__)

UNREACHABLE_LIMIT = "unreachable"
UNREACHABLE = "rule:unreachable-destination"
SUSPENSION = "suspension"

PORTION = 500
"""Deliveries in the store that one transaction holds or releases."""

PROBE_TIME = MINUTE
"""How long it takes at most, as a rule, until a probe has come to something."""

BREATH = 0.05
"""Seconds between two portions: for everybody else who writes."""

PATIENCE = 1.0
"""Seconds until a store that failed is asked again."""

_AT_ONCE = 50
_SPREAD = 0.1
LONGEST_SPREAD = MINUTE
"""What was held is due again at most so long after the hold has ended."""


@record(frozen=True, kw_only=True, slots=True)
class Stop:
    """Why nothing goes to a site: what is told of each delivery, since when that has been so, and the cause behind it."""

    held: Held
    since: Instant
    cause: Cause | None


def _in_store(stop: Stop) -> Held:
    """What is told of deliveries in the store: they wait a little longer than those in hand, one of which is the probe.

    Else all of them would be due, and in everybody's way, while it is being found out whether anybody answers.
    """
    held = stop.held
    if held.limit != UNREACHABLE_LIMIT or held.until is None:
        return held
    return replace(held, until=held.until + min(PROBE_TIME, 2 * (held.until - stop.since)))


def stop_of(lane: Lane, now: Instant) -> Stop | None:
    """Why the lane is stopped; None where it is not."""
    suspension, rest = lane.suspension, lane.pace.rest
    if suspension is not None and not suspension.per_minute and suspension.holds(now):
        held = Held(
            limit=SUSPENSION, by=suspension.by, text=_suspended(lane.site.title, suspension), until=suspension.until
        )
        return Stop(held=held, since=suspension.at, cause=None)
    if rest is not None and now < rest.until:
        held = Held(limit=UNREACHABLE_LIMIT, by=UNREACHABLE, text=_unreachable(lane.site.title, rest), until=rest.until)
        return Stop(held=held, since=rest.since, cause=rest.attempt.outcome.cause)
    return None


def _suspended(title: str, suspension: Suspension) -> str:
    until = f"until {rfc3339(suspension.until)}" if suspension.until is not None else "until somebody resumes it"
    words = f"All mail to {title} is suspended {until}: {suspension.reason}"
    if suspension.message_id is not None:
        words += f" (the reply to message {suspension.message_id}: {suspension.reply})"
    return words


def _unreachable(title: str, rest: Rest) -> str:
    last = rest.attempt
    return (
        f"Nobody answers for {title}: {rest.failures} attempts in a row reached no server, the last at "
        f"{rfc3339(last.ended_at)} for message {rest.message_id}: {last.outcome.diagnostic}. "
        f"One message is tried again after {rfc3339(rest.until)}; the others wait for what becomes of it"
    )


class Holder:
    """Empties stopped lanes. What it holds is due again when the stop ends, a little spread."""

    def __init__(
        self,
        parts: QueueParts,
        lanes: Lanes,
        *,
        trouble: Trouble,
        probes: Probes,
        remember_sites: Callable[[], Awaitable[None]],
    ) -> None:
        self._store = parts.store
        self._lanes = lanes
        self._clock = parts.clock
        self._chance = parts.chance
        self._trouble = trouble
        self._probes = probes
        self._remember_sites = remember_sites
        self._closed = False
        self._emptying: set[Lane] = set()
        self._in_store: dict[Lane, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def busy_domains(self) -> tuple[str, ...]:
        """The domains of sites whose mail in the store is being held: to claim it meanwhile is in vain."""
        return tuple(domain for lane in self._in_store for domain in lane.domains)

    def empty(self, lane: Lane) -> None:
        """Holds what waits in the lane, if it is stopped: after all that waits in the store, which is to wait longer."""
        busy = self._closed or lane in self._emptying or lane in self._in_store
        if lane.waiting and not busy:
            self._emptying.add(lane)
            self._run(self._empty(lane))

    def stop(self, lane: Lane) -> None:
        """Holds what waits in the lane and all that waits for its site in the store."""
        if lane not in self._in_store and not self._closed:
            self._in_store[lane] = self._run(self._hold_in_store(lane))

    def release(self, site: str, by: str) -> None:
        """Makes due again what a suspension held that is no more."""
        self._run(self._release(site, by))

    async def hold(self, claim: Claim, lane: Lane, stop: Stop, *, tell: bool) -> None:
        """Settles one delivery as held, and drops it."""
        delivery, now = claim.delivery, self._clock()
        until = stop.held.until
        wait = None if until is None else max(0, until - now)
        next_at = (
            delivery.expires_at
            if wait is None
            else now + wait + round(min(wait * _SPREAD, LONGEST_SPREAD) * self._chance())
        )
        settlement = settle_hold(delivery, stop.held, at=now, next_at=next_at, cause=stop.cause, tell=tell)
        await settle_for_good(self._store, settlement, delivery.message_id, self._trouble)
        self._lanes.drop(claim, lane)

    async def close(self) -> None:
        """Leaves what is not held yet to whoever claims it."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def settled(self) -> None:
        """Waits until nothing is being held or released."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _run(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _empty(self, lane: Lane) -> None:
        try:
            while (stop := await self._stop_of(lane)) is not None:
                claims = self._lanes.take_waiting(lane, _AT_ONCE)
                if not claims:
                    return
                await asyncio.gather(
                    *(
                        self.hold(claim, lane, stop, tell=not _told(claim.delivery, stop))
                        for claim in claims
                        if not self._lost(claim, lane)
                    )
                )
        except Exception:  # their leases run out, and they are claimed again
            log.exception("not_held site=%s", lane.site.name)
        finally:
            self._emptying.discard(lane)

    async def _stop_of(self, lane: Lane) -> Stop | None:
        """Why the lane is stopped, as of now: what an operator has just released is not held again."""
        stop = stop_of(lane, self._clock())
        if stop is None or stop.held.limit != UNREACHABLE_LIMIT:
            return stop
        with contextlib.suppress(StoreUnavailable):  # then nobody can have released anything
            await self._probes.refresh()
        return stop_of(lane, self._clock())

    def _lost(self, claim: Claim, lane: Lane) -> bool:
        lapsed = self._lanes.has_lapsed(claim, self._clock())
        if lapsed:
            self._lanes.drop(claim, lane)
        return lapsed

    async def _hold_in_store(self, lane: Lane) -> None:
        total = 0
        try:
            while stop_of(lane, self._clock()) is not None:
                try:
                    await self._remember_sites()  # else the store does not know whose they are
                    stop = await self._stop_of(lane)
                    if stop is None:
                        break
                    count = await self._store.hold(
                        Selection(sites=(lane.site.name,)), _in_store(stop), now=self._clock(), limit=PORTION
                    )
                except StoreUnavailable as error:
                    self._trouble.store_fails("holding", error)
                    await asyncio.sleep(PATIENCE)
                    continue
                total += count
                if count < PORTION:
                    break
                await asyncio.sleep(BREATH)
        finally:
            del self._in_store[lane]
            self.empty(lane)
        if total:
            log.info("held site=%s deliveries=%d", lane.site.name, total)

    async def _release(self, site: str, by: str) -> None:
        selection, total = Selection(sites=(site,), held_for=SUSPENSION), 0
        while True:
            try:
                count = await self._store.release(selection, by=by, now=self._clock(), limit=PORTION)
            except StoreUnavailable as error:
                self._trouble.store_fails("releasing", error)
                await asyncio.sleep(PATIENCE)
                continue
            total += count
            if count < PORTION:
                break
            await asyncio.sleep(BREATH)
        if total:
            log.info("released site=%s deliveries=%d by=%s", site, total, by)


def _told(delivery: Delivery, stop: Stop) -> bool:
    """Whether the ledger says of the delivery already that this stop holds it: it was held before, and after the stop began."""
    return delivery.cause is Cause.HELD_BY_WAYBILL and delivery.updated_at >= stop.since
