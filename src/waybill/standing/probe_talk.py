"""The conversation of a walk with one address: greeting, EHLO, STARTTLS, MAIL and RCPT, then RSET and QUIT. Never DATA."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field, replace

from waybill.model.ip import is_loopback
from waybill.model.outcome import Line, Reply, Stage, Tls
from waybill.model.probe import ProbedHost, Step
from waybill.net.smtp_auth import write_login
from waybill.net.smtp_client import ClientSettings, connect
from waybill.net.smtp_envelope import Envelope, write_commands
from waybill.net.smtp_target import Fault, SmtpError, Target, TlsMode
from waybill.net.smtp_wire import Wire
from waybill.standing.probe_errand import Errand, Means
from waybill.standing.probe_log import WalkLog

NOT_OFFERED = "STARTTLS is not offered"


@dataclass(kw_only=True, slots=True)
class _Known:
    """What a conversation has come to so far."""

    extensions: dict[str, str] = field(default_factory=dict)
    tls: Tls | None = None
    source_ip: str | None = None
    clear_because: str | None = None


class Talk:
    """The conversation with one address, from the connection to the farewell."""

    def __init__(self, target: Target, errand: Errand, means: Means, log: WalkLog, deadline: float) -> None:
        self._target = target
        self._errand = errand
        self._means = means
        self._log = log
        self._deadline = deadline
        self._known = _Known()
        self._transcript: list[Line] = []
        self._wire: Wire | None = None

    async def hold(self) -> ProbedHost:
        """How far it came. A broken handshake is followed by a conversation in clear, as a delivery would have it."""
        try:
            found = await self._try()
        except SmtpError as error:
            target = self._target
            if (
                error.fault is not Fault.TLS_FAILED
                or target.tls is not TlsMode.OPPORTUNISTIC
                or target.dane is not None
            ):
                return self._result(error.stage, error.text, error.reply)
            self._target = replace(target, tls=TlsMode.CLEAR)
            self._known, self._wire = _Known(clear_because=error.text), None
            try:
                found = await self._try()
            except SmtpError as again:
                return self._result(again.stage, again.text, again.reply)
        return found

    async def _try(self) -> ProbedHost:
        try:
            reply = await self._talk()
            await self._leave()
        finally:
            if self._wire is not None:
                self._wire.abort()
                await self._wire.closed
        return self._result(Stage.RCPT, reply.text, reply)

    def _result(self, stage: Stage, text: str, reply: Reply | None) -> ProbedHost:
        known, target = self._known, self._target
        return ProbedHost(
            host=target.host,
            stage=stage,
            text=text,
            ip=target.ip,
            port=target.port,
            reply=reply,
            tls=known.tls,
            source_ip=known.source_ip,
            clear_because=known.clear_because,
        )

    async def _talk(self) -> Reply:
        """The answer to RCPT. Raises: SmtpError."""
        timeouts = self._means.timeouts
        await self._connect()
        await self._say(Step.GREETING, Stage.GREETING, None, timeouts.greeting)
        await self._ehlo(shown=True)
        if self._target.tls is TlsMode.OPPORTUNISTIC:
            await self._starttls()
        if self._target.credentials is not None:
            await self._log_in()
        errand = self._errand
        began = self._means.clock()
        try:
            envelope = Envelope(mail_from=errand.mail_from, recipient=errand.recipient, content=b"")
            commands = write_commands(envelope, self._known.extensions, self._target)
        except SmtpError as error:
            self._note(Step.MAIL, began, ok=False, text=error.text)
            raise
        # The content is not at hand, but how long it was is known.
        mail = commands.mail.replace(" SIZE=0", f" SIZE={errand.size}" if errand.size else "", 1)
        await self._say(Step.MAIL, Stage.MAIL, mail, timeouts.mail)
        return await self._say(Step.RCPT, Stage.RCPT, commands.rcpt, timeouts.rcpt, any_reply=True)

    async def _connect(self) -> None:
        means, began = self._means, self._means.clock()
        settings = ClientSettings(helo=self._errand.helo, tls=means.tls, clock=means.clock, timeouts=means.timeouts)
        try:
            self._wire = await connect(self._target, settings, self._transcript)
        except SmtpError as error:
            self._note(Step.CONNECT, began, ok=False, text=error.text)
            raise
        self._wire.allow(max(0.0, self._deadline - asyncio.get_running_loop().time()))
        self._known.source_ip = self._wire.local_ip()
        self._note(Step.CONNECT, began, ok=True, text=f"port {self._target.port}, from {self._known.source_ip}")
        if self._target.tls is TlsMode.IMPLICIT:
            self._known.tls = means.tls.describe(self._wire.session(), self._target.host)

    async def _say(
        self, step: Step, stage: Stage, command: str | None, seconds: float, *, any_reply: bool = False
    ) -> Reply:
        """The reply to a command (None: the greeting); unless ``any_reply`` will do, a yes. Raises: SmtpError."""
        began = self._means.clock()
        reply = await self._ask(step, stage, command, seconds)
        self._note(step, began, ok=reply.code // 100 == 2, text=reply.text)
        if reply.code // 100 != 2 and not any_reply:
            raise SmtpError(stage, reply.text, reply=reply, command=command)
        return reply

    async def _ask(self, step: Step, stage: Stage, command: str | None, seconds: float) -> Reply:
        began, wire = self._means.clock(), self._wire
        assert wire is not None
        if command is not None:
            wire.send(command)
        try:
            return await wire.reply(stage, command, seconds)
        except SmtpError as error:
            self._note(step, began, ok=False, text=error.text)
            raise

    async def _ehlo(self, *, shown: bool) -> None:
        began, seconds = self._means.clock(), self._means.timeouts.ehlo
        command = f"EHLO {self._errand.helo}"
        reply = await self._ask(Step.EHLO, Stage.EHLO, command, seconds)
        if reply.code in (500, 501, 502, 504, 550) and self._known.tls is None:  # RFC 5321 §3.2
            command = f"HELO {self._errand.helo}"
            reply = await self._ask(Step.EHLO, Stage.EHLO, command, seconds)
        agreed = reply.code // 100 == 2
        offered = reply.lines[1:] if agreed and command.startswith("EHLO") else ()
        self._known.extensions = {
            keyword.upper(): value.strip() for keyword, _, value in (line.partition(" ") for line in offered)
        }
        if shown or not agreed:
            offers = f"; offers {', '.join(self._known.extensions)}" if offered else ""
            self._note(
                Step.EHLO, began, ok=agreed, text=f"{reply.code} {reply.lines[0]}{offers}" if agreed else reply.text
            )
        if not agreed:
            raise SmtpError(Stage.EHLO, reply.text, reply=reply, command=command)

    async def _starttls(self) -> None:
        began, seconds, wire = self._means.clock(), self._means.timeouts.starttls, self._wire
        assert wire is not None
        if "STARTTLS" not in self._known.extensions:
            self._go_on_in_clear(NOT_OFFERED, began)
            return
        reply = await self._ask(Step.STARTTLS, Stage.STARTTLS, "STARTTLS", seconds)
        if reply.code != 220:
            self._go_on_in_clear(f'STARTTLS is offered, and answered with "{reply.text}"', began)
            return
        try:
            await wire.start_tls(self._means.tls.context, seconds)
        except SmtpError as error:
            self._note(Step.STARTTLS, began, ok=False, text=error.text)
            raise
        tls = self._means.tls.describe(wire.session(), self._target.host)
        worth = "certificate verified"
        if self._target.dane is not None:
            match = self._means.tls.match(wire.session(), self._target.dane)
            tls = replace(tls, verified=match.record is not None, why_not_verified=match.why_not)
            worth = f"the certificate fits the TLSA record {match.record}"
        self._known.tls = tls
        worth = worth if tls.verified else f"certificate not verified: {tls.why_not_verified}"
        subject = f" ({tls.peer_subject})" if tls.peer_subject else ""
        needed = self._target.dane is not None
        self._note(
            Step.STARTTLS, began, ok=tls.verified or not needed, text=f"{tls.version} {tls.cipher}, {worth}{subject}"
        )
        await self._ehlo(shown=False)  # RFC 3207 §4.2: what was said before does not count

    def _go_on_in_clear(self, because: str, began: int) -> None:
        self._known.clear_because = because
        needed = self._target.dane is not None
        self._note(Step.STARTTLS, began, ok=not needed, text=because)

    async def _log_in(self) -> None:
        """To our own relay; the password goes to whom we know only (or stays on this machine). Raises: SmtpError."""
        target, credentials, tls = self._target, self._target.credentials, self._known.tls
        assert credentials is not None
        near = is_loopback(target.ip) or self._means.machine.owns(target.ip)
        if not near and (tls is None or not tls.verified):
            text = "not tried: the relay's certificate is not verified, and the password goes to nobody else"
            self._note(Step.AUTH, self._means.clock(), ok=False, text=text)
            raise SmtpError(Stage.AUTH, text, fault=Fault.CERTIFICATE_UNTRUSTED)
        steps = write_login(credentials, self._known.extensions.get("AUTH", ""))
        began, wire = self._means.clock(), self._wire
        assert wire is not None
        for number, (line, shown) in enumerate(steps, 1):
            wire.send(line, shown=shown)
            reply = await wire.reply(Stage.AUTH, shown, self._means.timeouts.auth)
            if reply.code != (235 if number == len(steps) else 334):
                self._note(Step.AUTH, began, ok=False, text=reply.text)
                raise SmtpError(Stage.AUTH, reply.text, reply=reply, command=shown)
        self._note(Step.AUTH, began, ok=True, text=reply.text)

    async def _leave(self) -> None:
        """Takes the transaction back, and leave (RFC 5321 §4.1.1.5, §4.1.1.10)."""
        wire, seconds = self._wire, self._means.timeouts.quit
        assert wire is not None
        with suppress(SmtpError):  # leaving all the same
            for command in ("RSET", "QUIT"):
                if wire.quiet:
                    wire.send(command)
                    await wire.reply(Stage.RCPT, command, seconds)

    def _note(self, step: Step, began: int, *, ok: bool, text: str) -> None:
        self._log.add(step, began, ok=ok, text=text, host=self._target.host, ip=self._target.ip)
