"""A receiver in a thread of its own that counts what it takes, and lets its 250 wait a moment after it has taken it."""

import asyncio
import random
import threading
from collections import Counter
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from waybill.lab.dns import LabDns

T = TypeVar("T")


class Sink:
    """Where it listens, and how often it took a message for each recipient. While it is ``busy`` it takes none."""

    def __init__(self, domains: Sequence[str], address: str, *, seed: int, longest_wait: float) -> None:
        self.taken: Counter[str] = Counter()
        self.busy = False
        self._rng = random.Random(seed)
        self._longest_wait = longest_wait
        self._zones = {domain: ["MX 10 mx." + domain] for domain in domains}
        self._zones |= {"mx." + domain: [f"A {address}"] for domain in domains}
        self._address = address
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="sink")
        self._thread.start()
        self._dns = LabDns(self._zones)
        self._server = self._run(self._start())

    @property
    def dns(self) -> str:
        """Where its DNS server listens, or listened."""
        return self._dns.address

    @property
    def port(self) -> int:
        """Where the receiver listens."""
        return int(self._server.sockets[0].getsockname()[1])

    def end_dns(self) -> None:
        """Nobody answers any more."""
        self._run(self._dns.close())

    def resume_dns(self) -> None:
        """Answers come from the same port again."""
        self._dns = LabDns(self._zones, port=int(self._dns.address.rpartition(":")[2]))
        self._run(self._dns.start())

    def end_smtp(self) -> None:
        """Nobody listens any more."""
        self._port = self.port
        self._run(self._stop_listening())

    def resume_smtp(self) -> None:
        """The receiver is there again, at the same port."""
        self._server = self._run(self._listen(self._port))

    def close(self) -> None:
        """Hangs up on everybody."""
        self._run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _start(self) -> asyncio.Server:
        await self._dns.start()
        return await self._listen(0)

    async def _listen(self, port: int) -> asyncio.Server:
        return await asyncio.start_server(self._meet, self._address, port)

    async def _stop_listening(self) -> None:
        self._server.close()

    async def _stop(self) -> None:
        self._server.close()
        await self._dns.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._converse(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client was killed
        finally:
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        recipients: list[str] = []
        writer.write(b"220 sink ESMTP\r\n")
        while line := await reader.readline():
            verb = line[:4].upper()
            if verb == b"RCPT":
                recipients.append(line.partition(b"<")[2].partition(b">")[0].decode())
            if verb == b"RCPT" and self.busy:
                recipients.clear()
                writer.write(b"451 4.3.2 System not accepting network messages\r\n")
                continue
            if verb == b"DATA":
                writer.write(b"354 go on\r\n")
                await reader.readuntil(b"\r\n.\r\n")
                self.taken.update(recipients)
                recipients = []
                await asyncio.sleep(self._rng.uniform(0, self._longest_wait))
            writer.write(b"250 2.0.0 Ok\r\n")


@contextmanager
def counting(*domains: str, address: str = "127.0.0.1", seed: int = 0, longest_wait: float = 0.0) -> Iterator[Sink]:
    """The receiver of these domains and their DNS, up for as long as the block runs."""
    sink = Sink(domains, address, seed=seed, longest_wait=longest_wait)
    try:
        yield sink
    finally:
        sink.close()
