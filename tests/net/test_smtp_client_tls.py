"""The SMTP client and TLS (RFC 3207, RFC 8314), and the secrets that need it (RFC 4954)."""

import asyncio
import ssl
from collections.abc import Callable, Coroutine
from dataclasses import replace

import pytest
import trustme
import uvloop

from tests.net.scripted import DROP, HANG, scripted
from tests.net.sending import CONTENT, ENVELOPE, PATIENT, client, deliver, said, target
from waybill.model.outcome import Line, Speaker, Stage
from waybill.net.smtp_client import SmtpConnection
from waybill.net.smtp_target import Credentials, Fault, SmtpError, TlsMode

OFFER = b"250-mx.test\r\n250 STARTTLS\r\n"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.create_child_ca().issue_cert("mx.test").configure_cert(context)
    return context


@pytest.fixture(scope="module")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("tls") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


async def test_verified_and_not(context: ssl.SSLContext, ca_file: str) -> None:
    """The session is recorded with what its certificate is worth, and EHLO is said again."""
    encrypted = b"250-mx.test\r\n250 PIPELINING\r\n"
    async with scripted(context, EHLO=[OFFER, encrypted, OFFER, encrypted]) as server:
        connection = await SmtpConnection.open(target(server), settings=client(ca_file=ca_file), transcript=[])
        await connection.send(ENVELOPE)
        await connection.quit()
        assert connection.tls is not None
        assert (
            connection.tls.verified,
            connection.tls.why_not_verified,
            connection.tls.version,
        ) == (True, None, "TLSv1.3")
        other = replace(target(server), host="other.test")
        connection = await SmtpConnection.open(other, settings=client(ca_file=ca_file), transcript=[])
        await connection.quit()
        assert connection.tls is not None
        assert connection.tls.why_not_verified == "leaf certificate has no matching subjectAltName"
    assert server.heard[:3] == ["EHLO client.test", "STARTTLS", "EHLO client.test"]
    assert server.contents == [CONTENT]


async def test_required_and_not_offered() -> None:
    """Without STARTTLS a message that needs it is not sent."""
    async with scripted() as server:
        with pytest.raises(SmtpError) as caught:
            await SmtpConnection.open(target(server, TlsMode.REQUIRED), settings=client(), transcript=[])
    assert (caught.value.stage, caught.value.fault) == (Stage.STARTTLS, Fault.TLS_NOT_OFFERED)


async def test_starttls_refused() -> None:
    """A refused STARTTLS goes on in clear, but not where TLS is required."""
    async with scripted(EHLO=OFFER, STARTTLS=b"454 4.7.0 TLS not available\r\n") as server:
        await deliver(server)
        with pytest.raises(SmtpError) as caught:
            await SmtpConnection.open(target(server, TlsMode.REQUIRED), settings=client(), transcript=[])
    assert server.contents == [CONTENT]
    assert Fault.TLS_FAILED is caught.value.fault


@pytest.mark.parametrize("injected", [b"220 go\r\n250 injected\r\n", b"220 go\r\nhalf"])
async def test_words_before_the_handshake(context: ssl.SSLContext, injected: bytes) -> None:
    """What comes in clear after the 220 is never taken for an answer under TLS."""
    async with scripted(context, EHLO=OFFER, STARTTLS=injected) as server:
        with pytest.raises(SmtpError) as caught:
            await deliver(server)
    assert (caught.value.stage, caught.value.fault) == (Stage.STARTTLS, Fault.TLS_FAILED)


async def test_handshake_with_no_tls() -> None:
    """A server that talks on in clear, hangs or hangs up has no TLS."""
    for answer in ([b"220 go\r\n", b"", b"500 what is this\r\n" * 10], [b"220 go\r\n", HANG], b"220 go\r\n" + DROP):
        async with scripted(EHLO=OFFER, STARTTLS=[answer]) as server:
            with pytest.raises(SmtpError) as caught:
                await deliver(server, timeouts=replace(PATIENT, starttls=0.2))
        assert (caught.value.stage, caught.value.fault) == (Stage.STARTTLS, Fault.TLS_FAILED)


async def test_implicit_with_verification(context: ssl.SSLContext, ca_file: str) -> None:
    """A relay by smtps must show a certificate that is good, and is then told the secret, which nobody else reads."""
    secret = Credentials(user="me", password="hush")
    transcript: list[Line] = []
    offer = b"250-mx.test\r\n250 AUTH PLAIN LOGIN\r\n"
    async with scripted(context, implicit=True, EHLO=offer, AUTH=b"235 welcome\r\n") as server:
        relay = replace(target(server, TlsMode.IMPLICIT), verify=True, credentials=secret)
        connection = await SmtpConnection.open(relay, settings=client(ca_file=ca_file), transcript=transcript)
        await connection.send(ENVELOPE)
        await connection.quit()
        with pytest.raises(SmtpError) as caught:
            await SmtpConnection.open(relay, settings=client(), transcript=[])
    assert "AUTH PLAIN AG1lAGh1c2g=" in server.heard
    assert "AUTH PLAIN (secret)" in said(transcript, Speaker.CLIENT)
    assert Fault.CERTIFICATE_UNTRUSTED is caught.value.fault
    assert "hush" not in repr(relay)


async def test_smtps_on_a_clear_port() -> None:
    """Implicit TLS against a server that greets in clear is a TLS failure."""
    async with scripted() as server:
        with pytest.raises(SmtpError) as caught:
            await SmtpConnection.open(target(server, TlsMode.IMPLICIT), settings=client(), transcript=[])
    assert (caught.value.stage, caught.value.fault) == (Stage.STARTTLS, Fault.TLS_FAILED)


async def test_auth_login_and_refusal() -> None:
    """LOGIN where PLAIN is not offered; a refusal is a reply at its own stage."""

    secret = Credentials(user="me", password="hush")
    offer = b"250-mx.test\r\n250-AUTH=LOGIN\r\n250 X\r\n"
    turns = {"AUTH": [b"334 VXNlcm5hbWU6\r\n"], "BWU=": [b"334 UGFzc3dvcmQ6\r\n"], "AHVZAA==": [b"535 5.7.8 no\r\n"]}
    async with scripted(says=turns, EHLO=offer) as server:
        with pytest.raises(SmtpError) as caught:
            await SmtpConnection.open(replace(target(server), credentials=secret), settings=client(), transcript=[])
    assert server.heard[1:4] == ["AUTH LOGIN", "bWU=", "aHVzaA=="]
    assert Stage.AUTH is caught.value.stage


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
@pytest.mark.parametrize("tls", [TlsMode.CLEAR, TlsMode.OPPORTUNISTIC, TlsMode.IMPLICIT])
def test_large_messages_on_both_event_loops(
    context: ssl.SSLContext, tls: TlsMode, run: Callable[[Coroutine[None, None, None]], None]
) -> None:
    """A megabyte with dots at every place arrive as sent, in clear and encrypted, with asyncio and with uvloop."""
    content = b".dots. ..\r\n" * 100_000

    async def send() -> None:
        implicit = tls is TlsMode.IMPLICIT
        offer = b"250-mx.test\r\n250-STARTTLS\r\n250 PIPELINING\r\n"
        async with scripted(context, implicit=implicit, EHLO=offer) as server:
            connection = await SmtpConnection.open(target(server, tls), settings=client(), transcript=[])
            for _ in range(2):
                await connection.send(replace(ENVELOPE, content=content))
            assert connection.usable
            await connection.quit()
            assert (connection.tls is None) is (tls is TlsMode.CLEAR)
        assert server.contents == [content, content]

    run(send())
