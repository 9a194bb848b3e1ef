"""Where the time went: before us, inside Waybill, at the receiver, after it was taken. The parts touch, and add up."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from waybill.explain.attempt_time import attempt_spans, name_answer, name_host
from waybill.explain.case import UNREACHABLE, Case
from waybill.explain.held import brief
from waybill.explain.record import AFTER_ACCEPTANCE, AT_RECEIVER, BEFORE_ACCEPTANCE, IN_WAYBILL, Delay, DelayPart
from waybill.explain.words import author, quoted
from waybill.mail.reply import without_type
from waybill.model.cause import Cause, Responder
from waybill.model.clock import Instant
from waybill.model.event import (
    Attempted,
    BounceReceived,
    DelayReported,
    Event,
    EventKind,
    Held,
    Released,
    Stuck,
    TakenOver,
)
from waybill.model.message import Source
from waybill.model.outcome import Attempt
from waybill.model.traced import CopyTraced

_NO_END: Instant = 1 << 62


def split_delay(case: Case) -> Delay:
    """The time from the client's signature to the receiver's last answer, to expiry, or to now while it is open.

    What counts as the receiver's: the attempts, and the waits that its answers (or its silence) caused, up to the
    instant that the retry was due; and all the time that its mail was held since nobody answered there. Everything else
    since acceptance is Waybill's: its queue, and what operators, suspensions and limits held back. What came home after
    the receiver had taken it is added as time after acceptance; nothing else is known of that.
    """
    started = case.message.client_started_at
    parts = (*_before(case), *_since_acceptance(case))
    taken = [part for part in parts if part.where == AFTER_ACCEPTANCE]
    asked = any(fact.attempt.outcome.responder is not Responder.WAYBILL for _, fact in case.attempted)
    met = asked or any(part.where == AT_RECEIVER for part in parts)
    return Delay(
        before_acceptance_ms=None if started is None else _sum(parts, BEFORE_ACCEPTANCE),
        in_waybill_ms=_sum(parts, IN_WAYBILL),
        at_receiver_ms=_sum(parts, AT_RECEIVER) if met else None,
        after_acceptance_ms=_sum(parts, AFTER_ACCEPTANCE) if taken else None,
        parts=parts,
        attempts=len(case.attempted),
    )


def _sum(parts: Sequence[DelayPart], where: str) -> int:
    return sum(part.ms for part in parts if part.where == where)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Phase:
    """What a wait is, up to ``end``."""

    where: str
    by: str
    text: str
    end: Instant = _NO_END


_QUEUE = _Phase(where=IN_WAYBILL, by="waybill", text="in Waybill's queue")
_RELEASED = _Phase(where=IN_WAYBILL, by="waybill", text="released, and in Waybill's queue")
_UNTAKEN = _Phase(where=IN_WAYBILL, by="waybill", text="due, and no worker had taken it up")
_LOST = _Phase(where=IN_WAYBILL, by="waybill", text="in the hands of a worker that ended, until another took over")


@dataclass(kw_only=True, slots=True)
class _Walk:
    """Goes through time from ``cursor`` on, and writes down what each stretch of it was."""

    cursor: Instant
    parts: list[DelayPart] = field(default_factory=list)

    def until(self, end: Instant, phase: _Phase) -> None:
        """All up to ``end`` that is not told yet was this."""
        if end <= self.cursor:
            return
        by, text = phase.by.strip() or "unknown", quoted(phase.text)
        part = DelayPart(where=phase.where, start=self.cursor, end=end, by=by, text=text)
        before = self.parts[-1] if self.parts else part
        if (before.where, before.by, before.text) == (part.where, part.by, part.text) and before is not part:
            self.parts[-1] = replace(before, end=end)
        else:
            self.parts.append(part)
        self.cursor = end

    def wait(self, end: Instant, phases: Sequence[_Phase]) -> None:
        """A wait, which has several reasons one after the other."""
        for phase in phases:
            self.until(min(end, phase.end), phase)


def _before(case: Case) -> tuple[DelayPart, ...]:
    """From the client's signature until it was accepted, by the client's clock and ours."""
    message = case.message
    if message.client_started_at is None:
        return ()
    walk = _Walk(cursor=message.client_started_at)
    began = "the SMTP transaction began" if message.source is Source.SMTP else "the client signed its request"
    arrived = min(message.accepted_at if message.received_at is None else message.received_at, message.accepted_at)
    walk.until(arrived, _Phase(where=BEFORE_ACCEPTANCE, by="client", text=f"since {began}, until it had arrived"))
    checked = _Phase(where=BEFORE_ACCEPTANCE, by="waybill", text="checked, put together and written to disk")
    walk.until(message.accepted_at, checked)
    return tuple(walk.parts)


def _since_acceptance(case: Case) -> tuple[DelayPart, ...]:
    walk = _Walk(cursor=case.message.accepted_at)
    phases: tuple[_Phase, ...] = (_QUEUE,)
    for event in case.events:
        if isinstance(event.fact, Attempted):
            attempt = event.fact.attempt
            walk.wait(max(walk.cursor, attempt.started_at), _slowed(phases, attempt))
            for span in attempt_spans(attempt, case.domain):
                walk.until(span.end, _Phase(where=span.where, by=span.by, text=span.text))
            phases = _after_attempt(event.fact)
            continue
        following = _after_event(event, phases, case)
        if following is None:
            continue
        walk.wait(max(walk.cursor, event.at), _as_told_by(event, phases))
        phases = following
    walk.wait(max(walk.cursor, _end(case, walk.cursor)), phases)
    _tell_after_delivery(case, walk)
    return tuple(walk.parts)


def _slowed(phases: tuple[_Phase, ...], attempt: Attempt) -> tuple[_Phase, ...]:
    """The wait before an attempt, where a rate kept it in the queue from some instant on."""
    slowed = attempt.slowed
    if slowed is None or phases[-1].by != "waybill":
        return phases
    *before, queue = phases
    text = f"waiting its turn: {slowed.text}"
    return (*before, _ended(queue, slowed.since), _Phase(where=IN_WAYBILL, by=slowed.by, text=text))


def _after_attempt(fact: Attempted) -> tuple[_Phase, ...]:
    """Until the retry is due the wait is of whoever's answer, or silence, asked for it."""
    attempt, retry_at = fact.attempt, fact.retry_at
    if retry_at is None:
        return (_QUEUE,)
    by = name_host(attempt)
    where = IN_WAYBILL if attempt.outcome.responder is Responder.WAYBILL else AT_RECEIVER
    text = f"waiting to try again: {name_answer(attempt)}"
    return (_Phase(where=where, by=by, text=text, end=retry_at), _QUEUE)


def _after_event(event: Event, phases: Sequence[_Phase], case: Case) -> tuple[_Phase, ...] | None:
    """What the wait is from this event on; None where it changes nothing."""
    match event.fact:
        case Held(limit=limit) as fact if limit == UNREACHABLE:
            return (_Phase(where=AT_RECEIVER, by=_silent(event, case), text=brief(fact)),)
        case Held(by=by) as fact:
            # A hold of Waybill's own leaves the receiver what it had asked for, but no more of a wait for its servers.
            asked = tuple(phase for phase in phases if phase.where == AT_RECEIVER and phase.end < _NO_END)
            return (*asked, _Phase(where=IN_WAYBILL, by=by, text=f"held by {author(by)}: {brief(fact)}"))
        case Released():
            return (_RELEASED,)
        case Stuck():
            return (_UNTAKEN,)
        case TakenOver():
            return tuple(phases)
        case _:
            return None


def _as_told_by(event: Event, phases: Sequence[_Phase]) -> Sequence[_Phase]:
    """What the wait before this event was, in the light of it."""
    match event.fact:
        case TakenOver():
            return [_LOST if phase.by == "waybill" and phase.where == IN_WAYBILL else phase for phase in phases]
        case Stuck(due_at=due_at):
            return [*(_ended(phase, due_at) for phase in phases), _UNTAKEN]
        case _:
            return phases


def _ended(phase: _Phase, at: Instant) -> _Phase:
    return _Phase(where=phase.where, by=phase.by, text=phase.text, end=min(phase.end, at))


def _silent(event: Event, case: Case) -> str:
    """Whose silence it was that mail is held for: by the last attempt before, else the network's."""
    before = [fact.attempt for told, fact in case.attempted if told.id < event.id]
    cause = before[-1].outcome.cause if before else case.underlying_cause
    return "dns" if cause is Cause.DNS_FAILURE else "network"


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


def _tell_after_delivery(case: Case, walk: _Walk) -> None:
    """What a bounce or a notice of delay that came home tells of the time after the receiver's yes."""
    if case.event_of(EventKind.DELIVERED) is None:
        return
    taken = walk.cursor
    told: list[tuple[Instant, str, str]] = []
    for event in case.events:
        match event.fact:
            case DelayReported(reporting_mta=mta):
                told.append((event.at, without_type(mta) or case.domain, "until a notice of delay came home"))
            case BounceReceived(reporting_mta=mta):
                told.append((event.at, without_type(mta) or case.domain, "until a bounce came home"))
            case CopyTraced(after_ms=inside, slowest=slowest) if inside is not None:
                told.append((taken + inside, slowest or case.domain, "until it was stored, by the copy that came back"))
            case _:
                continue
    for at, by, until in sorted(told):
        walk.until(at, _Phase(where=AFTER_ACCEPTANCE, by=by, text=f"taken by the receiver, {until}"))
