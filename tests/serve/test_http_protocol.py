"""Clients that dawdle over the header section, or never end it."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn

from waybill.serve import http_protocol
from waybill.serve.doors import QuietServer
from waybill.serve.http_protocol import HEAD_OCTETS, BoundedHead


async def app(_scope: Any, receive: Any, send: Any) -> None:
    """Answers once the body is whole."""
    while (await receive()).get("more_body"):
        continue
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection to a server with the protocol."""
    server = QuietServer(uvicorn.Config(app, http=BoundedHead, ws="none", lifespan="off", log_level="critical"))
    with socket.create_server(("127.0.0.1", 0)) as sock:
        serving = asyncio.create_task(server.serve(sockets=[sock]))
        reader, writer = await asyncio.open_connection(*sock.getsockname())
        try:
            async with asyncio.timeout(10):
                yield reader, writer
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
            server.should_exit = True
            await serving


@pytest.mark.parametrize("begun", [b"", b"POST / HTTP/1.1\r\nHost: x\r\nX-Slow: "])
async def test_a_head_that_does_not_end_in_time(monkeypatch: pytest.MonkeyPatch, begun: bytes) -> None:
    """The connection is closed, also where nothing came at all."""
    monkeypatch.setattr(http_protocol, "HEAD_SECONDS", 0.05)
    async with connected() as (reader, writer):
        writer.write(begun)
        assert b"" == await reader.read()


async def test_a_second_request_is_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock runs from its first octet; a body may take its time."""
    async with connected() as (reader, writer):
        monkeypatch.setattr(http_protocol, "HEAD_SECONDS", 0.05)
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n")
        await asyncio.sleep(0.1)
        writer.write(b"x")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 204")
        writer.write(b"GET / HT")
        assert b"" == await reader.read()


async def test_an_endless_head() -> None:
    """431, and nothing of it is kept."""
    async with connected() as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nX-Long: ")
        with contextlib.suppress(ConnectionError):
            for _ in range(HEAD_OCTETS // 8_192 + 2):
                writer.write(b"x" * 8_192)
                await writer.drain()
        with contextlib.suppress(ConnectionError):
            assert (await reader.read()).startswith(b"HTTP/1.1 431")
