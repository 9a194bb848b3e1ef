"""The SMTP client against a server that says what it is told to."""

import asyncio
import socket
from contextlib import ExitStack, suppress
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.net.scripted import DROP, HANG, scripted
from tests.net.sending import CONTENT, ENVELOPE, OLD, SHORT, client, deliver, said, target
from waybill.model.outcome import Speaker, Stage
from waybill.net.smtp_client import Envelope, SmtpConnection
from waybill.net.smtp_target import Fault, SmtpError, Target


async def test_a_message_is_delivered_and_every_line_written_down() -> None:
    """The transcript holds both sides in order; the content is only counted."""
    async with scripted() as server:
        transcript = await deliver(server)
    assert server.contents == [CONTENT]
    assert [
        "EHLO client.test",
        f"MAIL FROM:<a@sender.test> SIZE={len(CONTENT)}",
        "RCPT TO:<b@mx.test>",
        "DATA",
        "QUIT",
    ] == said(transcript, Speaker.CLIENT)
    assert said(transcript, Speaker.SERVER) == [
        "220 mx.test ESMTP",
        "250-mx.test",
        "250-PIPELINING",
        "250-8BITMIME",
        "250 SIZE 1000000",
        "250 2.1.0 ok",
        "250 2.1.5 ok",
        "354 go on",
        "250 2.0.0 taken",
        "221 2.0.0 bye",
    ]
    assert [
        f"connected to mx.test [127.0.0.1]:{server.port} from 127.0.0.1",
        f"message, {len(CONTENT)} bytes",
    ] == said(transcript, Speaker.NOTE)
    assert sorted(line.at for line in transcript) == [line.at for line in transcript]


async def test_without_pipelining_each_command_waits_for_its_answer() -> None:
    """A server that refuses RCPT is not asked DATA where PIPELINING is not offered."""
    async with scripted(EHLO=OLD, RCPT=b"550 5.1.1 nobody\r\n") as server:
        with pytest.raises(SmtpError) as caught:
            await deliver(server)
    assert Stage.RCPT is caught.value.stage
    assert server.heard == ["EHLO client.test", "MAIL FROM:<a@sender.test>", "RCPT TO:<b@mx.test>", "RSET", "QUIT"]


@pytest.mark.parametrize("ehlo", [OLD, b"250-mx.test\r\n250 PIPELINING\r\n"])
@pytest.mark.parametrize(
    ("verb", "stage"),
    [
        ("CONNECT", Stage.GREETING),
        ("EHLO", Stage.EHLO),
        ("MAIL", Stage.MAIL),
        ("RCPT", Stage.RCPT),
        ("DATA", Stage.DATA),
        ("MESSAGE", Stage.MESSAGE),
    ],
)
class TestEachStage:
    """What can happen at every stage, with and without pipelining."""

    async def test_refused(self, verb: str, stage: Stage, ehlo: bytes) -> None:
        """The refusal is reported at its stage, verbatim."""
        async with scripted(says={"EHLO": [ehlo], verb: [b"554-5.7.1 no\r\n554 5.7.1 never\r\n"]}) as server:
            with pytest.raises(SmtpError) as caught:
                await deliver(server)
        assert caught.value.reply is not None
        assert (stage, "554 5.7.1 no 5.7.1 never") == (caught.value.stage, caught.value.reply.text)

    async def test_refused_in_pieces(self, verb: str, stage: Stage, ehlo: bytes) -> None:
        """Replies may come octet by octet."""
        pieces = [bytes([octet]) for octet in b"451-4.7.1 later\r\n451 4.7.1 please\r\n"]
        async with scripted(says={"EHLO": [ehlo], verb: [pieces]}) as server:
            with pytest.raises(SmtpError) as caught:
                await deliver(server)
        assert caught.value.reply is not None
        assert (stage, ("4.7.1 later", "4.7.1 please")) == (caught.value.stage, caught.value.reply.lines)

    async def test_dropped(self, verb: str, stage: Stage, ehlo: bytes) -> None:
        """A closed connection is a fault of its stage; only after the message is its fate unknown."""
        async with scripted(says={"EHLO": [ehlo], verb: [DROP]}) as server:
            with pytest.raises(SmtpError) as caught:
                await deliver(server)
        error = caught.value
        assert (stage, Fault.CONNECTION_LOST, stage is Stage.MESSAGE) == (error.stage, error.fault, error.content_sent)

    async def test_silent(self, verb: str, stage: Stage, ehlo: bytes) -> None:
        """Silence ends with the stage's own timeout."""
        async with scripted(says={"EHLO": [ehlo], verb: [HANG]}) as server:
            with pytest.raises(SmtpError) as caught:
                await deliver(server, timeouts=SHORT)
        error = caught.value
        assert (stage, Fault.TIMEOUT, stage is Stage.MESSAGE) == (error.stage, error.fault, error.content_sent)
        assert "said nothing" in error.text

    async def test_nonsense(self, verb: str, stage: Stage, ehlo: bytes) -> None:
        """What is no reply is a fault, and is quoted."""
        async with scripted(says={"EHLO": [ehlo], verb: [b"hello \xff there\r\n"]}) as server:
            with pytest.raises(SmtpError) as caught:
                await deliver(server)
        assert (stage, Fault.MALFORMED_REPLY) == (caught.value.stage, caught.value.fault)
        assert "hello" in caught.value.text


@pytest.mark.parametrize("ehlo", [OLD, b"250-mx.test\r\n250 PIPELINING\r\n"])
@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA", "MESSAGE"])
async def test_the_next_transaction_is_clean(verb: str, ehlo: bytes) -> None:
    """After a refusal the connection is reset and takes the next message."""
    usual = {"MAIL": b"250 ok\r\n", "RCPT": b"250 ok\r\n", "DATA": b"354 ok\r\n", "MESSAGE": b"250 ok\r\n"}
    async with scripted(says={"EHLO": [ehlo], verb: [b"550 no\r\n", usual[verb]]}) as server:
        connection = await SmtpConnection.open(target(server), settings=client(), transcript=[])
        with pytest.raises(SmtpError):
            await connection.send(ENVELOPE)
        assert connection.usable
        reply = await connection.send(ENVELOPE)
        await connection.quit()
    assert reply.code == 250
    assert server.contents[-1] == CONTENT
    assert server.connections == 1


async def test_data_taken_though_the_recipient_was_refused() -> None:
    """RFC 2920 §3.1: a 354 after a refused RCPT is answered with a lone dot, and no content is sent."""
    async with scripted(RCPT=b"550 5.1.1 nobody\r\n", MESSAGE=b"554 no valid recipients\r\n") as server:
        with pytest.raises(SmtpError) as caught:
            await deliver(server)
    assert Stage.RCPT is caught.value.stage
    assert server.contents == [b""]


async def test_refused_and_hung_up() -> None:
    """Where the server says no and closes, the no counts, not the closing."""
    async with scripted(RCPT=b"550 5.7.1 go away\r\n" + DROP) as server:
        with pytest.raises(SmtpError) as caught:
            await deliver(server)
    assert caught.value.reply is not None
    assert caught.value.reply.code == 550


async def test_a_421_ends_the_connection() -> None:
    """After a 421 nothing more is sent, and the connection is not used again."""
    async with scripted(MAIL=b"421 4.7.0 closing\r\n", RCPT=b"421 x\r\n", DATA=b"421 x\r\n") as server:
        connection = await SmtpConnection.open(target(server), settings=client(), transcript=[])
        with pytest.raises(SmtpError) as caught:
            await connection.send(ENVELOPE)
        assert not connection.usable
        await connection.quit()
    assert caught.value.text == "421 4.7.0 closing"
    assert server.heard[-2 if server.heard[-1] == "QUIT" else -1] == "DATA"


async def test_a_positive_answer_that_has_no_meaning() -> None:
    """250 in answer to DATA is no go-ahead."""
    async with scripted(DATA=b"250 ok\r\n") as server:
        with pytest.raises(SmtpError) as caught:
            await deliver(server)
    assert (caught.value.stage, caught.value.fault) == (Stage.DATA, Fault.MALFORMED_REPLY)


async def test_helo_where_ehlo_is_not_known() -> None:
    """RFC 5321 §3.2: an old server is greeted with HELO, and gets no parameters."""
    async with scripted(EHLO=b"502 5.5.1 unknown\r\n") as server:
        await deliver(server)
    assert server.heard[:3] == ["EHLO client.test", "HELO client.test", "MAIL FROM:<a@sender.test>"]


async def test_size_is_known_beforehand() -> None:
    """RFC 1870: a message above the SIZE offered is not tried; the connection stays good."""
    async with scripted(EHLO=b"250-mx.test\r\n250 SIZE 10\r\n") as server:
        connection = await SmtpConnection.open(target(server), settings=client(), transcript=[])
        with pytest.raises(SmtpError) as caught:
            await connection.send(ENVELOPE)
        assert connection.usable
        await connection.quit()
    assert (caught.value.stage, caught.value.fault) == (Stage.MAIL, Fault.SIZE_EXCEEDED)


async def test_parameters_only_where_needed_and_offered() -> None:
    """BODY=8BITMIME and SMTPUTF8 follow from the message and the offer."""
    envelope = Envelope(mail_from="a@sender.test", recipient="ü@mx.test", content="x\r\n\r\nü\r\n".encode())
    offer = b"250-mx.test\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n"
    async with scripted(EHLO=offer) as server:
        await deliver(server, envelope)
        assert server.heard[1] == "MAIL FROM:<a@sender.test> BODY=8BITMIME SMTPUTF8"
        assert server.heard[2] == "RCPT TO:<ü@mx.test>"
    async with scripted(EHLO=OLD) as server:
        with pytest.raises(SmtpError) as caught:
            await deliver(server, envelope)
    assert Fault.I18N_UNSUPPORTED is caught.value.fault


async def test_control_characters_never_reach_a_command() -> None:
    """An address that holds a line end is a bug of the caller, and nothing is sent."""
    async with scripted() as server:
        with pytest.raises(ValueError, match="control character"):
            await deliver(server, replace(ENVELOPE, recipient="b@mx.test>\r\nRCPT TO:<c@mx.test"))
    assert not any(line.startswith(("RCPT", "MAIL")) for line in server.heard)


async def test_connection_refused_and_source_address_not_ours() -> None:
    """Errors of connect(2) say whose fault they are."""
    async with scripted() as server:
        pass
    with pytest.raises(SmtpError) as caught:
        await SmtpConnection.open(target(server), settings=client(), transcript=[])
    assert (caught.value.stage, caught.value.fault) == (Stage.CONNECT, Fault.CONNECTION_REFUSED)
    assert f"Connection refused by mx.test [127.0.0.1]:{server.port}" == caught.value.text
    elsewhere = replace(target(server), source_ip="192.0.2.1")
    with pytest.raises(SmtpError) as caught:
        await SmtpConnection.open(elsewhere, settings=client(), transcript=[])
    assert Fault.NETWORK_DOWN is caught.value.fault


async def test_connecting_takes_too_long() -> None:
    """A server whose queue of connections is full does not answer; that is a timeout of connecting."""
    with socket.socket() as full, ExitStack() as waiting:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        for _ in range(3):
            other = waiting.enter_context(socket.socket())
            other.setblocking(False)
            other.connect_ex(("127.0.0.1", port))
        there = Target(host="mx.test", ip="127.0.0.1", port=port)
        with pytest.raises(SmtpError) as caught:
            await SmtpConnection.open(there, settings=client(SHORT), transcript=[])
    assert (caught.value.stage, caught.value.fault) == (Stage.CONNECT, Fault.CONNECTION_TIMEOUT)


@pytest.mark.parametrize("last_line", [b"x", b".", b"..", b""])
async def test_content_without_a_last_line_end(last_line: bytes) -> None:
    """RFC 5321 §4.1.1.4: the line end that is missing is added, else the receiver would wait for ever for the end."""
    content = b"Subject: x\r\n\r\n" + last_line
    async with scripted() as server:
        await deliver(server, replace(ENVELOPE, content=content))
    assert [content + (b"\r\n" if last_line else b"")] == server.contents


async def test_an_early_answer_to_a_large_message() -> None:
    """A server that refuses in the middle of the message is heard, and the connection given up."""
    content = b"x" * 78 + b"\r\n"
    gone = asyncio.Event()
    large = replace(ENVELOPE, content=content * 100_000)

    async def impatient(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hi\r\n")
        for words in (b"250 hi\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n"):
            await reader.readuntil(b"\r\n")
            writer.write(words)
        await reader.readexactly(100_000)
        writer.write(b"552 5.3.4 too large\r\n")
        with suppress(ConnectionError):
            while await reader.read(100_000):
                pass
        writer.transport.abort()
        gone.set()

    server = await asyncio.start_server(impatient, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    there = Target(host="mx.test", ip="127.0.0.1", port=port)
    async with server:
        connection = await SmtpConnection.open(there, settings=client(), transcript=[])
        with pytest.raises(SmtpError) as caught:
            await connection.send(large)
        assert not connection.usable
        await connection.quit()
        await gone.wait()
    assert caught.value.text == "552 5.3.4 too large"


@given(lines=st.lists(st.binary(max_size=30).map(lambda line: line.replace(b"\r", b"").replace(b"\n", b""))))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_content_arrives_as_it_was_sent(lines: list[bytes]) -> None:
    """Whatever the content, dots and 8-bit octets included, the receiver has it octet by octet."""
    content = b"".join(line + b"\r\n" for line in [b".", b"..x", *lines, b"." + b"y" * 5000, b"."])

    async def send() -> list[bytes]:
        async with scripted() as server:
            await deliver(server, replace(ENVELOPE, content=content), times=2)
        return server.contents

    assert [content, content] == asyncio.run(send())
