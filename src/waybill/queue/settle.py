"""From an attempt to the settlement that the ledger writes: pure."""

import re
from collections.abc import Iterable
from dataclasses import replace

from waybill.deliver.classify import unknown_fingerprint
from waybill.deliver.suppress import additions, entries_for, grounds_of_bounce
from waybill.model.cause import Cause, Responder, Scope
from waybill.model.clock import MINUTE, Instant
from waybill.model.event import Attempted, Event, EventKind, Expired, Held, NewEvent
from waybill.model.incident import Incident
from waybill.model.message import OPEN_STATUSES, Delivery, Status, new_message_id
from waybill.model.outcome import Attempt, Outcome, Result, Stage
from waybill.model.record import record
from waybill.model.resource import Account, ConfigurationSet
from waybill.model.suppression import Suppression
from waybill.store.observed import UnknownReply
from waybill.store.protocol import Claim, Settlement

_DIAGNOSTIC_KEPT = 500


@record(frozen=True, kw_only=True, slots=True)
class Owner:
    """Whose message it is: what suppression needs to know."""

    account: Account
    configuration_set: ConfigurationSet | None


def settle_attempt(
    claim: Claim,
    attempt: Attempt,
    owner: Owner | None,
    *,
    retry_at: Instant | None,
    dkim_header: bytes | None,
    site: str | None = None,
) -> Settlement:
    """What an attempt writes: the attempt as an event, the new state, and any suppression with its own event.

    ``owner`` must be there where the outcome suppresses. A reply that no rule knows is to be counted.
    """
    delivery, outcome = claim.delivery, attempt.outcome
    at = attempt.ended_at
    recipient = delivery.recipient
    match outcome.result:
        case Result.DELIVERED:
            status, kind = Status.DELIVERED, EventKind.DELIVERED
        case Result.DEFERRED:
            status, kind = Status.DELAYED, EventKind.DEFERRED
        case Result.BOUNCED:
            status, kind = Status.BOUNCED, EventKind.BOUNCED
    feedback_id = new_message_id(at) if kind is EventKind.BOUNCED else None
    fact = Attempted(
        attempt=attempt,
        feedback_id=feedback_id,
        retry_at=retry_at if kind is EventKind.DEFERRED else None,
        expires_at=delivery.expires_at if kind is EventKind.DEFERRED else None,
    )
    events = [NewEvent(kind=kind, at=at, recipient=recipient, fact=fact)]
    entries: tuple[Suppression, ...] = ()
    if feedback_id is not None:
        grounds = grounds_of_bounce(outcome, message_id=delivery.message_id, feedback_id=feedback_id, at=at)
        if grounds is not None and owner is not None:
            entries = entries_for(grounds, recipient, owner.account, owner.configuration_set)
            events.extend(additions(entries, recipient))
    return Settlement(
        delivery_id=delivery.id,
        status=status,
        cause=outcome.cause,
        events=tuple(events),
        lease_owner=delivery.lease_owner,
        attempts=attempt.number,
        next_at=retry_at if kind is EventKind.DEFERRED else None,
        suppressions=entries,
        dkim_header=dkim_header,
        source_ip=attempt.source_ip,
        site=site,
        unknown_reply=_unknown(attempt, site or delivery.domain, delivery.message_id),
    )


def blame(settlement: Settlement, incident: Incident) -> Settlement:
    """The settlement of an attempt whose answer belongs to an open incident: what is tried again waits for its end."""
    if settlement.status not in OPEN_STATUSES:
        return replace(settlement, incident=incident.id)
    return replace(settlement, incident=incident.id, cause=Cause.PROVIDER_INCIDENT, underlying_cause=settlement.cause)


def _unknown(attempt: Attempt, site: str, message_id: str) -> UnknownReply | None:
    outcome = attempt.outcome
    if outcome.result is Result.DELIVERED:
        return None
    found = unknown_fingerprint(outcome)
    if found is None:
        return None
    at = attempt.ended_at
    example = outcome.reply.text if outcome.reply is not None else outcome.diagnostic
    return UnknownReply(fingerprint=found, site=site, example=example, message_id=message_id, first_at=at, last_at=at)


def cause_so_far(delivery: Delivery) -> Cause | None:
    """What an open delivery waits for, apart from Waybill's own holding back."""
    if delivery.cause in (Cause.HELD_BY_WAYBILL, Cause.STUCK):
        return delivery.underlying_cause
    return delivery.cause


def settle_hold(
    delivery: Delivery, held: Held, *, at: Instant, next_at: Instant, cause: Cause | None, tell: bool
) -> Settlement:
    """What holding a delivery back writes. Nothing was tried, so neither its status nor its attempts change.

    ``cause`` is why it could not be delivered now, where nothing was known of that; ``tell`` False: the ledger says so already.
    """
    event = NewEvent(kind=EventKind.HELD, at=at, recipient=delivery.recipient, fact=held)
    return Settlement(
        delivery_id=delivery.id,
        status=delivery.status,
        cause=Cause.HELD_BY_WAYBILL,
        underlying_cause=cause_so_far(delivery) or cause,
        events=(event,) if tell else (),
        lease_owner=delivery.lease_owner,
        next_at=min(next_at, delivery.expires_at),
    )


def broken_attempt(number: int, error: Exception, *, started_at: Instant, ended_at: Instant) -> Attempt:
    """An attempt that failed inside Waybill: a fault of ours is a fact about the delivery too, and is tried again."""
    return Attempt(
        number=number,
        started_at=started_at,
        ended_at=ended_at,
        outcome=Outcome(
            result=Result.DEFERRED,
            cause=Cause.WAYBILL_INCIDENT,
            scope=Scope.SERVICE,
            responder=Responder.WAYBILL,
            permanent=False,
            stage=Stage.ROUTE,
            status="4.3.0",
            diagnostic=f"Waybill failed inside: {type(error).__name__}: {error}"[:_DIAGNOSTIC_KEPT],
            rule="waybill-failure",
        ),
    )


@record(frozen=True, kw_only=True, slots=True)
class LastWord:
    """The last that a receiver, the DNS or the network gave before time ran out."""

    cause: Cause
    diagnostic: str


NEVER_TRIED = LastWord(
    cause=Cause.HELD_BY_WAYBILL, diagnostic="451 4.4.7 The message waited inside Waybill; no attempt was made"
)


def last_word(events: Iterable[Event], delivery: Delivery) -> LastWord:
    """What the newest attempt for the recipient came to; an attempt that failed inside Waybill counts where there is no other.

    Where none was made, the newest hold says why, with the cause that lies behind it.
    """
    found: LastWord | None = None
    held: LastWord | None = None
    for event in events:
        if event.recipient != delivery.recipient:
            continue
        fact = event.fact
        if event.kind is EventKind.DEFERRED and isinstance(fact, Attempted):
            outcome = fact.attempt.outcome
            if outcome.cause is not Cause.WAYBILL_INCIDENT or found is None:
                found = LastWord(cause=outcome.cause, diagnostic=outcome.diagnostic)
        elif isinstance(fact, Held):
            held = LastWord(cause=cause_so_far(delivery) or Cause.HELD_BY_WAYBILL, diagnostic=fact.text)
    return found or held or NEVER_TRIED


_REPLY = re.compile(r"[245]\d\d[ -]")


def _tail(last: LastWord, delivery: Delivery) -> str:
    """The last words as SES writes them behind its own: a reply verbatim, and for what is no reply its text of the kind."""
    words = last.diagnostic.removeprefix("smtp; ")
    if _REPLY.match(words):
        return words
    if last.cause is Cause.DNS_FAILURE:
        return f"421 4.4.0 Unable to lookup DNS for {delivery.domain}"
    if last.cause is Cause.CONNECTION_FAILED:
        return "421 4.4.1 Failed to establish connection"
    return "451 4.0.0 Unknown"


def settle_expiry(delivery: Delivery, last: LastWord, *, own_limit: bool, at: Instant) -> Settlement:
    """What running out of time writes. The last real cause and words are kept; SES's text carries them, in its own words, in brackets.

    ``own_limit`` says that the configuration set's MaxDeliverySeconds ended it, not the installation's limit.
    """
    limit = delivery.expires_at - delivery.accepted_at
    minutes = max(1, round(limit / MINUTE))
    diagnostic = f"smtp; 550 4.4.7 Message expired: unable to deliver in {minutes} minutes.<{_tail(last, delivery)}>"
    fact = Expired(
        underlying_cause=last.cause,
        last_diagnostic=last.diagnostic,
        diagnostic=diagnostic,
        attempts=delivery.attempts,
        feedback_id=new_message_id(at),
        limit_ms=limit,
        by_configuration_set=own_limit,
    )
    return Settlement(
        delivery_id=delivery.id,
        status=Status.BOUNCED,
        cause=Cause.DELIVERY_EXPIRED,
        underlying_cause=last.cause,
        lease_owner=delivery.lease_owner,
        events=(NewEvent(kind=EventKind.EXPIRED, at=at, recipient=delivery.recipient, fact=fact),),
    )
