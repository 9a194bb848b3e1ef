"""A publisher on a real store, and endpoints on loopback that answer as a test says."""

import asyncio
import base64
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from waybill.model.clock import Instant
from waybill.model.resource import Subscription, Topic
from waybill.net.http_client import HttpClient
from waybill.publish.publisher import PublishConfig, Publisher
from waybill.store.open import open_store
from waybill.store.protocol import NewNotice, NoticeKind, Store

ACCOUNT = "100000000001"
START: Instant = 1_795_500_000_000
TOPIC = f"arn:aws:sns:us-east-1:{ACCOUNT}:events"
URL = "http://waybill.example:8025"


@dataclass(frozen=True, kw_only=True, slots=True)
class Post:
    """A request as the endpoint saw it."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def envelope(self) -> dict[str, str]:
        envelope: dict[str, str] = json.loads(self.body)
        return envelope


@dataclass(kw_only=True)
class Endpoint:
    """Keeps what is posted. ``answers`` are given one after the other, then 200."""

    answers: list[int] = field(default_factory=list)
    posts: list[Post] = field(default_factory=list)
    credentials: str | None = None
    gate: asyncio.Event | None = None
    at_once: int = 0
    most_at_once: int = 0
    url: str = ""

    async def handle(self, request: web.Request) -> web.Response:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            headers = {name.lower(): value for name, value in request.headers.items()}
            self.posts.append(Post(path=request.path_qs, headers=headers, body=await request.read()))
            if self.gate is not None:
                await self.gate.wait()
            return self._answer(headers)
        finally:
            self.at_once -= 1

    def _answer(self, headers: dict[str, str]) -> web.Response:
        if self.credentials is not None:
            wanted = f"Basic {base64.b64encode(self.credentials.encode()).decode()}"
            if headers.get("authorization") != wanted:
                return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="hook"'})
        status = self.answers.pop(0) if self.answers else 200
        return web.Response(status=status, headers={"Location": "/elsewhere", "Set-Cookie": "a=b"})


@asynccontextmanager
async def open_endpoint(endpoint: Endpoint, tls: ssl.SSLContext | None = None) -> AsyncIterator[Endpoint]:
    """The endpoint, listening until the block ends."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", endpoint.handle)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    host, port = runner.addresses[0][:2]
    endpoint.url = f"{'https' if tls else 'http'}://{'localhost' if tls else host}:{port}"
    try:
        yield endpoint
    finally:
        if endpoint.gate is not None:
            endpoint.gate.set()
        await runner.cleanup()


@dataclass(kw_only=True)
class World:
    """A store, a clock that tests set, and what it takes to publish."""

    store: Store
    http: HttpClient
    folder: Path
    now: Instant = START

    def publisher(self, worker: str = "w1", *, file: Path | None = None, store: Store | None = None) -> Publisher:
        return Publisher(
            store=store or self.store,
            http=self.http,
            clock=lambda: self.now,
            config=PublishConfig(public_url=URL, region="us-east-1", hostname="mail.example", file=file, worker=worker),
        )

    async def topic(self, **changes: Any) -> Topic:
        fields: dict[str, Any] = {"account": ACCOUNT, "name": TOPIC, "created_at": START}
        topic = Topic(**fields | changes)
        await self.store.put(topic)
        return topic

    async def subscribe(self, endpoint: str, name: str = "s1", **changes: Any) -> Subscription:
        fields: dict[str, Any] = {
            "account": ACCOUNT,
            "name": f"{TOPIC}:{name}",
            "topic_arn": TOPIC,
            "protocol": endpoint.partition(":")[0],
            "endpoint": endpoint,
            "token": "7" * 128,
            "created_at": START,
            "confirmed_at": START,
        }
        subscription = Subscription(**fields | changes)
        await self.store.put(subscription)
        return subscription

    async def publish(self, *texts: str, subject: str | None = None) -> None:
        headers = {"Subject": subject} if subject else None
        await self.store.notify(
            [
                NewNotice(
                    kind=NoticeKind.TOPIC,
                    account=ACCOUNT,
                    target=TOPIC,
                    at=self.now,
                    body=text.encode(),
                    headers=headers,
                )
                for text in texts
            ]
        )

    async def pending(self) -> int:
        return (await self.store.health()).notices


@asynccontextmanager
async def open_world(
    folder: Path, *, file_events: bool = False, allow_private: bool = True, ca_file: str | None = None
) -> AsyncIterator[World]:
    """A world on a new database in the folder; a second on the same folder shares it."""
    store = await open_store(f"sqlite:///{folder}/waybill.db", clock=lambda: START, file_events=file_events)
    http = HttpClient(allow_private=allow_private, ca_file=ca_file)
    try:
        yield World(store=store, http=http, folder=folder)
    finally:
        await http.close()
        await store.close()


async def publish_all(publisher: Publisher) -> None:
    """Rounds until nothing is due and nothing is under way."""
    while await publisher.publish_due():
        await publisher.settled()


async def until(condition: Callable[[], bool]) -> None:
    """Waits for what other tasks do; the test's own timeout is ten seconds."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - what is waited for is a plain list of the endpoint
            await asyncio.sleep(0.005)
