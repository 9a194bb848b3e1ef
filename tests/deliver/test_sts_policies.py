"""MTA-STS policies over time (RFC 8461 §3.3, §5.1, §10.2): fetched once, kept to their end, and over restarts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from tests.net.certificates import issue
from tests.net.policy_host import POLICY, PolicyHost, policy_host
from waybill.deliver.sts_policies import CHECK_EVERY, REFRESH_AFTER, Found, StsPolicies
from waybill.lab.dns import LabDns, Zones
from waybill.model.clock import HOUR, Instant, now
from waybill.model.resource import MtaStsPolicy
from waybill.net.mta_sts import PolicyFetcher
from waybill.net.resolver import Resolver

ROOT = issue("Root", authority=True)
CERTIFICATE = issue("mta-sts.b.test", "mta-sts.c.test", by=ROOT)
ONE_MX = POLICY.replace("mx.b.test", "other.b.test")


@dataclass(kw_only=True)
class World:
    """A policy host, the DNS that leads to it, a clock, and what was kept; ``start`` begins a new run."""

    host: PolicyHost
    dns: LabDns
    ca_file: str
    at: Instant = field(default_factory=now)
    kept: dict[str, MtaStsPolicy] = field(default_factory=dict)
    saved: asyncio.Event = field(default_factory=asyncio.Event)
    running: list[StsPolicies] = field(default_factory=list)
    resolvers: list[Resolver] = field(default_factory=list)

    def publish(self, record: str | None, policy: str | None = None) -> None:
        """The TXT record of b.test and c.test, and the policy where it changes too."""
        addresses = {f"mta-sts.{domain}": ["A 127.0.0.1"] for domain in ("b.test", "c.test")}
        records = {f"_mta-sts.{domain}": [f"TXT v=STSv1; id={record}"] for domain in ("b.test", "c.test")}
        self.dns.zones = Zones({**addresses, **(records if record is not None else {})})
        if policy is not None:
            self.host.publish(policy)

    def start(self) -> StsPolicies:
        resolver = Resolver([self.dns.address], monotonic=lambda: self.at / 1000)
        fetcher = PolicyFetcher(
            resolver=resolver, clock=lambda: self.at, allow_private=True, ca_file=self.ca_file, port=self.host.port
        )

        async def load(domain: str) -> MtaStsPolicy | None:
            return self.kept.get(domain)

        async def save(policy: MtaStsPolicy) -> None:
            self.kept[policy.name] = policy
            self.saved.set()

        policies = StsPolicies(resolver=resolver, fetch=fetcher.fetch, clock=lambda: self.at, load=load, save=save)
        self.running.append(policies)
        self.resolvers.append(resolver)
        return policies

    async def found(self, policies: StsPolicies, *, after: int = 0) -> Found:
        self.at += after
        return await policies.find("b.test")


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with world_in(tmp_path) as world:
        yield world


@asynccontextmanager
async def world_in(folder: Path) -> AsyncIterator[World]:
    (folder / "ca.pem").write_bytes(ROOT.certificate.public_bytes(Encoding.PEM))
    async with policy_host(CERTIFICATE) as host, LabDns({}) as dns:
        world = World(host=host, dns=dns, ca_file=str(folder / "ca.pem"))
        world.publish("1")
        yield world
        for policies in world.running:
            await policies.close()
        for resolver in world.resolvers:
            await resolver.close()


def mx(found: Found) -> tuple[str, ...] | None:
    return found.policy.mx if found.policy is not None else None


async def test_fetched_once_and_kept_over_restarts(world: World) -> None:
    """However many ask, it is fetched once; another run, or another worker, takes what was kept."""
    policies = world.start()
    found = await asyncio.gather(*(policies.find("b.test") for _ in range(50)))
    assert {("mx.b.test",)} == {mx(each) for each in found}
    assert mx(await world.found(world.start(), after=HOUR)) == ("mx.b.test",)
    assert len(world.host.asked) == 1


async def test_a_new_id_is_a_new_policy(world: World) -> None:
    """Within the time between two looks nothing is asked; then the changed id leads to a fetch."""
    policies = world.start()
    await world.found(policies)
    world.publish("2", ONE_MX)
    assert mx(await world.found(policies, after=CHECK_EVERY - 1)) == ("mx.b.test",)
    assert mx(await world.found(policies, after=1)) == ("other.b.test",)
    assert world.kept["b.test"].id == "2"
    # A worker that still has the old one takes what the other has fetched.
    assert mx(await world.found(world.start())) == ("other.b.test",)
    assert len(world.host.asked) == 2


async def test_a_failed_fetch_leaves_the_old_policy(world: World) -> None:
    """The kept policy counts, and why there is no newer is said (RFC 8461 §3.3); after its end there is none."""
    policies = world.start()
    await world.found(policies)
    world.publish("2", "gone")
    found = await world.found(policies, after=CHECK_EVERY)
    assert (mx(found), "line 1 of the policy" in found.fault) == (("mx.b.test",), True)
    found = await world.found(policies, after=604_800_000)
    assert (mx(found), "line 1 of the policy" in found.fault) == (None, True)


async def test_no_policy_is_remembered(world: World) -> None:
    """A policy host that fails is left alone for a while, and then asked again."""
    world.publish("1", "gone")
    policies = world.start()
    for _ in range(3):
        found = await world.found(policies)
        assert (found.policy, "line 1 of the policy" in found.fault) == (None, True)
    assert len(world.host.asked) == 1
    world.publish("1", POLICY)
    assert mx(await world.found(policies, after=CHECK_EVERY)) == ("mx.b.test",)


async def test_without_a_record(world: World) -> None:
    """No TXT record: no policy host is asked. A policy that is kept outlives its record, to its end and no longer."""
    policies = world.start()
    await world.found(policies)
    world.publish(None)
    assert mx(await world.found(policies, after=CHECK_EVERY)) == ("mx.b.test",)
    assert await world.found(policies, after=604_800_000) == Found(policy=None, check_at=world.at + CHECK_EVERY)
    assert len(world.host.asked) == 1


async def test_dns_that_fails(world: World) -> None:
    """It hides no policy that is kept, and is said where there is none."""
    kept = world.start()
    await world.found(kept)
    world.dns.zones = Zones({"_mta-sts.b.test": ["SERVFAIL"]})
    assert mx(await world.found(kept, after=CHECK_EVERY)) == ("mx.b.test",)
    world.kept.clear()
    found = await world.found(world.start())
    assert (found.policy, "SERVFAIL for _mta-sts.b.test TXT" in found.fault) == (None, True)


async def test_fetched_again_before_it_ends(world: World) -> None:
    """After a day the next message still goes by the old policy at once, and the one after it by the new."""
    policies = world.start()
    await world.found(policies)
    world.publish("1", ONE_MX)
    world.saved.clear()
    assert mx(await world.found(policies, after=REFRESH_AFTER)) == ("mx.b.test",)
    await world.saved.wait()
    await asyncio.sleep(0)
    assert mx(await world.found(policies)) == ("other.b.test",)
    world.publish("1", "gone")
    assert mx(await world.found(policies, after=REFRESH_AFTER)) == ("other.b.test",)


async def test_a_policy_that_ends_at_once(world: World) -> None:
    """With ``max_age: 0`` it counts until the next look, and is not fetched for every message."""
    world.publish("1", POLICY.replace("604800", "0"))
    policies = world.start()
    for _ in range(3):
        assert mx(await world.found(policies, after=1)) == ("mx.b.test",)
    assert len(world.host.asked) == 1
    await world.found(policies, after=CHECK_EVERY)
    assert len(world.host.asked) == 2


async def test_a_slow_host_delays_nobody_else(world: World) -> None:
    """While one domain's policy host hangs, another domain's policy is found; closing ends the wait."""
    world.host.answer = None
    policies = world.start()
    waiting = asyncio.ensure_future(policies.find("b.test"))
    await world.host.knocked.wait()
    world.host.publish(POLICY)
    assert mx(await policies.find("c.test")) == ("mx.b.test",)
    assert not waiting.done()
    await policies.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting
