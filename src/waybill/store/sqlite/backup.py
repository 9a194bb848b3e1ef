"""Copies a database that is in use, with its key, into files of their own."""

import contextlib
import os
import sqlite3
from pathlib import Path

from waybill.store.protocol import StoreUnavailable
from waybill.store.seal import key_path, read_key
from waybill.store.sqlite.connection import unavailable


def back_up(database: Path, target: Path) -> None:
    """Writes the copy and its key, for their owner alone; both are on disk when this returns, or neither is there.

    The copy is the database as one moment had it; whoever opens it goes on from there.

    Raises:
        StoreUnavailable: a file of one of the names is there, or cannot be written.
    """
    target_key = key_path(target)
    for path in (target, target_key):
        if path.exists():
            raise StoreUnavailable(f"{path} is there already: a backup replaces no file")
    drafts = {path: path.with_name(f"{path.name}.{os.getpid()}.part") for path in (target_key, target)}
    done: list[Path] = []
    try:
        _write(drafts[target_key], read_key(key_path(database)))
        _write(drafts[target], b"")
        _copy(database, drafts[target])
        for path, draft in drafts.items():
            os.link(draft, path)  # unlike a renaming it never replaces a file
            done.append(path)
        _sync(target.parent)
    except (OSError, sqlite3.Error, StoreUnavailable) as error:
        for path in done:
            path.unlink(missing_ok=True)
        raise _told(target, error) from error
    finally:
        for draft in drafts.values():
            with contextlib.suppress(OSError):
                draft.unlink(missing_ok=True)


def _write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, content)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _copy(database: Path, draft: Path) -> None:
    # A connection of its own, since the service's go on meanwhile. VACUUM INTO reads one moment of the database.
    connection = sqlite3.connect(database.absolute().as_uri() + "?mode=ro", uri=True)
    try:
        connection.execute("VACUUM INTO ?", (str(draft),))
    finally:
        connection.close()
    _sync(draft)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _told(target: Path, error: OSError | sqlite3.Error | StoreUnavailable) -> StoreUnavailable:
    if isinstance(error, StoreUnavailable):
        return error
    if isinstance(error, sqlite3.Error):
        return unavailable(f"the backup {target} cannot be written", error)
    return StoreUnavailable(f"the backup {target} cannot be written: {error.strerror}")
