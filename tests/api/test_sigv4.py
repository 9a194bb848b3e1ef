"""Signatures that botocore makes are taken, anything else is refused with AWS's codes."""

import dataclasses
import json
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from urllib.parse import quote

import pytest
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.api.wire import KEY, REVOKED, Request, app, scope_of, send, sign
from waybill.api.authorization import Authorization, Fault, Head, NotAuthentic, read_authorization
from waybill.api.call import Call
from waybill.api.sigv4 import check_freshness, check_signature
from waybill.model.clock import DAY, MINUTE, now

ACCOUNT = "/v2/email/account"


def head_of(request: Request) -> Head:
    scope = scope_of(request)
    return Head(
        method=scope["method"], path=scope["raw_path"], query=scope["query_string"], fields=tuple(scope["headers"])
    )


def sha256_of(request: Request) -> str:
    return sha256(request.body).hexdigest()


def check(request: Request, *, head: Head | None = None) -> Authorization:
    used = head or head_of(request)
    authorization = read_authorization(used, ("ses", "sns"))
    check_signature(used, authorization, KEY.secret, sha256_of(request))
    return authorization


texts = st.text(st.characters(codec="utf-8"), max_size=12)


@st.composite
def requests(draw: st.DrawFn) -> Request:
    segments = draw(st.lists(texts, max_size=4))
    target = "/" + "/".join(quote(segment, safe="") for segment in segments)
    pairs = draw(st.lists(st.tuples(texts, texts), max_size=3))
    if pairs:
        target += "?" + "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in pairs)
    values = st.text(st.sampled_from("ab  ,;=\t%"), max_size=8)
    headers = draw(st.dictionaries(st.sampled_from(["X-One", "Content-Type", "x-two"]), values, max_size=3))
    method = draw(st.sampled_from(["GET", "POST", "PUT", "DELETE"]))
    return Request(method=method, target=target, body=draw(st.binary(max_size=40)), headers=headers)


@settings(max_examples=80)
@given(requests(), st.sampled_from(["ses", "sns"]))
def test_takes_what_botocore_signs(request: Request, service: str) -> None:
    """Every method, path, query string, header and body that botocore signs verifies."""
    assert KEY.name == check(sign(request, service=service)).credential.access_key_id


@settings(max_examples=60)
@given(requests(), st.data())
def test_refuses_a_flipped_bit(request: Request, data: st.DataObject) -> None:
    """One bit of the method, path, query, body, signature or a signed header changed: refused."""
    signed = sign(request)
    head = head_of(signed)
    field = data.draw(st.sampled_from(["path", "query", "body", "signature", "date", "host"]))
    if field == "body":
        changed = dataclasses.replace(signed, body=flip(signed.body or b"\0", data))
        used = head
    elif field in ("path", "query"):
        changed = signed
        used = dataclasses.replace(head, **{field: getattr(head, field) + b"%41"})
    else:
        name = {"signature": b"authorization", "date": b"x-amz-date", "host": b"host"}[field]
        fields = [(key, flip(value, data, tail=8) if key == name else value) for key, value in head.fields]
        changed, used = signed, dataclasses.replace(head, fields=fields)
    with pytest.raises(NotAuthentic):
        check(changed, head=used)


def flip(text: bytes, data: st.DataObject, *, tail: int = 0) -> bytes:
    index = data.draw(st.integers(max(0, len(text) - tail) if tail else 0, len(text) - 1))
    bit = data.draw(st.integers(0, 6))
    flipped = text[index] ^ (1 << bit)
    if bytes([flipped]).isspace() or bytes([text[index]]).isspace():
        flipped = 0x7E  # white space around a value is not signed
    return text[:index] + bytes([flipped]) + text[index + 1 :]


@settings(max_examples=80)
@given(
    st.lists(st.tuples(st.sampled_from([b"authorization", b"x-amz-date", b"host"]), st.binary(max_size=60))),
    st.binary(max_size=80),
)
def test_hostile_heads_are_refused_calmly(fields: list[tuple[bytes, bytes]], query: bytes) -> None:
    """Any bytes as header fields or query string give NotAuthentic, nothing else."""
    for prefix in (b"", b"X-Amz-Signature=", b"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date="):
        head = Head(method="GET", path=b"/", query=prefix + query, fields=fields)
        with pytest.raises(NotAuthentic):
            read_authorization(head, ("ses",))


@settings(max_examples=80)
@given(st.text(max_size=30), st.text(max_size=30), st.text(max_size=30))
def test_hostile_claims_are_refused_calmly(credential: str, names: str, signature: str) -> None:
    """A well-formed header with any text in its parts gives NotAuthentic, nothing else."""
    text = f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={signature}"
    fields = [(b"authorization", text.encode("utf-8", "replace")), (b"x-amz-date", b"20261124T023000Z")]
    head = Head(method="GET", path=b"/", query=b"", fields=fields)
    with pytest.raises(NotAuthentic):
        check_signature(head, read_authorization(head, ("ses",)), "secret", "0" * 64)


def test_takes_what_the_javascript_sdk_signs() -> None:
    """More headers are signed, the body's hash among them; SignedHeaders says which."""
    body = b'{"FromEmailAddress":"a@b.example"}'
    request = Request(
        target="/v2/email/outbound-emails",
        body=body,
        headers={
            "amz-sdk-invocation-id": "1",
            "amz-sdk-request": "attempt=1; max=3",
            "content-length": str(len(body)),
            "content-type": "application/json",
            "x-amz-content-sha256": sha256_of(Request(body=body)),
            "x-amz-user-agent": "aws-sdk-js/3.1169.0",
        },
    )
    assert "x-amz-content-sha256" in check(sign(request)).signed_headers


def test_double_encodes_the_path() -> None:
    """``%2B`` is signed as ``%252B``: the raw path counts."""
    check(sign(Request(method="GET", target="/v2/email/identities/user%2Bx%40b.c")))


async def failure(request: Request, **options: Any) -> tuple[int, str, str]:
    response = await send(app({}, **options), request)
    return response.status, response.headers.get("x-amzn-errortype", ""), json.loads(response.body)["message"]


async def query_failure(request: Request, **options: Any) -> tuple[int, str]:
    response = await send(app({}, **options), request)
    text = response.body.decode()
    return response.status, text.partition("<Code>")[2].partition("</Code>")[0]


async def test_missing() -> None:
    """An unsigned request is told so in both protocols."""
    expected = (403, "MissingAuthenticationTokenException", "Missing Authentication Token")
    assert expected == await failure(Request(method="GET", target=ACCOUNT))
    assert await query_failure(Request(body=b"Action=GetSendQuota")) == (403, "MissingAuthenticationToken")


async def test_incomplete() -> None:
    """A header that lacks parts is told which."""
    request = Request(method="GET", target=ACCOUNT, headers={"authorization": "AWS4-HMAC-SHA256 Credential=a/b/c/d/e"})
    status, code, text = await failure(request)
    assert (status, code) == (400, "IncompleteSignatureException")
    assert "requires 'Signature' parameter" in text
    assert "requires 'SignedHeaders' parameter" in text
    assert "X-Amz-Date" in text


@pytest.mark.parametrize("key", [dataclasses.replace(KEY, name="AKIDOTHER"), REVOKED], ids=["unknown", "revoked"])
async def test_unknown_key(key: Any) -> None:
    """A key that never was and one that was revoked look the same."""
    expected = (403, "UnrecognizedClientException", "The security token included in the request is invalid.")
    assert expected == await failure(sign(Request(method="GET", target=ACCOUNT), key=key))
    assert await query_failure(sign(Request(body=b"Action=GetSendQuota"), key=key)) == (403, "InvalidClientTokenId")


async def test_wrong_secret() -> None:
    """The answer shows what should have been signed."""
    key = dataclasses.replace(KEY, secret="wrong")
    status, code, text = await failure(sign(Request(method="GET", target=ACCOUNT), key=key))
    assert (status, code) == (403, "InvalidSignatureException")
    assert text.startswith("The request signature we calculated does not match the signature you provided.")
    assert f"'GET\n{ACCOUNT}\n\nhost:waybill.test\n" in text
    assert await query_failure(sign(Request(body=b"Action=GetSendQuota"), key=key)) == (403, "SignatureDoesNotMatch")


async def test_clock_skew() -> None:
    """Five minutes to either side are taken, more is not."""
    request = sign(Request(method="GET", target=ACCOUNT))
    at = now()
    for clock in (at - 4 * MINUTE, at + 4 * MINUTE):
        assert (await failure(request, clock=lambda clock=clock: clock))[:2] == (400, "BadRequestException")
    status, code, text = await failure(request, clock=lambda: at + 6 * MINUTE)
    assert (status, code) == (403, "InvalidSignatureException")
    assert text.startswith("Signature expired: ")
    assert text.endswith(" - 5 min.)")
    _, _, text = await failure(request, clock=lambda: at - 6 * MINUTE)
    assert text.startswith("Signature not yet current: ")


async def test_scope() -> None:
    """A signature for another service is refused; any region is taken."""
    status, code, text = await failure(sign(Request(method="GET", target=ACCOUNT), service="s3"))
    assert (status, code) == (403, "InvalidSignatureException")
    assert "correct service: 'ses'" in text
    request = sign(Request(method="GET", target=ACCOUNT), region="eu-central-1")
    assert (await failure(request))[:2] == (400, "BadRequestException")


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({"x-amz-security-token": "t"}, "temporary credentials"),
        ({"x-amz-content-sha256": "UNSIGNED-PAYLOAD"}, "UNSIGNED-PAYLOAD is not accepted"),
    ],
)
async def test_refuses_what_ses_does_not_have(headers: dict[str, str], words: str) -> None:
    """Session tokens and unsigned payloads are refused in words."""
    status, _, text = await failure(sign(Request(method="GET", target=ACCOUNT, headers=headers)))
    assert status == 403
    assert words in text


def test_refuses_a_date_that_is_not_signed() -> None:
    """Otherwise an old signature could be made young again."""
    signed = sign(Request(method="GET", target=ACCOUNT))
    assert signed.headers is not None
    loose = signed.headers["Authorization"].replace("host;x-amz-date", "host")
    with pytest.raises(NotAuthentic, match="'X-Amz-Date' must be a 'SignedHeader'"):
        check(dataclasses.replace(signed, headers={**signed.headers, "Authorization": loose}))


def presigned(expires: int) -> Request:
    aws = AWSRequest("GET", "http://waybill.test/?Action=GetSendQuota&Version=2010-12-01")
    SigV4QueryAuth(Credentials(KEY.name, KEY.secret), "ses", "us-east-1", expires=expires).add_auth(aws)
    assert aws.url is not None
    return Request(method="GET", target=aws.url.removeprefix("http://waybill.test"))


async def test_presigned() -> None:
    """A presigned URL is taken until it expires, and no longer."""

    async def quota(call: Call, request: dict[str, Any]) -> dict[str, Any]:
        assert KEY.name == call.access_key_id
        return {"MaxSendRate": 1.5}

    at = now()
    operations = {"ses": {"GetSendQuota": quota}}
    later = app(operations, clock=lambda: at + 50 * MINUTE)
    assert (await send(later, presigned(3600))).status == 200
    assert await query_failure(presigned(3600), clock=lambda: at + 2 * DAY) == (400, "RequestExpired")
    assert await query_failure(presigned(8 * 24 * 3600)) == (400, "IncompleteSignature")


def test_presigned_url_changed() -> None:
    """Another action under the same signature is refused."""
    request = presigned(60)
    check(request)
    with pytest.raises(NotAuthentic) as refused:
        check(dataclasses.replace(request, target=request.target.replace("GetSendQuota", "DeleteIdentity")))
    assert refused.value.fault == Fault.MISMATCH


def test_freshness_names_the_limit() -> None:
    """The text holds the three instants, as AWS's does."""
    authorization = dataclasses.replace(
        check(sign(Request(method="GET"))),
        amz_date="20261124T020000Z",
        signed_at=int(datetime(2026, 11, 24, 2, tzinfo=UTC).timestamp()) * 1_000,
    )
    at = int(datetime(2026, 11, 24, 2, 30, tzinfo=UTC).timestamp()) * 1_000
    with pytest.raises(NotAuthentic) as refused:
        check_freshness(authorization, at)
    expected = "Signature expired: 20261124T020000Z is now earlier than 20261124T022500Z (20261124T023000Z - 5 min.)"
    assert expected == refused.value.text


SCOPE = "AKIDEXAMPLE/20261124/us-east-1/ses/aws4_request"


@pytest.mark.parametrize(
    ("text", "amz_date", "fault", "words"),
    [
        ("AWS4-ECDSA-P256-SHA256 Credential=x", None, Fault.INCOMPLETE, "use 'AWS4-HMAC-SHA256'"),
        (f"Credential={SCOPE}, SignedHeaders=host;x-amz-date", None, Fault.INCOMPLETE, "requires 'Signature'"),
        ("Credential=a/b/c, SignedHeaders=host;x-amz-date, Signature=0", None, Fault.INCOMPLETE, "exactly 5"),
        (
            f"Credential={SCOPE}5, SignedHeaders=host;x-amz-date, Signature=0",
            None,
            Fault.MISMATCH,
            "valid terminator: 'aws4_request', not 'aws4_request5'",
        ),
        (f"Credential={SCOPE}, SignedHeaders=x-amz-date, Signature=0", None, Fault.MISMATCH, "'Host' must be"),
        (
            f"Credential={SCOPE}, SignedHeaders=host;x-amz-date, Signature=0",
            b"20261125T000000Z",
            Fault.MISMATCH,
            "'20261124' != '20261125', from '20261125T000000Z'",
        ),
        (
            f"Credential={SCOPE}, SignedHeaders=host;x-amz-date, Signature=0",
            b"20261324T000000Z",
            Fault.INCOMPLETE,
            "Got '20261324T000000Z'; write it as 20261124T023000Z.",
        ),
    ],
)
def test_malformed_claims(text: str, amz_date: bytes | None, fault: Fault, words: str) -> None:
    """Each fault of an Authorization header is named."""
    text = text if text.startswith("AWS4") else f"AWS4-HMAC-SHA256 {text}"
    fields = [(b"authorization", text.encode()), (b"x-amz-date", amz_date or b"20261124T023000Z")]
    with pytest.raises(NotAuthentic) as refused:
        read_authorization(Head(method="GET", path=b"/", query=b"", fields=fields), ("ses",))
    assert fault == refused.value.fault
    assert words in refused.value.text


@pytest.mark.parametrize(
    ("query", "fault", "words"),
    [
        (b"X-Amz-Signature=0", Fault.INCOMPLETE, "must include 'X-Amz-Algorithm=AWS4-HMAC-SHA256'"),
        (
            b"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=20261124T023000Z",
            Fault.INCOMPLETE,
            "must include 'X-Amz-Credential', 'X-Amz-Signature', 'X-Amz-SignedHeaders', 'X-Amz-Expires'.",
        ),
        (
            (
                b"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=1&X-Amz-Credential=1&X-Amz-Signature=1"
                b"&X-Amz-SignedHeaders=1&X-Amz-Expires=1&X-Amz-Security-Token=1"
            ),
            Fault.UNKNOWN_KEY,
            "without a session token",
        ),
    ],
)
def test_malformed_presigned_urls(query: bytes, fault: Fault, words: str) -> None:
    """Each fault of a presigned URL is named."""
    with pytest.raises(NotAuthentic) as refused:
        read_authorization(Head(method="GET", path=b"/", query=query, fields=[(b"host", b"h")]), ("ses",))
    assert fault == refused.value.fault
    assert words in refused.value.text


async def test_speaks_http_alone() -> None:
    """A scope of another kind is a mistake of the server's set-up."""

    async def nothing(*_: Any) -> Any:
        raise AssertionError("nothing should be received or sent")

    with pytest.raises(ValueError, match="not websocket"):
        await app({})({"type": "websocket"}, nothing, nothing)
