"""From the outbox to endpoints on loopback: what they get, how often, and what is left when they fail."""

import json
from pathlib import Path

import pytest

from tests.publish.publishing import (
    ACCOUNT,
    START,
    TOPIC,
    Endpoint,
    World,
    open_endpoint,
    open_world,
    publish_all,
)
from tests.publish.test_sns import verify
from tests.store.builders import accepted, attempted, message, new_event
from waybill.model.clock import MINUTE, SECOND
from waybill.model.event import Complained, EventKind, SesEvent
from waybill.model.message import Status
from waybill.model.resource import ConfigurationSet, EventDestination, FeedbackTopics, Identity, Subscription, Topic
from waybill.publish.sns import certificate_pem
from waybill.store.protocol import NewNotice, NoticeKind, Settlement

VALIDATED = "Successfully validated SNS topic for Amazon SES event publishing."


async def listening(world: World, *kinds: SesEvent) -> None:
    destination = EventDestination(name="sns", enabled=True, event_types=kinds, topic_arn=TOPIC)
    await world.store.put(
        ConfigurationSet(account=ACCOUNT, name="main", created_at=START, event_destinations=(destination,))
    )


@pytest.mark.parametrize("version", ["1", "2"])
async def test_an_event_arrives_signed(tmp_path: Path, version: str) -> None:
    """The endpoint gets SES's JSON in an envelope that the served certificate proves."""
    async with open_world(tmp_path) as world, open_endpoint(Endpoint()) as endpoint:
        await world.topic(signature_version=version)
        subscription = await world.subscribe(f"{endpoint.url}/hook?x=1")
        await listening(world, SesEvent.SEND)
        await accepted(world.store, message=message(configuration_set="main"))
        await publish_all(world.publisher())
        (post,) = endpoint.posts
        envelope = post.envelope
        event = json.loads(envelope["Message"])
        assert (event["eventType"], envelope["Message"][-1]) == ("Send", "\n")
        assert envelope["Subject"] == "Amazon SES Email Event Notification"
        name = envelope["SigningCertURL"].rpartition("-")[2].removesuffix(".pem")
        verify(envelope, await certificate_pem(world.store, name) or "")
        assert envelope["SignatureVersion"] == version
        expected = {
            "content-type": "text/plain; charset=UTF-8",
            "user-agent": "Amazon Simple Notification Service Agent",
            "x-amz-sns-message-type": "Notification",
            "x-amz-sns-message-id": envelope["MessageId"],
            "x-amz-sns-topic-arn": TOPIC,
            "x-amz-sns-subscription-arn": subscription.name,
        }
        assert post.path == "/hook?x=1"
        assert expected == {name: value for name, value in post.headers.items() if name in expected}
        assert "x-amz-sns-rawdelivery" not in post.headers
        assert await world.pending() == 0


async def test_raw_delivery(tmp_path: Path) -> None:
    """The body is the message alone; every subscription of the topic gets the same message id."""
    async with open_world(tmp_path) as world, open_endpoint(Endpoint()) as endpoint:
        await world.topic()
        await world.subscribe(f"{endpoint.url}/raw", "s1", raw_delivery=True)
        await world.subscribe(f"{endpoint.url}/signed", "s2")
        await world.subscribe(f"{endpoint.url}/pending", "s3", confirmed_at=None)
        await world.publish(VALIDATED)
        await publish_all(world.publisher())
        raw, signed = sorted(endpoint.posts, key=lambda post: post.path)
        assert (raw.path, raw.body, raw.headers["x-amz-sns-rawdelivery"]) == ("/raw", VALIDATED.encode(), "true")
        assert (signed.path, signed.envelope["Message"]) == ("/signed", VALIDATED)
        assert "Subject" not in signed.envelope
        assert raw.headers["x-amz-sns-message-id"] == signed.envelope["MessageId"]


async def test_another_topic_of_similar_name(tmp_path: Path) -> None:
    """The subscriptions of ``events2`` hear nothing of ``events``."""
    async with open_world(tmp_path) as world, open_endpoint(Endpoint()) as endpoint:
        await world.topic()
        await world.topic(name=f"{TOPIC}2")
        await world.subscribe(endpoint.url, name="x", topic_arn=f"{TOPIC}2")
        await world.store.delete(Subscription, ACCOUNT, f"{TOPIC}:x")
        await world.store.put(
            Subscription(
                account=ACCOUNT,
                name=f"{TOPIC}2:x",
                topic_arn=f"{TOPIC}2",
                protocol="http",
                endpoint=endpoint.url,
                token="t",
                created_at=START,
                confirmed_at=START,
            )
        )
        await world.publish("m")
        await publish_all(world.publisher())
        assert endpoint.posts == []


@pytest.mark.parametrize("kind", ["SubscriptionConfirmation", "UnsubscribeConfirmation"])
async def test_questions(tmp_path: Path, kind: str) -> None:
    """An endpoint is asked to confirm, or told that it was unsubscribed, with the token that does it."""
    async with open_world(tmp_path) as world, open_endpoint(Endpoint()) as endpoint:
        await world.topic()
        subscription = await world.subscribe(endpoint.url, confirmed_at=None, raw_delivery=True)
        await world.store.notify(
            [
                NewNotice(
                    kind=NoticeKind.SUBSCRIPTION,
                    account=ACCOUNT,
                    target=subscription.name,
                    at=START,
                    headers={"x-amz-sns-message-type": kind},
                )
            ]
        )
        await publish_all(world.publisher())
        (post,) = endpoint.posts
        envelope = post.envelope
        assert (envelope["Type"], post.headers["x-amz-sns-message-type"]) == (kind, kind)
        assert envelope["Token"] == subscription.token
        assert "x-amz-sns-subscription-arn" not in post.headers
        verify(
            envelope,
            await certificate_pem(world.store, envelope["SigningCertURL"].rpartition("-")[2].removesuffix(".pem"))
            or "",
        )


async def test_legacy_notifications(tmp_path: Path) -> None:
    """A bounce goes to the identity's topic in the older form, with headers where the identity asks for them."""
    async with open_world(tmp_path) as world, open_endpoint(Endpoint()) as endpoint:
        await world.topic()
        await world.subscribe(endpoint.url)
        topics = FeedbackTopics(bounce=TOPIC, bounce_headers=True)
        await world.store.put(
            Identity(account=ACCOUNT, name="sender.example", created_at=START, token="t", topics=topics)
        )
        (delivery,) = await accepted(world.store, lease_owner="w", lease_until=START + MINUTE)
        await world.store.settle(attempted(delivery, Status.BOUNCED, START))
        await publish_all(world.publisher())
        (post,) = endpoint.posts
        notification = json.loads(post.envelope["Message"])
        assert notification["notificationType"] == "Bounce"
        assert [header["name"] for header in notification["mail"]["headers"]] == ["From", "To"]
        assert "Subject" not in post.envelope


async def test_a_complaint_tells_of_the_delivery_before(tmp_path: Path) -> None:
    """The tags of a complaint name the TLS version of the delivery that the recipient complained about."""
    async with open_world(tmp_path) as world, open_endpoint(Endpoint()) as endpoint:
        await world.topic()
        await world.subscribe(endpoint.url)
        await listening(world, SesEvent.COMPLAINT)
        (delivery,) = await accepted(
            world.store, message=message(configuration_set="main"), lease_owner="w", lease_until=START + MINUTE
        )
        await world.store.settle(attempted(delivery, Status.DELIVERED, START))
        fact = Complained(
            feedback_id="f", feedback_type="abuse", user_agent=None, arrival_date=None, reported_by="fbl@x.example"
        )
        event = new_event(EventKind.COMPLAINED, START, fact, delivery.recipient)
        await world.store.settle(
            Settlement(delivery_id=delivery.id, status=Status.COMPLAINED, cause=None, events=(event,))
        )
        await publish_all(world.publisher())
        (post,) = endpoint.posts
        assert json.loads(post.envelope["Message"])["mail"]["tags"]["ses:outgoing-tls-version"] == ["TLSv1.3"]


async def test_credentials_are_given_when_asked_for(tmp_path: Path) -> None:
    """The first post has none; after 401 with Basic the same is posted with user and password, decoded."""
    async with open_world(tmp_path) as world, open_endpoint(Endpoint(credentials="us er:p@ss")) as endpoint:
        await world.topic()
        await world.subscribe(endpoint.url.replace("://", "://us%20er:p%40ss@"))
        await world.publish("m")
        await publish_all(world.publisher())
        first, second = endpoint.posts
        assert ("authorization" in first.headers, "authorization" in second.headers) == (False, True)
        assert first.body == second.body
        assert await world.pending() == 0


async def test_wrong_credentials_are_final(tmp_path: Path) -> None:
    """A 401 that stays is the endpoint's word: two requests, and none later."""
    async with open_world(tmp_path) as world, open_endpoint(Endpoint(credentials="a:b")) as endpoint:
        await world.topic()
        await world.subscribe(endpoint.url.replace("://", "://a:wrong@"))
        await world.publish("m")
        await publish_all(world.publisher())
        assert (len(endpoint.posts), await world.pending()) == (2, 0)


async def test_retries(tmp_path: Path) -> None:
    """After 5xx and 429 the same bytes are posted every twenty seconds, three times, and then no more."""
    async with open_world(tmp_path) as world, open_endpoint(Endpoint(answers=[500, 429, 503, 500])) as endpoint:
        await world.topic()
        await world.subscribe(endpoint.url)
        await world.publish("m")
        publisher = world.publisher()
        for tries in (1, 2, 3, 4):
            await publish_all(publisher)
            assert len(endpoint.posts) == tries
            world.now += 20 * SECOND - 1
            await publish_all(publisher)
            assert len(endpoint.posts) == tries
            world.now += 1
        assert await world.pending() == 0
        assert len({(post.body, post.headers["x-amz-sns-message-id"]) for post in endpoint.posts}) == 1


@pytest.mark.parametrize("status", [301, 307, 400, 404, 410])
async def test_final_answers(tmp_path: Path, status: int) -> None:
    """A redirect is not followed, and a client error not tried again."""
    async with open_world(tmp_path) as world, open_endpoint(Endpoint(answers=[status])) as endpoint:
        await world.topic()
        await world.subscribe(endpoint.url)
        await world.publish("m")
        await publish_all(world.publisher())
        assert ([post.path for post in endpoint.posts], await world.pending()) == (["/"], 0)


async def test_a_delivery_policy_is_kept(tmp_path: Path) -> None:
    """The subscription's policy says how often, how long between, and the content type."""
    policy = json.dumps(
        {
            "healthyRetryPolicy": {"numRetries": 1, "minDelayTarget": 5, "maxDelayTarget": 5},
            "requestPolicy": {"headerContentType": "application/json"},
        }
    )
    async with open_world(tmp_path) as world, open_endpoint(Endpoint(answers=[500, 500])) as endpoint:
        await world.topic()
        await world.subscribe(endpoint.url, attributes={"DeliveryPolicy": policy})
        await world.publish("m")
        publisher = world.publisher()
        await publish_all(publisher)
        world.now += 5 * SECOND
        await publish_all(publisher)
        assert (len(endpoint.posts), await world.pending()) == (2, 0)
        assert endpoint.posts[0].headers["content-type"] == "application/json"


async def test_what_is_gone_ends_quietly(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Notices of a topic or subscription that was deleted leave the outbox, without a word in the log."""
    async with open_world(tmp_path) as world, open_endpoint(Endpoint()) as endpoint:
        await world.topic()
        subscription = await world.subscribe(endpoint.url)
        await world.publish("m")
        publisher = world.publisher()
        await publisher.publish_due()
        assert await world.pending() == 1
        await world.store.delete(Subscription, ACCOUNT, subscription.name)
        await publish_all(publisher)
        assert await world.pending() == 0
        await world.publish("m")
        await world.store.delete(Topic, ACCOUNT, TOPIC)
        await publish_all(publisher)
        assert (endpoint.posts, await world.pending(), caplog.records) == ([], 0, [])


async def test_what_cannot_be_rendered_holds_up_nothing(tmp_path: Path) -> None:
    """A notice without its event is given up and logged; the next one arrives."""
    async with open_world(tmp_path) as world, open_endpoint(Endpoint()) as endpoint:
        await world.topic()
        await world.subscribe(endpoint.url)
        await world.store.notify([NewNotice(kind=NoticeKind.TOPIC, account=ACCOUNT, target=TOPIC, at=START)])
        await world.publish("m")
        await publish_all(world.publisher())
        assert ([post.envelope["Message"] for post in endpoint.posts], await world.pending()) == (["m"], 0)


async def test_private_addresses_are_refused(tmp_path: Path) -> None:
    """Without allow_private nothing is posted to loopback, by address or by name; it is tried again, as DNS may change."""
    async with open_world(tmp_path, allow_private=False) as world, open_endpoint(Endpoint()) as endpoint:
        await world.topic()
        await world.subscribe(endpoint.url)
        await world.subscribe(endpoint.url.replace("127.0.0.1", "localhost"), "s2")
        await world.publish("m")
        await publish_all(world.publisher())
        assert (endpoint.posts, await world.pending()) == ([], 2)
