"""A real queue that delivers over real SMTP to scripted receivers, judged by the product's own classifier, with a set clock."""

import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from tests.deliver.delivering import CONFIG
from tests.queue.queueing import World, work
from tests.store.builders import accepted
from waybill.deliver.attempt import Deliverer
from waybill.deliver.classify import classify
from waybill.lab.dns import LabDns
from waybill.lab.receiver import Receiver
from waybill.lab.script import Rule, Script
from waybill.model.event import Attempted, Event, EventKind
from waybill.model.message import Delivery
from waybill.model.outcome import Attempt, Stage
from waybill.net.resolver import Resolver
from waybill.queue.worker import Queue

EVERYWHERE = {"*": ["MX 10 mx.receiver.test"], "mx.receiver.test": ["A 127.0.0.1"]}
ATTEMPTS = (EventKind.DELIVERED, EventKind.DEFERRED, EventKind.BOUNCED)


def refusing(replies: Mapping[str, str], stage: Stage = Stage.RCPT) -> Script:
    """A receiver that answers each recipient with its own words."""
    return Script(rules=tuple(Rule(stage=stage, recipient=who, reply=words) for who, words in replies.items()))


@dataclass
class Journey:
    """The queue, its store, and what carries its mail."""

    world: World
    queue: Queue
    deliverer: Deliverer

    async def send(self, *recipients: str, **changes: Any) -> tuple[Delivery, ...]:
        """A message, accepted and attempted once for each recipient."""
        deliveries = await accepted(self.world.store, self.world.at, *recipients, **changes)
        await work(self.queue)
        return tuple([await self.world.now(delivery) for delivery in deliveries])

    async def go_on(self, delivery: Delivery) -> Delivery:
        """The next attempt, at its time."""
        now = await self.world.now(delivery)
        assert now.next_at is not None
        self.world.at = max(self.world.at, now.next_at)
        await work(self.queue)
        return await self.world.now(delivery)

    async def events(self, delivery: Delivery, *kinds: EventKind) -> tuple[Event, ...]:
        """What the ledger has of these kinds about the recipient."""
        events = (await self.world.ledger(delivery)).events
        return tuple(event for event in events if event.recipient == delivery.recipient and event.kind in kinds)

    async def attempts(self, delivery: Delivery) -> tuple[Attempt, ...]:
        """The attempts that the ledger tells of."""
        facts = [event.fact for event in await self.events(delivery, *ATTEMPTS)]
        return tuple(fact.attempt for fact in facts if isinstance(fact, Attempted))


@asynccontextmanager
async def journey(
    world: World,
    port: int,
    zones: Mapping[str, Sequence[str]] = EVERYWHERE,
    *,
    relay: str = "",
    **changes: Any,
) -> AsyncIterator[Journey]:
    """Mail to every domain of ``zones`` goes to loopback at ``port``, or all of it to the ``relay``."""
    async with LabDns(zones) as dns:
        resolver = Resolver([dns.address], patience=1.0, rounds=2, monotonic=lambda: world.at / 1000)
        deliverer = Deliverer(
            resolver=resolver,
            config=replace(
                CONFIG,
                port=port,
                relay=relay,
            ),
            clock=world.clock,
            rng=random.Random(1),
            classify=classify,
        )
        try:
            yield Journey(world, world.queue(deliverer.attempt, **changes), deliverer)
        finally:
            await deliverer.close()
            await resolver.close()


@asynccontextmanager
async def received(world: World, script: Script, **changes: Any) -> AsyncIterator[tuple[Journey, Receiver]]:
    """A journey to one receiver that plays the script for every domain."""
    async with Receiver(script) as receiver, journey(world, receiver.port, **changes) as trip:
        yield trip, receiver
