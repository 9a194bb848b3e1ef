"""Configuration sets and event destinations in v2 and v1."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.operations_world import ACCOUNT, START, World, open_world
from waybill.api.call import ApiError
from waybill.model.resource import ConfigurationSet, Pause
from waybill.store.protocol import NoticeKind


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(tmp_path) as opened:
        yield opened


async def topic(world: World, name: str = "events") -> str:
    arn: str = (await world.sns("CreateTopic", Name=name))["TopicArn"]
    return arn


async def test_options_at_creation(world: World) -> None:
    """Options given at creation are those that Get shows."""
    await world.v2("CreateDedicatedIpPool", PoolName="pool")
    options: dict[str, Any] = {
        "TrackingOptions": {"CustomRedirectDomain": "c.y.example", "HttpsPolicy": "REQUIRE"},
        "DeliveryOptions": {"TlsPolicy": "REQUIRE", "SendingPoolName": "pool", "MaxDeliverySeconds": 300},
        "ReputationOptions": {"ReputationMetricsEnabled": True, "LastFreshStart": START},
        "SendingOptions": {"SendingEnabled": False},
        "SuppressionOptions": {"SuppressedReasons": ["COMPLAINT"]},
        "Tags": [{"Key": "k", "Value": "v"}],
    }
    await world.v2("CreateConfigurationSet", ConfigurationSetName="cs", **options)
    assert await world.v2("GetConfigurationSet", ConfigurationSetName="cs") == {"ConfigurationSetName": "cs", **options}


async def test_put_operations(world: World) -> None:
    """Each Put changes its own options only."""
    await world.v2("CreateConfigurationSet", ConfigurationSetName="cs")
    for options, members in (
        ("Sending", {"SendingEnabled": False}),
        ("Suppression", {"SuppressedReasons": []}),
        ("Delivery", {"TlsPolicy": "REQUIRE"}),
        ("Reputation", {"ReputationMetricsEnabled": True}),
        ("Tracking", {"CustomRedirectDomain": "c.y.example"}),
    ):
        await world.v2(f"PutConfigurationSet{options}Options", ConfigurationSetName="cs", **members)
    record = await world.store.get(ConfigurationSet, ACCOUNT, "cs")
    assert record == ConfigurationSet(
        account=ACCOUNT,
        name="cs",
        created_at=START,
        sending_enabled=False,
        paused=Pause(by="api:AKIDEXAMPLE", reason="PutConfigurationSetSendingOptions was called", at=START),
        suppressed_reasons=(),
        tls_required=True,
        reputation_metrics_enabled=True,
        custom_redirect_domain="c.y.example",
    )


async def test_suppression_options_of_the_account(world: World) -> None:
    """Without a list of reasons those of the account count again."""
    options = {"SuppressedReasons": ["BOUNCE"]}
    await world.v2("CreateConfigurationSet", ConfigurationSetName="cs", SuppressionOptions=options)
    await world.v2("PutConfigurationSetSuppressionOptions", ConfigurationSetName="cs")
    assert (await world.v2("GetConfigurationSet", ConfigurationSetName="cs"))["SuppressionOptions"] is None


async def test_faults(world: World) -> None:
    """Names, duplicates and missing sets are said in the words of each version."""
    await world.v2("CreateConfigurationSet", ConfigurationSetName="cs")
    for name, code, code_v1 in (
        ("a b", "BadRequestException", "InvalidConfigurationSet"),
        ("x" * 65, "BadRequestException", "InvalidConfigurationSet"),
        ("cs", "AlreadyExistsException", "ConfigurationSetAlreadyExists"),
    ):
        with pytest.raises(ApiError) as refused:
            await world.v2("CreateConfigurationSet", ConfigurationSetName=name)
        assert refused.value.code == code
        with pytest.raises(ApiError) as refused:
            await world.v1("CreateConfigurationSet", ConfigurationSet={"Name": name})
        assert refused.value.code == code_v1
    with pytest.raises(ApiError) as refused:
        await world.v2("DeleteConfigurationSet", ConfigurationSetName="no")
    assert (refused.value.code, refused.value.text) == (
        "NotFoundException",
        "Configuration set <no> does not exist.",
    )
    with pytest.raises(ApiError) as refused:
        await world.v1("DeleteConfigurationSet", ConfigurationSetName="no")
    assert refused.value.code == "ConfigurationSetDoesNotExist"


async def test_v1_life(world: World) -> None:
    """v1 creates, changes, describes, lists and deletes; it describes only what it is asked for."""
    await world.v1("CreateConfigurationSet", ConfigurationSet={"Name": "cs"})
    await world.v1("UpdateConfigurationSetSendingEnabled", ConfigurationSetName="cs", Enabled=False)
    await world.v1("UpdateConfigurationSetReputationMetricsEnabled", ConfigurationSetName="cs", Enabled=True)
    await world.v1(
        "PutConfigurationSetDeliveryOptions", ConfigurationSetName="cs", DeliveryOptions={"TlsPolicy": "Require"}
    )
    bare = await world.v1("DescribeConfigurationSet", ConfigurationSetName="cs")
    shown = await world.v1(
        "DescribeConfigurationSet",
        ConfigurationSetName="cs",
        ConfigurationSetAttributeNames=["eventDestinations", "trackingOptions", "deliveryOptions", "reputationOptions"],
    )
    listed = await world.v1("ListConfigurationSets")
    await world.v1("DeleteConfigurationSet", ConfigurationSetName="cs")
    assert bare == {"ConfigurationSet": {"Name": "cs"}}
    assert shown == {
        "ConfigurationSet": {"Name": "cs"},
        "EventDestinations": [],
        "DeliveryOptions": {"TlsPolicy": "Require"},
        "ReputationOptions": {
            "SendingEnabled": False,
            "ReputationMetricsEnabled": True,
            "LastFreshStart": None,
        },
    }
    assert listed == {"ConfigurationSets": [{"Name": "cs"}], "NextToken": None}
    assert await world.v2("ListConfigurationSets") == {"ConfigurationSets": [], "NextToken": None}


async def test_sns_destination(world: World) -> None:
    """An SNS destination is kept, and its topic gets the text by which consumers know it."""
    arn = await topic(world)
    await world.v2("CreateConfigurationSet", ConfigurationSetName="cs")
    destination = {
        "Enabled": True,
        "MatchingEventTypes": ["SEND", "RENDERING_FAILURE", "DELIVERY_DELAY"],
        "SnsDestination": {"TopicArn": arn},
    }
    await world.v2(
        "CreateConfigurationSetEventDestination",
        ConfigurationSetName="cs",
        EventDestinationName="d",
        EventDestination=destination,
    )
    shown = await world.v2("GetConfigurationSetEventDestinations", ConfigurationSetName="cs")
    described = await world.v1(
        "DescribeConfigurationSet", ConfigurationSetName="cs", ConfigurationSetAttributeNames=["eventDestinations"]
    )
    (notice,) = await world.notices()
    assert shown == {"EventDestinations": [{"Name": "d", **destination}]}
    assert described["EventDestinations"] == [
        {
            "Name": "d",
            "Enabled": True,
            "MatchingEventTypes": ["send", "renderingFailure"],
            "SNSDestination": {"TopicARN": arn},
        }
    ]
    assert (notice.kind, notice.target, notice.body, notice.headers) == (
        NoticeKind.TOPIC,
        arn,
        b"Successfully validated SNS topic for Amazon SES event publishing.",
        None,
    )


async def test_updating_and_deleting_destinations(world: World) -> None:
    """An update replaces the destination; only a topic that is new to it is told."""
    first, second = await topic(world, "one"), await topic(world, "two")
    await world.v1("CreateConfigurationSet", ConfigurationSet={"Name": "cs"})
    name = {"ConfigurationSetName": "cs", "EventDestinationName": "d"}
    sns: dict[str, Any] = {"Name": "d", "MatchingEventTypes": ["send"], "SNSDestination": {"TopicARN": first}}
    await world.v1("CreateConfigurationSetEventDestination", ConfigurationSetName="cs", EventDestination=sns)
    sns |= {"Enabled": True, "MatchingEventTypes": ["bounce"]}
    await world.v1("UpdateConfigurationSetEventDestination", ConfigurationSetName="cs", EventDestination=sns)
    v2: dict[str, Any] = {"Enabled": True, "MatchingEventTypes": ["BOUNCE"], "SnsDestination": {"TopicArn": second}}
    await world.v2("UpdateConfigurationSetEventDestination", **name, EventDestination=v2)
    shown = await world.v2("GetConfigurationSetEventDestinations", ConfigurationSetName="cs")
    await world.v2("DeleteConfigurationSetEventDestination", **name)
    assert shown == {"EventDestinations": [{"Name": "d", **v2}]}
    assert [notice.target for notice in await world.notices()] == [first, second]
    with pytest.raises(ApiError, match="event destination with name d does not exist") as refused:
        await world.v2("DeleteConfigurationSetEventDestination", **name)
    assert refused.value.code == "NotFoundException"
    with pytest.raises(ApiError) as refused:
        await world.v1("DeleteConfigurationSetEventDestination", **name)
    assert (refused.value.code, refused.value.text) == (
        "EventDestinationDoesNotExist",
        "No EventDestination found for cs",
    )


async def test_other_destinations_are_kept(world: World) -> None:
    """Destinations that are not published to are shown as given, by each version in its words."""
    await world.v1("CreateConfigurationSet", ConfigurationSet={"Name": "cs"})
    watch = {
        "CloudWatchDestination": {
            "DimensionConfigurations": [
                {"DimensionName": "n", "DimensionValueSource": "messageTag", "DefaultDimensionValue": "v"}
            ]
        }
    }
    hose = {"KinesisFirehoseDestination": {"IAMRoleARN": "role", "DeliveryStreamARN": "stream"}}
    given = [
        {"Name": name, "Enabled": False, "MatchingEventTypes": ["click"], **kind}
        for name, kind in (("w", watch), ("h", hose))
    ]
    for one in given:
        await world.v1("CreateConfigurationSetEventDestination", ConfigurationSetName="cs", EventDestination=one)
    described = await world.v1(
        "DescribeConfigurationSet", ConfigurationSetName="cs", ConfigurationSetAttributeNames=["eventDestinations"]
    )
    shown = await world.v2("GetConfigurationSetEventDestinations", ConfigurationSetName="cs")
    assert described["EventDestinations"] == given
    assert shown["EventDestinations"][0]["CloudWatchDestination"] == {
        "DimensionConfigurations": [
            {"DimensionName": "n", "DimensionValueSource": "MESSAGE_TAG", "DefaultDimensionValue": "v"}
        ]
    }
    assert shown["EventDestinations"][1]["KinesisFirehoseDestination"] == {
        "IamRoleArn": "role",
        "DeliveryStreamArn": "stream",
    }


@pytest.mark.parametrize(
    ("destination", "code", "words"),
    [
        (
            {"MatchingEventTypes": [], "SnsDestination": {"TopicArn": "arn"}},
            "BadRequestException",
            "MatchingEventTypes",
        ),
        ({"MatchingEventTypes": ["SEND"]}, "BadRequestException", "exactly one kind"),
        (
            {"MatchingEventTypes": ["SEND"], "SnsDestination": {"TopicArn": "arn:x"}},
            "NotFoundException",
            "SNS topic <arn:x> not found.",
        ),
    ],
)
async def test_faulty_destinations(world: World, destination: dict[str, Any], code: str, words: str) -> None:
    """A destination that could never be published to is refused."""
    await world.v2("CreateConfigurationSet", ConfigurationSetName="cs")
    with pytest.raises(ApiError, match=words) as refused:
        await world.v2(
            "CreateConfigurationSetEventDestination",
            ConfigurationSetName="cs",
            EventDestinationName="d",
            EventDestination=destination,
        )
    assert refused.value.code == code


async def test_destination_limits(world: World) -> None:
    """Ten destinations of different names, no more."""
    arn = await topic(world)
    await world.v2("CreateConfigurationSet", ConfigurationSetName="cs")

    async def add(name: str) -> None:
        await world.v2(
            "CreateConfigurationSetEventDestination",
            ConfigurationSetName="cs",
            EventDestinationName=name,
            EventDestination={"MatchingEventTypes": ["SEND"], "SnsDestination": {"TopicArn": arn}},
        )

    for number in range(10):
        await add(f"d{number}")
    for name, code in (
        ("d1", "AlreadyExistsException"),
        ("d10", "LimitExceededException"),
        ("a b", "BadRequestException"),
    ):
        with pytest.raises(ApiError) as refused:
            await add(name)
        assert refused.value.code == code
