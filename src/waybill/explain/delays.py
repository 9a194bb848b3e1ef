"""Where the time went: before us, inside Waybill, at the receiver. The parts add up."""

from dataclasses import dataclass

from waybill.explain.case import UNREACHABLE, Case
from waybill.explain.record import Delay
from waybill.model.clock import Instant
from waybill.model.event import Attempted, Event, EventKind, Held, Released

_NO_END: Instant = 1 << 62


def split_delay(case: Case) -> Delay:
    """The time from the client's signature to the receiver's last answer, to expiry, or to now while it is open.

    What counts as the receiver's: the attempts, and the waits that its answers (or its silence) caused, up to the
    instant that the retry was due; and all the time that its mail was held since nobody answered there. Everything else
    since acceptance is Waybill's: its queue, and what operators, suspensions and limits held back.
    """
    accepted = case.message.accepted_at
    started = case.message.client_started_at
    before = None if started is None else max(0, accepted - started)
    cursor: Instant = accepted
    due: Instant | None = None
    theirs = ours = 0
    for event in case.events:
        step = _step(event)
        if step is None:
            continue
        begun = max(cursor, step.start)
        caused, own = _wait(cursor, begun, due)
        ended = max(begun, step.end)
        theirs += caused + ended - begun
        ours += own
        # A hold of Waybill's own leaves the receiver what it had asked for, but no more of a wait for its servers.
        due = due if step.keeps_due and due is not None and due < _NO_END else step.due
        cursor = ended
    caused, own = _wait(cursor, max(cursor, _end(case, cursor)), due)
    return Delay(
        before_acceptance_ms=before,
        in_waybill_ms=ours + own,
        at_receiver_ms=theirs + caused if case.attempted or theirs + caused else None,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Step:
    """Something that ends a wait and begins another. ``due`` is up to when the next wait is the receiver's."""

    start: Instant
    end: Instant
    due: Instant | None
    keeps_due: bool = False


def _step(event: Event) -> _Step | None:
    match event.fact:
        case Attempted(attempt=attempt, retry_at=retry_at):
            return _Step(start=attempt.started_at, end=attempt.ended_at, due=retry_at)
        case Held(limit=limit) if limit == UNREACHABLE:
            return _Step(start=event.at, end=event.at, due=_NO_END)
        case Held():
            return _Step(start=event.at, end=event.at, due=None, keeps_due=True)
        case Released():
            return _Step(start=event.at, end=event.at, due=None)
        case _:
            return None


def _wait(start: Instant, end: Instant, due: Instant | None) -> tuple[int, int]:
    """A wait, split into what an answer caused (until the retry was due) and the rest."""
    caused = 0 if due is None else max(0, min(end, due) - start)
    return caused, end - start - caused


def _end(case: Case, last_answer: Instant) -> Instant:
    """When the waiting ended: not yet, at expiry, with the last answer, or with what stopped it before any."""
    if case.is_open:
        return case.now
    expired = case.event_of(EventKind.EXPIRED)
    if expired is not None:
        return expired.at
    if case.attempted:
        return last_answer
    decisive = case.decisive
    return decisive.at if decisive is not None else case.message.accepted_at
