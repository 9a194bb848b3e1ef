"""Connections to the database file, and what SQLite's errors mean to the caller."""

import sqlite3
import time
from pathlib import Path

from waybill.store.protocol import StoreUnavailable

BUSY_SECONDS = 10.0

# STRICT tables.
OLDEST_SQLITE = (3, 37, 0)

# Group commits write megabytes at a time: a checkpoint every 32 MB instead of every 4 writes hot pages less often.
CHECKPOINT_PAGES = 8_000
JOURNAL_BYTES = 64 * 1024 * 1024
CACHE_KILOBYTES = 32_768


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """A connection in autocommit mode, durable at every COMMIT (WAL, synchronous=FULL).

    Raises:
        StoreUnavailable: the file cannot be opened, is no SQLite database, or this Python's SQLite is too old.
    """
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise StoreUnavailable(
            f"SQLite {sqlite3.sqlite_version} is too old; Python needs to be built with 3.37 or later"
        )
    try:
        connection = sqlite3.connect(
            path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=256
        )
    except sqlite3.Error as error:
        raise unavailable(path, error) from error
    try:
        _to_wal(connection)
        for pragma in (
            "synchronous = FULL",
            "foreign_keys = ON",
            "temp_store = MEMORY",
            f"wal_autocheckpoint = {CHECKPOINT_PAGES}",
            f"journal_size_limit = {JOURNAL_BYTES}",
            f"cache_size = -{CACHE_KILOBYTES}",
            f"query_only = {'ON' if read_only else 'OFF'}",
        ):
            connection.execute(f"PRAGMA {pragma}")
    except sqlite3.Error as error:
        connection.close()
        raise unavailable(path, error) from error
    return connection


def _to_wal(connection: sqlite3.Connection) -> None:
    # Changing to WAL does not wait for busy_timeout where another process is changing too.
    deadline = time.monotonic() + BUSY_SECONDS
    while connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def unavailable(what: object, error: sqlite3.Error) -> StoreUnavailable:
    """SQLite's error in our words."""
    return StoreUnavailable(f"{what}: {error}")


def blames_store(error: BaseException) -> bool:
    """Whether the fault is the database's state (full, locked, damaged, gone), not that of the one statement."""
    if isinstance(error, StoreUnavailable):
        return False
    return isinstance(error, sqlite3.DatabaseError) and not isinstance(
        error, sqlite3.IntegrityError | sqlite3.ProgrammingError | sqlite3.DataError
    )
