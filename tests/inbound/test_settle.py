"""What a report writes: pure, case by case."""

from dataclasses import replace
from typing import Any

import pytest

from tests.inbound.reports import ACCOUNT, RECIPIENT, classify
from waybill.inbound.settle import Case, settle_auto_reply, settle_bounce, settle_complaint
from waybill.mail.report import Report, ReportedRecipient
from waybill.model.cause import Cause
from waybill.model.event import BounceReceived, Complained, Event, EventKind
from waybill.model.message import Delivery, Message, Source, Status
from waybill.model.outcome import Outcome
from waybill.model.resource import INSTALLATION, Account
from waybill.store.protocol import Ledger

DELIVERY = Delivery(
    id=1,
    message_id="m-1",
    account=ACCOUNT,
    recipient=RECIPIENT,
    status=Status.DELIVERED,
    cause=Cause.ACCEPTED_BY_RECEIVER,
    underlying_cause=None,
    attempts=1,
    accepted_at=1,
    next_at=None,
    expires_at=10**9,
    updated_at=1,
)
MESSAGE = Message(
    id="m-1",
    account=ACCOUNT,
    request_id="r",
    source=Source.API,
    operation="SendEmail",
    accepted_at=1,
    sender="a@sender.example",
    source_header="a@sender.example",
    destination=(RECIPIENT, "other@b.example"),
)
CASE = Case(
    delivery=DELIVERY,
    ledger=Ledger(message=MESSAGE, deliveries=(DELIVERY,), events=()),
    account=Account(account=INSTALLATION, name=ACCOUNT, created_at=1),
    configuration_set=None,
)


def after(status: Status, *events: Event) -> Case:
    """The same case with another status and these events."""
    delivery = replace(DELIVERY, status=status)
    return replace(CASE, delivery=delivery, ledger=replace(CASE.ledger, events=events))


def bounce(**fields: Any) -> Report:
    """A bounce mail with one recipient, ours unless another is named."""
    named = {"recipient": RECIPIENT, "status": "5.1.1", "action": "failed"} | fields
    return Report(kind="bounce", recipients=(ReportedRecipient(**named),), reporting_mta="dns; mx.b.example")


COMPLAINT = Report(kind="complaint", feedback_type="abuse", user_agent="FBL/1")
COMPLAINED = Event(
    id=7,
    message_id="m-1",
    kind=EventKind.COMPLAINED,
    at=2,
    recipient=RECIPIENT,
    fact=Complained(feedback_id="f", feedback_type=None, user_agent=None, arrival_date=None, reported_by="b.example"),
)


@pytest.mark.parametrize(
    ("before", "status", "cause"),
    [
        (Status.DELIVERED, Status.COMPLAINED, Cause.COMPLAINT),
        (Status.BOUNCED, Status.BOUNCED, Cause.ACCEPTED_BY_RECEIVER),
    ],
)
def test_only_a_delivered_message_becomes_complained(before: Status, status: Status, cause: Cause) -> None:
    """What else became of it stands, with its cause; the event is written all the same."""
    settlement = settle_complaint(after(before), COMPLAINT, reported_by="b.example", at=9)
    assert settlement is not None
    assert (settlement.status, settlement.cause, settlement.lease_owner) == (status, cause, None)
    assert [event.kind for event in settlement.events] == [EventKind.COMPLAINED, EventKind.SUPPRESSION_ADDED]


def test_a_second_complaint_of_the_same_recipient_is_known() -> None:
    """One of another recipient of the message is not the same."""
    known, other = COMPLAINED, replace(COMPLAINED, recipient="other@b.example")
    assert settle_complaint(after(Status.COMPLAINED, known), COMPLAINT, reported_by="b.example", at=9) is None
    assert settle_complaint(after(Status.DELIVERED, other), COMPLAINT, reported_by="b.example", at=9) is not None


def test_a_refused_delivery_does_not_bounce_twice() -> None:
    """The receiver's own bounce mail about what it refused says nothing new."""
    assert settle_bounce(after(Status.BOUNCED), bounce(diagnostic="smtp; 550 5.1.1 no"), classify, at=9) is None


def test_a_complaint_stands_when_a_bounce_follows() -> None:
    """The bounce is in the ledger, the status stays."""
    case = after(Status.COMPLAINED, COMPLAINED)
    settlement = settle_bounce(case, bounce(diagnostic="smtp; 550 5.1.1 no"), classify, at=9)
    assert settlement is not None
    assert settlement.status is Status.COMPLAINED
    assert settlement.events[0].kind is EventKind.BOUNCE_RECEIVED


@pytest.mark.parametrize(
    ("fields", "reply", "mx"),
    [
        ({"diagnostic": "smtp; 550 5.1.1 <a>: gone"}, "550 5.1.1 <a>: gone", "mx.b.example"),
        ({"diagnostic": "smtp;550-5.1.1 gone\r\n 550 5.1.1 away"}, "550-5.1.1 gone 550 5.1.1 away", "mx.b.example"),
        ({"diagnostic": "X-Postfix; unknown user", "status": "5.1.1"}, "550 5.1.1 unknown user", "mx.b.example"),
        ({"diagnostic": "4.4.7 message expired", "status": "4.4.7"}, "450 4.4.7 message expired", "mx.b.example"),
        ({"diagnostic": None, "status": "5.2.2"}, "550 5.2.2", "mx.b.example"),
        ({"diagnostic": None, "status": None}, "554", "mx.b.example"),
        ({"diagnostic": "smtp; 250 Ok", "status": "5.7.1"}, "550 5.7.1 250 Ok", "mx.b.example"),
        ({"diagnostic": "550 no", "remote_mta": "dns; mx.far.example"}, "550 no", "mx.far.example"),
    ],
)
def test_what_the_classifier_is_asked(fields: dict[str, Any], reply: str, mx: str) -> None:
    """The receiver's words as one SMTP reply, and the host that said them."""
    asked: list[tuple[str, str | None]] = []

    def ask(text: str, host: str | None) -> Outcome:
        asked.append((text, host))
        return classify(text, host)

    settle_bounce(CASE, bounce(**fields), ask, at=9)
    assert asked == [(reply, mx)]


@pytest.mark.parametrize(
    ("reported", "listed"), [(RECIPIENT, 2), (RECIPIENT.upper(), 2), ("", 2), ("forwarded@far.example", 0)]
)
def test_only_our_own_recipient_is_suppressed(reported: str, listed: int) -> None:
    """A forwarder's dead target is a bounce, and no reason to give up the address that forwards."""
    settlement = settle_bounce(CASE, bounce(recipient=reported, diagnostic="smtp; 550 5.1.1 no"), classify, at=9)
    assert settlement is not None
    assert settlement.status is Status.BOUNCED
    assert len(settlement.suppressions) == listed
    fact = settlement.events[0].fact
    assert isinstance(fact, BounceReceived)
    assert fact.suppress == bool(listed)


def test_a_refusal_by_policy_does_not_suppress() -> None:
    """The classifier's verdict decides, whatever the report calls it."""
    settlement = settle_bounce(CASE, bounce(diagnostic="smtp; 550 5.7.1 spam", status="5.7.1"), classify, at=9)
    assert settlement is not None
    assert (settlement.cause, settlement.suppressions) == (Cause.POLICY_REJECTED, ())


def test_ours_is_the_recipient_that_counts() -> None:
    """Of several reported recipients ours is judged, and one that failed before one that is late."""
    late = ReportedRecipient(recipient=RECIPIENT, status="4.4.1", action="delayed", diagnostic="smtp; 451 later")
    other = ReportedRecipient(recipient="x@b.example", status="5.7.1", action="failed", diagnostic="smtp; 550 5.7.1 no")
    ours = ReportedRecipient(recipient=RECIPIENT, status="5.1.1", action="failed", diagnostic="smtp; 550 5.1.1 no")
    report = Report(kind="bounce", recipients=(late, other, ours))
    settlement = settle_bounce(CASE, report, classify, at=9)
    assert settlement is not None
    assert settlement.cause is Cause.USER_UNKNOWN


def test_a_bounce_without_particulars_is_still_a_bounce() -> None:
    """Our return path names the delivery; the report need not."""
    settlement = settle_bounce(CASE, Report(kind="bounce"), classify, at=9)
    assert settlement is not None
    assert (settlement.status, settlement.suppressions) == (Status.BOUNCED, ())


def test_the_same_auto_reply_is_known() -> None:
    """A second, different one is not."""
    report = Report(kind="auto_reply", subject="Away", auto_submitted="auto-replied")
    first = settle_auto_reply(CASE, report, at=9)
    assert first is not None
    new = first.events[0]
    event = Event(id=1, message_id="m-1", kind=new.kind, at=new.at, fact=new.fact, recipient=new.recipient)
    assert settle_auto_reply(after(Status.DELIVERED, event), report, at=9) is None
    assert settle_auto_reply(after(Status.DELIVERED, event), replace(report, subject="Back"), at=9) is not None
