"""What this machine's network is: which addresses are its own, and whether it reaches the IPv6 internet."""

import socket
import time
from collections.abc import Callable
from ipaddress import ip_address

_REMEMBERED = 4_096
_FOR = 60.0  # seconds; interfaces come and go
_ANYWHERE_V6 = "2001:4860:4860::8888"  # nothing is sent there: the kernel is asked for the way


class Machine:
    """Asks the kernel, and keeps what it says for a minute. No packet is sent."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._own: dict[str, tuple[float, bool]] = {}
        self._ipv6: tuple[float, bool] = (0.0, False)

    def owns(self, ip: str) -> bool:
        """Whether the address is one of this machine's: only such a one can be bound."""
        until, own = self._own.get(ip, (0.0, False))
        now = self._monotonic()
        if now >= until:
            own = _can_bind(ip)
            if len(self._own) >= _REMEMBERED:
                self._own.clear()
            self._own[ip] = (now + _FOR, own)
        return own

    def reaches_ipv6(self) -> bool:
        """Whether there is a way from a global address of ours to the IPv6 internet."""
        until, reached = self._ipv6
        now = self._monotonic()
        if now >= until:
            source = source_towards(_ANYWHERE_V6)
            reached = source is not None and not ip_address(source).is_link_local
            self._ipv6 = (now + _FOR, reached)
        return reached


def source_towards(ip: str) -> str | None:
    """The address that the kernel would send from; None where there is no way."""
    with socket.socket(_family(ip), socket.SOCK_DGRAM) as sock:
        try:
            sock.connect((ip, 25))
            return str(sock.getsockname()[0]).partition("%")[0]
        except OSError:
            return None


def _can_bind(ip: str) -> bool:
    try:
        with socket.socket(_family(ip), socket.SOCK_DGRAM) as sock:
            sock.bind((ip, 0))
    except OSError:
        return False
    return True


def _family(ip: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in ip else socket.AF_INET
