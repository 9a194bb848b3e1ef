"""Answers what the evaluations of SPF and DMARC ask of DNS, and keeps every answer as evidence."""

import ipaddress
from collections.abc import Sequence

from waybill.mail.lookup import LookupFailed
from waybill.net.resolver import Answer, AnswerStatus
from waybill.standing.checks.check import Evidence, Tools


class Asking:
    """The Lookups of one evaluation; ``evidence`` is all that was answered to it, each once."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._heard: dict[tuple[str, str], Answer] = {}

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """The answers in the order of the questions."""
        return tuple(self._tools.said(answer) for answer in self._heard.values())

    async def txt(self, name: str) -> Sequence[str]:
        """The TXT records. Raises: LookupFailed."""
        return (await self._ask(name, "TXT")).records

    async def a(self, name: str) -> Sequence[str]:
        """The IPv4 addresses. Raises: LookupFailed."""
        return (await self._ask(name, "A")).records

    async def aaaa(self, name: str) -> Sequence[str]:
        """The IPv6 addresses. Raises: LookupFailed."""
        return (await self._ask(name, "AAAA")).records

    async def mx(self, name: str) -> Sequence[str]:
        """The MX hosts by preference. Raises: LookupFailed."""
        await self._ask(name, "MX")
        return [host.host for host in (await self._tools.resolver.mx(name)).hosts]

    async def ptr(self, ip: str) -> Sequence[str]:
        """The names of an address. Raises: LookupFailed."""
        answer = await self._ask(ipaddress.ip_address(ip).reverse_pointer, "PTR")
        return [name.rstrip(".") for name in answer.records]

    async def exists(self, name: str) -> bool:
        """Whether the name exists. Raises: LookupFailed."""
        return (await self._ask(name, "A")).status is not AnswerStatus.NXDOMAIN

    async def _ask(self, name: str, kind: str) -> Answer:
        answer = await self._tools.resolver.lookup(name, kind)
        self._heard.setdefault((name.lower(), kind), answer)
        if not answer.status.definite:
            raise LookupFailed(answer.text)
        return answer
