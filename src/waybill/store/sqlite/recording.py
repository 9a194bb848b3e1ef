"""Writes events into the ledger, and with each the notices that announce it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import msgspec

from waybill.model.clock import Instant
from waybill.model.event import Event, NewEvent, ses_event
from waybill.model.message import Message
from waybill.model.resource import ConfigurationSet, EventDestination, FeedbackTopics, Identity
from waybill.store.announce import LEGACY, Audience, notices_for
from waybill.store.codec import encode
from waybill.store.protocol import NewNotice, NotFound, Notice
from waybill.store.sqlite.bulk import Row, insert
from waybill.store.sqlite.fresh import Fresh
from waybill.store.sqlite.resources import read_body
from waybill.store.sqlite.writer import Transaction

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Occasion:
    """Events about one message, and what of the message decides who hears of them.

    ``message`` and ``worker`` are there where a worker of this process goes on with the message.
    """

    number: int
    account: str
    configuration_set: str | None
    identity: str | None
    events: Sequence[NewEvent]
    message: Message | None = None
    worker: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Destinations:
    event_destinations: tuple[EventDestination, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class _Topics:
    topics: FeedbackTopics = field(default_factory=FeedbackTopics)


# Only the part that is needed is decoded: the rest of an identity holds sealed keys.
_destinations = msgspec.json.Decoder(_Destinations)
_topics = msgspec.json.Decoder(_Topics)
_NO_TOPICS = FeedbackTopics()


def record(
    transaction: Transaction, occasions: Sequence[Occasion], *, file_events: bool, fresh: Fresh | None = None
) -> list[int]:
    """The ids that the events of each occasion begin with."""
    listeners = _Listeners(transaction)
    next_id, notice_id = transaction.execute(
        "SELECT (SELECT ifnull(max(id), 0) FROM events),"
        " (SELECT ifnull(max(seq), 0) FROM sqlite_sequence WHERE name = 'notices')"
    )[0]
    lease_until = None if fresh is None else fresh.lease_until()
    first_ids: list[int] = []
    rows: list[Row] = []
    notices: list[Row] = []
    for occasion in occasions:
        first_ids.append(next_id + 1)
        audience = listeners.of(occasion, file_events=file_events)
        leased: list[Notice] = []
        for event in occasion.events:
            next_id += 1
            rows.append((next_id, occasion.number, event.recipient, event.at, event.kind.value, encode(event.fact)))
            for notice in notices_for(event, next_id, occasion.account, audience) if audience is not None else ():
                notice_id += 1
                if occasion.message is None or occasion.worker is None or lease_until is None:
                    notices.append(_row(notice, notice_id))
                else:
                    notices.append(_row(notice, notice_id, occasion.worker, lease_until))
                    leased.append(_leased(notice, notice_id, event, occasion.message))
        if leased and fresh is not None:
            transaction.own_after.append(partial(fresh.add, leased))
    insert(transaction, "events", "id, message, recipient, at, kind, fact", rows)
    insert(transaction, "notices", _NOTICE, notices)
    return first_ids


def append(transaction: Transaction, message_id: str, events: Sequence[NewEvent], *, file_events: bool) -> None:
    """Writes events about a message that leave its deliveries as they are. Raises: NotFound."""
    rows = transaction.execute(
        "SELECT m.number, m.configuration_set, m.identity, (SELECT account FROM deliveries WHERE message = m.number LIMIT 1)"
        " FROM messages m WHERE m.id = ?",
        (message_id,),
    )
    if not rows:
        raise NotFound(f"no message {message_id}")
    number, configuration_set, identity, account = rows[0]
    occasion = Occasion(
        number=number, account=account or "", configuration_set=configuration_set, identity=identity, events=events
    )
    record(transaction, [occasion], file_events=file_events)


_NOTICE = "id, kind, account, target, at, next_at, attempts, event, body, headers, lease_owner, lease_until"


def _row(
    notice: NewNotice, notice_id: int | None, worker: str | None = None, lease_until: Instant | None = None
) -> Row:
    return (
        notice_id,
        notice.kind.value,
        notice.account,
        notice.target,
        notice.at,
        notice.at,
        0,
        notice.event_id,
        notice.body,
        None if notice.headers is None else encode(notice.headers),
        worker,
        lease_until,
    )


def _leased(notice: NewNotice, notice_id: int, event: NewEvent, message: Message) -> Notice:
    assert notice.event_id is not None, "an event has made it"
    return Notice(
        id=notice_id,
        kind=notice.kind,
        account=notice.account,
        target=notice.target,
        at=notice.at,
        attempts=0,
        body=notice.body,
        headers=notice.headers,
        event=Event(
            id=notice.event_id,
            message_id=message.id,
            kind=event.kind,
            at=event.at,
            fact=event.fact,
            recipient=event.recipient,
        ),
        message=message,
    )


def add_notices(transaction: Transaction, notices: Sequence[NewNotice]) -> None:
    """Puts notices into the outbox, due at once."""
    insert(transaction, "notices", _NOTICE, [_row(notice, None) for notice in notices])


class _Listeners:
    """Who hears of events; each configuration set and identity is read once for a batch."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self._known: dict[tuple[type[Any], str, str], Any] = {}

    def of(self, occasion: Occasion, *, file_events: bool) -> Audience | None:
        """The audience, or None where nobody listens."""
        kinds = {ses_event(event.kind, event.fact) for event in occasion.events} - {None}
        if not kinds:
            return None
        destinations: tuple[EventDestination, ...] = ()
        topics = _NO_TOPICS
        if occasion.configuration_set is not None:
            destinations = self._read(
                ConfigurationSet, occasion.account, occasion.configuration_set, _event_destinations
            )
        if occasion.identity is not None and kinds & LEGACY:
            topics = self._read(Identity, occasion.account, occasion.identity, _feedback_topics)
        if not destinations and not file_events and topics == _NO_TOPICS:
            return None
        return Audience(destinations=destinations, topics=topics, file=file_events)

    def _read(self, kind: type[Any], account: str, name: str, part: Callable[[bytes | None], T]) -> T:
        key = (kind, account, name)
        if key not in self._known:
            self._known[key] = part(read_body(self._transaction.connection, kind, account, name))
        found: T = self._known[key]
        return found


def _event_destinations(body: bytes | None) -> tuple[EventDestination, ...]:
    return _destinations.decode(body).event_destinations if body else ()


def _feedback_topics(body: bytes | None) -> FeedbackTopics:
    return _topics.decode(body).topics if body else _NO_TOPICS
