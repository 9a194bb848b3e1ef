"""The part of the Store that finds what is like something: for near misses, and for failures that many messages share."""

from collections.abc import Collection
from typing import Protocol

from waybill.model.clock import Instant
from waybill.model.event import RenderingFailed
from waybill.model.history import FailedAlike, OftenTaken, TakenAt


class Likenesses(Protocol):
    """Each question looks at a bounded number of rows, however large the ledger."""

    async def failed_alike(
        self, account: str, message_id: str, fact: RenderingFailed, since: Instant
    ) -> FailedAlike | None:
        """The account's other messages since then that failed for the same reason; None where there are none."""

    async def taken_at(self, account: str, domain: str) -> list[TakenAt]:
        """Addresses of the domain that took the account's mail, by its newest deliveries there."""

    async def often_taken(self, account: str, domains: Collection[str]) -> OftenTaken | None:
        """That of the domains which took the most of the account's mail; None where none took any."""
