"""What an answer rests on: an attempt's words, and what else the ledger knows that bears on them."""

from waybill.explain.case import Case
from waybill.explain.meant import likeness_noted
from waybill.explain.record import Evidence
from waybill.explain.words import clock, count, quoted, server, span, verbatim
from waybill.mail.reply import without_type
from waybill.model.cause import CATALOGUE, Branch, Responder, Scope
from waybill.model.event import Attempted, Event
from waybill.model.message import Status
from waybill.model.simulator import is_simulated

_KINDS = {
    Responder.DNS: "dns",
    Responder.NETWORK: "network",
    Responder.WAYBILL: "waybill",
    Responder.REMOTE: "smtp",
    Responder.RECIPIENT: "report",
}
_SETTLED = frozenset({Status.DELIVERED, Status.COMPLAINED})


def attempt_evidence(event: Event, fact: Attempted) -> Evidence:
    """The answer of an attempt, verbatim."""
    attempt = fact.attempt
    outcome = attempt.outcome
    if outcome.reply is not None:
        source = f"{server(attempt, outcome)}{_step(outcome.command)}, attempt {attempt.number}"
        return Evidence(at=event.at, kind="smtp_reply", source=source, text=verbatim(outcome.reply), event=event.id)
    kind = _KINDS[outcome.responder]
    who = "the DNS" if kind == "dns" else f"Waybill, at {server(attempt, outcome)}" if attempt.ip else "Waybill"
    return Evidence(
        at=event.at,
        kind=kind,
        source=f"{who}, attempt {attempt.number}",
        text=quoted(without_type(outcome.diagnostic)),
        event=event.id,
    )


def _step(command: str | None) -> str:
    """Which command was answered, for people: the full stop that ends DATA is the message."""
    if not command:
        return ""
    if command == ".":
        return ", answering the message"
    return f", answering {command.partition(':')[0]}"


def context_evidence(case: Case) -> tuple[Evidence, ...]:
    """What else the ledger knows of this domain and address, where it bears on the answer."""
    history = case.history
    if history is None or is_simulated(case.recipient):
        return ()
    parts = []
    if history.delivered_to_domain:
        parts.append(
            f"{case.domain} took {count(history.delivered_to_domain, 'other message')} from us in the last 24 hours"
        )
    elif history.last_delivered_to_domain is not None:
        parts.append(f"{case.domain} last took a message from us {_ago(case, history.last_delivered_to_domain)}")
    if history.last_delivered_to_address is not None:
        then = ": it existed then" if case.blames(Branch.ADDRESS) else ""
        parts.append(f"mail to this very address was last taken {_ago(case, history.last_delivered_to_address)}{then}")
    if history.last_bounced_address is not None:
        parts.append(f"mail to this address last bounced {_ago(case, history.last_bounced_address)}")
    others = also_met(case)
    parts.extend([others] if others else [])
    parts.extend(likeness_noted(case))
    return ledger_evidence(case, "; ".join(parts)) if parts else ()


def also_met(case: Case) -> str | None:
    """How many other messages met the same cause, where the cause reaches beyond this recipient."""
    history, cause = case.history, case.delivery.cause
    if history is None or cause is None or case.delivery.status in _SETTLED:
        return None
    if not history.same_cause_messages or history.same_cause_since is None:
        return None
    if CATALOGUE[cause].scope is Scope.RECIPIENT:
        return None
    others = count(history.same_cause_messages, "other message")
    domains = f" to {count(history.same_cause_domains, 'domain')}" if history.same_cause_domains else ""
    return f"{others} of this account{domains} met the same cause since {clock(history.same_cause_since)}"


def ledger_evidence(case: Case, text: str) -> tuple[Evidence, ...]:
    """Something that the ledger shows when all of it is looked at."""
    return (Evidence(at=case.now, kind="ledger", source="Waybill's ledger", text=text),)


def _ago(case: Case, at: int) -> str:
    return f"{span(max(0, case.now - at))} ago"
