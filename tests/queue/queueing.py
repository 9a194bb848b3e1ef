"""A real store, a queue whose attempts follow a script, and a set clock."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

from tests.store.builders import ACCOUNT, START, attempt
from waybill.deliver.attempt import Parcel
from waybill.deliver.provider import PROVIDERS, Site, plain_site
from waybill.model.cause import Cause, Responder, Scope
from waybill.model.clock import HOUR, MINUTE, SECOND, Instant
from waybill.model.message import Delivery
from waybill.model.outcome import Attempt, Outcome, Result, Stage
from waybill.model.resource import INSTALLATION, Account
from waybill.queue.config import QueueConfig, QueueParts
from waybill.queue.sign import Signatures
from waybill.queue.signing_threads import SigningThreads
from waybill.queue.worker import Queue
from waybill.store.protocol import Ledger, Settlement, Store, StoreUnavailable

Script = Callable[[Parcel], Awaitable[Attempt]]

CONFIG = QueueConfig(
    worker="w1",
    retry=(MINUTE, 5 * MINUTE),
    max_lifetime=14 * HOUR,
    lease=30 * SECOND,
    bounce_domain="bounce.test",
)


@dataclass
class Receiver:
    """Answers attempts with the results of a list, the last for ever, and keeps the parcels."""

    clock: Callable[[], Instant]
    results: list[Result | Exception] = field(default_factory=lambda: [Result.DELIVERED])
    parcels: list[Parcel] = field(default_factory=list)

    async def __call__(self, parcel: Parcel) -> Attempt:
        self.parcels.append(parcel)
        result = self.results[0] if len(self.results) == 1 else self.results.pop(0)
        if isinstance(result, Exception):
            raise result
        return answer(result, parcel, self.clock())


def answer(result: Result, parcel: Parcel, at: Instant) -> Attempt:
    """What an attempt that ended with this result was."""
    if result is Result.BOUNCED:
        outcome = Outcome(
            result=result,
            cause=Cause.USER_UNKNOWN,
            scope=Scope.RECIPIENT,
            responder=Responder.REMOTE,
            permanent=True,
            stage=Stage.RCPT,
            status="5.1.1",
            diagnostic="smtp; 550 5.1.1 No such user",
            rule="user-unknown",
            suppress=True,
        )
        return Attempt(number=parcel.number, started_at=at, ended_at=at, outcome=outcome)
    words = "250 2.0.0 Ok" if result is Result.DELIVERED else "451 4.7.1 Greylisted, try again"
    cause = Cause.ACCEPTED_BY_RECEIVER if result is Result.DELIVERED else Cause.GREYLISTED
    return replace(attempt(at, result, cause, words), number=parcel.number, ended_at=at)


@dataclass
class Network:
    """Delivers by a script. Domains that end in a provider's MX suffix are its own; every other domain is a site by itself."""

    script: Script
    unknown: set[str] = field(default_factory=set)

    async def attempt(self, parcel: Parcel) -> Attempt:
        return await self.script(parcel)

    async def site(self, domain: str) -> Site:
        self.unknown.discard(domain)
        return site_of(domain)

    def known_site(self, domain: str) -> Site | None:
        return None if domain in self.unknown else site_of(domain)


def site_of(domain: str) -> Site:
    return PROVIDERS.site(domain) if PROVIDERS.of_host(domain) is not None else plain_site(domain)


@dataclass
class Diary:
    """A journal of sending that remembers everything."""

    lines: list[tuple[str, int]] = field(default_factory=list)

    def begin(self, delivery_id: int) -> None:
        self.lines.append(("begin", delivery_id))

    def end(self, delivery_id: int) -> None:
        self.lines.append(("end", delivery_id))


@dataclass
class World:
    """Everything a test of the queue touches."""

    store: Store
    threads: SigningThreads
    at: Instant = START
    troubles: list[tuple[str, str | None]] = field(default_factory=list)
    diary: Diary = field(default_factory=Diary)
    unknown: set[str] = field(default_factory=set)

    def clock(self) -> Instant:
        return self.at

    async def account(self, **changes: Any) -> None:
        await self.store.put(replace(Account(account=INSTALLATION, name=ACCOUNT, created_at=START), **changes))

    def queue(self, script: Script, *, store: Store | None = None, parts: Any = None, **changes: Any) -> Queue:
        store = store or self.store
        fields: dict[str, Any] = {
            "store": store,
            "transport": Network(script, self.unknown),
            "signatures": Signatures(store=store, clock=self.clock, threads=self.threads),
            "clock": self.clock,
            "chance": random.Random(1).random,
            "journal": self.diary,
            "watch": lambda part, problem: self.troubles.append((part, problem)),
        }
        return Queue(QueueParts(**fields | (parts or {})), replace(CONFIG, **changes))

    def receiver(self, *results: Result | Exception) -> Receiver:
        return Receiver(self.clock, list(results or (Result.DELIVERED,)))

    async def ledger(self, delivery: Delivery) -> Ledger:
        ledger = await self.store.ledger(delivery.message_id)
        assert ledger is not None
        return ledger

    async def now(self, delivery: Delivery) -> Delivery:
        """The delivery as it stands."""
        found = await self.store.delivery(delivery.id)
        assert found is not None
        return found


async def finished(queue: Queue) -> None:
    """Waits until the queue holds nothing."""
    async with asyncio.timeout(10):
        while queue._running or queue._aside or queue._holder._tasks or len(queue._lanes):  # noqa: ASYNC110 - the queue has no event for it
            await asyncio.sleep(0.001)


async def work(queue: Queue) -> None:
    """One sweep, one look at the store and all that follows from it."""
    await queue.sweeper.sweep()
    await queue.work_once()
    await finished(queue)


@dataclass
class Gate:
    """Attempts that wait until the test lets them go on."""

    world: World
    started: asyncio.Event
    go_on: asyncio.Event

    async def __call__(self, parcel: Parcel) -> Attempt:
        self.started.set()
        await self.go_on.wait()
        return answer(Result.DELIVERED, parcel, self.world.at)


def gate(world: World) -> Gate:
    return Gate(world, asyncio.Event(), asyncio.Event())


@dataclass
class Flaky:
    """A store that cannot settle for a while; all else is the real one."""

    store: Any
    failures: int

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    async def settle(self, settlement: Settlement) -> None:
        if self.failures:
            self.failures -= 1
            raise StoreUnavailable("the disk is full")
        await self.store.settle(settlement)
