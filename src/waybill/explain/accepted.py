"""Taken by a server, and then nothing: what is known, what is not, and the line to search by."""

from waybill.explain.authentication import summary
from waybill.explain.case import UNREACHABLE, Case
from waybill.explain.commands import see_events
from waybill.explain.delays import split_delay
from waybill.explain.evidence import attempt_evidence, context_evidence
from waybill.explain.health import fault_words, held_up
from waybill.explain.held import brief
from waybill.explain.record import Evidence, Remedy, Telling, Who
from waybill.explain.remedies import operator, sender, to_recipient_admin, to_relay
from waybill.explain.said import clause, is_captured, name_server, said_in_attempt
from waybill.explain.traced import copy_evidence, copy_of, copy_remedies, in_the_inbox, what_the_copy_shows
from waybill.explain.words import author, clock, count, quoted, span
from waybill.mail.reply import without_type
from waybill.model.cause import CATALOGUE, Cause, Responder
from waybill.model.clock import MINUTE
from waybill.model.event import Attempted, AutoReplied, DelayReported, EventKind, Held
from waybill.model.outcome import Attempt
from waybill.model.simulator import is_simulated

LONG = MINUTE
"""A delivery that takes longer than this is worth a word about where the time went."""


def tell(case: Case) -> Telling:
    """The receiving server took the message."""
    event = case.decisive
    assert event is not None
    fact = event.fact
    assert isinstance(fact, Attempted)
    attempt = fact.attempt
    evidence = [attempt_evidence(event, fact)]
    earlier = [pair for pair in case.attempted if pair[0].id < event.id]
    if earlier:
        evidence.append(attempt_evidence(*earlier[-1]))
    is_test = is_captured(attempt) or is_simulated(case.recipient)
    evidence += _auto_reply(case) if is_test else _known_and_unknown(case, attempt)
    return Telling(
        headline=f"{case.recipient}: {_headline(case, attempt, earlier[-1][1].attempt if earlier else None)}",
        evidence=(*evidence, *(() if is_test else context_evidence(case))),
        remedies=_for_tests(case, attempt) if is_test else _remedies(case),
        scope=CATALOGUE[case.cause or Cause.ACCEPTED_BY_RECEIVER].scope,
        responder=Responder.REMOTE,
        permanent=False,
        confidence=_confidence(case, attempt),
    )


def _confidence(case: Case, attempt: Attempt) -> str:
    """A copy's verdict that names no folder, and times by others' clocks, are likely."""
    copy = copy_of(case)
    if case.cause is Cause.DELAYED_BEFORE_ACCEPTANCE and case.came_late is not None:
        return "likely" if case.came_late.last else "certain"
    if copy is None or case.cause is Cause.ACCEPTED_BY_RECEIVER:
        return attempt.outcome.confidence
    return "certain" if copy[1].is_spam and copy[1].is_folder else "likely"


def _headline(case: Case, attempt: Attempt, before: Attempt | None) -> str:
    took = max(0, attempt.ended_at - case.message.accepted_at)
    after = f" after {span(took)}" if before is not None or took >= LONG else ""
    why = _why_late(case, before, took)
    if is_captured(attempt):
        return f"captured by Waybill's built-in simulator{after}, and not sent on. No real server was asked.{why}"
    if is_simulated(case.recipient):
        return f"taken by the mailbox simulator{after}. It is there for tests: no person reads it.{why}"
    who = name_server(case, attempt)
    whose = who if who.startswith("the relay") else f"{case.domain}'s server"
    if case.cause is not None and (case.cause is not Cause.ACCEPTED_BY_RECEIVER or in_the_inbox(case)):
        return f"accepted by {whose}{after}{_what_then(case, case.cause)}"
    if why:
        return f"accepted by {whose}{after}.{why} Inbox or Junk is decided there."
    if whose is who:
        return f"accepted by {who}{after}. It passes the message on to {case.domain}; what became of it then, only its logs tell."
    return f"accepted by {whose}{after}. Whether it reached the inbox is decided there, and nobody tells us."


def _what_then(case: Case, cause: Cause) -> str:
    before = case.came_late
    if before is not None and cause is Cause.DELAYED_BEFORE_ACCEPTANCE:
        return f". It was late when Waybill got it: {span(before.ms)} after {before.by} had it first."
    copy = copy_of(case)
    if copy is not None and (copy[1].is_spam or in_the_inbox(case) or cause is Cause.DELAYED_AFTER_ACCEPTANCE):
        return what_the_copy_shows(copy[1])
    if cause is Cause.DELAYED_AFTER_ACCEPTANCE and case.event_of(EventKind.DELAY_REPORTED) is not None:
        return ", and held up there: a notice of delay came home, and it goes on trying."
    return f". {CATALOGUE[cause].meaning}"


def _why_late(case: Case, before: Attempt | None, took: int) -> str:
    """What held it up, where something did."""
    faults = held_up(case) if before is not None or took >= LONG else ()
    if faults:
        return f" What held it up: {fault_words(faults)}."
    delay = split_delay(case)
    ours = took >= LONG and (delay.in_waybill_ms or 0) > (delay.at_receiver_ms or 0)
    inside = f" Most of that time it waited in Waybill{_held_back(case)}." if ours else ""
    if before is not None:
        return f" What held it up: {clause(said_in_attempt(case, before), case)}.{inside}"
    return inside


def _held_back(case: Case) -> str:
    """The hold of Waybill's own that it waited for, where one is on record."""
    own = [event.fact for event in case.events if isinstance(event.fact, Held) and event.fact.limit != UNREACHABLE]
    return f", held back by {author(own[-1].by)}: {brief(own[-1])}" if own else ""


def _known_and_unknown(case: Case, attempt: Attempt) -> tuple[Evidence, ...]:
    since = max(0, case.now - attempt.ended_at)
    encrypted = f"over {attempt.tls.version}" if attempt.tls else "without encryption"
    signed = (
        f"signed with DKIM for {' and '.join(dict.fromkeys(attempt.signed_by))}"
        if attempt.signed_by
        else "without a DKIM signature"
    )
    known = [f"taken in full ({case.message.size:,} bytes) {encrypted}, {signed}"]
    seen = summary(case, attempt)
    known.extend([seen] if seen else [])
    known.extend(item.text for item in _auto_reply(case))
    came_home = case.event_of(EventKind.COMPLAINED) or case.event_of(EventKind.BOUNCE_RECEIVED)
    if came_home is None:
        known.append(f"no bounce and no complaint since ({span(since)})")
    taken = Evidence(at=case.now, kind="known", source="Waybill's ledger", text="; ".join(known))
    if case.cause is not Cause.ACCEPTED_BY_RECEIVER:
        return (*_late_before(case), *copy_evidence(case), *_delay_reported(case), taken)
    unknown = f"inbox, Junk, quarantine, a rule of the recipient or administrator, or a fault inside {case.domain}"
    if in_the_inbox(case):
        return (*copy_evidence(case), taken)
    return (
        *copy_evidence(case),
        taken,
        Evidence(at=case.now, kind="unknown", source=case.domain, text=unknown),
    )


def _late_before(case: Case) -> tuple[Evidence, ...]:
    """Who had it before Waybill, and since when."""
    before = case.came_late
    if before is None or case.cause is not Cause.DELAYED_BEFORE_ACCEPTANCE:
        return ()
    if before.last is None:
        source, text = "Waybill's SMTP door", f"the client began to hand it over at {clock(before.since)}"
    else:
        source = "the Received fields that it came with, dated by those servers' clocks"
        text = f"{before.by} took it at {clock(before.since)}" + (
            f"; the last server before Waybill was {before.last}" if before.last != before.by else ""
        )
    text = f"{text}, and Waybill had it at {clock(case.message.accepted_at)}"
    return (Evidence(at=before.since, kind="known", source=source, text=text),)


def _delay_reported(case: Case) -> tuple[Evidence, ...]:
    event = case.event_of(EventKind.DELAY_REPORTED)
    if event is None or not isinstance(event.fact, DelayReported):
        return ()
    fact = event.fact
    by = without_type(fact.reporting_mta) or f"the receiving side of {case.domain}"
    until = f"; it is tried until {clock(fact.retry_until)}" if fact.retry_until is not None else ""
    source = f"notice of delay from {by}"
    text = f"{quoted(without_type(fact.diagnostic))}{until}"
    return (Evidence(at=event.at, kind="report", source=source, text=text, event=event.id),)


def _auto_reply(case: Case) -> tuple[Evidence, ...]:
    event = case.event_of(EventKind.AUTO_REPLIED)
    if event is None or not isinstance(event.fact, AutoReplied):
        return ()
    subject = f' "{event.fact.subject}"' if event.fact.subject else ""
    text = f"an automatic reply came home{subject}, so a mail system behind that server handled the message"
    return (Evidence(at=event.at, kind="known", source="Waybill's ledger", text=text, event=event.id),)


def _remedies(case: Case) -> tuple[Remedy, ...]:
    about = f' for "{case.message.subject}"' if case.message.subject else ""
    who = name_server(case, case.last_attempt)
    look = Remedy(who=Who.RECIPIENT, text=f"Look in Junk or Spam, and search all folders{about}.")
    if in_the_inbox(case):
        look = Remedy(
            who=Who.RECIPIENT, text=f"Search all folders{about}: a rule or another program may have moved it."
        )
    ask = to_recipient_admin(case, f"Ask the administrator of {case.domain} what became of it.")
    if case.cause is Cause.DELAYED_AFTER_ACCEPTANCE:  # in no folder yet, or late in the right one
        held_up = to_recipient_admin(
            case, f"Ask the administrator of {case.domain} what holds it up, or did, behind that server."
        )
        return (held_up, operator("The whole conversation, as proof that it was handed over.", see_events(case)))
    return (
        *_ask_before(case),
        *(copy_remedies(case) or (look,)),
        to_relay(case, who) if who.startswith("the relay") else ask,
        operator("The whole conversation, as proof that it was handed over.", see_events(case)),
    )


def _ask_before(case: Case) -> tuple[Remedy, ...]:
    before = case.came_late
    if before is None or case.cause is not Cause.DELAYED_BEFORE_ACCEPTANCE:
        return ()
    where = (
        f"the queue and log of {before.last}"
        if before.last
        else "what the sending program does between MAIL and the end of its data"
    )
    return (sender(f"Look at {where}: that is where the time went."),)


def _for_tests(case: Case, attempt: Attempt) -> tuple[Remedy, ...]:
    if not is_captured(attempt):
        return (Remedy(who=Who.NOBODY, text="Nothing: the simulator's address did what it is for."),)
    text = "To send for real, run the service without --dev."
    tries = f" All {count(len(case.attempted), 'attempt')} are there." if len(case.attempted) > 1 else ""
    return (operator(text), operator(f"The conversation is in the ledger.{tries}", see_events(case)))
