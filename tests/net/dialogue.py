"""A raw SMTP conversation over a socket, octet by octet, and a recording policy for the server under test."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from waybill.net.smtp_server import (
    OK,
    Answer,
    Envelope,
    Peer,
    Policy,
    ReversePath,
    SessionConfig,
    SessionLimits,
    SmtpServer,
)

ENVELOPE = b"MAIL FROM:<a@sender.example>\r\nRCPT TO:<b@b.example>\r\nDATA\r\n"


@dataclass(frozen=True, kw_only=True, slots=True)
class Dialogue:
    """What the client does and sees."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def reply(self) -> str:
        """The next reply, its lines joined by LF; empty at the end of the connection."""
        lines: list[str] = []
        while True:
            line = (await asyncio.wait_for(self.reader.readline(), 10)).decode()
            lines.append(line.removesuffix("\r\n"))
            if line[3:4] != "-":
                return "\n".join(lines)

    async def say(self, octets: bytes, replies: int = 1) -> list[str]:
        """Sends octets; returns so many replies."""
        self.writer.write(octets)
        await self.writer.drain()
        return [await self.reply() for _ in range(replies)]

    async def rest(self) -> str:
        """All that comes until the server closes."""
        return (await asyncio.wait_for(self.reader.read(), 10)).decode()


@dataclass(kw_only=True, slots=True)
class Recorder:
    """A policy that takes all and remembers it."""

    messages: list[tuple[Envelope, bytes]] = field(default_factory=list)
    answer: Answer = OK

    async def authenticate(self, username: str, password: str) -> Answer:
        return Answer(235, "ok") if (username, password) == ("user", "pass") else Answer(535, "no")

    async def mail(self, path: ReversePath) -> Answer:
        return OK

    async def rcpt(self, address: str) -> Answer:
        return Answer(550, "no such user") if address.startswith("nobody@") else OK

    async def message(self, envelope: Envelope, data: bytes) -> Answer:
        self.messages.append((envelope, data))
        return self.answer


def config(
    *, limits: SessionLimits | None = None, authentication: bool = False, tls: ssl.SSLContext | None = None
) -> SessionConfig:
    """A server's settings under test."""
    return SessionConfig(
        hostname="mx.test",
        authentication=authentication,
        clock=lambda: 1_000,
        tls=tls,
        limits=limits or SessionLimits(),
    )


@contextlib.asynccontextmanager
async def serving(
    policy: Policy, settings: SessionConfig | None = None, *, max_connections: int = 1000
) -> AsyncIterator[SmtpServer]:
    """A server on a free port of loopback."""

    def open_policy(peer: Peer) -> Policy:
        return policy

    server = SmtpServer(config=settings or config(), open_policy=open_policy, max_connections=max_connections)
    await server.start()
    try:
        yield server
    finally:
        await server.close(grace=0.2)


@contextlib.asynccontextmanager
async def connected(server_address: tuple[str, int], *, greet: bool = True) -> AsyncIterator[Dialogue]:
    """A connection; greeted and EHLO said, unless told otherwise."""
    reader, writer = await asyncio.open_connection(*server_address)
    dialogue = Dialogue(reader=reader, writer=writer)
    try:
        if greet:
            await dialogue.reply()
            await dialogue.say(b"EHLO client.example\r\n")
        yield dialogue
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def all_gone(server: SmtpServer) -> None:
    """Returns when the server has no connection left."""
    while server._sessions:
        await asyncio.wait(list(server._sessions))
        await asyncio.sleep(0)
