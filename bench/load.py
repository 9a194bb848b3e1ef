"""Sends messages as fast as they are taken, from a process of its own, and reports how long each waited to be accepted.

Two doors: SES v2 SendEmail, each request signed (Signature Version 4) before the clock starts, over connections that
are kept; and SMTP submission, pipelined, over connections that are kept. One message is under way on a connection.
"""

import argparse
import asyncio
import base64
import hashlib
import hmac
import json
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import cast

import uvloop

SIZE = 5_000
DOMAINS = 10
LINE = "The quick brown fox jumps over the lazy dog, and then does it once more.\r\n"


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """What to send, to where and as whom. Without a key, SMTP clients do not authenticate themselves."""

    host: str
    port: int
    count: int
    connections: int
    sender: str
    size: int
    configuration_set: str
    key: str
    secret: str
    password: str
    region: str


@dataclass(kw_only=True, slots=True)
class Tally:
    """What has been answered. Waits are seconds."""

    waits: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    first_sent_at: float = 0.0
    last_accepted_at: float = 0.0

    def sent(self) -> float:
        """Notes that a message goes out now."""
        self.first_sent_at = self.first_sent_at or time.time()
        return time.perf_counter()

    def answered(self, sent: float, error: str | None) -> None:
        """Notes the answer to what was sent."""
        self.waits.append(time.perf_counter() - sent)
        self.last_accepted_at = time.time()
        if error is not None:
            self.errors.append(error)


def text_of(size: int) -> str:
    """So many octets of text, in whole lines."""
    return LINE * max(1, size // len(LINE))


def recipient(number: int) -> str:
    """A mailbox that nobody else has, in one of ten domains."""
    return f"user{number}@sink{number % DOMAINS}.bench.example"


def signed_requests(job: Job) -> list[bytes]:
    """SendEmail requests as they go over the wire."""
    moment = datetime.now(UTC)
    stamp, date = f"{moment:%Y%m%dT%H%M%SZ}", f"{moment:%Y%m%d}"
    scope = f"{date}/{job.region}/ses/aws4_request"
    key = f"AWS4{job.secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    host = f"{job.host}:{job.port}"
    path, names = "/v2/email/outbound-emails", "content-type;host;x-amz-date"
    requests, text = [], text_of(job.size)
    for number in range(job.count):
        body = json.dumps(
            {
                "FromEmailAddress": job.sender,
                "Destination": {"ToAddresses": [recipient(number)]},
                "ConfigurationSetName": job.configuration_set,
                "Content": {"Simple": {"Subject": {"Data": f"Bench {number}"}, "Body": {"Text": {"Data": text}}}},
            }
        ).encode()
        fields = f"content-type:application/json\nhost:{host}\nx-amz-date:{stamp}\n"
        canonical = f"POST\n{path}\n\n{fields}\n{names}\n{hashlib.sha256(body).hexdigest()}"
        to_sign = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
        head = (
            f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nX-Amz-Date: {stamp}\r\n"
            f"Authorization: AWS4-HMAC-SHA256 Credential={job.key}/{scope}, SignedHeaders={names}, Signature={signature}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        requests.append(head.encode() + body)
    return requests


class HttpClient(asyncio.Protocol):
    """One connection to the API; the next request leaves when the last is answered."""

    def __init__(self, requests: Iterator[bytes], tally: Tally) -> None:
        self._requests = requests
        self._tally = tally
        self._pending = b""
        self._sent = 0.0
        self._transport: asyncio.Transport | None = None
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._next()

    def data_received(self, data: bytes) -> None:
        self._pending += data
        head, end, body = self._pending.partition(b"\r\n\r\n")
        if not end or len(body) < _content_length(head):
            return
        self._pending = b""
        accepted = head.startswith(b"HTTP/1.1 200")
        self._tally.answered(self._sent, None if accepted else (head[:40] + b" " + body[:200]).decode("latin-1"))
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        if not self.done.done():
            self._tally.errors.append("the HTTP connection was lost")
            self.done.set_result(None)

    def _next(self) -> None:
        assert self._transport is not None
        request = next(self._requests, None)
        if request is None:
            self.done.set_result(None)
            self._transport.close()
            return
        self._sent = self._tally.sent()
        self._transport.write(request)


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


def smtp_messages(job: Job) -> Iterator[tuple[bytes, bytes]]:
    """Envelopes and contents."""
    text = text_of(job.size)
    for number in range(job.count):
        to = recipient(number)
        envelope = f"MAIL FROM:<{job.sender}>\r\nRCPT TO:<{to}>\r\nDATA\r\n"
        content = (
            f"From: {job.sender}\r\nTo: {to}\r\nSubject: Bench {number}\r\nMIME-Version: 1.0\r\n"
            f"X-SES-CONFIGURATION-SET: {job.configuration_set}\r\n"
            f"Content-Type: text/plain; charset=utf-8\r\n\r\n{text}.\r\n"
        )
        yield envelope.encode(), content.encode()


class SmtpClient(asyncio.Protocol):
    """One connection to the submission port; the next envelope leaves with the last content."""

    def __init__(self, messages: Iterator[tuple[bytes, bytes]], job: Job, tally: Tally) -> None:
        secret = base64.b64encode(f"\0{job.key}\0{job.password}".encode()).decode()
        auth = [f"AUTH PLAIN {secret}\r\n".encode()] if job.key else []
        self._opening = [b"EHLO load.bench.example\r\n", *auth]
        self._open = False
        self._messages = messages
        self._tally = tally
        self._pending = b""
        self._content = b""
        self._sent: float | None = None
        self._transport: asyncio.Transport | None = None
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        *lines, self._pending = (self._pending + data).split(b"\r\n")
        for line in lines:
            if line[3:4] != b"-":
                self._obey(line)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        if not self.done.done():
            self._tally.errors.append("the SMTP connection was lost")
            self.done.set_result(None)

    def _obey(self, reply: bytes) -> None:
        code = reply[:3]
        if code == b"354":
            self._begin_content()
        elif self._sent is not None and not reply.startswith(b"250 Ok\r") and reply != b"250 Ok":
            self._tally.answered(self._sent, None if code == b"250" else reply.decode("latin-1"))
            self._sent = None
            if not self._content:
                self._finish()
        elif code in (b"220", b"235", b"250") and not self._open:
            self._greet()

    def _greet(self) -> None:
        assert self._transport is not None
        if self._opening:
            self._transport.write(self._opening.pop(0))
            return
        self._open = True
        self._transport.write(self._next_envelope())
        if not self._content:
            self._finish()

    def _next_envelope(self) -> bytes:
        envelope, self._content = next(self._messages, (b"", b""))
        return envelope

    def _begin_content(self) -> None:
        assert self._transport is not None
        content = self._content
        self._sent = self._tally.sent()
        self._transport.write(content + self._next_envelope())

    def _finish(self) -> None:
        assert self._transport is not None
        if not self.done.done():
            self.done.set_result(None)
            self._transport.close()


def _itself(client: asyncio.Protocol) -> asyncio.Protocol:
    return client


async def send(job: Job, protocol: str) -> dict[str, object]:
    """Sends all of it; the figures."""
    loop = asyncio.get_running_loop()
    tally = Tally()
    requests: Iterator[bytes] = iter(())
    messages: Iterator[tuple[bytes, bytes]] = iter(())
    if protocol == "api":
        requests = iter(signed_requests(job))
    else:
        messages = iter(list(smtp_messages(job)))
    clients: list[HttpClient | SmtpClient] = [
        HttpClient(requests, tally) if protocol == "api" else SmtpClient(messages, job, tally)
        for _ in range(job.connections)
    ]
    for client in clients:
        await loop.create_connection(partial(_itself, client), job.host, job.port)
    await asyncio.gather(*(client.done for client in clients))
    waits = sorted(tally.waits)
    return {
        "accepted": len(waits) - len(tally.errors),
        "errors": tally.errors[:3],
        "first_sent_at": tally.first_sent_at,
        "last_accepted_at": tally.last_accepted_at,
        "wait_p50": statistics.median(waits),
        "wait_p99": waits[min(len(waits) - 1, len(waits) * 99 // 100)],
        "cpu": time.process_time(),
    }


def main() -> None:
    """Reads the job as JSON from the one argument and prints the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("protocol", choices=["api", "smtp"])
    parser.add_argument("job", help="the job, as JSON")
    arguments = parser.parse_args()
    job = Job(**json.loads(arguments.job))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(send(job, arguments.protocol))))


if __name__ == "__main__":
    main()
