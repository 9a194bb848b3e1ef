"""Puts a long queue into a store that nobody has open, as if its messages had been accepted before."""

import os
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from service import CONFIGURATION_SET, DOMAIN

from waybill.model.clock import HOUR, Instant, now
from waybill.model.event import Accepted, EventKind
from waybill.model.message import Message, Source, new_message_id
from waybill.model.resource import DEFAULT_ACCOUNT
from waybill.store.codec import encode

AT_ONCE = 5_000
LIFE = 14 * HOUR


@dataclass(frozen=True, kw_only=True, slots=True)
class Backlog:
    """How much of it, for whom: with ``spread`` 0 all is due at once, else it was tried and is due within so many milliseconds."""

    count: int
    domains: tuple[str, ...]
    spread: int
    size: int = 1_000

    def fill(self, database: Path) -> None:
        """Writes it."""
        connection = sqlite3.connect(database, isolation_level=None)
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA cache_size = -500000")
        connection.execute("BEGIN")
        at = now()
        first = connection.execute("SELECT ifnull(max(number), 0) FROM messages").fetchone()[0] + 1
        for start in range(0, self.count, AT_ONCE):
            numbers = range(start, min(start + AT_ONCE, self.count))
            for sql, rows in self._rows(first, numbers, at).items():
                connection.executemany(sql, rows)
        status = "delayed" if self.spread else "queued"
        connection.execute(
            "INSERT INTO counters (name, account, start, value) VALUES (?, '', 0, ?)"
            " ON CONFLICT (name, account, start) DO UPDATE SET value = value + excluded.value",
            (f"status {status}", self.count),
        )
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
        with database.open("rb+") as file:  # else the system would write it while the measurement runs
            os.fsync(file.fileno())

    def _rows(self, first: int, numbers: range, at: Instant) -> dict[str, Iterator[tuple[Any, ...]]]:
        message = partial(_message, at)
        delayed = bool(self.spread)
        content = (b"From: bench@%b\r\nSubject: waiting\r\n\r\n" % DOMAIN.encode()).ljust(self.size - 2, b".") + b"\r\n"
        fact = encode(Accepted())
        return {
            "INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)": (
                (first + n, one.id, at, one.sender, DOMAIN, one.configuration_set, one.identity, encode(one), b"")
                for n in numbers
                for one in (message(self._recipient(n)),)
            ),
            "INSERT INTO contents VALUES (?, ?)": ((first + n, content) for n in numbers),
            "INSERT INTO deliveries (id, message, account, recipient, address, domain, status, cause, attempts,"
            " accepted_at, next_at, expires_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)": (
                (
                    first + n,
                    first + n,
                    DEFAULT_ACCOUNT,
                    self._recipient(n),
                    self._recipient(n),
                    self.domains[n % len(self.domains)],
                    "delayed" if delayed else "queued",
                    "greylisted" if delayed else None,
                    int(delayed),
                    at,
                    at + self.spread // 20 + n * self.spread // self.count,
                    at + LIFE,
                    at,
                )
                for n in numbers
            ),
            "INSERT INTO events (message, recipient, at, kind, fact) VALUES (?, NULL, ?, ?, ?)": (
                (first + n, at, EventKind.ACCEPTED.value, fact) for n in numbers
            ),
        }

    def _recipient(self, number: int) -> str:
        return f"waiting{number}@{self.domains[number % len(self.domains)]}"


def _message(at: Instant, recipient: str) -> Message:
    return replace(_LIKE, id=new_message_id(at), accepted_at=at, destination=(recipient,))


_LIKE = Message(
    id="",
    account=DEFAULT_ACCOUNT,
    request_id="bench",
    source=Source.SMTP,
    operation="SendRawEmail",
    accepted_at=int(time.time() * 1000),
    sender=f"bench@{DOMAIN}",
    source_header=f"bench@{DOMAIN}",
    destination=(),
    subject="waiting",
    identity=DOMAIN,
    configuration_set=CONFIGURATION_SET,
    headers=(("From", f"bench@{DOMAIN}"), ("Subject", "waiting")),
)
