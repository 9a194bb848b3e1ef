"""What ailed the service itself while a message was on its way, and whether that may have held it up."""

from waybill.explain.case import Case
from waybill.explain.record import Evidence
from waybill.explain.words import clock
from waybill.model.cause import Cause
from waybill.model.clock import DAY, MINUTE, SECOND, Instant
from waybill.model.health import HealthPeriod

WAITED = 10 * SECOND
"""A delivery that took less than this did not wait."""

_NAMES = {
    "service": "Waybill itself",
    "store": "Waybill's store",
    "queue": "Waybill's queue",
    "resolver": "our resolver",
    "network": "our network",
    "egress": "our way out to other mail servers",
    "disk": "the disk that Waybill's store is on",
    "clock": "the clock of Waybill's machine",
    "memory": "the memory of Waybill's machine",
    "descriptors": "a worker's supply of connections",
}
"""The parts without which mail does not move. Others may be ill and no message the later for it."""

_FAILURES = {
    "resolver": frozenset({Cause.DNS_FAILURE}),
    "network": frozenset({Cause.CONNECTION_FAILED, Cause.WAYBILL_INCIDENT, Cause.DNS_FAILURE}),
    "egress": frozenset({Cause.CONNECTION_FAILED}),
}
"""How attempts fail where a part fails."""

SEEN_WITHIN = MINUTE
"""Attempts fail before it is certain that the fault is ours: those of so long before count as well."""

_MOST_NAMED = 5


def faults(case: Case) -> tuple[HealthPeriod, ...]:
    """The times in which a part that moves mail was not well while this one was on its way, the earliest first."""
    start, end = case.message.accepted_at, _end(case)
    found = [one for one in case.health if one.part in _NAMES and _meets(one, start, end)]
    return tuple(sorted(found, key=lambda one: (not one.failing, one.since))[:_MOST_NAMED])


def held_up(case: Case) -> tuple[HealthPeriod, ...]:
    """Those in which mail was not moving, and which explain a wait of this message."""
    return tuple(one for one in faults(case) if one.failing and _explains(one, case))


def _explains(period: HealthPeriod, case: Case) -> bool:
    """Whether an attempt failed in that time as the fault makes them fail; of parts that keep attempts from being made, whether it waited."""
    failures = _FAILURES.get(period.part)
    if failures is not None and case.attempted:
        return any(
            fact.attempt.outcome.cause in failures
            and _meets(period, fact.attempt.started_at, fact.attempt.ended_at + SEEN_WITHIN)
            for _, fact in case.attempted
        )
    start, end = case.message.accepted_at, _end(case)
    return period.overlap(start, end) >= SECOND and end - start >= WAITED


def fault_words(periods: tuple[HealthPeriod, ...]) -> str:
    """``our resolver failed from 2026-11-24 14:03:10 UTC to 14:09:12``."""
    return "; ".join(map(_words, periods))


def fault_evidence(case: Case) -> tuple[Evidence, ...]:
    """What showed that a part failed which held the message up."""
    return tuple(
        Evidence(
            at=one.since, kind="health", source="Waybill's own health record", text=f"{_words(one)}: {one.evidence}"
        )
        for one in held_up(case)
    )


def _words(period: HealthPeriod) -> str:
    what = _NAMES.get(period.part, period.part)
    lasts = period.until is None
    verb = (
        ("has failed" if lasts else "failed") if period.failing else ("has been degraded" if lasts else "was degraded")
    )
    if period.part == "service" and period.failing:
        verb = "has been down" if lasts else "was down"
    if period.until is None:
        return f"{what} {verb} since {clock(period.since)}"
    until = clock(period.until)
    if period.since // DAY == period.until // DAY:
        until = until.partition(" ")[2].removesuffix(" UTC")
    return f"{what} {verb} from {clock(period.since)} to {until}"


def _end(case: Case) -> Instant:
    """Until when it was on its way: not yet, until it was taken or given up, or until what ended it before any attempt."""
    if case.is_open:
        return case.now
    attempt, decisive = case.last_attempt, case.decisive
    ends = [case.message.accepted_at]
    if attempt is not None:
        ends.append(attempt.ended_at)
    elif decisive is not None:
        ends.append(decisive.at)
    return max(ends)


def _meets(period: HealthPeriod, start: Instant, end: Instant) -> bool:
    return period.since <= end and (period.until is None or period.until >= start)
