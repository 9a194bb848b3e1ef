"""Whether an identity's owner has published what proves it, and what mail needs to come home: one look at the DNS."""

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, replace
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


class MxHost(Protocol):
    """One MX record."""

    @property
    def host(self) -> str:
        """The host's name."""
        ...


class MxAnswer(Protocol):
    """What an MX lookup says."""

    @property
    def hosts(self) -> Sequence[MxHost]:
        """The hosts."""
        ...

    @property
    def text(self) -> str:
        """The answer in words, for evidence."""
        ...


class Dns(Protocol):
    """The questions that verification asks."""

    def txt(self, name: str) -> Awaitable[TxtAnswer]:
        """TXT records."""
        ...

    def mx(self, domain: str) -> Awaitable[MxAnswer]:
        """MX records."""
        ...


def token_name(domain: str) -> str:
    """Where the verification token of a domain is published (SES: VerifyDomainIdentity)."""
    return f"_amazonses.{domain}"


def dkim_name(key: DkimKey, domain: str) -> str:
    """Where a DKIM key is published (RFC 6376 §3.6.2.1)."""
    return f"{key.selector}._domainkey.{domain}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """What one look at the DNS says of an identity. ``problem`` is what stands in the way of its verification."""

    at: Instant
    proven: bool
    dkim_published: bool
    mail_from_published: bool
    problem: str | None


async def look(identity: Identity, dns: Dns, at: Instant, *, bounce_domain: str) -> Found:
    """What the DNS shows now. A published DKIM key proves a domain too, as with SES; an address is never proven so.

    The MAIL FROM domain is right where its MX leads to where the bounce domain's leads, so that bounces come home.
    """
    problem = None
    proven = published = False
    if identity.is_domain:
        answer = await dns.txt(token_name(identity.name))
        proven = identity.token in answer.records
        problem = None if proven else answer.text
        published = bool(identity.dkim_keys)
        for key in identity.dkim_keys:
            answer = await dns.txt(dkim_name(key, identity.name))
            if not any(_publishes(record, key) for record in answer.records):
                published = False
                problem = problem or answer.text
    return Found(
        at=at,
        proven=proven or published,
        dkim_published=published,
        mail_from_published=bool(identity.mail_from_domain)
        and await _leads_home(identity.mail_from_domain or "", dns, bounce_domain),
        problem=None if proven or published else problem,
    )


def merged(identity: Identity, found: Found) -> Identity:
    """The identity after the look.

    What was verified stays so when a record is missing later: a failing check never switches sending or signing off by
    itself, it is only reported.
    """
    verified = identity.verification is Verification.SUCCESS or found.proven
    return replace(
        identity,
        verification=Verification.SUCCESS if verified else identity.verification,
        verified_at=identity.verified_at or (found.at if verified else None),
        dkim_verification=Verification.SUCCESS if found.dkim_published else identity.dkim_verification,
        mail_from_verification=Verification.SUCCESS if found.mail_from_published else identity.mail_from_verification,
        checked_at=found.at,
        check_error=None if verified else found.problem,
    )


def is_settled(identity: Identity) -> bool:
    """Whether the DNS has nothing more to show: the domain, its DKIM keys and the MAIL FROM domain are verified."""
    waits_for_dns = identity.is_domain and (
        identity.verification is not Verification.SUCCESS
        or (bool(identity.dkim_keys) and identity.dkim_verification is not Verification.SUCCESS)
    )
    mail_from_waits = identity.mail_from_domain and identity.mail_from_verification is not Verification.SUCCESS
    return not waits_for_dns and not mail_from_waits


async def _leads_home(domain: str, dns: Dns, bounce_domain: str) -> bool:
    hosts = {each.host for each in (await dns.mx(domain)).hosts} - {""}
    if bounce_domain.lower() in hosts:
        return True
    return bool(hosts and hosts & {each.host for each in (await dns.mx(bounce_domain)).hosts})


def _publishes(record: str, key: DkimKey) -> bool:
    tags = dict(_tag(part) for part in record.split(";") if part.strip())
    return "".join(tags.get("p", "").split()) == key.public


def _tag(text: str) -> tuple[str, str]:
    """A tag of a DKIM record; white space around its name and value has no meaning (RFC 6376 §3.2)."""
    name, _, value = text.partition("=")
    return name.strip(), value.strip()
