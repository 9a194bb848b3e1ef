"""What a live probe is sent for, as whom, and what it is made with."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from waybill.model.clock import Clock
from waybill.net.machine import Machine
from waybill.net.mta_sts import Fetched
from waybill.net.resolver import Resolver
from waybill.net.smtp_target import Credentials, Timeouts
from waybill.net.tls import ClientTls

MOST_SECONDS = 30.0
PATIENCE = Timeouts(
    connect=6, greeting=10, ehlo=8, starttls=8, auth=8, mail=10, rcpt=15, quit=1, transaction=MOST_SECONDS
)
"""Less than a delivery has: somebody waits for the answer."""

Fetch: TypeAlias = Callable[[str, str], Awaitable[Fetched]]
"""Gets the MTA-STS policy of a domain, whose TXT record names this id."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Relay:
    """The server that takes all our mail in place of the recipients' own."""

    host: str
    port: int
    implicit_tls: bool = False
    credentials: Credentials | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Errand:
    """Who is asked about, and as whom, as an attempt would do it.

    ``size`` is declared in MAIL where the server wants to know. ``source_ip`` is where to speak from, ``then_ip`` the address
    that was spoken to before: it comes first where it is still one of the host's.
    """

    recipient: str
    mail_from: str
    helo: str
    port: int = 25
    size: int = 0
    source_ip: str | None = None
    then_ip: str | None = None
    allow_private: bool = False
    relay: Relay | None = None

    @property
    def domain(self) -> str:
        """The recipient's domain."""
        return self.recipient.rpartition("@")[2].lower().rstrip(".")


@dataclass(frozen=True, kw_only=True, slots=True)
class Means:
    """What a walk is made with. ``resolver`` should be a fresh one: an answer that it kept is none of now."""

    resolver: Resolver
    tls: ClientTls
    clock: Clock
    fetch: Fetch | None = None
    machine: Machine = field(default_factory=Machine)
    timeouts: Timeouts = PATIENCE
    seconds: float = MOST_SECONDS
