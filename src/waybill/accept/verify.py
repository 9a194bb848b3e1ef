"""Identities become verified: domains by their DNS, addresses by a link that is mailed to them."""

import asyncio
import hmac
import logging
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from waybill.mail.compose import Composition, compose
from waybill.model.clock import HOUR, MINUTE, SECOND, Clock, Instant
from waybill.model.event import Accepted, EventKind, NewEvent
from waybill.model.message import Message, Source, Status, new_message_id
from waybill.model.resource import INSTALLATION, Account, Identity, Verification
from waybill.standing.verification import Dns, is_settled, look, merged
from waybill.store.protocol import Acceptance, NewDelivery, NotFound, Store, StoreUnavailable

log = logging.getLogger(__name__)

LOOK_EVERY = MINUTE
"""How often pending domains are looked up at most."""
MOST_LOOKED_AT = 10_000
LINK_LIFETIME = 24 * HOUR
MAIL_AGAIN_AFTER = 10 * MINUTE

_TEXT = """\
Somebody who sends mail with the Waybill service at {url} wants to send from this address, {address}.

If that is you, open this link within 24 hours:

{link}

If it is not, do nothing: without the link nobody can send from your address.
"""


class _NotNow(Exception):  # noqa: N818 - no fault: the identity stays as it is
    """Leaves an identity unchanged."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Verifier:
    """Looks at identities and stores what it found."""

    store: Store
    dns: Dns
    clock: Clock
    public_url: str
    bounce_domain: str
    every_sender: bool

    async def verify(self, account: str, name: str) -> None:
        """One look at one identity. An address that waits for its link is mailed it (again after ten minutes)."""
        identity = await self.store.get(Identity, account, name)
        if identity is None:
            return
        try:
            if self._waits_for_dns(identity):
                found = await look(identity, self.dns, self.clock(), bounce_domain=self.bounce_domain)
                await self.store.update(
                    Identity,
                    account,
                    name,
                    lambda stored: merged(stored, found) if _asks_the_same(stored, identity) else stored,
                )
            if self._waits_for_link(identity) and await self._begin_link(account, name):
                await self._mail_link(identity)
        except NotFound:
            return  # deleted meanwhile

    def _waits_for_dns(self, identity: Identity) -> bool:
        # Where every sender is accepted only the way home matters, and nobody waits for a resolver that is not there.
        return not is_settled(identity) and (not self.every_sender or identity.mail_from_domain is not None)

    def _waits_for_link(self, identity: Identity) -> bool:
        return not (identity.is_domain or self.every_sender or identity.verification is Verification.SUCCESS)

    async def _begin_link(self, account: str, name: str) -> bool:
        """Whether the link is to be mailed now: of several that ask at once, one does it."""
        at = self.clock()

        def begin(stored: Identity) -> Identity:
            if stored.link_sent_at is not None and stored.link_sent_at + MAIL_AGAIN_AFTER > at:
                raise _NotNow
            return replace(stored, link_sent_at=at, checked_at=at)

        try:
            await self.store.update(Identity, account, name, begin)
        except _NotNow:
            return False
        return True

    async def open_link(self, account: str, name: str, token: str) -> bool:
        """Whether the link of an address was right; then the address is verified."""
        at = self.clock()

        def accept_token(stored: Identity) -> Identity:
            sent_at = stored.link_sent_at
            right = hmac.compare_digest(stored.token.encode(), token.encode("utf-8", "replace"))
            if stored.is_domain or not right or sent_at is None or sent_at + LINK_LIFETIME < at:
                raise _NotNow
            return replace(
                stored,
                verification=Verification.SUCCESS,
                verified_at=stored.verified_at or at,
                check_error=None,
            )

        try:
            await self.store.update(Identity, account, name, accept_token)
        except (NotFound, _NotNow):
            return False
        return True

    async def run(self, stop: asyncio.Event) -> None:
        """Looks at everything that waits for the DNS, the younger the more often; a look under way does not delay the end."""
        looking, stopping = asyncio.create_task(self._look_for_ever()), asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({looking, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if looking.done():
                looking.result()  # raises: only an error nobody foresaw ends it
        finally:
            looking.cancel()
            stopping.cancel()
            await asyncio.gather(looking, stopping, return_exceptions=True)

    async def _look_for_ever(self) -> None:
        while True:
            try:
                await self.look_at_all()
            except StoreUnavailable as error:
                log.warning("store_unavailable while=verifying error=%s", error)
            await asyncio.sleep(LOOK_EVERY / SECOND)

    async def look_at_all(self) -> None:
        """One look at each identity that waits for the DNS and is due. Raises: StoreUnavailable."""
        for account in await self.store.scan(Account, INSTALLATION, limit=MOST_LOOKED_AT):
            for identity in await self.store.scan(Identity, account.name, limit=MOST_LOOKED_AT):
                if self._waits_for_dns(identity) and _is_due(identity, self.clock()):
                    await self.verify(account.name, identity.name)

    async def _mail_link(self, identity: Identity) -> None:
        at = self.clock()
        message_id = new_message_id(at)
        sender = f"no-reply@{self.bounce_domain}"
        query = urlencode({"account": identity.account, "identity": identity.name, "token": identity.token})
        subject = "Confirm your address for sending with Waybill"
        content = compose(
            Composition(
                from_header=f"Waybill <{sender}>",
                to=(identity.name,),
                subject=subject,
                text=_TEXT.format(
                    url=self.public_url, address=identity.name, link=f"{self.public_url}/api/verify?{query}"
                ),
                message_id=f"{message_id}@{self.bounce_domain}",
                date=at,
                boundary_seed=message_id,
            )
        )
        await self.store.accept(
            Acceptance(
                message=Message(
                    id=message_id,
                    account=identity.account,
                    request_id=message_id,
                    source=Source.API,
                    operation="VerifyEmailIdentity",
                    accepted_at=at,
                    sender=sender,
                    source_header=f"Waybill <{sender}>",
                    destination=(identity.name,),
                    subject=subject,
                    size=len(content),
                ),
                content=content,
                deliveries=(
                    NewDelivery(
                        recipient=identity.name,
                        status=Status.QUEUED,
                        cause=None,
                        expires_at=at + LINK_LIFETIME,
                        next_at=at,
                    ),
                ),
                events=(NewEvent(kind=EventKind.ACCEPTED, at=at, fact=Accepted()),),
                counts_against_quota=False,
            )
        )


def _asks_the_same(stored: Identity, looked_at: Identity) -> bool:
    """Whether what was looked up is still what is to be proven: keys and domains can change meanwhile."""
    return (stored.token, stored.dkim_keys, stored.mail_from_domain) == (
        looked_at.token,
        looked_at.dkim_keys,
        looked_at.mail_from_domain,
    )


def _is_due(identity: Identity, at: Instant) -> bool:
    """Every minute in the first hour, then each sixtieth of its age; a look of another worker counts."""
    if identity.checked_at is None:
        return True
    age = at - identity.created_at
    return at - identity.checked_at >= max(LOOK_EVERY, age // 60)
