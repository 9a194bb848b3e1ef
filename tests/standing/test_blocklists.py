"""Blocklists over DNS: listed, not listed, refused, asleep, and those that list everything are told apart (RFC 5782)."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waybill.lab.dns import LabDns
from waybill.model.standing import ListingState
from waybill.net.resolver import Resolver
from waybill.standing.blocklists import Blocklist, Listing, blocklists, look_up

ZEN = next(zone for zone in blocklists() if zone.id == "spamhaus-zen")
BARRACUDA = next(zone for zone in blocklists() if zone.id == "barracuda")
DBL = next(zone for zone in blocklists() if zone.id == "spamhaus-dbl")
URIBL = next(zone for zone in blocklists() if zone.id == "uribl")
ASLEEP = {"2.0.0.127.zen.spamhaus.org": ["NXDOMAIN"]}
AWAKE = {"2.0.0.127.zen.spamhaus.org": ["A 127.0.0.2"]}
OURS = "7.2.0.192.zen.spamhaus.org"


@asynccontextmanager
async def asking(zones: Mapping[str, Sequence[str]]) -> AsyncIterator[Resolver]:
    async with LabDns(zones) as dns:
        silent = ["TIMEOUT"] in zones.values()
        resolver = Resolver([dns.address], patience=0.3 if silent else 3, rounds=1)
        yield resolver
        await resolver.close()


async def ask(zones: Mapping[str, Sequence[str]], zone: Blocklist = ZEN, subject: str = "192.0.2.7") -> Listing:
    async with asking(zones) as resolver:
        return await look_up(resolver, zone, subject)


@pytest.mark.parametrize(
    ("zones", "state", "words"),
    [
        (AWAKE, ListingState.CLEAR, "Spamhaus ZEN does not list 192.0.2.7"),
        ({**AWAKE, OURS: []}, ListingState.CLEAR, "Spamhaus ZEN does not list 192.0.2.7"),
        (
            {**AWAKE, OURS: ["A 127.0.0.4"]},
            ListingState.LISTED,
            "(127.0.0.4: XBL: a hijacked machine or an open proxy)",
        ),
        ({OURS: ["A 127.0.0.99"]}, ListingState.LISTED, "Spamhaus ZEN lists 192.0.2.7 (127.0.0.99)"),
        (
            {**AWAKE, OURS: ["A 127.255.255.254"]},
            ListingState.REFUSED,
            "it does not answer public or anonymous resolvers",
        ),
        ({**AWAKE, OURS: ["A 127.255.255.9"]}, ListingState.REFUSED, "it refuses to be asked this way"),
        ({**AWAKE, OURS: ["A 127.0.0.1"]}, ListingState.REFUSED, "the answer stands for no entry"),
        ({**AWAKE, OURS: ["A 203.0.113.9"]}, ListingState.UNKNOWN, "which no blocklist does"),
        ({**AWAKE, OURS: ["SERVFAIL"]}, ListingState.UNKNOWN, "Spamhaus ZEN did not answer"),
        ({**AWAKE, OURS: ["TIMEOUT"]}, ListingState.UNKNOWN, "Spamhaus ZEN did not answer"),
        ({**AWAKE, OURS: ["REFUSED"]}, ListingState.REFUSED, "Spamhaus ZEN refused the question"),
        (ASLEEP, ListingState.UNKNOWN, "does not show even its own test entry 127.0.0.2"),
        ({"2.0.0.127.zen.spamhaus.org": ["SERVFAIL"]}, ListingState.UNKNOWN, "does not show even its own test entry"),
        (
            {"2.0.0.127.zen.spamhaus.org": ["A 127.255.255.255"]},
            ListingState.REFUSED,
            "it was asked too often from here",
        ),
        ({"*.zen.spamhaus.org": ["A 127.0.0.2"]}, ListingState.UNKNOWN, "lists everything, even its own test entry"),
    ],
)
async def test_what_a_list_says(zones: dict[str, list[str]], state: ListingState, words: str) -> None:
    """Only an entry of a list that works is a listing, and only the silence of one that works is none."""
    found = await ask(zones)
    assert (state, True) == (found.state, words in found.text), found.text
    assert found.said


async def test_the_lists_own_words() -> None:
    """The TXT record beside the entry says why."""
    found = await ask({**AWAKE, OURS: ["A 127.0.0.2", "TXT https://check.example/?ip=192.0.2.7"]})
    assert ("https://check.example/?ip=192.0.2.7", ("127.0.0.2",)) == (found.reason, found.answers)


async def test_ipv6() -> None:
    """In nibbles, and held against the test entry in its IPv6 form (RFC 5782 §2.4, §5)."""
    test = ZEN.question("::ffff:127.0.0.2")
    assert "2.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.zen.spamhaus.org" == test
    assert ListingState.CLEAR is (await ask({test: ["A 127.0.0.2"]}, subject="2001:db8::7")).state
    assert (True, False) == (ZEN.knows("2001:db8::7"), BARRACUDA.knows("2001:db8::7"))


async def test_domains() -> None:
    """A domain is asked for as it is; a list that sets bits says all of them."""
    awake = {"test.uribl.com.multi.uribl.com": ["A 127.0.0.2"], "shop.example.multi.uribl.com": ["A 127.0.0.6"]}
    found = await ask(awake, URIBL, "shop.example")
    assert "(127.0.0.6: black: spam shows it, grey: bulk mail that not everybody asked for shows it)" in found.text
    refused = {**awake, "shop.example.multi.uribl.com": ["A 127.0.0.1"]}
    assert ListingState.REFUSED is (await ask(refused, URIBL, "shop.example")).state
    dbl = {"dbltest.com.dbl.spamhaus.org": ["A 127.0.1.2"], "shop.example.dbl.spamhaus.org": ["A 127.0.1.255"]}
    assert ListingState.REFUSED is (await ask(dbl, DBL, "shop.example")).state


def test_the_table() -> None:
    """Every list can be asked, knows its own test entries apart, and says where to ask for removal."""
    assert len(blocklists()) == len({zone.id for zone in blocklists()})
    for zone in blocklists():
        assert zone.about in {"ip", "domain"}
        assert zone.weight in {"heavy", "light"}
        assert zone.question(zone.listed) != zone.question(zone.clear)
        assert zone.removal.startswith("https://")
        assert zone.source.startswith("https://")
        assert all(zone.refusal(ip) is None for ip in zone.meanings if not zone.bits)
        assert all(zone.refusal(ip) == words for ip, words in zone.refusals.items())


@given(st.ip_addresses(v=4).map(str))
def test_no_answer_breaks_it(ip: str) -> None:
    """Any address is read as something."""
    for zone in blocklists():
        assert isinstance(zone.meaning(ip), str)
        assert zone.refusal(ip) is None or zone.refusal(ip)
