"""Reading connections: one for look-ups by key on the caller's own thread, some on threads for what takes longer."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from waybill.store.protocol import StoreUnavailable
from waybill.store.sqlite.connection import connect, unavailable

T = TypeVar("T")

THREADS = 2


class Readers:
    """Connections that cannot write. In WAL mode neither readers nor the writer wait for each other."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._near = connect(path, read_only=True)
        self._lock = threading.Lock()
        self._local = threading.local()
        self._opened: list[sqlite3.Connection] = []
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="store-reader")
        self._closed = False

    def look_up(self, read: Callable[[sqlite3.Connection], T]) -> T:
        """What a look-up of some microseconds finds, here and now. Raises: StoreUnavailable."""
        if self._closed:
            raise StoreUnavailable("the store is closed")
        try:
            return read(self._near)
        except sqlite3.Error as error:
            raise unavailable("the store cannot be read", error) from error

    async def read(self, read: Callable[[sqlite3.Connection], T]) -> T:
        """What a longer query finds, on another thread. Raises: StoreUnavailable."""
        if self._closed:
            raise StoreUnavailable("the store is closed")
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._read, read)

    def _read(self, read: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return read(self._connection())
        except sqlite3.Error as error:
            raise unavailable("the store cannot be read", error) from error

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = connect(self.path, read_only=True)
            with self._lock:
                self._opened.append(connection)
        return connection

    async def close(self) -> None:
        """Waits for the queries that run, then closes all connections."""
        if self._closed:
            return
        self._closed = True
        await asyncio.to_thread(self._pool.shutdown)
        for connection in (self._near, *self._opened):
            connection.close()
