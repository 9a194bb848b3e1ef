"""From a report that came home to what the ledger writes about its delivery: pure."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

from waybill.deliver.suppress import COMPLAINT_RULE, Grounds, additions, entries_for, grounds_of_bounce
from waybill.mail.delivery_status import as_reply
from waybill.mail.reply import without_type
from waybill.mail.report import Report, ReportedRecipient
from waybill.model.cause import Cause
from waybill.model.clock import Instant
from waybill.model.event import AutoReplied, BounceReceived, Complained, DelayReported, EventKind, NewEvent
from waybill.model.message import Delivery, Status, new_message_id
from waybill.model.outcome import Outcome
from waybill.model.resource import Account, ConfigurationSet
from waybill.model.suppression import Reason, Suppression
from waybill.store.protocol import Ledger, Settlement

Classify: TypeAlias = Callable[[str, str | None], Outcome]
"""Judges a reply, given as text, of the host named (None: unknown)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """The delivery that a report is about, and what settling it needs to know."""

    delivery: Delivery
    ledger: Ledger
    account: Account
    configuration_set: ConfigurationSet | None

    def has(self, kind: EventKind) -> bool:
        """Whether the ledger holds such an event about this delivery's recipient."""
        return any(event.kind is kind and event.recipient == self.delivery.recipient for event in self.ledger.events)


def is_hearsay(report: Report, recipient: str, *, sender: str) -> bool:
    """Whether words alone, and of a sender that answers (mail servers send from the null path), name somebody else.

    A report by the standard (RFC 3464) that names another is believed: it is of the address that ours forwards to.
    """
    named = any(_is_same(each.recipient, recipient) for each in report.recipients)
    return report.by_words and sender != "" and not named


def settle_complaint(case: Case, report: Report, *, reported_by: str, at: Instant) -> Settlement | None:
    """What a complaint (RFC 5965) writes; None where the ledger has one of this recipient already.

    Only a delivered message becomes ``complained``; whatever else became of it stands.
    """
    if case.has(EventKind.COMPLAINED):
        return None
    delivery = case.delivery
    feedback_id = new_message_id(at)
    complained = Complained(
        feedback_id=feedback_id,
        feedback_type=report.feedback_type,
        user_agent=report.user_agent,
        arrival_date=report.arrival_date,
        reported_by=reported_by,
    )
    grounds = Grounds(
        reason=Reason.COMPLAINT,
        rule=COMPLAINT_RULE,
        cause=Cause.COMPLAINT,
        message_id=delivery.message_id,
        feedback_id=feedback_id,
        diagnostic=f"complaint ({report.feedback_type or 'abuse'}) reported by {reported_by}",
        at=at,
    )
    entries = entries_for(grounds, delivery.recipient, case.account, case.configuration_set)
    event = NewEvent(kind=EventKind.COMPLAINED, at=at, recipient=delivery.recipient, fact=complained)
    if delivery.status is Status.DELIVERED:
        return _settlement(delivery, event, entries, (Status.COMPLAINED, Cause.COMPLAINT))
    return _settlement(delivery, event, entries, None)


def settle_bounce(case: Case, report: Report, classify: Classify, *, at: Instant) -> Settlement | None:
    """What a bounce mail (RFC 3464) writes; None where this delivery has bounced already.

    A complaint stands: only a delivered message becomes ``bounced``. The recipient is suppressed only where the report
    names this very address: a forwarder's target says nothing about the address that forwards.
    """
    delivery = case.delivery
    if delivery.status is Status.BOUNCED or case.has(EventKind.BOUNCE_RECEIVED):
        return None
    reported = _failed_recipient(report, delivery.recipient)
    mx = without_type(reported.remote_mta if reported else None) or without_type(report.reporting_mta) or None
    outcome = classify(_words(reported), mx)
    feedback_id = new_message_id(at)
    grounds = grounds_of_bounce(outcome, message_id=delivery.message_id, feedback_id=feedback_id, at=at)
    if reported is not None and not _is_same(reported.recipient, delivery.recipient):
        grounds = None
    entries = () if grounds is None else entries_for(grounds, delivery.recipient, case.account, case.configuration_set)
    bounced = BounceReceived(
        cause=outcome.cause,
        scope=outcome.scope,
        permanent=outcome.permanent,
        status=(reported.status if reported else None) or outcome.status,
        action=(reported.action if reported else None) or "failed",
        diagnostic=(reported.diagnostic if reported else None) or outcome.diagnostic,
        reporting_mta=report.reporting_mta,
        rule=outcome.rule,
        feedback_id=feedback_id,
        suppress=grounds is not None,
    )
    event = NewEvent(kind=EventKind.BOUNCE_RECEIVED, at=at, recipient=delivery.recipient, fact=bounced)
    if delivery.status is Status.DELIVERED:
        return _settlement(delivery, event, entries, (Status.BOUNCED, outcome.cause))
    return _settlement(delivery, event, entries, None)


def settle_delay(case: Case, report: Report, classify: Classify, *, at: Instant) -> Settlement | None:
    """What a notice of delay writes: an event, and for a delivered message the cause ``delayed_after_acceptance``.

    None where the ledger has a bounce or the same notice. A later bounce decides.
    """
    delivery = case.delivery
    reported = next((each for each in report.recipients if _is_same(each.recipient, delivery.recipient)), None)
    reported = reported or next(iter(report.recipients), None)
    if reported is None or case.has(EventKind.BOUNCE_RECEIVED):
        return None
    mx = without_type(reported.remote_mta) or without_type(report.reporting_mta) or None
    outcome = classify(as_reply(reported), mx)
    fact = DelayReported(
        cause=outcome.cause,
        status=reported.status or outcome.status,
        diagnostic=reported.diagnostic or outcome.diagnostic,
        reporting_mta=report.reporting_mta,
        rule=outcome.rule,
        retry_until=reported.retry_until,
    )
    if any(event.fact == fact and event.recipient == delivery.recipient for event in case.ledger.events):
        return None
    event = NewEvent(kind=EventKind.DELAY_REPORTED, at=at, recipient=delivery.recipient, fact=fact)
    if delivery.status is not Status.DELIVERED:
        return _settlement(delivery, event, (), None)
    settlement = _settlement(delivery, event, (), (Status.DELIVERED, Cause.DELAYED_AFTER_ACCEPTANCE))
    return replace(settlement, underlying_cause=outcome.cause)


def settle_auto_reply(case: Case, report: Report, *, at: Instant) -> Settlement | None:
    """What an automatic reply (RFC 3834) writes: an event, never a bounce; None where the ledger has the same reply."""
    fact = AutoReplied(subject=report.subject or "", auto_submitted=report.auto_submitted or "")
    if any(event.fact == fact and event.recipient == case.delivery.recipient for event in case.ledger.events):
        return None
    event = NewEvent(kind=EventKind.AUTO_REPLIED, at=at, recipient=case.delivery.recipient, fact=fact)
    return _settlement(case.delivery, event, (), None)


def _settlement(
    delivery: Delivery, event: NewEvent, entries: tuple[Suppression, ...], change: tuple[Status, Cause] | None
) -> Settlement:
    status, cause = change or (delivery.status, delivery.cause)
    return Settlement(
        delivery_id=delivery.id,
        status=status,
        seen=delivery.status,
        cause=cause,
        underlying_cause=delivery.underlying_cause,
        events=(event, *additions(entries, delivery.recipient)),
        suppressions=entries,
    )


def _failed_recipient(report: Report, recipient: str) -> ReportedRecipient | None:
    """The reported recipient that the bounce is about: ours where it is named, else the first that failed."""
    failed = [reported for reported in report.recipients if (reported.action or "failed").lower() == "failed"]
    candidates = failed or list(report.recipients)
    named = (reported for reported in candidates if _is_same(reported.recipient, recipient))
    return next(named, candidates[0] if candidates else None)


def _is_same(reported: str | None, recipient: str) -> bool:
    """Whether the report names our recipient; servers fold the case of local parts, and some name nobody."""
    return not reported or reported.lower() == recipient.lower()


def _words(reported: ReportedRecipient | None) -> str:
    return "554 a bounce mail that names no recipient and no reason" if reported is None else as_reply(reported)
