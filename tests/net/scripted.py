"""An SMTP server for tests that says exactly what it is told to, octet by octet, and keeps what it hears."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

HANG = b"<hang>"
DROP = b"<drop>"
WAIT = b"<wait>"
USUAL = {
    "CONNECT": b"220 mx.test ESMTP\r\n",
    "EHLO": b"250-mx.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 1000000\r\n",
    "HELO": b"250 mx.test\r\n",
    "MAIL": b"250 2.1.0 ok\r\n",
    "RCPT": b"250 2.1.5 ok\r\n",
    "DATA": b"354 go on\r\n",
    "MESSAGE": b"250 2.0.0 taken\r\n",
    "CHUNK": b"250 2.0.0 so far\r\n",
    "RSET": b"250 2.0.0 ok\r\n",
    "QUIT": b"221 2.0.0 bye\r\n",
    "STARTTLS": b"220 go on\r\n",
}


@dataclass(kw_only=True)
class Scripted:
    """``says`` maps a verb (or CONNECT, MESSAGE, CHUNK) to its answers in turn, the last one for ever. An answer may be
    in pieces (a list), HANG or DROP; an answer that ends in DROP is said before the connection is closed. WAIT is a
    piece that says nothing until ``go`` is set. Who says something to BDAT does not know it, and reads no chunk."""

    says: dict[str, Sequence[bytes | list[bytes]]] = field(default_factory=dict)
    context: ssl.SSLContext | None = None
    port: int = 0
    heard: list[str] = field(default_factory=list)
    contents: list[bytes] = field(default_factory=list)
    connections: int = 0
    open_now: int = 0
    most_open: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    go: asyncio.Event = field(default_factory=asyncio.Event)
    _turns: dict[str, int] = field(default_factory=dict)

    async def until(self, reached: Callable[[], bool]) -> None:
        """Waits for what the server has heard or whom it has lost."""
        while not reached():
            self.changed.clear()
            await self.changed.wait()

    def _answer(self, verb: str) -> bytes | list[bytes]:
        answers = self.says.get(verb) or [USUAL.get(verb, b"500 5.5.2 what\r\n")]
        turn = self._turns.get(verb, 0)
        self._turns[verb] = turn + 1
        return answers[min(turn, len(answers) - 1)]

    async def _say(self, writer: asyncio.StreamWriter, verb: str) -> bytes:
        answer = self._answer(verb)
        pieces = answer if isinstance(answer, list) else [answer]
        for piece in pieces:
            if piece == HANG:
                await asyncio.sleep(3600)
            if piece == WAIT:
                await self.go.wait()
                continue
            writer.write(piece.removesuffix(DROP))
            await writer.drain()
            if piece.endswith(DROP):
                raise ConnectionError
            if len(pieces) > 1:
                await asyncio.sleep(0.001)
        return b"".join(pieces)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open_now += 1
        self.most_open = max(self.most_open, self.open_now)
        try:
            await self._converse(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            self.open_now -= 1
            self.changed.set()
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._say(writer, "CONNECT")
        chunks = b""
        while line := (await reader.readuntil(b"\r\n")).decode().rstrip("\r\n"):
            self.heard.append(line)
            verb, *words = line.upper().split(" ")
            if verb == "BDAT" and "BDAT" not in self.says:
                chunks += await reader.readexactly(int(words[0]))
                if words[1:] == ["LAST"]:
                    self.contents.append(chunks)
                    chunks = b""
                self.changed.set()
                await self._say(writer, "CHUNK" if chunks else "MESSAGE")
                continue
            said = await self._say(writer, verb)
            if verb == "DATA" and said.startswith(b"354"):
                self.contents.append(await _read_content(reader))
                self.changed.set()
                await self._say(writer, "MESSAGE")
            elif verb == "STARTTLS" and said.startswith(b"220"):
                assert self.context is not None
                await writer.start_tls(self.context)
            elif verb == "QUIT":
                return


async def _read_content(reader: asyncio.StreamReader) -> bytes:
    """RFC 5321 §4.5.2 as a receiver applies it, written the slow and obvious way."""
    lines: list[bytes] = []
    while (line := await reader.readuntil(b"\r\n")) != b".\r\n":
        lines.append(line[1:] if line.startswith(b".") else line)
    return b"".join(lines)


@asynccontextmanager
async def scripted(
    context: ssl.SSLContext | None = None,
    says: Mapping[str, Sequence[bytes | list[bytes]]] | None = None,
    *,
    implicit: bool = False,
    narrow: bool = False,
    at: tuple[str, int] = ("127.0.0.1", 0),
    **more: bytes | Sequence[bytes | list[bytes]],
) -> AsyncIterator[Scripted]:
    """The server, listening on loopback: ``scripted(RCPT=b"550 no\\r\\n")``. A ``narrow`` one takes little at a time."""
    answers = {verb: [words] if isinstance(words, bytes) else words for verb, words in more.items()}
    play = Scripted(says={**answers, **(says or {})}, context=context)
    tasks: set[asyncio.Task[None]] = set()
    writers: list[asyncio.StreamWriter] = []

    def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        task = asyncio.ensure_future(play.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    listening = socket.create_server(at)
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # asyncio forgets those that it did not make
    if narrow:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    limit = 20_000 if narrow else 8_000_000
    server = await asyncio.start_server(meet, sock=listening, limit=limit, ssl=context if implicit else None)
    play.port = server.sockets[0].getsockname()[1]
    try:
        yield play
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for writer in writers:
            writer.transport.abort()
        await server.wait_closed()
        await asyncio.sleep(0)
