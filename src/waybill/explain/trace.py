"""Trace: where a received copy spent its time and what was done to it, from its header and, where it is ours, the ledger."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from waybill.explain.record import AFTER_ACCEPTANCE, BEFORE_ACCEPTANCE, DelayPart, RecipientExplanation
from waybill.mail.received_copy import ReceivedCopy
from waybill.mail.received_path import Step
from waybill.mail.receiver_verdict import decide
from waybill.model.clock import MINUTE, SECOND, Instant
from waybill.model.event import Attempted, Event, EventKind
from waybill.model.message import Delivery, Message
from waybill.model.outcome import Attempt

BEFORE_US = "before_us"
TO_RECEIVER = "to_receiver"
IN_RECEIVER = "in_receiver"
ON_THE_WAY = "on_the_way"

_TOLERANCE = SECOND
"""Received fields have whole seconds, so that one more or less says nothing about a clock."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tied:
    """The ledger's side of a copy: the message, what is explained of the recipient, and how the copy was found to be it."""

    message: Message
    delivery: Delivery
    recipient: RecipientExplanation
    events: tuple[Event, ...]
    by: str

    @property
    def handed_over(self) -> Attempt | None:
        """The attempt that ended with the receiver's yes."""
        for event in reversed(self.events):
            if event.kind is EventKind.DELIVERED and isinstance(event.fact, Attempted):
                return event.fact.attempt
        return None


@dataclass(frozen=True, kw_only=True, slots=True)
class Clocks:
    """Both times of the handover: ours, and that of the first field which the receiver wrote; ``skew_ms`` 0: they agree."""

    ours: Instant
    theirs: Instant
    skew_ms: int


@dataclass(frozen=True, kw_only=True, slots=True)
class TracedStep:
    """A hop, and in which part of the journey it was: ``before_us``, ``to_receiver``, ``in_receiver``, or ``on_the_way``."""

    step: Step
    where: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Trace:
    """The whole account of a copy. ``parts`` touch and add up; ``why_not_tied`` is set where the ledger was of no help."""

    copy: ReceivedCopy
    steps: tuple[TracedStep, ...]
    parts: tuple[DelayPart, ...]
    tied: Tied | None = None
    why_not_tied: str | None = None
    clocks: Clocks | None = None
    border: int | None = None

    @property
    def total_ms(self) -> int | None:
        """The time that is accounted for; None where none is."""
        return sum(part.ms for part in self.parts) if self.parts else None


def trace_copy(copy: ReceivedCopy, tied: Tied | None, why_not_tied: str | None = None) -> Trace:
    """The account of a copy, by its header alone or beside the ledger."""
    copy = copy if tied is None else _without_own(copy, tied.message)
    attempt = tied.handed_over if tied else None
    index = None if attempt is None else _handover(copy.path.steps, attempt)
    if tied is None or attempt is None or index is None:
        steps = tuple(TracedStep(step=step, where=ON_THE_WAY) for step in copy.path.steps)
        own = () if tied is None else _ours(tied, None)
        parts = tuple(_on_the_way(copy)) or own
        return Trace(copy=copy, steps=steps, parts=parts, tied=tied, why_not_tied=why_not_tied)
    border = copy.path.steps[index]
    steps = tuple(TracedStep(step=step, where=_where(position, index)) for position, step in enumerate(copy.path.steps))
    before = _before_us(copy.path.steps[:index], tied)
    ours = _ours(tied, attempt)
    after = tuple(_after(copy.path.steps[index:], attempt))
    return Trace(
        copy=copy,
        steps=steps,
        parts=(*before, *ours, *after),
        tied=tied,
        clocks=_compare(border, attempt),
        border=border.place,
    )


def _without_own(copy: ReceivedCopy, message: Message) -> ReceivedCopy:
    """The copy without verdicts that stood in the message when we had it: a filter on the sender's side wrote those."""
    own = {(name.lower(), " ".join(value.split())) for name, value in message.headers}
    verdicts = tuple(each for each in copy.verdicts if (each.header.lower(), " ".join(each.words.split())) not in own)
    return replace(copy, verdicts=verdicts, decided=decide(verdicts))


def _where(position: int, index: int) -> str:
    if position < index:
        return BEFORE_US
    return TO_RECEIVER if position == index else IN_RECEIVER


def _handover(steps: Sequence[Step], attempt: Attempt) -> int | None:
    """Which hop is the receiver's taking it from us: by the id it answered with, by our address, by the names of both sides."""
    reply = attempt.outcome.reply
    words = set(reply.text.replace("<", " ").replace(">", " ").split()) if reply else set()
    tests: tuple[Callable[[Step], bool], ...] = (
        lambda step: step.hop.id is not None and len(step.hop.id) > 3 and step.hop.id in words,
        lambda step: attempt.source_ip is not None and step.hop.ip == attempt.source_ip and _is_by(step, attempt),
        lambda step: bool(attempt.helo) and attempt.helo in {step.hop.helo, step.hop.sender},
        lambda step: attempt.source_ip is not None and step.hop.ip == attempt.source_ip,
        lambda step: _is_by(step, attempt),
    )
    for test in tests:
        for index, step in enumerate(steps):
            if test(step):
                return index
    return None


def _is_by(step: Step, attempt: Attempt) -> bool:
    return attempt.mx is not None and (step.hop.by or "").lower() == attempt.mx.lower()


def _compare(border: Step, attempt: Attempt) -> Clocks | None:
    theirs = border.hop.at
    if theirs is None:
        return None
    fits = attempt.started_at // SECOND * SECOND - _TOLERANCE <= theirs <= attempt.ended_at + _TOLERANCE
    skew = 0 if fits else theirs - attempt.ended_at // SECOND * SECOND
    return Clocks(ours=attempt.ended_at, theirs=theirs, skew_ms=skew)


def _ours(tied: Tied, attempt: Attempt | None) -> tuple[DelayPart, ...]:
    """What the ledger knows, up to the receiver's yes."""
    parts = tuple(part for part in tied.recipient.delay.parts if part.where != AFTER_ACCEPTANCE)
    return parts if attempt is None else tuple(part for part in parts if part.end <= attempt.ended_at)


def _before_us(steps: Sequence[Step], tied: Tied) -> tuple[DelayPart, ...]:
    """What servers before Waybill wrote into the message, where their clocks fit to ours."""
    dated = [step for step in steps if step.hop.at is not None and step.skew_ms is None]
    started = tied.message.client_started_at
    start = tied.message.accepted_at if started is None else min(started, tied.message.accepted_at)
    if not dated or dated[0].hop.at is None or dated[0].hop.at >= start:
        return ()
    at, place = dated[0].hop.at, dated[-1].hop.place
    text = f"with servers before Waybill, last {place}, by their clocks"
    return (DelayPart(where=BEFORE_ACCEPTANCE, start=at, end=start, by=place, text=text),)


def _after(steps: Sequence[Step], attempt: Attempt) -> Iterator[DelayPart]:
    """From our handover on, by the differences of the receiver's own clocks."""
    cursor = attempt.ended_at
    by = steps[0].hop.place
    base = steps[0].hop.at if steps[0].skew_ms is None else None
    for step in steps[1:]:
        if step.skew_ms is not None or step.hop.at is None:
            continue
        took = 0 if base is None else max(0, step.hop.at - base)
        base = step.hop.at
        if took:
            text = f"inside the receiver, from {by} to {step.hop.place}"
            yield DelayPart(where=AFTER_ACCEPTANCE, start=cursor, end=cursor + took, by=by, text=text)
            cursor += took
        by = step.hop.place


def _on_the_way(copy: ReceivedCopy) -> Iterator[DelayPart]:
    """Without the ledger: from the message's own date, where it fits, from server to server."""
    timed = copy.path.timed
    if not timed or timed[0].hop.at is None:
        return
    first = timed[0].hop.at
    if copy.date is not None and 0 < first - copy.date < 7 * 24 * 60 * MINUTE:
        text = f"since its Date, by the sender's own clock, until {timed[0].hop.place} had it"
        yield DelayPart(where=ON_THE_WAY, start=copy.date, end=first, by="the sender's side", text=text)
    for before, after in pairwise(timed):
        start, end = before.hop.at, after.hop.at
        if start is not None and end is not None and end > start:
            text = f"from {before.hop.place} to {after.hop.place}"
            yield DelayPart(where=ON_THE_WAY, start=start, end=end, by=before.hop.place, text=text)
