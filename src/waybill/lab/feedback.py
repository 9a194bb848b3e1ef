"""Mail that receivers send back after the 250, posted to the address it must come home to."""

import asyncio
import contextlib
from dataclasses import dataclass

from waybill.lab.report import Incident, write_auto_reply, write_bounce, write_complaint, write_delay
from waybill.lab.script import AfterEffect
from waybill.mail.reply import MalformedReply, ReplyParser

ATTEMPTS = 5
ANSWER_TIMEOUT = 10.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Feedback:
    """Where it is posted, how long after the 250 and how long between tries (seconds), and as whom complaints speak."""

    host: str
    port: int
    delay: float = 0.5
    pause: float = 0.5
    user_agent: str = "Waybill-Lab/1"


class Returning:
    """Sends what a script promises, in the background. Without a :class:`Feedback`, and to the null sender, nothing."""

    def __init__(self, feedback: Feedback | None) -> None:
        self._feedback = feedback
        self._pending: set[asyncio.Task[None]] = set()

    def send(self, effect: AfterEffect, incident: Incident) -> None:
        """Post the report of ``incident`` a moment later."""
        if self._feedback is None or not incident.mail_from:  # RFC 5321 §4.5.5: never answer the null reverse-path
            return
        task = asyncio.create_task(self._post(self._feedback, effect, incident))
        self._pending.add(task)
        task.add_done_callback(self._pending.discard)

    async def close(self) -> None:
        """Give up what has not been posted yet."""
        pending = tuple(self._pending)
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)

    async def _post(self, feedback: Feedback, effect: AfterEffect, incident: Incident) -> None:
        await asyncio.sleep(feedback.delay)
        match effect:
            case AfterEffect.BOUNCE:
                content = write_bounce(incident)
            case AfterEffect.DELAY:
                content = write_delay(incident)
            case AfterEffect.COMPLAINT:
                content = write_complaint(incident, feedback.user_agent)
            case AfterEffect.AUTO_REPLY:
                content = write_auto_reply(incident)
        for _ in range(ATTEMPTS):  # the inbound port may open later than the lab
            with contextlib.suppress(OSError, TimeoutError, MalformedReply):
                if await _submit(feedback, incident.mail_from, content):
                    return
            await asyncio.sleep(feedback.pause)


async def _submit(feedback: Feedback, recipient: str, content: bytes) -> bool:
    """Hand a message over from the null sender; True where the answer is final, be it yes or no."""
    reader, writer = await asyncio.open_connection(feedback.host, feedback.port)
    replies = ReplyParser()
    stuffed = content.replace(b"\r\n.", b"\r\n..")
    try:
        for octets, expected in (
            (b"", 2),
            (b"EHLO mx.lab.example\r\n", 2),
            (b"MAIL FROM:<>\r\n", 2),
            (f"RCPT TO:<{recipient}>\r\n".encode(), 2),
            (b"DATA\r\n", 3),
            (stuffed + b".\r\n", 2),
        ):
            writer.write(octets)
            code = await _read_code(reader, replies)
            if code // 100 != expected:
                return code >= 500
        writer.write(b"QUIT\r\n")
        await _read_code(reader, replies)
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
    return True


async def _read_code(reader: asyncio.StreamReader, replies: ReplyParser) -> int:
    while True:
        octets = await asyncio.wait_for(reader.read(4_096), ANSWER_TIMEOUT)
        if not octets:
            return 421
        for reply in replies.feed(octets):
            return reply.code
