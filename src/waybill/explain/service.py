"""Branch 6: is it Waybill itself, or a provider that fails for everybody?"""

from waybill.explain.case import Case
from waybill.explain.commands import command, see_events
from waybill.explain.record import BranchFinding, Evidence, Telling, Verdict
from waybill.explain.remedies import operator
from waybill.explain.words import clock, count, span
from waybill.model.cause import CATALOGUE, Branch, Cause, Responder, Scope
from waybill.model.event import EventKind

_MAY_BE_OURS = frozenset({Cause.CONNECTION_FAILED, Cause.DNS_FAILURE})
_SEVERAL_DOMAINS = 3


def find(case: Case) -> BranchFinding:
    """What this branch came to."""
    if case.is_stuck:
        return BranchFinding(verdict=Verdict.PROBLEM, text="No worker has taken the message up, although it is due.")
    if case.blames(Branch.SERVICE):
        cause = case.cause if case.cause and CATALOGUE[case.cause].branch is Branch.SERVICE else case.underlying_cause
        assert cause is not None
        return BranchFinding(verdict=Verdict.PROBLEM, text=CATALOGUE[cause].meaning)
    if case.event_of(EventKind.EXPIRED) is not None and not case.attempted:
        return BranchFinding(verdict=Verdict.PROBLEM, text="Waybill made no attempt before the time ran out.")
    if case.event_of(EventKind.REFUSED) is not None:
        return BranchFinding(verdict=Verdict.OK, text="Waybill answered the request; the refusal was meant.")
    history = case.history
    domains = history.same_cause_domains if history and {case.cause, case.underlying_cause} & _MAY_BE_OURS else 0
    if domains >= _SEVERAL_DOMAINS:
        text = f"Mail to {count(domains, 'domain')} met the same today: the fault may be our own network or resolver."
        return BranchFinding(verdict=Verdict.UNKNOWN, text=text)
    return BranchFinding(verdict=Verdict.OK, text="No fault of Waybill is on record for this message.")


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
