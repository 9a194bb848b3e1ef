"""Leases on open deliveries: claiming what is due, prolonging, and finding what is overdue."""
# ruff: noqa: S608 - only constants of this package are put into the SQL

import dataclasses
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from waybill.model.clock import Instant
from waybill.model.event import EventKind, NewEvent, TakenOver
from waybill.model.message import Delivery, Message
from waybill.store.codec import decode_message
from waybill.store.protocol import Claim
from waybill.store.queueing import Skip, WasSending
from waybill.store.sqlite.recording import Occasion, record
from waybill.store.sqlite.rows import DELIVERY, DELIVERY_WIDTH, OPEN, delivery_of
from waybill.store.sqlite.writer import Transaction

DUE = "min(max(next_at, ifnull(lease_until, 0)), expires_at)"
"""The expression of the index deliveries_due, word for word."""

_LEASE_OWNER = 12


def anything_due(connection: sqlite3.Connection, now: Instant) -> bool:
    """Whether a claim could find something; asked on a reading connection, so that idle polling writes nothing."""
    return _any(connection, "expires_at > ?", now, now)


def anything_overdue(connection: sqlite3.Connection, now: Instant, seize_before: Instant) -> bool:
    """Whether anything has expired that nobody holds, or that is to be taken from whoever does."""
    return _any(connection, _OVERDUE, now, now, now, seize_before)


_OVERDUE = "expires_at <= ? AND (ifnull(lease_until, 0) <= ? OR expires_at < ?)"


def _any(connection: sqlite3.Connection, condition: str, now: Instant, *values: Instant) -> bool:
    rows = connection.execute(
        f"SELECT 1 FROM deliveries WHERE {OPEN} AND {DUE} <= ? AND {condition} LIMIT 1", (now, *values)
    )
    return bool(rows.fetchall())


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What a worker claims: how many, until when, what it has enough of, and who knows what another was sending."""

    worker: str
    limit: int
    lease_until: Instant
    skip: Skip
    was_sending: WasSending


def claim(transaction: Transaction, wanted: Wanted, now: Instant) -> list[Claim]:
    """Leases due deliveries that have not expired, that nobody holds and that are not to be skipped, the longest due first."""
    left_out = _left_out("domain", wanted.skip.domains) + _left_out("account", wanted.skip.accounts)
    rows = transaction.execute(
        f"SELECT {DELIVERY}, d.message, m.body, m.dkim_header, c.content"
        f" FROM (SELECT id AS due_id, {DUE} AS due FROM deliveries"
        f" WHERE {OPEN} AND {DUE} <= ? AND expires_at > ?{left_out} ORDER BY {DUE} LIMIT ?)"
        " CROSS JOIN deliveries d ON d.id = due_id"
        " JOIN messages m ON m.number = d.message JOIN contents c ON c.message = d.message ORDER BY due, d.id",
        (now, now, *wanted.skip.domains, *wanted.skip.accounts, wanted.limit),
    )
    deliveries = _lease(transaction, rows, wanted.worker, wanted.lease_until)
    _tell_taken_over(transaction, rows, wanted, now)
    messages: dict[int, tuple[Message, bytes]] = {}
    claims: list[Claim] = []
    for row, delivery in zip(rows, deliveries, strict=True):
        number, body, dkim_header, content = row[DELIVERY_WIDTH:]
        if number not in messages:
            messages[number] = (decode_message(body, dkim_header), content)
        message, shared = messages[number]
        claims.append(Claim(delivery=delivery, message=message, content=shared))
    return claims


def _left_out(column: str, names: Sequence[str]) -> str:
    return f" AND {column} NOT IN ({','.join('?' * len(names))})" if names else ""


def _tell_taken_over(transaction: Transaction, rows: Sequence[Any], wanted: Wanted, now: Instant) -> None:
    """Writes which of the deliveries another worker had in hand and never settled: a lease that was given back names nobody."""
    left = [row for row in rows if row[_LEASE_OWNER] not in (None, wanted.worker)]
    record(
        transaction,
        [
            Occasion(
                number=row[DELIVERY_WIDTH],
                account=row[2],
                configuration_set=None,
                identity=None,
                events=(
                    NewEvent(
                        kind=EventKind.TAKEN_OVER,
                        at=now,
                        recipient=row[3],
                        fact=TakenOver(
                            worker=row[_LEASE_OWNER], was_sending=wanted.was_sending(row[_LEASE_OWNER], row[0])
                        ),
                    ),
                ),
            )
            for row in left
        ],
        file_events=False,
    )


def renew(transaction: Transaction, worker: str, delivery_ids: Sequence[int], lease_until: Instant) -> None:
    """Prolongs leases, those alone that the worker still holds."""
    transaction.connection.executemany(
        f"UPDATE deliveries SET lease_until = ? WHERE id = ? AND lease_owner = ? AND {OPEN}",
        [(lease_until, delivery_id, worker) for delivery_id in delivery_ids],
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Sweep:
    """What a worker ends: how many, until when it has them, and since when who hangs loses them."""

    worker: str
    limit: int
    lease_until: Instant
    seize_before: Instant


def overdue(transaction: Transaction, sweep: Sweep, now: Instant) -> list[Delivery]:
    """Leases open deliveries that have expired and that nobody holds; those that expired before ``seize_before`` from anybody."""
    rows = transaction.execute(
        f"SELECT {DELIVERY} FROM (SELECT id AS due_id, {DUE} AS due FROM deliveries"
        f" WHERE {OPEN} AND {DUE} <= ? AND {_OVERDUE} ORDER BY {DUE} LIMIT ?)"
        " CROSS JOIN deliveries d ON d.id = due_id JOIN messages m ON m.number = d.message ORDER BY due, d.id",
        (now, now, now, sweep.seize_before, sweep.limit),
    )
    return _lease(transaction, rows, sweep.worker, sweep.lease_until)


def _lease(transaction: Transaction, rows: list[Any], worker: str, lease_until: Instant) -> list[Delivery]:
    transaction.connection.executemany(
        "UPDATE deliveries SET lease_owner = ?, lease_until = ? WHERE id = ?",
        [(worker, lease_until, row[0]) for row in rows],
    )
    return [dataclasses.replace(delivery_of(row), lease_owner=worker, lease_until=lease_until) for row in rows]


def read_delivery(connection: sqlite3.Connection, delivery_id: int) -> Delivery | None:
    """One delivery, or None."""
    rows = connection.execute(
        f"SELECT {DELIVERY} FROM deliveries d JOIN messages m ON m.number = d.message WHERE d.id = ?", (delivery_id,)
    ).fetchall()
    return delivery_of(rows[0]) if rows else None
