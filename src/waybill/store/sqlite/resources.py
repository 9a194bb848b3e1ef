"""SQL of the resources: keys, identities, templates, configuration sets, topics, subscriptions."""

import sqlite3
from collections.abc import Callable
from typing import Any

from waybill.store.codec import KINDS, R, decode_resource, encode_resource
from waybill.store.protocol import AlreadyExists, NotFound
from waybill.store.seal import Seal
from waybill.store.sqlite.writer import Transaction

_LAST = "\U0010ffff"


def read_body(connection: sqlite3.Connection, kind: type[Any], account: str, name: str) -> bytes | None:
    """The resource's JSON, or None."""
    rows = connection.execute(
        "SELECT body FROM resources WHERE kind = ? AND account = ? AND name = ?", (KINDS[kind], account, name)
    ).fetchall()
    return rows[0][0] if rows else None


def scan(
    connection: sqlite3.Connection, kind: type[Any], account: str, *, prefix: str, after: str, limit: int
) -> list[tuple[str, bytes]]:
    """Names and JSON in the order of names."""
    return connection.execute(
        "SELECT name, body FROM resources WHERE kind = ? AND account = ? AND name >= ? AND name > ? AND name < ?"
        " ORDER BY name LIMIT ?",
        (KINDS[kind], account, prefix, after, prefix + _LAST, limit),
    ).fetchall()


def create(transaction: Transaction, record: Any, body: bytes) -> None:
    """Raises: AlreadyExists."""
    try:
        transaction.execute("INSERT INTO resources (kind, account, name, body) VALUES (?, ?, ?, ?)", _row(record, body))
    except sqlite3.IntegrityError as error:
        raise AlreadyExists(f"{KINDS[type(record)]} {record.name!r} exists already") from error


def put(transaction: Transaction, record: Any, body: bytes) -> None:
    """Creates or replaces."""
    transaction.execute(
        "INSERT INTO resources (kind, account, name, body) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (kind, account, name) DO UPDATE SET body = excluded.body",
        _row(record, body),
    )


def update(transaction: Transaction, kind: type[R], key: tuple[str, str], change: Callable[[R], R], seal: Seal) -> R:
    """The changed record. Raises: NotFound, and what ``change`` raises."""
    body = read_body(transaction.connection, kind, *key)
    if body is None:
        raise NotFound(f"there is no {KINDS[kind]} {key[1]!r}")
    changed = change(decode_resource(kind, body, key, seal))
    if (changed.account, changed.name) != key:
        raise ValueError(f"an update of {KINDS[kind]} {key[1]!r} must not rename it to {changed.name!r}")
    put(transaction, changed, encode_resource(changed, seal))
    return changed


def delete(transaction: Transaction, kind: type[Any], account: str, name: str) -> bool:
    """Whether there was one."""
    return bool(
        transaction.execute(
            "DELETE FROM resources WHERE kind = ? AND account = ? AND name = ? RETURNING 1",
            (KINDS[kind], account, name),
        )
    )


def _row(record: Any, body: bytes) -> tuple[str, str, str, bytes]:
    return KINDS[type(record)], record.account, record.name, body
