"""SES v2 on the wire: paths, JSON, constraints, results and errors."""

import json
import logging
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.api.wire import Request, Response, app, send, sign
from waybill.api.call import ApiError, Call, Operation
from waybill.api.parse import parse_rest
from waybill.api.route import Routes
from waybill.api.shapes import load_model
from waybill.api.validate import validate
from waybill.model.cause import Cause
from waybill.model.refusal import Rejected
from waybill.store.protocol import StoreUnavailable

MODEL = load_model("sesv2")
ROUTES = Routes(MODEL)
SEND_EMAIL = MODEL.operations["SendEmail"]


def request_of(operation: str, document: Any, *, query: bytes = b"", **labels: str) -> dict[str, Any]:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return parse_rest(MODEL, MODEL.operations[operation], labels, query, body)


async def call(operation: Operation, name: str, request: Request) -> Response:
    return await send(app({"sesv2": {name: operation}}), sign(request))


def returns(result: dict[str, Any]) -> Operation:
    async def operation(call: Call, request: dict[str, Any]) -> dict[str, Any]:
        return result

    return operation


def raises(error: Exception) -> Operation:
    async def operation(call: Call, request: dict[str, Any]) -> dict[str, Any]:
        raise error

    return operation


@pytest.mark.parametrize("name", sorted(MODEL.operations))
def test_every_operation_has_its_path(name: str) -> None:
    """The URI of each operation, its labels filled in, leads back to it; a trailing slash does not matter."""
    operation = MODEL.operations[name]
    path = operation.uri.replace("{", "%7B").replace("}", "%2F").encode()
    for raw in (path, path.rstrip(b"/") + b"/", path.rstrip(b"/")):
        route = ROUTES.find(operation.method, raw)
        assert route is not None
        assert name == route.operation
        assert all(value == f"{{{label}/" for label, value in route.labels.items())


@settings(max_examples=100)
@given(st.lists(st.sampled_from([b"v2", b"email", b"identities", b"%", b"%ff", b"..", b"", b"a"]), max_size=8))
def test_hostile_paths_find_nothing_or_something(segments: list[bytes]) -> None:
    """Any path is looked up without an exception."""
    ROUTES.find("GET", b"/".join(segments))


def test_literal_segments_win() -> None:
    """A literal that another method claims still is a label's value."""
    route = ROUTES.find("GET", b"/v2/email/contact-lists/l/contacts/list")
    assert route is not None
    assert route.operation == "GetContact"
    assert route.labels == {"ContactListName": "l", "EmailAddress": "list"}


def test_reads_a_body() -> None:
    """Blobs become bytes, timestamps Instants, unknown members vanish, nulls count as absent."""
    document: dict[str, Any] = {
        "FromEmailAddress": "a@b.example",
        "ReplyToAddresses": None,
        "Content": {"Raw": {"Data": "aG\nk="}, "Unheard": [1]},
        "EmailTags": [{"Name": "n", "Value": "v"}],
        "Extra": {"deep": [[[]]]},
    }
    expected = {
        "FromEmailAddress": "a@b.example",
        "Content": {"Raw": {"Data": b"hi"}},
        "EmailTags": [{"Name": "n", "Value": "v"}],
    }
    assert expected == request_of("SendEmail", document)


def test_reads_labels_and_the_query_string() -> None:
    """Lists repeat their name, timestamps are ISO 8601 there."""
    query = b"Reason=BOUNCE&Reason=COMPLAINT&StartDate=2026-01-01T00%3A00%3A00Z&PageSize=3"
    expected = {"Reasons": ["BOUNCE", "COMPLAINT"], "StartDate": 1_767_225_600_000, "PageSize": 3}
    assert expected == request_of("ListSuppressedDestinations", b"", query=query)
    expected = {"EmailIdentity": "user+x@b.c", "SigningEnabled": True}
    document = {"SigningEnabled": True}
    assert expected == request_of("PutEmailIdentityDkimAttributes", document, EmailIdentity="user+x@b.c")


def test_reads_maps_and_numbers() -> None:
    """Maps keep their keys; an integer may be written 3.0."""
    expected: dict[str, Any] = {"Filter": {"TYPE": "DKIM"}, "PageSize": 3}
    assert expected == request_of("ListRecommendations", {"Filter": {"TYPE": "DKIM"}, "PageSize": 3.0})
    queries = [{"Id": "q", "Dimensions": {"ISP": "x"}, "StartDate": "2026-01-01T00:00:00.5Z", "EndDate": 1.25}]
    [query] = request_of("BatchGetMetricData", {"Queries": queries})["Queries"]
    assert (query["StartDate"], query["EndDate"]) == (1_767_225_600_500, 1_250)
    with pytest.raises(ApiError, match=r"Start of list found where not expected. \(at 'filter'\)"):
        request_of("ListRecommendations", {"Filter": []})
    with pytest.raises(ApiError, match=r"NUMBER_VALUE can not be converted to a String \(at 'filter.TYPE.member'\)"):
        request_of("ListRecommendations", {"Filter": {"TYPE": 1}})


def test_maps_are_validated() -> None:
    """Keys and values have constraints of their own; a null value is one too many."""
    with pytest.raises(ApiError) as refused:
        validate(MODEL, MODEL.operations["ListRecommendations"], {"Filter": {"COLOUR": None}})
    assert "Value at 'filter.COLOUR.key' failed to satisfy constraint: Member must satisfy enum" in refused.value.text
    assert "Value at 'filter.COLOUR.member' failed to satisfy constraint: Member must not be null" in refused.value.text


def test_operations_without_input() -> None:
    """What is sent to an operation without parameters is ignored."""
    assert request_of("GetAccount", {"x": 1}) == {}


@pytest.mark.parametrize(
    ("document", "text"),
    [
        (b"{", "The request body is not JSON: Input data was truncated"),
        (b"\xff\xfe", "The request body is not JSON: "),
        (b"[" * 100_000, "The request body is nested too deeply"),
        ([], "Start of list found where not expected."),
        ({"FromEmailAddress": 1}, "NUMBER_VALUE can not be converted to a String (at 'fromEmailAddress')"),
        ({"FromEmailAddress": True}, "TRUE_VALUE can not be converted to a String (at 'fromEmailAddress')"),
        ({"FromEmailAddress": {}}, "Start of structure or map found where not expected. (at 'fromEmailAddress')"),
        ({"Content": "x"}, "STRING_VALUE can not be converted to a Structure (at 'content')"),
        ({"ReplyToAddresses": {}}, "Start of structure or map found where not expected. (at 'replyToAddresses')"),
        (
            {"EmailTags": [{"Name": "a"}, {"Name": []}]},
            "Start of list found where not expected. (at 'emailTags.2.member.name')",
        ),
        (
            {"Content": {"Raw": {"Data": "aGk=a"}}},
            "the value is not base64 (Excess data after padding) (at 'content.raw.data')",
        ),
        ({"Content": {"Raw": {"Data": "ü"}}}, "the value is not base64 ("),
    ],
)
def test_wrong_types(document: Any, text: str) -> None:
    """A value of another type is named with its place."""
    with pytest.raises(ApiError) as refused:
        request_of("SendEmail", document)
    assert refused.value.code == "SerializationException"
    assert refused.value.text.startswith(text)


@pytest.mark.parametrize("number", [1e300, -1, 10**400, 253_402_300_800, "x", "2026-01-01", [], True])
def test_wrong_timestamps(number: Any) -> None:
    """A timestamp lies between 1970 and 9999, and is a number or a text with an offset."""
    document = {"ExportDataSource": {"MetricsDataSource": {"StartDate": number}}}
    with pytest.raises(ApiError) as refused:
        request_of("CreateExportJob", document)
    assert refused.value.code == "SerializationException"


@pytest.mark.parametrize("number", [1 << 31, -(1 << 31) - 1, 1.5, "1"])
def test_wrong_integers(number: Any) -> None:
    """An integer is whole and has 32 bits."""
    with pytest.raises(ApiError) as refused:
        request_of("ListTenants", {"PageSize": number})
    assert refused.value.code == "SerializationException"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "Content",
                    "Raw",
                    "Data",
                    "Simple",
                    "Subject",
                    "EmailTags",
                    "Name",
                    "Value",
                    "Destination",
                    "ToAddresses",
                    "FromEmailAddress",
                    "Headers",
                    "Attachments",
                    "Template",
                    "StartDate",
                    "ExportDataSource",
                    "MetricsDataSource",
                ],
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=150)
@given(json_values, st.sampled_from(["SendEmail", "SendBulkEmail", "CreateExportJob", "ListTenants"]))
def test_hostile_documents(document: Any, name: str) -> None:
    """Any JSON is parsed and validated, or refused with an error of SES's."""
    try:
        validate(MODEL, MODEL.operations[name], request_of(name, document))
    except ApiError as error:
        assert error.code in ("SerializationException", "BadRequestException")  # noqa: PT017 - either way is right


@settings(max_examples=100)
@given(st.binary(max_size=60), st.binary(max_size=60))
def test_hostile_bytes(body: bytes, query: bytes) -> None:
    """Any bytes as body and query string are refused with an error of SES's, or mean nothing."""
    try:
        parse_rest(MODEL, MODEL.operations["ListSuppressedDestinations"], {}, query, body)
        parse_rest(MODEL, SEND_EMAIL, {}, b"", body)
    except ApiError as error:
        assert error.code == "SerializationException"  # noqa: PT017 - either way is right


async def test_constraints() -> None:
    """Every violation is named with its place and what is allowed, in AWS's words."""
    request = Request(
        method="PUT",
        target="/v2/email/configuration-sets/c/delivery-options",
        body=b'{"TlsPolicy":"MAYBE","SendingPoolName":"p","MaxDeliverySeconds":1}',
    )
    response = await call(returns({}), "PutConfigurationSetDeliveryOptions", request)
    assert response.status == 400
    assert response.headers["x-amzn-errortype"] == "BadRequestException"
    expected = (
        "2 validation errors detected: Value at 'tlsPolicy' failed to satisfy constraint: "
        "Member must satisfy enum value set: [OPTIONAL, REQUIRE]; Value at 'maxDeliverySeconds' failed to satisfy "
        "constraint: Member must have value greater than or equal to 300"
    )
    assert expected == json.loads(response.body)["message"]


@pytest.mark.parametrize(
    ("operation", "request_", "violation"),
    [
        ("SendEmail", {}, "Value at 'content' failed to satisfy constraint: Member must not be null"),
        (
            "SendEmail",
            {"Content": {"Simple": {"Body": {}}}},
            "Value at 'content.simple.subject' failed to satisfy constraint: Member must not be null",
        ),
        (
            "SendEmail",
            {"Content": {}, "ReplyToAddresses": ["a@b.c", None]},
            "Value at 'replyToAddresses.2.member' failed to satisfy constraint: Member must not be null",
        ),
        (
            "CreateEmailTemplate",
            {"TemplateName": "", "TemplateContent": {}},
            "Value at 'templateName' failed to satisfy constraint: Member must have length greater than or equal to 1",
        ),
        (
            "SendEmail",
            {"Content": {"Template": {"TemplateData": "x" * 262_145}}},
            (
                "Value at 'content.template.templateData' failed to satisfy constraint: "
                "Member must have length less than or equal to 262144"
            ),
        ),
        (
            "SendEmail",
            {"Content": {"Template": {"Headers": [{"Name": "a b", "Value": "c"}]}}},
            (
                "Value at 'content.template.headers.1.member.name' failed to satisfy constraint: "
                "Member must satisfy regular expression pattern: ^[!-9;-@A-~]+$"
            ),
        ),
    ],
)
def test_each_constraint(operation: str, request_: dict[str, Any], violation: str) -> None:
    """Required, null items, lengths and patterns."""
    with pytest.raises(ApiError) as refused:
        validate(MODEL, MODEL.operations[operation], request_)
    assert refused.value.text == f"1 validation error detected: {violation}"


def test_lists_ten_violations() -> None:
    """A request full of faults gets a short answer."""
    request = {"Content": {"Simple": {}}, "EmailTags": [{} for _ in range(1_000)]}
    with pytest.raises(ApiError) as refused:
        validate(MODEL, SEND_EMAIL, request)
    assert len(refused.value.text) < 1_500


async def test_result() -> None:
    """Timestamps are epoch seconds, blobs base64, members of None left out; the request id is a header."""
    result = {
        "MessageId": "m",
        "Subject": None,
        "Insights": [{"Destination": "ü", "Events": [{"Timestamp": 1_767_225_600_123}]}, {"Events": []}],
        "EmailTags": [{"Name": "n", "Value": "\udc80"}],
    }
    request = Request(method="GET", target="/v2/email/insights/m%2F1/")
    response = await call(returns(result), "GetMessageInsights", request)
    expected = {
        "MessageId": "m",
        "Insights": [{"Destination": "ü", "Events": [{"Timestamp": 1_767_225_600.123}]}, {"Events": []}],
        "EmailTags": [{"Name": "n", "Value": "?"}],
    }
    assert (200, expected) == (response.status, json.loads(response.body))
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-amzn-requestid"] == "request-1"


async def test_call() -> None:
    """An operation learns who calls, from where, when the request was signed, and its parameters."""
    calls: list[tuple[Call, dict[str, Any]]] = []

    async def operation(call: Call, request: dict[str, Any]) -> dict[str, Any]:
        calls.append((call, request))
        return {}

    headers = {"user-agent": "test/1", "x-forwarded-for": "203.0.113.9"}
    request = Request(method="GET", target="/v2/email/identities/b.example", headers=headers)
    assert (await call(operation, "GetEmailIdentity", request)).status == 200
    [(made, parameters)] = calls
    assert parameters == {"EmailIdentity": "b.example"}
    expected = ("100000000001", "AKIDEXAMPLE", "GetEmailIdentity", "192.0.2.1", "test/1", None)
    assert expected == (made.account, made.access_key_id, made.operation, made.ip, made.user_agent, made.tls)
    assert made.started_at is not None
    assert made.started_at % 1_000 == 0
    assert made.started_at <= made.received_at


@pytest.mark.parametrize(
    ("error", "status", "code", "text"),
    [
        (ApiError("NotFoundException", "Template t does not exist."), 404, "NotFoundException", None),
        (ApiError("TooManyRequestsException", "Maximum sending rate exceeded."), 429, "TooManyRequestsException", None),
        (ApiError("AlreadyExistsException", "x"), 400, "AlreadyExistsException", None),
        (ApiError("AccessDeniedException", "x"), 403, "AccessDeniedException", None),
        (Rejected("no", code="MessageRejected", cause=Cause.SENDING_PAUSED), 400, "MessageRejected", "no"),
        (StoreUnavailable("disk full"), 503, "ServiceUnavailable", None),
        (KeyError("a bug"), 500, "InternalFailure", None),
    ],
)
async def test_errors(
    error: Exception, status: int, code: str, text: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    """Each error has its status, its shape in x-amzn-ErrorType, and a message; a bug is logged with the request id."""
    response = await call(raises(error), "GetAccount", Request(method="GET", target="/v2/email/account"))
    assert (status, code) == (response.status, response.headers["x-amzn-errortype"])
    assert response.headers["x-amzn-requestid"] == "request-1"
    message = json.loads(response.body)["message"]
    assert text is None or text == message
    bugs = [record for record in caplog.records if record.exc_info]
    assert [status == 500] == [bool(bugs)]
    assert all("request_id=request-1" in record.getMessage() and record.levelno == logging.ERROR for record in bugs)


@pytest.mark.parametrize("name", sorted(MODEL.operations))
async def test_not_implemented(name: str) -> None:
    """An operation that is not there answers with a status that no SDK tries again."""
    operation = MODEL.operations[name]
    target = operation.uri.replace("{", "").replace("}", "")
    response = await send(app({}), sign(Request(method=operation.method, target=target)))
    assert (response.status, response.headers["x-amzn-errortype"]) == (400, "BadRequestException")
    expected = f"Waybill does not implement {name}. See docs/compatibility.md."
    assert expected == json.loads(response.body)["message"]


@pytest.mark.parametrize(
    ("method", "target"), [("GET", "/v2/email/nothing"), ("PATCH", "/v2/email/account"), ("GET", "/x")]
)
async def test_unknown_paths(method: str, target: str) -> None:
    """A path that no operation has is answered 404, in the shape of the protocol."""
    response = await send(app({}), Request(method=method, target=target))
    assert (response.status, response.headers["x-amzn-errortype"]) == (404, "UnknownOperationException")
    assert json.loads(response.body)["message"] == f"{method} {target} names no operation."
