"""SQL of deadlines that an incident moves: deliveries get the time back that it took from them, and the ledger says so."""
# ruff: noqa: S608 - only constants of this package are put into the SQL

import json
import sqlite3
from collections.abc import Sequence
from typing import Any

from waybill.model.clock import MINUTE, Instant
from waybill.model.event import EventKind, NewEvent, Prolonged
from waybill.store.incidents import MoreTime
from waybill.store.sqlite.recording import Occasion, record
from waybill.store.sqlite.rows import NEVER, OPEN
from waybill.store.sqlite.writer import Transaction

LEAST = MINUTE
"""It is not worth an event to give less."""

# What the delivery got already: for this incident, and for all.
_GIVEN = (
    "ifnull((SELECT sum(json_extract(CAST(e.fact AS TEXT), '$.by_ms')) FROM events e WHERE e.message = d.message"
    " AND e.kind = 'prolonged' AND e.recipient = d.recipient"
    " AND (:{0} OR json_extract(CAST(e.fact AS TEXT), '$.incident') = :incident)), 0)"
)

_AT_SITE = "d.domain IN (SELECT :site UNION SELECT domain FROM sites WHERE site = :site)"


def find_waiting(connection: sqlite3.Connection, more: MoreTime, now: Instant) -> list[int]:
    """The ids of those that may get time; found on a reading connection, so that new mail does not wait for the search."""
    soon = "d.expires_at < :before" if more.expiring_before is not None else "d.cause IS NOT NULL"
    rows = connection.execute(
        f"SELECT d.id FROM deliveries d INDEXED BY deliveries_waiting WHERE d.{OPEN} AND {_AT_SITE if more.site else 'TRUE'}"
        f" AND d.accepted_at < :until AND d.expires_at > :now AND {soon}",
        {"site": more.site, "until": more.until, "before": more.expiring_before, "now": now},
    ).fetchall()
    return [row[0] for row in rows]


def give_time(transaction: Transaction, ids: Sequence[int], more: MoreTime, now: Instant) -> int:
    """How many of the deliveries were prolonged."""
    rows = transaction.connection.execute(
        "SELECT id, message, account, recipient, expires_at, owed FROM (SELECT d.id, d.message, d.account, d.recipient,"
        f" d.expires_at, d.accepted_at, :until - max(:since, d.accepted_at) - {_GIVEN.format('own')} AS owed,"
        f" {_GIVEN.format('all')} AS given FROM json_each(:ids) CROSS JOIN deliveries d ON d.id = value"
        f" WHERE d.{OPEN} AND d.expires_at > :now AND d.expires_at < :before)"
        " WHERE (owed >= :least OR :at_least) AND expires_at - given - accepted_at >= :lifetime",
        {
            "ids": json.dumps(ids),
            "incident": more.incident.id,
            "own": False,
            "all": True,
            "since": more.since,
            "until": more.until,
            "lifetime": more.lifetime,
            "before": NEVER if more.expiring_before is None else more.expiring_before,
            "least": LEAST,
            "at_least": more.at_least,
            "now": now,
        },
    ).fetchall()
    found = [(row, max(row[5], more.at_least)) for row in rows]
    if found:
        transaction.execute(
            "UPDATE deliveries SET expires_at = expires_at + (SELECT json_extract(value, '$[1]') FROM json_each(?)"
            " WHERE json_extract(value, '$[0]') = deliveries.id) WHERE id IN (SELECT json_extract(value, '$[0]') FROM json_each(?))",
            (pairs := json.dumps([(row[0], by) for row, by in found]), pairs),
        )
    record(transaction, [_occasion(row, by, more, now) for row, by in found], file_events=False)
    return len(found)


def _occasion(row: Any, by: int, more: MoreTime, now: Instant) -> Occasion:
    fact = Prolonged(
        incident=more.incident.id,
        by=more.incident.author,
        by_ms=by,
        until=row[4] + by,
        text=f"{more.incident.id} took {round((more.until - more.since) / MINUTE)} minutes so far"
        if more.expiring_before is not None
        else f"{more.incident.id} took {round((more.until - more.since) / MINUTE)} minutes",
    )
    return Occasion(
        number=row[1],
        account=row[2],
        configuration_set=None,
        identity=None,
        events=(NewEvent(kind=EventKind.PROLONGED, at=now, recipient=row[3], fact=fact),),
    )
