"""SQL of the two suppression lists."""
# ruff: noqa: S608 - only constants of this package are put into the SQL

import json
import sqlite3
from collections.abc import Sequence

from waybill.model.address import comparable
from waybill.model.cause import Cause
from waybill.model.clock import Instant
from waybill.model.suppression import GLOBAL, Reason, Suppression
from waybill.store.sqlite.rows import SUPPRESSION, plain, suppression_of
from waybill.store.sqlite.writer import Transaction


def suppress(transaction: Transaction, entries: Sequence[Suppression]) -> None:
    """Adds entries, replacing those of the same address."""
    transaction.connection.executemany(
        f"INSERT OR REPLACE INTO suppressions ({SUPPRESSION}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                entry.account,
                comparable(entry.address),
                entry.reason,
                entry.at,
                entry.author,
                entry.message_id,
                entry.feedback_id,
                entry.event,
                entry.diagnostic,
                entry.expires_at,
                plain(entry.cause),
            )
            for entry in entries
        ],
    )


def unsuppress(transaction: Transaction, account: str, address: str) -> bool:
    """Whether there was an entry."""
    return bool(
        transaction.execute(
            "DELETE FROM suppressions WHERE account = ? AND address = ? RETURNING 1", (account, comparable(address))
        )
    )


def unsuppress_matching(
    transaction: Transaction,
    account: str,
    *,
    rule: str | None,
    cause: Cause | None,
    reason: Reason | None,
    period: tuple[Instant | None, Instant | None],
) -> list[Suppression]:
    """Removes the entries of one list that fit all that is given; those it removed, by address."""
    rows = transaction.execute(
        "DELETE FROM suppressions WHERE account = ? AND author = ifnull(?, author) AND (? IS NULL OR cause = ?)"
        f" AND reason = ifnull(?, reason) AND at >= ifnull(?, at) AND at < ifnull(?, at + 1) RETURNING {SUPPRESSION}",
        (
            account,
            None if rule is None else f"rule:{rule.removeprefix('rule:')}",
            plain(cause),
            plain(cause),
            plain(reason),
            *period,
        ),
    )
    return sorted((suppression_of(row) for row in rows), key=lambda entry: entry.address)


def suppressed(
    connection: sqlite3.Connection, account: str, addresses: Sequence[str], now: Instant
) -> list[Suppression]:
    """The entries of both lists for the addresses that stand at ``now``; the account's before the global ones."""
    marks = ", ".join("?" * len(addresses))
    rows = connection.execute(
        f"SELECT {SUPPRESSION} FROM suppressions WHERE account IN (?, ?) AND address IN ({marks})"
        " AND (expires_at IS NULL OR expires_at > ?) ORDER BY account DESC, address",
        (account, GLOBAL, *map(comparable, addresses), now),
    ).fetchall()
    return [suppression_of(row) for row in rows]


def listed(
    connection: sqlite3.Connection,
    account: str,
    *,
    reasons: Sequence[Reason],
    period: tuple[Instant | None, Instant | None],
    after: str,
    limit: int,
) -> list[Suppression]:
    """One list's entries by address."""
    rows = connection.execute(
        f"SELECT {SUPPRESSION} FROM suppressions WHERE account = ? AND address > ?"
        " AND (? OR reason IN (SELECT value FROM json_each(?)))"
        " AND at >= ifnull(?, at) AND at <= ifnull(?, at) ORDER BY address LIMIT ?",
        (account, after, not reasons, json.dumps(list(reasons)), *period, limit),
    ).fetchall()
    return [suppression_of(row) for row in rows]
