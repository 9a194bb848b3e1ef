"""One connection of a scripted receiver: lines and message content in, replies out, TLS in between."""

import asyncio
import contextlib
import ssl

LINE_LIMIT = 8_192
_END = b"\r\n.\r\n"


class Hangup(Exception):  # noqa: N818 - it ends a conversation, nothing is wrong
    """The connection is over: the peer closed it, the script says so, or the peer breaks a limit."""


class Wire:
    """Reads and writes on one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._buffer = bytearray()
        self.encrypted = False
        self.peer = str(writer.get_extra_info("peername")[0])

    async def line(self) -> str:
        """The next line, without its end.

        Raises:
            Hangup: the peer has closed the connection, or sends a line without end.
        """
        while (end := self._buffer.find(b"\n")) < 0:
            if len(self._buffer) > LINE_LIMIT:
                raise Hangup
            await self._more()
        line = bytes(self._buffer[:end]).rstrip(b"\r")
        del self._buffer[: end + 1]
        return line.decode("utf-8", "replace")

    async def content(self, limit: int) -> bytes:
        """The message up to CRLF.CRLF, with the dots taken off again (RFC 5321 §4.5.2).

        Raises:
            Hangup: the peer has closed the connection, or sends more than ``limit`` octets.
        """
        while self._buffer[:3] != b".\r\n":
            seen = max(0, len(self._buffer) - len(_END))
            if len(self._buffer) < 3:
                await self._more()
                continue
            end = self._buffer.find(_END)
            while end < 0:
                if len(self._buffer) > limit:
                    raise Hangup
                await self._more()
                end = self._buffer.find(_END, seen)
                seen = max(0, len(self._buffer) - len(_END))
            content = bytes(self._buffer[: end + 2])
            del self._buffer[: end + len(_END)]
            if content.startswith(b"."):
                content = content[1:]
            return content.replace(b"\r\n.", b"\r\n")
        del self._buffer[:3]
        return b""

    async def octets(self, count: int) -> bytes:
        """So many octets, whatever they are (RFC 3030).

        Raises:
            Hangup: the peer has closed the connection.
        """
        while len(self._buffer) < count:
            await self._more()
        octets = bytes(self._buffer[:count])
        del self._buffer[:count]
        return octets

    async def say(self, reply: str) -> None:
        """Send a reply, each of its lines ended by CRLF."""
        self._writer.write("".join(f"{line}\r\n" for line in reply.split("\n")).encode())
        await self._writer.drain()

    async def start_tls(self, context: ssl.SSLContext) -> None:
        """Begin TLS; what was pipelined behind STARTTLS is thrown away (RFC 3207 §6).

        Raises:
            Hangup: the peer does not complete the handshake.
        """
        self._buffer.clear()
        try:
            await self._writer.start_tls(context)
        except (ssl.SSLError, ConnectionError, TimeoutError) as error:
            raise Hangup from error
        self.encrypted = True

    async def close(self) -> None:
        """Close the connection, whatever state it is in."""
        self._writer.close()
        with contextlib.suppress(ConnectionError, ssl.SSLError, TimeoutError, asyncio.CancelledError):
            await asyncio.wait_for(self._writer.wait_closed(), timeout=1)

    async def _more(self) -> None:
        data = await self._reader.read(65_536)
        if not data:
            raise Hangup
        self._buffer += data
