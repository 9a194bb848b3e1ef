"""A receiving SMTP server that follows a script (RFC 5321), so that every way a receiver can behave is at hand."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from waybill.lab.feedback import Feedback, Returning
from waybill.lab.report import Incident
from waybill.lab.script import Prompter, Rule, Script
from waybill.lab.wire import Hangup, Wire
from waybill.model.clock import Clock, Instant, now
from waybill.model.outcome import Stage

KEPT_MESSAGES = 1_000
KEPT_OCTETS = 64 * 1024 * 1024
MESSAGE_LIMIT = 64 * 1024 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Received:
    """A message the receiver took, byte for byte, with its envelope."""

    at: Instant
    peer: str
    helo: str
    encrypted: bool
    mail_from: str
    mail_parameters: tuple[str, ...]
    recipients: tuple[str, ...]
    content: bytes


class Receiver:
    """The server. ``async with Receiver(script) as mx: mx.port, mx.received``; the oldest messages are forgotten."""

    def __init__(
        self,
        script: Script,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        feedback: Feedback | None = None,
        clock: Clock = now,
    ) -> None:
        self.script = script
        self.received: deque[Received] = deque(maxlen=KEPT_MESSAGES)
        self.taken_count = 0
        self.connection_count = 0
        self.host = host
        self.port = port
        self._prompter = Prompter(script)
        self._returning = Returning(feedback)
        self._clock = clock
        self._server: asyncio.Server | None = None
        self._conversations: set[asyncio.Task[None]] = set()
        self._kept_octets = 0
        self._arrival = asyncio.Event()

    async def start(self) -> None:
        """Begin to listen.

        Raises:
            OSError: the port is taken, or the address is not ours.
        """
        self._server = await asyncio.start_server(self._meet, self.host, self.port)
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Hang up on everybody, and send no more feedback."""
        if self._server is not None:
            self._server.close()
        pending = tuple(self._conversations)
        for conversation in pending:
            conversation.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        await self._returning.close()
        if self._server is not None:
            await self._server.wait_closed()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def take(self, message: Received) -> None:
        """Keep a message, and forget the oldest beyond what memory is allowed."""
        if len(self.received) == KEPT_MESSAGES:
            self._kept_octets -= len(self.received.popleft().content)
        self.received.append(message)
        self.taken_count += 1
        self._arrival.set()
        self._kept_octets += len(message.content)
        while self._kept_octets > KEPT_OCTETS and len(self.received) > 1:
            self._kept_octets -= len(self.received.popleft().content)

    async def wait(self, count: int) -> None:
        """Return when ``count`` messages have been taken since the start."""
        while self.taken_count < count:
            self._arrival.clear()
            await self._arrival.wait()

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._conversations.add(task)
        self.connection_count += 1
        wire = Wire(reader, writer)
        try:
            await _Conversation(wire, self, self._prompter, self._returning, self._clock).hold()
        except (Hangup, ConnectionError, TimeoutError, asyncio.CancelledError):
            pass  # the conversation is over, whoever ended it
        finally:
            self._conversations.discard(task)
            await wire.close()


class _Conversation:
    """One SMTP session, from greeting to farewell."""

    def __init__(self, wire: Wire, receiver: Receiver, prompter: Prompter, returning: Returning, clock: Clock) -> None:
        self._wire = wire
        self._receiver = receiver
        self._script = receiver.script
        self._prompter = prompter
        self._returning = returning
        self._clock = clock
        self._helo = ""
        self._forget()

    def _forget(self) -> None:
        self._mail_from: str | None = None
        self._parameters: tuple[str, ...] = ()
        self._recipients: list[str] = []
        self._chunks: list[bytes] = []

    async def hold(self) -> None:
        await self._answer(Stage.GREETING, f"220 {self._script.name} ESMTP")
        while True:
            line = await self._wire.line()
            verb, _, rest = line.partition(" ")
            match verb.upper():
                case "EHLO" | "HELO":
                    await self._ehlo(verb.upper(), rest)
                case "STARTTLS":
                    await self._starttls()
                case "MAIL":
                    await self._mail(rest)
                case "RCPT":
                    await self._rcpt(rest)
                case "DATA":
                    await self._data()
                case "BDAT":
                    await self._bdat(rest)
                case "RSET":
                    self._forget()
                    await self._wire.say("250 2.0.0 Ok")
                case "NOOP":
                    await self._wire.say("250 2.0.0 Ok")
                case "QUIT":
                    await self._wire.say("221 2.0.0 Bye")
                    return
                case _:
                    await self._wire.say("500 5.5.2 Command not recognised")

    async def _answer(
        self, stage: Stage, usual: str | Callable[[], str], recipients: tuple[str, ...] = ()
    ) -> tuple[bool, Rule | None]:
        """Say what the script says at this stage; True where that was a yes."""
        rule = self._prompter.find(stage, recipients)
        return await self._play(rule, usual), rule

    async def _play(self, rule: Rule | None, usual: str | Callable[[], str]) -> bool:
        if rule is not None and rule.delay:
            await asyncio.sleep(rule.delay)
        if rule is not None and rule.disconnect and not rule.reply:
            raise Hangup
        reply = rule.reply if rule is not None and rule.reply else usual if isinstance(usual, str) else usual()
        await self._wire.say(reply)
        if rule is not None and rule.disconnect:
            raise Hangup
        return reply[:1] in {"2", "3"}

    async def _ehlo(self, verb: str, name: str) -> None:
        self._forget()
        self._helo = name
        if verb == "EHLO" and not self._script.offers.ehlo:
            await self._wire.say("502 5.5.1 EHLO not implemented")
            return
        keywords = self._script.offers.keywords(encrypted=self._wire.encrypted) if verb == "EHLO" else ()
        lines = (f"{self._script.name} greets {name}", *keywords)
        text = "\n".join(f"250{' ' if line is lines[-1] else '-'}{line}" for line in lines)
        await self._answer(Stage.EHLO, text)

    async def _starttls(self) -> None:
        context = self._script.offers.starttls
        if context is None or self._wire.encrypted:
            await self._wire.say("502 5.5.1 STARTTLS is not offered")
            return
        agreed, _ = await self._answer(Stage.STARTTLS, "220 2.0.0 Ready to start TLS")
        if agreed:
            await self._wire.start_tls(context)
            self._forget()

    async def _mail(self, rest: str) -> None:
        address, parameters = _read_path(rest, "FROM:")
        if address is None or self._mail_from is not None:
            await self._wire.say("503 5.5.1 Bad sequence of commands" if address else "501 5.5.4 Syntax: MAIL FROM:<…>")
            return
        size = self._script.offers.size
        declared = next(
            (int(word[5:]) for word in parameters if word.upper().startswith("SIZE=") and word[5:].isdigit()), 0
        )
        if size and declared > size:
            await self._wire.say(_too_big(size))
            return
        agreed, _ = await self._answer(Stage.MAIL, "250 2.1.0 Ok")
        if agreed:
            self._mail_from, self._parameters = address, parameters

    async def _rcpt(self, rest: str) -> None:
        address, _ = _read_path(rest, "TO:")
        if self._mail_from is None or not address:
            await self._wire.say(
                "503 5.5.1 Need MAIL before RCPT" if address else "501 5.5.4 Syntax: RCPT TO:<address>"
            )
            return
        ours = self._prompter.is_ours(address)
        usual = "250 2.1.5 Ok" if ours else self._script.not_ours.format(recipient=address)
        agreed, _ = await self._answer(Stage.RCPT, usual, (address,))
        if agreed:
            self._recipients.append(address)

    async def _data(self) -> None:
        recipients = tuple(self._recipients)
        usual = "354 End data with <CR><LF>.<CR><LF>" if recipients else "554 5.5.1 No valid recipients"
        agreed, _ = await self._answer(Stage.DATA, usual, recipients)
        if not agreed:
            return
        await self._judge(await self._wire.content(MESSAGE_LIMIT))

    async def _bdat(self, rest: str) -> None:
        """A chunk (RFC 3030 §2). A rule for DATA that refuses is heard at the first; the chunk is read all the same."""
        count, _, last = rest.strip().partition(" ")
        if not self._script.offers.chunking:
            await self._wire.say("500 5.5.2 Command not recognised")
            return
        if not (count.isascii() and count.isdigit() and last.upper() in {"", "LAST"}):
            await self._wire.say("501 5.5.4 Syntax: BDAT count [LAST]")
            return
        if len(count) > 10 or int(count) + sum(map(len, self._chunks)) > MESSAGE_LIMIT:
            raise Hangup
        chunk = await self._wire.octets(int(count))
        recipients = tuple(self._recipients)
        if not recipients:
            await self._wire.say("503 5.5.1 No valid recipients")
            return
        rule = None if self._chunks else self._prompter.find(Stage.DATA, recipients)
        if rule is not None and (rule.disconnect or rule.reply[:1] in {"4", "5"}):
            self._forget()
            await self._play(rule, "")
            return
        self._chunks.append(chunk)
        if last:
            await self._judge(b"".join(self._chunks))
        else:
            await self._wire.say(f"250 2.0.0 {count} octets received")

    async def _judge(self, content: bytes) -> None:
        recipients = tuple(self._recipients)
        size = self._script.offers.size
        message = Received(
            at=self._clock(),
            peer=self._wire.peer,
            helo=self._helo,
            encrypted=self._wire.encrypted,
            mail_from=self._mail_from or "",
            mail_parameters=self._parameters,
            recipients=recipients,
            content=content,
        )
        self._forget()
        if size and len(content) > size:
            await self._wire.say(_too_big(size))
            return
        if not recipients:
            await self._wire.say("554 5.5.1 No valid recipients")
            return
        taken, rule = await self._answer(Stage.MESSAGE, self._script.taken, recipients)
        if not taken:
            return
        self._receiver.take(message)
        if rule is not None and rule.after is not None:
            self._returning.send(
                rule.after,
                Incident(
                    reporter=self._script.name,
                    mail_from=message.mail_from,
                    recipient=recipients[0],
                    content=content,
                    at=message.at,
                ),
            )


def _read_path(rest: str, keyword: str) -> tuple[str | None, tuple[str, ...]]:
    """The address and the parameters of ``FROM:<a@b> SIZE=1`` (RFC 5321 §4.1.2); None where there is none."""
    if not rest.upper().startswith(keyword):
        return None, ()
    path, _, parameters = rest[len(keyword) :].strip().partition(">")
    if not path.startswith("<"):
        return None, ()
    return path[1:], tuple(parameters.split())


def _too_big(size: int) -> str:
    return f"552 5.3.4 Message size exceeds fixed limit of {size} octets"
