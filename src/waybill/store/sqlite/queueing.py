"""SQL of the queue as people and rules steer it: looking at it by site, holding, releasing, and what is stuck.

What is to be changed is found on a reading connection, and only changed under the write lock: however long the queue
is, new mail never waits for the search. What has changed meanwhile is left.
"""
# ruff: noqa: S608 - only constants of this package are put into the SQL

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from waybill.model.cause import Cause
from waybill.model.clock import MINUTE, Instant
from waybill.model.event import EventKind, Fact, Held, NewEvent, Released, Stuck
from waybill.model.message import Delivery
from waybill.store.codec import decode_fact
from waybill.store.queueing import Selection, SiteQueue
from waybill.store.sqlite.bulk import statement
from waybill.store.sqlite.claiming import DUE
from waybill.store.sqlite.recording import Occasion, record
from waybill.store.sqlite.rows import DELIVERY, NEVER, OPEN, delivery_of
from waybill.store.sqlite.writer import Transaction

_HELD = f"d.cause = '{Cause.HELD_BY_WAYBILL}'"
_NOT_HELD = f"d.cause IS NOT '{Cause.HELD_BY_WAYBILL}'"
_FREE = "ifnull(d.lease_until, 0) <= :now AND d.expires_at > :now"
_REAL_CAUSE = f"iif(d.cause IN ('{Cause.HELD_BY_WAYBILL}', '{Cause.STUCK}'), d.underlying_cause, d.cause)"

# The hold that stands: the newest of the recipient, whose name is compared as it was given.
_LAST_HOLD = (
    "SELECT {} FROM events e WHERE e.message = d.message AND e.kind = 'held'"
    " AND e.recipient = d.recipient ORDER BY e.id DESC LIMIT 1"
)

_LIMIT = "json_extract(CAST(e.fact AS TEXT), '$.limit')"

_HOLDABLE = f"{_FREE} AND d.next_at < :until"
_RELEASABLE = f"{_FREE} AND d.next_at > :now AND {_HELD}"
_RETRYABLE = f"{_FREE} AND d.next_at > :now AND {_NOT_HELD}"
_STUCK = f"ifnull(d.lease_until, 0) <= :now AND d.next_at <= :due_before AND d.cause IS NOT '{Cause.STUCK}'"


def remember_sites(transaction: Transaction, sites: Mapping[str, str]) -> None:
    """Keeps the sites of domains; a site that is known already is not written again."""
    statement(
        transaction,
        "INSERT INTO sites (domain, site) VALUES {rows}"
        " ON CONFLICT (domain) DO UPDATE SET site = excluded.site WHERE site <> excluded.site",
        list(sites.items()),
    )


def knows_site(connection: sqlite3.Connection, site: str) -> bool:
    """Whether a domain's mail is known to go there."""
    return bool(connection.execute("SELECT EXISTS (SELECT 1 FROM sites WHERE site = ?)", (site,)).fetchone()[0])


# finding


def _from(selection: Selection) -> str:
    # Without an index of open deliveries in its name SQLite may choose to read all that was ever sent.
    by = "deliveries_message" if selection.message_id is not None else "deliveries_waiting"
    return f"deliveries d INDEXED BY {by}"


def _where(selection: Selection) -> tuple[str, dict[str, Any]]:
    """The condition of open deliveries that the selection names, and its values."""
    conditions: list[str] = [f"d.{OPEN}"]
    values: dict[str, Any] = {}
    if selection.message_id is not None:
        conditions.append("d.message = (SELECT number FROM messages WHERE id = :message_id)")
        values["message_id"] = selection.message_id
    if selection.domain is not None:
        conditions.append("d.domain = :domain")
        values["domain"] = selection.domain.lower()
    if selection.sites:
        conditions.append(
            "d.domain IN (SELECT value FROM json_each(:sites)"
            " UNION SELECT domain FROM sites WHERE site IN (SELECT value FROM json_each(:sites)))"
        )
        values["sites"] = json.dumps(selection.sites)
    if selection.account is not None:
        conditions.append("d.account = :account")
        values["account"] = selection.account
    if selection.cause is not None:
        conditions.append(f"(d.cause = :cause OR {_REAL_CAUSE} = :cause)")
        values["cause"] = selection.cause.value
    if selection.held is not None:
        conditions.append(_HELD if selection.held else _NOT_HELD)
    if selection.held_for is not None:
        conditions.append(f"{_HELD} AND ({_LAST_HOLD.format(_LIMIT)}) = :held_for")
        values["held_for"] = selection.held_for
    return " AND ".join(conditions), values


@dataclass(frozen=True, kw_only=True, slots=True)
class Search:
    """Open deliveries of a selection for which a condition with its values is true."""

    selection: Selection
    condition: str
    values: Mapping[str, Any]


def holdable(selection: Selection, held: Held, now: Instant) -> Search:
    """Those that nobody attempts at this moment and that would be attempted before the hold ends."""
    return Search(selection=selection, condition=_HOLDABLE, values={"now": now, "until": _until(held)})


def _until(held: Held) -> Instant:
    return NEVER if held.until is None else held.until


def releasable(selection: Selection, now: Instant) -> Search:
    """Those that are held, and not due anyway."""
    return Search(selection=selection, condition=_RELEASABLE, values={"now": now})


def retryable(selection: Selection, now: Instant) -> Search:
    """Those that wait for a later attempt, and are not held."""
    return Search(selection=selection, condition=_RETRYABLE, values={"now": now})


def find(connection: sqlite3.Connection, search: Search, limit: int) -> list[int]:
    """The ids of at most ``limit`` of them."""
    where, values = _where(search.selection)
    rows = connection.execute(
        f"SELECT d.id FROM {_from(search.selection)} WHERE {where} AND {search.condition} LIMIT :limit",
        {**values, **search.values, "limit": limit},
    ).fetchall()
    return [row[0] for row in rows]


def queued(connection: sqlite3.Connection, selection: Selection, *, after: int, limit: int) -> list[Delivery]:
    """Open deliveries by id."""
    where, values = _where(selection)
    rows = connection.execute(
        f"SELECT {DELIVERY} FROM (SELECT d.id AS found FROM {_from(selection)} WHERE {where} AND d.id > :after"
        " ORDER BY d.id LIMIT :limit) CROSS JOIN deliveries d ON d.id = found JOIN messages m ON m.number = d.message"
        " ORDER BY d.id",
        {**values, "after": after, "limit": limit},
    ).fetchall()
    return [delivery_of(row) for row in rows]


def queue_by_site(connection: sqlite3.Connection, selection: Selection, now: Instant, limit: int) -> list[SiteQueue]:
    """The sites with the most waiting first; a held delivery counts for the cause that it had before."""
    where, values = _where(selection)
    rows = connection.execute(
        "WITH part AS MATERIALIZED (SELECT d.domain, d.cause = 'held_by_waybill' AS is_held,"
        " iif(d.cause = 'held_by_waybill', ifnull(d.underlying_cause, d.cause), d.cause) AS cause, count(*) AS waiting,"
        " sum(ifnull(d.lease_until, 0) > :now) AS leased,"
        " sum(ifnull(d.lease_until, 0) <= :now AND d.next_at <= :now) AS due, min(d.accepted_at) AS oldest,"
        " min(iif(ifnull(d.lease_until, 0) > :now, NULL, d.next_at)) AS next"
        f" FROM {_from(selection)} WHERE {where}"
        " GROUP BY d.domain, is_held, iif(d.cause = 'held_by_waybill', ifnull(d.underlying_cause, d.cause), d.cause)),"
        " by_cause AS MATERIALIZED (SELECT ifnull(s.site, part.domain) AS site, part.cause, sum(waiting) AS waiting,"
        " sum(iif(is_held, waiting, 0)) AS held, sum(leased) AS leased, sum(due) AS due, min(oldest) AS oldest,"
        " min(next) AS next FROM part LEFT JOIN sites s ON s.domain = part.domain GROUP BY 1, 2),"
        " top AS MATERIALIZED (SELECT site, sum(waiting) AS total FROM by_cause GROUP BY site"
        " ORDER BY total DESC, site LIMIT :limit)"
        " SELECT b.site, b.cause, b.waiting, b.held, b.leased, b.due, b.oldest, b.next"
        " FROM top JOIN by_cause b ON b.site = top.site ORDER BY top.total DESC, b.site, b.waiting DESC, b.cause",
        {**values, "now": now, "limit": limit},
    ).fetchall()
    sites: dict[str, list[Any]] = {}
    for row in rows:
        sites.setdefault(row[0], []).append(row)
    return [_site_of(site, parts) for site, parts in sites.items()]


def _site_of(site: str, parts: Sequence[Any]) -> SiteQueue:
    next_at = min((part[7] for part in parts if part[7] is not None), default=NEVER)
    return SiteQueue(
        site=site,
        waiting=sum(part[2] for part in parts),
        held=sum(part[3] for part in parts),
        under_lease=sum(part[4] for part in parts),
        due=sum(part[5] for part in parts),
        oldest_at=min(part[6] for part in parts),
        next_at=None if next_at == NEVER else next_at,
        causes={part[1]: part[2] for part in parts if part[1] is not None},
    )


# changing


@dataclass(frozen=True, kw_only=True, slots=True)
class _Row:
    """A delivery that is to be changed; ``hold`` is the hold that stands, where one does."""

    id: int
    message: int
    account: str
    recipient: str
    next_at: Instant
    hold: Held | None


def _still(transaction: Transaction, ids: Sequence[int], condition: str, values: Mapping[str, Any]) -> list[_Row]:
    """Those of the deliveries for which the condition still is true."""
    rows = transaction.connection.execute(
        f"SELECT d.id, d.message, d.account, d.recipient, d.next_at, iif({_HELD}, ({_LAST_HOLD.format('e.fact')}), NULL)"
        f" FROM json_each(:ids) CROSS JOIN deliveries d ON d.id = value WHERE d.{OPEN} AND {condition}",
        {**values, "ids": json.dumps(ids)},
    ).fetchall()
    return [_row_of(row) for row in rows]


def _row_of(row: Sequence[Any]) -> _Row:
    hold = None if row[5] is None else decode_fact(EventKind.HELD, row[5])
    assert hold is None or isinstance(hold, Held)
    return _Row(id=row[0], message=row[1], account=row[2], recipient=row[3], next_at=row[4], hold=hold)


def hold(transaction: Transaction, ids: Sequence[int], held: Held, now: Instant) -> int:
    """How many of the deliveries are held now that were not held so long."""
    until = _until(held)
    rows = _still(transaction, ids, _HOLDABLE, {"now": now, "until": until})
    new = [row for row in rows if row.hold is None or (row.hold.by, row.hold.limit) != (held.by, held.limit)]
    _change(transaction, "next_at = ?", (until,), rows)
    _change(
        transaction,
        f"cause = ?, underlying_cause = {_REAL_CAUSE.replace('d.', '')}, updated_at = ?",
        (Cause.HELD_BY_WAYBILL.value, now),
        new,
    )
    _tell(transaction, EventKind.HELD, now, [(row, held) for row in new])
    return len(rows)


def release(transaction: Transaction, ids: Sequence[int], by: str, now: Instant) -> int:
    """How many of the deliveries were held, and are due now."""
    rows = _still(transaction, ids, _RELEASABLE, {"now": now})
    _change(
        transaction,
        "next_at = ?, cause = underlying_cause, underlying_cause = NULL, updated_at = ?",
        (now, now),
        rows,
    )
    _tell(
        transaction,
        EventKind.RELEASED,
        now,
        [(row, Released(by=by, text=row.hold.text if row.hold else "held")) for row in rows],
    )
    return len(rows)


def retry_now(transaction: Transaction, ids: Sequence[int], now: Instant) -> int:
    """How many of the deliveries waited for later, and are due now."""
    rows = _still(transaction, ids, _RETRYABLE, {"now": now})
    _change(transaction, "next_at = ?", (now,), rows)
    return len(rows)


def find_stuck(connection: sqlite3.Connection, now: Instant, due_before: Instant, limit: int) -> list[int]:
    """The ids of those that became due before then, that nobody holds and that are not told to be stuck yet, the longest due first."""
    rows = connection.execute(
        f"SELECT d.id FROM deliveries d INDEXED BY deliveries_due WHERE d.{OPEN} AND {DUE} <= :due_before AND {_STUCK}"
        f" ORDER BY {DUE} LIMIT :limit",
        {"now": now, "due_before": due_before, "limit": limit},
    ).fetchall()
    return [row[0] for row in rows]


def mark_stuck(transaction: Transaction, ids: Sequence[int], now: Instant, due_before: Instant) -> list[Delivery]:
    """Gives them the cause and the event; as they are then."""
    rows = _still(transaction, ids, _STUCK, {"now": now, "due_before": due_before})
    _change(
        transaction,
        f"cause = ?, underlying_cause = {_REAL_CAUSE.replace('d.', '')}, updated_at = ?",
        (Cause.STUCK.value, now),
        rows,
    )
    _tell(transaction, EventKind.STUCK, now, [(row, _stuck(row.next_at, now)) for row in rows])
    changed = transaction.execute(
        f"SELECT {DELIVERY} FROM json_each(?) CROSS JOIN deliveries d ON d.id = value"
        " JOIN messages m ON m.number = d.message ORDER BY d.id",
        (json.dumps([row.id for row in rows]),),
    )
    return [delivery_of(row) for row in changed]


def _stuck(due_at: Instant, now: Instant) -> Stuck:
    minutes = (now - due_at) // MINUTE
    return Stuck(due_at=due_at, text=f"due for {minutes} minutes, and no worker has taken it up")


def give_back(transaction: Transaction, worker: str, ids: Sequence[int]) -> None:
    """Ends leases of the worker as if they had not been."""
    transaction.execute(
        "UPDATE deliveries SET lease_owner = NULL, lease_until = NULL"
        f" WHERE id IN (SELECT value FROM json_each(?)) AND lease_owner = ? AND {OPEN}",
        (json.dumps(ids), worker),
    )


def _change(transaction: Transaction, assignments: str, values: tuple[Any, ...], rows: Sequence[_Row]) -> None:
    if rows:
        transaction.execute(
            f"UPDATE deliveries SET {assignments} WHERE id IN (SELECT value FROM json_each(?))",
            (*values, json.dumps([row.id for row in rows])),
        )


def _tell(transaction: Transaction, kind: EventKind, now: Instant, told: Sequence[tuple[_Row, Fact]]) -> None:
    # Nobody outside hears of these events: SES publishes none of them.
    record(
        transaction,
        [
            Occasion(
                number=row.message,
                account=row.account,
                configuration_set=None,
                identity=None,
                events=(NewEvent(kind=kind, at=now, recipient=row.recipient, fact=fact),),
            )
            for row, fact in told
        ],
        file_events=False,
    )
