"""One worker judges the rates each minute: it warns once, pauses, respects a resume, asks blocklists and keeps advice."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from tests.store.builders import ACCOUNT, START, acceptance, attempted, message
from waybill.appraise import appraise, troubles
from waybill.lab.dns import LabDns
from waybill.model.clock import HOUR, MINUTE, Instant
from waybill.model.event import Attempted
from waybill.model.incident import Incident, IncidentKind, IncidentState
from waybill.model.message import Status
from waybill.model.resource import INSTALLATION, Account, ConfigurationSet, Identity
from waybill.model.standing import Advice, Listed, ListingState, Recommendation
from waybill.net.resolver import Resolver
from waybill.serve.domain_advice import DomainAdvice
from waybill.serve.standing import StandingConfig, StandingWatch
from waybill.settings import Settings
from waybill.standing.pausing import resumed_account, resumed_set
from waybill.standing.reputation import Kind, Level
from waybill.store.protocol import Store
from waybill.store.sqlite import open_sqlite

IP = "93.184.215.14"
ZEN = "zen.spamhaus.org"
AWAKE = {f"2.0.0.127.{ZEN}": ["A 127.0.0.2"]}


@dataclass
class World:
    """A store, a clock to be set, and a watch whose lists are in the lab."""

    store: Store
    now: Instant = START
    zones: dict[str, Sequence[str]] = field(default_factory=dict)

    async def send(
        self, sent: int, bounced: int, configuration_set: str | None = None, provider: str | None = None
    ) -> None:
        """Mail to so many recipients, of which so many bounce."""
        left = bounced
        for first in range(0, sent, 50):
            names = [f"r{number}@receiver.example" for number in range(first, min(first + 50, sent))]
            new = message(self.now, configuration_set=configuration_set)
            deliveries = await self.store.accept(acceptance(self.now, *names, message=new))
            assert isinstance(deliveries, tuple)
            settlements = []
            for delivery in deliveries:
                settlement = attempted(delivery, Status.BOUNCED if left > 0 else Status.DELIVERED, self.now)
                fact = settlement.events[0].fact
                assert isinstance(fact, Attempted)
                fact = replace(fact, attempt=replace(fact.attempt, source_ip=IP, provider=provider))
                event = replace(settlement.events[0], fact=fact)
                settlements.append(replace(settlement, events=(event,)))
                left -= 1
            await asyncio.gather(*map(self.store.settle, settlements))

    def watch(
        self, *, pause: bool = True, lists: tuple[str, ...] = (), resolver: Resolver | None = None
    ) -> StandingWatch:
        config = StandingConfig(pause=pause, blocklists=lists, source_ips=(IP, "10.0.0.1"))
        return StandingWatch(
            store=self.store, resolver=resolver or Resolver(["127.0.0.1:9"]), clock=lambda: self.now, config=config
        )

    async def account(self) -> Account:
        found = await self.store.get(Account, INSTALLATION, ACCOUNT)
        assert found is not None
        return found

    async def advice(self) -> list[Recommendation]:
        return await self.store.scan(Recommendation, ACCOUNT)

    async def ask(self, zones: Mapping[str, Sequence[str]]) -> list[Listed]:
        """What stands after a look whose list answers from these zones."""
        async with LabDns(zones) as dns:
            resolver = Resolver([dns.address])
            try:
                await self.watch(lists=("spamhaus-zen",), resolver=resolver).look()
            finally:
                await resolver.close()
        return await self.store.standing.listings()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    store = await open_sqlite(tmp_path / "waybill.db", clock=lambda: START)
    try:
        await store.create(Account(account=INSTALLATION, name=ACCOUNT, created_at=START))
        await store.create(ConfigurationSet(account=ACCOUNT, name="news", created_at=START))
        yield World(store=store)
    finally:
        await store.close()


async def test_an_account_that_bounces_too_much_is_paused(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """By the rule, with the figures; and a warning is logged once, not each minute."""
    await world.send(150, 60)
    watch = world.watch()
    with caplog.at_level(logging.INFO, "waybill.serve.standing"):
        await watch.look()
        world.now += MINUTE
        await watch.look()
    paused = (await world.account()).paused
    assert paused is not None
    assert "rule:bounce-rate" == paused.by
    assert (
        "60 of 150 recipients (40.0 %) bounced for good in the last 30 days, and sending stops at 10 %" == paused.reason
    )
    lines = [line for line in caplog.messages if "account 100000000001" in line]
    assert [1, 1] == [sum(start in line for line in lines) for start in ("standing_changed", "sending_paused")]


async def test_a_pause_can_be_switched_off(world: World) -> None:
    """Then it is only said."""
    await world.send(150, 60)
    await world.watch(pause=False).look()
    assert (await world.account()).paused is None
    found = await appraise(world.store, world.now)
    assert Level.OVER_LIMIT is next(one.level for one in troubles(found) if one.subject.kind is Kind.ACCOUNT)


async def test_a_resume_is_not_undone_by_the_same_old_bounces(world: World) -> None:
    """What counts after a resume begins with the next full hour; new bounces pause again."""
    await world.send(150, 60)
    watch = world.watch()
    await watch.look()
    world.now += 5 * MINUTE
    await world.store.update(Account, INSTALLATION, ACCOUNT, lambda old: resumed_account(old, world.now))
    await watch.look()
    assert (await world.account()).paused is None
    [known] = [one for one in (await appraise(world.store, world.now)).judgements if one.figures.hard]
    assert Kind.SOURCE_IP is known.subject.kind  # which receivers go on to judge by all that came from it
    world.now += HOUR
    await world.send(150, 60)
    await watch.look()
    paused = (await world.account()).paused
    assert paused is not None
    assert "60 of 150" in paused.reason


async def test_a_bad_configuration_set_stops_alone_and_comes_back(world: World) -> None:
    """The rest of the account goes on; the resumed set's old bounces count against neither."""
    await world.send(150, 60, "news")
    await world.send(450, 0)
    watch = world.watch()
    await watch.look()
    stopped = await world.store.get(ConfigurationSet, ACCOUNT, "news")
    assert stopped is not None
    assert stopped.paused is not None
    assert (False, "rule:bounce-rate") == (stopped.sending_enabled, stopped.paused.by)
    assert (await world.account()).paused is None
    world.now += 5 * MINUTE
    await world.store.update(ConfigurationSet, ACCOUNT, "news", lambda old: resumed_set(old, world.now))
    await watch.look()
    again = await world.store.get(ConfigurationSet, ACCOUNT, "news")
    assert again is not None
    assert (True, None) == (again.sending_enabled, again.paused)
    assert (await world.account()).paused is None


@pytest.mark.parametrize("configuration_set", [None, "news"])
async def test_an_incident_excuses_its_bounces_and_undoes_the_pause(
    world: World, configuration_set: str | None
) -> None:
    """A provider that disowns mailboxes is seen only after the first have bounced, and the rate may be quicker."""

    async def is_paused() -> bool:
        found = await world.store.get(ConfigurationSet, ACCOUNT, "news")
        assert found is not None
        return not found.sending_enabled if configuration_set else (await world.account()).paused is not None

    if configuration_set:
        await world.send(450, 0)  # so that the set alone is stopped
    await world.send(150, 60, configuration_set, "google")
    watch = world.watch()
    await watch.look()
    assert await is_paused()
    incident = await world.store.incidents.open(
        Incident(
            kind=IncidentKind.FALSE_RECIPIENT_REJECTS,
            state=IncidentState.OPEN,
            site="google",
            since=START,
            opened_at=START,
            updated_at=START,
            author="rule:false-rejects",
        )
    )
    await watch.look()
    assert not await is_paused()
    [judged] = [one for one in (await appraise(world.store, world.now)).judgements if one.subject.kind is Kind.ACCOUNT]
    assert (Level.HEALTHY, 0, 60) == (judged.level, judged.figures.hard, judged.figures.excused)
    await world.store.incidents.change(replace(incident, state=IncidentState.CLOSED, closed_at=START))
    await world.send(150, 60, configuration_set, "google")
    await watch.look()
    assert await is_paused()


async def test_what_a_blocklist_says_is_kept_with_its_times(world: World) -> None:
    """Listed, then clear again; and a list that is silent for once has taken nothing back."""
    await world.send(1, 0)
    entry = {f"14.215.184.93.{ZEN}": ["A 127.0.0.4", "TXT see https://check.example/"]}
    [listed] = await world.ask({**AWAKE, **entry})
    assert (IP, "spamhaus-zen", ListingState.LISTED, ("127.0.0.4",), START) == (
        listed.subject,
        listed.blocklist,
        listed.state,
        listed.answers,
        listed.since,
    )
    assert "see https://check.example/" in listed.text
    [advice] = await world.advice()
    assert (Advice.IP_LISTING, IP, True, None) == (advice.type, advice.about, advice.high, advice.fixed_at)
    assert "https://check.spamhaus.org/" in advice.fix
    world.now += HOUR
    assert [listed] == await world.ask({"*": ["SERVFAIL"]})
    world.now += HOUR
    [clear] = await world.ask(AWAKE)
    assert (ListingState.CLEAR, world.now) == (clear.state, clear.since)
    [advice] = await world.advice()
    assert world.now == advice.fixed_at


async def test_advice_opens_once_and_is_fixed(world: World) -> None:
    """A rate at risk, then well again; thirty days later nobody speaks of it."""
    await world.send(150, 10)
    watch = world.watch()
    await watch.look()
    world.now += MINUTE
    await watch.look()
    opened = {one.name: one for one in await world.advice()}
    assert {"BOUNCE", "BOUNCE sender.example"} == set(opened)
    assert (START, False) == (opened["BOUNCE"].opened_at, opened["BOUNCE"].high)
    await world.send(850, 0)
    await watch.look()
    assert [world.now, world.now] == [one.fixed_at for one in await world.advice()]
    world.now += 31 * 24 * HOUR
    await watch.look()
    assert [] == await world.advice()


@pytest.mark.parametrize(("relayed", "asked"), [(False, [IP]), (True, [])])
async def test_the_address_that_the_system_chose_is_asked_about(world: World, relayed: bool, asked: list[str]) -> None:
    """Attempts tell which it is; where a relay sends for us, ours does not matter."""
    await world.send(1, 0)
    async with LabDns(AWAKE) as dns:
        watch = world.watch(lists=("spamhaus-zen",), resolver=Resolver([dns.address]))
        watch.config = replace(watch.config, source_ips=(), relayed=relayed)
        try:
            await watch.look()
        finally:
            await watch.resolver.close()
    assert asked == [one.subject for one in await world.store.standing.listings()]


BARE: dict[str, list[str]] = {"shop.example": []}
SILENT = {"*": ["SERVFAIL"]}
PERFECT = {
    "shop.example": ["TXT v=spf1 ip4:93.184.215.14 -all", "MX 10 mx.shop.example"],
    "bounce.shop.example": ["TXT v=spf1 ip4:93.184.215.14 -all"],
    "_dmarc.shop.example": ["TXT v=DMARC1; p=reject; rua=mailto:d@shop.example"],
}


async def test_what_a_domain_does_not_publish_is_advised_until_it_does(world: World) -> None:
    """Checked at once, ten minutes later again; a resolver that does not answer has mended nothing."""
    await world.store.create(Identity(account=ACCOUNT, name="shop.example", created_at=START, token="t"))
    settings = Settings(
        delivery=replace(Settings().delivery, source_addresses=(IP,)),
        inbound=replace(Settings().inbound, bounce_domain="bounce.shop.example"),
    )
    found: list[dict[str, bool]] = []
    domains: DomainAdvice | None = None
    for zones in (BARE, SILENT, PERFECT):
        async with LabDns(zones) as dns:
            resolver = Resolver([dns.address])
            domains = domains or DomainAdvice(
                settings=settings, store=world.store, resolver=resolver, clock=lambda: world.now
            )
            domains.resolver = resolver
            watch = world.watch()
            watch.domains = domains
            try:
                await watch.look()
            finally:
                await resolver.close()
        found.append({one.name.split()[0]: one.fixed_at is None for one in await world.advice()})
        world.now += 10 * MINUTE
    first = {"DKIM": True, "DMARC": True, "SPF": True}  # the identity has no key, which the DNS alone cannot mend
    assert [first, first, {**first, "DMARC": False, "SPF": False}] == found


async def test_it_ends_when_it_is_told_to(world: World) -> None:
    """Also while it looks."""
    stop = asyncio.Event()
    running = asyncio.create_task(world.watch().run(stop))
    await asyncio.sleep(0)
    stop.set()
    await asyncio.wait_for(running, 5)
