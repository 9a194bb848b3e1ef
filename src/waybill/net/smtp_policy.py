"""What an SMTP server is given by its door: settings, limits, and a policy that is asked about each step."""

import asyncio
import ssl
from dataclasses import field
from typing import Protocol

from waybill.model.clock import Clock, Instant
from waybill.model.record import record
from waybill.net.smtp_command import ReversePath
from waybill.net.smtp_stream import Peer


@record(frozen=True, slots=True)
class Answer:
    """A reply: its code decides what the session does next, its text is the client's."""

    code: int
    text: str

    @property
    def accepted(self) -> bool:
        """Whether the reply is positive (RFC 5321 §4.2.1)."""
        return self.code < 400


OK = Answer(250, "Ok")


@record(frozen=True, kw_only=True, slots=True)
class Envelope:
    """One mail transaction: who sends to whom, from where. ``started_at`` is the instant of MAIL FROM; ``tls`` the version of TLS."""

    sender: str
    recipients: tuple[str, ...]
    peer: Peer
    hello: str
    tls: str | None
    started_at: Instant
    received_at: Instant


class Policy(Protocol):
    """What a door decides about one connection. An exception counts as a temporary failure."""

    async def authenticate(self, username: str, password: str) -> Answer:
        """235 where the client is who it says."""

    async def mail(self, path: ReversePath) -> Answer:
        """Whether this sender may begin a transaction."""

    async def rcpt(self, address: str) -> Answer:
        """Whether mail for this address is taken."""

    async def message(self, envelope: Envelope, data: bytes) -> Answer:
        """Takes the message; 250 only when it is on disk."""


@record(frozen=True, kw_only=True, slots=True)
class SessionLimits:
    """Bounds of one connection: sizes in octets, times in seconds (RFC 5321 §4.5.3)."""

    max_size: int = 40 * 1024 * 1024
    max_line: int = 4096
    max_recipients: int = 100
    max_errors: int = 20
    max_idle_commands: int = 1000  # since the last message that was taken
    command_timeout: float = 300.0
    data_timeout: float = 180.0


@record(frozen=True, kw_only=True, slots=True)
class SessionConfig:
    """What every session of a server has in common.

    With ``authentication``, mail is taken after AUTH only; AUTH is offered over TLS, or to clients on this machine where
    no ``tls`` context is given.
    """

    hostname: str
    authentication: bool
    clock: Clock
    greeting: str = "ESMTP Waybill"
    tls: ssl.SSLContext | None = None
    limits: SessionLimits = field(default_factory=SessionLimits)
    spooled_at_once: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(2), repr=False, compare=False)
    """How many of the messages that wait on disk are in memory at a time."""
