"""Whom the SMTP client talks to, how patient it is, and the ways in which that goes wrong."""

import errno
from dataclasses import field
from enum import StrEnum

from waybill.model.outcome import Reply, Stage, Tls
from waybill.model.record import record
from waybill.net.dane import Dane


class TlsMode(StrEnum):
    """When to encrypt."""

    CLEAR = "clear"  # never
    OPPORTUNISTIC = "opportunistic"  # where STARTTLS is offered (RFC 3207)
    REQUIRED = "required"  # by STARTTLS, or not at all
    IMPLICIT = "implicit"  # from the first octet (RFC 8314 §3.3)


@record(frozen=True, kw_only=True, slots=True)
class Credentials:
    """User and password for AUTH (RFC 4954)."""

    user: str
    password: str = field(repr=False)


@record(frozen=True, kw_only=True, slots=True)
class Target:
    """One way to reach one server: connections are reused between messages whose targets are equal."""

    host: str
    ip: str
    port: int
    source_ip: str | None = None
    tls: TlsMode = TlsMode.OPPORTUNISTIC
    credentials: Credentials | None = None
    verify: bool = False  # refuse a certificate that cannot be verified
    helo: str = ""  # what we call ourselves here; empty: as everywhere
    dane: Dane | None = None  # refuse a certificate that these TLSA records do not fit

    def __str__(self) -> str:
        return f"{self.host} [{self.ip}]:{self.port}"

    @property
    def sni(self) -> str:
        """The name that the handshake asks for (RFC 6066 §3; with DANE it is RFC 7672 §8.1)."""
        return self.dane.base if self.dane is not None else self.host


@record(frozen=True, kw_only=True, slots=True)
class Timeouts:
    """Seconds to wait at each stage; the defaults are those of RFC 5321 §4.5.3.2, connecting excepted.

    ``block`` is for each part of the message that is handed over, ``transaction`` for everything together, from
    connecting (or the first command on an open connection) to the answer to the message. It is beyond the sum of what
    the stages may take, save with a large message over a slow line.
    """

    connect: float = 30
    greeting: float = 300
    ehlo: float = 300
    starttls: float = 60
    auth: float = 60
    mail: float = 300
    rcpt: float = 300
    data: float = 120
    block: float = 180
    message: float = 600
    quit: float = 3
    transaction: float = 3_600


class Fault(StrEnum):
    """What went wrong where it is not the server's reply that says no."""

    CONNECTION_REFUSED = "connection_refused"
    CONNECTION_TIMEOUT = "connection_timeout"
    UNREACHABLE = "unreachable"
    NETWORK_DOWN = "network_down"  # on our side
    CONNECTION_LOST = "connection_lost"
    TIMEOUT = "timeout"
    MALFORMED_REPLY = "malformed_reply"
    TLS_FAILED = "tls_failed"
    TLS_NOT_OFFERED = "tls_not_offered"
    CERTIFICATE_UNTRUSTED = "certificate_untrusted"
    DANE_MISMATCH = "dane_mismatch"
    SIZE_EXCEEDED = "size_exceeded"
    I18N_UNSUPPORTED = "i18n_unsupported"


class SmtpError(Exception):
    """The transaction failed at ``stage``: either the server said so (``reply``) or there is a ``fault``.

    ``content_sent`` is true where all of the message had been sent and the server's answer is not known. ``tls`` is the
    session whose certificate was not good enough.
    """

    tls: Tls | None = None

    def __init__(
        self,
        stage: Stage,
        text: str,
        *,
        reply: Reply | None = None,
        fault: Fault | None = None,
        command: str | None = None,
        content_sent: bool = False,
    ) -> None:
        super().__init__(text)
        self.stage = stage
        self.text = text
        self.reply = reply
        self.fault = fault
        self.command = command
        self.content_sent = content_sent


_CONNECT_FAULTS = {
    errno.ECONNREFUSED: Fault.CONNECTION_REFUSED,
    errno.ECONNRESET: Fault.CONNECTION_LOST,
    errno.ETIMEDOUT: Fault.CONNECTION_TIMEOUT,
    errno.EHOSTUNREACH: Fault.UNREACHABLE,
}
_CONNECT_WORDS = {
    Fault.CONNECTION_REFUSED: "Connection refused by {target}",
    Fault.CONNECTION_LOST: "{target} reset the connection",
    Fault.CONNECTION_TIMEOUT: "Connecting to {target} timed out",
    Fault.UNREACHABLE: "No route to {target}",
}


def connect_error(target: Target, error: OSError) -> SmtpError:
    """What an error of connect(2) means. All that is not about the other host is ours (no route at all, no such source address)."""
    fault = _CONNECT_FAULTS.get(error.errno or 0)
    if fault is not None:
        return SmtpError(Stage.CONNECT, _CONNECT_WORDS[fault].format(target=target), fault=fault)
    source = f" from {target.source_ip}" if target.source_ip else ""
    text = f"Cannot connect{source} to {target}: {error.strerror or error}"
    return SmtpError(Stage.CONNECT, text, fault=Fault.NETWORK_DOWN)
