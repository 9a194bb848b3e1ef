"""Incidents from beginning to end, over real SMTP: a provider that disowns its users, one that is down, and our own resolver."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from tests.lessons.journey import Journey, journey, refusing
from tests.queue.queueing import CONFIG, World, finished, work
from tests.store.builders import ACCOUNT, START, message
from waybill.explain.record import RecipientExplanation
from waybill.inquire import inquire
from waybill.lab.receiver import Receiver
from waybill.lab.script import Rule, Script
from waybill.model.cause import Cause
from waybill.model.clock import DAY, HOUR, MINUTE, SECOND
from waybill.model.event import EventKind, Prolonged
from waybill.model.incident import Incident, IncidentKind, IncidentState
from waybill.model.message import Delivery, Status
from waybill.model.outcome import Stage
from waybill.model.suppression import GLOBAL
from waybill.queue.incident_end import close_incident
from waybill.queue.incidents import Incidents

GMAIL = {
    "gmail.com": ["MX 5 gmail-smtp-in.l.google.com"],
    "gmail-smtp-in.l.google.com": ["A 127.0.0.1"],
    "*": ["MX 10 mx.receiver.test"],
    "mx.receiver.test": ["A 127.0.0.1"],
}
DISOWNED = (
    "550 5.1.1 The email account that you tried to reach does not exist. Please try double-checking the recipient's "
    "email address for typos or unnecessary spaces."
)
SENDERS = ("alice@sender.example", "bob@club.example", "news@shop.example")


@dataclass
class Scene:
    """A journey, and the look at incidents that one worker of the installation has."""

    trip: Journey
    incidents: Incidents

    @property
    def world(self) -> World:
        return self.trip.world

    async def send(self, *recipients: str) -> list[Delivery]:
        """A message to each, by turns from three senders."""
        sent: list[Delivery] = []
        for number, recipient in enumerate(recipients):
            sender = SENDERS[number % len(SENDERS)]
            sent += await self.trip.send(recipient, message=message(self.world.at, sender=sender))
        return sent

    async def look(self) -> list[Incident]:
        """Half a minute later: what was counted is judged, and the worker learns of it; those that last then."""
        self.world.at += 30 * SECOND
        await self.trip.queue.keep_house()
        await self.trip.queue.count()
        await self.incidents.look()
        await self.trip.queue.keep_house()
        await finished(self.trip.queue)
        return await self.world.store.incidents.lasting()

    async def go_on(self, minutes: int, until: Callable[[], Awaitable[bool]]) -> None:
        """Time goes by, minute by minute, with all that is due in it."""
        for _ in range(minutes):
            self.world.at += 30 * SECOND
            await work(self.trip.queue)
            await self.look()
            await work(self.trip.queue)
            if await until():
                return

    async def explained(self, delivery: Delivery) -> RecipientExplanation:
        found = await inquire(self.world.store, delivery.message_id, self.world.at)
        assert found is not None
        return found.recipients[0]


@asynccontextmanager
async def scene(world: World, port: int) -> AsyncIterator[Scene]:
    """The whole installation."""
    async with journey(world, port, GMAIL) as trip:
        trip.queue = world.queue(trip.deliverer.attempt, parts={"transport": trip.deliverer})
        yield Scene(trip, Incidents(world.store, clock=world.clock, lifetime=CONFIG.max_lifetime))


RECIPIENTS = tuple(f"user{number}@gmail.com" for number in range(18))
BEFORE, MEANWHILE = RECIPIENTS[:6], RECIPIENTS[6:]
UNHEARD_OF = ("nobody1@gmail.com", "nobody2@gmail.com")
"""To them nothing was ever sent before: they may be wrong."""


async def _disowned(here: Scene, port: int) -> tuple[list[Delivery], list[Delivery]]:
    """All took mail yesterday. Today the first six are refused, then the others, once that has been seen to be an incident."""
    async with Receiver(Script(), port=port):
        taken = await here.send(*RECIPIENTS)
    assert [Status.DELIVERED] * len(RECIPIENTS) == [one.status for one in taken]
    here.world.at = START + DAY
    async with Receiver(refusing({"*@gmail.com": DISOWNED}), port=port):
        refused = await here.send(*BEFORE, *UNHEARD_OF)
        (incident,) = await here.look()
        waiting = await here.send(*MEANWHILE)
    assert (IncidentKind.FALSE_RECIPIENT_REJECTS, IncidentState.OPEN) == (incident.kind, incident.state)
    assert "google" == incident.site
    return refused, waiting


@pytest.fixture
async def port() -> int:
    """A port on which nobody listens between the acts."""
    async with Receiver(Script()) as receiver:
        return receiver.port


async def test_the_december_2020_case(world: World, port: int) -> None:
    """Gmail refuses whom it knows: an incident opens, nobody is suppressed, and the mail arrives when it is over; every answer names it."""
    store = world.store
    async with scene(world, port) as here:
        refused, waiting = await _disowned(here, port)
        assert [Status.BOUNCED] * 8 == [one.status for one in refused]
        assert {(Status.DELAYED, Cause.PROVIDER_INCIDENT, Cause.USER_UNKNOWN)} == {
            (one.status, one.cause, one.underlying_cause) for one in waiting
        }
        assert [[], []] == [await store.suppressions(ACCOUNT), await store.suppressions(GLOBAL)]
        said = await here.explained(waiting[0])
        assert (Cause.PROVIDER_INCIDENT, Cause.USER_UNKNOWN) == (said.cause, said.underlying_cause)
        assert "INC-1" in said.telling.headline
        assert "We do not believe it" in said.telling.headline
        assert "6 recipients whose mail was taken in the last 90 days" in said.telling.evidence[-1].text
        assert "INC-1" in said.next.text

        async def over() -> bool:
            return not await store.incidents.lasting() and all(
                [(await world.now(one)).status is Status.DELIVERED for one in waiting]
            )

        async with Receiver(Script(), port=port):
            await here.go_on(120, over)
        assert [Status.DELIVERED] * len(MEANWHILE) == [(await world.now(one)).status for one in waiting]
        closed = await store.incidents.incident(1)
        assert closed is not None
        assert ("rule:incident-false-recipient-rejects", False) == (closed.closed_by, closed.discarded)
        assert list(UNHEARD_OF) == [entry.address for entry in await store.suppressions(ACCOUNT)]
        late = await here.explained(waiting[0])
        assert any("INC-1" in item.source for item in late.telling.evidence)
        first = await here.explained(refused[0])
        assert Cause.USER_UNKNOWN is first.cause
        assert "INC-1" in first.telling.headline
        assert "taken out of force" in (first.telling.effect or "")


async def test_while_it_lasts_one_is_tried_every_five_minutes(world: World, port: int) -> None:
    """The provider goes on refusing: a single message is tried each time, and nobody gives up."""
    async with scene(world, port) as here:
        _, waiting = await _disowned(here, port)

        async def never() -> bool:
            return False

        async with Receiver(refusing({"*@gmail.com": DISOWNED}), port=port):
            await here.go_on(21, never)
        attempts = [len(await here.trip.attempts(one)) for one in waiting]
        assert sum(attempts) - len(waiting) in {4, 5}
        assert {Status.DELAYED} == {(await world.now(one)).status for one in waiting}


async def test_an_operator_who_knows_better(world: World, port: int) -> None:
    """Discarded, it was no incident: the entries are in force again, what waits is refused for good, and it is not opened again."""
    store = world.store
    async with scene(world, port) as here:
        _, waiting = await _disowned(here, port)
        (incident,) = await store.incidents.lasting()
        assert incident.quarantined > 0
        await close_incident(store, incident, by="operator", now=world.at, lifetime=CONFIG.max_lifetime, discarded=True)
        assert incident.quarantined == len(await store.suppressions(ACCOUNT)) + len(await store.suppressions(GLOBAL))

        async def ended() -> bool:
            return all([(await world.now(one)).status is Status.BOUNCED for one in waiting])

        async with Receiver(refusing({"*@gmail.com": DISOWNED}), port=port):
            await here.go_on(40, ended)
        assert {Status.BOUNCED} == {(await world.now(one)).status for one in waiting}
        assert not await store.incidents.lasting()


async def test_mail_gets_the_time_back_that_an_outage_took(world: World, port: int) -> None:
    """A provider that answers 451 for hours: the incident is named, and its mail expires so much later."""
    store = world.store
    async with scene(world, port) as here:
        async with Receiver(Script(rules=(Rule(stage=Stage.MAIL, reply="451 4.3.2 try again later"),)), port=port):
            waiting = await here.send(*(f"u{number}@gmail.com" for number in range(40)))
            (incident,) = await here.look()
            assert (IncidentKind.OUTAGE, True) == (incident.kind, incident.is_open)
            (again,) = await here.send("later@gmail.com")
            assert (Cause.PROVIDER_INCIDENT, Cause.SERVER_UNAVAILABLE) == (again.cause, again.underlying_cause)
            expires = again.expires_at
            world.at += 2 * HOUR
            await work(here.trip.queue)
            await here.look()

        async def over() -> bool:
            return not await store.incidents.lasting()

        async with Receiver(Script(), port=port):
            await here.go_on(60, over)
            said = await here.explained(again)
        assert any("INC-1" in item.source for item in said.telling.evidence)
        facts = [event.fact for event in await here.trip.events(waiting[0], EventKind.PROLONGED)]
        given = [fact.by_ms for fact in facts if isinstance(fact, Prolonged)]
        now = await world.now(waiting[0])
        assert waiting[0].expires_at + sum(given) == now.expires_at
        assert expires - 2 * MINUTE < (await world.now(again)).expires_at


async def test_our_own_resolver_is_no_fault_of_any_provider(world: World, port: int) -> None:
    """No name can be looked up: one incident, about us, and none about those who could not be asked."""
    zones = {"*": ["SERVFAIL"]}
    async with journey(world, port, zones) as trip:
        here = Scene(trip, Incidents(world.store, clock=world.clock, lifetime=CONFIG.max_lifetime))
        sent = await here.send(*(f"u@domain{number}.test" for number in range(12)))
        assert {Cause.DNS_FAILURE} == {one.cause for one in sent}
        lasting = await here.look()
        assert [(IncidentKind.OWN_RESOLVER, IncidentState.OPEN)] == [(one.kind, one.state) for one in lasting]
        said = await here.explained(sent[0])
        assert any("our own DNS resolver is failing" in item.text for item in said.telling.evidence)
