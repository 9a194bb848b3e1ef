"""Branch 4: spam placement, authentication, reputation, complaints."""

from waybill.explain.authentication import dmarc_result, summary
from waybill.explain.case import Case
from waybill.explain.commands import see_events, take_off_list
from waybill.explain.evidence import attempt_evidence
from waybill.explain.record import BranchFinding, Evidence, Remedy, Telling, Verdict
from waybill.explain.remedies import sender, with_simulator_note
from waybill.explain.said import clause, said_in_attempt, sentence
from waybill.explain.words import quoted, span
from waybill.model.authentication import DmarcResult
from waybill.model.cause import CATALOGUE, Branch, Cause, Responder, Scope
from waybill.model.event import Attempted, Complained, EventKind, MalwareFound
from waybill.model.message import Status
from waybill.model.simulator import is_simulated

_UNNAMED = frozenset({Cause.POLICY_REJECTED, Cause.UNDETERMINED})
"""Refusals that leave open what they are for."""

_COMPLAINTS = {
    None: "the recipient marked it as spam",
    "abuse": "the recipient marked it as spam",
    "fraud": "the recipient reported it as fraud",
    "virus": "the recipient reported that it carries a virus",
    "opt-out": "the recipient asked to be taken off the list",
    "opt-out-list": "the recipient asked to be taken off the list",
    "not-spam": "the recipient reported that it is not spam",
}
"""What the feedback types of RFC 5965 §7.3 mean."""


def find(case: Case) -> BranchFinding:
    """What this branch came to."""
    if case.event_of(EventKind.COMPLAINED) is not None or case.delivery.status is Status.REJECTED:
        rejected = case.delivery.status is Status.REJECTED
        text = "Waybill found malware in the message." if rejected else "A complaint about the message came home."
        return BranchFinding(verdict=Verdict.PROBLEM, text=text)
    attempt = case.last_attempt
    if case.blames(Branch.SPAM):
        return BranchFinding(verdict=Verdict.PROBLEM, text=_judgement(case))
    if case.event_of(EventKind.DELIVERED) is not None:
        seen = summary(case, attempt)
        first = f"{seen}. " if seen else ""
        text = f"{first}No complaint has come home. Inbox or Junk is decided by the receiver, and is not told to us."
        return BranchFinding(verdict=Verdict.UNKNOWN, text=text)
    if attempt is None or attempt.outcome.responder is not Responder.REMOTE:
        return BranchFinding(verdict=Verdict.NOT_APPLICABLE, text="No receiver has judged the message.")
    text = "The receiver's answer does not speak of spam, authentication or reputation."
    if case.cause in _UNNAMED and dmarc_result(case) is DmarcResult.FAIL:
        text = f"{text} DMARC failed when it was sent, which may be behind it all the same."
        return BranchFinding(verdict=Verdict.UNKNOWN, text=text)
    return BranchFinding(verdict=Verdict.OK, text=text)


def _judgement(case: Case) -> str:
    """What was said against the message: by the attempt where it failed, else by what came after."""
    attempt = case.last_attempt
    if attempt is not None and attempt.outcome.cause is not Cause.ACCEPTED_BY_RECEIVER:
        return sentence(clause(said_in_attempt(case, attempt), case))
    cause = case.cause if case.cause and CATALOGUE[case.cause].branch is Branch.SPAM else case.underlying_cause
    assert cause is not None
    return CATALOGUE[cause].meaning


def tell_complained(case: Case) -> Telling:
    """The recipient complained."""
    event = case.decisive
    assert event is not None
    fact = event.fact
    assert isinstance(fact, Complained)
    kind = fact.feedback_type.lower() if fact.feedback_type else None
    said = _COMPLAINTS.get(kind, f"a complaint of the type {fact.feedback_type} came home")
    evidence = [
        Evidence(
            at=event.at,
            kind="report",
            source=f"complaint report from {fact.reported_by or 'an unnamed reporter'}",
            text=f"Feedback-Type: {fact.feedback_type or 'not given'}, User-Agent: {fact.user_agent or 'not given'}",
            event=event.id,
        )
    ]
    delivered = case.event_of(EventKind.DELIVERED)
    after = ""
    if delivered is not None and isinstance(delivered.fact, Attempted):
        after = f", {span(max(0, event.at - delivered.at))} after it was taken"
        evidence.append(attempt_evidence(delivered, delivered.fact))
    lists = {added.list for added in case.added}
    named = " and ".join("your suppression list" if name == "account" else "the global list" for name in sorted(lists))
    return Telling(
        headline=f"{case.recipient}: delivered, and then {said}{after}.",
        evidence=tuple(evidence),
        remedies=_after_complaint(case, lists),
        scope=Scope.RECIPIENT,
        responder=Responder.RECIPIENT,
        permanent=True,
        effect=f"The address is on {named} since then." if lists else None,
    )


def _after_complaint(case: Case, lists: set[str]) -> tuple[Remedy, ...]:
    stop = sender(
        "Do not write to this person again. Look at how the address was collected, and how easy it is to unsubscribe."
    )
    text = "Only if the recipient asks you to write again, take the address off the list."
    undo = (sender(text, take_off_list(case, case.recipient, on_global=name == "global")) for name in sorted(lists))
    remedies = (stop, *undo)
    return with_simulator_note(remedies) if is_simulated(case.recipient) else remedies


def tell_malware(case: Case) -> Telling:
    """Our own scan found malware."""
    event = case.decisive
    assert event is not None
    fact = event.fact
    assert isinstance(fact, MalwareFound)
    return Telling(
        headline=f"{case.recipient}: not sent. Waybill found malware in the message ({fact.where}).",
        evidence=(
            Evidence(
                at=event.at,
                kind="scan",
                source="Waybill's own scan at acceptance",
                text=quoted(f"{fact.signature} in {fact.where} (to SES clients: {fact.reason})"),
                event=event.id,
            ),
        ),
        remedies=(
            sender("Remove it, scan the system that it came from, then send the message again."),
            sender("All that is on record of the message:", see_events(case)),
        ),
        scope=Scope.CONTENT,
        responder=Responder.WAYBILL,
        permanent=True,
    )
