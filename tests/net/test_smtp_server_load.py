"""Many clients, large messages, and the other event loop."""

import asyncio
import tracemalloc

import uvloop

from tests.net.dialogue import ENVELOPE, Recorder, connected, serving
from waybill.net.smtp_server import Answer, Envelope

MEGABYTE = 1024 * 1024


async def test_two_hundred_at_once() -> None:
    """Each of 200 open connections gets its message through."""
    recorder = Recorder()

    async def send_one(number: int) -> str:
        async with connected(server.address) as client:
            await barrier.wait()
            return (await client.say(ENVELOPE + b"%d\r\n.\r\n" % number, 4))[3]

    barrier = asyncio.Barrier(200)
    async with serving(recorder) as server:
        assert await asyncio.gather(*(send_one(number) for number in range(200))) == ["250 Ok"] * 200
    assert sorted(int(data) for _, data in recorder.messages) == list(range(200))


async def send_large(address: tuple[str, int], megabytes: int) -> str:
    """One message of so many megabytes, sent as fast as it is taken; the reply."""
    block = (b"x" * 998 + b"\r\n") * 64
    async with connected(address) as client:
        await client.say(ENVELOPE, 3)
        for _ in range(megabytes * MEGABYTE // len(block) + 1):
            client.writer.write(block)
            await client.writer.drain()
        return (await client.say(b".\r\n"))[0]


async def test_a_message_over_the_limit_costs_no_memory() -> None:
    """41 MB are read to their end and refused, in less than 4 MB of memory."""
    async with serving(Recorder()) as server:
        tracemalloc.start()
        try:
            assert await send_large(server.address, 41) == "552 Message is too long."
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 4 * MEGABYTE


async def test_a_large_message_waits_in_a_file() -> None:
    """8 MB arrive whole; until their end they are not in memory."""
    peaks = []

    class Weigher(Recorder):
        async def message(self, envelope: Envelope, data: bytes) -> Answer:
            peaks.append(tracemalloc.get_traced_memory()[1] - len(data))
            return Answer(250, str(len(data)))

    async with serving(Weigher()) as server:
        tracemalloc.start()
        try:
            assert await send_large(server.address, 8) == "250 8448000"
        finally:
            tracemalloc.stop()
    assert peaks[0] < 4 * MEGABYTE


def test_uvloop_serves_as_well() -> None:
    """A conversation on the other event loop, pipelined, with a large message and an end by the server."""

    async def converse() -> str:
        async with serving(recorder) as server, connected(server.address) as client:
            await client.say(ENVELOPE + b"one\r\n.\r\n" + ENVELOPE + b"two\r\n.\r\n", 8)
            await server.close(grace=5)
            return await client.rest()

    recorder = Recorder()
    assert uvloop.run(converse()) == "421 mx.test Service closing transmission channel\r\n"
    assert [data for _, data in recorder.messages] == [b"one\r\n", b"two\r\n"]


async def test_large_messages_take_turns() -> None:
    """However many end at once, only a few are in memory."""
    now: list[int] = []
    most: list[int] = []

    class Slow(Recorder):
        async def message(self, envelope: Envelope, data: bytes) -> Answer:
            now.append(len(data))
            most.append(len(now))
            await asyncio.sleep(0.01)
            now.pop()
            return Answer(250, "Ok")

    async with serving(Slow()) as server:
        replies = await asyncio.gather(*(send_large(server.address, 2) for _ in range(6)))
    assert ["250 Ok"] * 6 == replies
    assert 2 == max(most)
