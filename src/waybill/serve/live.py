"""Live probes of a message's recipients: built from the settings, paced by domain, and written into the ledger."""

import asyncio
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from waybill.deliver.classify import classify
from waybill.deliver.config import parse_relay, parse_source
from waybill.deliver.evidence import Evidence
from waybill.explain import Facts
from waybill.explain.said import is_captured
from waybill.mail.return_path import encode as return_path
from waybill.model.cause import Cause
from waybill.model.clock import SECOND, Clock
from waybill.model.event import Attempted, EventKind, NewEvent
from waybill.model.message import Delivery
from waybill.model.outcome import Attempt
from waybill.model.probe import NotProbed, Probed, ProbedHost
from waybill.model.simulator import is_simulated
from waybill.net.lookup import ResolverLookups
from waybill.net.mta_sts import PolicyFetcher
from waybill.net.resolver import Resolver
from waybill.net.tls import ClientTls
from waybill.queue.worker import RETURN_PATH_PURPOSE
from waybill.serve.authentication import finder
from waybill.settings import Settings
from waybill.standing.authentication import look as authenticate
from waybill.standing.named_lists import ask_named
from waybill.standing.probe import Errand, Means, Relay, probe, tell_nobody
from waybill.standing.probe_errand import MOST_SECONDS, PATIENCE
from waybill.standing.probe_log import Told
from waybill.store.protocol import Store, StoreUnavailable

EVERY = 30 * SECOND
"""A domain is walked to once in this time, whoever asks."""

LEAST_SECONDS = 3.0
"""With less time left no walk is begun."""

BESIDE_SECONDS = 10.0
"""What the questions beside the walk may take."""

MOST_RECIPIENTS = 5
"""Walks that one question makes; of a message to more recipients the others are asked for by their addresses."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Prober:
    """Walks for explanations. ``captured``: this service keeps the mail of every domain on this machine (``--dev``)."""

    settings: Settings
    clock: Clock
    captured: bool = False
    told: Told = tell_nobody
    seconds: float = MOST_SECONDS

    async def look(self, store: Store, facts: Facts) -> Mapping[int, Probed | NotProbed]:
        """What each recipient's server says now, by delivery id."""
        found: dict[int, Probed | NotProbed] = {}
        permits: dict[str, str | None] = {}
        resolver = Resolver(self.settings.dns.servers)
        try:
            means = self._means(resolver)
            ends = time.monotonic() + self.seconds
            for number, delivery in enumerate(facts.deliveries):
                attempt = _last_attempt(facts, delivery)
                left = ends - time.monotonic()
                why_not = self._why_not(delivery, number, attempt)
                if why_not is None and left < LEAST_SECONDS:
                    why_not = f"the {self.seconds:g} s that one question may take were over; ask for it by its address"
                if why_not is None:
                    why_not = await self._pace(store, delivery.domain, permits)
                if why_not is not None:
                    found[delivery.id] = NotProbed(at=self.clock(), why=why_not)
                    continue
                errand = self._errand(store, facts, delivery, attempt)
                probed = _with_causes(await probe(errand, replace(means, seconds=left), self.told), delivery)
                if attempt is not None:
                    probed = await self._beside(store, facts, attempt, resolver, probed)
                found[delivery.id] = probed
                await _write_down(store, delivery, probed)
        finally:
            await resolver.close()
        return found

    async def _beside(self, store: Store, facts: Facts, attempt: Attempt, resolver: Resolver, probed: Probed) -> Probed:
        """The walk with what DNS says now beside it: of the blocklists that a refusal named, and of our authentication."""
        with suppress(TimeoutError):
            async with asyncio.timeout(BESIDE_SECONDS):
                if attempt.outcome.cause is Cause.IP_BLOCKLISTED:
                    probed = replace(probed, listings=await ask_named(resolver, attempt))
                sending = next(
                    (
                        one.authentication.sending
                        for one in facts.authentications
                        if one.sending_id == attempt.authentication
                    ),
                    None,
                )
                if sending is not None:
                    found = await authenticate(sending, ResolverLookups(resolver), finder(store))
                    probed = replace(probed, authentication=found)
        return replace(probed, ended_at=self.clock())

    def _why_not(self, delivery: Delivery, number: int, attempt: Attempt | None) -> str | None:
        recipient = delivery.recipient
        if "@" not in recipient or recipient.endswith("]"):
            return "it has no domain that DNS could be asked for"
        if is_simulated(recipient):
            return "the mailbox simulator is no real server, and always answers alike"
        if self.captured or (attempt is not None and is_captured(attempt)):
            return "its mail is kept on this machine (--dev), and no real server is asked"
        if number >= MOST_RECIPIENTS:
            return f"one question walks for {MOST_RECIPIENTS} recipients; ask for this one by its address"
        return None

    async def _pace(self, store: Store, domain: str, permits: dict[str, str | None]) -> str | None:
        """Why nobody walks to the domain now; the recipients of one question share the leave."""
        if domain not in permits:
            at = self.clock()
            permits[domain] = None
            try:
                last = await store.walks.begin(domain, at, within=EVERY)
            except StoreUnavailable as error:
                permits[domain] = f"a walk is written down, and the store cannot be written: {error}"
                return permits[domain]
            if last is not None:
                left = -(-(last + EVERY - at) // SECOND)
                ago = max(0, at - last) // SECOND
                permits[domain] = (
                    f"somebody walked to {domain} {ago} s ago, and once in 30 s is enough; ask again in {left} s"
                )
        return permits[domain]

    def _means(self, resolver: Resolver) -> Means:
        delivery = self.settings.delivery
        fetch = None
        if delivery.mta_sts:
            fetch = PolicyFetcher(resolver=resolver, clock=self.clock, allow_private=delivery.allow_private).fetch
        tls = ClientTls(clock=self.clock, ca_file=delivery.ca_file)
        return Means(resolver=resolver, tls=tls, clock=self.clock, fetch=fetch, timeouts=PATIENCE)

    def _errand(self, store: Store, facts: Facts, delivery: Delivery, attempt: Attempt | None) -> Errand:
        settings = self.settings.delivery
        relay = parse_relay(settings.relay)
        source = attempt.source_ip if attempt is not None else None
        helo = (attempt.helo if attempt is not None else None) or settings.hostname or socket.getfqdn()
        if attempt is None and settings.source_addresses:
            first = parse_source(settings.source_addresses[0])
            source, helo = first.ip, first.helo or helo
        bounce_domain = facts.message.mail_from or self.settings.inbound.bounce_domain
        return Errand(
            recipient=delivery.recipient,
            mail_from=return_path(delivery.id, bounce_domain, store.secret(RETURN_PATH_PURPOSE)),
            helo=helo,
            port=settings.port,
            size=facts.message.size,
            source_ip=source,
            then_ip=attempt.ip if attempt is not None else None,
            allow_private=settings.allow_private,
            relay=None
            if relay is None
            else Relay(
                host=relay.host, port=relay.port, implicit_tls=relay.implicit_tls, credentials=relay.credentials
            ),
        )


def _last_attempt(facts: Facts, delivery: Delivery) -> Attempt | None:
    attempts = [
        event.fact.attempt
        for event in facts.events
        if event.recipient == delivery.recipient and isinstance(event.fact, Attempted)
    ]
    return attempts[-1] if attempts else None


def _with_causes(probed: Probed, delivery: Delivery) -> Probed:
    """The walk with what each refusal means by the rules that read the replies of attempts."""

    def classified(host: ProbedHost) -> ProbedHost:
        if host.reply is None or host.reply.code < 400:
            return host
        evidence = Evidence(
            stage=host.stage,
            recipient=delivery.recipient,
            reply=host.reply,
            text=host.text,
            host=host.host,
            ip=host.ip,
        )
        return replace(host, cause=classify(evidence).cause)

    return replace(probed, hosts=tuple(map(classified, probed.hosts)))


async def _write_down(store: Store, delivery: Delivery, probed: Probed) -> None:
    """The walk as an event; where it cannot be written now, it is told all the same."""
    event = NewEvent(kind=EventKind.PROBED, at=probed.started_at, fact=probed, recipient=delivery.recipient)
    with suppress(StoreUnavailable):
        await store.append(delivery.message_id, [event])
