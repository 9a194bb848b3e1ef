"""A record that is published while the resolver still keeps its old answer is found at the zone's own name servers."""

from collections.abc import Mapping

import pytest

from waybill.lab.dns import LabDns
from waybill.net.resolver import Resolver
from waybill.standing.checks.authority import Seen, find_published
from waybill.standing.checks.check import DnsRecord

ZONE = {"shop.example": ["NS ns.shop.example"], "ns.shop.example": ["A 127.0.0.1"]}
DMARC = DnsRecord(name="_dmarc.shop.example", type="TXT", value="v=DMARC1; p=none")
MX = DnsRecord(name="bounce.shop.example", type="MX", value="10 in.shop.example.")


async def look(
    record: DnsRecord,
    authority: Mapping[str, list[str]],
    *,
    zone: Mapping[str, list[str]] = ZONE,
    allow_private: bool = True,
) -> Seen | None:
    async with LabDns(dict(zone)) as dns, LabDns(dict(authority)) as own:
        resolver = Resolver([dns.address])
        port = int(own.address.rpartition(":")[2])
        found = await find_published(record, resolver, port=port, allow_private=allow_private)
        await resolver.close()
        return found


@pytest.mark.parametrize(
    ("record", "line"), [(DMARC, "TXT v=DMARC1; p=none"), (MX, "MX 10 IN.shop.example")], ids=["TXT", "MX"]
)
async def test_it_is_there(record: DnsRecord, line: str) -> None:
    """The name server, and for how long the old answer is kept."""
    assert Seen(record=record, server="ns.shop.example", kept=5) == await look(record, {record.name: [line]})


async def test_it_is_not_there() -> None:
    """Neither where nothing is published nor where something else is."""
    assert await look(DMARC, {}) is None
    assert await look(DMARC, {DMARC.name: ["TXT v=DMARC1; p=reject"]}) is None
    assert await look(DMARC, {DMARC.name: ["SERVFAIL"]}) is None


async def test_nobody_to_ask() -> None:
    """A zone whose name servers are not known or not public is left alone."""
    published = {DMARC.name: [f"TXT {DMARC.value}"]}
    assert await look(DMARC, published, zone={}) is None
    assert await look(DMARC, published, zone={"shop.example": ["NS ns.shop.example"]}) is None
    assert await look(DMARC, published, allow_private=False) is None
