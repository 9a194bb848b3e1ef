"""What the supervisor tells a worker: settings, bound addresses, and where the simulator is."""

import os
import pickle
import socket
from dataclasses import dataclass, replace
from typing import IO

from waybill.settings import Endpoint, Settings, SettingsError

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
EVERYWHERE = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared with, not bound


@dataclass(frozen=True, kw_only=True, slots=True)
class SimulatorAddress:
    """Where the running simulator listens. ``capture``: it takes the mail of every domain (``--dev``)."""

    zone: str
    dns: str
    smtp_host: str
    smtp_port: int
    capture: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """A worker's orders. The endpoints of ``settings`` have their real ports, and its names are filled in.

    ``number`` is its place among the ``workers``, which the next one in it has as well.
    ``lease`` is how many milliseconds a dead worker's deliveries stay untouched; a live one renews three times in it.
    """

    worker: str
    number: int
    workers: int
    settings: Settings
    simulator: SimulatorAddress | None
    log_level: int
    lease: int


def write_plan(plan: Plan, to: IO[bytes]) -> None:
    """Hands the plan to a worker over its standard input."""
    pickle.dump(plan, to)
    to.flush()


def read_plan(source: IO[bytes]) -> Plan:
    """The plan from standard input, which only our own supervisor writes."""
    plan = pickle.load(source)  # noqa: S301 - written by our parent process, over a pipe nobody else has
    assert isinstance(plan, Plan)
    return plan


def reserve(endpoint: Endpoint) -> tuple[socket.socket, Endpoint]:
    """A bound socket that keeps the port for the workers (who share it with SO_REUSEPORT), and the real address.

    SO_REUSEPORT alone would let a second installation share the port unnoticed: so a socket without it must be able
    to bind first. The one that is held does without SO_REUSEADDR, so that it stands in the way of such a test itself.

    Raises:
        OSError: the address is in use or not ours.
    """
    if endpoint.port:
        _bound(endpoint, socket.SO_REUSEADDR).close()
    held = _bound(endpoint, socket.SO_REUSEPORT)
    return held, replace(endpoint, port=held.getsockname()[1])


def shared_socket(endpoint: Endpoint) -> socket.socket:
    """A socket bound to the address together with the other processes of this installation. Raises: OSError."""
    return _bound(endpoint, socket.SO_REUSEADDR, socket.SO_REUSEPORT)


def _bound(endpoint: Endpoint, *options: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in endpoint.host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # named, or asyncio leaves Nagle's delay on
    try:
        for option in options:
            sock.setsockopt(socket.SOL_SOCKET, option, 1)
        sock.bind((endpoint.host, endpoint.port))
        sock.setblocking(False)  # noqa: FBT003 - the signature is the standard library's
    except BaseException:
        sock.close()
        raise
    return sock


def with_names(settings: Settings) -> Settings:
    """The settings with what is left empty filled in: our host name, and the URL under which others reach us."""
    hostname = settings.delivery.hostname or socket.getfqdn()
    listen = settings.http.listen
    reached = replace(listen, host=hostname) if listen.host in EVERYWHERE else listen
    return replace(
        settings,
        http=replace(settings.http, public_url=settings.http.public_url or f"http://{reached}"),
        delivery=replace(settings.delivery, hostname=hostname),
    )


def dev_settings(settings: Settings) -> Settings:
    """The settings of ``--dev``: every sender accepted, webhooks to this machine allowed, loopback only.

    Raises:
        SettingsError: a listening address that others could reach.
    """
    for key, endpoint in (
        ("http.listen", settings.http.listen),
        ("submission.listen", settings.submission.listen),
        ("inbound.listen", settings.inbound.listen),
    ):
        if endpoint.host not in LOOPBACK:
            raise SettingsError(
                f"--dev: {key} = '{endpoint}' is not allowed; with the well-known key it must be on 127.0.0.1"
            )
    return replace(
        settings,
        identities=replace(settings.identities, verification="none"),
        publish=replace(settings.publish, allow_private=True),
    )


def captures_all(settings: Settings, *, dev: bool) -> bool:
    """Whether mail for every domain stays on this machine: in ``--dev``, unless a resolver or relay is configured."""
    return dev and settings.service.simulator and not settings.dns.servers and not settings.delivery.relay


def worker_name(number: int) -> str:
    """A name that no other worker has, now or after a restart."""
    return f"{socket.gethostname()}-{os.getpid()}-{number}-{os.urandom(4).hex()}"
