"""How many connections each door of a worker may have: together fewer than its descriptors, so that none runs dry."""

from dataclasses import dataclass

KEPT = 64
"""Descriptors for the store, the log, files and the resolver."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Room:
    """Connections at the doors, and deliveries at a time. Beyond it clients are answered 421 or 503 and come again."""

    submission: int
    inbound: int
    http: int
    deliveries: int


def room_in(descriptors: int) -> Room:
    """What a process with so many descriptors can bear. A delivery's kept connection counts as much as the one in use."""
    free = max(0, descriptors - KEPT)
    return Room(
        submission=_share(free, 0.15, most=1_000),
        inbound=_share(free, 0.1, most=500),
        http=_share(free, 0.25, most=4_000),
        deliveries=_share(free, 0.2, most=500),
    )


def full_doors(taken: dict[str, tuple[int, int]]) -> str | None:
    """Which doors turn clients away, from their connections and how many they may have; None: none does."""
    full = [f"{door} has all its {most} connections in use" for door, (used, most) in taken.items() if used >= most]
    return f"{'; '.join(full)}: more are told to come again" if full else None


def _share(free: int, share: float, *, most: int) -> int:
    return max(2, min(most, int(free * share)))
