"""SendEmail and its sisters: what the doors hand to ``accept``, and what bulk answers."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.operations_world import ACCOUNT, START, World, open_world
from waybill.accept.request import Attachment, Client, RawContent, SendRequest, SimpleContent, TemplateContent
from waybill.api.call import ApiError
from waybill.model.cause import Cause
from waybill.model.message import Source
from waybill.model.refusal import Rejected
from waybill.store.protocol import StoreUnavailable


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(tmp_path) as opened:
        yield opened


def client(operation: str, version: int = 2) -> Client:
    return Client(
        account=ACCOUNT,
        access_key_id="AKIDEXAMPLE",
        source=Source.API,
        operation=operation,
        request_id="request-1",
        received_at=START,
        ip="192.0.2.1",
        tls="TLSv1.3",
        user_agent="test",
        started_at=START - 5,
        api_version=version,
    )


ATTACHMENT = {
    "FileName": "a.txt",
    "RawContent": b"abc",
    "ContentType": "text/plain",
    "ContentDisposition": "INLINE",
    "ContentId": "cid",
    "ContentDescription": "d",
    "ContentTransferEncoding": "BASE64",
}


async def test_v2_simple(world: World) -> None:
    """Every member of a Simple message reaches ``accept`` unchanged."""
    answer = await world.v2(
        "SendEmail",
        FromEmailAddress="B <b@y.example>",
        Destination={"ToAddresses": ["a@x.example"], "CcAddresses": ["c@x.example"], "BccAddresses": ["d@x.example"]},
        ReplyToAddresses=["r@y.example"],
        FeedbackForwardingEmailAddress="f@y.example",
        ConfigurationSetName="cs",
        EmailTags=[{"Name": "k", "Value": "v"}],
        Content={
            "Simple": {
                "Subject": {"Data": "Grüße", "Charset": "ISO-8859-1"},
                "Body": {"Text": {"Data": "t"}, "Html": {"Data": "<p>h", "Charset": "utf-8"}},
                "Headers": [{"Name": "X-A", "Value": "1"}],
                "Attachments": [ATTACHMENT],
            }
        },
    )
    expected = SendRequest(
        client=client("SendEmail"),
        content=SimpleContent(
            subject="Grüße",
            text="t",
            html="<p>h",
            attachments=(
                Attachment(
                    file_name="a.txt",
                    content=b"abc",
                    content_type="text/plain",
                    disposition="INLINE",
                    content_id="cid",
                    description="d",
                    transfer_encoding="BASE64",
                ),
            ),
            subject_charset="ISO-8859-1",
            html_charset="utf-8",
        ),
        sender="B <b@y.example>",
        to=("a@x.example",),
        cc=("c@x.example",),
        bcc=("d@x.example",),
        reply_to=("r@y.example",),
        return_path="f@y.example",
        configuration_set="cs",
        tags=(("k", "v"),),
        headers=(("X-A", "1"),),
    )
    assert answer == {"MessageId": "message-1"}
    assert world.accept.requests == [expected]


async def test_v2_raw_without_from(world: World) -> None:
    """A Raw message needs neither From nor Destination; what is blank counts as absent."""
    await world.v2(
        "SendEmail", FromEmailAddress="", ConfigurationSetName="", EmailTags=[], Content={"Raw": {"Data": b"From: a"}}
    )
    expected = SendRequest(client=client("SendEmail"), content=RawContent(data=b"From: a"), sender=None)
    assert world.accept.requests == [expected]


async def test_v2_template_by_arn_and_inline(world: World) -> None:
    """A stored template is named by name or by its ARN; an inline one comes with its parts."""
    arn = f"arn:aws:ses:us-east-1:{ACCOUNT}:template/welcome"
    await world.v2("SendEmail", Content={"Template": {"TemplateArn": arn, "TemplateData": '{"a": 1}'}})
    await world.v2("SendEmail", Content={"Template": {"TemplateContent": {"Subject": "s", "Html": "h"}}})
    assert [request.content for request in world.accept.requests] == [
        TemplateContent(name="welcome", data='{"a": 1}'),
        TemplateContent(name=None, data="{}", subject="s", html="h"),
    ]


@pytest.mark.parametrize(
    ("request_part", "code", "words"),
    [
        ({"Content": {}}, "BadRequestException", "exactly one"),
        ({"Content": {"Raw": {"Data": b""}, "Template": {"TemplateName": "t"}}}, "BadRequestException", "exactly one"),
        ({"Content": {"Template": {}}}, "BadRequestException", "TemplateName"),
        (
            {"Content": {"Template": {"TemplateName": "t", "TemplateContent": {"Subject": "s"}}}},
            "BadRequestException",
            "not both",
        ),
        (
            {"Content": {"Template": {"TemplateArn": "arn:aws:ses:us-east-1:999999999999:template/t"}}},
            "NotFoundException",
            "does not exist",
        ),
        (
            {"Content": {"Raw": {"Data": b""}}, "ListManagementOptions": {"ContactListName": "news"}},
            "NotFoundException",
            "news",
        ),
        ({"Content": {"Raw": {"Data": b""}}, "TenantName": "t1"}, "NotFoundException", "t1"),
    ],
)
async def test_v2_refusals(world: World, request_part: dict[str, Any], code: str, words: str) -> None:
    """What the request cannot mean is refused before anything is accepted."""
    with pytest.raises(ApiError, match=words) as refused:
        await world.v2("SendEmail", **request_part)
    assert (refused.value.code, world.accept.requests) == (code, [])


def bulk(entries: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "FromEmailAddress": "b@y.example",
        "DefaultEmailTags": [{"Name": "k", "Value": "default"}, {"Name": "kept", "Value": "1"}],
        "DefaultContent": {
            "Template": {
                "TemplateName": "t",
                "TemplateData": '{"x": 1}',
                "Headers": [{"Name": "X-A", "Value": "default"}, {"Name": "X-B", "Value": "b"}],
            }
        },
        "BulkEmailEntries": entries,
    }


async def test_v2_bulk_replacements(world: World) -> None:
    """An entry's data, tags and headers replace the defaults of the same name; the others stay."""
    answer = await world.v2(
        "SendBulkEmail",
        **bulk(
            [
                {
                    "Destination": {"ToAddresses": ["a@x.example"]},
                    "ReplacementEmailContent": {"ReplacementTemplate": {"ReplacementTemplateData": '{"x": 2}'}},
                    "ReplacementTags": [{"Name": "k", "Value": "own"}],
                    "ReplacementHeaders": [{"Name": "x-a", "Value": "own"}],
                },
                {"Destination": {"ToAddresses": ["c@x.example"]}},
            ]
        ),
    )
    first, second = world.accept.requests
    assert answer == {
        "BulkEmailEntryResults": [
            {"Status": "SUCCESS", "Error": None, "MessageId": "message-1"},
            {"Status": "SUCCESS", "Error": None, "MessageId": "message-2"},
        ]
    }
    assert first == SendRequest(
        client=client("SendBulkEmail"),
        content=TemplateContent(name="t", data='{"x": 2}', defaults='{"x": 1}'),
        sender="b@y.example",
        to=("a@x.example",),
        tags=(("kept", "1"), ("k", "own")),
        headers=(("X-B", "b"), ("x-a", "own")),
    )
    assert (second.content, second.tags, second.headers) == (
        TemplateContent(name="t", data="{}", defaults='{"x": 1}'),
        (("k", "default"), ("kept", "1")),
        (("X-A", "default"), ("X-B", "b")),
    )


FAILURES: list[tuple[Exception, str, str]] = [
    (Rejected("no", code="MessageRejected", cause=Cause.IDENTITY_NOT_VERIFIED), "MESSAGE_REJECTED", "MessageRejected"),
    (
        Rejected("no", code="NotFoundException", code_v1="TemplateDoesNotExist", cause=Cause.UNDETERMINED),
        "TEMPLATE_NOT_FOUND",
        "TemplateDoesNotExist",
    ),
    (
        Rejected("no", code="NotFoundException", code_v1="ConfigurationSetDoesNotExist", cause=Cause.UNDETERMINED),
        "CONFIGURATION_SET_NOT_FOUND",
        "ConfigurationSetDoesNotExist",
    ),
    (
        Rejected("no", code="BadRequestException", code_v1="InvalidParameterValue", cause=Cause.ADDRESS_INVALID),
        "INVALID_PARAMETER",
        "InvalidParameterValue",
    ),
    (
        Rejected("no", code="TooManyRequestsException", code_v1="Throttling", cause=Cause.SENDING_RATE_EXCEEDED),
        "ACCOUNT_THROTTLED",
        "AccountThrottled",
    ),
    (
        Rejected("no", code="TooManyRequestsException", code_v1="Throttling", cause=Cause.QUOTA_EXCEEDED),
        "ACCOUNT_DAILY_QUOTA_EXCEEDED",
        "AccountDailyQuotaExceeded",
    ),
    (
        Rejected(
            "no",
            code="SendingPausedException",
            code_v1="ConfigurationSetSendingPausedException",
            cause=Cause.SENDING_PAUSED,
        ),
        "CONFIGURATION_SET_SENDING_PAUSED",
        "ConfigurationSetSendingPaused",
    ),
    (StoreUnavailable("disk full"), "TRANSIENT_FAILURE", "TransientFailure"),
    (RuntimeError("a fault of ours"), "FAILED", "Failed"),
]


@pytest.mark.parametrize(("failure", "status", "status_v1"), FAILURES)
async def test_bulk_statuses(world: World, failure: Exception, status: str, status_v1: str) -> None:
    """A destination that fails has SES's status, and the other still has its id."""

    def fail(request: SendRequest) -> None:
        if request.to == ("bad@x.example",):
            raise failure

    world.accept.answer = fail
    destinations = [{"Destination": {"ToAddresses": [to]}} for to in ("bad@x.example", "a@x.example")]
    v2 = await world.v2("SendBulkEmail", **bulk(destinations))
    v1 = await world.v1(
        "SendBulkTemplatedEmail",
        Source="b@y.example",
        Template="t",
        DefaultTemplateData="{}",
        Destinations=destinations,
    )
    assert [entry["Status"] for entry in v2["BulkEmailEntryResults"]] == [status, "SUCCESS"]
    assert v2["BulkEmailEntryResults"][0]["Error"]
    assert v2["BulkEmailEntryResults"][1]["MessageId"] == "message-2"
    assert [entry["Status"] for entry in v1["Status"]] == [status_v1, "Success"]


@pytest.mark.parametrize("count", [0, 51])
async def test_bulk_destination_count(world: World, count: int) -> None:
    """A bulk call has 1 to 50 destinations."""
    with pytest.raises(ApiError, match="1 to 50") as refused:
        await world.v2("SendBulkEmail", **bulk([{"Destination": {}}] * count))
    assert refused.value.code == "BadRequestException"
    with pytest.raises(ApiError, match="1 to 50") as refused:
        await world.v1("SendBulkTemplatedEmail", Destinations=[{"Destination": {}}] * count)
    assert refused.value.code == "InvalidParameterValue"


async def test_bulk_needs_a_template(world: World) -> None:
    """SendBulkEmail without a template says which member is missing."""
    with pytest.raises(ApiError, match=r"DefaultContent\.Template"):
        await world.v2("SendBulkEmail", **bulk([{"Destination": {}}]) | {"DefaultContent": {}})


async def test_v1_sending(world: World) -> None:
    """SendEmail, SendRawEmail and SendTemplatedEmail reach ``accept`` in its words."""
    shared: dict[str, Any] = {
        "Source": "b@y.example",
        "Destination": {"ToAddresses": ["a@x.example"]},
        "ReplyToAddresses": ["r@y.example"],
        "ReturnPath": "p@y.example",
        "Tags": [{"Name": "k", "Value": "v"}],
        "ConfigurationSetName": "cs",
    }
    await world.v1("SendEmail", **shared, Message={"Subject": {"Data": "s"}, "Body": {"Html": {"Data": "h"}}})
    await world.v1("SendTemplatedEmail", **shared, Template="t", TemplateData="{}")
    await world.v1(
        "SendRawEmail", Source="b@y.example", Destinations=["a@x.example"], RawMessage={"Data": b"raw"}, Tags=[]
    )
    simple, templated, raw = world.accept.requests
    shared_part: dict[str, Any] = {
        "sender": "b@y.example",
        "to": ("a@x.example",),
        "reply_to": ("r@y.example",),
        "return_path": "p@y.example",
        "configuration_set": "cs",
        "tags": (("k", "v"),),
    }
    content = SimpleContent(subject="s", text=None, html="h")
    assert simple == SendRequest(client=client("SendEmail", 1), content=content, **shared_part)
    templated_content = TemplateContent(name="t", data="{}")
    assert templated == SendRequest(client=client("SendTemplatedEmail", 1), content=templated_content, **shared_part)
    assert raw == SendRequest(
        client=client("SendRawEmail", 1), content=RawContent(data=b"raw"), sender="b@y.example", to=("a@x.example",)
    )
