"""The six questions about mail that Amazon SES sent: what its reports say to each."""

from waybill.explain.amazon_words import clause_of, headline, last_delay, reported
from waybill.explain.case import Case
from waybill.explain.record import BranchFinding, Verdict
from waybill.explain.said import sentence
from waybill.explain.words import clock, span
from waybill.model.amazon import NOT_SENT, AmazonEvent, AmazonReported, weight
from waybill.model.cause import CATALOGUE, Branch, Cause
from waybill.model.event import Event
from waybill.model.message import Status

OF_AMAZON = frozenset({Cause.HELD_BY_WAYBILL, Cause.WAYBILL_INCIDENT})
"""Causes of which Amazon SES speaks for itself."""

BY_AMAZON = frozenset({Status.SUPPRESSED, Status.REJECTED, Status.RENDERING_FAILED})
"""Fates that SES decides without asking a receiver."""

_TEMPLATE_OPERATIONS = frozenset({"SendTemplatedEmail", "SendBulkTemplatedEmail", "SendBulkEmail"})


def report_of(event: Event) -> AmazonReported:
    """The fact of an event that is a report."""
    assert isinstance(event.fact, AmazonReported)
    return event.fact


def decisive(case: Case) -> Event | None:
    """The report that made the status what it is."""
    told = [event for event in case.events if isinstance(event.fact, AmazonReported)]
    return max(told, key=lambda event: weight(event.at, report_of(event)), default=None)


def walk(case: Case, event: Event | None) -> dict[Branch, BranchFinding]:
    fact = report_of(event) if event is not None else None
    problem = _blamed(case, fact)
    findings = {
        Branch.TEMPLATE: _template(case),
        Branch.ADDRESS: _address(case),
        Branch.RECEIVER: _receiver(case),
        Branch.SPAM: _spam(case),
        Branch.DELAY: _late(case, event),
        Branch.SERVICE: BranchFinding(verdict=Verdict.OK, text="Amazon SES has reported no problem of its own."),
    }
    for branch, text in problem.items():
        if branch in findings:
            findings[branch] = BranchFinding(verdict=Verdict.PROBLEM, text=text)
    return findings


def _blamed(case: Case, fact: AmazonReported | None) -> dict[Branch, str]:
    """The branches of the cause, and of what stands behind it, with what was said."""
    if fact is None or case.delivery.status is Status.DELIVERED:
        return {}
    found: dict[Branch, str] = {}
    for cause in (case.delivery.cause, case.delivery.underlying_cause):
        if cause is None or cause is Cause.ACCEPTED_BY_RECEIVER:
            continue
        said = (
            headline(case, decisive(case)).partition(": ")[2]
            if cause is fact.cause
            else sentence(clause_of(case, cause, fact))
        )
        found[CATALOGUE[cause].branch] = said[:1].upper() + said[1:]
        if cause in OF_AMAZON:
            found[Branch.SERVICE] = sentence(clause_of(case, cause, fact))
    return found


def _template(case: Case) -> BranchFinding:
    if case.message.operation in _TEMPLATE_OPERATIONS and case.delivery.status is not Status.QUEUED:
        return BranchFinding(verdict=Verdict.OK, text="Amazon SES rendered the template.")
    if case.message.operation in _TEMPLATE_OPERATIONS:
        return BranchFinding(
            verdict=Verdict.UNKNOWN, text="A template was used, and no event says that it was rendered."
        )
    return BranchFinding(verdict=Verdict.NOT_APPLICABLE, text="No failure to render a template was reported.")


def _taken(case: Case) -> bool:
    """Whether a receiver has taken it: it was delivered, or opened, or complained about."""
    return (
        case.delivery.status in {Status.DELIVERED, Status.COMPLAINED}
        or reported(case, AmazonEvent.DELIVERY) is not None
    )


def _address(case: Case) -> BranchFinding:
    if _taken(case):
        return BranchFinding(
            verdict=Verdict.OK, text=f"A server of {case.domain} took {case.recipient} as a recipient."
        )
    return BranchFinding(verdict=Verdict.UNKNOWN, text="No server has said yes or no to the address.")


def _receiver(case: Case) -> BranchFinding:
    if _taken(case):
        text = "The server took the message. What it did next - inbox, Junk, quarantine or loss - cannot be seen from here."
        return BranchFinding(verdict=Verdict.UNKNOWN, text=text)
    if case.delivery.status in BY_AMAZON:
        return BranchFinding(verdict=Verdict.NOT_APPLICABLE, text="No receiving server was asked.")
    if case.delivery.status is Status.QUEUED:
        return BranchFinding(verdict=Verdict.UNKNOWN, text="No answer of a receiving server has been reported yet.")
    return BranchFinding(verdict=Verdict.OK, text="What was answered belongs to another branch.")


def _spam(case: Case) -> BranchFinding:
    if case.delivery.status in BY_AMAZON or case.delivery.cause in NOT_SENT:
        return BranchFinding(verdict=Verdict.NOT_APPLICABLE, text="No receiver has judged the message.")
    if _taken(case):
        text = "No complaint was reported. Inbox or Junk is decided by the receiver, and is not told to Amazon SES."
        return BranchFinding(verdict=Verdict.UNKNOWN, text=text)
    return BranchFinding(
        verdict=Verdict.UNKNOWN, text="Nothing that was reported speaks of spam, authentication or reputation."
    )


def _late(case: Case, event: Event | None) -> BranchFinding:
    late = last_delay(case)
    if late is not None:
        fact = report_of(late)
        why = sentence(clause_of(case, fact.cause or Cause.UNDETERMINED, fact))
        return BranchFinding(verdict=Verdict.PROBLEM, text=f"Amazon SES reported a delay at {clock(late.at)}. {why}")
    answers = {AmazonEvent.DELIVERY, AmazonEvent.BOUNCE}
    event = event if event is not None and report_of(event).type in answers else reported(case, AmazonEvent.DELIVERY)
    if case.delivery.status in BY_AMAZON:
        return BranchFinding(verdict=Verdict.NOT_APPLICABLE, text="It never waited: nothing was to be sent.")
    if event is None or case.is_open:
        return BranchFinding(verdict=Verdict.OK, text="No delay was reported.")
    took = span(max(0, event.at - case.message.accepted_at))
    return BranchFinding(verdict=Verdict.OK, text=f"The answer came {took} after Amazon SES had taken it.")
