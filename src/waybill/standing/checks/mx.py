"""Whether a domain takes mail: its MX hosts, as a careful sender sees them."""

import asyncio
from dataclasses import dataclass

from waybill.model.ip import is_ip
from waybill.net.resolver import AnswerStatus
from waybill.standing.checks.check import About, Check, Evidence, Sender, Tools, Verdict

IDS = ("mx",)

MOST_HOSTS = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Host:
    """A server that takes a domain's mail. ``fault`` says why it cannot be used, ``flaw`` what else is wrong with it.

    ``unknown``: the fault is that its address could not be found out.
    """

    name: str
    ips: tuple[str, ...] = ()
    fault: str = ""
    flaw: str = ""
    unknown: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Servers:
    """The servers of a domain. ``fault`` says why there are none, ``unknown`` why that could not be found out."""

    domain: str
    hosts: tuple[Host, ...] = ()
    fault: str = ""
    unknown: str = ""
    implicit: bool = False
    null: bool = False
    evidence: tuple[Evidence, ...] = ()

    @property
    def usable(self) -> tuple[Host, ...]:
        """Those that mail can be brought to."""
        return tuple(host for host in self.hosts if not host.fault)


async def find_servers(domain: str, tools: Tools) -> Servers:
    """The domain's servers, best first, by MX or without one by address (RFC 5321 §5.1)."""
    answer = await tools.resolver.lookup(domain, "MX")
    if not answer.status.definite:
        return Servers(domain=domain, unknown=answer.text, evidence=(tools.said(answer),))
    names = [host.host for host in (await tools.resolver.mx(domain)).hosts]
    if names == [""]:
        fault = f"{domain} says by a null MX that it takes no mail"
        return Servers(domain=domain, fault=fault, null=True, evidence=(tools.said(answer),))
    looked = await asyncio.gather(*(_look_at(name, tools) for name in (names or [domain])[:MOST_HOSTS] if name))
    hosts = tuple(host for host, _ in looked)
    evidence = (tools.said(answer), *(said for _, each in looked for said in each))
    if names:
        return Servers(domain=domain, hosts=hosts, evidence=evidence)
    [host] = hosts
    if host.unknown:
        return Servers(domain=domain, unknown=host.fault, evidence=evidence)
    if host.fault:
        gone = answer.status is AnswerStatus.NXDOMAIN
        fault = f"{domain} does not exist" if gone else f"{domain} has no MX record, and {host.fault}"
        return Servers(domain=domain, fault=fault, evidence=evidence)
    return Servers(domain=domain, hosts=hosts, implicit=True, evidence=evidence)


async def _look_at(name: str, tools: Tools) -> tuple[Host, tuple[Evidence, ...]]:
    if is_ip(name):
        return Host(name=name, fault=f"{name} is an address, and an MX record needs a name"), ()
    answer = await tools.resolver.addresses(name)
    said = (tools.heard(f"{name} A/AAAA", answer.text, "dns"),)
    if not answer.status.definite:
        return Host(name=name, fault=f"the address of {name} could not be found out", unknown=True), said
    if not answer.addresses:
        return Host(name=name, fault=f"{name} has no address"), said
    reachable = tuple(ip for ip in answer.addresses if tools.is_seen(ip))
    if not reachable:
        return Host(name=name, fault=f"{name} leads to {answer.addresses[0]}, which nobody outside can reach"), said
    flaw = ""
    if answer.canonical and answer.canonical != name:
        flaw = f"{name} is an alias (CNAME) of {answer.canonical}, which an MX must not be (RFC 2181 §10.3)"
    elif len(reachable) < len(answer.addresses):
        flaw = f"one of the addresses of {name} is private"
    return Host(name=name, ips=reachable, flaw=flaw), said


async def check(sender: Sender, tools: Tools) -> list[Check]:
    """Whether answers to the domain find a server."""
    servers = await find_servers(sender.domain, tools)
    verdict, text, remedy = judge(servers)
    return [About(id="mx", subject=sender.domain, evidence=servers.evidence).ends(verdict, text, remedy=remedy)]


def judge(servers: Servers) -> tuple[Verdict, str, str]:
    """The verdict on a domain's servers, in words, and what to do."""
    domain = servers.domain
    unknown = servers.unknown or next((host.fault for host in servers.hosts if host.unknown), "")
    if unknown and not servers.usable:
        return Verdict.UNKNOWN, f"DNS gave no answer about where {domain} takes mail.", "Ask again in a while."
    if servers.fault:
        remedy = f"Publish an MX record at {domain} that names the server where its mailboxes are."
        return Verdict.FAIL, f"{servers.fault}.", f"Take the null MX away. {remedy}" if servers.null else remedy
    faults = [host.fault for host in servers.hosts if host.fault]
    if not servers.usable:
        return Verdict.FAIL, f"No server of {domain} can be reached: {'; '.join(faults)}.", "Correct the MX records."
    flaws = [*faults, *(host.flaw for host in servers.hosts if host.flaw)]
    if flaws:
        return Verdict.WARN, f"{'; '.join(flaws)}.", "Correct the MX records."
    if servers.implicit:
        text = f"{domain} has no MX record; mail goes to its address instead, which not every sender does."
        return Verdict.WARN, text, f"Publish an MX record at {domain}."
    return Verdict.PASS, f"{domain} takes mail at {', '.join(host.name for host in servers.usable)}.", ""
