"""Looks once a day at the DNS of every sending domain, for the recommendations that follow from it."""

import asyncio
import logging
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from waybill.appraise import MOST
from waybill.model.clock import DAY, MINUTE, Clock, Instant
from waybill.model.resource import Identity
from waybill.net.mta_sts import PolicyFetcher
from waybill.net.resolver import Resolver
from waybill.net.smtp_client import ClientSettings
from waybill.net.tls import ClientTls
from waybill.serve.domain_checks import Question, gather_sender, hostname
from waybill.settings import Settings
from waybill.standing.checks import bimi, dkim, dmarc, spf
from waybill.standing.checks.check import Check, Tools
from waybill.standing.recommendations import Finding, about_checks
from waybill.store.protocol import Store

log = logging.getLogger(__name__)

EVERY = DAY
SOON = 10 * MINUTE
"""Until a domain that was found wanting is looked at again: who has published a record wants to see that."""

PATIENCE_S = 20.0
AT_A_TIME = 20
"""Domains that are looked at in one go; the others have their turn in the next minute."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Advised:
    """What is known of the domains; ``unseen`` are those, each with its account, of which nothing is."""

    findings: Sequence[Finding] = ()
    unseen: Collection[tuple[str, str]] = ()


@dataclass(kw_only=True, slots=True)
class DomainAdvice:
    """What was found about each domain, and when; None where it could not be looked at."""

    settings: Settings
    store: Store
    resolver: Resolver
    clock: Clock
    _found: dict[tuple[str, str], tuple[Instant, list[Finding] | None]] = field(default_factory=dict)

    async def look(self, accounts: Iterable[str]) -> Advised:
        """What is known of all domains of these accounts, after some of them were looked at. Raises: StoreUnavailable."""
        domains = {
            (name, identity.name)
            for name in accounts
            for identity in await self.store.scan(Identity, name, limit=MOST)
            if identity.is_domain
        }
        self._found = {key: found for key, found in self._found.items() if key in domains}
        due = sorted((key for key in domains if self._is_due(key)), key=lambda key: self._found.get(key, (0, None))[0])
        for key in due[:AT_A_TIME]:
            self._found[key] = (self.clock(), await self._checked(*key))
        known = {key: found for key, (_, found) in self._found.items() if found is not None}
        return Advised(findings=[finding for found in known.values() for finding in found], unseen=domains - set(known))

    def _is_due(self, key: tuple[str, str]) -> bool:
        at, found = self._found.get(key, (0, None))
        return self.clock() - at >= (EVERY if found == [] else SOON)

    async def _checked(self, account: str, domain: str) -> list[Finding] | None:
        sender = await gather_sender(Question(domain=domain, account=account), self.settings, self.store)
        tools = Tools(
            resolver=self.resolver,
            clock=self.clock,
            smtp=ClientSettings(helo=hostname(self.settings), tls=ClientTls(clock=self.clock), clock=self.clock),
            policies=PolicyFetcher(resolver=self.resolver, clock=self.clock),
        )
        try:
            async with asyncio.timeout(PATIENCE_S):
                results = await asyncio.gather(*(part.check(sender, tools) for part in (spf, dkim, dmarc, bimi)))
        except TimeoutError:
            log.warning("domain_not_checked domain=%s within_s=%g", domain, PATIENCE_S)
            return None
        checks: list[Check] = [check for found in results for check in found]
        return about_checks(account, domain, checks)
