"""What this installation allows senders."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class AcceptPolicy:
    """What this installation allows. Durations are milliseconds; limits of 0 are none.

    ``worker`` is who gets the lease on what is accepted; ``every_sender`` waives the check of identities.
    """

    worker: str
    region: str
    bounce_domain: str
    every_sender: bool
    max_lifetime: int
    lease: int
    default_max_send_rate: float = 0
    default_max_24_hour_send: int = 0
