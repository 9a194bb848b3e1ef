"""Branch 6: is it Waybill itself, or a provider that fails for everybody?"""

from waybill.explain.case import UNREACHABLE, Case
from waybill.explain.commands import command, see_events
from waybill.explain.health import fault_evidence, fault_words, faults, held_up
from waybill.explain.record import BranchFinding, Evidence, Telling, Verdict
from waybill.explain.remedies import operator
from waybill.explain.words import author, clock, count, quoted, span
from waybill.model.cause import CATALOGUE, Branch, Responder, Scope
from waybill.model.event import EventKind, Stuck, TakenOver


def find(case: Case) -> BranchFinding:
    """What this branch came to."""
    return with_faults(case, _find(case))


def with_faults(case: Case, finding: BranchFinding) -> BranchFinding:
    """A finding, with what failed of Waybill's own parts while the message waited."""
    ours = held_up(case)
    if not ours:
        return finding
    before = f"{finding.text} " if finding.verdict is Verdict.PROBLEM else ""
    return BranchFinding(verdict=Verdict.PROBLEM, text=f"{before}While it waited, {fault_words(ours)}.")


def _find(case: Case) -> BranchFinding:
    if case.is_stuck:
        return BranchFinding(verdict=Verdict.PROBLEM, text="No worker has taken the message up, although it is due.")
    if case.blames(Branch.SERVICE):
        cause = case.cause if case.cause and CATALOGUE[case.cause].branch is Branch.SERVICE else case.underlying_cause
        assert cause is not None
        return BranchFinding(verdict=Verdict.PROBLEM, text=CATALOGUE[cause].meaning)
    if case.event_of(EventKind.EXPIRED) is not None and not case.attempted:
        return _find_hold(case)
    if trouble := _trouble(case):
        return BranchFinding(verdict=Verdict.PROBLEM, text=trouble)
    if case.event_of(EventKind.REFUSED) is not None:
        return BranchFinding(verdict=Verdict.OK, text="Waybill answered the request; the refusal was meant.")
    return _find_in_history(case)


def _trouble(case: Case) -> str | None:
    """What went wrong with Waybill's own workers while they had the message."""
    for event in case.events:
        if isinstance(event.fact, TakenOver) and event.fact.was_sending is not False:
            return "A worker of Waybill ended while it had the message."
        if isinstance(event.fact, Stuck):
            late = span(max(0, event.at - event.fact.due_at))
            return f"No worker of Waybill had taken it up {late} after it was due."
    return None


def _find_in_history(case: Case) -> BranchFinding:
    if case.domains_alike:
        text = f"Mail to {count(case.domains_alike, 'domain')} met the same today: the fault may be our own network or resolver."
        return BranchFinding(verdict=Verdict.UNKNOWN, text=text)
    if case.is_untaken:
        text = f"It has been due for {span(case.now - case.due_at)}, and no worker has taken it yet."
        return BranchFinding(verdict=Verdict.UNKNOWN, text=text)
    beside = faults(case)
    text = "No fault of Waybill is on record for this message."
    if beside:
        text = f"Nothing of Waybill's own held it up. While it was on its way, {fault_words(beside)}."
    return BranchFinding(verdict=Verdict.OK, text=text)


def _find_hold(case: Case) -> BranchFinding:
    """Time ran out and nothing was tried."""
    hold = case.last_hold
    if hold is None:
        return BranchFinding(verdict=Verdict.PROBLEM, text="Waybill made no attempt before the time ran out.")
    if hold[1].limit == UNREACHABLE:
        text = "Waybill made no attempt for this message, since others had shown that nobody answers there."
        return BranchFinding(verdict=Verdict.OK, text=text)
    text = f"Waybill held it back until its time ran out, as {author(hold[1].by)} had decided."
    return BranchFinding(verdict=Verdict.PROBLEM, text=text)


def interruptions(case: Case) -> tuple[Evidence, ...]:
    """What befell Waybill's own workers and parts meanwhile, and what it may have meant for the recipient."""
    taken = tuple(
        Evidence(at=event.at, kind="known", source="Waybill's ledger", text=taken_over(event.fact), event=event.id)
        for event in case.events
        if isinstance(event.fact, TakenOver) and event.fact.was_sending is not False
    )
    return (*taken, *fault_evidence(case))


def taken_over(fact: TakenOver) -> str:
    """What the end of a worker meant for a message that it had in hand."""
    if fact.was_sending is None:
        return (
            f"the worker {fact.worker} ended without a word while it had the message, and another took over; "
            "whether it had begun to send is not known, so the recipient may have it twice"
        )
    if fact.was_sending:
        return f"the worker {fact.worker} was killed while it sent this message, and another took over: the recipient may have it twice"
    return f"the worker {fact.worker} ended before it began to send this message; another took over, and nothing was sent twice"


def tell_stuck(case: Case) -> Telling:
    """Due, and nobody works on it."""
    due = case.due_at
    held = " The worker that had it has let its lease run out." if case.delivery.lease_owner else ""
    tries = count(case.delivery.attempts, "attempt")
    return Telling(
        headline=f"{case.recipient}: still in Waybill, {span(case.now - due)} overdue. No worker takes it up: is the service running?",
        evidence=(
            Evidence(
                at=case.now,
                kind="watchdog",
                source="Waybill's ledger",
                text=f"due since {clock(due)}, {tries} so far, no worker holds it.{held}",
                event=case.events[-1].id if case.events else None,
            ),
            *_watchdog(case),
        ),
        remedies=(
            operator("See whether the service and its parts are well.", command("status")),
            operator("If it is not running, start it: what waits is taken up at once.", command("serve")),
        ),
        scope=Scope.SERVICE,
        responder=Responder.WAYBILL,
        permanent=False,
        confidence="likely",
    )


def _watchdog(case: Case) -> tuple[Evidence, ...]:
    event = case.event_of(EventKind.STUCK)
    if event is None or not isinstance(event.fact, Stuck):
        return ()
    text = quoted(event.fact.text)
    return (Evidence(at=event.at, kind="watchdog", source="Waybill's watchdog", text=text, event=event.id),)


def tell_unrecorded(case: Case) -> Telling:
    """The ledger holds a status and no event that says why: a ledger that was cut short, or a fault of Waybill."""
    cause = case.cause
    status = case.delivery.status.value.replace("_", " ")
    meaning = f" The cause on record: {CATALOGUE[cause].meaning}" if cause else ""
    return Telling(
        headline=f"{case.recipient}: {status}, and the ledger holds no event that says why.{meaning}",
        evidence=(
            Evidence(
                at=case.delivery.updated_at,
                kind="ledger",
                source="Waybill's ledger",
                text=f"status {status} since {clock(case.delivery.updated_at)}, {count(len(case.events), 'event')} on record",
            ),
        ),
        remedies=(operator("All that is on record of the message:", see_events(case)),),
        scope=CATALOGUE[cause].scope if cause else None,
        responder=Responder.WAYBILL,
        permanent=CATALOGUE[cause].permanent if cause else None,
        confidence="possible",
    )
