"""The store on SQLite: one file, one writer thread per process, group commit."""

from waybill.store.sqlite.opening import open_sqlite
from waybill.store.sqlite.store import SqliteStore

__all__ = ["SqliteStore", "open_sqlite"]
