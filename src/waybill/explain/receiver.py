"""Branch 3: did the receiving server refuse, or take the message and do what we cannot see?"""

from waybill.explain.case import Case
from waybill.explain.record import BranchFinding, Evidence, Remedy, Telling, Verdict, Who
from waybill.explain.remedies import remedies_for, to_recipient_admin, transcript
from waybill.explain.said import clause, sentence
from waybill.explain.words import clock, count, server, span, verbatim
from waybill.model.cause import CATALOGUE, Branch, Responder
from waybill.model.event import Attempted, BounceReceived, Event, EventKind
from waybill.model.message import Status
from waybill.model.outcome import Outcome, Result


def find(case: Case) -> BranchFinding:
    """What this branch came to."""
    delivered = case.event_of(EventKind.DELIVERED)
    cause = case.delivery.cause
    returned = case.event_of(EventKind.BOUNCE_RECEIVED)
    if returned is not None:
        text = "The server took the message with 250, and a bounce mail came home later."
        return BranchFinding(verdict=Verdict.PROBLEM, text=text)
    if delivered is not None:
        text = "The server took the message (250). What it did next - inbox, Junk, quarantine or loss - cannot be seen from here."
        return BranchFinding(verdict=Verdict.UNKNOWN, text=text)
    outcome = case.outcome
    if outcome is None:
        text = "No receiving server has been asked yet." if case.is_open else "No receiving server was asked."
        return BranchFinding(verdict=Verdict.NOT_APPLICABLE, text=text)
    said = sentence(clause(outcome.cause, outcome, case))
    if cause is not None and CATALOGUE[outcome.cause].branch is Branch.RECEIVER:
        return BranchFinding(verdict=Verdict.PROBLEM, text=said)
    if outcome.responder is Responder.REMOTE:
        return BranchFinding(verdict=Verdict.OK, text="The server answered, and its answer belongs to another branch.")
    return BranchFinding(verdict=Verdict.UNKNOWN, text="No server answered.")


def attempt_evidence(event: Event, fact: Attempted) -> Evidence:
    """The answer of an attempt, verbatim."""
    attempt = fact.attempt
    outcome = attempt.outcome
    if outcome.reply is not None:
        step = f", answering {outcome.command}" if outcome.command else ""
        source = f"{server(attempt, outcome)}{step}, attempt {attempt.number}"
        return Evidence(at=event.at, kind="smtp_reply", source=source, text=verbatim(outcome.reply), event=event.id)
    kind = "dns" if outcome.responder is Responder.DNS else "network"
    source = "DNS" if kind == "dns" else server(attempt, outcome)
    return Evidence(
        at=event.at,
        kind=kind,
        source=f"{source}, attempt {attempt.number}",
        text=outcome.diagnostic.removeprefix("smtp; "),
        event=event.id,
    )


def context_evidence(case: Case) -> tuple[Evidence, ...]:
    """What else the ledger knows of this domain and address, where it bears on the answer."""
    history = case.history
    if history is None:
        return ()
    parts = []
    if history.delivered_to_domain:
        parts.append(
            f"{count(history.delivered_to_domain, 'other message')} to {case.domain} taken in the last 24 hours"
        )
    elif history.last_delivered_to_domain is not None:
        ago = span(max(0, case.now - history.last_delivered_to_domain))
        parts.append(f"{case.domain} last took a message from us {ago} ago")
    if history.last_delivered_to_address is not None:
        parts.append(
            f"this address last took a message {span(max(0, case.now - history.last_delivered_to_address))} ago"
        )
    failed = case.outcome is not None and case.outcome.result is not Result.DELIVERED
    if failed and history.same_cause_messages and history.same_cause_since is not None:
        others = count(history.same_cause_messages, "other recipient")
        domains = count(history.same_cause_domains, "domain")
        parts.append(f"{others} at {domains} met the same cause since {clock(history.same_cause_since)}")
    if not parts:
        return ()
    return (Evidence(at=case.now, kind="ledger", source="Waybill's ledger", text="; ".join(parts)),)


def tell_refused(case: Case) -> Telling:
    """A refusal, final or for now, by a server, the DNS or the network."""
    event = case.decisive
    assert event is not None
    assert isinstance(event.fact, Attempted)
    fact = event.fact
    outcome = fact.attempt.outcome
    said = sentence(clause(outcome.cause, outcome, case))
    if case.is_open:
        headline = f"{case.recipient}: not delivered yet. {said}"
    else:
        headline = f"{case.recipient}: not delivered. {said}"
    evidence = [attempt_evidence(event, fact)]
    first_event, first = case.attempted[0]
    if first_event.id != event.id and first.attempt.outcome.diagnostic != outcome.diagnostic:
        evidence.append(attempt_evidence(first_event, first))
    return Telling(
        headline=headline,
        evidence=(*evidence, *context_evidence(case)),
        remedies=remedies_for(outcome.cause, case),
        scope=outcome.scope,
        responder=outcome.responder,
        permanent=outcome.permanent,
        confidence=outcome.confidence,
        effect=effect_of(case, outcome),
    )


def effect_of(case: Case, outcome: Outcome) -> str | None:
    """What Waybill did because of the answer: listed the recipient, or on purpose did not."""
    lists = " and ".join(f"the {added.list} suppression list" for added in case.added)
    if lists:
        return f"The address is on {lists} since then (rule {outcome.rule})."
    if outcome.result is Result.BOUNCED and case.delivery.status is Status.BOUNCED:
        about = outcome.scope.value.replace("_", " ")
        if outcome.suppress:
            return "The address was put on no suppression list: the mailbox simulator's are never listed, or suppression is switched off."
        return f"The address was NOT put on a suppression list: the refusal is about the {about}."
    return None


def tell_returned(case: Case) -> Telling:
    """A bounce mail that came home after the 250."""
    event = case.decisive
    assert event is not None
    fact = event.fact
    assert isinstance(fact, BounceReceived)
    by = fact.reporting_mta or f"the receiving side of {case.domain}"
    evidence = [
        Evidence(at=event.at, kind="report", source=f"bounce mail from {by}", text=fact.diagnostic, event=event.id)
    ]
    delivered = case.event_of(EventKind.DELIVERED)
    if delivered is not None and isinstance(delivered.fact, Attempted):
        evidence.append(attempt_evidence(delivered, delivered.fact))
    said = clause(fact.cause, case.outcome, case) if case.outcome else "it came back"
    lists = " and ".join(f"the {added.list} suppression list" for added in case.added)
    return Telling(
        headline=f"{case.recipient}: came back. The server had taken it, then sent a bounce mail: {said}.",
        evidence=tuple(evidence),
        remedies=remedies_for(fact.cause, case),
        scope=fact.scope,
        responder=Responder.REMOTE,
        permanent=fact.permanent,
        effect=f"The address is on {lists} since then (rule {fact.rule})." if lists else None,
    )


def tell_accepted(case: Case) -> Telling:
    """250, and then nothing: what is known, what is not, and the line to search by."""
    event = case.decisive
    assert event is not None
    fact = event.fact
    assert isinstance(fact, Attempted)
    attempt, outcome = fact.attempt, fact.attempt.outcome
    earlier = [(seen, attempted) for seen, attempted in case.attempted if seen.id != event.id]
    took = attempt.ended_at - case.message.accepted_at
    headline = f"{case.recipient}: accepted by {case.domain}'s server. Whether it reached the inbox is decided there, and nobody tells us."
    evidence = [attempt_evidence(event, fact)]
    if earlier:
        first_event, first = earlier[0]
        why = sentence(clause(first.attempt.outcome.cause, first.attempt.outcome, case))
        headline = f"{case.recipient}: accepted by {case.domain}'s server after {span(took)}. {why} Inbox or Junk is decided there."
        evidence.append(attempt_evidence(first_event, first))
    evidence.append(Evidence(at=case.now, kind="known", source="Waybill's ledger", text=_known(case, fact)))
    evidence.append(
        Evidence(
            at=case.now,
            kind="unknown",
            source=case.domain,
            text=f"inbox, Junk, quarantine, a rule of the recipient or administrator, or a fault inside {case.domain}",
        )
    )
    return Telling(
        headline=headline,
        evidence=(*evidence, *context_evidence(case)),
        remedies=(
            Remedy(who=Who.RECIPIENT, text="Look in Junk or Spam, and search all folders for the subject."),
            to_recipient_admin(case, f"Ask the administrator of {case.domain} what became of it."),
            transcript(case, "The whole conversation, as proof of delivery."),
        ),
        scope=outcome.scope,
        responder=Responder.REMOTE,
        permanent=False,
        confidence=outcome.confidence,
    )


def _known(case: Case, fact: Attempted) -> str:
    attempt = fact.attempt
    since = max(0, case.now - attempt.ended_at)
    tls = f"over {attempt.tls.version}" if attempt.tls else "without encryption (the server offered no TLS)"
    known = [f"taken in full, {case.message.size:,} bytes, {tls}"]
    if case.event_of(EventKind.AUTO_REPLIED) is not None:
        known.append("an automatic reply (out of office) came home, so a mailbox took it")
    known.append(f"no bounce and no complaint since ({span(since)})")
    return "; ".join(known)
