"""Explain: a pure, versioned function of facts."""

from collections.abc import Callable
from dataclasses import replace

from waybill.explain import accepted, account, address, amazon, delay, held, incident, receiver, service, spam, template
from waybill.explain.case import SENDING_POOL, Case
from waybill.explain.content import with_risks, with_verdict
from waybill.explain.delays import split_delay
from waybill.explain.facts import Facts
from waybill.explain.hypotheses import hypotheses
from waybill.explain.listed import with_listings
from waybill.explain.live import compare
from waybill.explain.rates import with_rates
from waybill.explain.record import BranchFinding, Explanation, Next, RecipientExplanation, Telling
from waybill.explain.timeline import list_events
from waybill.explain.words import clock
from waybill.model.address import comparable
from waybill.model.cause import CATALOGUE, Branch, Cause
from waybill.model.clock import Instant
from waybill.model.event import (
    Attempted,
    BounceReceived,
    Complained,
    Expired,
    Held,
    MalwareFound,
    Refused,
    RenderingFailed,
    Suppressed,
)
from waybill.model.message import Delivery, Source, Status

_BRANCHES: dict[Branch, Callable[[Case], BranchFinding]] = {
    Branch.TEMPLATE: template.find,
    Branch.ADDRESS: address.find,
    Branch.RECEIVER: receiver.find,
    Branch.SPAM: spam.find,
    Branch.DELAY: delay.find,
    Branch.SERVICE: service.find,
}

_FINAL = frozenset({Cause.COMPLAINT, Cause.UNSUBSCRIBED})
"""Causes that no correction settles."""

_TELLERS: dict[type, Callable[[Case], Telling]] = {
    Refused: account.tell,
    RenderingFailed: template.tell,
    MalwareFound: spam.tell_malware,
    Suppressed: address.tell,
    Held: held.tell_held,
    Attempted: receiver.tell_refused,
    Expired: delay.tell_expired,
    BounceReceived: receiver.tell_returned,
    Complained: spam.tell_complained,
}


def explain(facts: Facts, now: Instant) -> Explanation:
    """Where the message is for each recipient, why, who said so, and what to do. ``now`` dates what is still open."""
    message = facts.message
    return Explanation(
        message_id=message.id,
        accepted_at=message.accepted_at,
        source=message.source,
        sender=message.source_header,
        subject=message.subject,
        configuration_set=message.configuration_set,
        recipients=tuple(_explain_delivery(facts, delivery, now) for delivery in facts.deliveries),
    )


def _explain_delivery(facts: Facts, delivery: Delivery, now: Instant) -> RecipientExplanation:
    case = Case(
        message=facts.message,
        delivery=delivery,
        events=tuple(event for event in facts.events if event.recipient in {None, delivery.recipient}),
        now=now,
        suppressions=tuple(
            entry for entry in facts.suppressions if comparable(entry.address) == comparable(delivery.recipient)
        ),
        history=facts.history.get(delivery.id),
        site=facts.sites.get(delivery.id),
        health=facts.health,
        likeness=facts.likeness.get(delivery.id),
        authentications=facts.authentications,
        listings=facts.listings,
        rates=facts.rates,
    )
    case = replace(case, incidents=incident.touching(facts.incidents, case))
    if facts.message.source is Source.AMAZON_SES:
        live = compare(case, facts.live[delivery.id]) if delivery.id in facts.live else None
        return replace(amazon.explain_delivery(case), live=live)
    cause = case.cause
    telling = _tell(case)
    telling = replace(telling, evidence=(*telling.evidence, *service.interruptions(case)))
    telling = incident.with_incidents(case, telling)
    telling = with_rates(case, with_listings(case, telling))
    telling = with_risks(case, telling)
    branches = {branch: find(case) for branch, find in _BRANCHES.items()}
    of_incident = incident.find(case)
    if of_incident is not None:
        branches[Branch.SERVICE] = service.with_faults(case, of_incident)
    branches[Branch.ADDRESS] = incident.find_address(case) or branches[Branch.ADDRESS]
    branches[Branch.SPAM] = with_verdict(case, branches[Branch.SPAM])
    return RecipientExplanation(
        recipient=delivery.recipient,
        status=delivery.status,
        cause=cause,
        underlying_cause=case.underlying_cause,
        branch=CATALOGUE[cause].branch if cause else None,
        telling=telling,
        branches=branches,
        delay=split_delay(case),
        next=_next(case, telling),
        timeline=list_events(case),
        hypotheses=() if incident.is_ours(case) else hypotheses(case),
        live=compare(case, facts.live[delivery.id]) if delivery.id in facts.live else None,
    )


def _tell(case: Case) -> Telling:
    if case.is_stuck:
        return service.tell_stuck(case)
    decisive = case.decisive
    if decisive is None:
        waiting = case.delivery.status is Status.QUEUED
        return delay.tell_waiting(case) if waiting else service.tell_unrecorded(case)
    if case.delivery.status is Status.DELIVERED:
        return accepted.tell(case)
    return _TELLERS[type(decisive.fact)](case)


def _next(case: Case, telling: Telling) -> Next:
    delivery = case.delivery
    if case.is_open:
        retry_at = case.held_until if case.is_held else delivery.next_at
        return Next(
            text=incident.next_text(case) or _what_waits(case), retry_at=retry_at, expires_at=delivery.expires_at
        )
    if delivery.status is Status.DELIVERED:
        return Next(text="Nothing more from Waybill. If a bounce or a complaint comes home, this answer changes.")
    if delivery.status is Status.REFUSED:
        return Next(text="Nothing: the request is over. When the cause is settled, send it again.")
    if case.cause in _FINAL or (telling.permanent and case.cause and CATALOGUE[case.cause].suppress):
        return Next(text="Nothing: this is final.")
    return Next(text="Nothing: Waybill does not send this message again. When the cause is settled, send it anew.")


def _what_waits(case: Case) -> str:
    delivery, decisive = case.delivery, case.decisive
    latest = f"It can wait until {clock(delivery.expires_at)}."
    if case.is_stuck:
        return f"Nothing, until a worker takes it up. {latest}"
    if case.is_untaken:
        return f"It is attempted once a worker takes it up. {latest}"
    if decisive is not None and isinstance(decisive.fact, Held):
        ends = "It goes on by itself when the wait ends." if case.held_until is not None else "It waits to be released."
        if decisive.fact.limit == SENDING_POOL:
            ends = "It waits for an address to go from."
        return f"{ends} {latest}"
    if case.gives_up_next:
        return f"Waybill gives up at {clock(delivery.expires_at)}, before another attempt would be due."
    if delivery.status is Status.DELAYED and delivery.next_at is not None:
        return f"Waybill tries again at {clock(delivery.next_at)}. It gives up at {clock(delivery.expires_at)}."
    return f"It is attempted as soon as a worker is free. {latest}"
