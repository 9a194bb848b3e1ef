"""One SMTP conversation from the server's side (RFC 5321): the order of commands, limits, and what a policy is asked."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from waybill.net.smtp_command import (
    Command,
    CommandError,
    decode_base64,
    parse_command,
    parse_mail,
    parse_plain,
    parse_rcpt,
)
from waybill.net.smtp_data import Fault, IncomingMessage
from waybill.net.smtp_policy import OK, Answer, Envelope, Policy, SessionConfig
from waybill.net.smtp_stream import Disconnected, LineTooLong, ServiceEnding, SilentTooLong, SmtpStream

log = logging.getLogger(__name__)

_REPLY_LIMIT = 2000
_TOO_MANY = 452  # RFC 5321 §4.5.3.1.10: no error of the client's, who sends to the others in another transaction
_UNPRINTABLE = dict.fromkeys((*range(32), 127), " ")
_FOREIGN_VERBS = frozenset({"CONNECT", "GET", "HEAD", "OPTIONS", "POST", "PUT"})


class SmtpSession:
    """Reads commands from the stream, asks the policy, says the replies."""

    def __init__(self, stream: SmtpStream, policy: Policy, config: SessionConfig) -> None:
        self._stream = stream
        self._policy = policy
        self._config = config
        self._limits = config.limits
        self._hello: str | None = None
        self._authenticated = False
        self._sender: str | None = None
        self._recipients: list[str] = []
        self._started_at = 0
        self._errors = 0
        self._idle_commands = 0
        self._over = False
        self._verbs: dict[str, Callable[[str], Awaitable[Answer | None]]] = {
            "EHLO": self._ehlo,
            "HELO": self._helo,
            "MAIL": self._mail,
            "RCPT": self._rcpt,
            "DATA": self._data,
            "RSET": self._rset,
            "NOOP": self._noop,
            "QUIT": self._quit,
            "VRFY": self._vrfy,
            "STARTTLS": self._starttls,
            "AUTH": self._auth,
        }

    async def run(self) -> None:
        """Converses until either side ends it; leaves the connection closed."""
        try:
            self._say(Answer(220, f"{self._config.hostname} {self._config.greeting}"))
            while not self._over:
                await self._turn()
        except Disconnected:
            pass
        except SilentTooLong:
            self._say(Answer(451, "Timeout waiting for data from client"))
        except ServiceEnding:
            self._say(Answer(421, f"{self._config.hostname} Service closing transmission channel"))
        finally:
            self._stream.close()

    async def _turn(self) -> None:
        try:
            line = await self._stream.line(self._limits.max_line, self._limits.command_timeout)
            command = parse_command(line)
            answer = await self._obey(command)
        except LineTooLong:
            answer = Answer(500, "Line too long")
        except CommandError as error:
            answer = Answer(error.code, error.text)
        if answer is not None:
            self._say(answer)
            if answer.code in (421, 221):
                self._over = True
            elif not answer.accepted and answer.code != _TOO_MANY:
                self._count_error()

    async def _obey(self, command: Command) -> Answer | None:
        self._idle_commands += 1
        if self._idle_commands > self._limits.max_idle_commands:
            return Answer(421, "Too many commands without a message")
        obey = self._verbs.get(command.verb)
        if obey is None:
            if command.verb in _FOREIGN_VERBS:  # a browser was talked into it; what follows are none of its commands
                return Answer(421, "Error: this is an SMTP server")
            return Answer(500, "Error: command not recognized")
        return await obey(command.argument)

    def _count_error(self) -> None:
        self._errors += 1
        if self._errors >= self._limits.max_errors:
            self._say(Answer(421, "Too many errors on this connection"))
            self._over = True

    def _say(self, answer: Answer) -> None:
        if answer is OK:
            self._stream.say(b"250 Ok\r\n")
            return
        text = answer.text if answer.text.isprintable() else answer.text.translate(_UNPRINTABLE)
        self._stream.say(f"{answer.code} {text[:_REPLY_LIMIT]}\r\n".encode("ascii", "replace"))

    async def _asked(self, question: Awaitable[Answer]) -> Answer:
        try:
            return await question
        except Exception:  # whatever a door runs into, the client gets a reply and may try again
            log.exception("smtp_policy_failed peer=%s", self._stream.peer.ip)
            return Answer(451, "Temporary service failure")

    def _reset(self) -> None:
        self._sender = None
        self._recipients.clear()

    # greeting

    async def _ehlo(self, argument: str) -> Answer | None:
        if not argument:
            return Answer(501, "Syntax error: EHLO hostname")
        self._hello = argument
        self._reset()
        lines = [self._config.hostname, "8BITMIME", f"SIZE {self._limits.max_size}", "PIPELINING"]
        if self._config.tls is not None and self._stream.tls_version is None:
            lines.append("STARTTLS")
        if self._config.authentication and self._auth_is_safe():
            lines.append("AUTH PLAIN LOGIN")
        for line in lines:
            self._stream.say(f"250-{line}\r\n".encode("ascii", "replace"))
        return OK

    async def _helo(self, argument: str) -> Answer:
        if not argument:
            return Answer(501, "Syntax error: HELO hostname")
        self._hello = argument
        self._reset()
        return Answer(250, self._config.hostname)

    async def _starttls(self, argument: str) -> Answer | None:
        if argument:
            return Answer(501, "Syntax error: STARTTLS has no parameters")
        if self._config.tls is None:
            return Answer(502, "Error: TLS is not set up on this server")
        if self._stream.tls_version is not None:
            return Answer(503, "Error: TLS is up already")
        self._say(Answer(220, "Ready to start TLS"))
        await self._stream.start_tls(self._config.tls, self._limits.command_timeout)
        self._hello = None  # RFC 3207 §4.2: whatever was learnt in clear is forgotten
        self._authenticated = False
        self._reset()
        return None

    # authentication (RFC 4954)

    def _auth_is_safe(self) -> bool:
        if self._config.tls is not None:
            return self._stream.tls_version is not None
        return self._stream.peer.is_loopback

    def _auth_fault(self) -> Answer | None:
        if not self._config.authentication:
            return Answer(502, "Error: AUTH is not offered")
        if self._hello is None:
            return Answer(503, "Error: send EHLO first")
        if self._authenticated or self._sender is not None:
            return Answer(503, "Error: AUTH is not possible now")
        if self._auth_is_safe():
            return None
        if self._config.tls is not None:
            return Answer(530, "Must issue a STARTTLS command first")
        return Answer(530, "Authentication is taken over TLS only, and TLS is not set up on this server")

    async def _auth(self, argument: str) -> Answer:
        fault = self._auth_fault()
        if fault is not None:
            return fault
        mechanism, _, initial = argument.partition(" ")
        match mechanism.upper():
            case "PLAIN":
                username, password = parse_plain(initial.encode() or await self._challenge(""))
            case "LOGIN":
                name = initial.encode() or await self._challenge("VXNlcm5hbWU6")
                username = decode_base64(name)
                password = decode_base64(await self._challenge("UGFzc3dvcmQ6"))
            case _:
                return Answer(504, "Unrecognized authentication type; PLAIN and LOGIN are known")
        answer = await self._asked(self._policy.authenticate(username, password))
        self._authenticated = answer.accepted
        return answer

    async def _challenge(self, base64_text: str) -> bytes:
        self._stream.say(f"334 {base64_text}\r\n".encode())
        line = await self._stream.line(self._limits.max_line, self._limits.command_timeout)
        response = parse_command(line)  # for its checks only; base64 holds no space, so the verb is all
        if response.verb == "*":
            raise CommandError(501, "Authentication cancelled")
        return line[:-2]

    # the mail transaction

    async def _mail(self, argument: str) -> Answer:
        if self._hello is None:
            return Answer(503, "Error: send EHLO or HELO first")
        if self._config.authentication and not self._authenticated:
            return Answer(530, "Authentication required")
        if self._sender is not None:
            return Answer(503, "Error: nested MAIL command")
        path = parse_mail(argument)
        if path.size is not None and path.size > self._limits.max_size:
            return Answer(552, "Message is too long.")
        answer = await self._asked(self._policy.mail(path))
        if answer.accepted:
            self._sender = path.address
            self._started_at = self._config.clock()
        return answer

    async def _rcpt(self, argument: str) -> Answer:
        if self._sender is None:
            return Answer(503, "Error: need MAIL command")
        address = parse_rcpt(argument)
        if len(self._recipients) >= self._limits.max_recipients:
            return Answer(_TOO_MANY, "Too many recipients")
        answer = await self._asked(self._policy.rcpt(address))
        if answer.accepted:
            self._recipients.append(address)
        return answer

    async def _data(self, argument: str) -> Answer:
        if argument:
            return Answer(501, "Syntax error: DATA has no parameters")
        if self._sender is None:
            return Answer(503, "Error: need MAIL command")
        if not self._recipients:
            return Answer(554, "Error: no valid recipients")
        self._say(Answer(354, "End data with <CR><LF>.<CR><LF>"))
        message = IncomingMessage(self._limits.max_size)
        try:
            await self._receive(message)
            answer = _fault_answer(message.fault) if message.fault else await self._deliver(message)
        finally:
            message.close()
            self._reset()
        return answer

    async def _receive(self, message: IncomingMessage) -> None:
        while True:
            rest = message.feed(await self._stream.octets(self._limits.data_timeout))
            if rest is not None:
                self._stream.put_back(rest)
                return

    async def _deliver(self, message: IncomingMessage) -> Answer:
        assert self._sender is not None
        envelope = Envelope(
            sender=self._sender,
            recipients=tuple(self._recipients),
            peer=self._stream.peer,
            hello=self._hello or "",
            tls=self._stream.tls_version,
            started_at=self._started_at,
            received_at=self._config.clock(),
        )
        if message.spooled:
            async with self._config.spooled_at_once:
                content = await asyncio.to_thread(message.content)
                answer = await self._asked(self._policy.message(envelope, content))
        else:
            answer = await self._asked(self._policy.message(envelope, message.content()))
        if answer.accepted:
            self._idle_commands = 0
            self._errors = 0
        return answer

    # the rest

    async def _rset(self, _argument: str) -> Answer:
        self._reset()
        return OK

    async def _noop(self, _argument: str) -> Answer:
        return OK

    async def _vrfy(self, _argument: str) -> Answer:
        return Answer(252, "Cannot verify; send a message and see")

    async def _quit(self, _argument: str) -> Answer:
        return Answer(221, "Bye")


def _fault_answer(fault: Fault) -> Answer:
    match fault:
        case Fault.TOO_LONG:
            return Answer(552, "Message is too long.")
        case Fault.NO_ROOM:
            return Answer(452, "Insufficient system storage")
