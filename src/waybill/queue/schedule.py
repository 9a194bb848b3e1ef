"""When to try again: a pure function of attempts, age and chance."""

from waybill.model.clock import Instant

JITTER = 0.1
"""Retries spread over ±10 % so that a batch that failed together does not return together."""


def next_attempt(waits: tuple[int, ...], *, attempts: int, now: Instant, expires_at: Instant, chance: float) -> Instant:
    """The instant of the next attempt after ``attempts`` have failed; at the latest when the message expires.

    ``waits`` are milliseconds, the last repeats; ``chance`` is uniform in 0..1. A last wait that would end after the
    expiry ends with it: then the delivery expires.
    """
    wait = waits[min(max(attempts, 1), len(waits)) - 1]
    spread = 1 + JITTER * (2 * chance - 1)
    return min(now + round(wait * spread), expires_at)
