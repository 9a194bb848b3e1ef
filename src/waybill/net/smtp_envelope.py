"""What MAIL and RCPT say of a message to a server with given extensions, or why it cannot go to that server."""

import re

import idna

from waybill.model.outcome import Stage
from waybill.model.record import record
from waybill.net.smtp_target import Fault, SmtpError, Target

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@record(frozen=True, kw_only=True, slots=True)
class Envelope:
    """One recipient's transaction; addresses without brackets, the empty ``mail_from`` is the null sender."""

    mail_from: str
    recipient: str
    content: bytes


@record(frozen=True, kw_only=True, slots=True)
class Commands:
    """MAIL and RCPT as they are sent, and remarks for the transcript on what had to be given up."""

    mail: str
    rcpt: str
    remarks: tuple[str, ...] = ()


def write_commands(envelope: Envelope, extensions: dict[str, str], target: Target) -> Commands:
    """The commands for a message whose content ends with a line end.

    A message is never converted on the way, since that would break its signatures. Where the server does not offer
    what the content needs, the content goes as it is: servers without 8BITMIME pass eight bits on, as those without
    SMTPUTF8 do with raw UTF-8 in a header field. An address is another matter: none but ASCII can be written without
    SMTPUTF8, though an internationalised domain alone has an ASCII form (RFC 5890 §2.3.2.1).

    Raises:
        SmtpError: the message is larger than the server takes (RFC 1870), or an address needs SMTPUTF8 (RFC 6531 §3.4).
        ValueError: an address holds a control character.
    """
    sender, recipient, content = _ascii(envelope.mail_from), _ascii(envelope.recipient), envelope.content
    if _CONTROL.search(sender) or _CONTROL.search(recipient):
        raise ValueError(f"control character in the envelope {envelope.mail_from!r} {envelope.recipient!r}")
    parameters = ""
    remarks: tuple[str, ...] = ()
    limit = extensions.get("SIZE")
    if limit is not None:
        if limit.isascii() and limit.isdigit() and 0 < int(limit) < len(content):
            text = f"{target} takes messages of up to {limit} bytes; this one has {len(content)}"
            raise SmtpError(Stage.MAIL, text, fault=Fault.SIZE_EXCEEDED)
        parameters = f" SIZE={len(content)}"
    international = not (sender.isascii() and recipient.isascii())
    if international and "SMTPUTF8" not in extensions:
        text = f"{target} does not offer SMTPUTF8, which an address that is not ASCII needs"
        raise SmtpError(Stage.MAIL, text, fault=Fault.I18N_UNSUPPORTED)
    if not content.isascii():
        more, remarks = _eight_bit(content, extensions)
        parameters += more
        international = international or _has_utf8_header(content)
    if international and "SMTPUTF8" in extensions:
        parameters += " SMTPUTF8"
    return Commands(mail=f"MAIL FROM:<{sender}>{parameters}", rcpt=f"RCPT TO:<{recipient}>", remarks=remarks)


def _eight_bit(content: bytes, extensions: dict[str, str]) -> tuple[str, tuple[str, ...]]:
    remarks = []
    if "8BITMIME" not in extensions:  # RFC 6152 §3
        remarks.append("8BITMIME is not offered; the message holds 8-bit octets and goes as it is")
    if "SMTPUTF8" not in extensions and _has_utf8_header(content):  # RFC 6531 §3.1
        remarks.append("SMTPUTF8 is not offered; the message has UTF-8 in its header and goes as it is")
    return " BODY=8BITMIME" if "8BITMIME" in extensions else "", tuple(remarks)


def _has_utf8_header(content: bytes) -> bool:
    """Whether the header section is one of RFC 6532. Octets of another encoding in it are a fault no extension covers."""
    header = content.partition(b"\r\n\r\n")[0]
    if header.isascii() or header.startswith(b"\r\n"):
        return False
    try:
        header.decode()
    except UnicodeDecodeError:
        return False
    return True


def _ascii(address: str) -> str:
    """The address with its domain in A-labels, where that makes it ASCII (RFC 5891)."""
    local, at, domain = address.rpartition("@")
    if address.isascii() or not local.isascii():
        return address
    try:
        return f"{local}{at}{idna.encode(domain, uts46=True).decode()}"
    except (idna.IDNAError, UnicodeError):
        return address
