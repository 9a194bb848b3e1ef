"""The resolver against a DNS server on loopback: every answer is a value with its evidence."""

import asyncio
import socket

import pytest

from waybill.lab.dns import LabDns
from waybill.net.resolver import AddressAnswer, Answer, AnswerStatus, MxAnswer, MxHost, Resolver, parse_server

ZONES = {
    "b.test": ["MX 20 mx2.b.test", "MX 10 MX1.b.test", "TXT v=spf1 -all"],
    "mx1.b.test": ["A 192.0.2.7", "AAAA 2001:db8::7"],
    "mx2.b.test": ["A 192.0.2.8"],
    "null.test": ["MX 0 ."],
    "alias.test": ["CNAME mx2.b.test"],
    "bare.test": [],
    "fail.test": ["SERVFAIL"],
    "no.test": ["REFUSED"],
    "silent.test": ["TIMEOUT"],
    "xn--bcher-kva.test": ["A 192.0.2.9"],
    "long.test": [f"TXT {'x' * 250}{number}" for number in range(20)],
}


async def test_answers_are_values_with_evidence() -> None:
    """Each status, in words that name server, answer, name and type."""
    async with LabDns(ZONES) as dns:
        resolver = Resolver([dns.address], patience=1.0, rounds=1)
        found = await resolver.mx("b.test")
        assert (found.status, found.hosts) == (
            AnswerStatus.OK,
            (MxHost(preference=10, host="mx1.b.test"), MxHost(preference=20, host="mx2.b.test")),
        )
        assert (await resolver.mx("null.test")).hosts == (MxHost(preference=0, host=""),)
        assert (await resolver.addresses("mx1.b.test")).addresses == ("192.0.2.7", "2001:db8::7")
        assert (await resolver.addresses("mx2.b.test")).addresses == ("192.0.2.8",)
        assert (await resolver.txt("b.test")).records == ("v=spf1 -all",)
        said = {
            name: (answer.status, answer.text)
            for name in ("nodomain.test", "bare.test", "fail.test", "no.test", "silent.test")
            for answer in [await resolver.mx(name)]
        }
        at = dns.address
    assert said == {
        "nodomain.test": (AnswerStatus.NXDOMAIN, f"{at} answered NXDOMAIN for nodomain.test MX"),
        "bare.test": (AnswerStatus.NODATA, f"{at} answered that bare.test has no MX record"),
        "fail.test": (AnswerStatus.SERVFAIL, f"{at} answered SERVFAIL for fail.test MX"),
        "no.test": (AnswerStatus.REFUSED, f"{at} answered REFUSED for no.test MX"),
        "silent.test": (AnswerStatus.TIMEOUT, f"{at} did not answer for silent.test MX within 1 s"),
    }


async def test_an_address_is_there_or_the_graver_answer() -> None:
    """No address at all says so for both types; a failure is never hidden behind the other type's emptiness."""
    async with LabDns(ZONES) as dns:
        resolver = Resolver([dns.address], patience=1.0, rounds=1)
        assert (await resolver.addresses("bare.test")).status is AnswerStatus.NODATA
        assert (await resolver.addresses("silent.test")).status is AnswerStatus.TIMEOUT
        assert (await resolver.addresses("nodomain.test")).status is AnswerStatus.NXDOMAIN


class Claiming(LabDns):
    """Claims that every answer is authenticated; ``asked`` is whether all queries wanted to know (RFC 6840 §5.7)."""

    asked = True

    def answer(self, wire: bytes, *, limit: int | None) -> bytes | None:
        self.asked = self.asked and bool(wire[3] & 0x20)
        response = super().answer(wire, limit=limit)
        return response and response[:3] + bytes([response[3] | 0x20]) + response[4:]


async def test_only_a_resolver_on_this_machine_authenticates() -> None:
    """Its word is asked for, and counts for records, aliases and absence alike; without it nothing is authenticated."""
    async with Claiming(ZONES) as dns:
        resolver = Resolver([dns.address])
        answers: list[MxAnswer | AddressAnswer | Answer] = [
            await resolver.mx("b.test"),
            await resolver.addresses("mx1.b.test"),
            await resolver.lookup("bare.test", "TLSA"),
            await resolver.txt("nodomain.test"),
            await resolver.addresses("alias.test"),
        ]
        assert dns.asked
    assert [True] * 5 == [answer.authenticated for answer in answers]
    assert answers[-1].canonical == "mx2.b.test"
    async with LabDns(ZONES) as dns:
        assert not (await Resolver([dns.address]).mx("b.test")).authenticated


async def test_another_machine_does_not_authenticate() -> None:
    """An address of this machine that others reach stands for theirs: the path to it could be anybody's."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 53))  # sends nothing, and chooses the address
        except OSError:
            pytest.skip("this machine has no network")
        ip = probe.getsockname()[0]
    if ip.startswith("127."):
        pytest.skip("this machine has no address but loopback")
    async with Claiming(ZONES, host=ip) as dns:
        answer = await Resolver([dns.address]).mx("b.test")
    assert (answer.status, answer.authenticated) == (AnswerStatus.OK, False)


async def test_large_answers_come_over_tcp() -> None:
    """An answer too large for UDP is asked for again over TCP."""
    async with LabDns(ZONES) as dns:
        answer = await Resolver([dns.address]).txt("long.test")
    assert len(answer.records) == 20


async def test_internationalised_names_and_bad_names() -> None:
    """U-labels are asked for as A-labels; what is no name is an answer too."""
    async with LabDns(ZONES) as dns:
        resolver = Resolver([dns.address])
        assert (await resolver.lookup("bücher.test", "A")).records == ("192.0.2.9",)
        for name in ("a..test", "x" * 64 + ".test", ".".join(["abcdefg"] * 40)):
            assert (await resolver.mx(name)).status is AnswerStatus.BAD_NAME


async def test_answers_are_kept_for_their_time() -> None:
    """Within its TTL an answer, a negative one too, is not asked for again; afterwards it is."""
    clock = [0.0]
    async with LabDns(ZONES) as dns:
        resolver = Resolver([dns.address], monotonic=lambda: clock[0])
        for _ in range(3):
            await resolver.mx("b.test")
            await resolver.mx("B.TEST")
            await resolver.mx("nodomain.test")
        first = list(dns.queries)
        clock[0] += 10_000
        await resolver.mx("b.test")
        assert len(first) == 2
        assert len(dns.queries) == 3


async def test_the_same_question_is_asked_once_at_a_time() -> None:
    """Fifty who ask at once wait for one answer, and one who gives up does not spoil it for the others."""
    async with LabDns(ZONES) as dns:
        resolver = Resolver([dns.address])
        tasks = [asyncio.ensure_future(resolver.mx("b.test")) for _ in range(50)]
        await asyncio.sleep(0)
        tasks[0].cancel()
        answers = await asyncio.gather(*tasks[1:])
        assert len(dns.queries) == 1
    assert {answer.status for answer in answers} == {AnswerStatus.OK}


async def test_zones_and_several_servers() -> None:
    """A zone's names go to its own server; a server that fails is passed over for the next."""
    async with LabDns({"x.test": ["SERVFAIL"], "lab.example": ["SERVFAIL"]}) as bad, LabDns(ZONES) as good:
        zone = {"b.test": good.address}
        assert (await Resolver([bad.address], zones=zone).mx("b.test")).status is AnswerStatus.OK
        assert (await Resolver([bad.address], zones=zone).mx("notb.test")).status is AnswerStatus.NXDOMAIN
        assert (await Resolver([good.address], zones={"test": bad.address, **zone}).mx("b.test")).hosts
    async with LabDns({"b.test": ["SERVFAIL"]}) as bad, LabDns(ZONES) as good:
        assert (await Resolver([bad.address, good.address]).mx("b.test")).hosts


async def test_no_server_listens() -> None:
    """A server that cannot be reached is a failure in words, not an exception."""
    async with LabDns({}) as dns:
        gone = dns.address
    answer = await Resolver([gone], patience=1.0, rounds=1).mx("b.test")
    assert answer.status in (AnswerStatus.FAILED, AnswerStatus.TIMEOUT)
    assert gone in answer.text


async def test_closing_ends_what_is_asked() -> None:
    """Nobody waits for a resolver that is closed."""
    async with LabDns(ZONES) as dns:
        resolver = Resolver([dns.address], patience=30)
        asking = asyncio.ensure_future(resolver.mx("silent.test"))
        await asyncio.sleep(0.01)
        await resolver.close()
        with pytest.raises(asyncio.CancelledError):
            await asking


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("192.0.2.53", "192.0.2.53:53"),
        ("127.0.0.1:5353", "127.0.0.1:5353"),
        ("::1", "[::1]:53"),
        ("[::1]", "[::1]:53"),
        ("[2001:db8::1]:5353", "[2001:db8::1]:5353"),
    ],
)
def test_servers_are_read(text: str, shown: str) -> None:
    """Every way to write an address, with and without a port."""
    assert str(parse_server(text)) == shown


@pytest.mark.parametrize("text", ["", "localhost", "192.0.2.53:0", "192.0.2.53:x", "[::1]:70000", "192.0.2.53:1:2"])
def test_what_is_no_server(text: str) -> None:
    """The error names the value."""
    with pytest.raises(ValueError, match="DNS server"):
        parse_server(text)


class Ancient(LabDns):
    """Answers FORMERR to whatever carries an OPT record, as servers from before EDNS do."""

    def answer(self, wire: bytes, *, limit: int | None) -> bytes | None:
        if wire[10:12] == b"\x00\x00":
            return super().answer(wire, limit=limit)
        return wire[:2] + b"\x81\x81" + wire[4:6] + b"\x00" * 6 + wire[12:-11]


async def test_a_server_from_before_edns_is_asked_again_without() -> None:
    """RFC 6891 §7: else all mail behind such a server, or firewall, would wait for ever."""
    async with Ancient(ZONES) as dns:
        resolver = Resolver([dns.address], patience=1.0, rounds=1)
        assert AnswerStatus.OK is (await resolver.mx("b.test")).status
        assert AnswerStatus.NXDOMAIN is (await resolver.mx("nodomain.test")).status
