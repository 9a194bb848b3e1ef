"""Mail that Amazon SES sent: the explanation from what SES reported, and what its API answered. No verdict is Waybill's own."""

from dataclasses import replace

from waybill.explain.amazon_branches import BY_AMAZON, OF_AMAZON, decisive, report_of, walk
from waybill.explain.amazon_commands import ask_remedy, asked_evidence
from waybill.explain.amazon_hypotheses import hypotheses_of
from waybill.explain.amazon_remedies import remedies_of
from waybill.explain.amazon_words import (
    LATE,
    called_no_spam,
    clause_of,
    first_seen,
    headline,
    last_delay,
    reported,
    server_of,
)
from waybill.explain.case import Case
from waybill.explain.evidence import also_met, ledger_evidence
from waybill.explain.record import (
    AT_RECEIVER,
    IN_WAYBILL,
    Delay,
    DelayPart,
    Evidence,
    Next,
    RecipientExplanation,
    Telling,
)
from waybill.explain.timeline import list_events
from waybill.explain.traced import copy_evidence
from waybill.explain.words import clock, quoted, span
from waybill.mail.reply import without_type
from waybill.model.amazon import AmazonEvent, AmazonReported, underlying_of
from waybill.model.cause import CATALOGUE, Cause, Responder, Scope
from waybill.model.clock import Instant
from waybill.model.event import Event
from waybill.model.message import Delivery, Status


def explain_delivery(case: Case) -> RecipientExplanation:
    """One recipient's copy of a message that Amazon SES sent. Events came in any order: they are taken in that of their times."""
    case = replace(case, events=tuple(sorted(case.events, key=lambda event: (event.at, *_tie(event)))))
    case = replace(case, delivery=_whole(case.delivery))
    event = decisive(case)
    cause = case.delivery.cause
    return RecipientExplanation(
        recipient=case.delivery.recipient,
        status=case.delivery.status,
        cause=cause,
        underlying_cause=case.delivery.underlying_cause,
        branch=CATALOGUE[cause].branch if cause else None,
        telling=_tell(case, event),
        branches=walk(case, event),
        delay=_delay(case, event),
        next=_next(case, event),
        timeline=list_events(case),
        hypotheses=hypotheses_of(case, report_of(event) if event is not None else None),
    )


def _whole(delivery: Delivery) -> Delivery:
    """The delivery with a cause wherever its status has one: a ledger that was cut short may hold none."""
    cause, behind = delivery.cause, delivery.underlying_cause
    if cause is None and delivery.status is not Status.QUEUED:
        cause = Cause.UNDETERMINED
    if cause is Cause.DELIVERY_EXPIRED and behind is None:
        behind = Cause.UNDETERMINED
    return replace(delivery, cause=cause, underlying_cause=behind)


def _tie(event: Event) -> tuple[int, str]:
    fact = event.fact
    return (fact.rank, repr(fact)) if isinstance(fact, AmazonReported) else (9, repr(fact))


def _tell(case: Case, event: Event | None) -> Telling:
    fact = report_of(event) if event is not None else None
    scope, responder, permanent, confidence = _verdict(case, fact)
    remedies = (*remedies_of(case, fact), *ask_remedy(case))
    shown = frozenset(remedy.command for remedy in remedies if remedy.command)
    return Telling(
        headline=headline(case, event),
        evidence=(*_evidence(case, event), *copy_evidence(case), *asked_evidence(case, shown)),
        remedies=remedies,
        scope=scope,
        responder=responder,
        permanent=permanent,
        confidence=confidence,
        effect=_effect(case, fact),
    )


def _verdict(case: Case, fact: AmazonReported | None) -> tuple[Scope | None, Responder | None, bool | None, str]:
    if fact is None or case.delivery.cause is None:
        return None, None, None, "certain"
    if fact.cause is Cause.DELIVERY_EXPIRED and fact.underlying_cause in {None, Cause.UNDETERMINED}:
        late = last_delay(case)
        behind = underlying_of(fact, [(late.at, report_of(late))] if late else [])
        if late is not None and behind is not Cause.UNDETERMINED:
            return report_of(late).scope, report_of(late).responder, True, report_of(late).confidence
    return fact.scope, fact.responder, fact.permanent, fact.confidence


def _effect(case: Case, fact: AmazonReported | None) -> str | None:
    if fact is None:
        return None
    if case.delivery.status in BY_AMAZON:
        return "No receiver was asked."
    if (
        fact.type is AmazonEvent.BOUNCE
        and fact.kind == "Permanent"
        and CATALOGUE[fact.cause or Cause.UNDETERMINED].scope is not Scope.RECIPIENT
    ):
        return "SES calls this a hard bounce, and may have listed the address for it, although the words are not about the address."
    return None


def _evidence(case: Case, event: Event | None) -> tuple[Evidence, ...]:
    found: list[Evidence] = []
    if event is not None:
        found.append(_report(case, event))
    for kind in (AmazonEvent.DELIVERY, AmazonEvent.DELIVERY_DELAY):
        other = reported(case, kind)
        if other is not None and other is not event:
            found.append(_report(case, other))
    found += _automatic(case, event)
    found += _known(case, event)
    others = also_met(case)
    found += ledger_evidence(case, others) if others else ()
    if not found:
        since = clock(case.delivery.updated_at)
        text = f"status {case.delivery.status.value.replace('_', ' ')} since {since}, and no report of Amazon SES on record"
        found.append(Evidence(at=case.delivery.updated_at, kind="ledger", source="Waybill's ledger", text=text))
    return tuple(found)


def _report(case: Case, event: Event) -> Evidence:
    """A report with the words that it passes on; whose words they are is said first."""
    fact = report_of(event)
    types = " / ".join(one for one in (fact.kind, fact.sub_type) if one)
    what = f"its {fact.type.value} event" + (f" ({types})" if types else "")
    words = without_type(fact.diagnostic)
    remote = fact.responder is Responder.REMOTE and bool(words)
    if remote:
        at = f" [{fact.remote_ip}]" if fact.remote_ip else ""
        source = f"{server_of(case)}{at}, as Amazon SES tells in {what}"
    else:
        source = f"Amazon SES, in {what}"
    return Evidence(
        at=event.at,
        kind="smtp_reply" if remote else "amazon_ses",
        source=source,
        text=quoted(words) if words else _without_words(fact),
        event=event.id,
    )


def _without_words(fact: AmazonReported) -> str:
    if fact.type is AmazonEvent.COMPLAINT:
        return f"Feedback-Type: {fact.kind or 'not given'}, User-Agent: {fact.detail.get('user_agent', 'not given')}"
    if fact.type is AmazonEvent.SEND:
        return "the request was taken, and SES will try to deliver it"
    if fact.type in {AmazonEvent.OPEN, AmazonEvent.CLICK}:
        link = f", link {fact.detail['link']}" if fact.detail.get("link") else ""
        return f"from {fact.detail.get('ip', 'an unnamed address')}{link}"
    return "(SES passes on no words)"


def _automatic(case: Case, event: Event | None) -> list[Evidence]:
    """A soft bounce without words after the delivery: SES makes one of an out-of-office reply, too."""
    return [
        Evidence(
            at=one.at,
            kind="known",
            source="Amazon SES",
            text="a soft bounce without any words came after the delivery, as for an automatic reply (out of office): it does not undo the delivery",
            event=one.id,
        )
        for one in case.events
        if one is not event and isinstance(one.fact, AmazonReported) and one.fact.is_wordless
    ]


def _known(case: Case, event: Event | None) -> list[Evidence]:
    if event is None or case.delivery.status is not Status.DELIVERED:
        return []
    wanted = called_no_spam(case)
    if wanted is not None:
        return [] if wanted is event else [_report(case, wanted)]
    seen = first_seen(case)
    if seen is not None:
        fact = report_of(seen)
        how = "opened" if fact.type is AmazonEvent.OPEN else "a link was followed"
        by = fact.detail.get("user_agent", "an unnamed program")
        text = f"{how} at {clock(seen.at)} by {by}; programs that scan mail do that, too"
        return [Evidence(at=seen.at, kind="known", source="Amazon SES", text=text, event=seen.id)]
    since = span(max(0, case.now - event.at))
    unknown = f"inbox, Junk, quarantine, a rule of the recipient or administrator, or a fault inside {case.domain}"
    return [
        Evidence(
            at=case.now,
            kind="known",
            source="Waybill's ledger",
            text=f"no bounce and no complaint reported since ({since})",
        ),
        Evidence(at=case.now, kind="unknown", source=case.domain, text=unknown),
    ]


def _delay(case: Case, event: Event | None) -> Delay:
    """From SES's acceptance to the end: SES's own until it first reported a delay, then whoever caused the delay.

    SES does not tell its attempts, so its own time holds the first conversation with the receiver, too.
    """
    answered = [
        one.at
        for one in case.events
        if isinstance(one.fact, AmazonReported)
        and one.fact.type
        in {AmazonEvent.DELIVERY, AmazonEvent.BOUNCE, AmazonEvent.REJECT, AmazonEvent.RENDERING_FAILURE}
    ]
    ended = event is not None and (bool(answered) or case.delivery.status in BY_AMAZON)
    if event is None or not (ended or (case.is_open and last_delay(case) is not None)):
        return Delay()
    start = case.message.accepted_at
    end = max(start, answered[0] if answered else min(case.now, case.delivery.expires_at) if case.is_open else event.at)
    parts: list[DelayPart] = []
    where, by, text = IN_WAYBILL, "amazon-ses", "in Amazon SES, the first conversation with the receiver included"
    behind = case.delivery.underlying_cause
    if last_delay(case) is None and behind not in {None, Cause.UNDETERMINED} and behind not in OF_AMAZON:
        assert behind is not None
        where, by, text = AT_RECEIVER, _BY.get(behind, case.domain), clause_of(case, behind, report_of(event))
    cursor: Instant = start
    for one in case.events:
        if not (isinstance(one.fact, AmazonReported) and one.fact.type is AmazonEvent.DELIVERY_DELAY):
            continue
        at = min(max(one.at, cursor), end)
        if at > cursor:
            parts.append(DelayPart(where=where, start=cursor, end=at, by=by, text=text))
        cursor = at
        cause = one.fact.cause or Cause.UNDETERMINED
        where = IN_WAYBILL if cause in OF_AMAZON else AT_RECEIVER
        by = "amazon-ses" if cause in OF_AMAZON else _BY.get(cause, case.domain)
        text = clause_of(case, cause, one.fact)
    if end > cursor:
        parts.append(DelayPart(where=where, start=cursor, end=end, by=by, text=text))
    receiver = [part.ms for part in parts if part.where == AT_RECEIVER]
    return Delay(
        in_waybill_ms=sum(part.ms for part in parts if part.where == IN_WAYBILL),
        at_receiver_ms=sum(receiver) if receiver else None,
        parts=tuple(parts),
    )


_BY = {Cause.DNS_FAILURE: "dns", Cause.CONNECTION_FAILED: "network"}


def _next(case: Case, event: Event | None) -> Next:
    delivery = case.delivery
    if case.is_open:
        until = delivery.expires_at
        if case.now > until + LATE:
            return Next(text="Nothing more is to be expected: SES's own time for it is over.", expires_at=until)
        return Next(
            text=f"Amazon SES tries until {clock(until)} at the latest, then reports a bounce.", expires_at=until
        )
    if delivery.status is Status.DELIVERED:
        return Next(text="Nothing more from Amazon SES. If it reports a bounce or a complaint, this answer changes.")
    if event is not None and report_of(event).cause in {Cause.COMPLAINT, Cause.UNSUBSCRIBED}:
        return Next(text="Nothing: this is final.")
    return Next(text="Nothing: Amazon SES does not send this message again. When the cause is settled, send it anew.")
