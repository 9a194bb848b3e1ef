"""An incident: what fails for many messages at once, whose fault it is, on what figures, and what Waybill does meanwhile."""

from dataclasses import dataclass, field
from enum import StrEnum

from waybill.model.clock import Instant


class IncidentKind(StrEnum):
    """What is wrong. The words are for programs; ``title`` is for people."""

    OUTAGE = "outage"  # a provider does not take mail: no connection, or 4xx about its own system
    DEGRADED = "degraded"  # a provider takes mail much more slowly than it does else
    FALSE_RECIPIENT_REJECTS = "false_recipient_rejects"  # a provider disowns mailboxes that took mail lately
    IP_BLOCK = "ip_block"  # one of our addresses is refused, the others are not
    DOMAIN_BLOCK = "domain_block"  # one sending domain is refused, the others are not
    OWN_NETWORK = "own_network"  # nobody can be reached: our network, or our port 25
    OWN_RESOLVER = "own_resolver"  # no name can be looked up: our resolver


OURS = frozenset({IncidentKind.OWN_NETWORK, IncidentKind.OWN_RESOLVER})
"""Kinds that are no fault of any receiver."""

OF_PROVIDER = frozenset({IncidentKind.OUTAGE, IncidentKind.DEGRADED, IncidentKind.FALSE_RECIPIENT_REJECTS})
"""Kinds that are the receiving side's fault."""


class IncidentState(StrEnum):
    """How sure it is, and whether it lasts."""

    SUSPECTED = "suspected"  # too few messages to be sure: it is told, and nothing is done about it
    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Figures:
    """What an incident rests on, as it stood when they were taken.

    ``failing`` of ``messages`` distinct messages met it on their first attempt, to ``recipient_domains``, from ``senders``
    sending domains of ``accounts`` accounts, over ``source_ips`` of our addresses. ``usual`` is the share that fails else,
    ``share`` the share that failed now; for ``degraded`` they are milliseconds of the slowest twentieth. ``chance`` is the
    probability of so many by chance, None where the test makes none. ``known_good`` are recipients that took mail before.
    ``elsewhere`` says in words what is not affected; ``example`` is one of the replies, verbatim.
    """

    messages: int = 0
    failing: int = 0
    recipient_domains: int = 0
    senders: int = 0
    accounts: int = 0
    source_ips: int = 0
    known_good: int = 0
    usual: float = 0.0
    share: float = 0.0
    chance: float | None = None
    test: str = ""
    elsewhere: str = ""
    example: str = ""
    sites: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Incident:
    """An incident. ``number`` is given by the store; people call it ``INC-7``.

    ``site`` is the provider or host that it is about (empty: all of them), ``source_ip`` and ``sending_domain`` what of ours
    is refused. ``since`` is when the first of the figures were counted. ``author`` is the rule that opened it; ``closed_by`` is
    that rule or ``operator``. ``discarded``: an operator found it to be none. ``peak`` are the figures at its worst.
    """

    number: int = 0
    kind: IncidentKind
    state: IncidentState
    site: str = ""
    title: str = ""
    source_ip: str = ""
    sending_domain: str = ""
    since: Instant
    opened_at: Instant
    updated_at: Instant
    closed_at: Instant | None = None
    author: str
    closed_by: str | None = None
    discarded: bool = False
    figures: Figures = field(default_factory=Figures)
    bounced_before: dict[str, int] = field(default_factory=dict)
    quarantined: int = 0
    next_probe_at: Instant | None = None

    @property
    def id(self) -> str:
        """What people call it."""
        return f"INC-{self.number}"

    @property
    def is_open(self) -> bool:
        """Whether it lasts, and is sure."""
        return self.state is IncidentState.OPEN

    @property
    def about(self) -> str:
        """What it is about, for people."""
        named = self.source_ip or self.sending_domain
        where = self.title or self.site
        if named and where:
            return f"{named} at {where}"
        return named or where or "all destinations"

    def overlaps(self, begin: Instant, end: Instant) -> bool:
        """Whether it lasted at any time from ``begin`` to ``end``."""
        return self.since <= end and (self.closed_at is None or self.closed_at >= begin)


def incident_number(name: str) -> int | None:
    """The number in ``INC-7``, ``inc-7`` or ``7``; None where it is none."""
    digits = name.strip().upper().removeprefix("INC-")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 18 else None
