"""What the checks of SPF, DKIM and DMARC ask of the DNS; whoever calls them brings it along."""

from collections.abc import Sequence
from typing import Protocol


class LookupFailed(Exception):  # noqa: N818 - it is what happened to the lookup
    """No answer could be had just now: a server failed or did not answer. The text says who said what."""


class Lookups(Protocol):
    """Questions to the DNS. "Nothing there" is an empty answer, whether the name exists or not; names have no final dot.

    Every method raises LookupFailed where no answer can be had just now. A name that cannot be asked for does not exist.
    """

    async def txt(self, name: str) -> Sequence[str]:
        """The TXT records, each with its strings joined."""
        ...

    async def a(self, name: str) -> Sequence[str]:
        """The IPv4 addresses."""
        ...

    async def aaaa(self, name: str) -> Sequence[str]:
        """The IPv6 addresses."""
        ...

    async def mx(self, name: str) -> Sequence[str]:
        """The MX hosts by preference; the host of a null MX (RFC 7505) is empty."""
        ...

    async def ptr(self, ip: str) -> Sequence[str]:
        """The names of an address."""
        ...

    async def exists(self, name: str) -> bool:
        """Whether the name exists: it, or a name under it, has a record of any type (RFC 8020)."""
        ...
