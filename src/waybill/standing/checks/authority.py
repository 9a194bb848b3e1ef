"""Whether a record that the resolver does not show yet is published already: asked of the zone's own name servers."""

import asyncio
from dataclasses import dataclass

from waybill.mail.address import enclosing_domains
from waybill.model.ip import is_public
from waybill.net.resolver import Resolver, Server
from waybill.standing.checks.check import DnsRecord

DNS_PORT = 53
MOST_SERVERS = 2  # of a zone: after a change the others follow within seconds
PATIENCE = 2.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """A name server that has the record, and the seconds for which the resolver still keeps its old answer."""

    record: DnsRecord
    server: str
    kept: int


async def find_published(
    record: DnsRecord, resolver: Resolver, *, port: int = DNS_PORT, allow_private: bool = False
) -> Seen | None:
    """Where the record is; None where no name server of its zone shows it, or none can be asked."""
    for host, ip in await _servers_of(record.name, resolver):
        if not (allow_private or is_public(ip)):
            continue
        direct = Resolver([str(Server(ip=ip, port=port))], patience=PATIENCE, rounds=1)
        try:
            answer = await direct.lookup(record.name, record.type)
        finally:
            await direct.close()
        if any(_same(record, text) for text in answer.records):
            stale = await resolver.lookup(record.name, record.type)
            return Seen(record=record, server=host, kept=stale.ttl)
    return None


async def _servers_of(name: str, resolver: Resolver) -> list[tuple[str, str]]:
    """The name servers of the nearest zone around the name, with an address of each."""
    for zone in enclosing_domains(name.lower()):
        answer = await resolver.lookup(zone, "NS")
        if answer.records:
            hosts = [text.rstrip(".") for text in answer.records[:MOST_SERVERS]]
            found = await asyncio.gather(*map(resolver.addresses, hosts))
            return [(host, each.addresses[0]) for host, each in zip(hosts, found, strict=True) if each.addresses]
    return []


def _same(record: DnsRecord, text: str) -> bool:
    if record.type == "TXT":
        return record.value == text
    return record.value.rstrip(".").lower() == text.rstrip(".").lower()
