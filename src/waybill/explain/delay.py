"""Branch 5: does, or did, the message wait, and where?"""

from waybill.explain.accepted import LONG
from waybill.explain.authentication import auth_evidence
from waybill.explain.before import time_before
from waybill.explain.case import UNREACHABLE, Case
from waybill.explain.commands import command, see_events
from waybill.explain.delays import split_delay
from waybill.explain.evidence import attempt_evidence, context_evidence, ledger_evidence
from waybill.explain.health import fault_words, held_up
from waybill.explain.held import SUSPENSION, brief, hold_evidence
from waybill.explain.record import AT_RECEIVER, IN_WAYBILL, BranchFinding, Evidence, Remedy, Telling, Verdict, Who
from waybill.explain.remedies import operator, remedies_for, sender, take_up
from waybill.explain.said import clause, said_in_attempt, sentence
from waybill.explain.traced import copy_of
from waybill.explain.words import author, clock, count, quoted, span
from waybill.model.cause import Branch, Scope
from waybill.model.event import Attempted, Event, EventKind, Expired
from waybill.model.message import Status


def find(case: Case) -> BranchFinding:
    """What this branch came to."""
    finding = _find_since_acceptance(case)
    if finding.verdict is Verdict.PROBLEM and (ours := held_up(case)):
        finding = BranchFinding(verdict=Verdict.PROBLEM, text=f"{finding.text} Meanwhile {fault_words(ours)}.")
    told = [text for text in (_went_by_before(case), finding.text, _went_by_after(case)) if text]
    return finding if len(told) == 1 else BranchFinding(verdict=Verdict.PROBLEM, text=" ".join(told))


def _went_by_before(case: Case) -> str:
    """What went by before acceptance, where it was long, and by whose clock."""
    before, started = time_before(case.message), case.message.client_started_at
    if before is not None and before.ms >= LONG:
        if before.last is not None:
            return f"By the Received fields that it came with, {before.by} had it {span(before.ms)} before Waybill did."
        return f"{span(before.ms)} went by while the client handed it in."
    signed = 0 if started is None else case.message.accepted_at - started
    return (
        f"By the client's own clock, {span(signed)} went by before Waybill had the message." if signed >= LONG else ""
    )


def _went_by_after(case: Case) -> str:
    """What went by inside the receiver, where a copy that came back tells that it was long."""
    copy = copy_of(case)
    if copy is None or (copy[1].after_ms or 0) < LONG:
        return ""
    return f"Then {span(copy[1].after_ms or 0)} went by inside the receiver, by the copy that came back."


def _find_since_acceptance(case: Case) -> BranchFinding:
    delivered = case.event_of(EventKind.DELIVERED)
    tries = count(len(case.attempted), "attempt")
    if delivered is not None:
        took = span(max(0, delivered.at - case.message.accepted_at))
        if (
            delivered.at - case.message.accepted_at < LONG
            and len(case.attempted) == 1
            and not case.blames(Branch.DELAY)
        ):
            return BranchFinding(verdict=Verdict.OK, text=f"The receiver had it {took} after it was accepted.")
        text = f"It took {took} and {tries} until the receiver had it.{_most_of_it(case)}"
        return BranchFinding(verdict=Verdict.PROBLEM, text=text)
    if case.is_open:
        waits = span(max(0, case.now - case.message.accepted_at))
        fine = case.delivery.status is Status.QUEUED and not case.is_stuck and not case.blames(Branch.DELAY)
        held = " Waybill holds it back." if case.is_held else ""
        return BranchFinding(
            verdict=Verdict.OK if fine else Verdict.PROBLEM, text=f"It has waited for {waits}; {tries} so far.{held}"
        )
    return _find_ended(case)


def _most_of_it(case: Case) -> str:
    """The longest stretch of the time since acceptance, where it is long enough to be told."""
    since = [part for part in split_delay(case).parts if part.where in {IN_WAYBILL, AT_RECEIVER} and part.ms >= LONG]
    if not since:
        return ""
    longest = max(since, key=lambda part: part.ms)
    return f" The longest stretch, {span(longest.ms)}: {longest.text}."


def _find_ended(case: Case) -> BranchFinding:
    """Not taken, and nothing more is tried."""
    attempt = case.last_attempt
    if case.event_of(EventKind.EXPIRED) is not None:
        held = ", held back by Waybill at the end" if case.last_hold is not None else ""
        return BranchFinding(verdict=Verdict.PROBLEM, text=f"It waited until its time ran out{held}.")
    if attempt is None and case.blames(Branch.DELAY):
        return BranchFinding(verdict=Verdict.PROBLEM, text="The cause on record is a delay.")
    if attempt is None:
        return BranchFinding(verdict=Verdict.NOT_APPLICABLE, text="It never waited: nothing was to be sent.")
    took = span(max(0, attempt.ended_at - case.message.accepted_at))
    if case.blames(Branch.DELAY):
        said = sentence(clause(said_in_attempt(case, attempt), case))
        return BranchFinding(verdict=Verdict.PROBLEM, text=f"{said} It ended there, {took} after it was accepted.")
    return BranchFinding(verdict=Verdict.OK, text=f"The answer came {took} after it was accepted.")


def tell_waiting(case: Case) -> Telling:
    """Accepted, and nothing has gone wrong."""
    waits = span(max(0, case.now - case.message.accepted_at))
    evidence = [
        Evidence(at=event.at, kind="known", source="Waybill's ledger", text="accepted, and on disk", event=event.id)
        for event in case.events
        if event.kind is EventKind.ACCEPTED
    ]
    well = "no attempt finished yet. Nothing has gone wrong"
    remedies: tuple[Remedy, ...] = (Remedy(who=Who.NOBODY, text="Nothing: ask again in a moment."),)
    if case.is_untaken:
        well = "and no worker has taken it yet"
        remedies = take_up(case)
    return Telling(
        headline=f"{case.recipient}: in Waybill's queue for {waits}, {well}.",
        evidence=tuple(evidence),
        remedies=remedies,
        scope=None,
        responder=None,
        permanent=None,
    )


def tell_expired(case: Case) -> Telling:
    """Time ran out; the last real cause is what to look at."""
    event = case.decisive
    assert event is not None
    fact = event.fact
    assert isinstance(fact, Expired)
    last = _last_word(case, fact)
    tried = count(len(case.attempted), "attempt")
    limit = "the configuration set's MaxDeliverySeconds" if fact.by_configuration_set else "delivery.max_lifetime"
    evidence = [
        Evidence(
            at=event.at,
            kind="expiry",
            source=f"Waybill, after {span(fact.limit_ms)} and {tried} ({limit})",
            text=quoted(fact.diagnostic),
            event=event.id,
        )
    ]
    hold = case.last_hold
    if hold is not None:
        evidence.append(hold_evidence(*hold))
    if last is None:
        return _tell_never_tried(case, fact, tuple(evidence))
    attempt = last[1].attempt
    said = said_in_attempt(case, attempt)
    longer = (
        (sender("Or give it more time: this configuration set's MaxDeliverySeconds ended it, not the installation."),)
        if fact.by_configuration_set
        else ()
    )
    return Telling(
        headline=f"{case.recipient}: not delivered. Waybill tried for {span(fact.limit_ms)} ({tried}) and gave up. "
        f"The last answer: {clause(said, case)}.{_held_at_the_end(case)}",
        evidence=(*evidence, attempt_evidence(*last), *auth_evidence(case, attempt), *context_evidence(case)),
        remedies=(
            *remedies_for(said, case),
            *longer,
            operator("Every attempt, with the receiver's words.", see_events(case)),
        ),
        scope=attempt.outcome.scope,
        responder=fact.responder,
        permanent=True,
        confidence=attempt.outcome.confidence,
    )


def _held_at_the_end(case: Case) -> str:
    hold = case.last_hold
    if hold is None or hold[1].limit == UNREACHABLE:
        return ""
    return f" From {clock(hold[0].at)} on Waybill held it back (set by {author(hold[1].by)})."


def _tell_never_tried(case: Case, fact: Expired, evidence: tuple[Evidence, ...]) -> Telling:
    limit = span(fact.limit_ms)
    what = f"Its time of {limit} ran out inside Waybill, before any attempt was made."
    look = operator("See whether the service was down, or had more to do than time.", command("status"))
    if case.last_hold is not None:
        held = case.last_hold[1]
        what = f"Waybill held it back (set by {author(held.by)}) until its time of {limit} ran out; no attempt was made. {brief(held)}."
        others = ("suspensions",) if held.limit == SUSPENSION else ("list", "--held")
        look = operator("See what is held back now, and why.", command("queue", *others))
    return Telling(
        headline=f"{case.recipient}: not delivered. {what}",
        evidence=(*evidence, *ledger_evidence(case, "no attempt to deliver it is on record")),
        remedies=(look, sender("Send it again.")),
        scope=Scope.SERVICE,
        responder=fact.responder,
        permanent=True,
    )


def _last_word(case: Case, fact: Expired) -> tuple[Event, Attempted] | None:
    """The newest attempt that gave the cause on record; else the newest of all."""
    attempted = case.attempted
    given = [pair for pair in attempted if pair[1].attempt.outcome.cause is fact.underlying_cause]
    return (given or attempted or (None,))[-1]
