"""Branch 3: did the receiving server refuse, or take the message and do what we cannot see?"""

from waybill.explain import incident
from waybill.explain.authentication import auth_evidence
from waybill.explain.case import Case
from waybill.explain.evidence import attempt_evidence, context_evidence
from waybill.explain.record import BranchFinding, Evidence, Telling, Verdict
from waybill.explain.remedies import our_side, remedies_for
from waybill.explain.said import Said, clause, said_in_attempt, said_in_report, sentence
from waybill.explain.words import count, quoted
from waybill.mail.reply import without_type
from waybill.model.cause import CATALOGUE, Branch, Cause, Responder, Scope
from waybill.model.event import Attempted, BounceReceived, EventKind
from waybill.model.message import Status
from waybill.model.outcome import Attempt, Outcome, Result
from waybill.model.simulator import is_simulated

_ABOUT = {
    Scope.RECIPIENT_DOMAIN: "the recipient's domain or its server",
    Scope.PROVIDER: "the receiving server",
    Scope.SENDER_DOMAIN: "the sender",
    Scope.SOURCE_IP: "our sending IP",
    Scope.CONTENT: "the content",
    Scope.ACCOUNT: "the account",
    Scope.SERVICE: "Waybill",
}


def find(case: Case) -> BranchFinding:
    """What this branch came to."""
    if case.event_of(EventKind.BOUNCE_RECEIVED) is not None:
        text = "The server took the message, and a bounce mail came home later."
        return BranchFinding(verdict=Verdict.PROBLEM, text=text)
    if case.event_of(EventKind.DELIVERED) is not None:
        text = "The server took the message. What it did next - inbox, Junk, quarantine or loss - cannot be seen from here."
        return BranchFinding(verdict=Verdict.UNKNOWN, text=text)
    attempt = case.last_attempt
    if case.blames(Branch.RECEIVER):
        if case.delivery.status is Status.REFUSED:
            text = "No receiving server was asked: Waybill itself does not take the message in this form."
        elif attempt is None:
            text = "The cause on record is one of the receiver's, and no attempt is on record."
        else:
            text = sentence(clause(said_in_attempt(case, attempt), case))
        return BranchFinding(verdict=Verdict.PROBLEM, text=text)
    if attempt is None:
        text = "No receiving server has been asked yet." if case.is_open else "No receiving server was asked."
        return BranchFinding(verdict=Verdict.NOT_APPLICABLE, text=text)
    return _find_elsewhere(attempt)


def _find_elsewhere(attempt: Attempt) -> BranchFinding:
    """The cause is none of the receiver's: did a server answer at all?"""
    if attempt.outcome.responder is Responder.REMOTE:
        return BranchFinding(verdict=Verdict.OK, text="A server answered, and its answer belongs to another branch.")
    if attempt.outcome.responder is Responder.WAYBILL:
        return BranchFinding(verdict=Verdict.NOT_APPLICABLE, text="Waybill did not get as far as asking a server.")
    return BranchFinding(verdict=Verdict.UNKNOWN, text="No server answered.")


def tell_refused(case: Case) -> Telling:
    """A refusal, final or for now, by a server, the DNS or the network."""
    if case.cause is Cause.PROVIDER_INCIDENT and (waiting := incident.tell(case)):
        return waiting
    event = case.decisive
    assert event is not None
    assert isinstance(event.fact, Attempted)
    attempt = event.fact.attempt
    outcome = attempt.outcome
    said = said_in_attempt(case, attempt)
    stands = case.cause if case.is_open else case.delivery.cause
    more = f" {CATALOGUE[stands].meaning}" if stands not in {None, outcome.cause} and stands is not None else ""
    yet = " yet" if case.is_open else ""
    evidence = [attempt_evidence(event, event.fact)]
    first_event, first = case.attempted[0]
    if first_event.id != event.id and first.attempt.outcome.diagnostic != outcome.diagnostic:
        evidence.append(attempt_evidence(first_event, first))
    return Telling(
        headline=f"{case.recipient}: not delivered{yet}. {sentence(clause(said, case))}{more}{_perhaps_ours(said, case)}",
        evidence=(*evidence, *auth_evidence(case, attempt), *context_evidence(case)),
        remedies=remedies_for(said, case),
        scope=outcome.scope,
        responder=outcome.responder,
        permanent=outcome.permanent,
        confidence=outcome.confidence,
        effect=_effect_of(case, attempt),
    )


def _perhaps_ours(said: Said, case: Case) -> str:
    """What the headline adds where many domains met the same: then it is hardly this one's fault."""
    if not case.domains_alike:
        return ""
    return f" Mail to {count(case.domains_alike, 'domain')} met the same, so the fault may lie with {our_side(said.cause)}."


def _listed(case: Case, rule: str) -> str | None:
    lists = " and ".join(
        "your suppression list" if added.list == "account" else "this installation's global list"
        for added in case.added
    )
    return f"The address is on {lists} since then (rule {rule})." if lists else None


def _effect_of(case: Case, attempt: Attempt) -> str | None:
    """What Waybill did because of the answer: listed the recipient, or on purpose did not."""
    outcome = attempt.outcome
    if listed := _listed(case, outcome.rule):
        return listed
    if outcome.result is not Result.BOUNCED or case.delivery.status is not Status.BOUNCED:
        return None
    if outcome.suppress:
        if is_simulated(case.recipient):
            return "The address was put on no suppression list: the mailbox simulator's never are."
        return "The address was put on no suppression list: suppression for bounces is off for this message."
    return f"The address was NOT put on a suppression list: {_why_not_listed(outcome)}."


def _why_not_listed(outcome: Outcome) -> str:
    if outcome.responder is Responder.WAYBILL:
        return "no server has refused it"
    if outcome.scope is not Scope.RECIPIENT:
        return f"this is about {_ABOUT[outcome.scope]}, not about the address"
    if outcome.permanent and outcome.confidence != "certain":
        return "the words leave some doubt"
    return "the refusal does not say that the address is wrong"


def tell_returned(case: Case) -> Telling:
    """A bounce mail that came home after the server had taken the message."""
    event = case.decisive
    assert event is not None
    fact = event.fact
    assert isinstance(fact, BounceReceived)
    by = without_type(fact.reporting_mta) or f"the receiving side of {case.domain}"
    said = said_in_report(fact)
    evidence = [
        Evidence(
            at=event.at,
            kind="report",
            source=f"bounce mail from {by}",
            text=quoted(without_type(fact.diagnostic)),
            event=event.id,
        )
    ]
    delivered = case.event_of(EventKind.DELIVERED)
    if delivered is not None and isinstance(delivered.fact, Attempted):
        evidence.append(attempt_evidence(delivered, delivered.fact))
    unlisted = (
        "The address was put on no suppression list: the mailbox simulator's never are."
        if is_simulated(case.recipient)
        else "The address was NOT put on a suppression list by this report."
    )
    return Telling(
        headline=f"{case.recipient}: came back in a bounce mail, after it had been taken. {sentence(clause(said, case))}",
        evidence=(*evidence, *auth_evidence(case, case.last_attempt), *context_evidence(case)),
        remedies=remedies_for(said, case),
        scope=fact.scope,
        responder=Responder.REMOTE,
        permanent=fact.permanent,
        effect=_listed(case, fact.rule) or unlisted,
    )
