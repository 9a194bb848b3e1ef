"""Request bodies: counted, hashed, spooled and bounded."""

import asyncio
import json
from collections.abc import AsyncIterator
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.api.wire import Request, app, scope_of, send, sign
from waybill.api.call import Call
from waybill.api.intake import Limits
from waybill.api.spool import IN_MEMORY, ClientGone, InFlight, TooLong, TooMuchInFlight, TooSlow, receive_body

SEND = "/v2/email/outbound-emails"


async def parts_of(body: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


async def sizes(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    return {"MessageId": str(len(request["Content"]["Raw"]["Data"]))}


def send_email(size: int) -> Request:
    data = "A" * (size // 3 * 4)
    return sign(Request(target=SEND, body=json.dumps({"Content": {"Raw": {"Data": data}}}).encode()))


@pytest.mark.parametrize("size", [3, IN_MEMORY, 3 * IN_MEMORY])
async def test_bodies_of_every_size(size: int) -> None:
    """A body in memory and one on disk are read alike, whole or in parts without Content-Length."""
    application = app({"sesv2": {"SendEmail": sizes}})
    request = send_email(size)
    expected = {"MessageId": str(size // 3 * 3)}
    assert expected == json.loads((await send(application, request)).body)
    assert expected == json.loads((await send(application, request, chunks=parts_of(request.body, 60_000))).body)


async def test_a_changed_part_is_noticed() -> None:
    """The signature covers what came, also where it is on disk."""
    request = send_email(2 * IN_MEMORY)
    changed = request.body.replace(b"AAAA", b"AAAB", 1)
    response = await send(app({"sesv2": {"SendEmail": sizes}}), request, chunks=parts_of(changed, 50_000))
    assert response.headers["x-amzn-errortype"] == "InvalidSignatureException"


async def test_a_declared_length_over_the_limit_is_answered_at_once() -> None:
    """Nothing is received; the words are SES's."""
    request = sign(Request(target=SEND))
    scope = scope_of(request)
    scope["headers"] = [
        *(field for field in scope["headers"] if field[0] != b"content-length"),
        (b"content-length", b"57000001"),
    ]

    sent: list[Any] = []

    async def receive() -> Any:
        raise AssertionError("nothing should be received")

    async def take(message: Any) -> None:
        sent.append(message)

    await app({})(scope, receive, take)
    assert sent[0]["status"] == 400
    assert dict(sent[0]["headers"])[b"x-amzn-errortype"] == b"BadRequestException"
    expected = "Message length is more than 41943040 bytes long: '57000001'."
    assert expected == json.loads(sent[1]["body"])["message"]


@pytest.mark.parametrize(("service", "target"), [("sesv2", SEND), ("ses", "/")])
async def test_a_body_without_length_is_counted(service: str, target: str) -> None:
    """It is refused as soon as it is too long."""
    limits = Limits(rest=100_000, query=100_000)
    request = sign(Request(target=target, body=b"x" * 100_001))
    response = await send(app({}, limits=limits), request, chunks=parts_of(request.body, 10_000))
    assert response.status == 400
    longest = 41_943_040 if service == "sesv2" else 10_485_760
    assert f"Message length is more than {longest} bytes long: ".encode() in response.body


async def test_too_much_in_flight() -> None:
    """The process bounds what all requests hold together, and says so with a status that is tried again."""
    application = app({"sesv2": {"SendEmail": sizes}}, limits=Limits(in_flight=2_000))
    response = await send(application, send_email(3_000))
    assert (response.status, response.headers["x-amzn-errortype"]) == (503, "ServiceUnavailable")
    assert (await send(application, send_email(300))).status == 200


async def test_an_unknown_key_sends_no_body() -> None:
    """The head alone decides; a stranger costs no memory."""

    async def receive() -> Any:
        raise AssertionError("nothing should be received")

    sent: list[Any] = []

    async def take(message: Any) -> None:
        sent.append(message)

    await app({})(scope_of(Request(target=SEND, body=b"x" * 1_000)), receive, take)
    assert sent[0]["status"] == 403


@settings(max_examples=30)
@given(st.lists(st.binary(max_size=3_000), max_size=6), st.integers(0, 2))
async def test_what_comes_is_what_is_read(parts: list[bytes], fill: int) -> None:
    """Size, hash and content are those of all parts together, in memory or on disk."""
    parts = [b"x" * (fill * 150_000), *parts]
    messages = iter(
        [{"type": "http.request", "body": part, "more_body": True} for part in parts] + [{"type": "http.request"}]
    )

    async def receive() -> Any:
        return next(messages)

    in_flight = InFlight(limit=1_000_000)
    body = await receive_body(receive, declared=None, limit=1_000_000, timeout_s=10, in_flight=in_flight)
    whole = b"".join(parts)
    assert (len(whole), sha256(whole).hexdigest()) == (body.size, body.sha256)
    assert in_flight.held == body.size
    assert body.large == (body.size > IN_MEMORY)
    assert whole == await body.apply(lambda text: text)
    body.close()
    assert in_flight.held == 0


@pytest.mark.parametrize(
    ("limit", "allowed", "expected"), [(9, 100, TooLong), (100, 9, TooMuchInFlight), (100, 100, ClientGone)]
)
async def test_nothing_is_held_after_a_refusal(limit: int, allowed: int, expected: type[Exception]) -> None:
    """Whatever ends a body early, its bytes are given back."""
    messages = iter([{"type": "http.request", "body": b"x" * 10, "more_body": True}, {"type": "http.disconnect"}])

    async def receive() -> Any:
        return next(messages)

    in_flight = InFlight(limit=allowed)
    with pytest.raises(expected):
        await receive_body(receive, declared=None, limit=limit, timeout_s=10, in_flight=in_flight)
    assert in_flight.held == 0


async def test_a_body_that_does_not_come() -> None:
    """A client that stops sending is not waited for longer than the limit."""

    async def receive() -> Any:
        await asyncio.Event().wait()

    with pytest.raises(TooSlow):
        await receive_body(receive, declared=1, limit=1, timeout_s=0.01, in_flight=InFlight(limit=1))
    response_sent: list[Any] = []

    async def take(message: Any) -> None:
        response_sent.append(message)

    await app({}, limits=Limits(receive_s=0.01))(scope_of(sign(Request(target=SEND))), receive, take)
    assert response_sent[0]["status"] == 408


async def test_a_client_that_leaves_is_not_answered() -> None:
    """There is nobody to answer."""

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    async def take(message: Any) -> None:
        raise AssertionError("nothing should be sent")

    await app({})(scope_of(sign(Request(target=SEND))), receive, take)
    await app({})(scope_of(sign(Request(body=b"Action=GetSendQuota"))), receive, take)
