"""The part of the Store that knows how we stand: what became of mail as a whole, and what blocklists said."""

from collections.abc import Sequence
from typing import Protocol

from waybill.model.clock import Instant
from waybill.model.standing import DayTally, Listed, Tally


class StandingStore(Protocol):
    """Counted in the transaction that settles; three days by hour, sixty by day."""

    async def tallies(self, starts: Sequence[Instant], account: str | None = None) -> list[Tally]:
        """Figures from each start on (whole hours, for the older ones whole days), of one account or of all."""

    async def by_day(self, account: str, since: Instant, until: Instant) -> list[DayTally]:
        """Figures of the days (UTC) that begin from ``since`` to before ``until``, oldest first."""

    async def excuse(self, since: Instant, *, provider: str | None = None, source_ip: str | None = None) -> int:
        """Takes hard bounces of a provider or a source address out of the rates, from the hour of ``since`` on; how many.

        Raises: ValueError: neither was given.
        """

    async def note_listings(self, found: Sequence[Listed]) -> list[Listed]:
        """Keeps what blocklists said; those that said something new. What they said before ends then."""

    async def listings(
        self, *, subjects: Sequence[str] | None = None, since: Instant | None = None, until: Instant | None = None
    ) -> list[Listed]:
        """What stands now, or with ``since`` all that stood at some time between it and ``until``; of all subjects or of these."""
