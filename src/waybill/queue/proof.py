"""What is noted of a message that has gone out: under which name its SPF, DKIM and DMARC are kept, and whether its signatures held."""

import logging
from dataclasses import replace
from typing import Protocol

from waybill.mail.dkim import signatures
from waybill.model.address import domain_of
from waybill.model.authentication import Sending, SignatureBroken
from waybill.model.cause import Cause
from waybill.model.event import EventKind, NewEvent
from waybill.model.ip import is_public
from waybill.model.outcome import Attempt
from waybill.net.smtp_content import end_last_line
from waybill.queue.own_signature import Samples, broken_signatures
from waybill.queue.sign import Signatures
from waybill.store.protocol import Claim

log = logging.getLogger(__name__)


class Authenticating(Protocol):
    """Looks at SPF, DKIM and DMARC beside the sending: waybill.standing's AuthenticationWatch."""

    def see(self, sending: Sending, *, refused: bool) -> str:
        """The name that the evidence is kept under. Returns at once; ``refused``: the receiver says that it failed."""


class NoAuthenticating:
    """Nobody looks."""

    def see(self, sending: Sending, *, refused: bool) -> str | None:  # noqa: ARG002 - as Authenticating
        """Nothing is kept."""
        return None


class Proofs:
    """Notes it for one worker. ``via`` is the relay that all mail leaves by, or empty."""

    def __init__(
        self, signing: Signatures, watch: Authenticating | NoAuthenticating, *, bounce_domain: str, via: str
    ) -> None:
        self._signing = signing
        self._watch = watch
        self._bounce_domain = bounce_domain
        self._via = via
        self._samples = Samples()

    async def add(self, claim: Claim, attempt: Attempt, dkim_header: bytes) -> tuple[Attempt, tuple[NewEvent, ...]]:
        """The attempt with what is noted of it, and an event for each of our own signatures that was broken."""
        intact, broken = await self._verify(claim, attempt, dkim_header)
        name = self._name(claim, attempt, dkim_header)
        if name is None and intact is None:
            return attempt, ()
        return replace(attempt, authentication=name, signature_intact=intact), broken

    def _name(self, claim: Claim, attempt: Attempt, dkim_header: bytes) -> str | None:
        """The name of the Sending; None where nobody was spoken to."""
        source, peer, message = attempt.source_ip, attempt.ip, claim.message
        if source is None or peer is None:
            return None
        sending = Sending(
            account=message.account,
            from_domain=domain_of(message.sender),
            mail_from_domain=message.mail_from or self._bounce_domain,
            helo=attempt.helo or "",
            source_ip=source,
            signatures=signatures(dkim_header),
            via=self._via,
            translated=not is_public(source) and is_public(peer),
        )
        return self._watch.see(sending, refused=attempt.outcome.cause is Cause.AUTH_FAILED)

    async def _verify(
        self, claim: Claim, attempt: Attempt, dkim_header: bytes
    ) -> tuple[bool | None, tuple[NewEvent, ...]]:
        """Whether the message's signatures match it as it went out; None where that is not looked at.

        It is for some messages, and for all whose authentication a receiver says has failed.
        """
        if not dkim_header or attempt.source_ip is None:
            return None, ()
        refused = attempt.outcome.cause is Cause.AUTH_FAILED
        size = len(claim.content)
        if not self._samples.takes(domain_of(claim.message.sender), size) and not refused:
            return None, ()
        signers = await self._signing.signers(claim.message)
        broken = broken_signatures(end_last_line(dkim_header + claim.content), signers)
        if broken is None:
            return None, ()
        events = []
        for found in broken:
            log.error("signature_broken message_id=%s domain=%s", claim.message.id, found.domain)
            fact = SignatureBroken(
                number=attempt.number, domain=found.domain, selector=found.selector, reason=found.reason
            )
            at, recipient = attempt.ended_at, claim.delivery.recipient
            events.append(NewEvent(kind=EventKind.SIGNATURE_BROKEN, at=at, recipient=recipient, fact=fact))
        return not broken, tuple(events)
