"""SNS: topics, subscriptions of HTTP endpoints, publishing."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.operations_world import ACCOUNT, World, open_world
from waybill.api.call import ApiError
from waybill.model.resource import Subscription, Topic
from waybill.store.protocol import NoticeKind

ARN = f"arn:aws:sns:us-east-1:{ACCOUNT}:events"
OTHER = "200000000002"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(tmp_path) as opened:
        await opened.sns("CreateTopic", Name="events")
        yield opened


async def subscribe(world: World, endpoint: str = "https://h.example/hook", *, topic_arn: str = ARN) -> Subscription:
    answer = await world.sns(
        "Subscribe", TopicArn=topic_arn, Protocol="https", Endpoint=endpoint, ReturnSubscriptionArn=True
    )
    record = await world.store.get(Subscription, ACCOUNT, answer["SubscriptionArn"])
    assert record is not None
    return record


async def test_creating_is_idempotent(world: World) -> None:
    """A topic created again keeps its attributes and has the same ARN."""
    await world.sns("SetTopicAttributes", TopicArn=ARN, AttributeName="SignatureVersion", AttributeValue="2")
    assert await world.sns("CreateTopic", Name="events") == {"TopicArn": ARN}
    record = await world.store.get(Topic, ACCOUNT, ARN)
    assert record is not None
    assert record.signature_version == "2"


@pytest.mark.parametrize("name", ["", "a b", "events.fifo", "x" * 257, "a:b"])
async def test_topic_names(world: World, name: str) -> None:
    """A name that would break the ARN, or a FIFO topic, is refused."""
    with pytest.raises(ApiError, match="Topic Name") as refused:
        await world.sns("CreateTopic", Name=name)
    assert refused.value.code == "InvalidParameter"


async def test_topic_attributes(world: World) -> None:
    """Attributes are kept and shown with the counts of subscriptions."""
    for name, value in (
        ("DisplayName", "Events"),
        ("DeliveryPolicy", '{"http": {}}'),
        ("HTTPSuccessFeedbackRoleArn", "r"),
    ):
        await world.sns("SetTopicAttributes", TopicArn=ARN, AttributeName=name, AttributeValue=value)
    record = await subscribe(world)
    await subscribe(world, "https://h.example/other")
    await world.sns("ConfirmSubscription", TopicArn=ARN, Token=record.token)
    shown = (await world.sns("GetTopicAttributes", TopicArn=ARN))["Attributes"]
    assert shown == {
        "TopicArn": ARN,
        "Owner": ACCOUNT,
        "DisplayName": "Events",
        "SignatureVersion": "1",
        "SubscriptionsConfirmed": "1",
        "SubscriptionsPending": "1",
        "SubscriptionsDeleted": "0",
        "DeliveryPolicy": '{"http": {}}',
        "EffectiveDeliveryPolicy": '{"http": {}}',
        "HTTPSuccessFeedbackRoleArn": "r",
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SignatureVersion", "3"),
        ("DisplayName", "a\nb"),
        ("DisplayName", "x" * 101),
        ("DeliveryPolicy", "{"),
        ("Nonsense", "x"),
    ],
)
async def test_faulty_topic_attributes(world: World, name: str, value: str) -> None:
    """A value that is not allowed is refused by the attribute's name."""
    with pytest.raises(ApiError, match=name) as refused:
        await world.sns("SetTopicAttributes", TopicArn=ARN, AttributeName=name, AttributeValue=value)
    assert refused.value.code == "InvalidParameter"


async def test_missing_topic(world: World) -> None:
    """A topic of another account is as missing as one that never was."""
    for account, arn in ((ACCOUNT, f"{ARN}x"), (OTHER, ARN)):
        with pytest.raises(ApiError) as refused:
            await world.sns("GetTopicAttributes", account=account, TopicArn=arn)
        assert (refused.value.code, refused.value.text, refused.value.status) == (
            "NotFound",
            "Topic does not exist",
            404,
        )


async def test_deleting_a_topic(world: World) -> None:
    """The topic goes with its subscriptions, another whose name starts alike stays; deleting again is no error."""
    await world.sns("CreateTopic", Name="events2")
    await subscribe(world)
    other = await subscribe(world, topic_arn=f"{ARN}2")
    await world.sns("DeleteTopic", TopicArn=ARN)
    await world.sns("DeleteTopic", TopicArn=ARN)
    assert await world.sns("ListTopics") == {"Topics": [{"TopicArn": f"{ARN}2"}], "NextToken": None}
    left = await world.store.scan(Subscription, ACCOUNT)
    assert [record.name for record in left] == [other.name]
    with pytest.raises(ApiError) as refused:
        await world.sns("DeleteTopic", account=OTHER, TopicArn=f"{ARN}2")
    assert refused.value.code == "InvalidParameter"


async def test_topic_pages(world: World) -> None:
    """Lists have 100 entries a page."""
    for number in range(100):
        await world.sns("CreateTopic", Name=f"t{number:03}")
    first = await world.sns("ListTopics")
    second = await world.sns("ListTopics", NextToken=first["NextToken"])
    assert (len(first["Topics"]), second) == (
        100,
        {"Topics": [{"TopicArn": ARN.replace("events", "t099")}], "NextToken": None},
    )


async def test_subscribing(world: World) -> None:
    """A subscription waits for its confirmation, which its endpoint is asked for."""
    answer = await world.sns(
        "Subscribe",
        TopicArn=ARN,
        Protocol="https",
        Endpoint="https://user:p@h.example:8443/hook?x=1",
        Attributes={"RawMessageDelivery": "true"},
    )
    (record,) = await world.store.scan(Subscription, ACCOUNT)
    (notice,) = await world.notices()
    listed = await world.sns("ListSubscriptionsByTopic", TopicArn=ARN)
    assert answer == {"SubscriptionArn": "pending confirmation"}
    assert record.name.startswith(f"{ARN}:")
    assert (record.raw_delivery, record.confirmed_at, len(record.token)) == (True, None, 128)
    assert (notice.kind, notice.target, notice.headers, notice.body) == (
        NoticeKind.SUBSCRIPTION,
        record.name,
        {"x-amz-sns-message-type": "SubscriptionConfirmation"},
        None,
    )
    assert listed["Subscriptions"][0] == {
        "SubscriptionArn": "PendingConfirmation",
        "Owner": ACCOUNT,
        "Protocol": "https",
        "Endpoint": "https://user:p@h.example:8443/hook?x=1",
        "TopicArn": ARN,
    }


async def test_subscribing_again(world: World) -> None:
    """The same endpoint keeps its subscription; only an unconfirmed one is asked again."""
    first = await subscribe(world)
    second = await subscribe(world)
    await world.sns("ConfirmSubscription", TopicArn=ARN, Token=first.token)
    third = await subscribe(world)
    assert first.name == second.name == third.name
    assert len(await world.notices()) == 2


@pytest.mark.parametrize(
    ("protocol", "endpoint"),
    [
        ("email", "a@x.example"),
        ("sqs", "arn:aws:sqs:us-east-1:1:q"),
        ("https", "http://h.example/"),
        ("http", "http://"),
        ("http", "http:///path"),
        ("http", "http://h.example/\r\nX: y"),
        ("http", "http://h.example/a b"),
        ("http", "http://h.example:port/"),
        ("http", "http://[::1/"),
        ("http", f"http://h.example/{'x' * 2048}"),
        ("http", ""),
    ],
)
async def test_faulty_endpoints(world: World, protocol: str, endpoint: str) -> None:
    """Protocols other than HTTP, and what is no URL of the protocol, are refused."""
    with pytest.raises(ApiError) as refused:
        await world.sns("Subscribe", TopicArn=ARN, Protocol=protocol, Endpoint=endpoint)
    assert refused.value.code == "InvalidParameter"
    assert await world.store.scan(Subscription, ACCOUNT) == []


async def test_confirming(world: World) -> None:
    """The token confirms, from whomever it comes, and confirming again changes nothing."""
    record = await subscribe(world)
    answer = await world.sns("ConfirmSubscription", account="", signed=False, TopicArn=ARN, Token=record.token)
    world.now += 1000
    await world.sns("ConfirmSubscription", TopicArn=ARN, Token=record.token)
    confirmed = await world.store.get(Subscription, ACCOUNT, record.name)
    assert confirmed is not None
    assert answer == {"SubscriptionArn": record.name}
    assert confirmed.confirmed_at == world.now - 1000
    attributes = (await world.sns("GetSubscriptionAttributes", SubscriptionArn=record.name))["Attributes"]
    assert attributes["PendingConfirmation"] == "false"


@pytest.mark.parametrize(
    ("topic", "token", "code"),
    [
        (ARN, "", "InvalidParameter"),
        (ARN, "ü\ud800", "InvalidParameter"),
        (f"{ARN}x", "t", "NotFound"),
        ("x", "t", "InvalidParameter"),
    ],
)
async def test_wrong_tokens(world: World, topic: str, token: str, code: str) -> None:
    """No other token confirms."""
    record = await subscribe(world)
    with pytest.raises(ApiError) as refused:
        await world.sns("ConfirmSubscription", TopicArn=topic, Token=token)
    left = await world.store.get(Subscription, ACCOUNT, record.name)
    assert left is not None
    assert (refused.value.code, left.confirmed_at) == (code, None)


async def test_unsubscribing(world: World) -> None:
    """Unsigned links unsubscribe, unless the confirmation asked for signatures; another account's key never does."""
    open_one = await subscribe(world)
    closed = await subscribe(world, "https://h.example/other")
    await world.sns("ConfirmSubscription", TopicArn=ARN, Token=open_one.token)
    await world.sns("ConfirmSubscription", TopicArn=ARN, Token=closed.token, AuthenticateOnUnsubscribe="true")
    await world.sns("Unsubscribe", account=ACCOUNT, signed=False, SubscriptionArn=open_one.name)
    for account, signed in ((ACCOUNT, False), (OTHER, True)):
        with pytest.raises(ApiError) as refused:
            await world.sns("Unsubscribe", account=account, signed=signed, SubscriptionArn=closed.name)
        assert refused.value.code == "AuthorizationError"
    listed = await world.sns("ListSubscriptions")
    assert {(entry["Endpoint"], entry["SubscriptionArn"]) for entry in listed["Subscriptions"]} == {
        (closed.endpoint, closed.name),
        (open_one.endpoint, "PendingConfirmation"),
    }
    for _ in range(2):
        await world.sns("Unsubscribe", SubscriptionArn=closed.name)
        await world.sns("Unsubscribe", account=ACCOUNT, signed=False, SubscriptionArn=open_one.name)
    assert await world.sns("ListSubscriptions") == {"Subscriptions": [], "NextToken": None}


async def test_an_unsigned_link_can_be_undone(world: World) -> None:
    """Whoever followed the link, the endpoint is told, and only its new token restores the subscription."""
    record = await subscribe(world)
    await world.sns("ConfirmSubscription", TopicArn=ARN, Token=record.token)
    await world.notices()
    await world.sns("Unsubscribe", account=ACCOUNT, signed=False, SubscriptionArn=record.name)
    (notice,) = [one for one in await world.notices() if one.target == record.name]
    assert notice.headers == {"x-amz-sns-message-type": "UnsubscribeConfirmation"}
    with pytest.raises(ApiError):
        await world.sns("ConfirmSubscription", TopicArn=ARN, Token=record.token)
    left = await world.store.get(Subscription, ACCOUNT, record.name)
    assert left is not None
    assert left.confirmed_at is None
    await world.sns("ConfirmSubscription", account="", signed=False, TopicArn=ARN, Token=left.token)
    restored = await world.store.get(Subscription, ACCOUNT, record.name)
    assert restored is not None
    assert restored.confirmed_at == world.now


async def test_subscription_attributes(world: World) -> None:
    """Raw delivery and the delivery policy are set; anything else is refused."""
    record = await subscribe(world)
    name: dict[str, Any] = {"SubscriptionArn": record.name}
    await world.sns("SetSubscriptionAttributes", **name, AttributeName="RawMessageDelivery", AttributeValue="true")
    await world.sns("SetSubscriptionAttributes", **name, AttributeName="DeliveryPolicy", AttributeValue="{}")
    shown = (await world.sns("GetSubscriptionAttributes", **name))["Attributes"]
    assert (shown["RawMessageDelivery"], shown["DeliveryPolicy"], shown["PendingConfirmation"]) == (
        "true",
        "{}",
        "true",
    )
    for attribute, value in (("RawMessageDelivery", "maybe"), ("FilterPolicy", "{}"), ("DeliveryPolicy", "[]")):
        with pytest.raises(ApiError, match=attribute):
            await world.sns("SetSubscriptionAttributes", **name, AttributeName=attribute, AttributeValue=value)


async def test_publishing(world: World) -> None:
    """A message goes to the topic with its subject; of a JSON structure the default text."""
    answer = await world.sns("Publish", TopicArn=ARN, Message="Grüße", Subject="S")
    await world.sns("Publish", TargetArn=ARN, Message='{"default": "d"}', MessageStructure="json")
    first, second = await world.notices()
    assert (first.kind, first.target, first.body) == (NoticeKind.TOPIC, ARN, "Grüße".encode())
    assert first.headers == {"Subject": "S", "x-amz-sns-message-id": answer["MessageId"]}
    assert second.body == b"d"


@pytest.mark.parametrize(
    "request_part",
    [
        {"Message": "m"},
        {"TopicArn": ARN, "Message": ""},
        {"TopicArn": ARN, "Message": "x" * (256 * 1024 + 1)},
        {"TopicArn": ARN, "Message": "m", "Subject": "a\nb"},
        {"TopicArn": ARN, "Message": "m", "Subject": "x" * 101},
        {"TopicArn": ARN, "Message": "{", "MessageStructure": "json"},
        {"TopicArn": ARN, "Message": "{}", "MessageStructure": "json"},
    ],
)
async def test_faulty_publishing(world: World, request_part: dict[str, Any]) -> None:
    """What no subscriber could be sent is refused."""
    with pytest.raises(ApiError) as refused:
        await world.sns("Publish", **request_part)
    assert (refused.value.code, await world.notices()) == ("InvalidParameter", [])


async def test_topic_tags(world: World) -> None:
    """Tags of a topic are added, removed and listed."""
    await world.sns("TagResource", ResourceArn=ARN, Tags=[{"Key": "k", "Value": "1"}, {"Key": "l", "Value": "2"}])
    await world.sns("UntagResource", ResourceArn=ARN, TagKeys=["k"])
    assert await world.sns("ListTagsForResource", ResourceArn=ARN) == {"Tags": [{"Key": "l", "Value": "2"}]}
