"""Which notices an event makes: every kind of event against every kind of audience."""

import dataclasses

import pytest

from tests.store.builders import ACCOUNT, START, attempt, new_event, suppression
from waybill.model.cause import Cause
from waybill.model.event import (
    Accepted,
    Attempted,
    AutoReplied,
    Complained,
    EventKind,
    MalwareFound,
    NewEvent,
    SesEvent,
    Suppressed,
)
from waybill.model.outcome import Result
from waybill.model.resource import EventDestination, FeedbackTopics
from waybill.model.suppression import Reason
from waybill.store.announce import Audience, notices_for
from waybill.store.protocol import NewNotice, NoticeKind

TOPICS = FeedbackTopics(bounce="arn:b", complaint="arn:c", delivery="arn:d")


def _attempted(kind: EventKind, result: Result, cause: Cause) -> NewEvent:
    return new_event(kind, START, Attempted(attempt=attempt(START, result, cause, "451 4.0.0 x")))


def _suppressed(reason: Reason) -> NewEvent:
    fact = Suppressed(entry=suppression(reason=reason), feedback_id="f", diagnostic="d")
    return new_event(EventKind.SUPPRESSED, START, fact)


SEND = new_event(EventKind.ACCEPTED, START, Accepted())
DELIVERY = _attempted(EventKind.DELIVERED, Result.DELIVERED, Cause.ACCEPTED_BY_RECEIVER)
COMPLAINT = Complained(feedback_id="f", feedback_type=None, user_agent=None, arrival_date=None, reported_by="r")


@pytest.mark.parametrize(
    ("event", "kind", "legacy"),
    [
        (SEND, SesEvent.SEND, None),
        (DELIVERY, SesEvent.DELIVERY, "arn:d"),
        (_attempted(EventKind.DEFERRED, Result.DEFERRED, Cause.GREYLISTED), SesEvent.DELIVERY_DELAY, None),
        (_attempted(EventKind.BOUNCED, Result.BOUNCED, Cause.USER_UNKNOWN), SesEvent.BOUNCE, "arn:b"),
        (_suppressed(Reason.BOUNCE), SesEvent.BOUNCE, "arn:b"),
        (_suppressed(Reason.COMPLAINT), SesEvent.COMPLAINT, "arn:c"),
        (new_event(EventKind.COMPLAINED, START, COMPLAINT), SesEvent.COMPLAINT, "arn:c"),
        (
            new_event(EventKind.REJECTED, START, MalwareFound(reason="Bad content", signature="EICAR", where="a.txt")),
            SesEvent.REJECT,
            None,
        ),
    ],
)
def test_by_type(event: NewEvent, kind: SesEvent, legacy: str | None) -> None:
    """An event goes to the destinations that ask for its type, to the legacy topic of its kind, and to the file."""
    destinations = (
        EventDestination(name="one", enabled=True, event_types=(kind,), topic_arn="arn:1"),
        EventDestination(name="off", enabled=False, event_types=(kind,), topic_arn="arn:off"),
        EventDestination(name="metrics", enabled=True, event_types=(kind,), other={"CloudWatch": "{}"}),
        EventDestination(name="rest", enabled=True, event_types=tuple(set(SesEvent) - {kind}), topic_arn="arn:r"),
        EventDestination(name="all", enabled=True, event_types=tuple(SesEvent), topic_arn="arn:2"),
    )
    notices = notices_for(event, 7, ACCOUNT, Audience(destinations=destinations, topics=TOPICS, file=True))
    expected = [(NoticeKind.TOPIC, "arn:1"), (NoticeKind.TOPIC, "arn:2"), (NoticeKind.FILE, "")]
    if legacy:
        expected.insert(2, (NoticeKind.IDENTITY, legacy))
    assert [
        NewNotice(kind=where, account=ACCOUNT, target=target, at=START, event_id=7) for where, target in expected
    ] == notices


def test_what_ses_does_not_publish() -> None:
    """An event without a type of SES is announced to nobody."""
    event = new_event(EventKind.AUTO_REPLIED, START, AutoReplied(subject="s", auto_submitted="auto-replied"))
    everything = EventDestination(name="all", enabled=True, event_types=tuple(SesEvent), topic_arn="arn:1")
    assert notices_for(event, 7, ACCOUNT, Audience(destinations=(everything,), topics=TOPICS, file=True)) == []


def test_nobody_asks() -> None:
    """Without destinations, topics and file nothing is announced; one topic alone gets its kind alone."""
    assert notices_for(DELIVERY, 7, ACCOUNT, Audience()) == []
    topics = dataclasses.replace(TOPICS, delivery=None)
    assert notices_for(DELIVERY, 7, ACCOUNT, Audience(topics=topics)) == []
