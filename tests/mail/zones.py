"""A DNS for tests that is a dictionary: names to records by type, and names that fail."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from waybill.mail.lookup import LookupFailed


@dataclass(frozen=True)
class Zones:
    """``records`` by lower-case name and type; looking up a (name, type) of ``failing`` fails. ``asked`` keeps what was looked up."""

    records: Mapping[str, Mapping[str, Sequence[str]]]
    failing: frozenset[tuple[str, str]] = frozenset()
    asked: list[tuple[str, str]] = field(default_factory=list)

    def _find(self, name: str, kind: str) -> Sequence[str]:
        name = name.lower().removesuffix(".")
        self.asked.append((name, kind))
        if (name, kind) in self.failing:
            raise LookupFailed(f"no answer for {name} {kind}")
        return self.records.get(name, {}).get(kind, ())

    async def txt(self, name: str) -> Sequence[str]:
        return self._find(name, "TXT")

    async def a(self, name: str) -> Sequence[str]:
        return self._find(name, "A")

    async def aaaa(self, name: str) -> Sequence[str]:
        return self._find(name, "AAAA")

    async def mx(self, name: str) -> Sequence[str]:
        return self._find(name, "MX")

    async def ptr(self, ip: str) -> Sequence[str]:
        return self._find(ip, "PTR")

    async def exists(self, name: str) -> bool:
        self._find(name, "any")
        name = name.lower()
        return any(each == name or each.endswith(f".{name}") for each in self.records)


def txt(records: Mapping[str, str | Sequence[str]]) -> Zones:
    """Names that have TXT records only."""
    return Zones({name: {"TXT": (text,) if isinstance(text, str) else text} for name, text in records.items()})
