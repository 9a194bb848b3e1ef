"""The parts of the Store beside messages' lives: how the service's own parts were, and when somebody walked to a domain."""

from collections.abc import Sequence
from typing import Protocol

from waybill.model.clock import DAY, Instant
from waybill.model.health import HealthPeriod

KEPT = 90 * DAY
"""How long a period is kept after it has ended."""


class HealthHistory(Protocol):
    """Periods in which a part was not well; one row for each part and beginning."""

    async def keep(self, periods: Sequence[HealthPeriod], now: Instant) -> None:
        """Writes periods, each in the place of what was known of it; those that ended long before ``now`` are forgotten."""

    async def between(self, since: Instant, until: Instant, *, limit: int = 1_000) -> list[HealthPeriod]:
        """The periods that have a moment in common with that time, the newest first."""

    async def lasting(self) -> list[HealthPeriod]:
        """The periods that had not ended when they were written."""


class Walks(Protocol):
    """When live probes went to each domain, whoever asked for them."""

    async def begin(self, domain: str, at: Instant, *, within: int) -> Instant | None:
        """Notes that a walk begins, and gives None; where one began less than ``within`` ms before, its time, and notes nothing."""
