"""A policy host for tests: an HTTPS server on loopback that answers octet for octet what it is told to."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.net.certificates import Issued

POLICY = "version: STSv1\r\nmode: enforce\r\nmx: mx.b.test\r\nmax_age: 604800\r\n"


def page(body: str | bytes, status: str = "200 OK", kind: str = "text/plain", more: str = "") -> bytes:
    octets = body.encode() if isinstance(body, str) else body
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(octets)}\r\n{more}\r\n"
    return head.encode() + octets


@dataclass(kw_only=True)
class PolicyHost:
    """``answer`` None: it never answers. ``asked`` are the requests it got."""

    answer: bytes | None = page(POLICY)
    port: int = 0
    asked: list[str] = field(default_factory=list)
    knocked: asyncio.Event = field(default_factory=asyncio.Event)

    def publish(self, policy: str) -> None:
        self.answer = page(policy)


@asynccontextmanager
async def policy_host(certificate: Issued) -> AsyncIterator[PolicyHost]:
    """The host, listening; it shows the certificate to everybody."""
    host = PolicyHost()
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            lines = head.split("\r\n")
            named = next(line for line in lines if line.lower().startswith("host:")).partition(":")[2]
            host.asked.append(f"{lines[0]} {named.strip().partition(':')[0]}")
            host.knocked.set()
            if host.answer is None:
                await asyncio.sleep(3600)
                return
            writer.write(host.answer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            writer.close()

    def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(meet, "127.0.0.1", 0, ssl=certificate.context())
    host.port = server.sockets[0].getsockname()[1]
    try:
        yield host
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()
        await asyncio.sleep(0)
