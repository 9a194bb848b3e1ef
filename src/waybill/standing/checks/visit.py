"""Visits the servers that take the domain's own mail, once for all the checks that want to know something of them."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from waybill.net.dane import Dane, Tlsa, parse_tlsa
from waybill.net.resolver import Answer
from waybill.standing.checks.check import Evidence, Sender, Tools
from waybill.standing.checks.conversation import Conversation, converse
from waybill.standing.checks.mx import Host, Servers, find_servers

ROLES = ("postmaster", "abuse")


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One server: what it said, and the TLSA records that belong to it."""

    host: Host
    conversation: Conversation
    tlsa: Answer
    usable: tuple[Tlsa, ...] = ()

    def evidence(self, tools: Tools) -> tuple[Evidence, ...]:
        """The conversation, line by line in one."""
        source = f"{self.host.name} [{self.conversation.ip}]:{tools.port}"
        return (tools.heard(source, "\n".join(self.conversation.lines) or self.conversation.trouble),)


@dataclass(frozen=True, kw_only=True, slots=True)
class Visit:
    """All of the domain's servers."""

    servers: Servers
    calls: tuple[Call, ...]

    @property
    def met(self) -> tuple[Call, ...]:
        """Those that were there."""
        return tuple(call for call in self.calls if call.conversation.met)


Visiting: TypeAlias = Callable[[], Awaitable[Visit]]


def addresses_of(domain: str) -> tuple[str, ...]:
    """The addresses that every domain should have (RFC 2142)."""
    return tuple(f"{role}@{domain}" for role in ROLES)


async def visit(sender: Sender, tools: Tools) -> Visit:
    """Calls at every server of the domain at once."""
    servers = await find_servers(sender.domain, tools)
    calls = await asyncio.gather(*(_call(host, sender.domain, tools) for host in servers.usable))
    return Visit(servers=servers, calls=tuple(calls))


async def _call(host: Host, domain: str, tools: Tools) -> Call:
    tlsa = await tools.resolver.lookup(f"_{tools.port}._tcp.{host.name}", "TLSA")
    usable = tuple(each for each in map(_read, tlsa.records) if each is not None and each.usable)
    dane = Dane(base=host.name, records=usable, names=(host.name, domain)) if usable else None
    conversation = await converse(host.name, host.ips[0], addresses_of(domain), tools, dane=dane)
    return Call(host=host, conversation=conversation, tlsa=tlsa, usable=usable)


def _read(text: str) -> Tlsa | None:
    try:
        return parse_tlsa(text)
    except ValueError:
        return None
