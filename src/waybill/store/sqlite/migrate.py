"""Brings a database to the present version: numbered SQL files, each applied once, with the time it was."""

import re
import sqlite3
from importlib import resources
from pathlib import Path

from waybill.model.clock import Instant
from waybill.store.protocol import StoreUnavailable
from waybill.store.seal import Seal, key_path, make_key, read_key
from waybill.store.sqlite.connection import unavailable

_FILE = re.compile(r"(\d{4})_\w+\.sql")

_FINGERPRINT = "key_fingerprint"


def migrations() -> list[tuple[int, str, str]]:
    """Version, file name and SQL of every migration, in order."""
    folder = resources.files("waybill.store.sqlite").joinpath("migrations")
    found = [(int(match[1]), file.name, file) for file in folder.iterdir() if (match := _FILE.fullmatch(file.name))]
    return [(version, name, file.read_text("utf-8")) for version, name, file in sorted(found, key=lambda item: item[0])]


def prepare(connection: sqlite3.Connection, path: Path, now: Instant) -> Seal:
    """Migrates the database and loads its key, both made where this is the first start.

    All of it happens under the write lock, so that several processes may start at once.

    Raises:
        StoreUnavailable: the store is of a newer version, its key file is missing or another's, or it cannot be written.
    """
    steps = migrations()
    try:
        if _version(connection, path) != steps[-1][0] or _fingerprint(connection) is None:
            _start(connection, path, now)
        return _load(connection, path)
    except sqlite3.Error as error:
        raise unavailable(path, error) from error


def _start(connection: sqlite3.Connection, path: Path, now: Instant) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        _apply(connection, path, now)
        if _fingerprint(connection) is None:
            seal = Seal(make_key(key_path(path)))
            connection.execute(
                "INSERT INTO installation (name, value) VALUES (?, ?)", (_FINGERPRINT, seal.secret(_FINGERPRINT))
            )
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _apply(connection: sqlite3.Connection, path: Path, now: Instant) -> None:
    connection.execute(
        "CREATE TABLE IF NOT EXISTS migrations"
        " (version INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at INTEGER NOT NULL) STRICT"
    )
    present = _version(connection, path)
    for version, name, sql in migrations():
        if version > present:
            for statement in _statements(sql):
                connection.execute(statement)
            connection.execute("INSERT INTO migrations VALUES (?, ?, ?)", (version, name, now))


def _version(connection: sqlite3.Connection, path: Path) -> int:
    known = migrations()[-1][0]
    if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'migrations'").fetchall():
        return 0
    version: int = connection.execute("SELECT ifnull(max(version), 0) FROM migrations").fetchall()[0][0]
    if version > known:
        raise StoreUnavailable(
            f"{path} was written by a newer Waybill (store version {version}; this one knows up to {known}): upgrade Waybill"
        )
    return version


def _statements(sql: str) -> list[str]:
    # executescript would commit the transaction that holds the migration together.
    statements: list[str] = []
    pending = ""
    for line in sql.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            statements.append(pending)
            pending = ""
    return statements


def _fingerprint(connection: sqlite3.Connection) -> bytes | None:
    rows = connection.execute("SELECT value FROM installation WHERE name = ?", (_FINGERPRINT,)).fetchall()
    return rows[0][0] if rows else None


def _load(connection: sqlite3.Connection, path: Path) -> Seal:
    try:
        seal = Seal(read_key(key_path(path)))
    except FileNotFoundError as error:
        raise StoreUnavailable(
            f"the key file {key_path(path)} is missing; {path} holds secrets that only it opens: restore it from a backup"
        ) from error
    if seal.secret(_FINGERPRINT) != _fingerprint(connection):
        raise StoreUnavailable(f"the key file {key_path(path)} is not the key of {path}: restore the right one")
    return seal
