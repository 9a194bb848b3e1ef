"""The part of the Store that keeps what was seen beside single deliveries: replies no rule knows, reports, tallies."""

from collections.abc import Sequence
from typing import Protocol

from waybill.model.cause import Cause
from waybill.model.clock import Instant
from waybill.model.record import record
from waybill.model.suppression import Reason, Suppression


@record(frozen=True, kw_only=True, slots=True)
class UnknownReply:
    """A reply that no rule's words fit: ``fingerprint`` is what all its copies share, ``example`` the last one verbatim."""

    fingerprint: str
    site: str
    example: str
    message_id: str
    first_at: Instant
    last_at: Instant
    count: int = 1


@record(frozen=True, kw_only=True, slots=True)
class KeptReport:
    """A report about our mail as a whole: ``kind`` is ``dmarc`` (RFC 9990) or ``tlsrpt`` (RFC 8460), ``summary`` what it says.

    ``key`` names it for good (its reporter and its own id), so that the same report is kept once.
    """

    kind: str
    key: str
    domain: str
    reporter: str
    begin: Instant
    end: Instant
    received_at: Instant
    summary: dict[str, object]


class Observations(Protocol):
    """Bounded by what it is about: as many rows as there are fingerprints, reports and names of tallies."""

    async def unknown_replies(self, *, limit: int = 100) -> list[UnknownReply]:
        """The most frequent first."""

    async def forget_unknown_replies(self, fingerprints: Sequence[str]) -> int:
        """Removes them, once a rule knows them; how many there were."""

    async def keep_report(self, report: KeptReport) -> bool:
        """Whether it was new."""

    async def reports(self, kind: str, *, domain: str | None = None, limit: int = 100) -> list[KeptReport]:
        """The newest first."""

    async def tally(self, name: str, at: Instant, more: int = 1) -> None:
        """Counts something by name (``forged_bounces``), by the day it happened."""

    async def tallied(self, name: str, since: Instant) -> int:
        """How often since then (whole days)."""

    async def sent_from(self, source_ip: str, site: str, since: Instant) -> int:
        """Deliveries to the site attempted from the address since then (whole days, UTC)."""

    async def unsuppress_matching(
        self,
        account: str,
        *,
        rule: str | None = None,
        cause: Cause | None = None,
        reason: Reason | None = None,
        since: Instant | None = None,
        until: Instant | None = None,
    ) -> list[Suppression]:
        """Removes the entries of one list that fit all that is given; those it removed. Raises: ValueError: nothing was given."""

    async def backup(self, path: str) -> None:
        """Writes a consistent copy of the store, as a store of its own, while the service runs. Raises: StoreUnavailable."""
