"""Leases on notices, and what becomes of them."""
# ruff: noqa: S608 - only constants of this package are put into the SQL

import json
import sqlite3
from collections.abc import Sequence
from typing import Any

import msgspec

from waybill.model.clock import Instant
from waybill.model.message import Message
from waybill.store.codec import decode_message
from waybill.store.protocol import NewNotice, Notice, NoticeKind, NoticeResult
from waybill.store.sqlite.recording import add_notices
from waybill.store.sqlite.rows import EVENT, event_of
from waybill.store.sqlite.writer import Transaction

# The expression of the index notices_due, word for word.
_DUE = "max(next_at, ifnull(lease_until, 0))"

_headers = msgspec.json.Decoder(dict[str, str])


def anything_due(connection: sqlite3.Connection, now: Instant) -> bool:
    """Whether a claim could find something."""
    return bool(connection.execute(f"SELECT 1 FROM notices WHERE {_DUE} <= ? LIMIT 1", (now,)).fetchall())


def claim_notices(
    transaction: Transaction, worker: str, now: Instant, *, limit: int, lease_until: Instant
) -> list[Notice]:
    """Leases due notices that nobody holds, the longest due first."""
    rows = transaction.execute(
        "SELECT n.id, n.kind, n.account, n.target, n.at, n.attempts, n.body, n.headers,"
        f" m.body, m.dkim_header, m.number, {EVENT}"
        f" FROM (SELECT id AS due_id, {_DUE} AS due FROM notices WHERE {_DUE} <= ? ORDER BY {_DUE}, id LIMIT ?)"
        " CROSS JOIN notices n ON n.id = due_id"
        " LEFT JOIN events e ON e.id = n.event LEFT JOIN messages m ON m.number = e.message ORDER BY due, n.id",
        (now, limit),
    )
    transaction.execute(
        "UPDATE notices SET lease_owner = ?, lease_until = ? WHERE id IN (SELECT value FROM json_each(?))",
        (worker, lease_until, json.dumps([row[0] for row in rows])),
    )
    messages: dict[int, Message] = {}
    return [_notice_of(row, messages) for row in rows]


def _notice_of(row: Sequence[Any], messages: dict[int, Message]) -> Notice:
    number = row[10]
    if number is not None and number not in messages:
        messages[number] = decode_message(row[8], row[9])
    return Notice(
        id=row[0],
        kind=NoticeKind(row[1]),
        account=row[2],
        target=row[3],
        at=row[4],
        attempts=row[5],
        body=row[6],
        headers=None if row[7] is None else _headers.decode(row[7]),
        event=None if number is None else event_of(row[11:]),
        message=None if number is None else messages[number],
    )


def settle_notices(transaction: Transaction, results: Sequence[NoticeResult]) -> None:
    """Deletes notices that are done or given up, reschedules the others, adds the follow-ups.

    The follow-ups of a notice that is gone already are not added again: another publisher has settled it.
    """
    done = [result.notice_id for result in results if result.retry_at is None]
    rows = transaction.execute(
        "DELETE FROM notices WHERE id IN (SELECT value FROM json_each(?)) RETURNING id", (json.dumps(done),)
    )
    settled = {row[0] for row in rows}
    for result in results:
        if result.retry_at is not None:
            rows = transaction.execute(
                "UPDATE notices SET next_at = ?, attempts = attempts + 1, error = ?, lease_owner = NULL,"
                " lease_until = NULL WHERE id = ? RETURNING id",
                (result.retry_at, result.error, result.notice_id),
            )
            settled.update(row[0] for row in rows)
    follow_ups: list[NewNotice] = []
    for result in results:
        if result.notice_id in settled:
            settled.discard(result.notice_id)
            follow_ups += result.follow_ups
    add_notices(transaction, follow_ups)
