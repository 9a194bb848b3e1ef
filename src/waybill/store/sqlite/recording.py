"""Writes events into the ledger, and with each the notices that announce it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from waybill.model.event import NewEvent, ses_event
from waybill.model.resource import ConfigurationSet, EventDestination, FeedbackTopics, Identity
from waybill.store.announce import LEGACY, Audience, notices_for
from waybill.store.codec import encode
from waybill.store.protocol import NewNotice
from waybill.store.sqlite.bulk import Row, insert
from waybill.store.sqlite.resources import read_body
from waybill.store.sqlite.writer import Transaction

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Occasion:
    """Events about one message, and what of the message decides who hears of them."""

    number: int
    account: str
    configuration_set: str | None
    identity: str | None
    events: Sequence[NewEvent]


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


def record(transaction: Transaction, occasions: Sequence[Occasion], *, file_events: bool) -> list[int]:
    """The ids that the events of each occasion begin with."""
    listeners = _Listeners(transaction)
    next_id = 1 + transaction.execute("SELECT ifnull(max(id), 0) FROM events")[0][0]
    first_ids: list[int] = []
    rows: list[Row] = []
    notices: list[NewNotice] = []
    for occasion in occasions:
        first_ids.append(next_id)
        audience = listeners.of(occasion, file_events=file_events)
        for event in occasion.events:
            rows.append((next_id, occasion.number, event.recipient, event.at, event.kind.value, encode(event.fact)))
            if audience is not None:
                notices += notices_for(event, next_id, occasion.account, audience)
            next_id += 1
    insert(transaction, "events", "id, message, recipient, at, kind, fact", rows)
    add_notices(transaction, notices)
    return first_ids


def add_notices(transaction: Transaction, notices: Sequence[NewNotice]) -> None:
    """Puts notices into the outbox, due at once."""
    insert(
        transaction,
        "notices",
        "kind, account, target, at, next_at, attempts, event, body, headers",
        [
            (
                notice.kind.value,
                notice.account,
                notice.target,
                notice.at,
                notice.at,
                0,
                notice.event_id,
                notice.body,
                None if notice.headers is None else encode(notice.headers),
            )
            for notice in notices
        ],
    )


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
