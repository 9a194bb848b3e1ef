"""Posting to webhooks: what is refused, what is verified, and that errors are answers."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeAlias

import pytest
import trustme
from aiohttp import web
from aiohttp.abc import ResolveResult

from waybill.net.http_client import HttpAnswer, HttpClient, PrivateAddress, _PublicOnly

Handle: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(handle: Handle | None = None, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """The port of an endpoint that echoes the body, or does what ``handle`` says."""

    async def echo(request: web.Request) -> web.StreamResponse:
        if handle is not None:
            return await handle(request)
        return web.Response(body=await request.read(), headers={"X-Cookie": request.headers.get("Cookie", "")})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", echo)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@asynccontextmanager
async def client(*, allow_private: bool = True, ca_file: str | None = None) -> AsyncIterator[HttpClient]:
    http = HttpClient(allow_private=allow_private, ca_file=ca_file)
    try:
        yield http
    finally:
        await http.close()


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "localhost", "2130706433", "127.1", "0", "0x7f000001"]
)
async def test_loopback_is_refused(host: str) -> None:
    """No way of writing loopback gets through, and the answer says why."""
    asked: list[str] = []

    async def handle(request: web.Request) -> web.Response:
        asked.append(request.host)
        return web.Response()

    async with serving(handle) as port, client(allow_private=False) as http:
        answer = await http.post(f"http://{host}:{port}/", b"x", {}, seconds=5)
        assert (answer.status, asked) == (None, [])
        assert answer.error


async def test_the_checked_addresses_are_the_ones_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a name with a public and a private address only the public one is used; with private ones alone it is refused."""
    resolver = _PublicOnly(allow_private=False)

    def found(*hosts: str) -> Callable[..., Awaitable[list[ResolveResult]]]:
        async def resolve(host: str, port: int, family: socket.AddressFamily) -> list[ResolveResult]:
            return [ResolveResult(hostname=host, host=one, port=port, family=family, proto=0, flags=0) for one in hosts]

        return resolve

    monkeypatch.setattr(resolver._inner, "resolve", found("127.0.0.1", "8.8.8.8"))
    assert [entry["host"] for entry in await resolver.resolve("rebind.example", 80)] == ["8.8.8.8"]
    monkeypatch.setattr(resolver._inner, "resolve", found("10.0.0.1", "::1"))
    with pytest.raises(PrivateAddress, match=r"rebind\.example leads to 10\.0\.0\.1"):
        await resolver.resolve("rebind.example", 80)
    await resolver.close()


async def test_https_needs_a_known_authority(tmp_path: Path) -> None:
    """A certificate of another authority is refused, and taken once its authority is in the file."""
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(tls)
    file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(file)
    async with serving(tls=tls) as port:
        url = f"https://localhost:{port}/"
        async with client() as http:
            refused = await http.post(url, b"x", {}, seconds=5)
        async with client(ca_file=str(file)) as http:
            taken = await http.post(url, b"x", {}, seconds=5)
            by_another_name = await http.post(f"https://127.0.0.1:{port}/", b"x", {}, seconds=5)
    assert (refused.status, taken, by_another_name.status) == (None, HttpAnswer(status=200), None)
    assert "certificate" in (refused.error or "").lower()


async def test_redirects_and_cookies() -> None:
    """A redirect is an answer like any other, and a cookie is not sent back."""
    seen: list[tuple[str, str | None]] = []

    async def handle(request: web.Request) -> web.Response:
        seen.append((request.path, request.headers.get("Cookie")))
        return web.Response(status=307, headers={"Location": "/b", "Set-Cookie": "a=b", "WWW-Authenticate": "Basic"})

    async with serving(handle) as port, client() as http:
        answers = [await http.post(f"http://localhost:{port}/a", b"x", {}, seconds=5) for _ in range(2)]
    assert answers == [HttpAnswer(status=307, challenge="Basic")] * 2
    assert seen == [("/a", None), ("/a", None)]


async def test_time_is_bounded() -> None:
    """An endpoint that does not answer in time has failed."""

    async def handle(request: web.Request) -> web.Response:
        await asyncio.sleep(30)
        return web.Response()

    async with serving(handle) as port, client() as http:
        answer = await http.post(f"http://127.0.0.1:{port}/", b"x", {}, seconds=0.05)
    assert answer == HttpAnswer(status=None, error="no answer in 0.05 s")


async def test_a_long_answer_is_not_read() -> None:
    """The status counts; an endless body does not keep us."""

    async def handle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(b"x" * 65_536)
        except ConnectionError:
            return response

    async with serving(handle) as port, client() as http:
        assert (await http.post(f"http://127.0.0.1:{port}/", b"x", {}, seconds=5)).ok


@pytest.mark.parametrize(
    "raw",
    [b"", b"HTTP/1.1 200", b"\xff\xfe\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000],
)
async def test_an_endpoint_that_speaks_no_http(raw: bytes) -> None:
    """Whatever it writes is an error in words."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(raw)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server, client() as http:
        port = server.sockets[0].getsockname()[1]
        got = await http.post(f"http://127.0.0.1:{port}/", b"x", {}, seconds=5)
    assert got.status is None
    assert got.error


@pytest.mark.parametrize("url", ["http://[::1", "http://h:99999/", "", "ftp://h/", "http://", "http://a b/"])
async def test_urls_that_are_none(url: str) -> None:
    """They are errors in words too."""
    async with client() as http:
        got = await http.post(url, b"x", {}, seconds=5)
    assert got.status is None
    assert got.error


async def test_nobody_listens() -> None:
    """A refused connection is an error in words."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        async with client() as http:
            got = await http.post(f"http://127.0.0.1:{taken.getsockname()[1]}/", b"x", {}, seconds=5)
    assert got.status is None
    assert got.error
