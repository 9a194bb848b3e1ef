"""What the tests of the SMTP client have in common: a message, settings, and a delivery over one connection."""

from dataclasses import replace

from tests.net.scripted import Scripted
from waybill.model.clock import now
from waybill.model.outcome import Line, Speaker
from waybill.net.smtp_client import ClientSettings, Envelope, SmtpConnection
from waybill.net.smtp_target import SmtpError, Target, Timeouts, TlsMode
from waybill.net.tls import ClientTls

CONTENT = b"Subject: x\r\n\r\nhello\r\n"
ENVELOPE = Envelope(mail_from="a@sender.test", recipient="b@mx.test", content=CONTENT)
PATIENT = Timeouts(connect=5, greeting=5, ehlo=5, starttls=5, auth=5, mail=5, rcpt=5, data=5, message=5, quit=1)
SHORT = replace(Timeouts(**dict.fromkeys(Timeouts.__dataclass_fields__, 0.05)), transaction=5)
OLD = b"250-mx.test\r\n250 HELP\r\n"


def client(timeouts: Timeouts = PATIENT, ca_file: str = "") -> ClientSettings:
    return ClientSettings(helo="client.test", tls=ClientTls(clock=now, ca_file=ca_file), clock=now, timeouts=timeouts)


def target(server: Scripted, tls: TlsMode = TlsMode.OPPORTUNISTIC) -> Target:
    return Target(host="mx.test", ip="127.0.0.1", port=server.port, tls=tls)


async def deliver(
    server: Scripted, envelope: Envelope = ENVELOPE, *, timeouts: Timeouts = PATIENT, times: int = 1
) -> list[Line]:
    """Sends over one connection, and returns what was said; raises what went wrong."""
    transcript: list[Line] = []
    connection = await SmtpConnection.open(target(server), settings=client(timeouts), transcript=transcript)
    try:
        for _ in range(times):
            await connection.send(envelope)
    finally:
        await connection.quit()
    return transcript


def said(transcript: list[Line], who: Speaker) -> list[str]:
    return [line.text for line in transcript if line.who is who]


async def failure(
    there: Target, settings: ClientSettings, *, transcript: list[Line] | None = None, envelope: Envelope = ENVELOPE
) -> SmtpError:
    """What a delivery over a connection of its own comes to; the connection is of no use afterwards."""
    try:
        connection = await SmtpConnection.open(
            there, settings=settings, transcript=[] if transcript is None else transcript
        )
    except SmtpError as error:
        return error
    try:
        await connection.send(envelope)
    except SmtpError as error:
        assert not connection.usable
        return error
    finally:
        connection.abort()
    raise AssertionError("it was delivered")
