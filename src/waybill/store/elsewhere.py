"""The part of the Store that keeps what another service tells of messages that it sent itself: Amazon SES."""

from collections.abc import Sequence
from typing import Protocol

from waybill.model.event import NewEvent
from waybill.model.message import Message
from waybill.model.record import record


@record(frozen=True, kw_only=True, slots=True)
class Reported:
    """One report: its message, as far as the report tells of it, and events (``amazon_reported``, ``amazon_asked``)."""

    message: Message
    events: tuple[NewEvent, ...]


@record(frozen=True, kw_only=True, slots=True)
class TakenIn:
    """What taking in reports came to.

    ``new`` and ``known`` count events; ``not_theirs`` are the ids of messages that are Waybill's own, or another
    account's, of which nothing was written.
    """

    new: int = 0
    known: int = 0
    not_theirs: tuple[str, ...] = ()


class Elsewhere(Protocol):
    """Mail that somebody else carries: it is in the ledger, is found and explained, and the queue never sees it."""

    async def take_in(self, reports: Sequence[Reported]) -> TakenIn:
        """Writes the reports in one transaction: messages, recipients and events that are new, and what becomes of each recipient.

        In whatever order and however often reports come, the ledger holds the same in the end (the events' ids apart,
        which grow as they come). Nothing is published of them, and no counter moves.
        """
