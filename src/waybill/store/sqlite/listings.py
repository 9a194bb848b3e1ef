"""SQL of what blocklists said of us: a row for as long as one said the same."""
# ruff: noqa: S608 - only constants of this package are put into the SQL

import json
import sqlite3
from collections.abc import Sequence
from typing import Any

from waybill.model.clock import Instant
from waybill.model.standing import Listed, ListingState
from waybill.store.codec import encode
from waybill.store.sqlite.writer import Transaction

_COLUMNS = "subject, blocklist, since, zone, state, answers, text, asked_at, until"


def note_listings(transaction: Transaction, found: Sequence[Listed]) -> list[Listed]:
    """Those that said something new."""
    return [listed for listed in found if _note(transaction, listed)]


def _note(transaction: Transaction, listed: Listed) -> bool:
    standing = transaction.execute(
        "SELECT state, answers, since FROM listings WHERE subject = ? AND blocklist = ? AND until IS NULL",
        (listed.subject, listed.blocklist),
    )
    answers = encode(listed.answers)
    if standing and (standing[0][0], standing[0][1]) == (listed.state.value, answers):
        transaction.execute(
            "UPDATE listings SET asked_at = ?, text = ? WHERE subject = ? AND blocklist = ? AND since = ?",
            (listed.asked_at, listed.text, listed.subject, listed.blocklist, standing[0][2]),
        )
        return False
    transaction.execute(
        "UPDATE listings SET until = ? WHERE subject = ? AND blocklist = ? AND until IS NULL",
        (listed.since, listed.subject, listed.blocklist),
    )
    transaction.execute(
        f"INSERT OR REPLACE INTO listings ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            listed.subject,
            listed.blocklist,
            listed.since,
            listed.zone,
            listed.state.value,
            answers,
            listed.text,
            listed.asked_at,
            listed.until,
        ),
    )
    return True


def listings(
    connection: sqlite3.Connection, subjects: Sequence[str] | None, since: Instant | None, until: Instant | None
) -> list[Listed]:
    """By subject and list, oldest first."""
    where: list[str] = ["until IS NULL"]
    values: list[object] = []
    if since is not None:
        where, values = ["(until IS NULL OR until >= ?)"], [since]
        if until is not None:
            where.append("since <= ?")
            values.append(until)
    if subjects is not None:
        where.append("subject IN (SELECT value FROM json_each(?))")
        values.append(json.dumps(list(subjects)))
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM listings WHERE {' AND '.join(where)} ORDER BY subject, blocklist, since", tuple(values)
    ).fetchall()
    return [_listed(row) for row in rows]


def _listed(row: Sequence[Any]) -> Listed:
    return Listed(
        subject=row[0],
        blocklist=row[1],
        since=row[2],
        zone=row[3],
        state=ListingState(row[4]),
        answers=tuple(json.loads(row[5])),
        text=row[6],
        asked_at=row[7],
        until=row[8],
    )
