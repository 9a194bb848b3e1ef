"""Where the time went: before us, inside Waybill, at the receiver. The parts add up."""

from waybill.explain.case import Case
from waybill.explain.record import Delay
from waybill.model.clock import Instant
from waybill.model.event import EventKind


def split_delay(case: Case) -> Delay:
    """The time from the client's signature to the receiver's last answer, to expiry, or to now while it is open.

    What counts as the receiver's: the attempts, and the waits that its answers (or its silence) caused, up to the
    instant that the retry was due. Everything else since acceptance is Waybill's.
    """
    accepted = case.message.accepted_at
    started = case.message.client_started_at
    before = None if started is None else max(0, accepted - started)
    cursor: Instant = accepted
    due: Instant | None = None
    theirs = ours = 0
    for _, fact in case.attempted:
        attempt = fact.attempt
        begun = max(cursor, attempt.started_at)
        caused, own = _wait(cursor, begun, due)
        ended = max(begun, attempt.ended_at)
        theirs += caused + ended - begun
        ours += own
        cursor, due = ended, fact.retry_at
    caused, own = _wait(cursor, max(cursor, _end(case, cursor)), due)
    return Delay(
        before_acceptance_ms=before,
        in_waybill_ms=ours + own,
        at_receiver_ms=theirs + caused if case.attempted else None,
    )


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
