"""Leases on open deliveries: claiming what is due, prolonging, and finding what is overdue."""
# ruff: noqa: S608 - only constants of this package are put into the SQL

import dataclasses
import sqlite3
from collections.abc import Sequence
from typing import Any

from waybill.model.clock import Instant
from waybill.model.message import Delivery, Message
from waybill.store.codec import decode_message
from waybill.store.protocol import Claim
from waybill.store.sqlite.rows import DELIVERY, DELIVERY_WIDTH, OPEN, delivery_of
from waybill.store.sqlite.writer import Transaction

# The expression of the index deliveries_due, word for word.
_DUE = "max(min(next_at, expires_at), ifnull(lease_until, 0))"


def anything_due(connection: sqlite3.Connection, now: Instant) -> bool:
    """Whether a claim could find something; asked on a reading connection, so that idle polling writes nothing."""
    return _any(connection, "expires_at > ?", now)


def anything_overdue(connection: sqlite3.Connection, now: Instant) -> bool:
    """Whether anything has expired that nobody holds."""
    return _any(connection, "expires_at <= ?", now)


def _any(connection: sqlite3.Connection, condition: str, now: Instant) -> bool:
    rows = connection.execute(
        f"SELECT 1 FROM deliveries WHERE {OPEN} AND {_DUE} <= ? AND {condition} LIMIT 1", (now, now)
    )
    return bool(rows.fetchall())


def claim(
    transaction: Transaction, worker: str, now: Instant, *, limit: int, lease_until: Instant, skip: Sequence[str]
) -> list[Claim]:
    """Leases due deliveries that have not expired, that nobody holds and whose domain is not to be skipped, the longest due first."""
    left_out = f" AND domain NOT IN ({','.join('?' * len(skip))})" if skip else ""
    rows = transaction.execute(
        f"SELECT {DELIVERY}, d.message, m.body, m.dkim_header, c.content"
        f" FROM (SELECT id AS due_id, {_DUE} AS due FROM deliveries"
        f" WHERE {OPEN} AND {_DUE} <= ? AND expires_at > ?{left_out} ORDER BY {_DUE} LIMIT ?)"
        " CROSS JOIN deliveries d ON d.id = due_id"
        " JOIN messages m ON m.number = d.message JOIN contents c ON c.message = d.message ORDER BY due, d.id",
        (now, now, *skip, limit),
    )
    deliveries = _lease(transaction, rows, worker, lease_until)
    messages: dict[int, tuple[Message, bytes]] = {}
    claims: list[Claim] = []
    for row, delivery in zip(rows, deliveries, strict=True):
        number, body, dkim_header, content = row[DELIVERY_WIDTH:]
        if number not in messages:
            messages[number] = (decode_message(body, dkim_header), content)
        message, shared = messages[number]
        claims.append(Claim(delivery=delivery, message=message, content=shared))
    return claims


def renew(transaction: Transaction, worker: str, delivery_ids: Sequence[int], lease_until: Instant) -> None:
    """Prolongs leases, those alone that the worker still holds."""
    transaction.connection.executemany(
        f"UPDATE deliveries SET lease_until = ? WHERE id = ? AND lease_owner = ? AND {OPEN}",
        [(lease_until, delivery_id, worker) for delivery_id in delivery_ids],
    )


def overdue(transaction: Transaction, worker: str, now: Instant, *, limit: int, lease_until: Instant) -> list[Delivery]:
    """Leases open deliveries that have expired and that nobody holds."""
    rows = transaction.execute(
        f"SELECT {DELIVERY} FROM (SELECT id AS due_id, {_DUE} AS due FROM deliveries"
        f" WHERE {OPEN} AND {_DUE} <= ? AND expires_at <= ? ORDER BY {_DUE} LIMIT ?)"
        " CROSS JOIN deliveries d ON d.id = due_id JOIN messages m ON m.number = d.message ORDER BY due, d.id",
        (now, now, limit),
    )
    return _lease(transaction, rows, worker, lease_until)


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
