"""Explain: a pure, versioned function of facts."""

from collections.abc import Callable

from waybill.explain import account, address, delay, receiver, service, spam, template
from waybill.explain.case import Case
from waybill.explain.delays import split_delay
from waybill.explain.facts import Facts
from waybill.explain.record import BranchFinding, Explanation, Next, RecipientExplanation, Telling
from waybill.explain.timeline import list_events
from waybill.explain.words import clock
from waybill.model.cause import CATALOGUE, Branch, Cause
from waybill.model.clock import Instant
from waybill.model.event import BounceReceived, Expired
from waybill.model.message import Delivery, Status

_BRANCHES: dict[Branch, Callable[[Case], BranchFinding]] = {
    Branch.TEMPLATE: template.find,
    Branch.ADDRESS: address.find,
    Branch.RECEIVER: receiver.find,
    Branch.SPAM: spam.find,
    Branch.DELAY: delay.find,
    Branch.SERVICE: service.find,
}

_TELLERS: dict[Status, Callable[[Case], Telling]] = {
    Status.QUEUED: delay.tell_held,
    Status.DELAYED: receiver.tell_refused,
    Status.DELIVERED: receiver.tell_accepted,
    Status.BOUNCED: receiver.tell_refused,
    Status.SUPPRESSED: address.tell,
    Status.REJECTED: spam.tell_malware,
    Status.RENDERING_FAILED: template.tell,
    Status.COMPLAINED: spam.tell_complained,
    Status.REFUSED: account.tell,
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
            entry for entry in facts.suppressions if entry.address.lower() == delivery.recipient.lower()
        ),
        history=facts.history.get(delivery.id),
    )
    cause = case.cause
    return RecipientExplanation(
        recipient=delivery.recipient,
        status=delivery.status,
        cause=cause,
        underlying_cause=delivery.underlying_cause if cause is not Cause.STUCK else delivery.cause,
        branch=CATALOGUE[cause].branch if cause else None,
        telling=_teller(case)(case),
        branches={branch: find(case) for branch, find in _BRANCHES.items()},
        delay=split_delay(case),
        next=_next(case),
        timeline=list_events(case),
    )


def _teller(case: Case) -> Callable[[Case], Telling]:
    if case.is_stuck:
        return service.tell_stuck
    decisive = case.decisive
    if decisive is not None and isinstance(decisive.fact, Expired):
        return delay.tell_expired
    if decisive is not None and isinstance(decisive.fact, BounceReceived):
        return receiver.tell_returned
    return _TELLERS[case.delivery.status]


def _next(case: Case) -> Next:
    delivery = case.delivery
    if case.is_stuck:
        text = "Nothing, until a worker takes it up."
        return Next(text=text, retry_at=None, expires_at=delivery.expires_at)
    if delivery.status is Status.QUEUED:
        return Next(
            text="It is attempted as soon as a worker is free.",
            retry_at=delivery.next_at,
            expires_at=delivery.expires_at,
        )
    if delivery.status is Status.DELAYED:
        at = f" at {clock(delivery.next_at)}" if delivery.next_at is not None else ""
        text = f"Waybill tries again{at}, at the latest until {clock(delivery.expires_at)}."
        return Next(text=text, retry_at=delivery.next_at, expires_at=delivery.expires_at)
    if delivery.status is Status.DELIVERED:
        return Next(text="Nothing more from Waybill. If a bounce or complaint comes home, this answer changes.")
    if delivery.status in {Status.RENDERING_FAILED, Status.SUPPRESSED, Status.REJECTED}:
        return Next(text="Nothing: this message will not be sent. When the cause is settled, send it again.")
    return Next(text="Nothing: this is final.")
