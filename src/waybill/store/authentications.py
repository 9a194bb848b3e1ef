"""The part of the Store that keeps what SPF, DKIM and DMARC looked like when mail was sent."""

from typing import Protocol

from waybill.model.authentication import Authentication, AuthenticationSeen
from waybill.model.clock import DAY, Instant

KEPT = 400 * DAY
"""How long it is kept after it was seen last."""

MOST_KEPT = 50
"""Of one Sending, the newest."""


class Authentications(Protocol):
    """One entry for as long as the same was found: it gets a new time, and what differs a new entry."""

    async def keep(self, sending_id: str, authentication: Authentication, at: Instant) -> None:
        """Notes what was found at that time."""

    async def of_domain(self, account: str, from_domain: str, *, limit: int = 100) -> list[AuthenticationSeen]:
        """What was found for mail of the account with that domain in From, from wherever it was sent; the newest first."""
