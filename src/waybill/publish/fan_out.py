"""From a notice to what is posted: one signed message for each subscription of the topic."""

import asyncio
import logging
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from waybill.model.clock import Clock
from waybill.model.event import EventKind
from waybill.model.message import Message
from waybill.model.outcome import Attempt
from waybill.model.resource import FeedbackTopics, Identity, Subscription, Topic
from waybill.publish.ses_event import delivered_attempt, event_json, notification_json
from waybill.publish.ses_mail import Installation
from waybill.publish.sns import Envelope, Signer, signing_certificate
from waybill.store.protocol import NewNotice, Notice, NoticeKind, NoticeResult, Store

log = logging.getLogger(__name__)

SUBJECT = "Amazon SES Email Event Notification"
FAREWELL = "UnsubscribeConfirmation"
_MOST_SUBSCRIPTIONS = 100_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Subscribers:
    """A topic and its confirmed subscriptions."""

    topic: Topic
    subscriptions: tuple[Subscription, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Publication:
    """What is told, under which id and subject, to whom."""

    message: str
    message_id: str
    subject: str | None
    subscribers: Subscribers


async def attempt_before(store: Store, notice: Notice) -> Attempt | None:
    """The delivery that a complaint followed: SES's tags name its addresses. None for other events."""
    if notice.event is None or notice.event.kind is not EventKind.COMPLAINED:
        return None
    ledger = await store.ledger(notice.event.message_id)
    return None if ledger is None else delivered_attempt(notice.event, ledger.events)


class FanOut:
    """Renders notices, and signs in a thread: the event loop never holds a signature."""

    def __init__(self, *, store: Store, clock: Clock, installation: Installation, public_url: str) -> None:
        self._store = store
        self._clock = clock
        self._installation = installation
        self._public_url = public_url
        self._signer: Signer | None = None

    async def render(self, notices: Sequence[Notice]) -> list[NoticeResult]:
        """For each notice the messages to post, to be written in one transaction with its end.

        A notice that leads nowhere (a topic or subscription that is gone, nothing confirmed) just ends. One that
        cannot be rendered ends too and is logged: it must not hold up the others.
        """
        known: dict[tuple[str, str], Subscribers | None] = {}
        results = []
        for notice in notices:
            try:
                follow_ups = await self._follow_ups(notice, known)
            except (LookupError, TypeError, ValueError, AssertionError) as error:
                log.exception("notice_not_rendered notice=%d target=%s", notice.id, notice.target)
                results.append(NoticeResult(notice_id=notice.id, error=f"{type(error).__name__}: {error}"))
            else:
                results.append(NoticeResult(notice_id=notice.id, follow_ups=follow_ups))
        return results

    async def _follow_ups(
        self, notice: Notice, known: dict[tuple[str, str], Subscribers | None]
    ) -> tuple[NewNotice, ...]:
        if notice.kind is NoticeKind.SUBSCRIPTION:
            return await self._question(notice)
        key = (notice.account, notice.target)
        if key not in known:
            known[key] = await self._subscribers_of(*key)
        subscribers = known[key]
        if subscribers is None or not subscribers.subscriptions:
            return ()
        message, subject = await self._message_of(notice)
        given = (notice.headers or {}).get("x-amz-sns-message-id")
        publication = _Publication(
            message=message, message_id=given or _message_id(notice), subject=subject, subscribers=subscribers
        )
        return await asyncio.to_thread(self._sealed, notice, publication, await self._signer_of())

    async def _subscribers_of(self, account: str, arn: str) -> Subscribers | None:
        topic = await self._store.get(Topic, account, arn)
        if topic is None:
            return None
        found = await self._store.scan(Subscription, account, prefix=f"{arn}:", limit=_MOST_SUBSCRIPTIONS)
        confirmed = tuple(subscription for subscription in found if subscription.confirmed_at is not None)
        return Subscribers(topic=topic, subscriptions=confirmed)

    async def _question(self, notice: Notice) -> tuple[NewNotice, ...]:
        """The message that asks a subscription to confirm, or tells it that it has been unsubscribed."""
        subscription = await self._store.get(Subscription, notice.account, notice.target)
        topic = await self._store.get(Topic, notice.account, subscription.topic_arn) if subscription else None
        if subscription is None or topic is None:
            return ()
        signer = await self._signer_of()
        leaves = (notice.headers or {}).get("x-amz-sns-message-type") == FAREWELL
        write = signer.farewell if leaves else signer.confirmation
        envelope = await asyncio.to_thread(write, topic, subscription, message_id=_message_id(notice))
        return (_to_post(notice, subscription, envelope),)

    async def _message_of(self, notice: Notice) -> tuple[str, str | None]:
        """The text and subject of a topic's notice."""
        if notice.body is not None:
            return notice.body.decode("utf-8", "replace"), (notice.headers or {}).get("Subject")
        event, message = notice.event, notice.message
        if event is None or message is None:
            raise LookupError("the event that it announces is gone")
        before = await attempt_before(self._store, notice)
        if notice.kind is NoticeKind.IDENTITY:
            topics = await self._topics_of(message)
            return notification_json(event, message, self._installation, topics).decode(), None
        return event_json(event, message, self._installation, before).decode(), SUBJECT

    async def _topics_of(self, message: Message) -> FeedbackTopics:
        identity = await self._store.get(Identity, message.account, message.identity or "")
        return identity.topics if identity else FeedbackTopics()

    def _sealed(self, notice: Notice, publication: _Publication, signer: Signer) -> tuple[NewNotice, ...]:
        topic = publication.subscribers.topic
        follow_ups = []
        for subscription in publication.subscribers.subscriptions:
            if subscription.raw_delivery:
                envelope = Envelope(
                    kind="Notification",
                    message_id=publication.message_id,
                    topic_arn=topic.name,
                    body=publication.message.encode(),
                )
            else:
                envelope = signer.notification(
                    topic,
                    subscription,
                    message_id=publication.message_id,
                    message=publication.message,
                    subject=publication.subject,
                )
            follow_ups.append(_to_post(notice, subscription, envelope))
        return tuple(follow_ups)

    async def _signer_of(self) -> Signer:
        if self._signer is None:
            certificate = await signing_certificate(self._store, self._public_url, self._clock)
            self._signer = Signer(certificate, self._public_url, self._clock)
        return self._signer


def _message_id(notice: Notice) -> str:
    """The same for a notice that is rendered twice, another for every notice of every installation."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{notice.target}/{notice.id}/{notice.at}"))


def _to_post(notice: Notice, subscription: Subscription, envelope: Envelope) -> NewNotice:
    headers = {
        "x-amz-sns-message-type": envelope.kind,
        "x-amz-sns-message-id": envelope.message_id,
        "x-amz-sns-topic-arn": envelope.topic_arn,
    }
    if envelope.kind == "Notification":
        headers["x-amz-sns-subscription-arn"] = subscription.name
        if subscription.raw_delivery:
            headers["x-amz-sns-rawdelivery"] = "true"
    return NewNotice(
        kind=NoticeKind.SUBSCRIPTION,
        account=notice.account,
        target=subscription.name,
        at=notice.at,
        body=envelope.body,
        event_id=notice.event.id if notice.event else None,
        headers=headers,
    )
