"""Checks of sending domains: gathers how mail of a domain leaves here, from the settings and the store, and runs them."""

import asyncio
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from waybill.deliver.config import parse_relay, parse_source
from waybill.mail.address import enclosing_domains
from waybill.model.clock import DAY, Clock, Instant
from waybill.model.ip import is_public
from waybill.model.resource import Identity, Verification
from waybill.net.machine import source_towards
from waybill.net.mta_sts import PolicyFetcher
from waybill.net.resolver import Resolver
from waybill.net.smtp_client import ClientSettings
from waybill.net.smtp_target import Timeouts
from waybill.net.tls import ClientTls
from waybill.settings import Settings
from waybill.standing.checks.authority import Seen, find_published
from waybill.standing.checks.check import Egress, SelectedKey, Sender, Tools, Verdict
from waybill.standing.checks.run import AS_USUAL, Limits, Progress, Report, run_checks
from waybill.store.protocol import Search, Store

PATIENCE = Timeouts(connect=8, greeting=12, ehlo=8, starttls=8, mail=8, rcpt=8, quit=1, transaction=18)
"""A person waits."""

NEWEST = 100
"""Messages of the domain whose header fields are looked at."""

_DNS_PATIENCE = 1.2
"""Seconds for each of two askings, so that a server that is dead is known for it within a check's time."""

_SOMEWHERE = ("198.51.100.1", "2001:db8::1")  # nothing is sent there: the kernel is asked which way it would go


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """What is asked. ``ips`` and ``selectors`` are in place of those that the settings and the store name."""

    domain: str
    account: str
    ips: tuple[str, ...] = ()
    selectors: tuple[str, ...] = ()


async def check_domain(
    question: Question,
    settings: Settings,
    store: Store | None,
    clock: Clock,
    *,
    limits: Limits = AS_USUAL,
    progress: Progress | None = None,
) -> Report:
    """What all checks say of the domain now. Nothing is remembered between two calls: every name is asked for anew.

    Raises:
        StoreUnavailable: there is a store, and it cannot be read.
    """
    sender = await gather_sender(question, settings, store, at=clock())
    delivery = settings.delivery
    resolver = Resolver(settings.dns.servers, patience=_DNS_PATIENCE)
    tools = Tools(
        resolver=resolver,
        clock=clock,
        smtp=ClientSettings(
            helo=hostname(settings),
            tls=ClientTls(clock=clock, ca_file=delivery.ca_file),
            clock=clock,
            timeouts=PATIENCE,
        ),
        policies=await asyncio.to_thread(_policies, settings, resolver, clock),
        port=delivery.port,
        allow_private=delivery.allow_private,
    )
    try:
        return await run_checks(sender, tools, limits=limits, progress=progress)
    finally:
        await resolver.close()


def _policies(settings: Settings, resolver: Resolver, clock: Clock) -> PolicyFetcher:
    """In a thread: to read all root certificates takes 50 ms."""
    return PolicyFetcher(resolver=resolver, clock=clock, allow_private=settings.delivery.allow_private)


async def published_already(report: Report, settings: Settings) -> list[Seen]:
    """The records of checks that fail which the name servers of their zones show, and the resolver does not yet."""
    records = dict.fromkeys(record for check in report.of(Verdict.FAIL) for record in check.records)
    resolver = Resolver(settings.dns.servers, patience=_DNS_PATIENCE)
    private = settings.delivery.allow_private
    try:
        found = await asyncio.gather(*(find_published(each, resolver, allow_private=private) for each in records))
    finally:
        await resolver.close()
    return [seen for seen in found if seen is not None]


def hostname(settings: Settings) -> str:
    """What we call ourselves in EHLO."""
    return settings.delivery.hostname or socket.getfqdn()


async def gather_sender(
    question: Question, settings: Settings, store: Store | None, *, at: Instant | None = None
) -> Sender:
    """How mail of the domain leaves here, with what was sent in the day before ``at``. Raises: StoreUnavailable."""
    domain, account = question.domain, question.account
    identity = await _find_identity(store, account, domain) if store is not None else None
    bounce_domain = settings.inbound.bounce_domain
    home = "" if _is_local(bounce_domain) and not settings.delivery.allow_private else bounce_domain
    custom = identity.mail_from_domain if identity is not None else None
    # A domain that is neither set up here nor has a bounce domain to go by is checked as it would send by itself.
    mail_from = custom or home or (bounce_domain if identity is not None else domain)
    egress, unknown = _egress(question.ips, settings)
    return Sender(
        domain=domain,
        mail_from=mail_from,
        bounce_domain=home,
        egress=egress,
        egress_unknown=unknown,
        keys=_keys(question.selectors, identity),
        identity=identity.name if identity is not None else "",
        unsigned=_unsigned(identity) if identity is not None else "",
        mail=await _newest_mail(store, account, domain) if store is not None else (),
        sent_today=await store.sent(account, at - DAY) if store is not None and at is not None else 0,
    )


def _is_local(domain: str) -> bool:
    return domain.rpartition(".")[2] in {"localhost", "local", "internal", "invalid", "test", "lan"}


async def _find_identity(store: Store, account: str, domain: str) -> Identity | None:
    """The nearest domain identity, as for signing."""
    for name in enclosing_domains(domain):
        found = await store.get(Identity, account, name)
        if found is not None:
            return found
    return None


def _unsigned(identity: Identity) -> str:
    if identity.verification is not Verification.SUCCESS:
        return f"the identity {identity.name} is not verified"
    if not identity.dkim_enabled:
        return f"signing is switched off for the identity {identity.name}"
    return f"the identity {identity.name} has no DKIM key" if not identity.dkim_keys else ""


def _keys(selectors: Sequence[str], identity: Identity | None) -> tuple[SelectedKey, ...]:
    """The keys to look for: those named, else all of the identity's, also while it is not verified yet."""
    known = {
        key.selector: SelectedKey(selector=key.selector, algorithm=key.algorithm, public=key.public)
        for key in (identity.dkim_keys if identity is not None and identity.dkim_enabled else ())
    }
    if selectors:
        return tuple(known.get(each, SelectedKey(selector=each)) for each in selectors)
    return tuple(known.values())


def _egress(ips: Sequence[str], settings: Settings) -> tuple[tuple[Egress, ...], str]:
    """The addresses that receivers see, or why they are not known."""
    sources = [parse_source(text) for text in settings.delivery.source_addresses]
    names = {source.ip: source.helo for source in sources}
    helo = hostname(settings)
    if ips:
        return tuple(Egress(ip=ip, helo=names.get(ip) or helo) for ip in dict.fromkeys(ips)), ""
    relay = parse_relay(settings.delivery.relay)
    if relay is not None:
        return (), f"Mail leaves through the relay {relay.host}, and it is the relay's address that receivers see."
    if sources:
        return tuple(Egress(ip=source.ip, helo=source.helo or helo) for source in sources), ""
    # IPv4 is translated where there is a private address; with IPv6 there is then no way out.
    own = [ip for ip in map(source_towards, _SOMEWHERE) if ip is not None and (":" not in ip or is_public(ip))]
    if not own:
        return (), "This machine has no way to the internet, so the address that mail comes from is not known."
    return tuple(Egress(ip=ip, helo=helo) for ip in own), ""


async def _newest_mail(store: Store, account: str, domain: str) -> tuple[tuple[tuple[str, str], ...], ...]:
    found = await store.find(Search(account=account, sender=f"@{domain}", limit=NEWEST))
    headers = {hit.message.id: hit.message.headers for hit in found if hit.message.headers}
    return tuple(headers.values())
