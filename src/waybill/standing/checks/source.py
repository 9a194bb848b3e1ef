"""The addresses that we send from: their names (PTR), whether these lead back, and what we call ourselves in EHLO."""

import asyncio
import ipaddress
import re

from waybill.model.ip import is_ip
from waybill.standing.checks.check import (
    NAME_THE_ADDRESS,
    About,
    Check,
    DnsRecord,
    Egress,
    Sender,
    Tools,
    Verdict,
    not_public,
    unanswered,
)

IDS = ("ptr", "fcrdns", "helo")

MOST_NAMES = 5

_GENERIC = re.compile(
    r"(?:^|[.-])(?:dyn(?:amic)?|dhcp|dsl|adsl|vdsl|cable|ppp(?:oe)?|dial(?:up|in)?|pool|broadband|cust(?:omer)?s?|clients?|"
    r"static|unassigned|reverse|rev|ip|host|hsd\d)(?:[.-]|\d)",
    re.IGNORECASE,
)
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_FQDN = re.compile(rf"(?:{_LABEL}\.)+{_LABEL}", re.IGNORECASE)
_LOCAL = (".localhost", ".local", ".localdomain", ".lan", ".internal", ".invalid", ".home.arpa")


async def check(sender: Sender, tools: Tools) -> list[Check]:
    """For each address its PTR, that name's way back, and its EHLO name."""
    if not sender.egress:
        abouts = (About(id=each, subject=sender.domain) for each in IDS)
        return [about.is_unknown(sender.egress_unknown, remedy=NAME_THE_ADDRESS) for about in abouts]
    found = await asyncio.gather(*(_check_one(egress, tools) for egress in sender.egress))
    return [check for checks in found for check in checks]


async def _check_one(egress: Egress, tools: Tools) -> list[Check]:
    if not tools.is_seen(egress.ip):
        unseen = [not_public(each, egress.ip, egress.ip) for each in IDS[:2]]
        return [*unseen, await _check_helo(egress, tools)]
    (ptr, names), helo = await asyncio.gather(_check_ptr(egress, tools), _check_helo(egress, tools))
    return [ptr, await _check_way_back(egress, names, ptr, tools), helo]


async def _check_ptr(egress: Egress, tools: Tools) -> tuple[Check, tuple[str, ...]]:
    pointer = ipaddress.ip_address(egress.ip).reverse_pointer
    answer = await tools.resolver.lookup(pointer, "PTR")
    if not answer.status.definite:
        return unanswered("ptr", egress.ip, answer, tools), ()
    about = About(id="ptr", subject=egress.ip, evidence=(tools.said(answer),))
    record = DnsRecord(name=pointer, type="PTR", value=f"{egress.helo}.", replaces=" ".join(answer.records))
    remedy = (
        "Whoever gave you the address sets this record: look for “reverse DNS” in the provider's console, or ask there."
    )
    names = tuple(name.rstrip(".").lower() for name in answer.records)
    if not names:
        return about.fails(f"{egress.ip} has no name: {pointer} has no PTR record.", record, remedy=remedy), ()
    generic = next((name for name in names if is_generic(name, egress.ip)), None)
    if generic is not None:
        text = f"{egress.ip} has the name {generic}, as its provider gives one to every address: receivers take it for an end user's."
        return about.warns(text, record, remedy=remedy), names
    return about.passes(f"{egress.ip} has the name {', '.join(names)}."), names


def is_generic(name: str, ip: str) -> bool:
    """Whether a name is made from the address, or says that it is one of a pool's."""
    host = name.rsplit(".", 2)[0] if name.count(".") >= 2 else name
    if _GENERIC.search(f"{host}."):
        return True
    bare = re.sub(r"[._-]", "", host)
    if ":" in ip:
        return ipaddress.IPv6Address(ip).exploded.replace(":", "")[16:] in bare
    octets = ip.split(".")
    for order in (octets, octets[::-1]):
        padded = [octet.zfill(3) for octet in order]
        if "".join(padded) in bare or any(mark.join(form) in host for form in (order, padded) for mark in ".-_"):
            return True
    return f"{int(ipaddress.IPv4Address(ip)):08x}" in bare


async def _check_way_back(egress: Egress, names: tuple[str, ...], ptr: Check, tools: Tools) -> Check:
    if not names:
        about = About(id="fcrdns", subject=egress.ip, evidence=ptr.evidence)
        if ptr.verdict is Verdict.UNKNOWN:
            return about.is_unknown("Its name is not known, so neither is the way back.")
        return about.fails(f"{egress.ip} has no name that could lead back.", remedy="Set the PTR record first.")
    asked = names[:MOST_NAMES]
    answers = await asyncio.gather(*(tools.resolver.addresses(name) for name in asked))
    evidence = tuple(
        tools.heard(f"{name} A/AAAA", answer.text, "dns") for name, answer in zip(asked, answers, strict=True)
    )
    about = About(id="fcrdns", subject=egress.ip, evidence=evidence)
    for name, answer in zip(asked, answers, strict=True):
        if egress.ip in answer.addresses:
            return about.passes(f"{egress.ip} → {name} → {egress.ip}.")
    if not all(answer.status.definite for answer in answers):
        return about.is_unknown(f"DNS gave no answer about the addresses of {names[0]}.")
    leads = f"leads to {', '.join(answers[0].addresses)}" if answers[0].addresses else "has no address"
    return about.fails(
        f"{egress.ip} has the name {names[0]}, and that {leads}.",
        _address_record(names[0], egress.ip),
        remedy=f"Publish this beside what {names[0]} has, or let the PTR record name a host that leads to {egress.ip}.",
    )


async def _check_helo(egress: Egress, tools: Tools) -> Check:
    helo = egress.helo
    local = f".{helo}".endswith(_LOCAL) and not tools.allow_private
    if not _FQDN.fullmatch(helo) or is_ip(helo) or local:
        evidence = (tools.heard("delivery.hostname", f"EHLO {helo}", "settings"),)
        return About(id="helo", subject=helo or "(none)", evidence=evidence).fails(
            f"We call ourselves {helo!r}, which is no full host name that others could look up.",
            remedy="Set delivery.hostname to a name such as mail.example.com that leads to the address we send from.",
        )
    if not tools.is_seen(egress.ip):
        return not_public("helo", f"{helo} [{egress.ip}]", egress.ip)
    answer = await tools.resolver.addresses(helo)
    evidence = (tools.heard(f"{helo} A/AAAA", answer.text, "dns"),)
    about = About(id="helo", subject=f"{helo} [{egress.ip}]", evidence=evidence)
    if not answer.status.definite:
        return about.is_unknown(f"DNS gave no answer about {helo}.")
    if egress.ip in answer.addresses:
        return about.passes(f"We call ourselves {helo}, which leads to {egress.ip}.")
    record = _address_record(helo, egress.ip)
    remedy = "Publish this record, or give the address another EHLO name in delivery.source_addresses."
    if not answer.addresses:
        return about.fails(f"We call ourselves {helo}, which has no address.", record, remedy=remedy)
    text = f"We call ourselves {helo}, which leads to {', '.join(answer.addresses)} and not to {egress.ip}."
    return about.warns(text, record, remedy=remedy)


def _address_record(name: str, ip: str) -> DnsRecord:
    return DnsRecord(name=name, type="AAAA" if ":" in ip else "A", value=ip)
