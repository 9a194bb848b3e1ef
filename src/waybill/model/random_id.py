"""Random ids, many of which are made for every message."""

import os

_AT_ONCE = 256
_waiting: list[str] = []


def new_uuid() -> str:
    """A random UUID (RFC 9562 §5.4).

    Its octets come from the system, for many at once: each call lets go of Python's lock, and beside busy threads
    it takes long to get it back.
    """
    try:
        digits = _waiting.pop()
    except IndexError:
        octets = os.urandom(16 * _AT_ONCE).hex()
        _waiting.extend(octets[start : start + 32] for start in range(32, len(octets), 32))
        digits = octets[:32]
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


os.register_at_fork(after_in_child=_waiting.clear)  # else both processes would give the same ids
