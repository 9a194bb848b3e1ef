"""Branch 5: does, or did, the message wait, and where?"""

import shlex

from waybill.explain.case import Case
from waybill.explain.receiver import attempt_evidence, context_evidence
from waybill.explain.record import BranchFinding, Evidence, Remedy, Telling, Verdict, Who
from waybill.explain.remedies import remedies_for
from waybill.explain.said import clause, sentence
from waybill.explain.words import clock, count, span
from waybill.model.cause import Responder, Scope
from waybill.model.clock import MINUTE
from waybill.model.event import EventKind, Expired, Held
from waybill.model.message import Status

LONG = MINUTE
"""A delivery that takes longer than this is worth a word about where the time went."""


def find(case: Case) -> BranchFinding:
    """What this branch came to."""
    delivered = case.event_of(EventKind.DELIVERED)
    tries = count(len(case.attempted), "attempt")
    if delivered is not None:
        took = delivered.at - case.message.accepted_at
        if took < LONG and len(case.attempted) == 1:
            return BranchFinding(verdict=Verdict.OK, text=f"The receiver had it {span(took)} after it was accepted.")
        return BranchFinding(
            verdict=Verdict.PROBLEM, text=f"It took {span(took)} and {tries} until the receiver had it."
        )
    if case.is_open:
        waits = span(max(0, case.now - case.message.accepted_at))
        fine = case.delivery.status is Status.QUEUED and not case.is_stuck
        return BranchFinding(
            verdict=Verdict.OK if fine else Verdict.PROBLEM, text=f"It has waited for {waits}; {tries} so far."
        )
    if case.event_of(EventKind.EXPIRED) is not None:
        return BranchFinding(verdict=Verdict.PROBLEM, text="It waited until its time ran out.")
    if not case.attempted:
        return BranchFinding(verdict=Verdict.NOT_APPLICABLE, text="It never waited: nothing was to be sent.")
    took = case.attempted[-1][0].at - case.message.accepted_at
    return BranchFinding(verdict=Verdict.OK, text=f"The answer came {span(max(0, took))} after it was accepted.")


def tell_waiting(case: Case) -> Telling:
    """Accepted, and nothing has gone wrong."""
    waits = span(max(0, case.now - case.message.accepted_at))
    evidence = [
        Evidence(at=event.at, kind="ledger", source="Waybill's ledger", text="accepted, on disk", event=event.id)
        for event in case.events
        if event.kind is EventKind.ACCEPTED
    ]
    return Telling(
        headline=f"{case.recipient}: in Waybill's queue since {waits}. Nothing has gone wrong.",
        evidence=tuple(evidence),
        remedies=(Remedy(who=Who.NOBODY, text="Nothing to do: ask again in a moment."),),
        scope=None,
        responder=None,
        permanent=None,
    )


def tell_held(case: Case) -> Telling:
    """Waybill itself holds the message."""
    event = case.event_of(EventKind.HELD)
    if event is None or not isinstance(event.fact, Held):
        return tell_waiting(case)
    fact = event.fact
    until = f" until about {clock(fact.until)}" if fact.until is not None else ""
    return Telling(
        headline=f"{case.recipient}: waiting in Waybill{until}. {fact.text}",
        evidence=(
            Evidence(
                at=event.at,
                kind="hold",
                source=f"Waybill: {fact.limit}, by {fact.by}",
                text=fact.text,
                event=event.id,
            ),
        ),
        remedies=(Remedy(who=Who.NOBODY, text="Nothing: it goes on by itself when the wait ends."),),
        scope=Scope.SERVICE,
        responder=Responder.WAYBILL,
        permanent=False,
    )


def tell_expired(case: Case) -> Telling:
    """Time ran out; the last real cause is what to look at."""
    event = case.decisive
    assert event is not None
    fact = event.fact
    assert isinstance(fact, Expired)
    outcome = case.outcome
    tried = count(fact.attempts, "attempt")
    limit = "the configuration set's MaxDeliverySeconds" if fact.by_configuration_set else "delivery.max_lifetime"
    if outcome is not None:
        said = sentence(clause(outcome.cause, outcome, case))
    else:
        said = "No attempt was made: it waited inside Waybill."
    evidence = [
        Evidence(
            at=event.at,
            kind="expiry",
            source=f"Waybill, after {tried} in {span(fact.limit_ms)} ({limit})",
            text=fact.diagnostic,
            event=event.id,
        )
    ]
    if case.attempted:
        evidence.append(attempt_evidence(*case.attempted[-1]))
    return Telling(
        headline=f"{case.recipient}: not delivered. Waybill tried for {span(fact.limit_ms)} ({tried}) and gave up. {said}",
        evidence=(*evidence, *context_evidence(case)),
        remedies=(
            *(remedies_for(outcome.cause, case) if outcome else ()),
            Remedy(
                who=Who.SENDER,
                text="Every attempt with the receiver's words is in the ledger.",
                command=shlex.join(["waybill", "events", case.message.id]),
            ),
        ),
        scope=outcome.scope if outcome else Scope.SERVICE,
        responder=fact.responder,
        permanent=True,
        confidence=outcome.confidence if outcome else "certain",
    )
