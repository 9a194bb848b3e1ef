"""An SMTP client (RFC 5321) that reuses its connections, pipelines (RFC 2920), and writes down every line both ways."""

import asyncio
import re
import ssl
from base64 import b64encode
from contextlib import suppress
from dataclasses import field
from typing import NoReturn

from waybill.model.clock import Clock
from waybill.model.outcome import Line, Reply, Stage, Tls
from waybill.model.record import record
from waybill.net.smtp_target import Fault, SmtpError, Target, Timeouts, TlsMode, connect_error
from waybill.net.smtp_wire import Wire, tls_words
from waybill.net.tls import ClientTls


@record(frozen=True, kw_only=True, slots=True)
class ClientSettings:
    """How the client presents itself and how it behaves, the same towards everybody."""

    helo: str
    tls: ClientTls
    clock: Clock
    timeouts: Timeouts = field(default_factory=Timeouts)


@record(frozen=True, kw_only=True, slots=True)
class Envelope:
    """One recipient's transaction; addresses without brackets, the empty ``mail_from`` is the null sender."""

    mail_from: str
    recipient: str
    content: bytes


class SmtpConnection:
    """A connection past its greeting. One transaction at a time; ``usable`` says whether there may be another."""

    def __init__(self, wire: Wire, settings: ClientSettings) -> None:
        self.wire = wire
        self.settings = settings
        self.extensions: dict[str, str] = {}
        self.tls: Tls | None = None
        self.source_ip = wire.local_ip()
        self.messages = 0
        self.answered = False  # whether the server has answered anything in the transaction under way
        self._busy = True

    @classmethod
    async def open(cls, target: Target, *, settings: ClientSettings, transcript: list[Line]) -> "SmtpConnection":
        """A connection on which MAIL may be sent: greeted, encrypted and authenticated as ``target`` asks.

        Raises:
            SmtpError: it did not come to that; the connection is closed.
        """
        wire = await _connect(target, settings, transcript)
        connection = cls(wire, settings)
        try:
            await connection._greet()
        except BaseException:
            wire.abort()
            raise
        connection._busy = False
        return connection

    @property
    def usable(self) -> bool:
        """Whether another transaction may begin: the last one ended cleanly, and the server still listens."""
        return not self._busy and self.wire.quiet

    async def send(self, envelope: Envelope) -> Reply:
        """The server's answer to a message that it took.

        Raises:
            SmtpError: it did not take it, or nobody knows. The connection is reset where that is possible.
        """
        wire = self.wire
        self._busy = True
        self.answered = False
        commands = self._commands(envelope)
        if "PIPELINING" in self.extensions:
            wire.send(*commands)
            await self._read_pipelined(commands)
        else:
            for stage, seconds, command in zip(_STAGES, self._patience(), commands, strict=True):
                wire.send(command)
                reply = await self._reply(stage, command, seconds)
                if not _agrees(stage, reply):
                    await self._refused(stage, reply, command)
        reply = await self._send_content(envelope.content)
        self.messages += 1
        self._busy = False
        return reply

    async def _send_content(self, content: bytes) -> Reply:
        wire, timeouts = self.wire, self.settings.timeouts
        wire.note(f"message, {len(content)} bytes")
        dots = content.replace(b"\r\n.", b"\r\n..")  # RFC 5321 §4.5.2
        first = b"." if content.startswith(b".") else b""
        # RFC 5321 §4.1.1.4: the end is a line of its own, so the line before it has to have ended.
        ending = b".\r\n" if content.endswith(b"\r\n") else b"\r\n.\r\n"
        whole = await wire.send_content(b"".join((first, dots, ending)), timeouts.block)
        try:
            reply = await self._reply(Stage.MESSAGE, "the message", timeouts.message)
        except SmtpError as error:
            if whole:
                raise _unknown(error) from error
            raise
        if not whole:  # the server has made up its mind before the end, and would take the rest for commands
            self.abort()
            _refuse(Stage.MESSAGE, reply, None)
        if reply.code // 100 != 2:
            await self._refused(Stage.MESSAGE, reply, ".")
        return reply

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
        command = f"EHLO {self.settings.helo}"
        self.wire.send(command)
        reply = await self.wire.reply(Stage.EHLO, command, seconds)
        self.extensions = {}
        if reply.code // 100 == 2:
            for line in reply.lines[1:]:
                keyword, _, value = line.replace("AUTH=", "AUTH ", 1).partition(" ")
                self.extensions.setdefault(keyword.upper(), value.strip())
        elif reply.code in (500, 501, 502, 504, 550) and self.tls is None:  # RFC 5321 §3.2
            command = f"HELO {self.settings.helo}"
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
                raise SmtpError(Stage.STARTTLS, text, fault=Fault.TLS_NOT_OFFERED, command=f"EHLO {self.settings.helo}")
            return
        wire.send("STARTTLS")
        reply = await wire.reply(Stage.STARTTLS, "STARTTLS", seconds)
        if reply.code != 220:
            if reply.code == 421:
                _refuse(Stage.STARTTLS, reply, "STARTTLS")
            if required:
                text = f'{target} answered STARTTLS with "{reply.text}", and this message must not go without TLS'
                raise SmtpError(Stage.STARTTLS, text, fault=Fault.TLS_FAILED, command="STARTTLS")
            wire.note("STARTTLS is refused; TLS is not required, so the conversation goes on in clear")
            return
        await wire.start_tls(self.settings.tls.context, seconds)
        self._describe_tls()
        await self._ehlo()  # RFC 3207 §4.2: what was said before does not count

    def _describe_tls(self) -> None:
        target = self.wire.target
        self.tls = tls = self.settings.tls.describe(self.wire.session(), target.host)
        worth = "certificate verified" if tls.verified else f"certificate not verified: {tls.why_not_verified}"
        self.wire.note(f"{tls.version} {tls.cipher}, {worth}")
        if target.verify and not tls.verified:
            text = f"The certificate of {target} is not to be trusted: {tls.why_not_verified}"
            raise SmtpError(Stage.STARTTLS, text, fault=Fault.TLS_FAILED, command="STARTTLS")

    async def _authenticate(self) -> None:
        wire, credentials = self.wire, self.wire.target.credentials
        assert credentials is not None
        user, password = credentials.user.encode(), credentials.password.encode()
        mechanisms = self.extensions.get("AUTH", "").upper().split()
        steps: tuple[tuple[str, str], ...]
        if "LOGIN" in mechanisms and "PLAIN" not in mechanisms:
            steps = (("AUTH LOGIN", "AUTH LOGIN"), (_base64(user), "(user name)"), (_base64(password), "(password)"))
        else:  # RFC 4616; a server that offers nothing says best itself what is wrong
            initial = _base64(b"\0" + user + b"\0" + password)
            steps = ((f"AUTH PLAIN {initial}", "AUTH PLAIN (secret)"),)
        for step, (line, shown) in enumerate(steps, 1):
            wire.send(line, shown=shown)
            reply = await wire.reply(Stage.AUTH, shown, self.settings.timeouts.auth)
            if reply.code != (235 if step == len(steps) else 334):
                _refuse(Stage.AUTH, reply, shown)

    # the transaction

    def _commands(self, envelope: Envelope) -> tuple[str, str, str]:
        parameters = ""
        size, limit = len(envelope.content), self.extensions.get("SIZE")
        if limit is not None:  # RFC 1870
            if limit.isascii() and limit.isdigit() and 0 < int(limit) < size:
                text = f"{self.wire.target} takes messages of up to {limit} bytes; this one has {size}"
                self._give_up(Stage.MAIL, text, Fault.SIZE_EXCEEDED)
            parameters += f" SIZE={size}"
        if not envelope.content.isascii():
            # Not offered and sent all the same, as most servers do: converting would break the DKIM signature.
            parameters += " BODY=8BITMIME" if "8BITMIME" in self.extensions else ""  # RFC 6152
        if not (envelope.mail_from.isascii() and envelope.recipient.isascii()):  # RFC 6531 §3.4
            if "SMTPUTF8" not in self.extensions:
                text = f"{self.wire.target} does not offer SMTPUTF8, which an address that is not ASCII needs"
                self._give_up(Stage.MAIL, text, Fault.I18N_UNSUPPORTED)
            parameters += " SMTPUTF8"
        if _CONTROL.search(envelope.mail_from) or _CONTROL.search(envelope.recipient):
            raise ValueError(f"control character in the envelope {envelope.mail_from!r} {envelope.recipient!r}")
        return f"MAIL FROM:<{envelope.mail_from}>{parameters}", f"RCPT TO:<{envelope.recipient}>", "DATA"

    def _give_up(self, stage: Stage, text: str, fault: Fault) -> NoReturn:
        self._busy = False  # nothing was sent
        self.wire.note(text)
        raise SmtpError(stage, text, fault=fault)

    def _patience(self) -> tuple[float, float, float]:
        timeouts = self.settings.timeouts
        return timeouts.mail, timeouts.rcpt, timeouts.data

    async def _read_pipelined(self, commands: tuple[str, str, str]) -> None:
        first_refusal: tuple[Stage, Reply, str] | None = None
        for stage, seconds, command in zip(_STAGES, self._patience(), commands, strict=True):
            try:
                reply = await self._reply(stage, command, seconds)
            except SmtpError:
                if first_refusal is not None:  # it said no and hung up: the no is what counts
                    _refuse(*first_refusal)
                raise
            if first_refusal is None and not _agrees(stage, reply):
                first_refusal = stage, reply, command
        if first_refusal is None:
            return
        if reply.code == 354:  # RFC 2920 §3.1: DATA was taken although no recipient was; an empty message ends it
            self.wire.send(".")
            try:
                await self.wire.reply(Stage.DATA, ".", self.settings.timeouts.message)
            except SmtpError:
                _refuse(*first_refusal)
        await self._refused(*first_refusal)

    async def _reply(self, stage: Stage, command: str, seconds: float) -> Reply:
        reply = await self.wire.reply(stage, command, seconds)
        self.answered = self.answered or reply.code != 421
        return reply

    async def _refused(self, stage: Stage, reply: Reply, command: str) -> NoReturn:
        """Makes the connection fit for another transaction, then reports the refusal of this one."""
        if 400 <= reply.code != 421:  # RFC 5321 §3.8: after a 421 the server closes
            self.wire.send("RSET")
            with suppress(SmtpError):  # then the connection stays busy, that is: it is not used again
                reset = await self.wire.reply(stage, "RSET", self.settings.timeouts.mail)
                self._busy = reset.code != 250
        _refuse(stage, reply, command)


_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_STAGES = (Stage.MAIL, Stage.RCPT, Stage.DATA)


async def _connect(target: Target, settings: ClientSettings, transcript: list[Line]) -> Wire:
    wire = Wire(target, clock=settings.clock, transcript=transcript)
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


def _unknown(error: SmtpError) -> SmtpError:
    return SmtpError(
        Stage.MESSAGE,
        f"{error.text}. All of it had been sent: whether it was taken is not known, and sending it again may duplicate it",
        fault=error.fault,
        command=".",
        content_sent=True,
    )


def _base64(octets: bytes) -> str:
    return b64encode(octets).decode("ascii")
