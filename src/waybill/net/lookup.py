"""The lookups of SPF, DKIM and DMARC, asked of the Resolver."""

import dns.reversename

from waybill.mail.lookup import LookupFailed
from waybill.net.resolver import Answer, AnswerStatus, Resolver


class ResolverLookups:
    """``mail.lookup.Lookups`` on a Resolver, whose cache it shares."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver

    async def txt(self, name: str) -> tuple[str, ...]:
        """The TXT records. Raises: LookupFailed."""
        return (await self._ask(name, "TXT")).records

    async def a(self, name: str) -> tuple[str, ...]:
        """The IPv4 addresses. Raises: LookupFailed."""
        return (await self._ask(name, "A")).records

    async def aaaa(self, name: str) -> tuple[str, ...]:
        """The IPv6 addresses. Raises: LookupFailed."""
        return (await self._ask(name, "AAAA")).records

    async def mx(self, name: str) -> tuple[str, ...]:
        """The MX hosts, by preference. Raises: LookupFailed."""
        answer = await self._resolver.mx(name)
        _refuse(answer.status, answer.text)
        return tuple(each.host for each in answer.hosts)

    async def ptr(self, ip: str) -> tuple[str, ...]:
        """The names of an address. Raises: LookupFailed, and ValueError where it is none."""
        name = dns.reversename.from_address(ip).to_text(omit_final_dot=True)
        return tuple(record.removesuffix(".") for record in (await self._ask(name, "PTR")).records)

    async def exists(self, name: str) -> bool:
        """Whether the name exists, with or without a record of its own. Raises: LookupFailed."""
        answer = await self._ask(name, "A")
        return answer.status not in {AnswerStatus.NXDOMAIN, AnswerStatus.BAD_NAME}

    async def _ask(self, name: str, kind: str) -> Answer:
        answer = await self._resolver.lookup(name, kind)
        _refuse(answer.status, answer.text)
        return answer


def _refuse(status: AnswerStatus, text: str) -> None:
    if not status.definite:
        raise LookupFailed(text)
