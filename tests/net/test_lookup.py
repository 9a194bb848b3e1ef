"""The lookups of SPF, DKIM and DMARC over a DNS server on loopback."""

import pytest

from waybill.lab.dns import LabDns, Zones
from waybill.mail.lookup import LookupFailed
from waybill.mail.spf import check_host
from waybill.model.authentication import SpfResult
from waybill.net.lookup import ResolverLookups
from waybill.net.resolver import Resolver

ZONES = {
    "shop.test": ['TXT "v=spf1 mx " "ptr -all"', "MX 20 mx2.shop.test", "MX 10 mx1.shop.test"],
    "mx1.shop.test": ["A 192.0.2.7", "AAAA 2001:db8::7"],
    "mx2.shop.test": ["A 192.0.2.8"],
    "null.test": ["MX 0 ."],
    "9.2.0.192.in-addr.arpa": ["PTR out.shop.test."],
    "out.shop.test": ["A 192.0.2.9"],
    "fail.test": ["SERVFAIL"],
}


async def test_answers_are_plain() -> None:
    """Records as texts, nothing there as nothing, and a name that is none does not exist."""
    async with LabDns(ZONES) as dns:
        lookups = ResolverLookups(Resolver([dns.address], patience=1.0, rounds=1))
        assert ("v=spf1 mx ptr -all",) == await lookups.txt("shop.test")
        assert ("192.0.2.7",) == await lookups.a("mx1.shop.test")
        assert ("2001:db8::7",) == await lookups.aaaa("mx1.shop.test")
        assert ("mx1.shop.test", "mx2.shop.test") == await lookups.mx("shop.test")
        assert ("",) == await lookups.mx("null.test")
        assert ("out.shop.test",) == await lookups.ptr("192.0.2.9")
        assert () == await lookups.txt("nothing.test") == await lookups.txt("a..b") == await lookups.mx("mx1.shop.test")
        assert [True, False, False] == [await lookups.exists(name) for name in ("shop.test", "nothing.test", "a..b")]


async def test_no_answer_is_told_with_what_the_server_said() -> None:
    """Whoever asked decides what that means."""
    async with LabDns(ZONES) as dns:
        lookups = ResolverLookups(Resolver([dns.address], patience=1.0, rounds=1))
        for ask in (lookups.txt, lookups.mx, lookups.exists):
            with pytest.raises(LookupFailed, match=r"answered SERVFAIL for fail\.test"):
                await ask("fail.test")


@pytest.mark.parametrize(
    ("ip", "result"),
    [("192.0.2.8", SpfResult.PASS), ("192.0.2.9", SpfResult.PASS), ("192.0.2.10", SpfResult.FAIL)],
)
async def test_spf_over_the_wire(ip: str, result: SpfResult) -> None:
    """The whole way, from the address to the result."""
    async with LabDns(ZONES) as dns:
        lookups = ResolverLookups(Resolver([dns.address], patience=1.0, rounds=1))
        assert result is (await check_host(lookups, ip=ip, sender="a@shop.test", helo="out.shop.test")).result


async def test_afresh_asks_again() -> None:
    """The same servers, and no answer from before."""
    async with LabDns({}) as dns:
        resolver = Resolver([dns.address], patience=1.0, rounds=1)
        assert () == await ResolverLookups(resolver).txt("new.test")
        dns.zones = Zones({"new.test": ["TXT here"]})
        assert () == await ResolverLookups(resolver).txt("new.test")
        assert ("here",) == await ResolverLookups(resolver.afresh()).txt("new.test")
