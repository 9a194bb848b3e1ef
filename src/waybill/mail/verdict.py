"""A receiver's verdict on a copy, and the header fields that verdicts are read from."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from waybill.mail.header import Field

MAX_VALUE = 16_000
"""Octets of a field that are looked at."""

MAX_ALIKE = 50
"""Fields of one name that are looked at, the uppermost."""


class Filed(StrEnum):
    """What a receiver's header says about where the copy went."""

    SPAM = "spam"
    QUARANTINE = "quarantine"
    INBOX = "inbox"
    NOT_TOLD = "not_told"


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What one filter said. ``header`` and ``words`` are the field it stands in, ``text`` what that means.

    ``is_folder``: the field names the folder itself; else ``filed`` is what such a judgement leads to by default.
    ``grounds`` are the reasons that it gives, the weightiest first.
    """

    system: str
    header: str
    words: str
    text: str
    filed: Filed = Filed.NOT_TOLD
    is_folder: bool = False
    score: float | None = None
    threshold: float | None = None
    grounds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Said:
    """The values of a header by lower-case name, the uppermost first."""

    values: dict[str, tuple[str, ...]]

    @classmethod
    def of(cls, fields: Sequence[Field]) -> "Said":
        """The header's fields."""
        values: dict[str, list[str]] = {}
        for each in fields:
            found = values.setdefault(each.name.lower(), [])
            if len(found) < MAX_ALIKE:
                found.append(" ".join(each.value[:MAX_VALUE].split()))
        return cls({name: tuple(found) for name, found in values.items()})

    def first(self, name: str) -> str | None:
        """The uppermost field of a (lower-case) name, None where it is missing or empty."""
        values = self.values.get(name)
        return values[0] if values and values[0] else None

    def all(self, name: str) -> tuple[str, ...]:
        """All fields of a name."""
        return self.values.get(name, ())


def number(text: str | None) -> float | None:
    """A score as filters write it; None where it is none."""
    if text is None:
        return None
    try:
        value = float(text.strip().rstrip("%"))
    except ValueError:
        return None
    return value if abs(value) < 1_000_000 else None


def plain(value: float) -> str:
    """``7.3``, ``5``, ``-1.9``."""
    return f"{value:.2f}".rstrip("0").rstrip(".")
