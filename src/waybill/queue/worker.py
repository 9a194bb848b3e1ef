"""The queue's worker: claims, gives each site's and each account's mail its turn, and keeps its leases."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from typing import Any

from waybill.deliver.provider import Site, plain_site
from waybill.model.address import domain_of
from waybill.model.clock import SECOND
from waybill.model.outcome import Attempt
from waybill.model.resource import Suspension
from waybill.queue.carry import RETURN_PATH_PURPOSE as RETURN_PATH_PURPOSE
from waybill.queue.carry import Carrier
from waybill.queue.config import QueueConfig as QueueConfig
from waybill.queue.config import QueueParts as QueueParts
from waybill.queue.doubt import Doubt
from waybill.queue.holding import Holder
from waybill.queue.incident_watch import FLUSH_EVERY, IncidentWatch
from waybill.queue.lanes import Lane, Lanes
from waybill.queue.pace import Pace, PaceNote, Turn
from waybill.queue.probes import Probes
from waybill.queue.suspended import Suspensions
from waybill.queue.suspensions import SUSPENSION_RULES, SuspensionCounts
from waybill.queue.sweep import Sweeper
from waybill.queue.trouble import Trouble
from waybill.store.protocol import Claim, StoreUnavailable
from waybill.store.queueing import Skip

log = logging.getLogger(__name__)

POLL = 0.5
"""Seconds between looks for what is due."""

POLL_SHARE = 10
"""A look that took long (so much is due for sites that are full) is repeated after this many times as long."""

HOUSEKEEPING = 1.0
"""Seconds between looks at the suspensions."""

DRAIN = 20
"""Seconds that attempts under way get when the worker stops."""

MOST_CLAIMED = 100
"""Deliveries claimed at once: each brings its content, of up to 40 MB."""

FIRST_REST = 30 * SECOND
RESOLVING_AT_ONCE = 64
_MOST_SKIPPED = 1_000
_MOST_SITES_TOLD = 100_000
_LEAST_WAKE = 0.005


class Queue:
    """One worker's share of the queue: the deliveries it holds under lease."""

    def __init__(self, parts: QueueParts, config: QueueConfig) -> None:
        self._parts = parts
        self._store = parts.store
        self._clock = parts.clock
        self._config = config
        self._trouble = Trouble(parts.watch)
        self.egress = self._trouble.egress
        self._lanes = Lanes(most_of_account=config.concurrency - config.concurrency // 8)
        self._probes = Probes(parts.store, self._lanes, clock=parts.clock)
        self._holder = Holder(
            parts, self._lanes, trouble=self._trouble, probes=self._probes, remember_sites=self._remember_sites
        )
        self._suspensions = Suspensions(
            parts.store, self._lanes, self._holder, clock=parts.clock, workers=config.workers
        )
        self._counts = SuspensionCounts(SUSPENSION_RULES)
        self._incidents = IncidentWatch(parts.store, worker=config.worker, clock=parts.clock, turned=self._start_slowly)
        self._carrier = Carrier(
            parts,
            config,
            holder=self._holder,
            trouble=self._trouble,
            doubt=Doubt(parts, trouble=self._trouble, watch=self._incidents),
            ended=self._attempt_ended,
        )
        self.sweeper = Sweeper(
            parts.store, parts.clock, worker=config.worker, lease=config.lease, max_lifetime=config.max_lifetime
        )
        self._first_rest = min(FIRST_REST, config.retry[0])
        self._running: set[asyncio.Task[None]] = set()
        self._aside: set[asyncio.Task[None]] = set()
        self._placed: set[int] = set()  # deliveries that take up a place at their site
        self._resolving = asyncio.Semaphore(RESOLVING_AT_ONCE)
        self._sites_told: dict[str, str] = {}
        self._sites_new: dict[str, str] = {}
        self._alarm: asyncio.TimerHandle | None = None
        self._draining = False

    def has_room(self, recipients: Iterable[str] = (), account: str = "") -> bool:
        """Whether more may be offered to this worker: for these recipients of the account, so that none takes the others' room."""
        lanes, config = self._lanes, self._config
        if self._draining or len(lanes) >= config.backlog or lanes.octets >= config.backlog_bytes:
            return False
        if lanes.held_of(account) >= config.backlog_of_account:
            return False
        return all(self._held_for(domain_of(recipient)) < config.backlog_of_site for recipient in recipients)

    def offer(self, claims: Sequence[Claim]) -> None:
        """Takes deliveries leased to this worker; they are attempted as soon as there is a free place."""
        for claim in claims:
            if not self._lanes.take(claim):
                continue
            self._parts.examine(claim)
            domain = claim.delivery.domain
            site = self._parts.transport.known_site(domain)
            if site is not None:
                self._put(claim, domain, site)
            elif self._lanes.wait_for_site(claim):
                self._run_aside(self._resolve(domain))
        self._start_waiting()

    def slowed(self) -> tuple[PaceNote, ...]:
        """The sites that asked this worker to slow down, with the reply."""
        return tuple(lane.pace.note for lane in self._lanes if lane.pace.note is not None)

    async def run(self, stop: asyncio.Event) -> None:
        """Works until ``stop`` is set, then drains: what is being attempted is finished, the rest is given back."""
        beside = [
            asyncio.create_task(self._every(self._config.lease / 3 / SECOND, self.renew, "renewing")),
            asyncio.create_task(self._every(HOUSEKEEPING, self.keep_house, "keeping house")),
            asyncio.create_task(self._every(FLUSH_EVERY, self.count, "counting")),
            asyncio.create_task(self.sweeper.run(stop)),
        ]
        try:
            await self._claim_until(stop)
            await self._drain()
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)

    async def work_once(self) -> bool:
        """One look at the store: claims what is due. Whether there may be more.

        Raises:
            StoreUnavailable: nothing was claimed.
        """
        if not self.has_room():
            return False
        now, config, lanes = self._clock(), self._config, self._lanes
        room = min(config.backlog - len(lanes), MOST_CLAIMED)
        full = (*lanes.domains_with(config.backlog_of_site), *self._holder.busy_domains())
        claims = await self._store.claim(
            config.worker,
            now,
            limit=room,
            lease_until=now + config.lease,
            skip=Skip(
                domains=full[:_MOST_SKIPPED],
                accounts=lanes.accounts_with(config.backlog_of_account)[:_MOST_SKIPPED],
            ),
            was_sending=self._parts.was_sending,
        )
        self._trouble.store_works()
        self.offer(claims)
        return len(claims) == room

    async def renew(self) -> None:
        """Prolongs the leases on all that is held. Raises: StoreUnavailable."""
        now = self._clock()
        lapsed = self._lanes.take_lapsed(now)
        for claim, lane in lapsed:
            self._lanes.drop(claim, lane)
        if lapsed:
            log.warning("leases_lapsed deliveries=%d", len(lapsed))  # whoever claims them attempts them
            self._trouble.leases_lapsed(len(lapsed))
        held = self._lanes.ids()
        if held:
            lease_until = now + self._config.lease
            await self._store.renew(self._config.worker, held, lease_until)
            self._lanes.renewed(held, lease_until)
        if not lapsed:
            self._trouble.leases_renewed()

    async def keep_house(self) -> None:
        """Minds suspensions and probes, ends what has expired while it waited here, and begins what may begin again.

        Raises: StoreUnavailable.
        """
        await self._remember_sites()
        await self._suspensions.refresh()
        await self._probes.refresh()
        await self._incidents.refresh()
        for claim, lane in self._lanes.take_expired(self._clock()):
            self._run_aside(self._expire(claim, lane))
        now = self._clock()
        for lane in self._lanes:
            if lane.waiting and lane.is_stopped(now):
                self._holder.empty(lane)
        self._lanes.unpark_all(now)
        self._start_waiting()

    async def count(self) -> None:
        """Writes down what attempts came to, for those who look for incidents. Raises: StoreUnavailable."""
        await self._incidents.flush()

    def _start_slowly(self, site: str) -> None:
        lane = self._lanes.lane(site)
        if lane is not None:
            lane.pace.slow_start()

    def _held_for(self, domain: str) -> int:
        site = self._parts.transport.known_site(domain)
        lane = self._lanes.lane(site.name) if site is not None else None
        return lane.held if lane is not None else self._lanes.held_for_domain(domain)

    def _put(self, claim: Claim, domain: str, site: Site) -> None:
        lane = self._lane_of(domain, site)
        self._lanes.put(claim, lane)
        if lane.is_stopped(self._clock()):
            self._holder.empty(lane)

    def _lane_of(self, domain: str, site: Site) -> Lane:
        name = site.name
        if self._sites_told.get(domain) != name:
            if len(self._sites_told) >= _MOST_SITES_TOLD:
                self._sites_told.clear()
            self._sites_told[domain] = self._sites_new[domain] = name
        lane = self._lanes.lane(name)
        if lane is None:
            workers = self._config.workers
            most = site.share(workers)
            per_second = None if site.per_second is None else site.per_second / workers
            pace = Pace(name, most=most, per_second=per_second, first_rest=self._first_rest)
            lane = Lane(site, pace, played=self._config.is_played(name))
            self._lanes.open(lane)
            self._suspensions.apply(lane)
        return lane

    async def _resolve(self, domain: str) -> None:
        try:
            async with self._resolving:
                site = await self._parts.transport.site(domain)
        except Exception:  # then the attempt finds it, and says what is wrong
            log.exception("site_not_found domain=%s", domain)
            site = plain_site(domain)
        lane = self._lane_of(domain, site)
        self._lanes.site_is_known(domain, lane)
        if lane.is_stopped(self._clock()):
            self._holder.empty(lane)
        self._start_waiting()

    async def _remember_sites(self) -> None:
        new, self._sites_new = self._sites_new, {}
        if new:
            try:
                await self._store.remember_sites(new)
            except StoreUnavailable:
                self._sites_new = new | self._sites_new
                raise

    def _start_waiting(self) -> None:
        while len(self._running) < self._config.concurrency and not self._draining:
            begun = self._lanes.next_to_begin(self._clock())
            if begun is None:
                self._set_alarm()
                return
            task = asyncio.create_task(self._deliver(*begun))
            self._running.add(task)
            task.add_done_callback(self._finished)

    def _set_alarm(self) -> None:
        at = self._lanes.wakes_at()
        if self._alarm is None and at is not None:
            wait = max(_LEAST_WAKE, (at - self._clock()) / SECOND)
            self._alarm = asyncio.get_running_loop().call_later(min(wait, HOUSEKEEPING), self._woken)

    def _woken(self) -> None:
        self._alarm = None
        self._start_waiting()

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._start_waiting()

    async def _deliver(self, claim: Claim, lane: Lane) -> None:
        self._placed.add(claim.delivery.id)
        try:
            now = self._clock()
            if self._lanes.has_lapsed(claim, now):
                log.warning("lease_lapsed message_id=%s delivery=%d", claim.message.id, claim.delivery.id)
            elif claim.delivery.expires_at <= now:
                await self.sweeper.expire(claim.delivery)
            else:
                await self._carrier.carry(claim, lane)
        except Exception:  # its lease runs out, and it is attempted again
            log.exception("delivery_not_settled message_id=%s delivery=%d", claim.message.id, claim.delivery.id)
        finally:
            self._free_place(claim, lane)
            self._lanes.drop(claim, lane)

    def _attempt_ended(self, claim: Claim, lane: Lane, attempt: Attempt) -> None:
        """Frees the place at the site, before what came of it is on disk, and minds what it says of the site."""
        if not lane.played:
            self._learn(lane, attempt, claim.message.id)
        self._free_place(claim, lane)
        self._start_waiting()

    def _learn(self, lane: Lane, attempt: Attempt, message_id: str) -> None:
        ours = self._trouble.saw(lane.site.name, attempt.outcome)
        turn = lane.pace.learn(attempt, message_id, ours=ours)
        if turn is not None:
            self._site_turned(lane, turn, attempt, message_id)
        suspension = self._counts.see(lane.site, attempt, message_id)
        if suspension is not None:
            self._run_aside(self._suspend(suspension))

    def _site_turned(self, lane: Lane, turn: Turn, attempt: Attempt, message_id: str) -> None:
        words = attempt.outcome.diagnostic
        log.info("site_%s site=%s message_id=%s reply=%s", turn, lane.site.name, message_id, words)
        if turn is Turn.RESTS:
            self._holder.stop(lane)

    async def _suspend(self, suspension: Suspension) -> None:
        try:
            await self._suspensions.suspend(suspension)
        except StoreUnavailable as error:
            self._trouble.store_fails("suspending", error)

    def _free_place(self, claim: Claim, lane: Lane) -> None:
        if claim.delivery.id in self._placed:
            self._placed.discard(claim.delivery.id)
            self._lanes.place_free(claim, lane, self._clock())

    async def _expire(self, claim: Claim, lane: Lane | None) -> None:
        try:
            await self.sweeper.expire(claim.delivery)
        except StoreUnavailable as error:  # the sweeper finds it when its lease is over
            self._trouble.store_fails("expiring", error)
        finally:
            self._lanes.drop(claim, lane)

    def _run_aside(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._aside.add(task)
        task.add_done_callback(self._aside.discard)

    async def _claim_until(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            begun = time.monotonic()
            try:
                busy = await self.work_once()
            except StoreUnavailable as error:
                log.warning("store_unavailable while=claiming error=%s", error)
                self._trouble.store_fails("claiming", error)
                busy = False
            if not busy:
                wait = max(POLL, (time.monotonic() - begun) * POLL_SHARE)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), wait)

    async def _every(self, seconds: float, work: Callable[[], Awaitable[None]], doing: str) -> None:
        while True:
            await asyncio.sleep(seconds)
            try:
                await work()
            except StoreUnavailable as error:
                log.warning("store_unavailable while=%s error=%s", doing, error)
                self._trouble.store_fails(doing, error)
            except Exception:  # the next time it may succeed; the leases must not lapse for it
                log.exception("queue_failed while=%s", doing)

    async def _drain(self) -> None:
        """Lets attempts under way end, and gives back what has not begun, so that others need not wait for its lease."""
        self._draining = True
        if self._alarm is not None:
            self._alarm.cancel()
        for task in self._aside:
            task.cancel()
        await self._holder.close()
        if self._running:
            await asyncio.wait(self._running, timeout=DRAIN)
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, *self._aside, return_exceptions=True)
        left = self._lanes.ids()
        try:
            await self._store.give_back(self._config.worker, left)
        except StoreUnavailable as error:
            log.warning("store_unavailable while=draining deliveries=%d error=%s", len(left), error)
