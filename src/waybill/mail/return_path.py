"""The return path of each delivery (VERP): an address that says, and proves, which delivery a mail that comes home is about."""

import base64
import binascii
import hashlib
import hmac
from functools import lru_cache

PREFIX = "b"
MAC_OCTETS = 10  # 80 bits: nobody guesses one by sending mail
MAX_ID_OCTETS = 8
_BLOCK = 64  # octets that SHA-256 takes at once
_PURPOSE = b"waybill return path 1\x00"


def encode(delivery_id: int, domain: str, secret: bytes) -> str:
    """The envelope sender for a delivery: ``b<base32>@domain``, lower case, at most 30 octets before the ``@``.

    Relays may fold the case of a local part though RFC 5321 §2.4 forbids it, hence base32 (RFC 4648 §6).

    Raises:
        ValueError: ``delivery_id`` is negative or needs more than 64 bits, or the secret is empty.
    """
    if not 0 <= delivery_id < 1 << (8 * MAX_ID_OCTETS):
        raise ValueError(f"delivery id {delivery_id} is not an unsigned 64-bit number")
    if not secret:
        raise ValueError("the secret of the return path is empty")
    number = delivery_id.to_bytes(max(1, (delivery_id.bit_length() + 7) // 8), "big")
    token = base64.b32encode(number + _mac(number, secret)).decode("ascii").rstrip("=").lower()
    return f"{PREFIX}{token}@{domain}"


def decode(address: str, secret: bytes) -> int | None:
    """The delivery that a return path names, or None where the address is not one that ``encode`` made with this secret."""
    local, _, domain = address.strip("<> \t").rpartition("@")
    folded = local.lower()
    if not folded.startswith(PREFIX) or not folded.isascii():
        return None
    token = folded[len(PREFIX) :].upper()
    try:
        octets = base64.b32decode(token + "=" * (-len(token) % 8))
    except binascii.Error:
        return None
    number = octets[:-MAC_OCTETS]
    if not 1 <= len(number) <= MAX_ID_OCTETS or not hmac.compare_digest(octets[-MAC_OCTETS:], _mac(number, secret)):
        return None
    delivery_id = int.from_bytes(number, "big")
    # base32 has spare bits and numbers have leading zeros: only the one spelling that encode writes is accepted.
    return delivery_id if encode(delivery_id, domain, secret) == f"{folded}@{domain}" else None


def _mac(number: bytes, secret: bytes) -> bytes:
    """The beginning of HMAC-SHA-256 (RFC 2104); ``hmac.digest`` does the same, but lets go of Python's lock for it."""
    inner, outer = (started.copy() for started in _started(secret))
    inner.update(number)
    outer.update(inner.digest())
    return outer.digest()[:MAC_OCTETS]


@lru_cache(maxsize=8)
def _started(secret: bytes) -> "tuple[hashlib._Hash, hashlib._Hash]":
    key = (hashlib.sha256(secret).digest() if len(secret) > _BLOCK else secret).ljust(_BLOCK, b"\0")
    inner, outer = (hashlib.sha256(bytes(octet ^ pad for octet in key)) for pad in (0x36, 0x5C))
    inner.update(_PURPOSE)
    return inner, outer
