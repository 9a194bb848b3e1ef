"""A receiving SMTP server that does as little as one can: it takes every message, counts it, and forgets it.

Runs as a process of its own. It prints its port; for every line on its standard input it prints its counts as JSON.
With ``--lateness`` also how long messages with a field X-Bench-Sent (seconds since 1970) were on their way.
"""

import asyncio
import json
import sys
import time
from typing import cast

import uvloop

GREETING = b"220 sink.bench.example ESMTP\r\n"
EHLO = b"250-sink.bench.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 52428800\r\n"
REPLIES = {b"MAIL": b"250 2.1.0 Ok\r\n", b"RCPT": b"250 2.1.5 Ok\r\n", b"EHLO": EHLO}
DATA = b"354 Go ahead\r\n"
TAKEN = b"250 2.0.0 Ok: queued\r\n"
END = b"\r\n.\r\n"
LATENESS = "--lateness" in sys.argv


class Counts:
    """What has come: ``signed`` are messages that begin with a DKIM-Signature; times are of the wall clock."""

    def __init__(self) -> None:
        self.messages = 0
        self.signed = 0
        self.octets = 0
        self.connections = 0
        self.first_at = 0.0
        self.last_at = 0.0
        self.late: list[float] = []

    def figures(self) -> dict[str, float]:
        """All of it, as plain numbers."""
        late = sorted(self.late)
        figures = {name: value for name, value in vars(self).items() if name != "late"}
        if late:
            figures |= {
                "late_p50": late[len(late) // 2],
                "late_p99": late[len(late) * 99 // 100],
                "late_most": late[-1],
            }
        return figures

    def add(self, content: bytes) -> None:
        """Counts a message."""
        self.last_at = time.time()
        self.first_at = self.first_at or self.last_at
        self.messages += 1
        self.signed += content.startswith(b"DKIM-Signature:")
        self.octets += len(content)
        if LATENESS:
            _, found, rest = content.partition(b"\r\nX-Bench-Sent: ")
            if found:
                self.late.append(self.last_at - float(rest[: rest.index(b"\r")]))


class Sink(asyncio.Protocol):
    """One connection."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._pending = b""
        self._in_content = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(GREETING)
        self._counts.connections += 1

    def data_received(self, data: bytes) -> None:
        self._pending += data
        replies: list[bytes] = []
        while self._content(replies) if self._in_content else self._command(replies):
            pass
        if replies and self._transport is not None:
            self._transport.write(b"".join(replies))

    def _content(self, replies: list[bytes]) -> bool:
        content, end, rest = self._pending.partition(END)
        if not end:
            return False
        self._counts.add(content)
        self._pending, self._in_content = rest, False
        replies.append(TAKEN)
        return True

    def _command(self, replies: list[bytes]) -> bool:
        line, end, rest = self._pending.partition(b"\r\n")
        if not end:
            return False
        self._pending = rest
        verb = line[:4].upper()
        if verb == b"QUIT":
            replies.append(b"221 2.0.0 Bye\r\n")
            if self._transport is not None:
                self._transport.write(b"".join(replies))
                self._transport.close()
            replies.clear()
            return False
        self._in_content = verb == b"DATA"
        replies.append(DATA if self._in_content else REPLIES.get(verb, b"250 2.0.0 Ok\r\n"))
        return True


async def _main() -> None:
    counts = Counts()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Sink(counts), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    lines = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while await lines.readline():
        print(json.dumps(counts.figures()), flush=True)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_main())
