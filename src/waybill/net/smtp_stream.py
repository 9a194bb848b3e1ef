"""The octets of one SMTP connection, seen from the server: lines in, replies out, both bounded.

``patience`` is how many seconds of silence are borne.
"""

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from waybill.model.ip import is_loopback

_HIGH_WATER = 256 * 1024
_LINGER = 30.0  # seconds in which a client may still take the last reply


@dataclass(frozen=True, kw_only=True, slots=True)
class Peer:
    """The client's end of the connection."""

    ip: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether the client is on this machine."""
        return is_loopback(self.ip)


class Disconnected(Exception):  # noqa: N818 - a state
    """The client has gone."""


class SilentTooLong(Exception):  # noqa: N818 - a state
    """The client has said nothing for longer than it may."""


class LineTooLong(Exception):  # noqa: N818 - a state
    """A line longer than allowed came, and was discarded."""


class ServiceEnding(Exception):  # noqa: N818 - a state
    """The server is closing, and the client was between two commands."""


class SmtpStream(asyncio.Protocol):
    """One connection; ``connected`` is called when it stands."""

    def __init__(self, loop: asyncio.AbstractEventLoop, connected: Callable[["SmtpStream"], None]) -> None:
        self.peer = Peer(ip="", port=0)
        self.tls_version: str | None = None
        self._loop = loop
        self._connected = connected
        self._transport: asyncio.Transport | None = None
        self._incoming = bytearray()
        self._replies: list[bytes] = []
        self._ended = False
        self._ending = False
        self._reading_paused = False
        self._input: asyncio.Future[None] | None = None
        self._writable: asyncio.Future[None] | None = None
        self._between_commands = False
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are no subclasses
        name = transport.get_extra_info("peername")
        if isinstance(name, tuple):
            self.peer = Peer(ip=name[0], port=name[1])
        self._connected(self)

    def data_received(self, data: bytes) -> None:
        self._incoming += data
        if len(self._incoming) > _HIGH_WATER and not self._reading_paused:
            self._reading_paused = True
            self._live().pause_reading()
        _resolve(self._input)

    def eof_received(self) -> bool:
        self._ended = True
        _resolve(self._input)
        return self.tls_version is None  # half closed: what came before the end is still answered

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._ended = True
        self._transport = None
        if self._timer is not None:
            self._timer.cancel()
        _resolve(self._input)
        _resolve(self._writable)

    def pause_writing(self) -> None:
        self._writable = self._loop.create_future()

    def resume_writing(self) -> None:
        _resolve(self._writable)
        self._writable = None

    # what a session does

    def say(self, reply: bytes) -> None:
        """Queues a reply; replies leave together when the session waits (RFC 2920 §3.2)."""
        self._replies.append(reply)

    async def line(self, limit: int, patience: float) -> bytes:
        """The next line, its LF included.

        Raises:
            Disconnected, SilentTooLong, ServiceEnding: there is none.
            LineTooLong: it was longer than ``limit`` octets.
        """
        incoming = self._incoming
        searched = 0
        while (end := incoming.find(b"\n", searched)) < 0:
            searched = len(incoming)
            if searched > limit:
                await self._discard_line(patience)
                raise LineTooLong
            self._between_commands = searched == 0
            await self._more(patience)
            self._between_commands = False
        if end >= limit:
            del incoming[: end + 1]
            raise LineTooLong
        line = bytes(incoming[: end + 1])
        del incoming[: end + 1]
        return line

    async def octets(self, patience: float) -> bytes:
        """Whatever came next, at least one octet. Raises: Disconnected, SilentTooLong."""
        while not self._incoming:
            await self._more(patience)
        octets = bytes(self._incoming)
        self._incoming.clear()
        return octets

    def put_back(self, octets: bytes) -> None:
        """Makes these octets the next to be read."""
        self._incoming[:0] = octets

    async def flush(self, patience: float) -> None:
        """Sends the queued replies and waits while the client does not read them. Raises: Disconnected."""
        if self._replies:
            self._live().write(b"".join(self._replies))
            self._replies.clear()
        if self._writable is not None:
            try:
                await asyncio.wait_for(self._writable, patience)
            except TimeoutError:
                self.abort()
                raise Disconnected from None
            self._live()

    async def start_tls(self, context: ssl.SSLContext, patience: float) -> None:
        """Sends the queued replies, forgets what came after the command, and shakes hands (RFC 3207 §4.2).

        Octets that were pipelined behind STARTTLS may have been put there by somebody in between.

        Raises:
            Disconnected: the handshake failed.
        """
        await self.flush(patience)
        self._incoming.clear()
        transport = self._live()
        try:
            upgraded = await self._loop.start_tls(
                transport, self, context, server_side=True, ssl_handshake_timeout=patience
            )
        except OSError as error:  # TLS and connection errors and timeouts are all of this kind
            self._transport = None
            raise Disconnected from error
        if upgraded is None:
            self._transport = None
            raise Disconnected
        self._transport = upgraded
        self._reading_paused = False
        self.tls_version = upgraded.get_extra_info("ssl_object").version()

    def end_service(self) -> None:
        """Interrupts the session when it is between two commands, now or later."""
        self._ending = True
        if self._between_commands:
            _resolve(self._input)

    def close(self) -> None:
        """Sends what is queued and closes."""
        if self._timer is not None:
            self._timer.cancel()
        if self._transport is None:
            return
        if self._replies:
            self._transport.write(b"".join(self._replies))
            self._replies.clear()
        self._transport.close()
        self._timer = self._loop.call_later(_LINGER, self.abort)

    def abort(self) -> None:
        """Drops the connection."""
        if self._transport is not None:
            self._transport.abort()

    def _live(self) -> asyncio.Transport:
        if self._transport is None:
            raise Disconnected
        return self._transport

    async def _discard_line(self, patience: float) -> None:
        while (end := self._incoming.find(b"\n")) < 0:
            self._incoming.clear()
            await self._more(patience)
        del self._incoming[: end + 1]

    async def _more(self, patience: float) -> None:
        """Waits until octets have been added to ``_incoming``, and sends the queued replies first."""
        before = len(self._incoming)
        await self.flush(patience)
        self._deadline = self._loop.time() + patience
        while len(self._incoming) == before:
            if self._ended:
                raise Disconnected
            if self._ending and self._between_commands:
                raise ServiceEnding
            if self._reading_paused:
                self._reading_paused = False
                self._live().resume_reading()
            self._watch_deadline()
            self._input = self._loop.create_future()
            await self._input
            self._input = None

    def _watch_deadline(self) -> None:
        """Sees to it that the timer wakes the session at the deadline; mostly one is set already, and early enough."""
        if self._loop.time() >= self._deadline:
            raise SilentTooLong
        if self._timer is None or self._timer.when() > self._deadline:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_at(self._deadline, self._wake)

    def _wake(self) -> None:
        self._timer = None
        _resolve(self._input)


def _resolve(future: asyncio.Future[None] | None) -> None:
    if future is not None and not future.done():
        future.set_result(None)
