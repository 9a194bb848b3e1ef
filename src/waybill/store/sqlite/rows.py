"""Rows as the model's records: the columns to select, and what is made of them."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from waybill.model.cause import Cause
from waybill.model.clock import Instant
from waybill.model.event import Event, EventKind
from waybill.model.message import Delivery, Status
from waybill.model.suppression import Reason, Suppression
from waybill.store.codec import decode_fact

OPEN = "status IN ('queued', 'delayed')"
"""The condition of the partial index of open deliveries, word for word."""

DELIVERY = (
    "d.id, m.id, d.account, d.recipient, d.status, d.cause, d.underlying_cause, d.attempts,"
    " d.accepted_at, d.next_at, d.expires_at, d.updated_at, d.lease_owner, d.lease_until"
)
"""Columns of deliveries d joined with messages m."""

DELIVERY_WIDTH = 14

EVENT = "e.id, m.id, e.kind, e.at, e.fact, e.recipient"
"""Columns of events e joined with messages m."""

SUPPRESSION = "account, address, reason, at, author, message_id, feedback_id, event, diagnostic, expires_at, cause"


NEVER: Instant = 1 << 62
"""``next_at`` of what waits until somebody releases it, or until it expires: it is later than every other."""


_ELSEWHERE = {Status.QUEUED: "elsewhere_queued", Status.DELAYED: "elsewhere_delayed"}
_STATUSES = {**{status.value: status for status in Status}, **{word: status for status, word in _ELSEWHERE.items()}}


def elsewhere(status: Status) -> str:
    """The word for a delivery that is not Waybill's to make: where it is open, the queue's indexes do not hold it."""
    return _ELSEWHERE.get(status, status.value)


def plain(word: StrEnum | None) -> str | None:
    """The word as sqlite3 binds it fastest: a subclass of str costs it a search for adapters."""
    return None if word is None else word.value


def delivery_of(row: Sequence[Any]) -> Delivery:
    """The record of a row that begins with the columns ``DELIVERY``."""
    return Delivery(
        id=row[0],
        message_id=row[1],
        account=row[2],
        recipient=row[3],
        status=_STATUSES[row[4]],
        cause=Cause(row[5]) if row[5] else None,
        underlying_cause=Cause(row[6]) if row[6] else None,
        attempts=row[7],
        accepted_at=row[8],
        next_at=None if row[9] == NEVER else row[9],
        expires_at=row[10],
        updated_at=row[11],
        lease_owner=row[12],
        lease_until=row[13],
    )


def event_of(row: Sequence[Any]) -> Event:
    """The record of a row of the columns ``EVENT``."""
    return Event(
        id=row[0],
        message_id=row[1],
        kind=EventKind(row[2]),
        at=row[3],
        fact=decode_fact(row[2], row[4]),
        recipient=row[5],
    )


def suppression_of(row: Sequence[Any]) -> Suppression:
    """The record of a row of the columns ``SUPPRESSION``."""
    return Suppression(
        account=row[0],
        address=row[1],
        reason=Reason(row[2]),
        at=row[3],
        author=row[4],
        message_id=row[5],
        feedback_id=row[6],
        event=row[7],
        diagnostic=row[8],
        expires_at=row[9],
        cause=Cause(row[10]) if row[10] else None,
    )
