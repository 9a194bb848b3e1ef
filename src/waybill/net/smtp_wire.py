"""The client's end of an SMTP connection: commands go out, replies come in, and every line is written down with its time."""

import asyncio
import math
import ssl
from collections import deque
from typing import cast

from waybill.mail.reply import MalformedReply, ReplyParser
from waybill.model.clock import Clock
from waybill.model.outcome import Line, Reply, Speaker, Stage
from waybill.net.smtp_target import Fault, SmtpError, Target

CHUNK = 256 * 1024
MOST_LINES_SHOWN = 40  # of one reply in the transcript
MOST_SHOWN = 1_000  # characters of one line in the transcript
SERVICE_CLOSING = 421  # RFC 5321 §3.8: the one reply that a server may give unasked, and it closes after it


class Wire(asyncio.Protocol):
    """Knows lines, replies and silence, and nothing of what they mean.

    Every wait has its own limit, and ``allow`` sets one for all of them together, so that a server that always says
    something at the last moment does not hold us for ever.
    """

    def __init__(self, target: Target, *, clock: Clock, transcript: list[Line]) -> None:
        self.target = target
        self.transcript = transcript
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._allowed = math.inf
        self._until = math.inf
        self._awaited = 1  # replies that the server owes us, its greeting being the first
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
            if self._awaited:
                self._awaited -= 1
            elif reply.code != SERVICE_CLOSING or self._replies:
                self._malformed = MalformedReply("an answer to nothing", reply.text)
                break
            _record(self.transcript, at, reply)
            self._replies.append(reply)
        if self._malformed is not None:
            self.transcript.append(Line(at=at, who=Speaker.SERVER, text=_shown(self._malformed.line)))
        if self._replies or self._malformed is not None:
            _wake(self._waiter)
            _wake(self._writable)  # whoever has made up his mind may not read on

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

    def allow(self, seconds: float) -> None:
        """Sets how long all that follows may take together."""
        self._allowed = seconds
        self._until = self._loop.time() + seconds

    def note(self, text: str) -> None:
        """Writes a remark of ours into the transcript."""
        self.transcript.append(Line(at=self._clock(), who=Speaker.NOTE, text=text))

    def send(self, *commands: str, shown: str | None = None) -> None:
        """Sends commands in one piece. ``shown`` goes into the transcript in the place of a secret."""
        at = self._clock()
        for command in commands:
            self.transcript.append(Line(at=at, who=Speaker.CLIENT, text=shown or command))
        self._awaited += len(commands)
        if self._transport is not None:
            self._transport.write("".join([f"{command}\r\n" for command in commands]).encode())

    async def send_content(self, octets: bytes, seconds: float, *, command: str = "") -> bool:
        """Sends a message, or a chunk with the ``command`` before it (RFC 3030), as it stands in blocks.

        Each block is sent within ``seconds``. The text is not written down. Returns whether all of it was sent: False
        where the server answered or closed before the end.

        Raises:
            SmtpError: the server does not read on.
        """
        if command:
            self.transcript.append(Line(at=self._clock(), who=Speaker.CLIENT, text=command))
            octets = b"".join((f"{command}\r\n".encode(), octets))
        self._awaited += 1
        view = memoryview(octets)
        for start in range(0, len(octets), CHUNK):
            await self._drained(seconds)
            if self.closed.done() or self._replies or self._malformed is not None:
                return False
            assert self._transport is not None
            self._transport.write(view[start : start + CHUNK])
        return True

    async def _drained(self, seconds: float) -> None:
        if self._writable is None:
            return
        patience = self._patience(seconds)
        timer = self._loop.call_later(patience, _wake, self._writable)
        try:
            await self._writable
        finally:
            timer.cancel()
        if self._writable is None or self.closed.done() or self._replies or self._malformed is not None:
            return
        text = f"{self.target} stopped reading the message for {seconds:g} s"
        if patience < seconds:
            text = self._too_long("in the middle of the message")
        self.note(text)
        raise SmtpError(Stage.MESSAGE, text, fault=Fault.TIMEOUT)

    def _patience(self, seconds: float) -> float:
        return max(0.0, min(seconds, self._until - self._loop.time()))

    def _too_long(self, where: str) -> str:
        return f"{self.target} had not come to an end {where} when the {self._allowed:g} s for a whole transaction were over"

    async def reply(self, stage: Stage, command: str | None, seconds: float) -> Reply:
        """The next reply, whole within ``seconds``, however many of its octets come meanwhile.

        Raises:
            SmtpError: there is none in time, the connection is lost, or what was said is no reply.
        """
        patience = self._patience(seconds)
        if not self._replies and self._malformed is None and not self.closed.done():
            self._waiter = self._loop.create_future()
            timer = self._loop.call_later(patience, _wake, self._waiter)
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
        said = self._parser.unfinished
        half = f" but the beginning of a reply ({said[:200]!r})" if said else ""
        if self.closed.done():
            fault = Fault.CONNECTION_LOST
            text = f"{self.target} closed the connection {where}{f', having said nothing{half}' if half else ''}"
        else:
            fault = Fault.TIMEOUT
            text = f"{self.target} said nothing{half} within {seconds:g} s {where}"
            if patience < seconds:
                text = self._too_long(where)
        self.note(text)
        raise SmtpError(stage, text, fault=fault, command=command)

    async def start_tls(self, context: ssl.SSLContext, seconds: float) -> ssl.SSLObject:
        """Shakes hands. What the server said before in clear and nobody asked for is an attack or a fault (RFC 3207 §6).

        Raises:
            SmtpError: there is no TLS.
        """
        if self._replies or self._malformed or self._parser.unfinished:
            text = f"{self.target} said more than its answer to STARTTLS before the handshake"
            raise SmtpError(Stage.STARTTLS, text, fault=Fault.TLS_FAILED, command="STARTTLS")
        assert self._transport is not None
        patience = max(0.001, self._patience(seconds))  # zero is no timeout for asyncio
        try:
            transport = await self._loop.start_tls(
                self._transport, self, context, server_hostname=self.target.sni, ssl_handshake_timeout=patience
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
        if MOST_LINES_SHOWN <= place < last:
            continue
        if place == last > MOST_LINES_SHOWN:
            left_out = f"{last - MOST_LINES_SHOWN} more lines of this reply are left out here"
            transcript.append(Line(at=at, who=Speaker.NOTE, text=left_out))
        mark = "-" if place < last else " "
        transcript.append(Line(at=at, who=Speaker.SERVER, text=_shown(f"{reply.code}{mark}{text}".rstrip())))


def _shown(text: str) -> str:
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]} [{len(text) - MOST_SHOWN} more characters]"


def _wake(future: "asyncio.Future[None] | None") -> None:
    if future is not None and not future.done():
        future.set_result(None)
