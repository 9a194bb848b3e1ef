"""Whether an identity's owner has published what proves it: one look at the DNS."""

from collections.abc import Awaitable
from dataclasses import replace
from typing import Protocol

from waybill.model.clock import Instant
from waybill.model.resource import DkimKey, Identity, Verification


class TxtAnswer(Protocol):
    """What a TXT lookup says."""

    @property
    def records(self) -> tuple[str, ...]:
        """The records' texts."""
        ...

    @property
    def text(self) -> str:
        """The answer in words, for evidence."""
        ...


class Dns(Protocol):
    """The question that verification asks."""

    def txt(self, name: str) -> Awaitable[TxtAnswer]:
        """TXT records."""
        ...


def token_name(domain: str) -> str:
    """Where the verification token of a domain is published (SES: VerifyDomainIdentity)."""
    return f"_amazonses.{domain}"


def dkim_name(key: DkimKey, domain: str) -> str:
    """Where a DKIM key is published (RFC 6376 §3.6.2.1)."""
    return f"{key.selector}._domainkey.{domain}"


async def look(identity: Identity, dns: Dns, at: Instant) -> Identity:
    """The domain identity as the DNS shows it now. A published DKIM key proves the domain too, as with SES.

    A domain that was verified stays so when a record is missing later: a failing check never switches signing off
    by itself, it is only reported.
    """
    found = await dns.txt(token_name(identity.name))
    proven = identity.token in found.records
    problem = None if proven else found.text
    published = bool(identity.dkim_keys)
    for key in identity.dkim_keys:
        answer = await dns.txt(dkim_name(key, identity.name))
        if not any(_publishes(record, key) for record in answer.records):
            published = False
            problem = problem or answer.text
    verified = identity.verification is Verification.SUCCESS or proven or published
    return replace(
        identity,
        verification=Verification.SUCCESS if verified else Verification.PENDING,
        verified_at=identity.verified_at or (at if verified else None),
        dkim_verification=Verification.SUCCESS if published else Verification.PENDING,
        checked_at=at,
        check_error=None if verified else problem,
    )


def _publishes(record: str, key: DkimKey) -> bool:
    tags = dict(part.strip().partition("=")[::2] for part in record.split(";") if part.strip())
    return "".join(tags.get("p", "").split()) == key.public
