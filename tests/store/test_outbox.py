"""The outbox: events make notices in the same transaction, and notices are leased, retried and deleted."""

import dataclasses

from tests.store.builders import ACCOUNT, START, acceptance, accepted, attempted, message
from tests.store.conformance import Engine
from waybill.model.clock import HOUR, MINUTE
from waybill.model.event import EventKind, SesEvent
from waybill.model.message import Status
from waybill.model.resource import ConfigurationSet, EventDestination, FeedbackTopics, Identity
from waybill.store.protocol import NewNotice, Notice, NoticeKind, NoticeResult, Store

TOPIC = "arn:aws:sns:us-east-1:100000000001:events"
LEGACY = "arn:aws:sns:us-east-1:100000000001:bounces"


def configuration_set(*kinds: SesEvent, enabled: bool = True) -> ConfigurationSet:
    destination = EventDestination(name="sns", enabled=enabled, event_types=kinds, topic_arn=TOPIC)
    return ConfigurationSet(account=ACCOUNT, name="main", created_at=START, event_destinations=(destination,))


async def due(store: Store, worker: str = "p1", now: int = START + MINUTE, limit: int = 99) -> list[Notice]:
    return await store.claim_notices(worker, now, limit=limit, lease_until=now + MINUTE)


def plain(at: int, target: str = TOPIC) -> NewNotice:
    return NewNotice(
        kind=NoticeKind.SUBSCRIPTION, account=ACCOUNT, target=target, at=at, body=b"{}", headers={"x-amz": "ü"}
    )


async def test_accepting_announces(store: Store) -> None:
    """A Send event is announced to the configuration set's topic, with event and message."""
    await store.put(configuration_set(SesEvent.SEND))
    asked = acceptance(message=message(configuration_set="main"))
    await store.accept(asked)
    ledger = await store.ledger(asked.message.id)
    assert ledger is not None
    assert (await store.health()).notices == 1
    (notice,) = await due(store)
    assert (NoticeKind.TOPIC, ACCOUNT, TOPIC, START, 0, None, None, ledger.events[0], asked.message) == (
        notice.kind,
        notice.account,
        notice.target,
        notice.at,
        notice.attempts,
        notice.body,
        notice.headers,
        notice.event,
        notice.message,
    )
    await store.settle_notices([NoticeResult(notice_id=notice.id)])
    assert (await store.health()).notices == 0


async def test_settling_announces(store: Store) -> None:
    """A bounce is announced to the event destination and to the identity's legacy topic."""
    await store.put(configuration_set(SesEvent.BOUNCE))
    topics = FeedbackTopics(bounce=LEGACY)
    await store.put(Identity(account=ACCOUNT, name="sender.example", created_at=START, token="t", topics=topics))
    (delivery,) = await accepted(
        store, message=message(configuration_set="main"), lease_owner="w1", lease_until=START + MINUTE
    )
    assert await due(store) == []
    await store.settle(attempted(delivery, Status.BOUNCED, START))
    notices = await due(store)
    assert [(one.kind, one.target) for one in notices] == [(NoticeKind.TOPIC, TOPIC), (NoticeKind.IDENTITY, LEGACY)]
    assert [one.event.kind for one in notices if one.event] == [EventKind.BOUNCED] * 2


async def test_a_configuration_set_that_is_gone(store: Store) -> None:
    """A name that leads nowhere, or a destination switched off, announces nothing."""
    await store.accept(acceptance(message=message(configuration_set="gone", identity="gone.example")))
    await store.put(configuration_set(SesEvent.SEND, enabled=False))
    await store.accept(acceptance(message=message(configuration_set="main")))
    assert await due(store) == []


async def test_the_file_gets_every_event(engine: Engine) -> None:
    """With ``file_events`` each event that SES publishes makes a notice for the file as well."""
    store = await engine.open(file_events=True)
    (delivery,) = await accepted(store, lease_owner="w1", lease_until=START + MINUTE)
    await store.settle(attempted(delivery, Status.DELIVERED, START))
    notices = await due(store)
    assert [(one.kind, one.target, one.event and one.event.kind) for one in notices] == [
        (NoticeKind.FILE, "", EventKind.ACCEPTED),
        (NoticeKind.FILE, "", EventKind.DELIVERED),
    ]


async def test_what_is_rendered_comes_back(store: Store) -> None:
    """A notice without an event has its body and headers."""
    await store.notify([plain(START)])
    (notice,) = await due(store)
    assert (notice.body, notice.headers, notice.event, notice.message) == (b"{}", {"x-amz": "ü"}, None, None)


async def test_oldest_first_and_leased_once(engine: Engine) -> None:
    """Notices are leased to one publisher in the order they are due, and are free when its lease has run out."""
    store, other = await engine.open(), await engine.open()
    await store.notify([plain(START + 2, "b"), plain(START + 1, "a"), plain(START + HOUR, "later")])
    assert [[one.target for one in await due(which, limit=1)] for which in (store, other, store)] == [["a"], ["b"], []]
    assert sorted(one.target for one in await due(other, "p2", START + 2 * MINUTE)) == ["a", "b"]


async def test_retry(store: Store) -> None:
    """A notice to be tried again is free at its time, with one attempt more."""
    await store.notify([plain(START)])
    (notice,) = await due(store)
    await store.settle_notices([NoticeResult(notice_id=notice.id, retry_at=START + HOUR, error="HTTP 500")])
    assert await due(store, now=START + HOUR - 1) == []
    (again,) = await due(store, now=START + HOUR)
    assert dataclasses.replace(notice, attempts=1) == again


async def test_fan_out(store: Store) -> None:
    """A topic's notice is replaced by those of its subscriptions; settled twice, they are added once."""
    await store.put(configuration_set(SesEvent.SEND))
    asked = acceptance(message=message(configuration_set="main"))
    await store.accept(asked)
    (notice,) = await due(store)
    assert notice.event is not None
    follow_ups = tuple(dataclasses.replace(plain(START, target), event_id=notice.event.id) for target in ("s1", "s2"))
    result = NoticeResult(notice_id=notice.id, follow_ups=follow_ups)
    await store.settle_notices([result, result])
    assert (await store.health()).notices == 2
    notices = await due(store)
    assert [one.target for one in notices] == ["s1", "s2"]
    assert (notice.event, notice.message, b"{}") == (notices[0].event, notices[0].message, notices[0].body)


async def test_ids_are_not_used_twice(store: Store) -> None:
    """A late result for a notice that is gone does not touch a newer one."""
    await store.notify([plain(START)])
    (first,) = await due(store)
    await store.settle_notices([NoticeResult(notice_id=first.id)])
    await store.notify([plain(START)])
    await store.settle_notices([NoticeResult(notice_id=first.id)])
    health = await store.health()
    assert (health.notices, health.oldest_notice_at) == (1, START)
