"""What is told to the sender's own systems: every fact once, with its reason, its code and an id of its own."""

import json
from pathlib import Path
from typing import Any

from tests.accept.accepting import World as Counter
from tests.accept.accepting import request
from tests.lessons.journey import journey, received, refusing
from tests.net.scripted import scripted
from tests.publish.publishing import ACCOUNT, START, TOPIC, Endpoint, open_endpoint, open_world, publish_all
from tests.queue.queueing import World
from tests.store.builders import accepted, message, new_event
from waybill.model.cause import Cause, Scope
from waybill.model.clock import MINUTE
from waybill.model.event import BounceReceived, EventKind, SesEvent
from waybill.model.message import Delivery, Status
from waybill.model.outcome import Line, Speaker
from waybill.model.resource import ConfigurationSet, EventDestination
from waybill.model.suppression import Reason, Suppression
from waybill.publish.ses_event import event_json
from waybill.publish.ses_mail import Installation
from waybill.store.protocol import Notice, NoticeKind, Settlement, Store

SES = Installation(region="us-east-1", hostname="mail.example")
EVERY = ConfigurationSet(
    account=ACCOUNT,
    name="main",
    created_at=START,
    event_destinations=(EventDestination(name="sns", enabled=True, event_types=tuple(SesEvent), topic_arn=TOPIC),),
)


async def announced(store: Store, now: int) -> list[Notice]:
    """The notices that are due, without those told of before."""
    return await store.claim_notices("p1", now, limit=100, lease_until=now + 1_000 * MINUTE)


async def told(store: Store, now: int) -> list[Any]:
    """The events that are due, as they are posted."""
    found = []
    for notice in await announced(store, now):
        assert NoticeKind.TOPIC is notice.kind
        assert notice.event is not None
        assert notice.message is not None
        found.append(json.loads(event_json(notice.event, notice.message, SES)))
    return found


async def returned_after_delivery(store: Store, delivery: Delivery, at: int) -> None:
    """A bounce mail about a message that its receiver had taken."""
    fact = BounceReceived(
        cause=Cause.USER_UNKNOWN,
        scope=Scope.RECIPIENT,
        permanent=True,
        status="5.1.1",
        action="failed",
        diagnostic="smtp; 550 5.1.1 User unknown",
        reporting_mta="dns; mx.receiver.test",
        rule="unknown-user",
        feedback_id="f-1",
    )
    await store.settle(
        Settlement(
            delivery_id=delivery.id,
            status=Status.BOUNCED,
            cause=Cause.USER_UNKNOWN,
            events=(new_event(EventKind.BOUNCE_RECEIVED, at, fact, delivery.recipient),),
        )
    )


async def test_a_delay_is_told_with_the_reason_of_that_attempt(world: World) -> None:
    """Each DeliveryDelay has the words of the attempt that has just ended, never those before it or none."""
    await world.store.put(EVERY)
    answers = [b"451 4.7.1 Greylisted, come back later\r\n", b"452 4.2.2 Mailbox full\r\n", b"250 2.1.5 ok\r\n"]
    async with scripted(RCPT=answers) as server, journey(world, server.port) as trip:
        (delivery,) = await trip.send("u@a.test", message=message(configuration_set="main"))
        while delivery.status is Status.DELAYED:
            delivery = await trip.go_on(delivery)
    events = await told(world.store, world.at)
    delays = [event["deliveryDelay"] for event in events if event["eventType"] == "DeliveryDelay"]
    assert ["smtp; 451 4.7.1 Greylisted, come back later", "smtp; 452 4.2.2 Mailbox full"] == [
        delay["delayedRecipients"][0]["diagnosticCode"] for delay in delays
    ]
    assert ["4.7.1", "4.2.2"] == [delay["delayedRecipients"][0]["status"] for delay in delays]
    assert "MailboxFull" == delays[1]["delayType"]
    assert ["Send", "DeliveryDelay", "DeliveryDelay", "Delivery"] == [event["eventType"] for event in events]


async def test_a_bounce_is_told_with_code_and_words(world: World) -> None:
    """Status, verbatim reply, host and type are in every Bounce, for a reply without an enhanced code too."""
    await world.store.put(EVERY)
    replies = {
        "unknown@a.test": "550 No such user here",
        "full@a.test": "552 5.2.2 Mailbox full",
        "policy@a.test": "550-5.7.1 Message rejected\n550 5.7.1 due to local policy",
    }
    async with received(world, refusing(replies)) as (trip, _):
        await trip.send(*replies, message=message(configuration_set="main"))
    bounces = [event["bounce"] for event in await told(world.store, world.at) if event["eventType"] == "Bounce"]
    seen = {bounce["bouncedRecipients"][0]["emailAddress"]: bounce for bounce in bounces}
    assert set(replies) == set(seen)
    for bounce in bounces:
        assert {"action", "status", "diagnosticCode"} < set(bounce["bouncedRecipients"][0])
        assert bounce["feedbackId"]
        assert "127.0.0.1" == bounce["remoteMtaIp"]
    assert "smtp; 550 No such user here" == seen["unknown@a.test"]["bouncedRecipients"][0]["diagnosticCode"]
    assert "5.1.1" == seen["unknown@a.test"]["bouncedRecipients"][0]["status"]
    assert ("Transient", "MailboxFull") == (seen["full@a.test"]["bounceType"], seen["full@a.test"]["bounceSubType"])
    words = seen["policy@a.test"]["bouncedRecipients"][0]["diagnosticCode"]
    assert "Message rejected" in words
    assert "due to local policy" in words


async def test_a_delivery_is_no_bounce_and_a_delay_is_none(world: World) -> None:
    """Only what has ended without delivery is a Bounce; nothing is told twice."""
    await world.store.put(EVERY)
    replies = {"later@a.test": "450 4.2.0 Try again later"}
    async with received(world, refusing(replies)) as (trip, _):
        await trip.send("fine@a.test", "later@a.test", message=message(configuration_set="main"))
    events = await told(world.store, world.at)
    assert ["Delivery", "DeliveryDelay", "Send"] == sorted(event["eventType"] for event in events)
    assert [] == await told(world.store, world.at)


async def test_mail_that_is_held_back_by_a_list_is_told_of(counter: Counter) -> None:
    """Whoever is suppressed gets a Bounce event as well as the Send, although no server was asked."""
    await counter.store.put(EVERY)
    await counter.store.suppress(
        [
            Suppression(
                account=ACCOUNT, address="gone@a.test", reason=Reason.BOUNCE, at=START, author="rule:unknown-user"
            )
        ]
    )
    await counter.accept(request(to=("gone@a.test",), configuration_set="main"))
    events = await told(counter.store, START)
    assert ["Bounce", "Send"] == sorted(event["eventType"] for event in events)
    (bounce,) = [event["bounce"] for event in events if event["eventType"] == "Bounce"]
    assert ("Permanent", "OnAccountSuppressionList") == (bounce["bounceType"], bounce["bounceSubType"])


async def test_without_a_configuration_set_the_ledger_knows_it_all(world: World) -> None:
    """Nothing is announced to anybody, and everything is on record: explanations need no destination for events."""
    replies = {"later@a.test": "450 4.2.0 Try again later", "gone@a.test": "550 5.1.1 User unknown"}
    async with received(world, refusing(replies)) as (trip, _):
        later, gone = await trip.send(*replies)
        (put_off,) = await trip.attempts(later)
        (refused,) = await trip.attempts(gone)
    assert [] == await announced(world.store, world.at)
    for attempt in (put_off, refused):
        spoken = [line for line in attempt.transcript if line.who is not Speaker.NOTE]
        assert any(line.text.startswith("RCPT TO") for line in spoken)
        assert attempt.outcome.reply is not None
        assert attempt.outcome.reply.text in [line.text for line in spoken]


async def test_each_line_of_a_conversation_has_its_time(world: World) -> None:
    """Where the seconds went can be read from the record: lookup, connection, greeting, each command and its answer."""
    async with received(world, refusing({})) as (trip, _):
        (delivery,) = await trip.send("u@a.test")
        (attempt,) = await trip.attempts(delivery)
    lines: tuple[Line, ...] = attempt.transcript
    times = [line.at for line in lines]
    assert times == sorted(times)
    assert attempt.started_at <= times[0] <= times[-1] <= attempt.ended_at
    said = " ".join(line.text for line in lines)
    for step in ("mx.receiver.test", "220 ", "EHLO", "MAIL FROM", "RCPT TO", "DATA", "354", "queued"):
        assert step in said


async def test_a_bounce_after_the_delivery_is_an_event_of_its_own(tmp_path: Path) -> None:
    """Both are posted, under two ids: whoever drops doubles by the id of the post loses neither, and both name the message."""
    async with open_world(tmp_path) as world, open_endpoint(Endpoint(answers=[500])) as endpoint:
        await world.topic()
        await world.subscribe(endpoint.url)
        await world.store.put(EVERY)
        asked = message(START, configuration_set="main")
        (delivery,) = await accepted(world.store, START, message=asked)
        await returned_after_delivery(world.store, delivery, START + 1)
        for _ in range(3):
            await publish_all(world.publisher())
            world.now += MINUTE
        ids: dict[str, set[str]] = {}
        for post in endpoint.posts:
            event = json.loads(post.envelope["Message"])
            assert asked.id == event["mail"]["messageId"]
            ids.setdefault(event["eventType"], set()).add(post.envelope["MessageId"])
        assert {"Send", "Bounce"} == set(ids)
        assert [1, 1] == [len(each) for each in ids.values()]
        assert ids["Send"].isdisjoint(ids["Bounce"])
        assert asked.id not in set.union(*ids.values())
        assert 3 == len(endpoint.posts)  # one of them twice, since the first was answered 500: the same id


async def test_what_was_not_posted_outlives_the_process(tmp_path: Path) -> None:
    """Retries are kept on disk: an endpoint that is down while the service is restarted gets its events afterwards."""
    async with open_endpoint(Endpoint(answers=[503, 503])) as endpoint:
        async with open_world(tmp_path) as world:
            await world.topic()
            await world.subscribe(endpoint.url)
            await world.publish("m")
            await publish_all(world.publisher())
            assert 1 == await world.pending()
        async with open_world(tmp_path) as world:
            for _ in range(3):
                world.now += MINUTE
                await publish_all(world.publisher())
            assert 0 == await world.pending()
    assert 3 == len(endpoint.posts)
    assert 1 == len({post.envelope["MessageId"] for post in endpoint.posts})
