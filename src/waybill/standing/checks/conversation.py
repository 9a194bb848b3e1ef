"""A short conversation with a receiving server: greeting, EHLO, STARTTLS, MAIL, RCPT, and away. Never DATA."""

from contextlib import suppress
from dataclasses import dataclass

from waybill.model.outcome import Line, Reply, Speaker, Stage, Tls
from waybill.net.dane import Dane, Match
from waybill.net.smtp_client import SmtpConnection
from waybill.net.smtp_target import Fault, SmtpError, Target
from waybill.standing.checks.check import Tools

_SHOWN = {Speaker.CLIENT: "C: ", Speaker.SERVER: "S: ", Speaker.NOTE: ""}


@dataclass(frozen=True, kw_only=True, slots=True)
class Conversation:
    """What came of it. ``error`` ended it early; ``replies`` are the answers to RCPT, by address; ``lines`` all of it."""

    host: str
    ip: str
    tls: Tls | None = None
    offers_tls: bool = False
    dane: Match | None = None
    replies: tuple[tuple[str, Reply], ...] = ()
    sender_refused: Reply | None = None
    error: SmtpError | None = None
    lines: tuple[str, ...] = ()

    @property
    def met(self) -> bool:
        """Whether a server was there and spoke SMTP."""
        return self.error is None or self.error.stage not in (Stage.CONNECT, Stage.GREETING, Stage.EHLO)

    @property
    def refused_connection(self) -> bool:
        """Whether nobody listens there."""
        return self.error is not None and self.error.fault is Fault.CONNECTION_REFUSED

    @property
    def trouble(self) -> str:
        """What ended it, in words."""
        return self.error.text if self.error is not None else ""

    def reply_to(self, address: str) -> Reply | None:
        """The answer to RCPT for the address."""
        return dict(self.replies).get(address)


async def converse(
    host: str, ip: str, recipients: tuple[str, ...], tools: Tools, *, dane: Dane | None = None
) -> Conversation:
    """Asks the server whether it would take mail for each of the recipients, from the null sender as bounces are."""
    transcript: list[Line] = []
    target = Target(host=host, ip=ip, port=tools.port)
    try:
        connection = await SmtpConnection.open(target, settings=tools.smtp, transcript=transcript)
    except SmtpError as error:
        return Conversation(
            host=host, ip=ip, error=error, offers_tls=error.stage is Stage.STARTTLS, lines=_lines(transcript)
        )
    error_after: SmtpError | None = None
    replies: list[tuple[str, Reply]] = []
    refused: Reply | None = None
    matched = tools.smtp.tls.match(connection.wire.session(), dane) if dane is not None and connection.tls else None
    try:
        reply = await _say(connection, "MAIL FROM:<>", Stage.MAIL)
        if reply.code // 100 != 2:
            refused = reply
        else:
            for each in recipients:
                reply = await _say(connection, f"RCPT TO:<{each}>", Stage.RCPT)
                replies.append((each, reply))
        with suppress(SmtpError):
            await _say(connection, "RSET", Stage.MAIL)
        await connection.quit()
    except SmtpError as error:
        error_after = error
    finally:
        connection.abort()
    return Conversation(
        host=host,
        ip=ip,
        tls=connection.tls,
        offers_tls=connection.tls is not None or "STARTTLS" in connection.extensions,
        dane=matched,
        replies=tuple(replies),
        sender_refused=refused,
        error=error_after,
        lines=_lines(transcript),
    )


async def _say(connection: SmtpConnection, command: str, stage: Stage) -> Reply:
    connection.wire.send(command)
    return await connection.wire.reply(stage, command, connection.settings.timeouts.rcpt)


def _lines(transcript: list[Line]) -> tuple[str, ...]:
    return tuple(f"{_SHOWN[line.who]}{line.text}" for line in transcript)
