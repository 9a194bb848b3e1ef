"""SQL of what is seen beside single deliveries: replies that no rule knows, and reports."""
# ruff: noqa: S608 - only constants of this package are put into the SQL

import json
import sqlite3
from collections.abc import Sequence
from typing import Any

import msgspec

from waybill.store.codec import encode
from waybill.store.observed import KeptReport, UnknownReply
from waybill.store.sqlite.writer import Transaction

MOST_UNKNOWN = 10_000
"""Fingerprints that are kept: a receiver whose every reply is new must not fill the disk."""

_UNKNOWN = "fingerprint, site, example, message_id, first_at, last_at, count"
_REPORT = "kind, key, domain, reporter, begin_at, end_at, received_at, summary"


def note_unknown(transaction: Transaction, reply: UnknownReply) -> None:
    """Counts a reply; the newest copy is the example."""
    transaction.execute(
        f"INSERT INTO unknown_replies ({_UNKNOWN}) VALUES (?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (fingerprint) DO UPDATE SET site = excluded.site, example = excluded.example,"
        " message_id = excluded.message_id, first_at = min(first_at, excluded.first_at),"
        " last_at = max(last_at, excluded.last_at), count = count + excluded.count",
        (
            reply.fingerprint,
            reply.site,
            reply.example,
            reply.message_id,
            reply.first_at,
            reply.last_at,
            reply.count,
        ),
    )


def unknown_replies(connection: sqlite3.Connection, limit: int) -> list[UnknownReply]:
    """The most frequent first."""
    rows = connection.execute(
        f"SELECT {_UNKNOWN} FROM unknown_replies ORDER BY count DESC, last_at DESC LIMIT ?", (limit,)
    ).fetchall()
    return [_unknown_of(row) for row in rows]


def _unknown_of(row: Sequence[Any]) -> UnknownReply:
    return UnknownReply(
        fingerprint=row[0],
        site=row[1],
        example=row[2],
        message_id=row[3],
        first_at=row[4],
        last_at=row[5],
        count=row[6],
    )


def forget_unknown(transaction: Transaction, fingerprints: Sequence[str]) -> int:
    """How many there were."""
    return len(
        transaction.execute(
            "DELETE FROM unknown_replies WHERE fingerprint IN (SELECT value FROM json_each(?)) RETURNING 1",
            (json.dumps(list(fingerprints)),),
        )
    )


def prune_unknown(transaction: Transaction) -> None:
    """Forgets the rarest beyond ``MOST_UNKNOWN``."""
    transaction.execute(
        "DELETE FROM unknown_replies WHERE fingerprint IN"
        " (SELECT fingerprint FROM unknown_replies ORDER BY count DESC, last_at DESC LIMIT -1 OFFSET ?)",
        (MOST_UNKNOWN,),
    )


def keep_report(transaction: Transaction, report: KeptReport) -> bool:
    """Whether it was new."""
    return bool(
        transaction.execute(
            f"INSERT INTO reports ({_REPORT}) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING 1",
            (
                report.kind,
                report.key,
                report.domain,
                report.reporter,
                report.begin,
                report.end,
                report.received_at,
                encode(report.summary),
            ),
        )
    )


def reports(connection: sqlite3.Connection, kind: str, domain: str | None, limit: int) -> list[KeptReport]:
    """The newest first."""
    about, values = ("", ()) if domain is None else (" AND domain = ?", (domain,))
    rows = connection.execute(
        f"SELECT {_REPORT} FROM reports WHERE kind = ?{about} ORDER BY received_at DESC, key LIMIT ?",
        (kind, *values, limit),
    ).fetchall()
    return [
        KeptReport(
            kind=row[0],
            key=row[1],
            domain=row[2],
            reporter=row[3],
            begin=row[4],
            end=row[5],
            received_at=row[6],
            summary=msgspec.json.decode(row[7]),
        )
        for row in rows
    ]
