import asyncio
import ssl
from collections.abc import AsyncIterator

import dns.asyncresolver
import pytest

from tests.lab.talk import CONTENT, submit
from waybill.lab.receiver import Received, Receiver
from waybill.lab.script import Script
from waybill.lab.simulated import SIMULATED, ZONE, SimulatedAddress
from waybill.lab.simulator import CAPTURED, TAKEN, USER_AGENT, Simulator, start_simulator
from waybill.model.cause import Cause
from waybill.model.outcome import Stage


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    async with await start_simulator(None) as running:
        yield running


QUICK = [entry for entry in SIMULATED if entry.domain == ZONE and not entry.delay]


@pytest.mark.parametrize("entry", QUICK, ids=lambda entry: entry.local)
async def test_address_behaves_as_the_table_says(simulator: Simulator, entry: SimulatedAddress) -> None:
    """Each address answers with its reply at its stage, with and without a label."""
    for address in (entry.address, f"{entry.local}+label1@{ZONE}"):
        said = await submit(address, port=simulator.smtp_port)
        if entry.disconnect:
            assert (said.stage, said.reply) == (Stage.MESSAGE, None)
        elif entry.reply:
            assert said.reply is not None
            assert (entry.stage, entry.reply) == (said.stage, said.reply.text)
        else:
            assert said.reply is not None
            assert (said.stage, said.reply.text) == (Stage.MESSAGE, TAKEN)


async def test_greylist_takes_the_second_attempt(simulator: Simulator) -> None:
    """greylist@ puts off once for each address, delayed@ twice."""
    for local, refusals in (("greylist", 1), ("delayed", 2)):
        codes = []
        for _ in range(refusals + 1):
            said = await submit(f"{local}@{ZONE}", port=simulator.smtp_port)
            assert said.reply is not None
            codes.append(said.reply.code)
        assert [451] * refusals + [250] == codes


async def test_label_is_kept_in_what_was_received(simulator: Simulator) -> None:
    """The label is ignored for behaviour and kept in the envelope; the content arrives byte for byte."""
    await submit(f"success+news-42@{ZONE}", port=simulator.smtp_port)
    message = simulator.received[-1]
    assert (f"success+news-42@{ZONE}",) == message.recipients
    assert message.content == CONTENT


async def test_other_domains_are_refused_unless_captured() -> None:
    """The simulator does not relay; in capture mode it keeps what it gets and says so."""
    async with await start_simulator(None) as plain:
        said = await submit("someone@gmail.example", port=plain.smtp_port)
        assert said.reply is not None
        assert said.reply.text == "554 5.7.1 <someone@gmail.example>: Relay access denied"
    async with await start_simulator(None, capture=True) as capturing:
        said = await submit("someone@gmail.example", port=capturing.smtp_port)
        assert said.reply is not None
        assert said.reply.text == CAPTURED
        assert capturing.received[-1].recipients == ("someone@gmail.example",)
        said = await submit(f"success@{ZONE}", port=capturing.smtp_port)
        assert said.reply is not None
        assert said.reply.text == TAKEN


async def test_feedback_comes_home() -> None:
    """complaint@, ooto@ and later-bounce@ send their mail to the return path, at the address given."""
    async with Receiver(Script(name="home.example")) as home:
        async with await start_simulator(("127.0.0.1", home.port), feedback_delay=0.0) as simulator:
            for local in ("complaint", "ooto", "later-bounce"):
                await submit(f"{local}+x@{ZONE}", port=simulator.smtp_port, mail_from=f"{local}@return.example")
            async with asyncio.timeout(10):
                await home.wait(3)
        mail = {message.recipients[0]: message for message in home.received}
    assert {"complaint@return.example", "ooto@return.example", "later-bounce@return.example"} == set(mail)
    complaint = mail["complaint@return.example"]
    assert complaint.mail_from == ""
    assert f"User-Agent: {USER_AGENT}\r\n".encode() in complaint.content
    assert f"Original-Rcpt-To: <complaint+x@{ZONE}>\r\n".encode() in complaint.content
    assert b"Auto-Submitted: auto-replied" in mail["ooto@return.example"].content
    assert b"In-Reply-To: <1@b.example>" in mail["ooto@return.example"].content
    assert f"Final-Recipient: rfc822; later-bounce+x@{ZONE}\r\n".encode() in mail["later-bounce@return.example"].content


async def test_tls_is_offered_but_not_at_notls(simulator: Simulator) -> None:
    """The simulator offers STARTTLS with a certificate nobody signed; notls. does not offer it."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    assert await _tls_version(simulator.smtp_port, "127.0.0.1", context) == "TLSv1.3"
    assert None is await _tls_version(simulator.smtp_port, "127.0.0.2", context)


async def test_dns_has_every_domain_of_the_table(simulator: Simulator) -> None:
    """The MX of the zone leads to the receiver; the null MX is one."""
    host, _, port = simulator.dns_address.partition(":")
    resolver = dns.asyncresolver.Resolver(configure=False)
    resolver.nameservers = [host]
    resolver.port = int(port)
    assert [f"10 mx.{ZONE}."] == [str(record) for record in await resolver.resolve(ZONE, "MX")]
    assert [str(record) for record in await resolver.resolve(f"mx.{ZONE}", "A")] == ["127.0.0.1"]
    assert [str(record) for record in await resolver.resolve(f"nullmx.{ZONE}", "MX")] == ["0 ."]


def test_table_covers_the_causes_a_receiver_can_give() -> None:
    """Every cause that a receiver, DNS or the network can show has an address."""
    never = {cause for cause in Cause if cause.value.startswith(("template", "delayed_", "sending_", "held_"))} | {
        Cause.SUPPRESSED_ACCOUNT,
        Cause.UNSUBSCRIBED,
        Cause.PLACED_IN_SPAM,
        Cause.DELIVERY_EXPIRED,
        Cause.WAYBILL_INCIDENT,
        Cause.PROVIDER_INCIDENT,
        Cause.STUCK,
        Cause.IDENTITY_NOT_VERIFIED,
        Cause.MAIL_FROM_NOT_VERIFIED,
        Cause.QUOTA_EXCEEDED,
    }
    assert set(Cause) - never == {entry.cause for entry in SIMULATED}
    assert len(SIMULATED) == len({entry.address for entry in SIMULATED})


async def _tls_version(port: int, host: str, context: ssl.SSLContext) -> str | None:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        await reader.readuntil(b"\r\n")
        writer.write(b"EHLO client.example\r\n")
        if b"STARTTLS" not in await reader.readuntil(b"SMTPUTF8\r\n"):
            return None
        writer.write(b"STARTTLS\r\n")
        await reader.readuntil(b"\r\n")
        await writer.start_tls(context)
        writer.write(b"EHLO client.example\r\n")
        assert b"STARTTLS" not in await reader.readuntil(b"SMTPUTF8\r\n")
        return str(writer.get_extra_info("ssl_object").version())
    finally:
        writer.close()
        await writer.wait_closed()


async def test_received_says_whether_it_was_encrypted(simulator: Simulator) -> None:
    """What is kept of a message names the peer and that it came in clear."""
    await submit(f"success@{ZONE}", port=simulator.smtp_port)
    message: Received = simulator.received[-1]
    assert (message.peer, message.helo, message.encrypted) == ("127.0.0.1", "client.example", False)
