"""How mail leaves: what we call ourselves, from where, by which port, and which domains go elsewhere."""

import ipaddress
import re
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from waybill.net.smtp_target import Credentials, Timeouts


@dataclass(frozen=True, kw_only=True, slots=True)
class ZoneRoute:
    """Domains inside ``zone`` (``.``: all domains) go to ``smtp_port``, also where that is on a private address.

    With ``ip`` all of it goes to that one server and DNS is not asked; ``host`` is then its name.
    """

    zone: str
    smtp_port: int
    allow_private: bool = True
    ip: str = ""
    host: str = ""

    def holds(self, domain: str) -> bool:
        """Whether the domain is the zone or inside it."""
        zone = self.zone.strip(".").lower()
        return not zone or domain == zone or domain.endswith(f".{zone}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Relay:
    """A server that takes all our mail in place of the recipients' MX hosts."""

    host: str
    port: int
    implicit_tls: bool = False
    credentials: Credentials | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """One of our addresses, and what we call ourselves from there (empty: the host name)."""

    ip: str
    helo: str = ""

    @property
    def is_v6(self) -> bool:
        """Whether it reaches IPv6."""
        return ":" in self.ip


@dataclass(frozen=True, kw_only=True, slots=True)
class DeliverConfig:
    """The settings of delivery.

    ``hostname`` is what we say in EHLO. ``source_addresses`` are ours, each with a name for EHLO after a space where it
    has one of its own; ``listening`` the addresses and ports where mail comes in. ``relay`` is a URL,
    ``smtp://user:password@host:port`` or ``smtps://…``. ``ca_file`` replaces the machine's root certificates. ``max_idle``
    is the time in seconds after which an unused connection is closed, ``max_messages`` the number of messages after which
    any is, ``connections`` how many there may be to one site; the last two hold where nothing is known of the site.
    ``workers`` is among how many processes a site's connections are shared. One attempt tries ``max_addresses`` addresses
    at most, and begins with no further one after ``max_seconds``.
    """

    hostname: str
    source_addresses: tuple[str, ...] = ()
    listening: tuple[tuple[str, int], ...] = ()
    workers: int = 1
    port: int = 25
    allow_private: bool = False
    relay: str = ""
    zone_routes: tuple[ZoneRoute, ...] = ()
    timeouts: Timeouts = field(default_factory=Timeouts)
    ca_file: str = ""
    max_idle: float = 20.0
    max_messages: int = 100
    connections: int = 20
    max_addresses: int = 20
    max_seconds: float = 300.0

    @property
    def sources(self) -> tuple[Source, ...]:
        """Our addresses. Raises: ValueError."""
        return tuple(parse_source(text) for text in self.source_addresses)


_HELO = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z0-9-]{1,63}")


def parse_source(text: str) -> Source:
    """The source that ``192.0.2.7`` or ``192.0.2.8 mail8.example.com`` names.

    Raises:
        ValueError: it is no IP address, or what follows is no host name.
    """
    ip, _, helo = text.strip().partition(" ")
    helo = helo.strip()
    try:
        ip = str(ipaddress.ip_address(ip))
    except ValueError:
        raise ValueError(f"source address {text!r}: {ip!r} is not an IP address") from None
    if helo and not _HELO.fullmatch(helo):
        raise ValueError(f"source address {text!r}: {helo!r} is not a host name such as mail8.example.com")
    return Source(ip=ip, helo=helo.lower())


def parse_relay(url: str) -> Relay | None:
    """The relay that the URL names; None for the empty text.

    Raises:
        ValueError: it is no smtp or smtps URL with a host.
    """
    if not url:
        return None
    allowed = "a relay is written smtp://user:password@host:port or smtps://user:password@host:port"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError(f"relay: its port or host cannot be read; {allowed}") from None
    if parts.scheme not in ("smtp", "smtps"):
        raise ValueError(f"relay: the scheme is {parts.scheme!r}; {allowed}")
    if not parts.hostname or parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError(f"relay: it has no host, or a path; {allowed}")
    credentials = None
    if parts.username is not None:
        credentials = Credentials(user=unquote(parts.username), password=unquote(parts.password or ""))
    implicit = parts.scheme == "smtps"
    return Relay(
        host=parts.hostname, port=port or (465 if implicit else 25), implicit_tls=implicit, credentials=credentials
    )
