"""A walk at one host: its addresses, its TLSA records, and a conversation with the first address that can be spoken to."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from ipaddress import ip_address

from waybill.model.ip import is_ip, is_loopback, is_public
from waybill.model.outcome import Stage
from waybill.model.probe import ProbedHost, Step
from waybill.net.dane import Dane, Tlsa, Usage, parse_tlsa
from waybill.net.resolver import AddressAnswer, AnswerStatus
from waybill.net.smtp_target import Target, TlsMode
from waybill.standing.probe_errand import Errand, Means
from waybill.standing.probe_log import WalkLog
from waybill.standing.probe_talk import Talk

MOST_ADDRESSES = 2
"""Addresses of one host that are tried, the second where the first gives no connection."""


async def visit(host: str, port: int, errand: Errand, means: Means, log: WalkLog, deadline: float) -> ProbedHost:
    """How far it came at the host, before ``deadline`` (the event loop's time)."""
    found = ProbedHost(host=host, stage=Stage.ROUTE, text=f"the {means.seconds:g} s that a walk may last were over")
    with suppress(TimeoutError):
        async with asyncio.timeout_at(deadline):
            targets, why_none = await _find_targets(host, port, errand, means, log)
            found = replace(found, text=why_none)
            for target in targets:
                found = await Talk(target, errand, means, log, deadline).hold()
                if found.stage is not Stage.CONNECT:
                    break
    return found


async def _find_targets(host: str, port: int, errand: Errand, means: Means, log: WalkLog) -> tuple[list[Target], str]:
    """The addresses to try; where there are none, why."""
    began = means.clock()
    if is_ip(host):  # a relay may be named by its address
        answer = AddressAnswer(status=AnswerStatus.OK, text=host, addresses=(host,))
    else:
        answer = await means.resolver.addresses(host)
    usable = [ip for ip in answer.addresses if errand.allow_private or errand.relay is not None or is_public(ip)]
    text = answer.text
    if answer.addresses and not usable:
        text = f"{host} has the address {answer.addresses[0]}, which is private or reserved: nobody walks there"
    log.add(Step.ADDRESS, began, ok=bool(usable), text=text, host=host)
    if not usable:
        return [], text
    dane = None if errand.relay is not None else await _ask_tlsa(host, port, errand, means, log)
    relay = errand.relay
    return [
        Target(
            host=host,
            ip=ip,
            port=port,
            source_ip=_source_for(ip, errand, means),
            tls=TlsMode.IMPLICIT if relay is not None and relay.implicit_tls else TlsMode.OPPORTUNISTIC,
            credentials=relay.credentials if relay is not None else None,
            helo=errand.helo,
            dane=dane,
        )
        for ip in _preferred(usable, errand, means)[:MOST_ADDRESSES]
    ], text


def _preferred(ips: list[str], errand: Errand, means: Means) -> list[str]:
    """The address that was spoken to before, then those of our source address's family; IPv6 last where nothing leads there."""
    wanted = errand.source_ip
    v6_first = wanted is not None and ":" in wanted

    def rank(ip: str) -> tuple[bool, bool]:
        return ip != errand.then_ip, (":" in ip) is not v6_first

    reached = [ip for ip in ips if ":" not in ip or not is_public(ip) or means.machine.reaches_ipv6()]
    return sorted(reached or ips, key=rank)


def _source_for(ip: str, errand: Errand, means: Means) -> str | None:
    wanted = errand.source_ip
    if wanted is None or ip_address(wanted).version != ip_address(ip).version or is_loopback(wanted) != is_loopback(ip):
        return None
    return wanted if means.machine.owns(wanted) else None


async def _ask_tlsa(host: str, port: int, errand: Errand, means: Means, log: WalkLog) -> Dane | None:
    """The TLSA records that a certificate is held against (RFC 7672), where there are any that count."""
    began = means.clock()
    mx = await means.resolver.mx(errand.domain)
    answer = await means.resolver.lookup(f"_{port}._tcp.{host}", "TLSA")
    if not answer.records:
        text = f"no record at _{port}._tcp.{host}" if answer.status.definite else answer.text
        log.add(Step.TLSA, began, ok=answer.status.definite, text=text, host=host)
        return None
    usable = tuple(each for each in map(_read, answer.records) if each is not None and each.usable)
    shown = ", ".join(answer.records)
    if not (mx.authenticated and answer.authenticated):
        log.add(Step.TLSA, began, ok=True, text=f"{shown}; not proven by DNSSEC here, so they do not count", host=host)
        return None
    log.add(
        Step.TLSA, began, ok=bool(usable), text=shown if usable else f"{shown}; none can be used for mail", host=host
    )
    if not usable:
        return None
    names = (host, errand.domain) if any(each.usage == Usage.DANE_TA for each in usable) else ()
    return Dane(base=host, records=usable, names=names)


def _read(text: str) -> Tlsa | None:
    try:
        return parse_tlsa(text)
    except ValueError:
        return None
