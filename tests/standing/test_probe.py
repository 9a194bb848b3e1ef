"""A walk to a server: every stage in order with what was said, however it goes wrong, and never a message."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest

from tests.deliver.policed import SignedDns
from tests.net.certificates import issue
from tests.net.scripted import DROP, HANG, Scripted, scripted
from waybill.lab.dns import LabDns
from waybill.lab.receiver import Receiver
from waybill.lab.script import Script, greylist
from waybill.model.clock import now
from waybill.model.outcome import Stage
from waybill.model.probe import Probed, ProbeStep, Step
from waybill.net.mta_sts import Fetched, parse_policy
from waybill.net.resolver import Resolver
from waybill.net.smtp_target import Credentials, Timeouts
from waybill.net.tls import ClientTls
from waybill.standing.probe import MOST_HOSTS, Errand, Means, Relay, probe

SHORT = Timeouts(connect=2, greeting=0.2, ehlo=0.2, starttls=0.2, auth=1, mail=0.2, rcpt=0.2, quit=0.2, transaction=5)
LONG = Timeouts(connect=5, greeting=5, ehlo=5, starttls=5, auth=5, mail=5, rcpt=5, quit=1, transaction=20)
ZONES = {"b.test": ["MX 10 mx.b.test"], "mx.b.test": ["A 127.0.0.1"]}
SIMPLE = [Step.MX, Step.ADDRESS, Step.TLSA, Step.CONNECT, Step.GREETING, Step.EHLO, Step.STARTTLS, Step.MAIL, Step.RCPT]
TLS_OFFER = b"250-mx.test\r\n250-SIZE 1000\r\n250 STARTTLS\r\n"


@dataclass(kw_only=True)
class Walker:
    """Walks to b.test, by what its DNS says."""

    means: Means
    errand: Errand
    told: list[ProbeStep] = field(default_factory=list)

    async def walk(self, **changes: object) -> Probed:
        return await probe(replace(self.errand, **changes), self.means, self.told.append)  # type: ignore[arg-type]


@asynccontextmanager
async def walking(
    port: int,
    zones: Mapping[str, Sequence[str]] = ZONES,
    *,
    timeouts: Timeouts = LONG,
    dns: LabDns | None = None,
    seconds: float = 20.0,
) -> AsyncIterator[Walker]:
    async with dns or LabDns(zones) as served:
        resolver = Resolver([served.address], patience=0.3, rounds=1)
        means = Means(resolver=resolver, tls=ClientTls(clock=now), clock=now, timeouts=timeouts, seconds=seconds)
        errand = Errand(
            recipient="b@b.test",
            mail_from="r@bounce.test",
            helo="us.test",
            port=port,
            size=700,
            source_ip="127.0.0.1",
            allow_private=True,
        )
        yield Walker(means=means, errand=errand)
        await resolver.close()


def steps(probed: Probed) -> list[Step]:
    return [one.step for one in probed.steps]


def said(probed: Probed, step: Step) -> str:
    return next(one.text for one in probed.steps if one.step is step)


def sent_no_message(server: Scripted) -> bool:
    return not server.contents and not [line for line in server.heard if line[:4].upper() in {"DATA", "BDAT"}]


async def test_all_the_way() -> None:
    """Each stage is there in order, with its time; what is said at the end is RSET and QUIT, and no message."""
    async with scripted(RCPT=b"250 2.1.5 welcome\r\n") as server, walking(server.port) as walker:
        probed = await walker.walk()
    assert SIMPLE == steps(probed)
    assert all(one.ok and one.ms >= 0 for one in probed.steps)
    assert probed.steps == tuple(walker.told)
    (host,) = probed.hosts
    assert (True, "250 2.1.5 welcome", "127.0.0.1") == (host.accepts, host.text, host.source_ip)
    assert ("10 mx.b.test",) == probed.mx
    expected = ["EHLO us.test", "MAIL FROM:<r@bounce.test> SIZE=700", "RCPT TO:<b@b.test>", "RSET", "QUIT"]
    assert expected == server.heard
    assert sent_no_message(server)


async def test_no_message_comes_out_of_a_walk_at_a_whole_receiver() -> None:
    """The receiver's own record proves it: spoken to, and nothing taken; where it greylists, the walk was a try."""
    script = Script(domains=("b.test",), rules=(greylist(),))
    async with Receiver(script) as receiver, walking(receiver.port) as walker:
        first, second = await walker.walk(), await walker.walk()
    assert (2, 0) == (receiver.connection_count, receiver.taken_count)
    assert [451, 250] == [one.hosts[0].reply.code for one in (first, second) if one.hosts[0].reply is not None]


@pytest.mark.parametrize(
    ("verb", "step", "stage"),
    [
        ("CONNECT", Step.GREETING, Stage.GREETING),
        ("EHLO", Step.EHLO, Stage.EHLO),
        ("MAIL", Step.MAIL, Stage.MAIL),
        ("RCPT", Step.RCPT, Stage.RCPT),
    ],
)
@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (HANG, "said nothing within"),
        (DROP, "closed the connection"),
        (b"554 5.7.1 not you\r\n", "554 5.7.1 not you"),
        (b"nonsense\r\n", "no SMTP reply"),
    ],
)
async def test_a_server_that_goes_wrong(verb: str, step: Step, stage: Stage, answer: bytes, words: str) -> None:
    """At each stage: it says nothing, hangs up, refuses, or says what is no SMTP. The walk ends there and says so."""
    async with scripted(says={verb: [answer]}) as server, walking(server.port, timeouts=SHORT) as walker:
        probed = await walker.walk()
    (host,) = probed.hosts
    assert (stage, False) == (host.stage, host.accepts)
    assert words in host.text
    assert (step, False, True) == (probed.steps[-1].step, probed.steps[-1].ok, words in probed.steps[-1].text)
    assert sent_no_message(server)


async def test_nobody_listens() -> None:
    """A connection that is refused."""
    async with scripted() as server:
        port = server.port
    async with walking(port) as walker:
        probed = await walker.walk()
    assert Stage.CONNECT is probed.hosts[0].stage
    assert "Connection refused" in said(probed, Step.CONNECT)


@pytest.mark.parametrize(
    ("zones", "words"),
    [
        ({"b.test": ["MX 0 ."]}, "a null MX, the domain takes no mail"),
        ({}, "NXDOMAIN for b.test"),
        ({"b.test": ["SERVFAIL"]}, "SERVFAIL"),
        ({"b.test": ["TIMEOUT"]}, "did not answer"),
    ],
)
async def test_no_way(zones: dict[str, list[str]], words: str) -> None:
    """What DNS says ends the walk at its first stage."""
    async with walking(1, zones) as walker:
        probed = await walker.walk()
    assert ([Step.MX], (), ()) == (steps(probed), probed.hosts, probed.mx)
    assert words in said(probed, Step.MX)
    assert not probed.steps[0].ok


async def test_a_domain_without_mx_is_its_own_host() -> None:
    """RFC 5321 §5.1."""
    async with scripted() as server, walking(server.port, {"b.test": ["A 127.0.0.1"]}) as walker:
        probed = await walker.walk()
    assert "the domain itself is the host" in said(probed, Step.MX)
    assert ["b.test"] == [host.host for host in probed.hosts]


async def test_an_mx_host_without_an_address() -> None:
    """It is named, and the walk has gone nowhere."""
    async with walking(25, {"b.test": ["MX 10 gone.test"]}) as walker:
        probed = await walker.walk()
    assert Stage.ROUTE is probed.hosts[0].stage
    assert "NXDOMAIN for gone.test" in said(probed, Step.ADDRESS)


async def test_a_private_address_is_left_alone() -> None:
    """Whoever writes the MX record must not be able to have us knock at our own machines."""
    async with scripted() as server, walking(server.port) as walker:
        probed = await walker.walk(allow_private=False)
    assert "private or reserved" in said(probed, Step.ADDRESS)
    assert 0 == server.connections


async def test_every_host_of_the_best_preference() -> None:
    """All of them at once, up to a bound; those of a lesser preference are named, and left alone."""
    names = [f"mx{number}.test" for number in range(MOST_HOSTS + 1)]
    zones = {"b.test": [*(f"MX 10 {name}" for name in names), "MX 20 spare.test"]}
    zones |= {name: ["A 127.0.0.1"] for name in [*names, "spare.test"]}
    async with scripted() as server, walking(server.port, zones) as walker:
        probed = await walker.walk()
    assert (MOST_HOSTS, MOST_HOSTS) == (len(probed.hosts), server.connections)
    assert "20 spare.test" in probed.mx
    assert any("4 hosts have the best preference" in remark for remark in probed.remarks)


async def test_ipv6() -> None:
    """A host on IPv6 alone; the IPv4 address that the attempt was made from cannot be used, and the walk says so."""
    zones = {"b.test": ["MX 10 mx.b.test"], "mx.b.test": ["AAAA ::1"]}
    async with Receiver(Script(), host="::1") as receiver, walking(receiver.port, zones) as walker:
        probed = await walker.walk()
    (host,) = probed.hosts
    assert (True, "::1", "::1") == (host.accepts, host.ip, host.source_ip)
    assert any("since 127.0.0.1 cannot be used" in remark for remark in probed.remarks)


async def test_the_second_address_where_the_first_is_silent() -> None:
    """The address that the attempt spoke to comes first."""
    zones = {"b.test": ["MX 10 mx.b.test"], "mx.b.test": ["A 127.0.0.1", "A 127.0.0.9"]}
    async with scripted() as server, walking(server.port, zones) as walker:
        probed = await walker.walk(then_ip="127.0.0.9")
    assert "127.0.0.1" == probed.hosts[0].ip
    assert ["127.0.0.9", "127.0.0.1"] == [one.ip for one in probed.steps if one.step is Step.CONNECT]


async def test_a_certificate_that_is_not_verified() -> None:
    """It is said, and the walk goes on encrypted, as mail does."""
    context = issue("other.test").context()
    async with scripted(context, EHLO=TLS_OFFER) as server, walking(server.port) as walker:
        probed = await walker.walk()
    (host,) = probed.hosts
    assert host.tls is not None
    assert (True, False) == (host.accepts, host.tls.verified)
    assert "certificate not verified" in said(probed, Step.STARTTLS)


async def test_a_broken_handshake() -> None:
    """Once more in clear, and it is said."""
    says: dict[str, list[bytes]] = {"EHLO": [TLS_OFFER], "STARTTLS": [b"220 go\r\n" + DROP]}
    async with scripted(issue("mx.b.test").context(), says) as server, walking(server.port) as walker:
        probed = await walker.walk()
    (host,) = probed.hosts
    assert (True, None) == (host.accepts, host.tls)
    assert any("spoken to in clear" in remark for remark in probed.remarks)
    assert 2 == server.connections


@pytest.mark.parametrize("answer", [HANG, b"421 4.3.2 closing\r\n" + DROP])
async def test_starttls_that_leads_nowhere(answer: bytes) -> None:
    """A server that is silent after STARTTLS, or takes leave over it."""
    says = {"EHLO": [TLS_OFFER], "STARTTLS": [answer]}
    async with scripted(says=says) as server, walking(server.port, timeouts=SHORT) as walker:
        probed = await walker.walk()
    assert not probed.hosts[0].accepts
    assert sent_no_message(server)


async def test_starttls_refused() -> None:
    """The conversation goes on in clear on the same connection."""
    says = {"EHLO": [TLS_OFFER], "STARTTLS": [b"454 4.7.0 not now\r\n"]}
    async with scripted(says=says) as server, walking(server.port) as walker:
        probed = await walker.walk()
    assert 'answered with "454 4.7.0 not now"' in said(probed, Step.STARTTLS)
    assert (True, 1) == (probed.hosts[0].accepts, server.connections)


@pytest.mark.parametrize("fits", [True, False])
async def test_tlsa(*, fits: bool) -> None:
    """A certificate is held against the TLSA records of a signed zone."""
    shown, published = issue("mx.b.test"), issue("mx.b.test")
    async with scripted(shown.context(), EHLO=TLS_OFFER) as server:
        tlsa = (shown if fits else published).tlsa(3, 1, 1)
        record = f"TLSA {tlsa.usage} {tlsa.selector} {tlsa.matching} {tlsa.data.hex()}"
        zones = {**ZONES, f"_{server.port}._tcp.mx.b.test": [record]}
        async with walking(server.port, dns=SignedDns(zones)) as walker:
            probed = await walker.walk()
    starttls = next(one for one in probed.steps if one.step is Step.STARTTLS)
    assert fits is starttls.ok
    assert ("fits the TLSA record" in starttls.text) is fits


@pytest.mark.parametrize(("mx", "ok"), [("mx.b.test", True), ("elsewhere.test", False)])
async def test_mta_sts(mx: str, *, ok: bool) -> None:
    """The domain's policy, and whether it allows the host."""

    async def fetch(domain: str, _id: str) -> Fetched:
        text = f"version: STSv1\nmode: enforce\nmx: {mx}\nmax_age: 86400\n"
        return Fetched(policy=parse_policy(domain, text.encode()))

    zones = {**ZONES, "_mta-sts.b.test": ["TXT v=STSv1; id=20260101"]}
    async with scripted() as server, walking(server.port, zones) as walker:
        walker.means = replace(walker.means, fetch=fetch)
        probed = await walker.walk()
    step = next(one for one in probed.steps if one.step is Step.MTA_STS)
    assert (ok, True) == (step.ok, "mode enforce" in step.text)


async def test_old_servers() -> None:
    """HELO where EHLO is not known."""
    async with scripted(EHLO=b"502 5.5.1 what\r\n") as server, walking(server.port) as walker:
        probed = await walker.walk()
    assert probed.hosts[0].accepts
    assert ["EHLO us.test", "HELO us.test", "MAIL FROM:<r@bounce.test>"] == server.heard[:3]


async def test_by_a_relay() -> None:
    """All mail goes there: no MX is asked, and it is logged in to as for a message."""
    relay = Relay(host="127.0.0.1", port=0, credentials=Credentials(user="u", password="p"))
    says = {"EHLO": [b"250-relay\r\n250 AUTH PLAIN\r\n"], "AUTH": [b"235 2.7.0 ok\r\n"]}
    async with scripted(says=says) as server, walking(1) as walker:
        probed = await walker.walk(relay=replace(relay, port=server.port))
    assert "all mail goes to the relay 127.0.0.1" in said(probed, Step.MX)
    assert (True, "235 2.7.0 ok") == (probed.hosts[0].accepts, said(probed, Step.AUTH))
    assert "what b.test itself says, only its logs tell" in probed.remarks[0]


async def test_time_is_bounded() -> None:
    """A server that takes its time at every stage does not hold the walk beyond its end."""
    async with scripted(CONNECT=HANG) as server, walking(server.port, seconds=0.3) as walker:
        async with asyncio.timeout(3):
            probed = await walker.walk()
    assert not probed.hosts[0].accepts


async def test_an_address_of_ours_that_is_gone() -> None:
    """The walk is made from another, and says so."""
    async with scripted() as server, walking(server.port) as walker:
        probed = await walker.walk(source_ip="192.0.2.200")
    assert probed.hosts[0].accepts
    assert any("192.0.2.200 cannot be used" in remark for remark in probed.remarks)
