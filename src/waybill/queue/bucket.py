"""A token bucket: so many beginnings a second, with what was left unused for a moment at most."""

from math import ceil

from waybill.model.clock import SECOND, Instant

_WHOLE = 1 - 1e-9  # what sums of fractions of one come to


class Bucket:
    """``burst`` may begin at once after a pause. Time comes in as an argument."""

    __slots__ = ("_at", "_burst", "_left", "per_second")

    def __init__(self, per_second: float, *, burst: float = 1.0) -> None:
        self.per_second = per_second
        self._burst = max(1.0, burst)
        self._left = self._burst
        self._at: Instant = 0

    def ready_at(self, now: Instant) -> Instant:
        """When the next may begin: ``now`` or later."""
        self._fill(now)
        if self._left >= _WHOLE:
            return now
        return now + max(1, ceil((1 - self._left) / self.per_second * SECOND))

    def take(self, now: Instant) -> None:
        """One begins."""
        self._fill(now)
        self._left -= 1

    def _fill(self, now: Instant) -> None:
        if now > self._at:
            self._left = min(self._burst, self._left + (now - self._at) / SECOND * self.per_second)
        self._at = now  # also after the clock was set back: nothing waits for a time that was
