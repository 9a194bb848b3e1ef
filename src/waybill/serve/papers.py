"""What has to be in order for others to trust us, looked at now and then by one worker: certificates and published keys."""

import asyncio
import logging
from dataclasses import dataclass

from waybill.model.clock import HOUR, MINUTE, SECOND, Clock, Instant
from waybill.model.resource import INSTALLATION, Account, Identity, Verification
from waybill.net.resolver import Resolver
from waybill.serve.certificates import Certificates, summary
from waybill.serve.watch import Watch
from waybill.standing.verification import dkim_name, look
from waybill.store.protocol import Store, StoreUnavailable

log = logging.getLogger(__name__)

LOOK_EVERY = MINUTE
KEYS_EVERY = HOUR
MOST_LOOKED_AT = 1_000


@dataclass(kw_only=True, slots=True)
class Papers:
    """Tells ``watch`` of the parts ``certificates`` and ``dkim``."""

    watch: Watch
    certificates: Certificates
    store: Store
    resolver: Resolver
    clock: Clock
    _keys_at: Instant = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Looks every minute, and at the keys every hour, until ``stop`` is set."""
        while not stop.is_set():
            try:
                await self.look()
            except StoreUnavailable as error:
                log.warning("store_unavailable while=looking_at_keys error=%s", error)
            try:
                await asyncio.wait_for(stop.wait(), LOOK_EVERY / SECOND)
            except TimeoutError:
                continue

    async def look(self) -> None:
        """One look. Raises: StoreUnavailable."""
        at = self.clock()
        found = self.certificates.look(at)
        self.watch.set("certificates", found.state, found.evidence)
        if at - self._keys_at >= KEYS_EVERY:
            await self._look_at_keys(at)
            self._keys_at = at

    async def _look_at_keys(self, at: Instant) -> None:
        missing: dict[str, str] = {}
        looked_at = 0
        for identity in await self._signing():
            looked_at += 1
            found = await look(identity, self.resolver, at, bounce_domain="")
            if not found.dkim_published:
                answer = await self.resolver.txt(dkim_name(identity.dkim_keys[0], identity.name))
                missing[identity.name] = f"{identity.name} ({answer.text})"
        said = summary(missing, looked_at)
        self.watch.set("dkim", said.state, said.evidence)

    async def _signing(self) -> list[Identity]:
        """The verified domains whose keys were published once."""
        found: list[Identity] = []
        for account in await self.store.scan(Account, INSTALLATION, limit=MOST_LOOKED_AT):
            found += [
                one
                for one in await self.store.scan(Identity, account.name, limit=MOST_LOOKED_AT)
                if one.is_domain
                and one.dkim_enabled
                and one.dkim_keys
                and one.verification is Verification.SUCCESS
                and one.dkim_verification is Verification.SUCCESS
            ]
        return found[:MOST_LOOKED_AT]
