"""The mails that come home: a bounce mail or a notice of delay (RFC 3464), a complaint (RFC 5965) and an auto-reply (RFC 3834)."""

from dataclasses import dataclass
from email.utils import formatdate
from zlib import crc32

from waybill.model.clock import DAY, SECOND, Instant


@dataclass(frozen=True, kw_only=True, slots=True)
class Incident:
    """What a report is about: who reports at what time, and the message as it was taken with its envelope."""

    reporter: str
    mail_from: str
    recipient: str
    content: bytes
    at: Instant

    @property
    def date(self) -> str:
        """The time as a Date field has it (RFC 5322 §3.3)."""
        return formatdate(self.at / SECOND)

    @property
    def header(self) -> bytes:
        """The message's header section, with its last CRLF."""
        head, _, _ = self.content.partition(b"\r\n\r\n")
        return head.rstrip(b"\r\n") + b"\r\n"


def write_bounce(incident: Incident) -> bytes:
    """A delivery status notification: the message was taken, and the mailbox turned out not to exist."""
    human = (
        f"This is the mail system at host {incident.reporter}.\r\n\r\n"
        "I'm sorry to have to inform you that your message could not\r\n"
        "be delivered to one or more recipients.\r\n\r\n"
        f"<{incident.recipient}>: user unknown\r\n"
    )
    machine = (
        f"Reporting-MTA: dns; {incident.reporter}\r\n"
        f"Arrival-Date: {incident.date}\r\n\r\n"
        f"Final-Recipient: rfc822; {incident.recipient}\r\n"
        f"Original-Recipient: rfc822;{incident.recipient}\r\n"
        "Action: failed\r\n"
        "Status: 5.1.1\r\n"
        f"Diagnostic-Code: smtp; 550 5.1.1 <{incident.recipient}>: Recipient address rejected:\r\n"
        "    User unknown in virtual mailbox table\r\n"
    )
    head = _header(
        incident, f"Mail Delivery System <MAILER-DAEMON@{incident.reporter}>", "Undelivered Mail Returned to Sender"
    )
    return _multipart(head + b"Auto-Submitted: auto-replied\r\n", "delivery-status", human, machine, incident)


def write_delay(incident: Incident) -> bytes:
    """A delivery status notification: the message was taken, and the system behind does not answer yet."""
    human = (
        f"This is the mail system at host {incident.reporter}.\r\n\r\n"
        "THIS IS A WARNING ONLY. YOU DO NOT NEED TO RESEND YOUR MESSAGE.\r\n\r\n"
        f"Your message to <{incident.recipient}> could not be delivered for some time.\r\n"
    )
    machine = (
        f"Reporting-MTA: dns; {incident.reporter}\r\n"
        f"Arrival-Date: {incident.date}\r\n\r\n"
        f"Final-Recipient: rfc822; {incident.recipient}\r\n"
        f"Original-Recipient: rfc822;{incident.recipient}\r\n"
        "Action: delayed\r\n"
        "Status: 4.4.1\r\n"
        "Diagnostic-Code: X-Postfix; connect to store.inside.example[192.0.2.77]:25:\r\n"
        "    Connection timed out\r\n"
        f"Will-Retry-Until: {formatdate((incident.at + 5 * DAY) / SECOND)}\r\n"
    )
    head = _header(
        incident, f"Mail Delivery System <MAILER-DAEMON@{incident.reporter}>", "Delayed Mail (still being retried)"
    )
    return _multipart(head + b"Auto-Submitted: auto-replied\r\n", "delivery-status", human, machine, incident)


def write_complaint(incident: Incident, user_agent: str) -> bytes:
    """An abuse report in the Abuse Reporting Format: the recipient marked the message as spam."""
    human = f"This is an email abuse report for a message received on {incident.date}.\r\n"
    machine = (
        "Feedback-Type: abuse\r\n"
        f"User-Agent: {user_agent}\r\n"
        "Version: 1\r\n"
        f"Original-Mail-From: <{incident.mail_from}>\r\n"
        f"Original-Rcpt-To: <{incident.recipient}>\r\n"
        f"Arrival-Date: {incident.date}\r\n"
        f"Reporting-MTA: dns; {incident.reporter}\r\n"
    )
    head = _header(incident, f"Feedback Loop <fbl@{incident.reporter}>", "FW: abuse report")
    return _multipart(head, "feedback-report", human, machine, incident)


def write_auto_reply(incident: Incident) -> bytes:
    """An out-of-office answer. It says that the recipient exists, and nothing more."""
    original = next(
        (line[11:].strip() for line in incident.header.split(b"\r\n") if line.lower().startswith(b"message-id:")), b""
    )
    head = _header(incident, f"<{incident.recipient}>", "Out of office")
    return (
        head
        + b"Auto-Submitted: auto-replied (vacation)\r\n"
        + (b"In-Reply-To: " + original + b"\r\nReferences: " + original + b"\r\n" if original else b"")
        + b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=UTF-8\r\n\r\n"
        + b"I am out of the office and will answer when I am back.\r\n"
    )


def _header(incident: Incident, sender: str, subject: str) -> bytes:
    return (
        f"From: {sender}\r\n"
        f"To: <{incident.mail_from}>\r\n"
        f"Subject: {subject}\r\n"
        f"Date: {incident.date}\r\n"
        f"Message-ID: <{_boundary(incident)}@{incident.reporter}>\r\n"
    ).encode()


def _multipart(head: bytes, kind: str, human: str, machine: str, incident: Incident) -> bytes:
    """A multipart/report (RFC 6522): for people, for machines, and the header of the message it is about."""
    boundary = _boundary(incident)
    parts = (
        ("text/plain; charset=UTF-8", human.encode()),
        (f"message/{kind}", machine.encode()),
        ("text/rfc822-headers", incident.header),
    )
    body = b"".join(
        f"--{boundary}\r\nContent-Type: {content_type}\r\n\r\n".encode() + content + b"\r\n"
        for content_type, content in parts
    )
    content_type = f'Content-Type: multipart/report; report-type={kind};\r\n boundary="{boundary}"\r\n'
    return head + b"MIME-Version: 1.0\r\n" + content_type.encode() + b"\r\n" + body + f"--{boundary}--\r\n".encode()


def _boundary(incident: Incident) -> str:
    return f"report.{incident.at}.{crc32(incident.recipient.encode() + incident.content):08x}"
