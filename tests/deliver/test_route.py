"""Where the mail of a domain goes."""

import random
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from waybill.deliver.config import DeliverConfig, Relay, ZoneRoute, parse_relay
from waybill.deliver.evidence import Failure
from waybill.deliver.route import NoRoute, Route, Router
from waybill.lab.dns import LabDns
from waybill.net.resolver import Resolver
from waybill.net.smtp_target import Credentials, Target, TlsMode

ZONES = {
    "b.test": ["MX 20 far.b.test", "MX 10 one.b.test", "MX 10 two.b.test", "MX 10 three.b.test", "MX 30 us.test"],
    "one.b.test": ["A 203.0.113.1", "A 8.8.8.8", "AAAA 2606:4700::1"],
    "v6.test": ["AAAA 2606:4700::1"],
    "inside.test": ["MX 10 in.inside.test"],
    "in.inside.test": ["A 10.0.0.1"],
    "half.test": ["A 10.0.0.1", "A 8.8.4.4"],
    "bare.test": ["A 8.8.8.8"],
    "empty.test": ["TXT x"],
    "null.test": ["MX 0 ."],
    "loop.test": ["MX 10 us.test", "MX 10 peer.test", "MX 20 far.b.test"],
    "fail.test": ["SERVFAIL"],
    "silent.test": ["TIMEOUT"],
    "ghost.test": ["MX 10 nowhere.ghost.test"],
    "sim.test": ["MX 10 mx.sim.test"],
    "mx.sim.test": ["A 127.0.0.1"],
}


@pytest_asyncio.fixture
async def resolver() -> AsyncIterator[Resolver]:
    async with LabDns(ZONES) as dns:
        yield Resolver([dns.address], patience=1.0, rounds=1)


def router(resolver: Resolver, config: DeliverConfig | None = None, seed: int = 1) -> Router:
    config = config or DeliverConfig(hostname="us.test")
    return Router(resolver=resolver, config=config, relay=parse_relay(config.relay), rng=random.Random(seed))


async def test_hosts_by_preference_and_equals_in_random_order(resolver: Resolver) -> None:
    """RFC 5321 §5.1: better preferences first, equals shuffled, and none that is not preferred to ourselves."""
    orders = set()
    for seed in range(30):
        route = await router(resolver, seed=seed).route("B.test.")
        assert isinstance(route, Route)
        assert route.hosts[3:] == ("far.b.test",)
        orders.add(route.hosts[:3])
    assert {frozenset(order) for order in orders} == {frozenset({"one.b.test", "two.b.test", "three.b.test"})}
    assert len(orders) == 6


@pytest.mark.parametrize(
    ("domain", "failure"),
    [
        ("nodomain.test", Failure.DOMAIN_NOT_FOUND),
        ("a..test", Failure.DOMAIN_NOT_FOUND),
        ("null.test", Failure.NULL_MX),
        ("loop.test", Failure.LOOP),
        ("fail.test", Failure.DNS_FAILURE),
        ("silent.test", Failure.DNS_TIMEOUT),
        ("[192.0.2.1]", Failure.ADDRESS_LITERAL),
    ],
)
async def test_there_is_no_route(resolver: Resolver, domain: str, failure: Failure) -> None:
    """Each way in which a domain has no route, with words that say so."""
    route = await router(resolver).route(domain)
    assert isinstance(route, NoRoute)
    assert (route.failure, bool(route.text)) == (failure, True)


async def test_our_own_domain_without_mx_is_a_loop(resolver: Resolver) -> None:
    """A domain whose own address is the host, and which is ourselves, is a loop too."""
    route = await router(resolver, DeliverConfig(hostname="bare.test")).route("bare.test")
    assert isinstance(route, NoRoute)
    assert route.failure is Failure.LOOP


async def test_without_mx_the_domain_is_the_host(resolver: Resolver) -> None:
    """RFC 5321 §5.1: the implicit MX."""
    route = await router(resolver).route("bare.test")
    assert isinstance(route, Route)
    assert (route.hosts, route.port) == (("bare.test",), 25)
    assert await router(resolver).targets(route, "bare.test") == (Target(host="bare.test", ip="8.8.8.8", port=25),)


@pytest.mark.parametrize(
    ("host", "failure"),
    [
        ("empty.test", Failure.NO_ADDRESS),
        ("nowhere.ghost.test", Failure.NO_ADDRESS),
        ("fail.test", Failure.DNS_FAILURE),
        ("silent.test", Failure.DNS_TIMEOUT),
        ("in.inside.test", Failure.PRIVATE_ADDRESS),
    ],
)
async def test_a_host_without_a_usable_address(resolver: Resolver, host: str, failure: Failure) -> None:
    """The host is named, and why it cannot be reached."""
    found = await router(resolver).targets(Route(hosts=(host,), port=25, text=""), host)
    assert isinstance(found, NoRoute)
    assert (found.failure, found.host) == (failure, host)


async def test_private_addresses(resolver: Resolver) -> None:
    """Private addresses are left out, unless they are allowed."""
    route = Route(hosts=("half.test",), port=25, text="")
    found = await router(resolver).targets(route, "half.test")
    assert not isinstance(found, NoRoute)
    assert [target.ip for target in found] == ["8.8.4.4"]
    config = DeliverConfig(hostname="us.test", allow_private=True)
    allowed = await router(resolver, config).route("inside.test")
    assert isinstance(allowed, Route)
    found = await router(resolver, config).targets(allowed, "in.inside.test")
    assert not isinstance(found, NoRoute)
    assert [target.ip for target in found] == ["10.0.0.1"]


async def test_source_addresses_fit_the_family(resolver: Resolver) -> None:
    """Each address is reached from a source of its family; without one it is not tried."""
    config = DeliverConfig(hostname="us.test", source_addresses=("192.0.2.1", "192.0.2.2"))
    route = Route(hosts=("one.b.test",), port=25, text="")
    found = await router(resolver, config).targets(route, "one.b.test")
    assert not isinstance(found, NoRoute)
    assert {target.ip for target in found} == {"8.8.8.8"}
    assert {target.source_ip for target in found} <= {"192.0.2.1", "192.0.2.2"}
    only_v6 = await router(resolver, config).targets(route, "v6.test")
    assert isinstance(only_v6, NoRoute)
    assert only_v6.failure is Failure.NETWORK_DOWN


async def test_zones_have_their_own_port_and_may_be_private(resolver: Resolver) -> None:
    """A zone's domains go to its port on loopback; others do not; the most specific zone wins, before the relay."""
    config = DeliverConfig(
        hostname="us.test",
        relay="smtp://relay.test",
        zone_routes=(
            ZoneRoute(zone="sim.test", smtp_port=2500),
            ZoneRoute(zone="deep.sim.test.", smtp_port=2600, ip="127.0.0.1", host="deep"),
        ),
    )
    found = router(resolver, config)
    sim = await found.route("sim.test")
    assert isinstance(sim, Route)
    assert (sim.hosts, sim.port) == (("mx.sim.test",), 2500)
    assert await found.targets(sim, "mx.sim.test") == (Target(host="mx.sim.test", ip="127.0.0.1", port=2500),)
    deep = await found.route("x.deep.sim.test")
    assert isinstance(deep, Route)
    assert await found.targets(deep, "deep") == (Target(host="deep", ip="127.0.0.1", port=2600),)
    other = await found.route("notsim.test")
    assert isinstance(other, Route)
    assert other.hosts == ("relay.test",)


async def test_everything_is_caught(resolver: Resolver) -> None:
    """With a zone for all domains DNS is not asked, whatever the domain."""
    config = DeliverConfig(hostname="us.test", zone_routes=(ZoneRoute(zone=".", smtp_port=2700, ip="127.0.0.1"),))
    route = await router(resolver, config).route("nodomain.test")
    assert isinstance(route, Route)
    assert (route.hosts, route.port, route.text) == (("127.0.0.1",), 2700, "All mail goes to 127.0.0.1")


async def test_a_relay_gets_the_password_only_over_tls_it_can_trust(resolver: Resolver) -> None:
    """A relay with credentials must show a good certificate, unless it is on a private network."""
    config = DeliverConfig(hostname="us.test", relay="smtp://me:hush@bare.test:587")
    route = await router(resolver, config).route("b.test")
    assert isinstance(route, Route)
    secret = Credentials(user="me", password="hush")
    assert await router(resolver, config).targets(route, "bare.test") == (
        Target(host="bare.test", ip="8.8.8.8", port=587, tls=TlsMode.REQUIRED, credentials=secret, verify=True),
    )
    near = DeliverConfig(hostname="us.test", relay="smtp://me:hush@127.0.0.1:1025")
    route = await router(resolver, near).route("b.test")
    assert isinstance(route, Route)
    assert await router(resolver, near).targets(route, "127.0.0.1") == (
        Target(host="127.0.0.1", ip="127.0.0.1", port=1025, credentials=secret),
    )


def test_relays_are_read() -> None:
    """The two schemes, their ports, and escaped passwords."""
    assert parse_relay("") is None
    assert parse_relay("smtp://mail.test") == Relay(host="mail.test", port=25)
    assert parse_relay("smtps://u%40x:p%2F@mail.test") == Relay(
        host="mail.test", port=465, implicit_tls=True, credentials=Credentials(user="u@x", password="p/")
    )
    assert parse_relay("smtp://[::1]:26") == Relay(host="::1", port=26)


@pytest.mark.parametrize(
    "url", ["mail.test:25", "http://mail.test", "smtp://", "smtp://mail.test:99999", "smtp://mail.test/x", "smtp://[x"]
)
def test_what_is_no_relay(url: str) -> None:
    """The error names the setting and what is allowed, and never the password."""
    with pytest.raises(ValueError, match=r"^relay: .*smtp://user:password@host:port"):
        parse_relay(url)
