"""The SMTP client and CHUNKING (RFC 3030): where it is offered, where it fails, and what the transcript says of it."""

from dataclasses import replace

import pytest

from tests.net.scripted import DROP, HANG, scripted
from tests.net.sending import CONTENT, ENVELOPE, PATIENT, SHORT, client, deliver, said, target
from waybill.model.outcome import Line, Speaker, Stage
from waybill.net.smtp_client import SmtpConnection
from waybill.net.smtp_content import CHUNK
from waybill.net.smtp_target import Fault, SmtpError

OFFER = b"250-mx.test\r\n250-PIPELINING\r\n250 CHUNKING\r\n"
SLOW_OFFER = b"250-mx.test\r\n250 CHUNKING\r\n"
TRANSACTION = ["MAIL FROM:<a@sender.test>", "RCPT TO:<b@mx.test>", f"BDAT {len(CONTENT)} LAST"]
ANEW = "CHUNKING is offered, but BDAT is not understood: once more, with DATA on a new connection"
DOUBTED = "CHUNKING is offered and not used: this server failed at it before"


@pytest.mark.parametrize("ehlo", [OFFER, SLOW_OFFER])
async def test_content_goes_in_one_chunk(ehlo: bytes) -> None:
    """Without DATA, as it stands, for one message and the next."""
    envelope = replace(ENVELOPE, content=b".\r\n..\r\nx\r\n.\r\n")
    async with scripted(EHLO=ehlo) as server:
        transcript = await deliver(server, envelope, times=2)
    assert server.contents == [envelope.content] * 2
    transaction = [*TRANSACTION[:2], "BDAT 13 LAST"]
    assert said(transcript, Speaker.CLIENT) == ["EHLO client.test", *transaction, *transaction, "QUIT"]
    assert said(transcript, Speaker.NOTE)[1:] == ["message, 13 bytes"] * 2
    assert sorted(line.at for line in transcript) == [line.at for line in transcript]


async def test_a_large_message_goes_in_chunks() -> None:
    """The answer to each chunk is awaited and written down."""
    content = b"." * 998 + b"\r\n"
    content *= 3 * CHUNK // len(content)
    async with scripted(EHLO=OFFER) as server:
        transcript = await deliver(server, replace(ENVELOPE, content=content))
    assert server.contents == [content]
    rest = len(content) - 2 * CHUNK
    assert server.heard[3:6] == [f"BDAT {CHUNK}", f"BDAT {CHUNK}", f"BDAT {rest} LAST"]
    assert f"message, {len(content)} bytes in 3 chunks" in said(transcript, Speaker.NOTE)
    assert said(transcript, Speaker.SERVER)[-4:-1] == ["250 2.0.0 so far", "250 2.0.0 so far", "250 2.0.0 taken"]


@pytest.mark.parametrize("last_line", [b"x", b".", b""])
async def test_the_last_line_end_is_added(last_line: bytes) -> None:
    """BDAT carries the same octets as DATA would, also where the content does not end as it should."""
    content = b"Subject: x\r\n\r\n" + last_line
    async with scripted(EHLO=OFFER) as server:
        await deliver(server, replace(ENVELOPE, content=content))
    assert server.contents == [content + (b"\r\n" if last_line else b"")]


@pytest.mark.parametrize("ehlo", [OFFER, SLOW_OFFER])
@pytest.mark.parametrize(("verb", "stage"), [("MAIL", Stage.MAIL), ("RCPT", Stage.RCPT), ("MESSAGE", Stage.MESSAGE)])
class TestEachStage:
    """What can happen at every stage."""

    async def test_refused(self, verb: str, stage: Stage, ehlo: bytes) -> None:
        """The refusal is reported at its stage, no content goes out before RCPT is taken, and the connection stays good."""
        async with scripted(says={"EHLO": [ehlo], verb: [b"550 5.1.1 no\r\n", b"250 ok\r\n"]}) as server:
            connection = await SmtpConnection.open(target(server), settings=client(), transcript=[])
            with pytest.raises(SmtpError) as caught:
                await connection.send(ENVELOPE)
            assert connection.usable
            await connection.send(ENVELOPE)
            await connection.quit()
        assert (stage, "550 5.1.1 no") == (caught.value.stage, caught.value.text)
        assert server.connections == 1
        assert len(server.contents) == (2 if stage is Stage.MESSAGE else 1)

    async def test_dropped_or_silent(self, verb: str, stage: Stage, ehlo: bytes) -> None:
        """Only after the last chunk is the fate of the message unknown, and then the transcript says so."""
        for answer, fault in ((DROP, Fault.CONNECTION_LOST), (HANG, Fault.TIMEOUT), (b"?\r\n", Fault.MALFORMED_REPLY)):
            async with scripted(says={"EHLO": [ehlo], verb: [answer]}) as server:
                with pytest.raises(SmtpError) as caught:
                    await deliver(server, timeouts=SHORT)
            error = caught.value
            assert (stage, fault, stage is Stage.MESSAGE) == (error.stage, error.fault, error.content_sent)
            assert ("may duplicate" in error.text) is error.content_sent


@pytest.mark.parametrize(
    "answer", [b"500 what\r\n", b"502 5.5.1 no such command\r\n", b"503 x\r\n", b"504 5.5.4 x\r\n"]
)
async def test_a_server_that_does_not_know_what_it_offers(answer: bytes) -> None:
    """It gets the message by DATA over a new connection, and from then on nothing but DATA."""
    settings = client()
    transcript: list[Line] = []
    async with scripted(EHLO=OFFER, BDAT=answer) as server:
        connection = await SmtpConnection.open(target(server), settings=settings, transcript=transcript)
        reply = await connection.send(ENVELOPE)
        await connection.send(ENVELOPE)
        assert connection.usable
        await connection.quit()
        other = await SmtpConnection.open(target(server), settings=settings, transcript=transcript)
        await other.send(ENVELOPE)
        await other.quit()
    assert (reply.code, server.contents, server.connections) == (250, [CONTENT] * 3, 3)
    assert [line for line in server.heard if line.startswith("BDAT")] == [TRANSACTION[2]]
    notes = said(transcript, Speaker.NOTE)
    assert (notes.count(ANEW), notes.count(DOUBTED)) == (1, 3)


async def test_the_new_connection_fails() -> None:
    """Then that is what is reported, and the connection is given up."""
    async with scripted(CONNECT=[b"220 hi\r\n", b"421 4.3.2 enough\r\n"], EHLO=OFFER, BDAT=b"502 x\r\n") as server:
        connection = await SmtpConnection.open(target(server), settings=client(), transcript=[])
        with pytest.raises(SmtpError) as caught:
            await connection.send(ENVELOPE)
        assert not connection.usable
        connection.abort()
    assert (caught.value.stage, caught.value.text) == (Stage.GREETING, "421 4.3.2 enough")


async def test_a_refusal_that_only_looks_like_it() -> None:
    """An enhanced code that speaks of the message makes it a refusal of the message."""
    async with scripted(EHLO=OFFER, MESSAGE=b"501 5.7.1 spam\r\n") as server:
        with pytest.raises(SmtpError) as caught:
            await deliver(server)
    assert (caught.value.text, server.connections) == ("501 5.7.1 spam", 1)


async def test_a_server_that_hangs_up_on_bdat_is_sent_data_next_time() -> None:
    """Where the first chunk to a server leads to nothing, BDAT may be why."""
    settings = client()
    async with scripted(EHLO=OFFER, MESSAGE=[DROP, b"250 ok\r\n"]) as server:
        connection = await SmtpConnection.open(target(server), settings=settings, transcript=[])
        with pytest.raises(SmtpError, match="may duplicate"):
            await connection.send(ENVELOPE)
        connection = await SmtpConnection.open(target(server), settings=settings, transcript=[])
        await connection.send(ENVELOPE)
        await connection.quit()
    assert [line.split()[0] for line in server.heard if line[:4] in ("BDAT", "DATA")] == ["BDAT", "DATA"]


async def test_a_server_that_hangs_up_after_a_success_is_not_doubted() -> None:
    """It can do BDAT, so that was not why."""
    settings = client()
    async with scripted(EHLO=OFFER, MESSAGE=[b"250 ok\r\n", DROP]) as server:
        connection = await SmtpConnection.open(target(server), settings=settings, transcript=[])
        await connection.send(ENVELOPE)
        with pytest.raises(SmtpError, match="may duplicate"):
            await connection.send(ENVELOPE)
        assert not settings.doubted.holds(target(server), 0)


@pytest.mark.parametrize("answer", [b"552 5.3.4 too large\r\n", b"452 4.3.1 disk full\r\n"])
async def test_a_chunk_in_the_middle_is_refused(answer: bytes) -> None:
    """The rest is not sent, nothing is unknown, and the connection takes the next message."""
    async with scripted(EHLO=OFFER, CHUNK=answer) as server:
        connection = await SmtpConnection.open(target(server), settings=client(), transcript=[])
        with pytest.raises(SmtpError) as caught:
            await connection.send(replace(ENVELOPE, content=b"x\r\n" * CHUNK))
        assert connection.usable
        await connection.quit()
    assert (caught.value.stage, caught.value.command) == (Stage.MESSAGE, f"BDAT {CHUNK}")
    assert server.heard[-3:] == [f"BDAT {CHUNK}", "RSET", "QUIT"]


async def test_a_chunk_in_the_middle_is_not_answered() -> None:
    """The message had not ended, so it was not taken."""
    patience = replace(PATIENT, message=0.05)
    async with scripted(EHLO=OFFER, CHUNK=HANG) as server:
        with pytest.raises(SmtpError) as caught:
            await deliver(server, replace(ENVELOPE, content=b"x\r\n" * CHUNK), timeouts=patience)
    assert (caught.value.fault, caught.value.content_sent) == (Fault.TIMEOUT, False)
