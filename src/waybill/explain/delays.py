"""Where the time went: before us, inside Waybill, at the receiver. The parts add up."""

from waybill.explain.case import Case
from waybill.explain.record import Delay
from waybill.model.clock import Instant


def split_delay(case: Case) -> Delay:
    """The time from the client's signature to the receiver's last answer (or to now, while it is open).

    What counts as the receiver's: the attempts, and the waits that its answers (or its silence) caused, up to the
    instant that the retry was due. Everything else since acceptance is Waybill's.
    """
    accepted = case.message.accepted_at
    started = case.message.client_started_at
    before = None if started is None else max(0, accepted - started)
    attempts = case.attempted
    if not attempts:
        end = case.now if case.is_open else _end(case)
        return Delay(before_acceptance_ms=before, in_waybill_ms=max(0, end - accepted))
    receiver = 0
    cursor: Instant = accepted
    due: Instant | None = None
    inside = 0
    for _, fact in attempts:
        attempt = fact.attempt
        begun, ended = max(cursor, attempt.started_at), max(cursor, attempt.started_at, attempt.ended_at)
        theirs, ours = _wait(cursor, begun, due)
        receiver += theirs + (ended - begun)
        inside += ours
        cursor, due = ended, fact.retry_at
    if due is not None:
        theirs, ours = _wait(cursor, max(cursor, case.now if case.is_open else _end(case)), due)
        receiver += theirs
        inside += ours
    return Delay(before_acceptance_ms=before, in_waybill_ms=inside, at_receiver_ms=receiver)


def _wait(start: Instant, end: Instant, due: Instant | None) -> tuple[int, int]:
    """A wait, split into what an answer caused (until the retry was due) and the rest."""
    if due is None:
        return 0, end - start
    caused = max(0, min(end, due) - start)
    return caused, end - start - caused


def _end(case: Case) -> Instant:
    decisive = case.decisive
    return decisive.at if decisive is not None else case.delivery.updated_at
