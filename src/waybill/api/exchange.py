"""One HTTP exchange with an AWS client: what came in besides the body, and what goes out."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

from waybill.api.authorization import Head
from waybill.api.spool import Receive
from waybill.model.record import record

Scope: TypeAlias = MutableMapping[str, Any]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_TLS_VERSIONS = {0x0301: "TLSv1", 0x0302: "TLSv1.1", 0x0303: "TLSv1.2", 0x0304: "TLSv1.3"}


@record(frozen=True, kw_only=True, slots=True)
class Exchange:
    """A request that has begun. ``ip`` is the peer's: a header that anybody can write proves nothing."""

    head: Head
    receive: Receive
    request_id: str
    declared_length: int | None
    ip: str | None
    tls: str | None
    user_agent: str | None


@record(frozen=True, kw_only=True, slots=True)
class Answer:
    """A whole response. ``error_type`` goes into ``x-amzn-ErrorType`` (REST-JSON)."""

    status: int
    content_type: str
    body: bytes
    error_type: str | None = None


def begin(scope: Scope, receive: Receive, request_id: str) -> Exchange:
    """The exchange that an ASGI scope opens (https://asgi.readthedocs.io/en/latest/specs/www.html)."""
    fields = tuple(scope["headers"])
    length, user_agent = None, None
    for name, value in fields:
        if name == b"content-length" and value.isdigit():
            length = int(value[:20])
        elif name == b"user-agent":
            user_agent = value.decode("latin-1")
    raw_path = scope.get("raw_path") or scope["path"].encode()
    tls = (scope.get("extensions") or {}).get("tls")
    return Exchange(
        head=Head(method=scope["method"], path=raw_path.partition(b"?")[0], query=scope["query_string"], fields=fields),
        receive=receive,
        request_id=request_id,
        declared_length=length,
        ip=scope["client"][0] if scope.get("client") else None,
        tls=_TLS_VERSIONS.get(tls.get("tls_version")) if tls else None,
        user_agent=user_agent,
    )


async def answer(send: Send, request_id: str, reply: Answer) -> None:
    """Sends the response; its request id is in a header whatever the protocol."""
    headers = [
        (b"content-type", reply.content_type.encode()),
        (b"content-length", str(len(reply.body)).encode()),
        (b"x-amzn-requestid", request_id.encode()),
    ]
    if reply.error_type is not None:
        headers.append((b"x-amzn-errortype", reply.error_type.encode()))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})
