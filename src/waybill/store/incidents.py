"""The part of the Store that incidents need: counts, what is usual, incidents, their quarantine, and more time for mail."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Protocol

from waybill.model.clock import DAY, HOUR, Instant
from waybill.model.incident import Incident
from waybill.model.record import record
from waybill.model.suppression import Suppression

COUNTS_KEPT = HOUR
MEMORY_KEPT = 90 * DAY
"""What is remembered of a site to which nothing has gone for so long is forgotten."""


@record(frozen=True, kw_only=True, slots=True)
class SiteCounts:
    """A minute of a site as one worker counted it: ``body`` is the detector's, and takes the place of what was written before."""

    minute: Instant
    site: str
    worker: str
    body: bytes


class QuarantineEnd(StrEnum):
    """What became of an entry in quarantine."""

    DISCARDED = "discarded"  # its recipient took mail before, or since: it was no fault of the address
    CONFIRMED = "confirmed"  # nothing speaks for the address: it is in force again


@record(frozen=True, kw_only=True, slots=True)
class Quarantined:
    """A suppression entry that an incident keeps out of force; ``ended`` None while the incident lasts."""

    entry: Suppression
    ended: QuarantineEnd | None


@record(frozen=True, kw_only=True, slots=True)
class MoreTime:
    """Open deliveries to a site (empty: all sites) get the time back that an incident took from them since ``since``.

    ``until`` is the incident's end, or the present. Only those that had the whole ``lifetime``: a shorter limit is its
    sender's own wish. ``expiring_before``: only those that would run out by then; they get ``at_least`` so much.
    """

    incident: Incident
    site: str
    since: Instant
    until: Instant
    lifetime: int
    expiring_before: Instant | None = None
    at_least: int = 0


class IncidentStore(Protocol):
    """Every method is one transaction, unless it says otherwise."""

    async def count(self, counts: Sequence[SiteCounts], now: Instant) -> None:
        """Writes what a worker has counted; counts that are older than an hour are forgotten."""

    async def counts(self, since: Instant) -> list[bytes]:
        """The counts of all workers of the minutes that begin then or later."""

    async def remember(self, memories: Mapping[str, bytes], now: Instant) -> None:
        """Keeps what is usual at sites."""

    async def memories(self) -> list[bytes]:
        """What is usual at every site."""

    async def open(self, incident: Incident) -> Incident:
        """Writes a new one, and gives it with its number."""

    async def change(self, incident: Incident) -> bool:
        """Writes what has become of one; whether it was written: one that is closed is left as it is."""

    async def incident(self, number: int) -> Incident | None:
        """One by its number."""

    async def lasting(self) -> list[Incident]:
        """Those that are open or suspected, oldest first."""

    async def between(self, begin: Instant, end: Instant, *, limit: int = 100) -> list[Incident]:
        """Those that lasted at any time in between, newest first."""

    async def quarantine(self, incident: Incident) -> int:
        """Takes out of force the entries that bounces at the incident's site made since it began; how many."""

    async def quarantined(self, number: int, *, limit: int = 1000) -> list[Quarantined]:
        """The entries that the incident has kept out of force, by address."""

    async def end_quarantine(
        self, number: int, *, known_since: Instant, confirm_all: bool = False
    ) -> dict[QuarantineEnd, int]:
        """Decides about each entry still in quarantine; how many of each sort.

        Recipients whose server took mail after ``known_since`` are not listed again, the others are. ``confirm_all``: there was
        no incident, so that every entry stands.
        """

    async def give_time(self, more: MoreTime, now: Instant) -> int:
        """Prolongs deliveries, each with a ``prolonged`` event, in portions that are transactions of their own; how many."""

    async def bounced(self, site: str, since: Instant, until: Instant) -> dict[str, int]:
        """How many deliveries to the site bounced for an address in that time, by account."""
