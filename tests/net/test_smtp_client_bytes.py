"""No octet of a message is altered on its way, whatever it is, however it is sent, and however slowly it is taken."""

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.net.dialogue import Recorder, serving
from tests.net.scripted import WAIT, scripted
from tests.net.sending import ENVELOPE, OLD, client, deliver, target
from waybill.lab.receiver import Receiver
from waybill.lab.script import Offers, Script
from waybill.net.smtp_client import SmtpConnection
from waybill.net.smtp_target import Target, TlsMode

CHUNKING = b"250-mx.test\r\n250-PIPELINING\r\n250 CHUNKING\r\n"
_PIECES = st.one_of(
    st.sampled_from([b".", b"..", b"\r\n", b".\r\n", b"\r\n.\r\n", b"\n.\n", b"\r.\r", b"\r", b"\n", b"\0", b"\xff"]),
    st.sampled_from([b"x" * 999, b"." * 1_500 + b"\r\n", b"\xc3\xbc" * 2_000, b"BDAT 5 LAST\r\n", b"QUIT\r\n"]),
    st.binary(max_size=40),
)
ANYTHING = st.lists(_PIECES, max_size=12).map(lambda pieces: b"".join(pieces) + b"\r\n")
LINES = st.lists(_PIECES.map(lambda piece: piece.translate(None, b"\r\n\0") + b"\r\n"), min_size=1, max_size=12)


async def send(port: int, contents: list[bytes]) -> None:
    """Sends them all over one connection."""
    there = Target(host="mx.test", ip="127.0.0.1", port=port, tls=TlsMode.CLEAR)
    connection = await SmtpConnection.open(there, settings=client(), transcript=[])
    for content in contents:
        await connection.send(replace(ENVELOPE, content=content))
    await connection.quit()


@pytest.mark.parametrize("chunking", [False, True])
@settings(max_examples=30, deadline=None)
@given(contents=st.lists(ANYTHING, min_size=1, max_size=4))
def test_any_octets_arrive_as_they_were_sent(chunking: bool, contents: list[bytes]) -> None:
    """By DATA and by BDAT: dots, bare CR and LF, NUL, eight bits, long lines, and what looks like a command."""

    async def run() -> list[bytes]:
        async with Receiver(Script(name="mx.test", offers=Offers(chunking=chunking))) as mx:
            await send(mx.port, contents)
        return [message.content for message in mx.received]

    assert contents == asyncio.run(run())


@settings(max_examples=30, deadline=None)
@given(messages=st.lists(LINES, min_size=1, max_size=4))
def test_whole_lines_arrive_at_a_strict_server(messages: list[list[bytes]]) -> None:
    """Our own server, which repairs bare CR, LF and NUL, finds nothing to repair, and no end but the true one."""
    contents = [b"".join(lines) for lines in messages]
    recorder = Recorder()

    async def run() -> None:
        async with serving(recorder) as server:
            await send(server.address[1], contents)

    asyncio.run(run())
    assert contents == [data for _, data in recorder.messages]


@pytest.mark.parametrize("ehlo", [OLD, CHUNKING])
async def test_octets_arrive_where_little_is_taken_at_a_time(ehlo: bytes) -> None:
    """Megabytes of dots to a server with small buffers; what waits in ours is not altered while it waits."""
    line = b"." * 990 + b"\xff\x00.\r\n"
    content = line * 5_000 + b".\r\n" * 100_000
    async with scripted(EHLO=ehlo, narrow=True) as server:
        await deliver(server, replace(ENVELOPE, content=content), times=2)
    assert server.contents == [content, content]


async def test_a_server_that_pauses() -> None:
    """The client stops writing while the server does not read, and goes on when it does."""
    content = (b".dots" * 190 + b"\r\n") * 9_000
    async with scripted(EHLO=OLD, DATA=[[b"354 go\r\n", WAIT]], narrow=True) as server:
        sending = asyncio.ensure_future(deliver(server, replace(ENVELOPE, content=content)))
        done, _ = await asyncio.wait([sending], timeout=0.2)
        assert not done
        server.go.set()
        await sending
    assert server.contents == [content]


@pytest.mark.parametrize("place", range(len(b"250-2.0.0 a\r\n250 2.0.0 b\r\n") + 1))
async def test_a_reply_in_two_packets(place: int) -> None:
    """Wherever the cut is, the reply is the same."""
    reply = b"250-2.0.0 a\r\n250 2.0.0 b\r\n"
    async with scripted(MESSAGE=[[reply[:place], reply[place:]]]) as server:
        connection = await SmtpConnection.open(target(server), settings=client(), transcript=[])
        assert (await connection.send(ENVELOPE)).lines == ("2.0.0 a", "2.0.0 b")
        assert connection.usable
        await connection.quit()
