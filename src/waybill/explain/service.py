"""Branch 6: is it Waybill itself?"""

from waybill.explain.case import Case
from waybill.explain.record import BranchFinding, Evidence, Remedy, Telling, Verdict, Who
from waybill.explain.words import clock, span
from waybill.model.cause import Responder, Scope
from waybill.model.event import EventKind


def find(case: Case) -> BranchFinding:
    """What this branch came to."""
    if case.is_stuck:
        return BranchFinding(verdict=Verdict.PROBLEM, text="No worker has taken the message up, although it is due.")
    if case.event_of(EventKind.REFUSED) is not None:
        return BranchFinding(verdict=Verdict.OK, text="Waybill answered the request; the refusal was meant.")
    return BranchFinding(verdict=Verdict.OK, text="No fault of Waybill is recorded for this message.")


def tell_stuck(case: Case) -> Telling:
    """Due, and nobody works on it."""
    due = max(case.delivery.next_at or 0, case.delivery.lease_until or 0)
    late = span(case.now - due)
    event = case.events[-1] if case.events else None
    return Telling(
        headline=f"{case.recipient}: still in Waybill, {late} overdue. No worker takes it up: is the service running?",
        evidence=(
            Evidence(
                at=case.now,
                kind="watchdog",
                source="Waybill's ledger",
                text=f"due since {clock(due)}, status {case.delivery.status.value}, "
                f"{case.delivery.attempts} attempts, no worker holds it",
                event=event.id if event else None,
            ),
        ),
        remedies=(
            Remedy(who=Who.OPERATOR, text="See whether the service and its parts are well.", command="waybill status"),
            Remedy(
                who=Who.OPERATOR,
                text="If it is not running, start it: what waits is taken up at once.",
                command="waybill serve",
            ),
        ),
        scope=Scope.SERVICE,
        responder=Responder.WAYBILL,
        permanent=False,
        confidence="likely",
    )
