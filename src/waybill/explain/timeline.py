"""Every event in one line."""

from waybill.explain.case import Case
from waybill.explain.content import describe_examined
from waybill.explain.live import describe_probed
from waybill.explain.record import TimelineEntry
from waybill.explain.service import taken_over
from waybill.explain.traced import describe_copy
from waybill.explain.words import author, clock, count, server
from waybill.mail.reply import without_type
from waybill.model.amazon import AmazonAsked, AmazonReported
from waybill.model.authentication import SignatureBroken
from waybill.model.content import ContentExamined
from waybill.model.event import (
    Accepted,
    Attempted,
    AutoReplied,
    BounceReceived,
    Complained,
    DelayReported,
    Event,
    Expired,
    Held,
    MalwareFound,
    Prolonged,
    Refused,
    Released,
    RenderingFailed,
    Stuck,
    Suppressed,
    SuppressionAdded,
    TakenOver,
)
from waybill.model.probe import Probed
from waybill.model.suppression import GLOBAL
from waybill.model.traced import CopyTraced


def list_events(case: Case) -> tuple[TimelineEntry, ...]:
    """The timeline of a case, oldest first."""
    return tuple(
        TimelineEntry(at=event.at, event=event.id, kind=event.kind.value, text=_describe(event, case))
        for event in case.events
    )


def _describe(event: Event, case: Case) -> str:  # noqa: C901, PLR0911, PLR0912 - one line for each kind of fact
    match event.fact:
        case Accepted():
            by = f" from {case.message.client_ip}" if case.message.client_ip else ""
            return f"accepted over {case.message.source.value.upper()}{by} ({case.message.operation}), on disk"
        case Refused() as fact:
            return f"refused: {fact.code}: {fact.text}"
        case RenderingFailed() as fact:
            return f"rendering failed: {fact.error}"
        case MalwareFound() as fact:
            return f"malware found: {fact.signature} in {fact.where}"
        case Suppressed() as fact:
            which = "global" if fact.entry.account == GLOBAL else "account's"
            return f"stopped by the {which} suppression list (entry of {clock(fact.entry.at)}, by {author(fact.entry.author)})"
        case Held() as fact:
            return f"held by {author(fact.by)}: {fact.text}"
        case Released() as fact:
            return f"released by {author(fact.by)}; what had held it: {fact.text}"
        case Prolonged() as fact:
            return f"given more time, until {clock(fact.until)}: {fact.text}"
        case TakenOver() as fact:
            return taken_over(fact)
        case Stuck() as fact:
            return f"stuck: {fact.text}"
        case Attempted() as fact:
            return _describe_attempt(fact)
        case Expired() as fact:
            return f"time ran out after {count(fact.attempts, 'attempt')}: {without_type(fact.diagnostic)}"
        case BounceReceived() as fact:
            return f"a bounce mail came home: {without_type(fact.diagnostic)}"
        case DelayReported() as fact:
            until = f"; it is tried until {clock(fact.retry_until)}" if fact.retry_until is not None else ""
            return f"a notice of delay came home: {without_type(fact.diagnostic)}{until}"
        case Complained() as fact:
            return f"a complaint came home ({fact.feedback_type or 'no type'}), reported by {fact.reported_by}"
        case AutoReplied() as fact:
            return f"an automatic reply came home: {fact.subject}"
        case SuppressionAdded() as fact:
            until = f" until {clock(fact.expires_at)}" if fact.expires_at is not None else ""
            return f"put on the {fact.list} suppression list by {author(fact.author)}{until}"
        case CopyTraced() as fact:
            return describe_copy(fact)
        case SignatureBroken() as fact:
            return f"Waybill's own signature for {fact.domain} did not match what went out in attempt {fact.number}: {fact.reason}"
        case AmazonReported() as fact:
            types = " / ".join(one for one in (fact.kind, fact.sub_type) if one)
            words = f": {without_type(fact.diagnostic)}" if fact.diagnostic else ""
            return f"Amazon SES reported {fact.type.value}{f' ({types})' if types else ''}{words}"
        case AmazonAsked() as fact:
            return f"Amazon SES, asked with {fact.api}: {fact.text if fact.failed is None else fact.failed}"
        case Probed() as fact:
            return describe_probed(fact)
        case ContentExamined() as fact:
            return describe_examined(fact)


def _describe_attempt(fact: Attempted) -> str:
    attempt = fact.attempt
    outcome = attempt.outcome
    words = outcome.reply.text if outcome.reply else without_type(outcome.diagnostic)
    again = f"; next attempt {clock(fact.retry_at)}" if fact.retry_at is not None else ""
    return f"attempt {attempt.number} at {server(attempt, outcome)}: {words}{again}"
