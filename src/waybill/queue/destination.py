"""What the worker has learnt of each destination: how many attempts it gets at once, and whether it is worth one now."""

from dataclasses import dataclass, replace

from waybill.model.cause import Responder
from waybill.model.clock import SECOND, Instant, rfc3339
from waybill.model.outcome import Attempt, Line, Outcome, Result, Speaker, Stage

MOST_AT_ONCE = 100
"""Attempts at once to one domain that answers: one that answers slowly leaves the other half of the worker to others."""

FIRST_AT_ONCE = 20
"""Attempts at once to a domain of which nothing is known yet."""

FAILURES = 5
"""After so many attempts in a row that reached nobody, the domain rests."""

LONGEST_REST = 30 * SECOND

_UNREACHED = frozenset({Stage.ROUTE, Stage.CONNECT, Stage.GREETING})
_MOST_KNOWN = 10_000


@dataclass(kw_only=True, slots=True)
class _Standing:
    at_once: int = FIRST_AT_ONCE
    failures: int = 0
    last: Attempt | None = None
    rests_until: Instant = 0


class Destinations:
    """Each domain's standing. A domain that rests is tried by one delivery at a time once its ``rest`` is over."""

    def __init__(self, rest: int) -> None:
        self._rest = min(rest, LONGEST_REST)
        self._known: dict[str, _Standing] = {}

    def at_once(self, domain: str, now: Instant) -> int:
        """How many deliveries to the domain may be under way; while it rests, none of them is an attempt."""
        known = self._known.get(domain)
        if known is None:
            return FIRST_AT_ONCE
        return MOST_AT_ONCE if now < known.rests_until else known.at_once

    def learn(self, domain: str, attempt: Attempt) -> None:
        """Takes in how an attempt ended: each answer earns the domain one more at a time, each silence halves them."""
        standing = self._known.pop(domain, None) or _Standing()
        if len(self._known) >= _MOST_KNOWN:
            del self._known[next(iter(self._known))]
        self._known[domain] = standing  # the newest last: who was heard of longest ago is forgotten first
        if not _reached_nobody(attempt.outcome):
            standing.at_once = min(max(standing.at_once, FIRST_AT_ONCE // 2) + 1, MOST_AT_ONCE)
            standing.failures, standing.last, standing.rests_until = 0, None, 0
            return
        standing.at_once = max(1, standing.at_once // 2)
        standing.failures += 1
        if standing.failures >= FAILURES:
            standing.last, standing.rests_until = attempt, attempt.ended_at + self._rest

    def resting(self, domain: str, now: Instant) -> Attempt | None:
        """The attempt that sent the domain to rest, while it rests."""
        known = self._known.get(domain)
        return known.last if known and now < known.rests_until else None


def put_off(number: int, last: Attempt, now: Instant) -> Attempt:
    """What is written instead of an attempt while the domain rests: its cause, and that nothing was tried anew."""
    note = f"Not tried: the attempt for another message at {rfc3339(last.ended_at)} reached nobody there"
    return replace(
        last,
        number=number,
        started_at=now,
        ended_at=now,
        outcome=replace(
            last.outcome, diagnostic=f"{last.outcome.diagnostic} (at {rfc3339(last.ended_at)}; not tried anew)"
        ),
        transcript=(Line(at=now, who=Speaker.NOTE, text=note),),
    )


def _reached_nobody(outcome: Outcome) -> bool:
    """Whether it says something about the whole domain: a fault inside Waybill does not, nor does any server's reply."""
    return (
        outcome.result is Result.DEFERRED
        and outcome.reply is None
        and outcome.stage in _UNREACHED
        and outcome.responder is not Responder.WAYBILL
    )
