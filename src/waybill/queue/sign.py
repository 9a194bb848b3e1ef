"""Signing with DKIM, once per message, in threads: an RSA signature never holds the event loop."""

import asyncio
from collections.abc import Sequence
from functools import lru_cache

from waybill.mail.address import domain_of, enclosing_domains
from waybill.mail.dkim import Signer, complete, load_key, prepare, sign
from waybill.model.clock import SECOND, Clock, Instant
from waybill.model.message import Message
from waybill.model.resource import DkimKey, Identity, Verification
from waybill.queue.signing_threads import SigningThreads
from waybill.store.protocol import Claim, Store

KEYS_KEPT = 5 * SECOND
"""A changed or withdrawn key takes effect in every worker within this time."""

_MOST_SIGNERS = 10_000
_MOST_MESSAGES = 1_000
_SHORT = 32 * 1024
"""Octets of a message up to which all but the signature itself is made on the event loop."""


class Signatures:
    """Makes the DKIM-Signature header fields of messages."""

    def __init__(self, *, store: Store, clock: Clock, threads: SigningThreads) -> None:
        self._store = store
        self._clock = clock
        self._threads = threads
        self._signers: dict[tuple[str, str], tuple[Instant, tuple[Signer, ...]]] = {}
        self._made: dict[str, asyncio.Future[bytes]] = {}

    async def header(self, claim: Claim) -> bytes:
        """The header fields to prepend; empty where the sender's domain has no key in use.

        A message is signed once: kept fields are used again, and its recipients share what is being made.
        """
        message = claim.message
        if message.dkim_header:
            return message.dkim_header
        making = self._being_made(message)
        if making is None:
            signers = await self._signers_of(message)
            if not signers:
                return b""
            making = self._being_made(message) or self._sign(claim, signers)
        return await asyncio.shield(making)

    async def signers(self, message: Message) -> tuple[Signer, ...]:
        """Who signs for the message's sender now."""
        return await self._signers_of(message)

    def _being_made(self, message: Message) -> asyncio.Future[bytes] | None:
        making = self._made.get(message.id)
        failed = making is not None and making.done() and (making.cancelled() or making.exception() is not None)
        return None if failed else making

    def _sign(self, claim: Claim, signers: tuple[Signer, ...]) -> asyncio.Future[bytes]:
        if len(self._made) >= _MOST_MESSAGES:
            del self._made[next(iter(self._made))]
        at = claim.message.accepted_at
        if len(claim.content) <= _SHORT:  # the fewer threads want Python's lock, the less is lost on passing it on
            making = self._threads.run(complete, prepare(claim.content, signers, at))
        else:
            making = self._threads.run(sign, claim.content, signers, at)
        self._made[claim.message.id] = making
        return making

    async def _signers_of(self, message: Message) -> tuple[Signer, ...]:
        domain = domain_of(message.sender)
        key = (message.account, domain)
        now = self._clock()
        kept = self._signers.get(key)
        if kept is not None and kept[0] > now:
            return kept[1]
        signers = await self._load(message.account, domain)
        if len(self._signers) >= _MOST_SIGNERS:
            self._signers.clear()
        self._signers[key] = (now + KEYS_KEPT, signers)
        return signers

    async def _load(self, account: str, domain: str) -> tuple[Signer, ...]:
        """The signers of the nearest domain identity, the domain itself or a parent (it aligns: RFC 7489 §3.1.1).

        A key that is not published yet signs too: receivers take such a signature for none (RFC 6376 §6.1.2).
        """
        for name in enclosing_domains(domain):
            identity = await self._store.get(Identity, account, name)
            if identity is None:
                continue
            if not identity.dkim_enabled or identity.verification is not Verification.SUCCESS:
                return ()
            return await self._threads.run(_signers_for, name, identity.dkim_keys)
        return ()


_loaded = lru_cache(maxsize=_MOST_SIGNERS)(load_key)  # OpenSSL checks an RSA key for 40 ms


def _signers_for(domain: str, keys: Sequence[DkimKey]) -> tuple[Signer, ...]:
    return tuple(
        Signer(domain=domain, selector=key.selector, key=_loaded(key.private_pem, key.algorithm)) for key in keys
    )
