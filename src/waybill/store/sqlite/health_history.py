"""SQL of the health of the service's parts, and of the live probes' pace."""

import sqlite3
from collections.abc import Sequence
from typing import Any

from waybill.model.clock import DAY, Instant
from waybill.model.health import HealthPeriod
from waybill.store.health_history import KEPT
from waybill.store.sqlite.readers import Readers
from waybill.store.sqlite.writer import Transaction, Writer

_COLUMNS = "part, state, since, until, evidence"


class SqliteHealthHistory:
    """``HealthHistory`` on SQLite."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers

    async def keep(self, periods: Sequence[HealthPeriod], now: Instant) -> None:
        await self._writer.write(lambda transaction: _keep(transaction, periods, now))

    async def between(self, since: Instant, until: Instant, *, limit: int = 1_000) -> list[HealthPeriod]:
        return await self._readers.read(
            lambda connection: _read(
                connection,
                "since <= ? AND (until IS NULL OR until >= ?) ORDER BY since DESC, part LIMIT ?",
                (until, since, limit),
            )
        )

    async def lasting(self) -> list[HealthPeriod]:
        return await self._readers.read(lambda connection: _read(connection, "until IS NULL ORDER BY since, part", ()))


class SqliteWalks:
    """``Walks`` on SQLite."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    async def begin(self, domain: str, at: Instant, *, within: int) -> Instant | None:
        return await self._writer.write(lambda transaction: _begin(transaction, domain, at, within))


def _keep(transaction: Transaction, periods: Sequence[HealthPeriod], now: Instant) -> None:
    for one in periods:
        transaction.execute(
            f"INSERT INTO health_history ({_COLUMNS}) VALUES (?, ?, ?, ?, ?) ON CONFLICT (part, since)"  # noqa: S608 - constants
            " DO UPDATE SET state = excluded.state, until = excluded.until, evidence = excluded.evidence",
            (one.part, one.state, one.since, one.until, one.evidence),
        )
    transaction.execute("DELETE FROM health_history WHERE until < ?", (now - KEPT,))


def _read(connection: sqlite3.Connection, condition: str, values: tuple[Any, ...]) -> list[HealthPeriod]:
    rows = connection.execute(f"SELECT {_COLUMNS} FROM health_history WHERE {condition}", values).fetchall()  # noqa: S608 - constants
    return [HealthPeriod(part=row[0], state=row[1], since=row[2], until=row[3], evidence=row[4]) for row in rows]


def _begin(transaction: Transaction, domain: str, at: Instant, within: int) -> Instant | None:
    # A time in the future is that of a clock which was set back since: it holds nobody up.
    last = transaction.execute(
        "SELECT at FROM walks WHERE domain = ? AND at > ? AND at <= ?", (domain, at - within, at)
    )
    if last:
        return int(last[0][0])
    transaction.execute(
        "INSERT INTO walks (domain, at) VALUES (?, ?) ON CONFLICT (domain) DO UPDATE SET at = excluded.at", (domain, at)
    )
    transaction.execute("DELETE FROM walks WHERE at < ?", (at - DAY,))
    return None
