"""Where the mail of a domain goes."""

import random
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from waybill.deliver.config import DeliverConfig, Relay, Source, ZoneRoute, parse_relay, parse_source
from waybill.deliver.evidence import Failure
from waybill.deliver.provider import plain_site
from waybill.deliver.route import NoRoute, Route, Router
from waybill.lab.dns import LabDns
from waybill.net.machine import Machine
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
    "half-null.test": ["MX 0 .", "MX 10 one.b.test", "MX 20 ."],
    "loop.test": ["MX 10 us.test", "MX 10 peer.test", "MX 20 far.b.test"],
    "fail.test": ["SERVFAIL"],
    "silent.test": ["TIMEOUT"],
    "ghost.test": ["MX 10 nowhere.ghost.test"],
    "sim.test": ["MX 10 mx.sim.test"],
    "mx.sim.test": ["A 127.0.0.1"],
    "two.a.test": ["A 1.1.1.1", "A 1.1.1.2", "A 1.1.1.3"],
    "alias.test": ["CNAME canonical.alias.test"],
    "canonical.alias.test": ["MX 10 via.alias.test"],
    "via.alias.test": ["CNAME bare.test"],
    "to-bare.test": ["CNAME bare.test"],
    "xn--bcher-kva.test": ["MX 10 mx.xn--bcher-kva.test"],
    "g.test": ["MX 10 aspmx.l.google.com"],
}


@pytest_asyncio.fixture
async def resolver() -> AsyncIterator[Resolver]:
    async with LabDns(ZONES) as dns:
        yield Resolver([dns.address], patience=1.0, rounds=1)


def only(host: str) -> Route:
    return Route(groups=((host,),), port=25, text="", site=plain_site(host))


class FixedMachine(Machine):
    """A machine that has a way to the IPv6 internet, or none; ``mine`` are its addresses."""

    def __init__(self, *, ipv6: bool, mine: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.ipv6 = ipv6
        self.mine = mine

    def owns(self, ip: str) -> bool:
        return ip in self.mine

    def reaches_ipv6(self) -> bool:
        return self.ipv6


def with_machine(resolver: Resolver, *, ipv6: bool = False, mine: tuple[str, ...] = (), **settings: Any) -> Router:
    return Router(
        resolver=resolver,
        config=DeliverConfig(hostname="us.test", **settings),
        relay=None,
        rng=random.Random(1),
        machine=FixedMachine(ipv6=ipv6, mine=mine),
    )


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


async def test_a_null_mx_beside_others_says_nothing(resolver: Resolver) -> None:
    """RFC 7505 §3 wants it alone; where it is not, the others count."""
    route = await router(resolver).route("half-null.test")
    assert isinstance(route, Route)
    assert (route.hosts, route.site.name) == (("one.b.test",), "one.b.test")


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
    assert await router(resolver).targets(route, "bare.test", ()) == (Target(host="bare.test", ip="8.8.8.8", port=25),)


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
    found = await router(resolver).targets(only(host), host, ())
    assert isinstance(found, NoRoute)
    assert (found.failure, found.host) == (failure, host)


async def test_private_addresses(resolver: Resolver) -> None:
    """Private addresses are left out, unless they are allowed."""
    route = only("half.test")
    found = await router(resolver).targets(route, "half.test", ())
    assert not isinstance(found, NoRoute)
    assert [target.ip for target in found] == ["8.8.4.4"]
    config = DeliverConfig(hostname="us.test", allow_private=True)
    allowed = await router(resolver, config).route("inside.test")
    assert isinstance(allowed, Route)
    found = await router(resolver, config).targets(allowed, "in.inside.test", ())
    assert not isinstance(found, NoRoute)
    assert [target.ip for target in found] == ["10.0.0.1"]


async def test_source_addresses_fit_the_family(resolver: Resolver) -> None:
    """Each address is reached from a source of its family; without one it is not tried."""
    config = DeliverConfig(hostname="us.test", source_addresses=("192.0.2.1", "192.0.2.2"))
    route = only("one.b.test")
    found = await router(resolver, config).targets(route, "one.b.test", config.sources)
    assert not isinstance(found, NoRoute)
    assert {target.ip for target in found} == {"8.8.8.8"}
    assert {target.source_ip for target in found} <= {"192.0.2.1", "192.0.2.2"}
    only_v6 = await router(resolver, config).targets(route, "v6.test", config.sources)
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
    assert await found.targets(sim, "mx.sim.test", ()) == (Target(host="mx.sim.test", ip="127.0.0.1", port=2500),)
    deep = await found.route("x.deep.sim.test")
    assert isinstance(deep, Route)
    assert await found.targets(deep, "deep", ()) == (Target(host="deep", ip="127.0.0.1", port=2600),)
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
    """A relay with credentials must show a good certificate, unless it is on this machine."""
    config = DeliverConfig(hostname="us.test", relay="smtp://me:hush@bare.test:587")
    route = await router(resolver, config).route("b.test")
    assert isinstance(route, Route)
    secret = Credentials(user="me", password="hush")
    assert await router(resolver, config).targets(route, "bare.test", ()) == (
        Target(host="bare.test", ip="8.8.8.8", port=587, tls=TlsMode.REQUIRED, credentials=secret, verify=True),
    )
    for private in ("10.1.2.3", "100.64.1.1", "[fd00::1]"):
        beside = DeliverConfig(hostname="us.test", relay=f"smtp://me:hush@{private}", allow_private=True)
        route = await router(resolver, beside).route("b.test")
        assert isinstance(route, Route)
        targets = await router(resolver, beside).targets(route, private.strip("[]"), ())
        assert isinstance(targets, tuple)
        assert [(TlsMode.REQUIRED, True)] == [(target.tls, target.verify) for target in targets]
    near = DeliverConfig(hostname="us.test", relay="smtp://me:hush@127.0.0.1:1025")
    route = await router(resolver, near).route("b.test")
    assert isinstance(route, Route)
    assert await router(resolver, near).targets(route, "127.0.0.1", ()) == (
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


async def test_ipv6_comes_first_where_we_have_an_address_of_it(resolver: Resolver) -> None:
    """With no source configured the machine decides: IPv6 before IPv4, or not at all."""
    for ipv6, expected in ((True, ["2606:4700::1", "203.0.113.1", "8.8.8.8"]), (False, ["8.8.8.8"])):
        found = await with_machine(resolver, ipv6=ipv6).targets(only("one.b.test"), "one.b.test", ())
        assert not isinstance(found, NoRoute)
        assert [target.ip for target in found] == [ip for ip in expected if ip != "203.0.113.1"]
    alone = await with_machine(resolver, ipv6=False).targets(only("v6.test"), "v6.test", ())
    assert not isinstance(alone, NoRoute)  # then the kernel says why not
    assert [target.ip for target in alone] == ["2606:4700::1"]


async def test_sources_decide_between_the_families(resolver: Resolver) -> None:
    """IPv6 comes first with an IPv6 source and is left without one; each target has the name of its source for EHLO."""
    v4, v6 = parse_source("192.0.2.1"), parse_source("2001:db8::1 v6.us.test")
    found = await with_machine(resolver, ipv6=False).targets(only("one.b.test"), "one.b.test", (v4, v6))
    assert not isinstance(found, NoRoute)
    assert [(target.ip, target.source_ip, target.helo) for target in found] == [
        ("2606:4700::1", "2001:db8::1", "v6.us.test"),
        ("8.8.8.8", "192.0.2.1", ""),
    ]


async def test_an_open_connection_is_preferred_among_equals(resolver: Resolver) -> None:
    """The address and the source of an open connection come first, where they are among those that may be used."""
    sources = tuple(parse_source(f"192.0.2.{last}") for last in range(1, 9))
    open_one = Target(host="two.a.test", ip="1.1.1.2", port=25, source_ip="192.0.2.5")
    found = await router(resolver).targets(only("two.a.test"), "two.a.test", sources, prefer=open_one)
    assert not isinstance(found, NoRoute)
    assert (found[0].ip, found[0].source_ip) == ("1.1.1.2", "192.0.2.5")
    found = await router(resolver).targets(only("two.a.test"), "two.a.test", sources[:1], prefer=open_one)
    assert not isinstance(found, NoRoute)
    assert (found[0].ip, found[0].source_ip) == ("1.1.1.2", "192.0.2.1")


async def test_aliases_are_followed(resolver: Resolver) -> None:
    """RFC 5321 §5.1: a domain that is an alias has the MX of its canonical name; an MX that is an alias has its addresses."""
    route = await router(resolver).route("alias.test")
    assert isinstance(route, Route)
    assert route.groups == (("via.alias.test",),)
    found = await router(resolver).targets(route, "via.alias.test", ())
    assert not isinstance(found, NoRoute)
    assert [target.ip for target in found] == ["8.8.8.8"]
    bare = await router(resolver).route("to-bare.test")
    assert isinstance(bare, Route)
    assert bare.hosts == ("to-bare.test",)
    found = await router(resolver).targets(bare, "to-bare.test", ())
    assert not isinstance(found, NoRoute)
    assert [target.ip for target in found] == ["8.8.8.8"]


async def test_international_domains(resolver: Resolver) -> None:
    """A domain in its own script is asked for in A-labels (RFC 5891)."""
    route = await router(resolver).route("Bücher.test")
    assert isinstance(route, Route)
    assert route.hosts == ("mx.xn--bcher-kva.test",)


@pytest.mark.parametrize(
    ("listening", "mine", "loop"),
    [
        (("0.0.0.0", 25), ("8.8.8.8",), True),
        (("8.8.8.8", 25), (), True),
        (("0.0.0.0", 2525), ("8.8.8.8",), False),
        (("127.0.0.1", 25), ("8.8.8.8",), False),  # another server of this machine has the port there
        (("0.0.0.0", 25), (), False),
    ],
)
async def test_loops_by_address(
    resolver: Resolver, listening: tuple[str, int], mine: tuple[str, ...], *, loop: bool
) -> None:
    """An address is ourselves where this server listens: at that port, and there or on every interface."""
    found = with_machine(resolver, mine=mine, listening=(listening,))
    route = await found.route("bare.test")
    assert isinstance(route, Route)
    home = await found.leads_home(route, route.groups[0])
    assert (home is not None and home.failure is Failure.LOOP) is loop


async def test_a_configured_source_is_ourselves_too(resolver: Resolver) -> None:
    """Behind NAT the machine does not own the address that it is reached by; where that is a source, it counts."""
    config = DeliverConfig(hostname="us.test", source_addresses=("8.8.8.8 x.test",), listening=(("::", 25),))
    found = Router(
        resolver=resolver, config=config, relay=None, rng=random.Random(1), machine=FixedMachine(ipv6=False, mine=())
    )
    route = await found.route("bare.test")
    assert isinstance(route, Route)
    assert await found.leads_home(route, ["bare.test"]) is not None


async def test_what_the_settings_name_may_be_this_machine(resolver: Resolver) -> None:
    """The route of a zone is never a loop, whatever its address."""
    zone = ZoneRoute(zone="sim.test", smtp_port=25)
    found = with_machine(resolver, mine=("127.0.0.1",), listening=(("127.0.0.1", 25),), zone_routes=(zone,))
    route = await found.route("sim.test")
    assert isinstance(route, Route)
    assert await found.leads_home(route, route.groups[0]) is None


async def test_sites(resolver: Resolver) -> None:
    """Domains share a site with all whose best MX is the same host, or of the same provider."""
    found = router(resolver)
    names = {}
    for domain in ("b.test", "g.test", "bare.test", "null.test", "nodomain.test", "fail.test", "[192.0.2.1]"):
        route = await found.route(domain)
        assert route.site is not None
        names[domain] = (route.site.name, route.site.provider, route.site.connections)
    assert names == {
        "b.test": ("one.b.test", None, 20),
        "g.test": ("google", "google", 5),
        "bare.test": ("bare.test", None, 20),
        "null.test": ("null.test", None, 20),
        "nodomain.test": ("nodomain.test", None, 20),
        "fail.test": ("fail.test", None, 20),
        "[192.0.2.1]": ("[192.0.2.1]", None, 20),
    }


async def test_the_relay_is_a_site_of_its_own(resolver: Resolver) -> None:
    """With a relay every domain's site is the relay, and each worker may use it as if it were the only one."""
    found = router(resolver, DeliverConfig(hostname="us.test", relay="smtp://aspmx.l.google.com", workers=4))
    site = (await found.route("b.test")).site
    assert site is not None
    assert (site.name, site.provider, site.share(4)) == ("aspmx.l.google.com", None, 20)
    assert found.sites.known("b.test") is site


def test_sources_are_read() -> None:
    """An address, and the name that goes with it."""
    assert parse_source("192.0.2.7") == Source(ip="192.0.2.7")
    assert parse_source(" 2001:DB8:0::8   Mail8.example.com ") == Source(ip="2001:db8::8", helo="mail8.example.com")


@pytest.mark.parametrize("text", ["", "mail.example.com", "192.0.2.7 mail", "192.0.2.7 a.b c.d", "192.0.2.256", "x y"])
def test_what_is_no_source(text: str) -> None:
    """The error names the source and what is wrong with it."""
    with pytest.raises(ValueError, match=r"^source address .* is not (an IP address|a host name)"):
        parse_source(text)
