"""boto3 and the AWS CLI as their users run them, against uvicorn."""

import base64
import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.api.wire import KEY, app, served
from waybill.api.call import Call, Operation

SEEN: list[dict[str, Any]] = []
AT = 1_767_225_600_123


def answers(result: dict[str, Any]) -> Operation:
    async def operation(call: Call, request: dict[str, Any]) -> dict[str, Any]:
        SEEN.append(request)
        return result

    return operation


async def insights(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    events = [{"Timestamp": AT, "Type": "SEND"}]
    return {"MessageId": request["MessageId"], "Insights": [{"Destination": "a@b.example", "Events": events}]}


async def verification(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    return {"VerificationAttributes": {name: {"VerificationStatus": "Success"} for name in request["Identities"]}}


OPERATIONS: dict[str, dict[str, Operation]] = {
    "sesv2": {
        "SendEmail": answers({"MessageId": "m-1"}),
        "GetMessageInsights": insights,
        "ListSuppressedDestinations": answers({"SuppressedDestinationSummaries": []}),
        "GetAccount": answers({"SendingEnabled": True}),
    },
    "ses": {
        "SendRawEmail": answers({"MessageId": "m-2"}),
        "GetIdentityVerificationAttributes": verification,
        "GetSendQuota": answers({"Max24HourSend": 200.0, "MaxSendRate": 1.5, "SentLast24Hours": 0.0}),
    },
    "sns": {
        "CreateTopic": answers({"TopicArn": "arn:t"}),
        "ConfirmSubscription": answers({"SubscriptionArn": "arn:s"}),
    },
}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with served(app(OPERATIONS)) as at:
        yield at


@pytest.fixture(scope="module")
def options(url: str) -> dict[str, Any]:
    return {
        "endpoint_url": url,
        "region_name": "us-east-1",
        "aws_access_key_id": KEY.name,
        "aws_secret_access_key": KEY.secret,
    }


@pytest.fixture(scope="module")
def v2(options: dict[str, Any]) -> Any:
    return boto3.client("sesv2", **options)


@pytest.fixture(scope="module")
def v1(options: dict[str, Any]) -> Any:
    return boto3.client("ses", **options)


@pytest.fixture(scope="module")
def sns(options: dict[str, Any]) -> Any:
    return boto3.client("sns", **options)


def test_send_email(v2: Any) -> None:
    """A raw message arrives as bytes, the id and the request id come back."""
    sent = v2.send_email(FromEmailAddress="ü <a@b.example>", Content={"Raw": {"Data": b"From: a\r\n\r\n\x00\xff"}})
    assert (sent["MessageId"], sent["ResponseMetadata"]["RequestId"]) == ("m-1", "request-1")
    expected = {"FromEmailAddress": "ü <a@b.example>", "Content": {"Raw": {"Data": b"From: a\r\n\r\n\x00\xff"}}}
    assert expected == SEEN[-1]


def test_labels_and_timestamps(v2: Any) -> None:
    """A label with reserved characters survives the path; timestamps keep their milliseconds."""
    answer = v2.get_message_insights(MessageId="a/b+ü %")
    assert answer["MessageId"] == "a/b+ü %"
    expected = datetime(2026, 1, 1, 0, 0, 0, 123_000, tzinfo=UTC)
    assert expected == answer["Insights"][0]["Events"][0]["Timestamp"]


def test_query_string(v2: Any) -> None:
    """Lists, timestamps and numbers in the query string."""
    v2.list_suppressed_destinations(
        Reasons=["BOUNCE", "COMPLAINT"], StartDate=datetime(2026, 1, 1, tzinfo=UTC), PageSize=3
    )
    assert SEEN[-1] == {"Reasons": ["BOUNCE", "COMPLAINT"], "StartDate": 1_767_225_600_000, "PageSize": 3}


def test_version_1(v1: Any) -> None:
    """Blobs, lists and maps of the Query protocol, and the request id in the metadata."""
    sent = v1.send_raw_email(RawMessage={"Data": b"\x00\xff+/="}, Destinations=["a@b.example", "c d@e.example"])
    assert (sent["MessageId"], sent["ResponseMetadata"]["RequestId"]) == ("m-2", "request-1")
    assert SEEN[-1] == {"RawMessage": {"Data": b"\x00\xff+/="}, "Destinations": ["a@b.example", "c d@e.example"]}
    answer = v1.get_identity_verification_attributes(Identities=["a b", "c&d"])
    assert {name: entry["VerificationStatus"] for name, entry in answer["VerificationAttributes"].items()} == {
        "a b": "Success",
        "c&d": "Success",
    }


def test_sns(sns: Any) -> None:
    """SNS shares the path with SES v1."""
    assert sns.create_topic(Name="t", Attributes={"DisplayName": "d"})["TopicArn"] == "arn:t"
    assert SEEN[-1] == {"Name": "t", "Attributes": {"DisplayName": "d"}}


def test_errors_are_exceptions_of_the_client(v2: Any, v1: Any) -> None:
    """boto3 finds the error's shape, and does not try again."""
    with pytest.raises(v2.exceptions.BadRequestException) as refused:
        v2.get_email_identity(EmailIdentity="b.example")
    assert refused.value.response["ResponseMetadata"]["RetryAttempts"] == 0
    with pytest.raises(ClientError) as unknown:
        v1.list_receipt_filters()
    assert unknown.value.response["Error"] == {
        "Type": "Sender",
        "Code": "InvalidAction",
        "Message": "Waybill does not implement ListReceiptFilters. See docs/compatibility.md.",
    }


def test_wrong_secret(options: dict[str, Any]) -> None:
    """The error says what to check."""
    client = boto3.client("sns", **{**options, "aws_secret_access_key": "wrong"})
    with pytest.raises(ClientError, match="Check your AWS Secret Access Key") as refused:
        client.list_topics()
    assert refused.value.response["Error"]["Code"] == "SignatureDoesNotMatch"


def test_presigned_url(v1: Any) -> None:
    """A URL that boto3 presigns works in any HTTP client."""
    link = v1.generate_presigned_url("get_send_quota", HttpMethod="GET")
    with urllib.request.urlopen(link) as response:
        assert b"<MaxSendRate>1.5</MaxSendRate>" in response.read()


def test_confirmation_link(url: str) -> None:
    """A link of an SNS message works in any HTTP client."""
    link = f"{url}/?Action=ConfirmSubscription&TopicArn=arn:aws:sns:us-east-1:100000000001:t&Token=x"
    with urllib.request.urlopen(link) as response:
        assert b"<SubscriptionArn>arn:s</SubscriptionArn>" in response.read()


def test_large_messages(v2: Any) -> None:
    """Three megabytes arrive whole; a message that is too long gets SES's error, although nobody reads it."""
    v2.send_email(Content={"Raw": {"Data": b"x" * 3_000_000}})
    assert len(SEEN.pop()["Content"]["Raw"]["Data"]) == 3_000_000
    with pytest.raises(v2.exceptions.BadRequestException, match="Message length is more than 41943040 bytes long"):
        v2.send_email(Content={"Raw": {"Data": b"x" * 43_000_000}})


def test_aws_cli(url: str, tmp_path: Path) -> None:
    """The AWS CLI with --endpoint-url."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "AWS_ACCESS_KEY_ID": KEY.name,
        "AWS_SECRET_ACCESS_KEY": KEY.secret,
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    aws = [str(Path(sys.executable).with_name("aws")), "--endpoint-url", url]
    content = json.dumps({"Raw": {"Data": base64.b64encode(b"From: cli").decode()}})
    command = [*aws, "sesv2", "send-email", "--from-email-address", "a@b.example", "--content", content]
    run = subprocess.run(command, env=environment, capture_output=True, check=False, text=True)
    assert run.stderr == ""
    assert json.loads(run.stdout) == {"MessageId": "m-1"}
    assert SEEN[-1]["FromEmailAddress"] == "a@b.example"
