"""SES v1 and SNS on the wire: forms in, XML out."""

import base64
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.api.wire import Request, Response, app, send, sign
from waybill.api.call import ApiError, Call, Operation
from waybill.api.query import MOST_FIELDS, parse_form, parse_query
from waybill.api.shapes import load_model
from waybill.api.validate import validate
from waybill.model.cause import Cause
from waybill.model.refusal import Rejected
from waybill.store.protocol import StoreUnavailable

SES, SNS = load_model("ses"), load_model("sns")
SES_NS = "{http://ses.amazonaws.com/doc/2010-12-01/}"
SNS_NS = "{http://sns.amazonaws.com/doc/2010-03-31/}"
MODELS = {"ses": SES, "sns": SNS}


def form(**fields: str) -> bytes:
    return urlencode({name.replace("_", "."): value for name, value in fields.items()}).encode()


async def call(service: str, name: str, operation: Operation, body: bytes = b"", target: str = "/") -> Response:
    text = form(Action=name, Version=MODELS[service].version) + b"&" + body
    return await send(app({service: {name: operation}}), sign(Request(body=text, target=target), service=service))


def returns(result: dict[str, Any]) -> Operation:
    async def operation(call: Call, request: dict[str, Any]) -> dict[str, Any]:
        return result

    return operation


def error_of(response: Response, namespace: str = SES_NS) -> tuple[int, str | None, str | None, str | None]:
    root = ET.fromstring(response.body)
    assert root.tag == f"{namespace}ErrorResponse"
    assert root.findtext(f"{namespace}RequestId") == "request-1"
    error = root.find(f"{namespace}Error")
    assert error is not None
    side, code, text = (error.findtext(namespace + name) for name in ("Type", "Code", "Message"))
    return response.status, side, code, text


def test_reads_structures_lists_and_blobs() -> None:
    """Lists go by their numbers, not by the order of the fields; gaps do not matter."""
    fields = parse_form(
        form(
            Source="a+b@c.example",
            Destinations_member_10="y@c.example",
            Destinations_member_2="x@c.example",
            RawMessage_Data=base64.b64encode(b"\x00\xffhi").decode(),
            Unknown_member_1="z",
        )
    )
    expected = {
        "Source": "a+b@c.example",
        "Destinations": ["x@c.example", "y@c.example"],
        "RawMessage": {"Data": b"\x00\xffhi"},
    }
    assert expected == parse_query(SES, SES.operations["SendRawEmail"], fields)


def test_reads_maps() -> None:
    """Entries have a key and a value, or what the model names them."""
    fields = parse_form(
        form(
            TopicArn="t",
            MessageAttributes_entry_1_Name="n",
            MessageAttributes_entry_1_Value_DataType="Binary",
            MessageAttributes_entry_1_Value_BinaryValue="AQ==",
        )
    )
    expected = {"TopicArn": "t", "MessageAttributes": {"n": {"DataType": "Binary", "BinaryValue": b"\x01"}}}
    assert expected == parse_query(SNS, SNS.operations["Publish"], fields)
    fields = parse_form(form(Attributes_entry_1_key="DisplayName", Attributes_entry_1_value="d"))
    assert parse_query(SNS, SNS.operations["CreateTopic"], fields) == {"Attributes": {"DisplayName": "d"}}


def test_reads_an_empty_list() -> None:
    """botocore writes an empty list as a name without a value."""
    assert parse_query(SES, SES.operations["SendRawEmail"], {"Destinations": ""}) == {"Destinations": []}


@pytest.mark.parametrize(
    ("operation", "fields", "text"),
    [
        (
            "SetIdentityDkimEnabled",
            {"DkimEnabled": "yes"},
            "'yes' is not a boolean: write true or false (at 'dkimEnabled')",
        ),
        ("ListIdentities", {"MaxItems": "ten"}, "'ten' is not a number (at 'maxItems')"),
        ("ListIdentities", {"MaxItems": "9" * 5_000}, "Integer value is out of range (at 'maxItems')"),
        ("SendRawEmail", {"RawMessage.Data": "%"}, "the value is not base64 ("),
        ("SendRawEmail", {"Destinations.member.x": "y"}, "The members at 'destinations' must be numbered: 1, 2, 3…"),
        ("SendRawEmail", {"Source.x": "y"}, "A single value was expected at 'source'."),
    ],
)
def test_wrong_values(operation: str, fields: dict[str, str], text: str) -> None:
    """A value of another type is named with its place."""
    with pytest.raises(ApiError) as refused:
        parse_query(SES, SES.operations[operation], fields)
    assert refused.value.code == "MalformedInput"
    assert refused.value.text.startswith(text)


def test_map_without_key() -> None:
    """An entry needs both."""
    with pytest.raises(ApiError) as refused:
        parse_query(SNS, SNS.operations["CreateTopic"], {"Attributes.entry.1.value": "d"})
    assert refused.value.text == "Entry 1 at 'attributes' needs a key and a value."


@pytest.mark.parametrize(("text", "words"), [(b"a=%ff", "not UTF-8"), (b"&" * MOST_FIELDS, "more than 50000")])
def test_malformed_forms(text: bytes, words: str) -> None:
    """A form has an end, and is UTF-8."""
    with pytest.raises(ApiError) as refused:
        parse_form(text)
    assert refused.value.code == "MalformedQueryString"
    assert words in refused.value.text


@settings(max_examples=100)
@given(st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=4))
def test_forms_as_python_writes_them(fields: dict[str, str]) -> None:
    """What urlencode writes is read back."""
    named = {name: value for name, value in fields.items() if name}
    assert named == parse_form(urlencode(named).encode())


names = st.lists(
    st.sampled_from(
        [
            "Destination",
            "ToAddresses",
            "Destinations",
            "member",
            "1",
            "2",
            "02",
            "x",
            "Message",
            "Subject",
            "Data",
            "Tags",
            "Name",
            "Attributes",
            "entry",
            "key",
            "value",
            "RawMessage",
            "Source",
        ]
    ),
    max_size=6,
).map(".".join)


@settings(max_examples=150)
@given(
    st.dictionaries(names, st.sampled_from(["", "1", "true", "AQ==", "x"]), max_size=6),
    st.sampled_from(["SendEmail", "SendRawEmail", "SendBulkTemplatedEmail", "CreateReceiptRule", "SendBounce"]),
)
def test_hostile_forms(fields: dict[str, str], name: str) -> None:
    """Any fields are parsed and validated, or refused with an error of SES's."""
    try:
        validate(SES, SES.operations[name], parse_query(SES, SES.operations[name], fields))
    except ApiError as error:
        assert error.code in ("MalformedInput", "ValidationError")  # noqa: PT017 - either way is right


def test_deep_names() -> None:
    """A name of a thousand parts names nothing."""
    assert parse_query(SES, SES.operations["SendEmail"], {"Message" + ".x" * 1_000: "1"}) == {}


async def test_result() -> None:
    """Structures, lists, maps, booleans, numbers and timestamps, in the namespace of the service."""
    attributes = {"DkimEnabled": True, "DkimVerificationStatus": "Success", "DkimTokens": ["a<b", "c&d\r\x00"]}
    response = await call(
        "ses",
        "GetIdentityDkimAttributes",
        returns({"DkimAttributes": {"b.example": attributes}}),
        form(Identities_member_1="b"),
    )
    expected = (
        b'<GetIdentityDkimAttributesResponse xmlns="http://ses.amazonaws.com/doc/2010-12-01/">'
        b"<GetIdentityDkimAttributesResult><DkimAttributes><entry><key>b.example</key><value>"
        b"<DkimEnabled>true</DkimEnabled><DkimVerificationStatus>Success</DkimVerificationStatus>"
        b"<DkimTokens><member>a&lt;b</member><member>c&amp;d&#xD;\xef\xbf\xbd</member></DkimTokens></value></entry>"
        b"</DkimAttributes></GetIdentityDkimAttributesResult>"
        b"<ResponseMetadata><RequestId>request-1</RequestId></ResponseMetadata></GetIdentityDkimAttributesResponse>\n"
    )
    assert (200, expected) == (response.status, response.body)
    assert response.headers["content-type"] == "text/xml"
    assert response.headers["x-amzn-requestid"] == "request-1"
    point = {"Timestamp": 1_767_225_600_123, "DeliveryAttempts": 3, "Bounces": None}
    response = await call("ses", "GetSendStatistics", returns({"SendDataPoints": [point]}))
    inner = b"<member><Timestamp>2026-01-01T00:00:00.123Z</Timestamp><DeliveryAttempts>3</DeliveryAttempts></member>"
    assert inner in response.body


async def test_result_without_output() -> None:
    """An operation without output answers with the metadata alone."""
    response = await call("sns", "DeleteTopic", returns({}), form(TopicArn="t"))
    expected = (
        b'<DeleteTopicResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/">'
        b"<ResponseMetadata><RequestId>request-1</RequestId></ResponseMetadata></DeleteTopicResponse>\n"
    )
    assert expected == response.body


@pytest.mark.parametrize(
    ("service", "error", "expected"),
    [
        ("ses", ApiError("TemplateDoesNotExist", "no <t>"), (400, "Sender", "TemplateDoesNotExist", "no <t>")),
        ("ses", ApiError("Throttling", "Rate exceeded"), (400, "Sender", "Throttling", "Rate exceeded")),
        ("sns", ApiError("NotFound", "no topic"), (404, "Sender", "NotFound", "no topic")),
        (
            "ses",
            Rejected("no", code="NotFoundException", code_v1="TemplateDoesNotExist", cause=Cause.UNDETERMINED),
            (400, "Sender", "TemplateDoesNotExist", "no"),
        ),
        (
            "ses",
            StoreUnavailable("locked"),
            (
                503,
                "Receiver",
                "ServiceUnavailable",
                "The store cannot be written now; nothing was accepted. Try again.",
            ),
        ),
        (
            "ses",
            ZeroDivisionError(),
            (
                500,
                "Receiver",
                "InternalFailure",
                "The request processing has failed because of an unknown error (request-1).",
            ),
        ),
    ],
)
async def test_errors(service: str, error: Exception, expected: Any) -> None:
    """Each error has its status, side, code and message."""

    async def operation(call: Call, request: dict[str, Any]) -> dict[str, Any]:
        raise error

    name = {"ses": "GetSendQuota", "sns": "ListTopics"}[service]
    assert expected == error_of(await call(service, name, operation), {"ses": SES_NS, "sns": SNS_NS}[service])


async def test_constraints() -> None:
    """What the model requires is asked for by name."""
    response = await call("ses", "SendRawEmail", returns({}), form(Source="a@b.c"))
    text = "1 validation error detected: Value at 'rawMessage' failed to satisfy constraint: Member must not be null"
    assert error_of(response) == (400, "Sender", "ValidationError", text)


@pytest.mark.parametrize("service", ["ses", "sns"])
async def test_the_credential_scope_chooses_the_service(service: str) -> None:
    """SES v1 and SNS share the path; a request without Version works."""
    operations = {
        "ses": {"GetSendQuota": returns({"MaxSendRate": 1.0})},
        "sns": {"ListTopics": returns({"Topics": []})},
    }
    name = {"ses": "GetSendQuota", "sns": "ListTopics"}[service]
    response = await send(app(operations), sign(Request(body=form(Action=name)), service=service))
    assert response.status == 200
    assert MODELS[service].namespace.encode() in response.body


@pytest.mark.parametrize(
    ("body", "code", "text"),
    [
        (b"", "MissingAction", "The request is missing an Action parameter."),
        (
            form(Action="GetSendQuota", Version="1999-01-01"),
            "InvalidAction",
            "Could not find operation GetSendQuota for version 1999-01-01",
        ),
        (form(Action="Fly"), "InvalidAction", "Could not find operation Fly for version 2010-12-01"),
        (
            form(Action="ListReceiptFilters"),
            "InvalidAction",
            "Waybill does not implement ListReceiptFilters. See docs/compatibility.md.",
        ),
    ],
)
async def test_unknown_actions(body: bytes, code: str, text: str) -> None:
    """No action, one that does not exist, and one that Waybill does not have."""
    assert error_of(await send(app({}), sign(Request(body=body)))) == (400, "Sender", code, text)


@pytest.mark.parametrize(
    ("target", "account"),
    [
        ("/?Action=ConfirmSubscription&TopicArn=arn:aws:sns:us-east-1:100000000001:t&Token=x", "100000000001"),
        ("/?Action=Unsubscribe&SubscriptionArn=arn%3Aaws%3Asns%3Aus-east-1%3A100000000001%3At%3As", "100000000001"),
        ("/?Action=Unsubscribe&SubscriptionArn=x", ""),
    ],
)
async def test_links(target: str, account: str) -> None:
    """SNS's two links work without a signature, for the account of the ARN."""
    calls: list[tuple[str, str]] = []

    async def operation(call: Call, request: dict[str, Any]) -> dict[str, Any]:
        calls.append((call.account, call.access_key_id))
        return {}

    operations = {"sns": {"ConfirmSubscription": operation, "Unsubscribe": operation}}
    assert (await send(app(operations), Request(method="GET", target=target))).status == 200
    assert [(account, "")] == calls


@pytest.mark.parametrize("body", [b"Action=DeleteTopic", b"Action=Unsubscribe"])
async def test_a_link_is_not_a_way_around_the_signature(body: bytes) -> None:
    """The query string alone makes a link, and its action is the one that is called."""
    calls: list[str] = []

    async def operation(call: Call, request: dict[str, Any]) -> dict[str, Any]:
        calls.append(call.operation)
        return {}

    names = ("DeleteTopic", "Unsubscribe", "ConfirmSubscription")
    application = app({"sns": dict.fromkeys(names, operation)})
    assert (await send(application, Request(body=body))).status == 403
    assert calls == []
    link = "/?Action=ConfirmSubscription&TopicArn=arn:aws:sns:us-east-1:1:t&Token=x"
    await send(application, Request(target=link, body=body))
    assert calls == ["ConfirmSubscription"]
