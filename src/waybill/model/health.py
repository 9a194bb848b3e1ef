"""The health of the service's parts over time: periods in which one of them was not well."""

from waybill.model.clock import Instant
from waybill.model.record import record


@record(frozen=True, kw_only=True, slots=True)
class HealthPeriod:
    """A part that was ``degraded`` or ``failing`` since then, until ``until`` (None: it still is), and what showed it."""

    part: str
    state: str
    since: Instant
    evidence: str
    until: Instant | None = None

    @property
    def failing(self) -> bool:
        """Whether mail was not moving."""
        return self.state == "failing"

    def overlap(self, start: Instant, end: Instant) -> int:
        """Milliseconds that it has in common with the time from ``start`` to ``end``."""
        return max(0, min(end, end if self.until is None else self.until) - max(start, self.since))
