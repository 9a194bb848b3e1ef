"""Takes the database's write lock in turn with the other processes.

SQLite's own waiting sleeps up to 100 ms between tries: a busy process would take the lock again and again while
another waits for seconds. Here the next in line holds a turnstile (an advisory lock on a file) while it waits, which
who has just committed must pass as well.
"""

import fcntl
import os
import sqlite3
import time
from pathlib import Path

from waybill.store.protocol import StoreUnavailable

POLL_SECONDS = 0.0005


class Turn:
    """The turnstile before one database's write lock; ``patience`` is how many seconds to wait before giving up.

    It looks after the ``database`` file, too: one that was moved or deleted can be written for hours, and all of it is lost.
    """

    def __init__(self, path: Path, *, patience: float, database: Path) -> None:
        self._database, self._opened = database, database.stat()
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self.patience = patience

    def begin(self, connection: sqlite3.Connection) -> None:
        """Begins a transaction that holds the write lock.

        Raises:
            sqlite3.OperationalError: it stays locked.
            StoreUnavailable: the file was moved or deleted; what is written to it now, nobody would find again.
        """
        self._check_place()
        deadline = time.monotonic() + self.patience
        self._pass_turnstile(deadline)
        try:
            while not _try(connection, last=time.monotonic() >= deadline):
                time.sleep(POLL_SECONDS)
        finally:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def _pass_turnstile(self, deadline: float) -> None:
        # Without a turn we try all the same: the lock itself is SQLite's, the turnstile is only good manners.
        while time.monotonic() < deadline:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                time.sleep(POLL_SECONDS)
            else:
                return

    def _check_place(self) -> None:
        try:
            in_place = os.path.samestat(self._database.stat(), self._opened)
        except OSError:
            in_place = False
        if not in_place:
            raise StoreUnavailable(
                f"{self._database} is not the file that was opened; put it back, or start the service again"
            )

    def close(self) -> None:
        """Lets go of the file."""
        os.close(self._descriptor)


def _try(connection: sqlite3.Connection, *, last: bool) -> bool:
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        if last or error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
            raise
        return False
    return True
