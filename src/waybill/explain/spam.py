"""Branch 4: spam placement, authentication, reputation, complaints."""

import shlex

from waybill.explain.case import Case
from waybill.explain.record import BranchFinding, Evidence, Remedy, Telling, Verdict, Who
from waybill.explain.remedies import command
from waybill.explain.said import clause, sentence
from waybill.explain.words import span
from waybill.model.cause import CATALOGUE, Branch, Responder, Scope
from waybill.model.event import Attempted, Complained, EventKind, MalwareFound
from waybill.model.message import Status


def find(case: Case) -> BranchFinding:
    """What this branch came to."""
    if case.delivery.status is Status.COMPLAINED:
        return BranchFinding(verdict=Verdict.PROBLEM, text="The recipient marked the message as spam.")
    if case.delivery.status is Status.REJECTED:
        return BranchFinding(verdict=Verdict.PROBLEM, text="Waybill found malware in the message.")
    outcome = case.outcome
    if outcome is not None and CATALOGUE[outcome.cause].branch is Branch.SPAM:
        return BranchFinding(verdict=Verdict.PROBLEM, text=sentence(clause(outcome.cause, outcome, case)))
    if case.event_of(EventKind.DELIVERED) is not None:
        return BranchFinding(
            verdict=Verdict.UNKNOWN,
            text="No complaint has come home. Inbox or Junk is decided by the receiver, and is not told to us.",
        )
    if outcome is None:
        return BranchFinding(verdict=Verdict.NOT_APPLICABLE, text="No receiver has judged the message.")
    return BranchFinding(
        verdict=Verdict.OK, text="The receiver's answer does not speak of spam, authentication or reputation."
    )


def tell_complained(case: Case) -> Telling:
    """The recipient complained."""
    event = case.decisive
    assert event is not None
    fact = event.fact
    assert isinstance(fact, Complained)
    kind = fact.feedback_type or "no type given"
    evidence = [
        Evidence(
            at=event.at,
            kind="report",
            source=f"complaint report from {fact.reported_by}",
            text=f"feedback type {kind}, user agent {fact.user_agent or 'not given'} (RFC 5965)",
            event=event.id,
        )
    ]
    delivered = case.event_of(EventKind.DELIVERED)
    after = ""
    if delivered is not None and isinstance(delivered.fact, Attempted):
        after = f", {span(max(0, event.at - delivered.at))} after it was delivered"
        reply = delivered.fact.attempt.outcome.diagnostic
        evidence.append(
            Evidence(at=delivered.at, kind="smtp_reply", source="the receiving server", text=reply, event=delivered.id)
        )
    remedies = [
        Remedy(
            who=Who.SENDER,
            text="Do not write to this person again. Look at how the address was collected, and how easy it is to unsubscribe.",
        )
    ]
    if case.added:
        remove = command(case, "suppression", "remove", case.recipient)
        text = "Only if the recipient asks you to write again, take the address off your suppression list."
        remedies.append(Remedy(who=Who.SENDER, text=text, command=remove))
    listed = " and ".join(f"the {added.list} suppression list" for added in case.added)
    return Telling(
        headline=f"{case.recipient}: delivered, and then the recipient marked it as spam{after}.",
        evidence=tuple(evidence),
        remedies=tuple(remedies),
        scope=Scope.RECIPIENT,
        responder=Responder.RECIPIENT,
        permanent=True,
        effect=f"The address is on {listed} since then." if listed else None,
    )


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
                text=f"{fact.signature} in {fact.where}; SES calls it: {fact.reason}",
                event=event.id,
            ),
        ),
        remedies=(
            Remedy(
                who=Who.SENDER,
                text="Remove the file, and scan the system that it came from.",
                command=shlex.join(["waybill", "events", case.message.id]),
            ),
        ),
        scope=Scope.CONTENT,
        responder=Responder.WAYBILL,
        permanent=True,
    )
