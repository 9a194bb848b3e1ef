"""Identities become verified: domains by their DNS, addresses by a link that is mailed to them."""

import asyncio
import logging
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from waybill.mail.compose import Composition, compose
from waybill.model.clock import HOUR, MINUTE, SECOND, Clock
from waybill.model.event import Accepted, EventKind, NewEvent
from waybill.model.message import Message, Source, Status, new_message_id
from waybill.model.resource import INSTALLATION, Account, Identity, Verification
from waybill.standing.verification import Dns, look
from waybill.store.protocol import Acceptance, NewDelivery, NotFound, Store, StoreUnavailable

log = logging.getLogger(__name__)

LOOK_EVERY = MINUTE
"""How often pending domains are looked up."""
LINK_LIFETIME = 24 * HOUR
MAIL_AGAIN_AFTER = 10 * MINUTE

_TEXT = """\
Somebody who sends mail with the Waybill service at {url} wants to send from this address, {address}.

If that is you, open this link within 24 hours:

{link}

If it is not, do nothing: without the link nobody can send from your address.
"""


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
        if identity is None or identity.verification is Verification.SUCCESS or self.every_sender:
            return
        at = self.clock()
        if identity.is_domain:
            found = await look(identity, self.dns, at)
            await self.store.update(Identity, account, name, lambda stored: _merged(stored, found))
        elif identity.checked_at is None or identity.checked_at + MAIL_AGAIN_AFTER < at:
            await self.store.update(Identity, account, name, lambda stored: replace(stored, checked_at=at))
            await self._mail_link(identity)

    async def open_link(self, account: str, name: str, token: str) -> bool:
        """Whether the link of an address was right; then the address is verified."""
        at = self.clock()

        def accept_token(stored: Identity) -> Identity:
            if stored.is_domain or stored.token != token or stored.created_at + LINK_LIFETIME < at:
                raise ValueError("wrong or expired token")
            return replace(stored, verification=Verification.SUCCESS, verified_at=at, check_error=None)

        try:
            await self.store.update(Identity, account, name, accept_token)
        except (NotFound, ValueError):
            return False
        return True

    async def run(self, stop: asyncio.Event) -> None:
        """Looks at every pending domain once a minute."""
        while not stop.is_set():
            try:
                for account in await self.store.scan(Account, INSTALLATION, limit=10_000):
                    for identity in await self.store.scan(Identity, account.name, limit=10_000):
                        if identity.is_domain and identity.verification is not Verification.SUCCESS:
                            await self.verify(account.name, identity.name)
            except StoreUnavailable as error:
                log.warning("identities could not be looked at: %s", error)
            try:
                await asyncio.wait_for(stop.wait(), LOOK_EVERY / SECOND)
            except TimeoutError:
                continue

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


def _merged(stored: Identity, found: Identity) -> Identity:
    """What the look found, on the identity as it is stored now."""
    return replace(
        stored,
        verification=found.verification,
        verified_at=found.verified_at,
        dkim_verification=found.dkim_verification,
        checked_at=found.checked_at,
        check_error=found.check_error,
    )
