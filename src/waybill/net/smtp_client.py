"""An SMTP client (RFC 5321) that reuses its connections, pipelines (RFC 2920), and writes down every line both ways.

Content goes in one piece behind BDAT where the server offers CHUNKING (RFC 3030), else behind DATA. With BDAT only MAIL
and RCPT are pipelined: the chunk waits for their answers, so that no content goes out for a recipient who was refused,
and that costs no more round trips than DATA.
"""

import asyncio
import ssl
from contextlib import suppress
from dataclasses import field, replace
from typing import NoReturn

from waybill.model.clock import Clock
from waybill.model.outcome import Line, Reply, Stage, Tls
from waybill.model.record import record
from waybill.net.smtp_auth import write_login
from waybill.net.smtp_content import DoubtedChunking, cut_chunks, end_last_line, is_not_understood, stuff_dots
from waybill.net.smtp_envelope import Commands, write_commands
from waybill.net.smtp_envelope import Envelope as Envelope
from waybill.net.smtp_target import Fault, SmtpError, Target, Timeouts, TlsMode, connect_error
from waybill.net.smtp_wire import SERVICE_CLOSING, Wire, tls_words
from waybill.net.tls import ClientTls


@record(frozen=True, kw_only=True, slots=True)
class ClientSettings:
    """How the client presents itself and how it behaves, the same towards everybody."""

    helo: str
    tls: ClientTls
    clock: Clock
    timeouts: Timeouts = field(default_factory=Timeouts)
    doubted: DoubtedChunking = field(default_factory=DoubtedChunking)


class SmtpConnection:
    """A connection past its greeting. One transaction at a time; ``usable`` says whether there may be another."""

    def __init__(self, wire: Wire, settings: ClientSettings) -> None:
        self.wire = wire
        self.settings = settings
        self.extensions: dict[str, str] = {}
        self.tls: Tls | None = None
        self.clear_because: str | None = None
        self.source_ip = wire.local_ip()
        self.messages = 0
        self.answered = False  # whether the server has answered anything in the transaction under way
        self._busy = True
        self._begun = False

    @classmethod
    async def open(cls, target: Target, *, settings: ClientSettings, transcript: list[Line]) -> "SmtpConnection":
        """A connection on which MAIL may be sent: greeted, encrypted and authenticated as ``target`` asks.

        Raises:
            SmtpError: it did not come to that; the connection is closed.
        """
        wire = await connect(target, settings, transcript)
        connection = cls(wire, settings)
        try:
            await connection._greet()
        except BaseException:
            wire.abort()
            raise
        connection._busy = False
        return connection

    @property
    def helo(self) -> str:
        """What we call ourselves towards this server."""
        return self.wire.target.helo or self.settings.helo

    @property
    def usable(self) -> bool:
        """Whether another transaction may begin: the last one ended cleanly, and the server still listens."""
        return not self._busy and self.wire.quiet

    async def send(self, envelope: Envelope) -> Reply:
        """The server's answer to a message that it took.

        Raises:
            SmtpError: it did not take it, or nobody knows. The connection is reset where that is possible.
        """
        if self._begun:
            self.wire.allow(self.settings.timeouts.transaction)
        self._begun = True
        content = end_last_line(envelope.content)
        if content is not envelope.content:
            envelope = replace(envelope, content=content)
        try:
            return await self._transact(envelope)
        except _BdatNotUnderstood:
            # Whoever does not know BDAT takes the chunk for commands, so this connection is past use.
            self.wire.note("CHUNKING is offered, but BDAT is not understood: once more, with DATA on a new connection")
        await self._begin_anew()
        return await self._transact(envelope)

    async def _transact(self, envelope: Envelope) -> Reply:
        self._busy = True
        self.answered = False
        chunking = "CHUNKING" in self.extensions
        if chunking and self.settings.doubted.holds(self.wire.target, self.settings.clock()):
            self.wire.note("CHUNKING is offered and not used: this server failed at it before")
            chunking = False
        commands = self._commands(envelope)
        lines = (commands.mail, commands.rcpt) if chunking else (commands.mail, commands.rcpt, "DATA")
        if "PIPELINING" in self.extensions:
            self.wire.send(*lines)
            await self._read_pipelined(lines)
        else:
            for line, stage, seconds in zip(lines, _STAGES, self._patience(), strict=False):
                self.wire.send(line)
                reply = await self._reply(stage, line, seconds)
                if not _agrees(stage, reply):
                    await self._refused(stage, reply, line)
        reply = await (self._send_chunks if chunking else self._send_data)(envelope.content)
        self.messages += 1
        self._busy = False
        return reply

    async def _send_data(self, content: bytes) -> Reply:
        self.wire.note(f"message, {len(content)} bytes")
        return await self._hand_over(stuff_dots(content))

    async def _send_chunks(self, content: bytes) -> Reply:
        chunks = list(cut_chunks(content))
        self.wire.note(f"message, {len(content)} bytes{f' in {len(chunks)} chunks' if len(chunks) > 1 else ''}")
        for command, chunk in chunks[:-1]:
            await self._hand_over(chunk, command=command, final=False)
        command, chunk = chunks[-1]
        return await self._hand_over(chunk, command=command)

    async def _hand_over(self, octets: bytes, *, command: str = "", final: bool = True) -> Reply:
        """Sends the message or a chunk of it; returns the answer where it is a yes. Only after the last part may it be taken."""
        wire, timeouts = self.wire, self.settings.timeouts
        whole = await wire.send_content(octets, timeouts.block, command=command)
        name = command or "."
        try:
            what = "the message" if final else command
            reply = await self._reply(Stage.MESSAGE, what, timeouts.message)
        except SmtpError as error:
            if command and not self.messages:
                wire.note("It may be BDAT that this server cannot do: the next message to it goes with DATA")
                self._doubt()
            if whole and final:
                raise self._unknown(error.text, error.fault, name) from error
            raise
        if command and is_not_understood(reply):
            self._doubt()
            raise _BdatNotUnderstood
        if not whole:  # the server has made up its mind before the end, and would take the rest for commands
            self.abort()
            _refuse(Stage.MESSAGE, reply, name)
        if reply.code // 100 == 3 and final:
            raise self._unknown(f'The server answered the message with "{reply.text}"', Fault.MALFORMED_REPLY, name)
        if reply.code // 100 != 2:
            await self._refused(Stage.MESSAGE, reply, name)
        return reply

    def _unknown(self, text: str, fault: Fault | None, command: str) -> SmtpError:
        fate = "All of it had been sent: whether it was taken is not known, and sending it again may duplicate it"
        self.wire.note(fate)
        return SmtpError(Stage.MESSAGE, f"{text}. {fate}", fault=fault, command=command, content_sent=True)

    def _doubt(self) -> None:
        self.settings.doubted.add(self.wire.target, self.settings.clock())

    async def _begin_anew(self) -> None:
        self.abort()
        self.wire = await connect(self.wire.target, self.settings, self.wire.transcript)
        self.tls = None
        self.source_ip = self.wire.local_ip()
        await self._greet()

    async def quit(self) -> None:
        """Takes leave (RFC 5321 §4.1.1.10), and does not wait long for the answer."""
        if self.wire.quiet:
            self.wire.send("QUIT")
            with suppress(SmtpError):  # leaving all the same
                await self.wire.reply(Stage.MESSAGE, "QUIT", self.settings.timeouts.quit)
        self.abort()
        await self.wire.closed

    def abort(self) -> None:
        """Closes at once."""
        self._busy = True
        self.wire.abort()

    # opening

    async def _greet(self) -> None:
        wire, target, timeouts = self.wire, self.wire.target, self.settings.timeouts
        if target.tls is TlsMode.IMPLICIT:
            self._describe_tls()
        reply = await wire.reply(Stage.GREETING, None, timeouts.greeting)
        if reply.code // 100 != 2:
            _refuse(Stage.GREETING, reply, None)
        await self._ehlo()
        if target.tls in (TlsMode.OPPORTUNISTIC, TlsMode.REQUIRED):
            await self._starttls()
        if target.credentials is not None:
            await self._authenticate()

    async def _ehlo(self) -> None:
        seconds = self.settings.timeouts.ehlo
        command = f"EHLO {self.helo}"
        self.wire.send(command)
        reply = await self.wire.reply(Stage.EHLO, command, seconds)
        self.extensions = {}
        if reply.code // 100 == 2:
            for line in reply.lines[1:]:
                keyword, _, value = line.replace("AUTH=", "AUTH ", 1).partition(" ")
                self.extensions.setdefault(keyword.upper(), value.strip())
        elif reply.code in (500, 501, 502, 504, 550) and self.tls is None:  # RFC 5321 §3.2
            command = f"HELO {self.helo}"
            self.wire.send(command)
            reply = await self.wire.reply(Stage.EHLO, command, seconds)
        if reply.code // 100 != 2:
            _refuse(Stage.EHLO, reply, command)

    async def _starttls(self) -> None:
        wire, target, seconds = self.wire, self.wire.target, self.settings.timeouts.starttls
        required = target.tls is TlsMode.REQUIRED
        if "STARTTLS" not in self.extensions:
            if required:
                text = f"{target} does not offer STARTTLS, and this message must not go without TLS"
                raise SmtpError(Stage.STARTTLS, text, fault=Fault.TLS_NOT_OFFERED, command=f"EHLO {self.helo}")
            self.clear_because = f"{target} does not offer STARTTLS"
            return
        reply = await self._say_starttls("STARTTLS")
        if reply.code != 220:
            if reply.code == 421:
                _refuse(Stage.STARTTLS, reply, "STARTTLS")
            if required:
                text = f'{target} answered STARTTLS with "{reply.text}", and this message must not go without TLS'
                raise SmtpError(Stage.STARTTLS, text, fault=Fault.TLS_FAILED, command="STARTTLS")
            self.clear_because = f'{target} offers STARTTLS and answered it with "{reply.text}"'
            wire.note("STARTTLS is refused; TLS is not required, so the conversation goes on in clear")
            await self._say_starttls("NOOP")  # some refuse and hang up
            return
        await wire.start_tls(self.settings.tls.context, seconds)
        self._describe_tls()
        await self._ehlo()  # RFC 3207 §4.2: what was said before does not count

    async def _say_starttls(self, command: str) -> Reply:
        """The reply to a command of this stage. A server that hangs up over STARTTLS has failed at TLS."""
        wire = self.wire
        wire.send(command)
        try:
            return await wire.reply(Stage.STARTTLS, command, self.settings.timeouts.starttls)
        except SmtpError as error:
            if error.fault is not Fault.CONNECTION_LOST:
                raise
            raise SmtpError(
                Stage.STARTTLS,
                f"TLS was asked for and broke off: {error.text}",
                fault=Fault.TLS_FAILED,
                command="STARTTLS",
            ) from error

    def _describe_tls(self) -> None:
        target = self.wire.target
        tls = self.settings.tls.describe(self.wire.session(), target.host)
        worth = "certificate verified"
        if target.dane is not None:
            found = self.settings.tls.match(self.wire.session(), target.dane)
            tls = replace(tls, verified=found.record is not None, why_not_verified=found.why_not)
            worth = f"the certificate fits the TLSA record {found.record}"
        self.tls = tls
        worth = worth if tls.verified else f"certificate not verified: {tls.why_not_verified}"
        self.wire.note(f"{tls.version} {tls.cipher}, {worth}")
        if tls.verified or not (target.verify or target.dane):
            return
        fault, text = Fault.CERTIFICATE_UNTRUSTED, f"The certificate of {target} is not to be trusted"
        if target.dane is not None:
            fault, text = Fault.DANE_MISMATCH, f"{target} does not show what its TLSA records ({target.dane}) promise"
        error = SmtpError(Stage.STARTTLS, f"{text}: {tls.why_not_verified}", fault=fault, command="STARTTLS")
        error.tls = tls
        raise error

    async def _authenticate(self) -> None:
        wire, credentials = self.wire, self.wire.target.credentials
        assert credentials is not None
        steps = write_login(credentials, self.extensions.get("AUTH", ""))
        for step, (line, shown) in enumerate(steps, 1):
            wire.send(line, shown=shown)
            reply = await wire.reply(Stage.AUTH, shown, self.settings.timeouts.auth)
            if reply.code != (235 if step == len(steps) else 334):
                _refuse(Stage.AUTH, reply, shown)

    # the transaction

    def _commands(self, envelope: Envelope) -> Commands:
        try:
            commands = write_commands(envelope, self.extensions, self.wire.target)
        except SmtpError as error:
            self._busy = False  # nothing was sent
            self.wire.note(error.text)
            raise
        for remark in commands.remarks:
            self.wire.note(remark)
        return commands

    def _patience(self) -> tuple[float, float, float]:
        timeouts = self.settings.timeouts
        return timeouts.mail, timeouts.rcpt, timeouts.data

    async def _read_pipelined(self, commands: tuple[str, ...]) -> None:
        first_refusal: tuple[Stage, Reply, str] | None = None
        for command, stage, seconds in zip(commands, _STAGES, self._patience(), strict=False):
            try:
                reply = await self._reply(stage, command, seconds)
            except SmtpError:
                if first_refusal is not None:  # it said no and hung up: the no is what counts
                    _refuse(*first_refusal)
                raise
            if first_refusal is None and not _agrees(stage, reply):
                first_refusal = stage, reply, command
            if first_refusal is not None and reply.code == SERVICE_CLOSING:
                _refuse(*first_refusal)
        if first_refusal is None:
            return
        if (
            reply.code == 354 and command == "DATA"
        ):  # RFC 2920 §3.1: DATA was taken although no recipient was; an empty message ends it
            self.wire.send(".")
            try:
                await self.wire.reply(Stage.DATA, ".", self.settings.timeouts.message)
            except SmtpError:
                _refuse(*first_refusal)
        await self._refused(*first_refusal)

    async def _reply(self, stage: Stage, command: str, seconds: float) -> Reply:
        reply = await self.wire.reply(stage, command, seconds)
        self.answered = self.answered or reply.code != SERVICE_CLOSING
        return reply

    async def _refused(self, stage: Stage, reply: Reply, command: str) -> NoReturn:
        """Makes the connection fit for another transaction, then reports the refusal of this one."""
        if 400 <= reply.code != SERVICE_CLOSING:
            self.wire.send("RSET")
            with suppress(SmtpError):  # then the connection stays busy, that is: it is not used again
                reset = await self.wire.reply(stage, "RSET", self.settings.timeouts.mail)
                self._busy = reset.code != 250
        _refuse(stage, reply, command)


class _BdatNotUnderstood(Exception):  # noqa: N818 - a state
    """The server offers CHUNKING and does not know the command for it."""


_STAGES = (Stage.MAIL, Stage.RCPT, Stage.DATA)


async def connect(target: Target, settings: ClientSettings, transcript: list[Line]) -> Wire:
    """The wire to a server that has not greeted yet. Raises: SmtpError."""
    wire = Wire(target, clock=settings.clock, transcript=transcript)
    wire.allow(settings.timeouts.transaction)
    implicit = target.tls is TlsMode.IMPLICIT
    connecting = asyncio.get_running_loop().create_connection(
        lambda: wire,
        target.ip,
        target.port,
        local_addr=(target.source_ip, 0) if target.source_ip else None,
        ssl=settings.tls.context if implicit else None,
        server_hostname=target.host if implicit else None,
    )
    seconds = settings.timeouts.connect
    try:
        await asyncio.wait_for(connecting, seconds)
    except TimeoutError as error:
        failure = SmtpError(
            Stage.CONNECT, f"Connecting to {target} took over {seconds:g} s", fault=Fault.CONNECTION_TIMEOUT
        )
        wire.note(failure.text)
        raise failure from error
    except OSError as error:
        if isinstance(error, ssl.SSLError | ConnectionAbortedError):
            text = f"TLS handshake with {target} failed: {tls_words(error)}"
            failure = SmtpError(Stage.STARTTLS, text, fault=Fault.TLS_FAILED)
        else:
            failure = connect_error(target, error)
        wire.note(failure.text)
        raise failure from error
    return wire


def _agrees(stage: Stage, reply: Reply) -> bool:
    return reply.code == 354 if stage is Stage.DATA else reply.code // 100 == 2


def _refuse(stage: Stage, reply: Reply, command: str | None) -> NoReturn:
    if reply.code < 400:
        text = f'The server answered {command or "the connection"} with "{reply.text}", which has no meaning there'
        raise SmtpError(stage, text, fault=Fault.MALFORMED_REPLY, command=command)
    raise SmtpError(stage, reply.text, reply=reply, command=command)
