"""SQL of incidents: what was counted, what is usual, the incidents themselves and the entries in their quarantine."""
# ruff: noqa: S608 - only constants of this package are put into the SQL

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import replace

import msgspec

from waybill.model.clock import Instant
from waybill.model.incident import Incident
from waybill.model.suppression import Reason
from waybill.store.codec import encode
from waybill.store.incidents import COUNTS_KEPT, MEMORY_KEPT, MoreTime, Quarantined, QuarantineEnd, SiteCounts
from waybill.store.sqlite.prolonging import find_waiting, give_time
from waybill.store.sqlite.readers import Readers
from waybill.store.sqlite.rows import SUPPRESSION, suppression_of
from waybill.store.sqlite.suppressions import suppress
from waybill.store.sqlite.writer import Transaction, Writer

PORTION = 500
"""Deliveries that one transaction prolongs."""

_decode = msgspec.json.Decoder(Incident).decode

_OF_SITE = "substr(address, instr(address, '@') + 1) IN (SELECT ? UNION SELECT domain FROM sites WHERE site = ?)"

_MAILBOX_CAUSES = "('user_unknown', 'mailbox_disabled', 'address_moved', 'address_invalid')"


class SqliteIncidents:
    """``IncidentStore`` on SQLite."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers

    async def count(self, counts: Sequence[SiteCounts], now: Instant) -> None:
        await self._writer.write(lambda transaction: _count(transaction, counts, now))

    async def counts(self, since: Instant) -> list[bytes]:
        return await self._readers.read(
            lambda connection: _column(connection, "SELECT body FROM incident_counts WHERE minute >= ?", since)
        )

    async def remember(self, memories: Mapping[str, bytes], now: Instant) -> None:
        await self._writer.write(lambda transaction: _remember(transaction, memories, now))

    async def memories(self) -> list[bytes]:
        return await self._readers.read(lambda connection: _column(connection, "SELECT body FROM incident_memory"))

    async def open(self, incident: Incident) -> Incident:
        return await self._writer.write(lambda transaction: _open(transaction, incident))

    async def change(self, incident: Incident) -> bool:
        return await self._writer.write(lambda transaction: _change(transaction, incident))

    async def incident(self, number: int) -> Incident | None:
        found = await self._readers.read(lambda connection: _read(connection, "number = ?", number))
        return found[0] if found else None

    async def lasting(self) -> list[Incident]:
        return await self._readers.read(lambda connection: _read(connection, "closed_at IS NULL ORDER BY number"))

    async def between(self, begin: Instant, end: Instant, *, limit: int = 100) -> list[Incident]:
        condition = "since <= ? AND (closed_at IS NULL OR closed_at >= ?) ORDER BY since DESC, number DESC LIMIT ?"
        return await self._readers.read(lambda connection: _read(connection, condition, end, begin, limit))

    async def quarantine(self, incident: Incident) -> int:
        keys = await self._readers.read(lambda connection: _to_quarantine(connection, incident))
        if not keys:
            return 0
        return await self._writer.write(lambda transaction: _quarantine(transaction, incident, keys))

    async def quarantined(self, number: int, *, limit: int = 1000) -> list[Quarantined]:
        return await self._readers.read(lambda connection: _quarantined(connection, number, limit))

    async def end_quarantine(
        self, number: int, *, known_since: Instant, confirm_all: bool = False
    ) -> dict[QuarantineEnd, int]:
        return await self._writer.write(
            lambda transaction: _end_quarantine(transaction, number, known_since, confirm_all=confirm_all)
        )

    async def give_time(self, more: MoreTime, now: Instant) -> int:
        ids = await self._readers.read(lambda connection: find_waiting(connection, more, now))
        total = 0
        for begin in range(0, len(ids), PORTION):
            portion = ids[begin : begin + PORTION]
            total += await self._writer.write(lambda transaction: give_time(transaction, portion, more, now))  # noqa: B023 - awaited at once
        return total

    async def bounced(self, site: str, since: Instant, until: Instant) -> dict[str, int]:
        return await self._readers.read(lambda connection: _bounced(connection, site, since, until))


def _column(connection: sqlite3.Connection, sql: str, *values: object) -> list[bytes]:
    return [row[0] for row in connection.execute(sql, values).fetchall()]


def _count(transaction: Transaction, counts: Sequence[SiteCounts], now: Instant) -> None:
    transaction.connection.executemany(
        "INSERT INTO incident_counts (minute, site, worker, body) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (minute, site, worker) DO UPDATE SET body = excluded.body",
        [(one.minute, one.site, one.worker, one.body) for one in counts],
    )
    transaction.execute("DELETE FROM incident_counts WHERE minute < ?", (now - COUNTS_KEPT,))


def _remember(transaction: Transaction, memories: Mapping[str, bytes], now: Instant) -> None:
    transaction.connection.executemany(
        "INSERT INTO incident_memory (site, at, body) VALUES (?, ?, ?)"
        " ON CONFLICT (site) DO UPDATE SET at = excluded.at, body = excluded.body",
        [(site, now, body) for site, body in memories.items()],
    )
    transaction.execute("DELETE FROM incident_memory WHERE at < ?", (now - MEMORY_KEPT,))


def _open(transaction: Transaction, incident: Incident) -> Incident:
    rows = transaction.execute(
        "INSERT INTO incidents (since, closed_at, body) VALUES (?, ?, x'') RETURNING number",
        (incident.since, incident.closed_at),
    )
    numbered = replace(incident, number=rows[0][0])
    transaction.execute("UPDATE incidents SET body = ? WHERE number = ?", (encode(numbered), numbered.number))
    return numbered


def _change(transaction: Transaction, incident: Incident) -> bool:
    return bool(
        transaction.execute(
            "UPDATE incidents SET since = ?, closed_at = ?, body = ? WHERE number = ? AND closed_at IS NULL RETURNING 1",
            (incident.since, incident.closed_at, encode(incident), incident.number),
        )
    )


def _read(connection: sqlite3.Connection, condition: str, *values: object) -> list[Incident]:
    return [_decode(body) for body in _column(connection, f"SELECT body FROM incidents WHERE {condition}", *values)]


def _to_quarantine(connection: sqlite3.Connection, incident: Incident) -> list[tuple[str, str]]:
    # All of the list is read for it: on a reading connection, so that nobody waits.
    return connection.execute(
        "SELECT account, address FROM suppressions"
        f" WHERE at >= ? AND reason = ? AND author LIKE 'rule:%' AND cause IN {_MAILBOX_CAUSES} AND {_OF_SITE}",
        (incident.since, Reason.BOUNCE.value, incident.site, incident.site),
    ).fetchall()


def _quarantine(transaction: Transaction, incident: Incident, keys: Sequence[tuple[str, str]]) -> int:
    taken = 0
    for account, address in keys:
        taken += len(
            transaction.execute(
                f"INSERT OR REPLACE INTO incident_quarantine (incident, {SUPPRESSION}) SELECT ?, {SUPPRESSION}"
                " FROM suppressions WHERE account = ? AND address = ? AND at >= ? AND author LIKE 'rule:%' RETURNING 1",
                (incident.number, account, address, incident.since),
            )
        )
        transaction.execute(
            "DELETE FROM suppressions WHERE account = ? AND address = ? AND at >= ? AND author LIKE 'rule:%'",
            (account, address, incident.since),
        )
    return taken


def _quarantined(connection: sqlite3.Connection, number: int, limit: int) -> list[Quarantined]:
    rows = connection.execute(
        f"SELECT {SUPPRESSION}, ended FROM incident_quarantine WHERE incident = ? ORDER BY address, account LIMIT ?",
        (number, limit),
    ).fetchall()
    return [
        Quarantined(entry=suppression_of(row[:-1]), ended=QuarantineEnd(row[-1]) if row[-1] else None) for row in rows
    ]


def _end_quarantine(
    transaction: Transaction, number: int, known_since: Instant, *, confirm_all: bool
) -> dict[QuarantineEnd, int]:
    rows = transaction.execute(
        f"SELECT {SUPPRESSION}, EXISTS (SELECT 1 FROM deliveries d WHERE d.address = q.address"
        " AND d.status IN ('delivered', 'complained') AND d.updated_at >= ?)"
        " FROM incident_quarantine q WHERE incident = ? AND ended IS NULL",
        (known_since, number),
    )
    ends = {QuarantineEnd.DISCARDED: 0, QuarantineEnd.CONFIRMED: 0}
    confirmed = []
    for *columns, is_known in rows:
        entry = suppression_of(columns)
        end = QuarantineEnd.DISCARDED if is_known and not confirm_all else QuarantineEnd.CONFIRMED
        ends[end] += 1
        if end is QuarantineEnd.CONFIRMED:
            confirmed.append(entry)
        transaction.execute(
            "UPDATE incident_quarantine SET ended = ? WHERE incident = ? AND account = ? AND address = ?",
            (end.value, number, entry.account, entry.address),
        )
    suppress(transaction, confirmed)
    return ends


def _bounced(connection: sqlite3.Connection, site: str, since: Instant, until: Instant) -> dict[str, int]:
    rows = connection.execute(
        "SELECT d.account, count(*) FROM deliveries d INDEXED BY deliveries_trouble WHERE d.status NOT IN ('queued', 'delayed', 'delivered')"
        " AND d.status = 'bounced'"
        " AND d.accepted_at >= ? AND d.updated_at BETWEEN ? AND ?"
        f" AND d.cause IN {_MAILBOX_CAUSES}"
        " AND d.domain IN (SELECT ? UNION SELECT domain FROM sites WHERE site = ?) GROUP BY d.account",
        (since - 24 * 3_600_000, since, until, site, site),
    ).fetchall()
    return dict(rows)
