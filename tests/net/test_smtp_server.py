"""Conversations with the SMTP server over real sockets."""

import asyncio
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.net.dialogue import ENVELOPE, Recorder, all_gone, config, connected, serving
from waybill.net.smtp_server import Answer, SessionLimits


async def test_a_whole_conversation() -> None:
    """Greeting to QUIT, reply by reply, and the message as it was sent."""
    recorder = Recorder(answer=Answer(250, "Ok 0100"))
    async with serving(recorder) as server, connected(server.address, greet=False) as client:
        assert await client.reply() == "220 mx.test ESMTP Waybill"
        ehlo = await client.say(b"EHLO client.example\r\n")
        assert ehlo == ["250-mx.test\n250-8BITMIME\n250-SIZE 41943040\n250-PIPELINING\n250 Ok"]
        assert await client.say(b"MAIL FROM:<a@sender.example> BODY=8BITMIME SIZE=12\r\n") == ["250 Ok"]
        assert await client.say(b"RCPT TO:<nobody@b.example>\r\n") == ["550 no such user"]
        assert await client.say(b"RCPT TO:<b@b.example>\r\n") == ["250 Ok"]
        assert await client.say(b"DATA\r\n") == ["354 End data with <CR><LF>.<CR><LF>"]
        assert await client.say(b"S: x\r\n\r\n..\r\n.\r\n") == ["250 Ok 0100"]
        assert await client.say(b"QUIT\r\n") == ["221 Bye"]
        assert await client.rest() == ""
    [(envelope, data)] = recorder.messages
    assert data == b"S: x\r\n\r\n.\r\n"
    assert (envelope.sender, envelope.recipients) == ("a@sender.example", ("b@b.example",))
    assert (envelope.hello, envelope.tls, envelope.peer.ip) == ("client.example", None, "127.0.0.1")
    assert (envelope.started_at, envelope.received_at) == (1_000, 1_000)


async def test_everything_in_one_packet() -> None:
    """Pipelining (RFC 2920): two messages and QUIT at once, each command answered in its turn; a half-closed client too."""
    recorder = Recorder()
    async with serving(recorder) as server, connected(server.address) as client:
        client.writer.write(ENVELOPE + b"one\r\n.\r\n" + ENVELOPE + b"two\r\n.\r\nQUIT\r\n")
        client.writer.write_eof()
        codes = [line[:3] for line in (await client.rest()).splitlines()]
    assert codes == ["250", "250", "354", "250"] * 2 + ["221"]
    assert [data for _, data in recorder.messages] == [b"one\r\n", b"two\r\n"]


@pytest.mark.parametrize(
    ("sent", "replies"),
    [
        (b"FROB\r\n", ["500 Error: command not recognized"]),
        (b"\r\n", ["500 Error: command not recognized"]),
        (b"RCPT TO:<b@b.example>\r\n", ["503 Error: need MAIL command"]),
        (b"DATA\r\n", ["503 Error: need MAIL command"]),
        (b"MAIL FROM:<a@b.example>\r\nMAIL FROM:<a@b.example>\r\n", ["250 Ok", "503 Error: nested MAIL command"]),
        (b"MAIL FROM:<a@b.example>\r\nDATA\r\n", ["250 Ok", "554 Error: no valid recipients"]),
        (b"MAIL FROM:<a@b.example>\r\nRSET\r\nDATA\r\n", ["250 Ok", "250 Ok", "503 Error: need MAIL command"]),
        (b"MAIL FROM:<a@b.example>\r\nEHLO x\r\nDATA\r\n", ["250 Ok", "250-", "503 Error: need MAIL command"]),
        (b"MAIL FROM:<a@b.example> SIZE=41943041\r\n", ["552 Message is too long."]),
        (b"EHLO\r\n", ["501 Syntax error: EHLO hostname"]),
        (b"HELO x\r\n", ["250 mx.test"]),
        (b"VRFY b\r\nNOOP\r\n", ["252 Cannot verify; send a message and see", "250 Ok"]),
        (b"STARTTLS\r\n", ["502 Error: TLS is not set up on this server"]),
        (b"AUTH PLAIN AHVzZXIAcGFzcw==\r\n", ["502 Error: AUTH is not offered"]),
        (b"QUIT\n", ["500 Syntax error: a line ends with <CR><LF> (RFC 5321 section 2.3.8)"]),
        (b"GET / HTTP/1.1\r\nHost: x\r\n", ["421 Error: this is an SMTP server", ""]),
        (b"NOOP " + b"x" * 9000 + b"\r\nNOOP\r\n", ["500 Line too long", "250 Ok"]),
        (b"NOOP " + b"x" * 4090 + b"\r\nNOOP\r\n", ["500 Line too long", "250 Ok"]),
    ],
)
async def test_commands_out_of_order_and_out_of_form(sent: bytes, replies: list[str]) -> None:
    """Each gets its own error, and the conversation goes on."""
    recorder = Recorder()
    async with serving(recorder) as server, connected(server.address) as client:
        given = await client.say(sent, len(replies))
        assert [
            reply if not expected.endswith("-") else reply[:4] for reply, expected in zip(given, replies, strict=True)
        ] == replies
    assert recorder.messages == []


SMUGGLED = b"MAIL FROM:<evil@sender.example>\r\nRCPT TO:<b@b.example>\r\nDATA\r\nsmuggled\r\n.\r\n"


@pytest.mark.parametrize(
    "end",
    [
        b"\n.\n",
        b"\n.\r\n",
        b"\r.\r",
        b"\r\n.\r",
        b"\r\n.\n",
        b"\r.\r\n",
        b"\n.\r",
        b"\r\n\0.\r\n",
        b"\r\n.\0\r\n",
        b"\r\n.\r\r\n",
        b"\0.\r\n",
    ],
)
async def test_no_other_sequence_ends_a_message(end: bytes) -> None:
    """SMTP smuggling: what looks like two messages to a lax server is one message here, without bare CR, bare LF or NUL."""
    recorder = Recorder()
    async with serving(recorder) as server, connected(server.address) as client:
        assert [reply[:3] for reply in await client.say(ENVELOPE, 3)] == ["250", "250", "354"]
        [answer] = await client.say(b"first" + end + SMUGGLED)
        assert answer == "250 Ok"
        assert await client.say(b"NOOP\r\n") == ["250 Ok"]
    [(_, content)] = recorder.messages
    assert re.search(rb"\0|\r(?!\n)|(?<!\r)\n", content) is None
    assert content.startswith(b"first")
    assert content.endswith(b"\r\nsmuggled\r\n")


async def test_a_message_cut_off_is_no_message() -> None:
    """The client vanishes inside DATA: nothing is taken."""
    recorder = Recorder()
    async with serving(recorder) as server:
        async with connected(server.address) as client:
            await client.say(ENVELOPE + b"half\r\n", 3)
        await all_gone(server)
    assert recorder.messages == []


async def test_a_message_over_the_limit_is_read_and_refused() -> None:
    """552 after the end, and the next message passes."""
    recorder = Recorder()
    limits = SessionLimits(max_size=1_000)
    async with serving(recorder, config(limits=limits)) as server, connected(server.address) as client:
        await client.say(ENVELOPE, 3)
        assert await client.say(b"x" * 998 + b"\r\nx\r\n.\r\n") == ["552 Message is too long."]
        assert (await client.say(ENVELOPE + b"x" * 998 + b"\r\n.\r\n", 4))[3] == "250 Ok"
    assert len(recorder.messages) == 1


async def test_limits_end_a_connection() -> None:
    """Too many errors, too many idle commands, too many recipients."""
    limits = SessionLimits(max_errors=3, max_idle_commands=6, max_recipients=1)
    async with serving(Recorder(), config(limits=limits)) as server:
        async with connected(server.address) as client:
            assert (await client.say(b"X\r\n" * 3, 4))[3] == "421 Too many errors on this connection"
            assert await client.rest() == ""
        async with connected(server.address) as client:
            replies = await client.say(b"NOOP\r\n" * 6, 6)
            assert replies[5] == "421 Too many commands without a message"
        async with connected(server.address) as client:
            replies = await client.say(b"MAIL FROM:<>\r\nRCPT TO:<b@b.example>\r\nRCPT TO:<c@b.example>\r\n", 3)
            assert replies[2] == "452 Too many recipients"


async def test_too_many_recipients_do_not_end_a_connection() -> None:
    """RFC 5321 §4.5.3.1.10: those that were taken get the message, the client sends the rest in another transaction."""
    limits = SessionLimits(max_errors=3, max_recipients=1)
    async with serving(Recorder(), config(limits=limits)) as server, connected(server.address) as client:
        replies = await client.say(b"MAIL FROM:<>\r\n" + b"RCPT TO:<b@b.example>\r\n" * 6 + b"DATA\r\n", 8)
    assert ["452 Too many recipients"] * 5 == replies[2:7]
    assert replies[7].startswith("354 ")


async def test_silence_ends_a_connection() -> None:
    """Between commands and inside DATA; the reply is SES's."""
    limits = SessionLimits(command_timeout=0.05, data_timeout=0.05)
    async with serving(Recorder(), config(limits=limits)) as server:
        async with connected(server.address) as client:
            assert await client.rest() == "451 Timeout waiting for data from client\r\n"
        async with connected(server.address) as client:
            await client.say(ENVELOPE + b"half", 3)
            assert await client.rest() == "451 Timeout waiting for data from client\r\n"


async def test_too_many_connections_at_once() -> None:
    """The one too many is told so; when one leaves, the next is served."""
    async with serving(Recorder(), max_connections=2) as server:
        async with (
            connected(server.address),
            connected(server.address),
            connected(server.address, greet=False) as third,
        ):
            assert await third.rest() == "421 Too many concurrent SMTP connections\r\n"
        await all_gone(server)
        async with connected(server.address, greet=False) as client:
            assert (await client.reply())[:3] == "220"


async def test_closing_lets_a_message_finish() -> None:
    """A client between commands gets 421 at once; one inside DATA gets its answer first."""
    recorder = Recorder()
    async with serving(recorder) as server, connected(server.address) as idle, connected(server.address) as busy:
        await busy.say(ENVELOPE + b"half", 3)
        closing = asyncio.create_task(server.close(grace=5))
        assert await idle.rest() == "421 mx.test Service closing transmission channel\r\n"
        assert await busy.say(b" whole\r\n.\r\n", 2) == [
            "250 Ok",
            "421 mx.test Service closing transmission channel",
        ]
        await closing
    assert [data for _, data in recorder.messages] == [b"half whole\r\n"]


async def test_a_policy_that_fails_is_a_temporary_failure(caplog: pytest.LogCaptureFixture) -> None:
    """Whatever goes wrong behind the door, the client may try again, and the log tells."""

    class Broken(Recorder):
        async def message(self, envelope: object, data: bytes) -> Answer:
            raise RuntimeError("out of order")

    async with serving(Broken()) as server, connected(server.address) as client:
        assert (await client.say(ENVELOPE + b"x\r\n.\r\n", 4))[3] == "451 Temporary service failure"
        assert await client.say(b"NOOP\r\n") == ["250 Ok"]
    assert "out of order" in caplog.text


async def test_a_reply_stays_one_line_of_ascii() -> None:
    """What a policy quotes cannot become a second reply."""
    recorder = Recorder(answer=Answer(554, "said\r\n250 Ok ü"))
    async with serving(recorder) as server, connected(server.address) as client:
        assert (await client.say(ENVELOPE + b"x\r\n.\r\n", 4))[3] == "554 said  250 Ok ?"


@given(
    st.lists(
        st.binary(max_size=30)
        | st.sampled_from(
            [
                b"\r\n",
                b"EHLO x\r\n",
                b"MAIL FROM:<a@b.c>\r\n",
                b"RCPT TO:<b@b.c>\r\n",
                b"DATA\r\n",
                b"\r\n.\r\n",
                b"RSET\r\n",
            ]
        ),
        max_size=12,
    )
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_random_octets_never_break_a_session(parts: list[bytes]) -> None:
    """Property: every line is answered, every reply is well formed, and QUIT still works where DATA has not begun."""

    async def converse() -> str:
        limits = SessionLimits(max_errors=1000)
        async with serving(Recorder(), config(limits=limits)) as server, connected(server.address) as client:
            client.writer.write(b"".join(parts) + b"\r\n.\r\n.\r\nQUIT\r\n")
            client.writer.write_eof()
            return await client.rest()

    said = asyncio.run(converse())
    assert said.endswith("221 Bye\r\n")
    assert all(line[:3].isdigit() and line[3:4] in (" ", "-") and line.isascii() for line in said.splitlines())
