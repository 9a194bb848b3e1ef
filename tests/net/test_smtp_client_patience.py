"""The SMTP client against servers that take their time, drip, flood, speak unasked, or hang up half way."""

import asyncio
import re
from dataclasses import replace

import pytest

from tests.net.scripted import DROP, HANG, WAIT, scripted
from tests.net.sending import CONTENT, ENVELOPE, OLD, PATIENT, SHORT, client, deliver, failure, said, target
from waybill.model.outcome import Line, Speaker, Stage
from waybill.net.smtp_client import SmtpConnection
from waybill.net.smtp_target import Credentials, Fault, SmtpError, Timeouts

TLS = b"250-mx.test\r\n250 STARTTLS\r\n"
CHUNKING = b"250-mx.test\r\n250 CHUNKING\r\n"
LARGE = replace(ENVELOPE, content=b"x" * 78 + b"\r\n" + b"y\r\n" * 3_000_000)
FATE = "All of it had been sent: whether it was taken is not known, and sending it again may duplicate it"


def test_the_defaults_are_those_of_the_rfc() -> None:
    """RFC 5321 §4.5.3.2.1 to .6; the whole may take longer than all of them together."""
    times = Timeouts()
    assert (times.greeting, times.mail, times.rcpt, times.data, times.block, times.message) == (
        *(300, 300, 300),
        *(120, 180, 600),
    )
    stages = [getattr(times, name) for name in Timeouts.__dataclass_fields__ if name != "transaction"]
    assert times.transaction > sum(stages) + times.ehlo  # which may be said twice


@pytest.mark.parametrize("verb", ["CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "MESSAGE"])
@pytest.mark.parametrize("drop", [[b"2", b"5", b"0"], [b"250-", b"x"], [b"250-x\r\n"]])
async def test_a_reply_that_drips_is_no_reply(verb: str, drop: list[bytes]) -> None:
    """The time is for the whole reply: another octet, or another line of it, gives no more."""
    dripping = [*drop[:1], *(drop[1:] or drop) * 100_000]
    async with scripted(says={verb: [dripping]}) as server:
        with pytest.raises(SmtpError) as caught:
            await deliver(server, timeouts=SHORT)
    assert (caught.value.fault, caught.value.content_sent) == (Fault.TIMEOUT, verb == "MESSAGE")


@pytest.mark.parametrize(
    ("verb", "ehlo", "stage"),
    [
        ("CONNECT", TLS, Stage.GREETING),
        ("EHLO", TLS, Stage.EHLO),
        ("STARTTLS", TLS, Stage.STARTTLS),
        ("AUTH", b"250-mx.test\r\n250 AUTH PLAIN\r\n", Stage.AUTH),
        ("MAIL", CHUNKING, Stage.MAIL),
        ("RCPT", CHUNKING, Stage.RCPT),
        ("DATA", b"250 mx.test\r\n", Stage.DATA),
        ("MESSAGE", b"250 mx.test\r\n", Stage.MESSAGE),
        ("MESSAGE", CHUNKING, Stage.MESSAGE),
    ],
)
class TestEachStage:
    """The same fate at every stage, STARTTLS and AUTH included."""

    async def test_silence(self, verb: str, ehlo: bytes, stage: Stage) -> None:
        """It ends with the stage's own time, and its fault; only after the message is its fate unknown."""
        error, transcript = await self.fail(verb, ehlo, HANG, SHORT)
        assert (stage, Fault.TIMEOUT, stage is Stage.MESSAGE) == (error.stage, error.fault, error.content_sent)
        assert (FATE in said(transcript, Speaker.NOTE)) is (stage is Stage.MESSAGE)
        assert any("said nothing within 0.05 s" in note for note in said(transcript, Speaker.NOTE))

    async def test_the_whole_takes_too_long(self, verb: str, ehlo: bytes, stage: Stage) -> None:
        """However patient the stages are, there is an end, and it is called what it is."""
        error, transcript = await self.fail(verb, ehlo, HANG, replace(PATIENT, transaction=0.3))
        assert (stage, Fault.TIMEOUT, stage is Stage.MESSAGE) == (error.stage, error.fault, error.content_sent)
        assert "when the 0.3 s for a whole transaction were over" in error.text
        assert any("0.3 s for a whole" in note for note in said(transcript, Speaker.NOTE))

    async def test_service_not_available(self, verb: str, ehlo: bytes, stage: Stage) -> None:
        """RFC 5321 §3.8: a 421 may come at any time; it is the answer, it is about no message, and it is the end."""
        error, transcript = await self.fail(verb, ehlo, b"421 4.3.2 closing\r\n" + DROP, PATIENT)
        assert (stage, "421 4.3.2 closing", False) == (error.stage, error.text, error.content_sent)
        assert "RSET" not in said(transcript, Speaker.CLIENT)

    async def fail(self, verb: str, ehlo: bytes, answer: bytes, timeouts: Timeouts) -> tuple[SmtpError, list[Line]]:
        """What a delivery comes to where that verb has that answer."""
        transcript: list[Line] = []
        async with scripted(says={"EHLO": [ehlo], verb: [answer]}) as server:
            there = target(server)
            if verb == "AUTH":
                there = replace(there, credentials=Credentials(user="me", password="hush"))
            error = await failure(there, client(timeouts), transcript=transcript)
        return error, transcript


async def test_time_begins_anew_with_each_transaction() -> None:
    """A connection that is kept open does not use up what the next message may take."""
    async with scripted() as server:
        connection = await SmtpConnection.open(target(server), settings=client(), transcript=[])
        await connection.send(ENVELOPE)
        connection.wire.allow(0)
        await connection.send(ENVELOPE)
        await connection.quit()
        fresh = await SmtpConnection.open(target(server), settings=client(), transcript=[])
        fresh.wire.allow(0)
        with pytest.raises(SmtpError, match="whole transaction"):
            await fresh.send(ENVELOPE)
        fresh.abort()


@pytest.mark.parametrize("ehlo", [b"250 mx.test\r\n", CHUNKING])
async def test_a_late_yes_is_a_yes(ehlo: bytes) -> None:
    """A server that thinks for nine minutes has taken the message, and the transcript shows how long that was."""
    minutes = [0]
    transcript: list[Line] = []
    settings = replace(client(), clock=lambda: 1_000 + minutes[0] * 60_000)
    async with scripted(EHLO=ehlo, MESSAGE=[[WAIT, b"250 2.0.0 taken\r\n"]]) as server:
        connection = await SmtpConnection.open(target(server), settings=settings, transcript=transcript)
        sending = asyncio.ensure_future(connection.send(ENVELOPE))
        await server.until(lambda: bool(server.contents))
        minutes[0] = 9
        server.go.set()
        assert (await sending).code == 250
        assert connection.usable
        await connection.quit()
    times = {line.text: line.at for line in transcript}
    assert times["250 2.0.0 taken"] - times[f"message, {len(CONTENT)} bytes"] == 9 * 60_000


@pytest.mark.parametrize(
    ("ehlo", "timeouts", "words"),
    [
        (OLD, replace(PATIENT, block=0.1), "stopped reading the message for 0.1 s"),
        (OLD, replace(PATIENT, transaction=0.4), "had not come to an end in the middle of the message"),
        (CHUNKING, replace(PATIENT, block=0.1, message=0.1), "for 0.1 s|within 0.1 s after BDAT 1048576"),
        (CHUNKING, replace(PATIENT, transaction=0.4), "had not come to an end"),
    ],
)
async def test_a_server_that_does_not_read_on(ehlo: bytes, timeouts: Timeouts, words: str) -> None:
    """It is given up in time. The end of the message was never sent, so that nothing is unknown."""
    transcript: list[Line] = []
    async with scripted(EHLO=ehlo, DATA=[[b"354 go\r\n", HANG]], BDAT=HANG, narrow=True) as server:
        error = await failure(target(server), client(timeouts), transcript=transcript, envelope=LARGE)
    assert (error.stage, error.fault, error.content_sent) == (Stage.MESSAGE, Fault.TIMEOUT, False)
    assert re.search(words, error.text)
    assert error.text in said(transcript, Speaker.NOTE)


async def test_dropped_after_the_go_ahead() -> None:
    """354 and the end of the connection: a large message was not sent whole, so it was not taken."""
    async with scripted(EHLO=OLD, DATA=b"354 go\r\n" + DROP, narrow=True) as server:
        error = await failure(target(server), client(), envelope=LARGE)
    assert (error.stage, error.fault, error.content_sent) == (Stage.MESSAGE, Fault.CONNECTION_LOST, False)


async def test_a_server_that_refuses_and_stops_reading() -> None:
    """A refusal in the middle of the message is heard at once, even where nothing more can be written."""
    go = [b"354 go\r\n", WAIT, b"552 5.3.4 too large\r\n", HANG]
    patience = replace(PATIENT, block=3_600, transaction=3_600)
    async with scripted(EHLO=OLD, DATA=[go], narrow=True) as server:
        sending = asyncio.ensure_future(failure(target(server), client(patience), envelope=LARGE))
        await asyncio.wait([sending], timeout=0.2)  # the client has filled all buffers, and waits
        server.go.set()
        error = await asyncio.wait_for(sending, 20)
    assert error.text == "552 5.3.4 too large"


@pytest.mark.parametrize("answer", [b"354 go on\r\n", b"250-ok\r\n550 no\r\n", b"666 gone\r\n", b"250-half\r\n" + DROP])
async def test_an_answer_to_the_message_that_says_nothing(answer: bytes) -> None:
    """Whatever was meant, the message may have been taken."""
    async with scripted(MESSAGE=answer) as server:
        with pytest.raises(SmtpError) as caught:
            await deliver(server)
    assert (caught.value.stage, caught.value.reply, caught.value.content_sent) == (Stage.MESSAGE, None, True)


@pytest.mark.parametrize(
    ("verb", "words", "stage"),
    [
        ("CONNECT", b"220 hi\r\n250 hello\r\n", Stage.EHLO),
        ("CONNECT", b"220 hi\r\n220 there\r\n", Stage.EHLO),
        ("EHLO", b"250 mx.test\r\n250 ok\r\n250 ok\r\n354 go\r\n250 taken\r\n", Stage.MAIL),
        ("MAIL", b"250 ok\r\n250 ok\r\n", Stage.RCPT),
        ("RCPT", b"250 ok\r\n354 go\r\n", Stage.DATA),
    ],
)
async def test_answers_before_the_question(verb: str, words: bytes, stage: Stage) -> None:
    """They are never taken for the answer to what is said next: no message counts as taken that was not sent."""
    async with scripted(says={"EHLO": [b"250 mx.test\r\n"], verb: [words]}) as server:
        with pytest.raises(SmtpError) as caught:
            await deliver(server)
    assert (caught.value.stage, caught.value.fault) == (stage, Fault.MALFORMED_REPLY)
    assert "an answer to nothing" in caught.value.text
    assert server.contents == []


async def test_closing_is_announced_between_messages() -> None:
    """A 421 that nobody asked for makes the connection unfit, and is the answer to whatever is said next."""
    async with scripted(MESSAGE=[[b"250 taken\r\n", WAIT, b"421 4.4.2 idle for too long\r\n" + DROP]]) as server:
        connection = await SmtpConnection.open(target(server), settings=client(), transcript=[])
        await connection.send(ENVELOPE)
        usable = connection.usable
        server.go.set()
        await connection.wire.closed
        assert (usable, connection.usable) == (True, False)
        with pytest.raises(SmtpError) as caught:
            await connection.send(ENVELOPE)
    assert (caught.value.stage, caught.value.text) == (Stage.MAIL, "421 4.4.2 idle for too long")
    assert not connection.answered


@pytest.mark.parametrize("words", [b"250 ok\r\n", b"421 bye\r\n", b"250-ok\r\n", b"x", b"\xff\x00\r\n"])
async def test_a_flood_costs_no_memory(words: bytes) -> None:
    """A server that talks without end is cut short, and the transcript with it."""
    transcript: list[Line] = []
    async with scripted(CONNECT=[[b"220 hi\r\n", *[words * 10_000] * 20]]) as server:
        error = await failure(target(server), client(), transcript=transcript)
    assert error.stage in {Stage.EHLO, Stage.MAIL}
    assert len(transcript) < 50
    assert max(len(line.text) for line in transcript) < 1_100
