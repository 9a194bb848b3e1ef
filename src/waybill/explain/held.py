"""A message that Waybill itself holds back: why, since when, until when, who decided so, and how to undo it."""

import re

from waybill.explain.case import SENDING_POOL, UNREACHABLE, Case
from waybill.explain.commands import command
from waybill.explain.evidence import attempt_evidence, context_evidence
from waybill.explain.record import Evidence, Remedy, Telling, Who
from waybill.explain.remedies import operator, sender, take_up
from waybill.explain.words import author, clock, quoted
from waybill.model.cause import CATALOGUE, Responder, Scope
from waybill.model.event import Event, Held

DEFAULT_POOL = "ses-default-dedicated-pool"
"""What Amazon SES calls the addresses that are in no pool of the account's own."""

SUSPENSION = "suspension"
BY_HAND = "operator"


def tell_held(case: Case) -> Telling:
    """Waybill itself holds the message."""
    event = case.decisive
    assert event is not None
    fact = event.fact
    assert isinstance(fact, Held)
    attempted = case.attempted
    behind = case.underlying_cause
    dead = fact.limit == UNREACHABLE
    over = " That is over, and no worker has taken it yet." if case.is_untaken else ""
    return Telling(
        headline=f"{case.recipient}: not delivered yet. Waybill holds it back {_until(case, fact)}. {brief(fact)}.{over}",
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


def _until(case: Case, fact: Held) -> str:
    ends = case.hold_ends
    if fact.limit == SENDING_POOL:
        return "as long as there is no address for it to go from"
    return f"until about {clock(ends)}" if ends is not None else "until somebody releases it"


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
    if fact.limit == SENDING_POOL:
        return _find_address(case)
    if case.is_untaken:
        return take_up(case)
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
        site = ("--site", case.site or case.domain)
        return (
            waits,
            operator("What else waits for the same servers:", command("queue", "list", options=site)),
            operator(
                "To have them tried at once, when they are there again:", command("queue", "release", options=site)
            ),
        )
    return (waits,)


def _find_address(case: Case) -> tuple[Remedy, ...]:
    """What gives a message an address to go from; it is looked at again every minute."""
    name = case.message.configuration_set
    which = f"the configuration set {name}" if name else "a configuration set"
    expires = f"Unless that is done, the message expires at {clock(case.delivery.expires_at)}."
    return (
        operator(
            f"Put one of this installation's addresses into the pool that the message is to go from "
            f"(PutDedicatedIpInPool; {DEFAULT_POOL} is that of mail without a pool), or have {which} send from another pool "
            f"or from none (PutConfigurationSetDeliveryOptions). It goes within about a minute then. {expires}"
        ),
    )
