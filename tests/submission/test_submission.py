"""Submission over SMTP, with real sockets, Python's own client and a store on disk."""

import asyncio
import base64
import contextlib
import smtplib
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import trustme

from tests.net.dialogue import Dialogue, connected
from waybill.accept.request import Client, RawContent, SendRequest
from waybill.model.cause import Cause
from waybill.model.message import Source
from waybill.model.refusal import Rejected
from waybill.model.resource import INSTALLATION, AccessKey
from waybill.store.protocol import Store, StoreUnavailable
from waybill.store.sqlite import open_sqlite
from waybill.submission import Submission, SubmissionConfig
from waybill.submission.password import smtp_password

KEY = AccessKey(
    account=INSTALLATION, name="AKIATEST", owner="100000000001", label="test", secret="secret", created_at=1
)
PASSWORD = smtp_password("secret", "eu-west-1")
MESSAGE = b"From: a@sender.example\r\nTo: b@b.example\r\nSubject: x\r\nX-SES-MESSAGE-TAGS: k=v\r\n\r\n.dot\r\n"
CONFIG = SubmissionConfig(hostname="smtp.test", region="us-east-1", failure_delay=0)


@dataclass(kw_only=True, slots=True)
class RecordingAccept:
    """Takes all requests, or fails with ``error``."""

    requests: list[SendRequest] = field(default_factory=list)
    error: Exception | None = None

    async def accept(self, request: SendRequest) -> str:
        if self.error is not None:
            raise self.error
        self.requests.append(request)
        return "01000000000003e8-id"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await open_sqlite(tmp_path / "waybill.db", clock=lambda: 1_000)
    await opened.put(KEY)
    yield opened
    await opened.close()


@contextlib.asynccontextmanager
async def submission(
    store: Store, accept: RecordingAccept, config: SubmissionConfig = CONFIG, clock: Callable[[], int] = lambda: 1_000
) -> AsyncIterator[Submission]:
    door = Submission(store=store, accept=accept, clock=clock, config=config)
    await door.start()
    try:
        yield door
    finally:
        await door.close(grace=0.2)


@contextlib.asynccontextmanager
async def logged_in(door: Submission) -> AsyncIterator[Dialogue]:
    async with connected(door.address) as client:
        replies = await client.say(b"AUTH LOGIN\r\n" + login_lines("AKIATEST", PASSWORD), 3)
        assert replies[2] == "235 Authentication successful."
        yield client


def login_lines(name: str, password: str) -> bytes:
    return b"".join(base64.b64encode(text.encode()) + b"\r\n" for text in (name, password))


def send(
    address: tuple[str, int], password: str, context: ssl.SSLContext | None = None
) -> dict[str, tuple[int, bytes]]:
    with smtplib.SMTP(*address, timeout=10) as client:
        if context is not None:
            client.starttls(context=context)
        client.login("AKIATEST", password)
        return client.sendmail("bounces@sender.example", ["b@b.example", "c@c.example"], MESSAGE)


async def test_a_message_becomes_a_request(store: Store) -> None:
    """Envelope, content octet by octet, key, instants and peer reach accept as they were."""
    accept = RecordingAccept()
    ticks = iter(range(1_000, 2_000))
    async with submission(store, accept, clock=lambda: next(ticks)) as door:
        assert await asyncio.to_thread(send, door.address, PASSWORD) == {}
    [request] = accept.requests
    assert request == SendRequest(
        client=Client(
            account="100000000001",
            access_key_id="AKIATEST",
            source=Source.SMTP,
            operation="SendRawEmail",
            request_id=request.client.request_id,
            received_at=1_001,
            ip="127.0.0.1",
            started_at=1_000,
        ),
        content=RawContent(data=MESSAGE),
        sender="bounces@sender.example",
        envelope=("b@b.example", "c@c.example"),
    )
    assert len(request.client.request_id) == 36


async def test_over_tls(store: Store) -> None:
    """STARTTLS first; the request says which TLS it was."""
    authority = trustme.CA()
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server_side)
    client_side = ssl.create_default_context()
    authority.configure_trust(client_side)
    accept = RecordingAccept()
    async with submission(store, accept, replace(CONFIG, tls=server_side)) as door:
        await asyncio.to_thread(send, door.address, PASSWORD, client_side)
    assert [request.client.tls for request in accept.requests] == ["TLSv1.3"]


async def test_the_reply_carries_the_id_and_the_next_message_gets_its_own_request(store: Store) -> None:
    """``250 Ok <MessageID>``, again and again on one connection."""
    accept = RecordingAccept()
    transaction = b"MAIL FROM:<a@sender.example>\r\nRCPT TO:<b@b.example>\r\nDATA\r\n" + MESSAGE + b".\r\n"
    async with submission(store, accept) as door, logged_in(door) as client:
        replies = await client.say(transaction * 3, 12)
    assert replies[3::4] == ["250 Ok 01000000000003e8-id"] * 3
    assert len({request.client.request_id for request in accept.requests}) == 3


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("AKIATEST", "wrong"),
        ("AKIATEST", "secret"),
        ("AKIATEST", ""),
        ("AKIAOTHER", PASSWORD),
        ("akiatest", PASSWORD),
        ("AKIAREVOKED", PASSWORD),
    ],
)
async def test_wrong_credentials(store: Store, name: str, password: str) -> None:
    """Unknown, revoked, wrong: one and the same answer."""
    await store.put(replace(KEY, name="AKIAREVOKED", revoked_at=1))
    async with submission(store, RecordingAccept()) as door, connected(door.address) as client:
        lines = login_lines(name, password).replace(b"\r\n\r\n", b"\r\n=\r\n")
        assert (await client.say(b"AUTH LOGIN\r\n" + lines, 3))[2] == "535 Authentication Credentials Invalid"
        assert await client.say(b"MAIL FROM:<a@sender.example>\r\n") == ["530 Authentication required"]


async def test_a_key_revoked_meanwhile_sends_no_more(store: Store) -> None:
    """An open connection does not outlive its key."""
    accept = RecordingAccept()
    async with submission(store, accept) as door, logged_in(door) as client:
        assert await client.say(b"MAIL FROM:<a@sender.example>\r\nRSET\r\n", 2) == ["250 Ok", "250 Ok"]
        await store.put(replace(KEY, revoked_at=2))
        assert await client.say(b"MAIL FROM:<a@sender.example>\r\n") == ["535 Authentication Credentials Invalid"]


@pytest.mark.parametrize(
    ("error", "reply"),
    [
        (
            Rejected("Email address is not verified.", code="MessageRejected", cause=Cause.IDENTITY_NOT_VERIFIED),
            "554 Email address is not verified.",
        ),
        (
            Rejected(
                "Maximum sending rate exceeded.",
                code="TooManyRequestsException",
                cause=Cause.SENDING_RATE_EXCEEDED,
                smtp="454 Throttling failure: Maximum sending rate exceeded",
            ),
            "454 Throttling failure: Maximum sending rate exceeded",
        ),
        (StoreUnavailable("disk full"), "451 Temporary service failure"),
        (RuntimeError("a bug"), "451 Temporary service failure"),
    ],
)
async def test_a_refusal_is_sess_reply(store: Store, error: Exception, reply: str) -> None:
    """The SMTP line of the refusal; what is not decided is temporary. The connection goes on."""
    transaction = b"MAIL FROM:<a@sender.example>\r\nRCPT TO:<b@b.example>\r\nDATA\r\nx\r\n.\r\nNOOP\r\n"
    async with submission(store, RecordingAccept(error=error)) as door, logged_in(door) as client:
        assert (await client.say(transaction, 5))[3:] == [reply, "250 Ok"]


@pytest.mark.parametrize(
    ("command", "reply"),
    [
        (b"MAIL FROM:<>\r\n", "501 Invalid MAIL FROM address provided"),
        (b"MAIL FROM:<sender>\r\n", "553 <sender> Invalid email address"),
        (b"MAIL FROM:<a@sender.example> SMTPUTF8\r\n", "555 MAIL FROM parameter SMTPUTF8 is not supported"),
        (b"RCPT TO:<b@>\r\n", "553 <b@> Invalid email address"),
        (b"RCPT TO:<b@[192.0.2.7]>\r\n", "553 <b@[192.0.2.7]> Invalid email address"),
    ],
)
async def test_malformed_addresses(store: Store, command: bytes, reply: str) -> None:
    """They are refused where they are named."""
    async with submission(store, RecordingAccept()) as door, logged_in(door) as client:
        if command.startswith(b"RCPT"):
            await client.say(b"MAIL FROM:<a@sender.example>\r\n")
        assert await client.say(command) == [reply]
