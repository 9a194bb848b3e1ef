"""How mail leaves: what we call ourselves, from where, by which port, and which domains go elsewhere."""

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
class DeliverConfig:
    """The settings of delivery.

    ``hostname`` is what we say in EHLO. ``relay`` is a URL, ``smtp://user:password@host:port`` or ``smtps://…``.
    ``ca_file`` replaces the machine's root certificates. ``max_idle`` is the time in seconds after which an unused
    connection is closed, ``max_messages`` the number of messages after which any is, ``connections`` how many there
    may be to one address, ``max_addresses`` how many addresses of a domain one attempt tries at most.
    """

    hostname: str
    source_addresses: tuple[str, ...] = ()
    port: int = 25
    allow_private: bool = False
    relay: str = ""
    zone_routes: tuple[ZoneRoute, ...] = ()
    timeouts: Timeouts = field(default_factory=Timeouts)
    ca_file: str = ""
    max_idle: float = 20.0
    max_messages: int = 100
    connections: int = 20
    max_addresses: int = 5


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
