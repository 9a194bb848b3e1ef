"""The operations as boto3 sees them, through SigV4, parsing and serialising, on a real server."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest
import uvicorn
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.api.operations_world import ACCOUNT, START, World, open_world
from waybill.accept.request import SendRequest
from waybill.api.asgi import aws_app
from waybill.api.registry import OPERATIONS
from waybill.model import clock
from waybill.model.cause import Cause
from waybill.model.refusal import Rejected
from waybill.model.resource import INSTALLATION, AccessKey, Subscription
from waybill.store.protocol import NoticeKind

KEY = AccessKey(
    account=INSTALLATION, name="AKIDEXAMPLE", owner=ACCOUNT, label="test", secret="secret", created_at=START
)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


@pytest.fixture
async def world(tmp_path: Path, listener: socket.socket) -> AsyncIterator[World]:
    """A world behind a server; its clock is the real one, since clients sign with theirs."""
    async with open_world(tmp_path, now=clock.now()) as opened, served(opened, listener):
        await opened.store.create(KEY)
        yield opened


@asynccontextmanager
async def served(world: World, listener: socket.socket) -> AsyncIterator[None]:
    config = uvicorn.Config(aws_app(world.service(), OPERATIONS), lifespan="off", log_level="warning")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield
    finally:
        server.should_exit = True
        await serving


@pytest.fixture
def client(listener: socket.socket) -> Callable[[str], Any]:
    """boto3 clients by service."""

    def make(service: str) -> Any:
        return boto3.client(
            service,  # type: ignore[call-overload]
            region_name="us-east-1",
            endpoint_url=f"http://127.0.0.1:{listener.getsockname()[1]}",
            aws_access_key_id=KEY.name,
            aws_secret_access_key=KEY.secret,
            config=Config(retries={"total_max_attempts": 1}),
        )

    return make


async def ask(function: Callable[..., Any], /, **request: Any) -> Any:
    """boto3 blocks, and the server is on this loop."""
    answer = await asyncio.to_thread(function, **request)
    answer.pop("ResponseMetadata")
    return answer


async def test_sending(world: World, client: Callable[[str], Any]) -> None:
    """v2 and v1 send; blobs, lists and texts arrive as they were given."""
    v2, v1 = client("sesv2"), client("ses")
    raw = b"From: a@y.example\r\n\r\nGr\xfc\xdfe"
    sent = await ask(v2.send_email, Content={"Raw": {"Data": raw}}, Destination={"ToAddresses": ["a+b@x.example"]})
    await ask(v1.send_raw_email, RawMessage={"Data": raw}, Destinations=["a+b@x.example", "c@x.example"])
    content = {"Subject": {"Data": "Grüße & <mehr>"}, "Body": {"Text": {"Data": "t\n"}}}
    await ask(v1.send_email, Source="b@y.example", Destination={"ToAddresses": ["a@x.example"]}, Message=content)
    first, second, third = world.accept.requests
    assert sent == {"MessageId": "message-1"}
    assert (getattr(first.content, "data", None), first.to) == (raw, ("a+b@x.example",))
    assert (getattr(second.content, "data", None), second.to) == (raw, ("a+b@x.example", "c@x.example"))
    assert getattr(third.content, "subject", None) == "Grüße & <mehr>"
    assert first.client.account == ACCOUNT
    assert first.client.user_agent is not None


async def test_bulk(world: World, client: Callable[[str], Any]) -> None:
    """A destination that is refused has its status in both versions, and the call succeeds."""

    def fail(request: SendRequest) -> None:
        if request.to == ("bad@x.example",):
            raise Rejected("no", code="MessageRejected", cause=Cause.IDENTITY_NOT_VERIFIED)

    world.accept.answer = fail
    destinations = [{"Destination": {"ToAddresses": [to]}} for to in ("bad@x.example", "a@x.example")]
    v2 = await ask(
        client("sesv2").send_bulk_email,
        FromEmailAddress="b@y.example",
        DefaultContent={"Template": {"TemplateName": "t", "TemplateData": "{}"}},
        BulkEmailEntries=destinations,
    )
    v1 = await ask(
        client("ses").send_bulk_templated_email,
        Source="b@y.example",
        Template="t",
        DefaultTemplateData="{}",
        Destinations=destinations,
    )
    assert v2["BulkEmailEntryResults"] == [
        {"Status": "MESSAGE_REJECTED", "Error": "no"},
        {"Status": "SUCCESS", "MessageId": "message-2"},
    ]
    assert v1["Status"] == [
        {"Status": "MessageRejected", "Error": "no"},
        {"Status": "Success", "MessageId": "message-4"},
    ]


async def test_errors_have_their_classes(world: World, client: Callable[[str], Any]) -> None:
    """boto3 raises the exception of the model for what v2, v1 and SNS refuse."""
    v2, v1, sns = client("sesv2"), client("ses"), client("sns")
    for error, function, request in (
        (v2.exceptions.NotFoundException, v2.get_email_template, {"TemplateName": "x"}),
        (v2.exceptions.BadRequestException, v2.list_email_identities, {"NextToken": "§"}),
        (v2.exceptions.InvalidNextTokenException, v2.list_suppressed_destinations, {"NextToken": "§"}),
        (v1.exceptions.TemplateDoesNotExistException, v1.get_template, {"TemplateName": "x"}),
        (
            v1.exceptions.ConfigurationSetDoesNotExistException,
            v1.delete_configuration_set,
            {"ConfigurationSetName": "x"},
        ),
        (sns.exceptions.NotFoundException, sns.get_topic_attributes, {"TopicArn": "arn:aws:sns:us-east-1:1:x"}),
        (sns.exceptions.InvalidParameterException, sns.create_topic, {"Name": "a b"}),
        (ClientError, v1.set_identity_dkim_enabled, {"Identity": "x.example", "DkimEnabled": True}),
    ):
        with pytest.raises(error):
            await ask(function, **request)


async def test_the_road_to_events(world: World, client: Callable[[str], Any]) -> None:
    """Topic, subscription, confirmation, configuration set and destination, as a user sets them up."""
    v2, sns = client("sesv2"), client("sns")
    arn = (await ask(sns.create_topic, Name="events", Attributes={"SignatureVersion": "2"}))["TopicArn"]
    subscribed = await ask(
        sns.subscribe, TopicArn=arn, Protocol="http", Endpoint="http://127.0.0.1/", ReturnSubscriptionArn=True
    )
    notices = await world.notices()
    (record,) = await world.store.scan(Subscription, ACCOUNT)
    await ask(sns.confirm_subscription, TopicArn=arn, Token=record.token, AuthenticateOnUnsubscribe="true")
    listed = await ask(sns.list_subscriptions_by_topic, TopicArn=arn)
    await ask(v2.create_configuration_set, ConfigurationSetName="cs")
    destination = {"Enabled": True, "MatchingEventTypes": ["BOUNCE"], "SnsDestination": {"TopicArn": arn}}
    name = {"ConfigurationSetName": "cs", "EventDestinationName": "d"}
    await ask(v2.create_configuration_set_event_destination, **name, EventDestination=destination)
    shown = await ask(v2.get_configuration_set_event_destinations, ConfigurationSetName="cs")
    published = await ask(sns.publish, TopicArn=arn, Message="m")
    assert [notice.kind for notice in notices] == [NoticeKind.SUBSCRIPTION]
    assert [one["SubscriptionArn"] for one in listed["Subscriptions"]] == [subscribed["SubscriptionArn"]]
    assert shown["EventDestinations"] == [{"Name": "d", **destination}]
    assert published["MessageId"]


async def test_identities_and_account(world: World, client: Callable[[str], Any]) -> None:
    """Names with ``+`` and ``@`` travel in paths, timestamps come back as dates, v1 sees what v2 made."""
    v2, v1 = client("sesv2"), client("ses")
    name = "anna+news@y.example"
    await ask(v2.create_email_identity, EmailIdentity=name)
    shown = await ask(v2.get_email_identity, EmailIdentity=name)
    seen = await ask(v1.get_identity_verification_attributes, Identities=[name])
    await ask(v2.put_suppressed_destination, EmailAddress=name, Reason="COMPLAINT")
    entry = (await ask(v2.get_suppressed_destination, EmailAddress=name))["SuppressedDestination"]
    listed = await ask(v2.list_suppressed_destinations, Reasons=["COMPLAINT"], StartDate=entry["LastUpdateTime"])
    quota = await ask(v1.get_send_quota)
    account = await ask(v2.get_account)
    assert (shown["IdentityType"], shown["VerificationStatus"]) == ("EMAIL_ADDRESS", "PENDING")
    assert seen == {"VerificationAttributes": {name: {"VerificationStatus": "Pending"}}}
    assert round(entry["LastUpdateTime"].timestamp() * 1000) == world.now
    assert [one["EmailAddress"] for one in listed["SuppressedDestinationSummaries"]] == [name]
    assert account["SendQuota"] == quota
