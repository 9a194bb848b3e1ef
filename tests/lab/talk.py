"""A plain SMTP client for tests of the lab: one message, one recipient, and the reply that ended it."""

import asyncio
import contextlib
from dataclasses import dataclass

from waybill.mail.reply import ReplyParser
from waybill.model.outcome import Reply, Stage

CONTENT = b"From: a@b.example\r\nMessage-ID: <1@b.example>\r\nSubject: hello\r\n\r\n.dots\r\n..too\r\n.\r\nend\r\n"


@dataclass(frozen=True, slots=True)
class Said:
    """Where the conversation ended, and the reply that ended it; None: the connection was closed instead."""

    stage: Stage
    reply: Reply | None


async def submit(
    recipient: str,
    *,
    port: int,
    host: str = "127.0.0.1",
    content: bytes = CONTENT,
    mail_from: str = "r@b.example",
) -> Said:
    """Send one message as a polite client does, and return the first refusal or the final answer."""
    reader, writer = await asyncio.open_connection(host, port)
    parser = ReplyParser()
    said = Said(Stage.GREETING, None)
    try:
        for stage, octets in (
            (Stage.GREETING, b""),
            (Stage.EHLO, b"EHLO client.example\r\n"),
            (Stage.MAIL, f"MAIL FROM:<{mail_from}> SIZE={len(content)}\r\n".encode()),
            (Stage.RCPT, f"RCPT TO:<{recipient}>\r\n".encode()),
            (Stage.DATA, b"DATA\r\n"),
            (Stage.MESSAGE, _stuff(content) + b".\r\n"),
        ):
            writer.write(octets)
            said = Said(stage, await _next(reader, parser))
            if said.reply is None or said.reply.code >= 400:
                break
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
    return said


def _stuff(content: bytes) -> bytes:
    return (b"." if content.startswith(b".") else b"") + content.replace(b"\r\n.", b"\r\n..")


async def _next(reader: asyncio.StreamReader, parser: ReplyParser) -> Reply | None:
    while True:
        try:
            octets = await asyncio.wait_for(reader.read(65_536), 10)
        except ConnectionError:
            return None
        if not octets:
            return None
        replies = parser.feed(octets)
        if replies:
            return replies[0]
