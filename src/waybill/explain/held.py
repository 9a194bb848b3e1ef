"""A message that Waybill itself holds back: why, since when, until when, who decided so, and how to undo it."""

import re

from waybill.explain.case import UNREACHABLE, Case
from waybill.explain.commands import command
from waybill.explain.evidence import attempt_evidence, context_evidence
from waybill.explain.record import Evidence, Remedy, Telling, Who
from waybill.explain.remedies import operator, sender
from waybill.explain.words import author, clock, quoted
from waybill.model.cause import CATALOGUE, Responder, Scope
from waybill.model.event import Event, Held

SUSPENSION = "suspension"
BY_HAND = "operator"


def tell_held(case: Case) -> Telling:
    """Waybill itself holds the message."""
    event = case.decisive
    assert event is not None
    fact = event.fact
    assert isinstance(fact, Held)
    until = case.held_until
    ends = f" until about {clock(until)}" if until is not None else " until somebody releases it"
    attempted = case.attempted
    behind = case.underlying_cause
    dead = fact.limit == UNREACHABLE
    return Telling(
        headline=f"{case.recipient}: not delivered yet. Waybill holds it back{ends}. {brief(fact)}.",
        evidence=(
            hold_evidence(event, fact),
            *((attempt_evidence(*attempted[-1]),) if attempted else ()),
            *context_evidence(case),
        ),
        remedies=_undo(case, fact),
        scope=CATALOGUE[behind].scope if dead and behind is not None else Scope.SERVICE,
        responder=Responder.WAYBILL,
        permanent=False,
    )


_ASIDE = re.compile(r" \([^()]*(?:\([^()]*\)[^()]*)*\)$")
_REPLY = re.compile(r"[\s:;,(]*(?:smtp;\s*)?(?:\b[245]\d\d[ -][245]\.|\b[245]\.\d{1,3}\.\d).*", re.DOTALL)


def brief(fact: Held) -> str:
    """The reason for a headline: without the reply that it rests on, which is shown as the proof."""
    text = fact.text.strip().removesuffix(".")
    if fact.limit == UNREACHABLE:
        text = text.partition(": ")[0]
    return _REPLY.sub("", _ASIDE.sub("", text)) or f"The limit is {fact.limit}"


def hold_evidence(event: Event, fact: Held) -> Evidence:
    """The hold as the ledger has it."""
    return Evidence(
        at=event.at,
        kind="hold",
        source=f"Waybill ({fact.limit}, set by {author(fact.by)})",
        text=quoted(fact.text),
        event=event.id,
    )


def _undo(case: Case, fact: Held) -> tuple[Remedy, ...]:
    """What ends the hold before its time. Who only releases mail that a suspension holds sees it held again at once."""
    waits = Remedy(who=Who.NOBODY, text="Nothing: it goes on by itself when the wait ends.")
    if case.held_until is None:
        waits = sender(
            f"Ask whoever runs this Waybill; unless it is released, it expires at {clock(case.delivery.expires_at)}."
        )
    if fact.limit == SUSPENSION:
        end = "To end the suspension, for all mail that goes there:"
        known = command("queue", "resume", argument=case.site) if case.site else command("queue", "suspensions")
        return (waits, operator(end, known))
    if fact.limit == BY_HAND:
        release = command("queue", "release", options=("--message", case.message.id))
        return (waits, operator("To let this message go now:", release))
    if fact.limit == UNREACHABLE:
        others = command("queue", "list", options=("--site", case.site or case.domain))
        return (waits, operator("What else waits for the same servers:", others))
    return (waits,)
