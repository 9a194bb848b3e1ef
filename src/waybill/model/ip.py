"""IP addresses: which are on the public internet, and which are this machine's own. Pure."""

import ipaddress
from functools import lru_cache

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052 §2.1
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")  # RFC 4291 §2.4; all else is for special purposes
_REMEMBERED = 4_096


@lru_cache(maxsize=_REMEMBERED)
def is_public(ip: str) -> bool:
    """Whether the address is on the public internet (IANA special-purpose registries), and no multicast group.

    An IPv6 address that carries an IPv4 one (mapped, 6to4, NAT64) is as public as that.

    Raises:
        ValueError: the text is no IP address.
    """
    address = _carried(ip)
    if isinstance(address, ipaddress.IPv6Address) and address not in _GLOBAL_UNICAST:
        return False
    return address.is_global and not address.is_multicast


@lru_cache(maxsize=_REMEMBERED)
def is_loopback(ip: str) -> bool:
    """Whether the address is this machine's own; a text that is no IP address is not."""
    try:
        return _carried(ip).is_loopback
    except ValueError:
        return False


@lru_cache(maxsize=_REMEMBERED)
def is_ip(text: str) -> bool:
    """Whether the text is an IP address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _carried(ip: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """The address, or the IPv4 one that it carries."""
    address = ipaddress.ip_address(ip)
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address
