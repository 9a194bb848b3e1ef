"""STARTTLS and AUTH over real sockets."""

import asyncio
import smtplib
import ssl
from dataclasses import replace

import pytest
import trustme

from tests.net.dialogue import ENVELOPE, Recorder, all_gone, config, connected, serving


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    return context


def send_with_smtplib(address: tuple[str, int], authority: trustme.CA) -> list[str]:
    """STARTTLS, AUTH and a message as Python's own client does it; the features before and after TLS."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    with smtplib.SMTP(*address, timeout=10) as client:
        client.ehlo()
        before = sorted(client.esmtp_features)
        client.starttls(context=context)
        client.ehlo()
        after = sorted(client.esmtp_features)
        client.login("user", "pass")
        client.sendmail("a@sender.example", ["b@b.example"], b"Subject: x\r\n\r\n.dot\r\n")
    return [" ".join(before), " ".join(after)]


async def test_starttls_and_auth_with_smtplib(authority: trustme.CA, tls: ssl.SSLContext) -> None:
    """AUTH is offered once TLS is up, and the envelope knows the version."""
    recorder = Recorder()
    async with serving(recorder, config(authentication=True, tls=tls)) as server:
        features = await asyncio.to_thread(send_with_smtplib, server.address, authority)
    assert features == ["8bitmime ok pipelining size starttls", "8bitmime auth ok pipelining size"]
    [(envelope, data)] = recorder.messages
    assert (envelope.tls, data) == ("TLSv1.3", b"Subject: x\r\n\r\n.dot\r\n")


async def test_what_is_pipelined_behind_starttls_is_forgotten(authority: trustme.CA, tls: ssl.SSLContext) -> None:
    """RFC 3207 §6: commands injected in clear are not obeyed within TLS, and EHLO is needed anew."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    async with serving(Recorder(), config(tls=tls)) as server, connected(server.address) as client:
        client.writer.write(b"STARTTLS\r\nNOOP injected\r\nMAIL FROM:<evil@sender.example>\r\n")
        assert await client.reply() == "220 Ready to start TLS"
        await client.writer.start_tls(context, server_hostname="localhost")
        assert await client.say(b"MAIL FROM:<a@b.example>\r\n") == ["503 Error: send EHLO or HELO first"]
        assert (await client.say(b"EHLO x\r\n"))[0].startswith("250-")
        assert await client.say(b"STARTTLS\r\n") == ["503 Error: TLS is up already"]
        assert (await client.say(ENVELOPE + b"x\r\n.\r\n", 4))[3] == "250 Ok"


async def test_a_failed_handshake_frees_the_connection(tls: ssl.SSLContext) -> None:
    """Garbage in place of a ClientHello ends this connection only."""
    async with serving(Recorder(), config(tls=tls)) as server:
        async with connected(server.address) as client:
            assert await client.say(b"STARTTLS\r\n") == ["220 Ready to start TLS"]
            client.writer.write(b"EHLO this is no TLS\r\n\r\n")
            await client.reader.read()
        await all_gone(server)
        async with connected(server.address) as client:
            assert await client.say(b"NOOP\r\n") == ["250 Ok"]


async def test_auth_before_starttls_is_refused(tls: ssl.SSLContext) -> None:
    """Where TLS is set up, no password is taken in clear, not even from this machine."""
    async with serving(Recorder(), config(authentication=True, tls=tls)) as server, connected(server.address) as client:
        assert await client.say(b"AUTH PLAIN AHVzZXIAcGFzcw==\r\n") == ["530 Must issue a STARTTLS command first"]
        assert await client.say(b"MAIL FROM:<a@b.example>\r\n") == ["530 Authentication required"]


@pytest.mark.parametrize(
    ("sent", "replies"),
    [
        (b"AUTH PLAIN AHVzZXIAcGFzcw==\r\n", ["235 ok"]),
        (b"AUTH PLAIN\r\nAHVzZXIAcGFzcw==\r\n", ["334 ", "235 ok"]),
        (b"AUTH LOGIN\r\ndXNlcg==\r\ncGFzcw==\r\n", ["334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6", "235 ok"]),
        (b"AUTH LOGIN dXNlcg==\r\ncGFzcw==\r\n", ["334 UGFzc3dvcmQ6", "235 ok"]),
        (b"AUTH LOGIN\r\n*\r\n", ["334 VXNlcm5hbWU6", "501 Authentication cancelled"]),
        (b"AUTH PLAIN AHVzZXIAd3Jvbmc=\r\n", ["535 no"]),
        (b"AUTH CRAM-MD5\r\n", ["504 Unrecognized authentication type; PLAIN and LOGIN are known"]),
        (b"AUTH PLAIN x\r\n", ["501 Syntax error: the AUTH response is no base64 of UTF-8 text"]),
        (
            b"AUTH PLAIN AHVzZXIAcGFzcw==\r\nAUTH PLAIN AHVzZXIAcGFzcw==\r\n",
            ["235 ok", "503 Error: AUTH is not possible now"],
        ),
    ],
)
async def test_auth(sent: bytes, replies: list[str]) -> None:
    """Both mechanisms with and without an initial response (RFC 4954 §4), from this machine without TLS."""
    async with serving(Recorder(), config(authentication=True)) as server, connected(server.address) as client:
        assert await client.say(sent, len(replies)) == replies


async def test_another_machine_needs_tls_for_auth() -> None:
    """Without TLS set up, a client that is not on loopback is offered no AUTH."""
    async with serving(Recorder(), config(authentication=True)) as server, connected(server.address) as client:
        [stream] = server._sessions.values()
        stream.peer = replace(stream.peer, ip="192.0.2.7")
        assert "AUTH" not in (await client.say(b"EHLO x\r\n"))[0]
        [refused] = await client.say(b"AUTH PLAIN AHVzZXIAcGFzcw==\r\n")
        assert refused.startswith("530 Authentication is taken over TLS only")
