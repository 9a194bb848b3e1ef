"""The client's end of an SMTP connection: commands go out, replies come in, and every line is written down with its time."""

import asyncio
import ssl
from collections import deque
from typing import cast

from waybill.mail.reply import MalformedReply, ReplyParser
from waybill.model.clock import Clock
from waybill.model.outcome import Line, Reply, Speaker, Stage
from waybill.net.smtp_target import Fault, SmtpError, Target

CHUNK = 256 * 1024


class Wire(asyncio.Protocol):
    """Knows lines, replies and silence, and nothing of what they mean."""

    def __init__(self, target: Target, *, clock: Clock, transcript: list[Line]) -> None:
        self.target = target
        self.transcript = transcript
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._parser = ReplyParser()
        self._replies: deque[Reply] = deque()
        self._malformed: MalformedReply | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._writable: asyncio.Future[None] | None = None
        self.closed: asyncio.Future[None] = self._loop.create_future()

    # what the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # which uvloop's is in all but name
        self.note(f"connected to {self.target} from {self.local_ip()}")

    def data_received(self, data: bytes) -> None:
        if self._malformed is not None:
            return
        try:
            replies = self._parser.feed(data)
        except MalformedReply as malformed:
            self._malformed = malformed
            replies = list(malformed.completed)
        at = self._clock()
        for reply in replies:
            _record(self.transcript, at, reply)
        self._replies.extend(replies)
        if self._malformed is not None:
            self.transcript.append(Line(at=at, who=Speaker.SERVER, text=self._malformed.line[:512]))
        if self._replies or self._malformed is not None:
            _wake(self._waiter)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        if not self.closed.done():
            self.closed.set_result(None)
        _wake(self._waiter)
        _wake(self._writable)

    def pause_writing(self) -> None:
        self._writable = self._loop.create_future()

    def resume_writing(self) -> None:
        _wake(self._writable)
        self._writable = None

    # what the client calls

    @property
    def quiet(self) -> bool:
        """Whether the connection stands and the server has said nothing that was not asked for."""
        return (
            not (self.closed.done() or self._replies or self._malformed)
            and not self._parser.unfinished
            and self._transport is not None
            and not self._transport.is_closing()
        )

    def note(self, text: str) -> None:
        """Writes a remark of ours into the transcript."""
        self.transcript.append(Line(at=self._clock(), who=Speaker.NOTE, text=text))

    def send(self, *commands: str, shown: str | None = None) -> None:
        """Sends commands in one piece. ``shown`` goes into the transcript in the place of a secret."""
        at = self._clock()
        for command in commands:
            self.transcript.append(Line(at=at, who=Speaker.CLIENT, text=shown or command))
        if self._transport is not None:
            self._transport.write("".join([f"{command}\r\n" for command in commands]).encode())

    async def send_content(self, octets: bytes, seconds: float) -> bool:
        """Sends the message as it stands in blocks, each within ``seconds``; its text is not written down.

        Returns whether all of it was sent: False where the server answered or closed before the end.

        Raises:
            SmtpError: the server does not read on.
        """
        view = memoryview(octets)
        for start in range(0, len(octets), CHUNK):
            await self._drained(seconds)
            if self.closed.done() or self._replies:
                return False
            assert self._transport is not None
            self._transport.write(view[start : start + CHUNK])
        return True

    async def _drained(self, seconds: float) -> None:
        if self._writable is None:
            return
        timer = self._loop.call_later(seconds, _wake, self._writable)
        try:
            await self._writable
        finally:
            timer.cancel()
        if self._writable is not None and not self.closed.done() and not self._replies:
            text = f"{self.target} stopped reading the message for {seconds:g} s"
            raise SmtpError(Stage.MESSAGE, text, fault=Fault.TIMEOUT)

    async def reply(self, stage: Stage, command: str | None, seconds: float) -> Reply:
        """The next reply.

        Raises:
            SmtpError: there is none within ``seconds``, the connection is lost, or what was said is no reply.
        """
        if not self._replies and self._malformed is None and not self.closed.done():
            self._waiter = self._loop.create_future()
            timer = self._loop.call_later(seconds, _wake, self._waiter)
            try:
                await self._waiter
            finally:
                timer.cancel()
                self._waiter = None
        if self._replies:
            return self._replies.popleft()
        where = f"after {command}" if command else "after connecting"
        if self._malformed is not None:
            text = f"{self.target} said {where} what is no SMTP reply ({self._malformed})"
            raise SmtpError(stage, text, fault=Fault.MALFORMED_REPLY, command=command)
        if self.closed.done():
            text = f"{self.target} closed the connection {where}"
            self.note(text)
            raise SmtpError(stage, text, fault=Fault.CONNECTION_LOST, command=command)
        said = self._parser.unfinished
        half = f" but the beginning of a reply ({said[:200]!r})" if said else ""
        text = f"{self.target} said nothing{half} within {seconds:g} s {where}"
        self.note(text)
        raise SmtpError(stage, text, fault=Fault.TIMEOUT, command=command)

    async def start_tls(self, context: ssl.SSLContext, seconds: float) -> ssl.SSLObject:
        """Shakes hands. What the server said before in clear and nobody asked for is an attack or a fault (RFC 3207 §6).

        Raises:
            SmtpError: there is no TLS.
        """
        if self._replies or self._malformed or self._parser.unfinished:
            text = f"{self.target} said more than its answer to STARTTLS before the handshake"
            raise SmtpError(Stage.STARTTLS, text, fault=Fault.TLS_FAILED, command="STARTTLS")
        assert self._transport is not None
        try:
            transport = await self._loop.start_tls(
                self._transport, self, context, server_hostname=self.target.host, ssl_handshake_timeout=seconds
            )
        except (OSError, TimeoutError, ValueError) as error:
            text = f"TLS handshake with {self.target} failed: {tls_words(error)}"
            self.note(text)
            raise SmtpError(Stage.STARTTLS, text, fault=Fault.TLS_FAILED, command="STARTTLS") from error
        if transport is None:
            text = f"{self.target} closed the connection during the TLS handshake"
            raise SmtpError(Stage.STARTTLS, text, fault=Fault.TLS_FAILED, command="STARTTLS")
        self._transport = transport
        return self.session()

    def session(self) -> ssl.SSLObject:
        """The TLS session that is under way."""
        assert self._transport is not None
        session = self._transport.get_extra_info("ssl_object")
        assert isinstance(session, ssl.SSLObject)
        return session

    def local_ip(self) -> str | None:
        """The address that we speak from."""
        name = self._transport.get_extra_info("sockname") if self._transport is not None else None
        return str(name[0]) if name else None

    def abort(self) -> None:
        """Lets go of the connection at once."""
        if self._transport is not None:
            self._transport.abort()


def tls_words(error: BaseException) -> str:
    """What a failed handshake says for people: OpenSSL's reason where it gives one."""
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.replace("_", " ").lower()
    if isinstance(error, ConnectionResetError):
        return "the connection was closed"
    return str(error) or type(error).__name__


def _record(transcript: list[Line], at: int, reply: Reply) -> None:
    last = len(reply.lines) - 1
    for place, text in enumerate(reply.lines):
        mark = "-" if place < last else " "
        transcript.append(Line(at=at, who=Speaker.SERVER, text=f"{reply.code}{mark}{text}".rstrip()))


def _wake(future: "asyncio.Future[None] | None") -> None:
    if future is not None and not future.done():
        future.set_result(None)
