"""The queue's worker: claim, sign once, attempt, settle; and let go of what has run out of time."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

from waybill.deliver.attempt import Parcel
from waybill.mail.dkim import signing_domains
from waybill.mail.return_path import encode as return_path
from waybill.model.address import domain_of
from waybill.model.clock import SECOND, Clock
from waybill.model.message import Delivery
from waybill.model.outcome import Attempt, Result
from waybill.model.resource import INSTALLATION, Account, ConfigurationSet
from waybill.queue.destination import Destinations, put_off
from waybill.queue.holding import Holding
from waybill.queue.schedule import next_attempt
from waybill.queue.settle import NEVER_TRIED, Owner, broken_attempt, last_word, settle_attempt, settle_expiry
from waybill.queue.sign import Signatures
from waybill.store.protocol import Claim, LeaseLost, NotFound, Settlement, Store, StoreUnavailable

log = logging.getLogger(__name__)

POLL = 0.5
"""Seconds between looks for what is due."""

DRAIN = 20
"""Seconds that attempts under way get when the worker stops."""

MOST_CLAIMED = 100
"""Deliveries claimed at once: each brings its content, of up to 40 MB."""

RETURN_PATH_PURPOSE = "return-path"


@dataclass(frozen=True, kw_only=True, slots=True)
class QueueConfig:
    """How this worker works. Durations are milliseconds.

    ``backlog`` and ``backlog_bytes`` bound what it holds, ``backlog_of_domain`` what of it is for one recipient domain.
    """

    worker: str
    retry: tuple[int, ...]
    max_lifetime: int
    lease: int
    bounce_domain: str
    concurrency: int = 200
    backlog: int = 2_000
    backlog_of_domain: int = 500
    backlog_bytes: int = 256 * 1024 * 1024


class Queue:
    """One worker's share of the queue: the deliveries it holds under lease."""

    def __init__(
        self,
        *,
        store: Store,
        attempt: Callable[[Parcel], Awaitable[Attempt]],
        signatures: Signatures,
        config: QueueConfig,
        clock: Clock,
        rng: random.Random,
    ) -> None:
        self._store = store
        self._attempt = attempt
        self._signatures = signatures
        self._config = config
        self._clock = clock
        self._rng = rng
        self._secret = store.secret(RETURN_PATH_PURPOSE)
        self._holding = Holding()
        self._destinations = Destinations(rest=config.retry[0])
        self._running: set[asyncio.Task[None]] = set()
        self._draining = False

    def has_room(self, recipients: Iterable[str] = ()) -> bool:
        """Whether more may be offered to this worker: for these recipients, so that no domain takes the others' room."""
        held, config = self._holding, self._config
        if self._draining or len(held) >= config.backlog or held.octets >= config.backlog_bytes:
            return False
        return all(held.held_for(domain_of(recipient)) < config.backlog_of_domain for recipient in recipients)

    def offer(self, claims: Sequence[Claim]) -> None:
        """Takes deliveries leased to this worker; they are attempted as soon as there is a free place."""
        for claim in claims:
            self._holding.add(claim)
        self._start_waiting()

    async def run(self, stop: asyncio.Event) -> None:
        """Works until ``stop`` is set, then drains: what is being attempted is finished, the rest is given back."""
        renewal = asyncio.create_task(self._renew_for_ever())
        try:
            while not stop.is_set():
                try:
                    busy = await self.work_once()
                except StoreUnavailable as error:
                    log.warning("store_unavailable while=claiming error=%s", error)
                    busy = False
                if not busy:
                    try:
                        await asyncio.wait_for(stop.wait(), POLL)
                    except TimeoutError:
                        continue
            await self._drain()
        finally:
            renewal.cancel()

    async def work_once(self) -> bool:
        """One look at the store: expires what has run out of time, claims what is due. Whether there may be more.

        Raises:
            StoreUnavailable: nothing was claimed.
        """
        now = self._clock()
        worker, lease_until = self._config.worker, now + self._config.lease
        for delivery in await self._store.overdue(worker, now, limit=MOST_CLAIMED, lease_until=lease_until):
            await self._expire(delivery)
        if not self.has_room():
            return False
        room = min(self._config.backlog - len(self._holding), MOST_CLAIMED)
        full = self._holding.domains_with(self._config.backlog_of_domain)
        claims = await self._store.claim(worker, now, limit=room, lease_until=lease_until, skip=full)
        self.offer(claims)
        return len(claims) == room

    async def renew(self) -> None:
        """Prolongs the leases on all that is held. Raises: StoreUnavailable."""
        now = self._clock()
        lost = self._holding.drop_lapsed(now)
        if lost:
            log.warning("leases_lapsed deliveries=%d", lost)  # whoever claims them attempts them
        held = self._holding.ids()
        if held:
            lease_until = now + self._config.lease
            await self._store.renew(self._config.worker, held, lease_until)
            self._holding.renewed(held, lease_until)

    def _start_waiting(self) -> None:
        while len(self._running) < self._config.concurrency and not self._draining:
            claim = self._holding.next_waiting(lambda domain: self._destinations.at_once(domain, self._clock()))
            if claim is None:
                return
            task = asyncio.create_task(self._deliver(claim))
            self._running.add(task)
            task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._start_waiting()

    async def _deliver(self, claim: Claim) -> None:
        try:
            if self._holding.has_lapsed(claim, self._clock()):
                log.warning("lease_lapsed message_id=%s delivery=%d", claim.message.id, claim.delivery.id)
            elif claim.delivery.expires_at <= self._clock():
                await self._expire(claim.delivery)
            else:
                await self._deliver_held(claim)
        except Exception:  # its lease runs out, and it is attempted again
            log.exception("delivery_not_settled message_id=%s delivery=%d", claim.message.id, claim.delivery.id)
        finally:
            self._holding.drop(claim)

    async def _deliver_held(self, claim: Claim) -> None:
        delivery, message = claim.delivery, claim.message
        configuration_set = await self._configuration_set(claim)
        dkim_header = b""
        started_at = self._clock()
        domain = delivery.domain
        unreached = self._destinations.resting(domain, started_at)
        try:
            if unreached is not None:
                attempt = put_off(delivery.attempts + 1, unreached, started_at)
            else:
                dkim_header = await self._signatures.header(claim)
                attempt = await self._attempt(self._parcel(claim, dkim_header, configuration_set))
                self._destinations.learn(domain, attempt)
        except Exception as error:  # a fault of ours must not lose the delivery, nor be hidden from it
            log.exception("attempt_failed_inside message_id=%s delivery=%d", message.id, delivery.id)
            attempt = broken_attempt(delivery.attempts + 1, error, started_at=started_at, ended_at=self._clock())
        retry_at = None
        if attempt.outcome.result is Result.DEFERRED:
            retry_at = next_attempt(
                self._config.retry,
                attempts=attempt.number,
                now=attempt.ended_at,
                expires_at=delivery.expires_at,
                chance=self._rng.random(),
            )
        owner = None
        if attempt.outcome.suppress:
            account = await self._store.get(Account, INSTALLATION, message.account)
            assert account is not None, "accounts are never deleted"
            owner = Owner(account=account, configuration_set=configuration_set)
        kept = dkim_header if dkim_header and not message.dkim_header and retry_at is not None else None
        await self._settle(settle_attempt(claim, attempt, owner, retry_at=retry_at, dkim_header=kept), delivery)

    def _parcel(self, claim: Claim, dkim_header: bytes, configuration_set: ConfigurationSet | None) -> Parcel:
        delivery, message = claim.delivery, claim.message
        return Parcel(
            delivery_id=delivery.id,
            message_id=message.id,
            recipient=delivery.recipient,
            mail_from=return_path(delivery.id, message.mail_from or self._config.bounce_domain, self._secret),
            content=dkim_header + claim.content,
            number=delivery.attempts + 1,
            tls_required=configuration_set is not None and configuration_set.tls_required,
            signed_by=signing_domains(dkim_header),
        )

    async def _settle(self, settlement: Settlement, delivery: Delivery) -> None:
        """Writes until the store takes it: an answer of the receiver must not be forgotten while this process lives."""
        wait = 0.1
        while True:
            try:
                await self._store.settle(settlement)
            except StoreUnavailable as error:
                log.warning(
                    "store_unavailable while=settling message_id=%s delivery=%d error=%s",
                    delivery.message_id,
                    delivery.id,
                    error,
                )
                await asyncio.sleep(wait)
                wait = min(wait * 2, 5.0)
            except (LeaseLost, NotFound) as error:
                log.warning("lease_lost message_id=%s delivery=%d error=%s", delivery.message_id, delivery.id, error)
                return
            else:
                return

    async def _configuration_set(self, claim: Claim) -> ConfigurationSet | None:
        name = claim.message.configuration_set
        return await self._store.get(ConfigurationSet, claim.message.account, name) if name else None

    async def _expire(self, delivery: Delivery) -> None:
        """Ends a delivery whose time is over, with the last words that a receiver, the DNS or the network gave."""
        ledger = await self._store.ledger(delivery.message_id)
        last = last_word(ledger.events, delivery.recipient) if ledger else NEVER_TRIED
        has_set = ledger is not None and ledger.message.configuration_set is not None
        own_limit = has_set and delivery.expires_at - delivery.accepted_at < self._config.max_lifetime
        await self._settle(settle_expiry(delivery, last, own_limit=own_limit, at=self._clock()), delivery)

    async def _renew_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self._config.lease / 3 / SECOND)
            try:
                await self.renew()
            except StoreUnavailable as error:
                log.warning("store_unavailable while=renewing error=%s", error)

    async def _drain(self) -> None:
        """Lets attempts under way end, and gives back what has not begun, so that others need not wait for its lease."""
        self._draining = True
        if self._running:
            await asyncio.wait(self._running, timeout=DRAIN)
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        left = self._holding.ids()
        try:
            await self._store.renew(self._config.worker, left, self._clock())
        except StoreUnavailable as error:
            log.warning("store_unavailable while=draining deliveries=%d error=%s", len(left), error)
