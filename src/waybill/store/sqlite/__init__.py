"""The store on SQLite: one file, one writer thread per process, group commit."""

from waybill.store.sqlite.store import SqliteStore, open_sqlite

__all__ = ["SqliteStore", "open_sqlite"]
