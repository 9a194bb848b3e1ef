import asyncio
import smtplib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.lab.talk import submit
from waybill.lab import receiver as receiver_module
from waybill.lab.feedback import Feedback
from waybill.lab.receiver import Receiver
from waybill.lab.script import AfterEffect, Offers, Rule, Script, greylist
from waybill.model.outcome import Stage


async def _dialogue(mx: Receiver, octets: bytes) -> bytes:
    """Everything the receiver says to ``octets`` until it hangs up."""
    reader, writer = await asyncio.open_connection(mx.host, mx.port)
    writer.write(octets)
    said = await asyncio.wait_for(reader.read(-1), 10)
    writer.close()
    await writer.wait_closed()
    return said


async def test_standard_client_is_served() -> None:
    """smtplib, a client that is not ours, hands over a message with dots and gets its extensions."""

    def send(port: int) -> dict[str, str]:
        with smtplib.SMTP("127.0.0.1", port) as client:
            client.ehlo("client.example")
            client.sendmail("a@b.example", ["c@d.example", "e@d.example"], b"Subject: x\r\n\r\n.\r\n..\r\nend\r\n")
            return client.esmtp_features

    async with Receiver(Script(name="mx.d.example")) as mx:
        features = await asyncio.to_thread(send, mx.port)
    assert {"pipelining", "size", "8bitmime", "enhancedstatuscodes", "smtputf8"} == set(features)
    assert [(message.recipients, message.content) for message in mx.received] == [
        (("c@d.example", "e@d.example"), b"Subject: x\r\n\r\n.\r\n..\r\nend\r\n")
    ]


async def test_pipelined_commands_are_answered_in_order() -> None:
    """One write with two transactions gets every reply in its order."""
    octets = (
        b"EHLO c\r\nMAIL FROM:<> SIZE=5\r\nRCPT TO:<no@d>\r\nRCPT TO:<a@d>\r\nDATA\r\nx\r\n.\r\n"
        b"MAIL FROM:<a@b>\r\nRSET\r\nNOOP\r\nDATA\r\nVRFY x\r\nQUIT\r\n"
    )
    rule = Rule(stage=Stage.RCPT, recipient="no@*", reply="550-5.1.1 no\n550 5.1.1 such user")
    async with Receiver(Script(name="mx", offers=Offers(size=None, pipelining=False), rules=(rule,))) as mx:
        said = (await _dialogue(mx, octets)).decode().split("\r\n")
    codes = [line[:4] for line in said]
    assert codes == [
        *("220 ", "250-", "250-", "250-", "250 ", "250 ", "550-", "550 ", "250 ", "354 ", "250 "),
        *("250 ", "250 ", "250 ", "554 ", "500 ", "221 ", ""),
    ]
    assert [message.mail_parameters for message in mx.received] == [("SIZE=5",)]


STAGES = [Stage.GREETING, Stage.EHLO, Stage.MAIL, Stage.RCPT, Stage.DATA, Stage.MESSAGE]
COMMANDS = ["EHLO c", "MAIL FROM:<a@b>", "RCPT TO:<a@d>", "DATA", "."]


@pytest.mark.parametrize("stage", STAGES)
async def test_refuses_and_drops_at_every_stage(stage: Stage) -> None:
    """At each stage the receiver can refuse, talk nonsense, and hang up."""
    async with Receiver(Script(rules=(Rule(stage=stage, reply="421 4.3.2 not now"),))) as mx:
        said = await submit("a@d.example", port=mx.port)
        assert (said.stage, said.reply and said.reply.text) == (stage, "421 4.3.2 not now")
    async with Receiver(Script(rules=(Rule(stage=stage, disconnect=True),))) as mx:
        said = await submit("a@d.example", port=mx.port)
        assert (said.stage, said.reply) == (stage, None)
    async with Receiver(Script(rules=(Rule(stage=stage, reply="WAT\r", disconnect=True),))) as mx:
        # No more than it reads before it hangs up: unread octets would reset the connection.
        octets = b"".join(f"{command}\r\n".encode() for command in COMMANDS[: STAGES.index(stage)])
        assert (await _dialogue(mx, octets)).endswith(b"WAT\r\r\n")


async def test_greylisting_counts_each_recipient() -> None:
    """Each recipient is put off for itself."""
    async with Receiver(Script(rules=(greylist(attempts=1),))) as mx:
        codes = []
        for recipient in ("a@d.example", "b@d.example", "a@d.example", "b@d.example"):
            reply = (await submit(recipient, port=mx.port)).reply
            codes.append(reply and reply.code)
    assert codes == [451, 451, 250, 250]


async def test_size_is_enforced_declared_and_counted() -> None:
    """RFC 1870: too large by its own word at MAIL, or by count after the message."""
    async with Receiver(Script(offers=Offers(size=100))) as mx:
        declared = await submit("a@d.example", port=mx.port, content=b"x" * 200 + b"\r\n")
        assert (declared.stage, declared.reply and declared.reply.code) == (Stage.MAIL, 552)
        octets = b"EHLO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:<a@d>\r\nDATA\r\n" + b"x" * 200 + b"\r\n.\r\nQUIT\r\n"
        assert b"552 5.3.4" in await _dialogue(mx, octets)
    assert not mx.received


async def test_wrong_sequences_are_refused() -> None:
    """RCPT before MAIL, MAIL twice, paths that are none."""
    octets = b"HELO c\r\nRCPT TO:<a@d>\r\nMAIL FROM:a@b\r\nMAIL FROM:<a@b>\r\nMAIL FROM:<a@b>\r\nRCPT TO:<>\r\nSTARTTLS\r\nQUIT\r\n"
    async with Receiver(Script(name="mx")) as mx:
        said = (await _dialogue(mx, octets)).decode().split("\r\n")
    assert [line[:3] for line in said] == ["220", "250", "503", "501", "250", "503", "501", "502", "221", ""]


async def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Old messages are forgotten by number and by size; the count goes on."""
    monkeypatch.setattr(receiver_module, "KEPT_OCTETS", 250)
    async with Receiver(Script()) as mx:
        for number in range(4):
            await submit(f"{number}@d.example", port=mx.port, content=b"x" * 98 + b"\r\n")
        assert mx.taken_count == 4
        assert [message.recipients for message in mx.received] == [("2@d.example",), ("3@d.example",)]


async def test_feedback_waits_for_the_inbound_port() -> None:
    """What comes home is tried again where it is put off, and never sent to the null sender."""
    put_off = Rule(stage=Stage.RCPT, reply="451 4.3.0 later", times=2)
    async with Receiver(Script(name="home", rules=(put_off,))) as home:
        feedback = Feedback(host=home.host, port=home.port, delay=0, pause=0.01)
        script = Script(rules=(Rule(stage=Stage.MESSAGE, after=AfterEffect.BOUNCE),))
        async with Receiver(script, feedback=feedback) as mx:
            await submit("a@d.example", port=mx.port, mail_from="")
            await submit("b@d.example", port=mx.port, mail_from="return@b.example")
            async with asyncio.timeout(10):
                await home.wait(1)
    assert [(message.mail_from, message.recipients) for message in home.received] == [("", ("return@b.example",))]
    assert b"Final-Recipient: rfc822; b@d.example\r\n" in home.received[0].content


async def test_closing_does_not_wait_for_clients() -> None:
    """A client that says nothing, or waits for a slow answer, does not hold the receiver open."""
    async with Receiver(Script(rules=(Rule(stage=Stage.EHLO, delay=3_600),))) as mx:
        reader, writer = await asyncio.open_connection(mx.host, mx.port)
        writer.write(b"EHLO c\r\n")
        assert (await reader.readline()).startswith(b"220")
    assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()
    await writer.wait_closed()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.binary(max_size=40), max_size=8))
async def test_any_octets_are_survived(lines: list[bytes]) -> None:
    """Whatever is sent, the receiver answers or hangs up, and serves the next client."""
    async with Receiver(Script()) as mx:
        reader, writer = await asyncio.open_connection(mx.host, mx.port)
        writer.write(b"\r\n".join(lines) + b"\r\n")
        writer.write_eof()
        await asyncio.wait_for(reader.read(), 10)
        writer.close()
        await writer.wait_closed()
        said = await submit("a@d.example", port=mx.port)
        assert (said.stage, said.reply and said.reply.code) == (Stage.MESSAGE, 250)
