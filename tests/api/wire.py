"""A client's side of the AWS wire for tests: sign with botocore, call the ASGI application, serve it with uvicorn."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import uvicorn
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from waybill.accept.request import SendRequest
from waybill.api.asgi import AwsApi, aws_app
from waybill.api.call import Operation, Service
from waybill.api.intake import Limits
from waybill.model.clock import Instant, now
from waybill.model.resource import DEFAULT_ACCOUNT, INSTALLATION, AccessKey
from waybill.store.protocol import Store

KEY = AccessKey(
    account=INSTALLATION,
    name="AKIDEXAMPLE",
    owner=DEFAULT_ACCOUNT,
    label="test",
    secret="wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    created_at=0,
)
REVOKED = AccessKey(
    account=INSTALLATION,
    name="AKIDREVOKED",
    owner=DEFAULT_ACCOUNT,
    label="test",
    secret="s",
    created_at=0,
    revoked_at=1,
)


class Keys:
    """The store as the wire sees it: two access keys by their ids."""

    async def get(self, kind: type[AccessKey], account: str, name: str) -> AccessKey | None:
        assert (kind, account) == (AccessKey, INSTALLATION)
        return {key.name: key for key in (KEY, REVOKED)}.get(name)


class NoAccept:
    async def accept(self, request: SendRequest) -> str:
        raise NotImplementedError(request)


async def _verify_nothing(account: str, name: str) -> None:
    raise NotImplementedError(account, name)


def app(
    operations: Mapping[str, Mapping[str, Operation]],
    *,
    clock: Callable[[], Instant] = now,
    limits: Limits | None = None,
) -> AwsApi:
    service = Service(
        store=cast(Store, Keys()),
        accept=NoAccept(),
        clock=clock,
        region="us-east-1",
        every_sender=True,
        default_max_send_rate=0,
        default_max_24_hour_send=0,
        verify_identity=_verify_nothing,
    )
    return aws_app(service, operations, limits=limits, new_request_id=lambda: "request-1")


@dataclass(frozen=True, kw_only=True)
class Request:
    method: str = "POST"
    target: str = "/"
    body: bytes = b""
    headers: Mapping[str, str] | None = None


@dataclass(frozen=True, kw_only=True)
class Response:
    status: int
    headers: dict[str, str]
    body: bytes


def sign(request: Request, *, service: str = "ses", key: AccessKey = KEY, region: str = "us-east-1") -> Request:
    """The request with the headers that botocore signs."""
    url = f"http://waybill.test{request.target}"
    aws = AWSRequest(request.method, url, data=request.body, headers=dict(request.headers or {}))
    SigV4Auth(Credentials(key.name, key.secret), service, region).add_auth(aws)
    return Request(method=request.method, target=request.target, body=request.body, headers=dict(aws.headers.items()))


def scope_of(request: Request) -> dict[str, Any]:
    path, _, query = request.target.partition("?")
    headers = {"host": "waybill.test", "content-length": str(len(request.body)), **(request.headers or {})}
    return {
        "type": "http",
        "method": request.method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()],
        "client": ("192.0.2.1", 4711),
        "server": ("192.0.2.2", 80),
    }


async def send(
    application: AwsApi, request: Request, *, chunks: AsyncIterator[bytes] | None = None, scope: Any = None
) -> Response:
    """What the application answers; ``chunks`` is sent instead of the body, without Content-Length."""
    sent: list[dict[str, Any]] = []
    used = scope or scope_of(request)
    if chunks is not None:
        used["headers"] = [field for field in used["headers"] if field[0] != b"content-length"]

    async def receive() -> dict[str, Any]:
        if chunks is None:
            return {"type": "http.request", "body": request.body, "more_body": False}
        try:
            return {"type": "http.request", "body": await anext(chunks), "more_body": True}
        except StopAsyncIteration:
            return {"type": "http.request", "body": b"", "more_body": False}

    async def take(message: Any) -> None:
        sent.append(message)

    await application(used, receive, take)
    start, body = sent
    headers = {name.decode(): value.decode() for name, value in start["headers"]}
    return Response(status=start["status"], headers=headers, body=body["body"])


@contextmanager
def served(application: Callable[..., Awaitable[None]]) -> Iterator[str]:
    """The URL at which uvicorn serves the application on a free loopback port."""
    config = uvicorn.Config(application, port=0, lifespan="off", log_level="error", http="httptools", ws="none")
    server = uvicorn.Server(config)
    started = threading.Event()

    async def run() -> None:
        sockets = [config.bind_socket()]
        ports.append(sockets[0].getsockname()[1])
        started.set()
        await server.serve(sockets)

    ports: list[int] = []
    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    started.wait(10)
    try:
        yield f"http://127.0.0.1:{ports[0]}"
    finally:
        server.should_exit = True
        thread.join(10)
