"""Which notices an event makes: to the topics of event destinations, to legacy topics, to the file. Pure."""

from dataclasses import dataclass, field

from waybill.model.event import NewEvent, SesEvent, ses_event
from waybill.model.resource import EventDestination, FeedbackTopics
from waybill.store.protocol import NewNotice, NoticeKind


@dataclass(frozen=True, kw_only=True, slots=True)
class Audience:
    """Who wants to hear of a message's events.

    They are the event destinations of its configuration set, the legacy topics of its identity (``Message.identity``
    alone: an address without topics does not fall back to its domain's), and the file.
    """

    destinations: tuple[EventDestination, ...] = ()
    topics: FeedbackTopics = field(default_factory=FeedbackTopics)
    file: bool = False


LEGACY = frozenset({SesEvent.BOUNCE, SesEvent.COMPLAINT, SesEvent.DELIVERY})
"""The event types that identities' legacy topics know."""


def notices_for(event: NewEvent, event_id: int, account: str, audience: Audience) -> list[NewNotice]:
    """The notices of one event of the account's ledger, none where SES publishes no such event."""
    kind = ses_event(event.kind, event.fact)
    if kind is None:
        return []
    targets = [
        (NoticeKind.TOPIC, destination.topic_arn)
        for destination in audience.destinations
        if destination.enabled and destination.topic_arn and kind in destination.event_types
    ]
    legacy = _legacy_topic(kind, audience.topics)
    if legacy:
        targets.append((NoticeKind.IDENTITY, legacy))
    if audience.file:
        targets.append((NoticeKind.FILE, ""))
    return [
        NewNotice(kind=where, account=account, target=target, at=event.at, event_id=event_id)
        for where, target in targets
    ]


def _legacy_topic(kind: SesEvent, topics: FeedbackTopics) -> str | None:
    if kind is SesEvent.BOUNCE:
        return topics.bounce
    if kind is SesEvent.COMPLAINT:
        return topics.complaint
    return topics.delivery if kind is SesEvent.DELIVERY else None
