"""Opens the store that a URL names."""

from pathlib import Path

from waybill.model.clock import Clock
from waybill.store.protocol import Store, StoreUnavailable
from waybill.store.sqlite import open_sqlite

_SQLITE = "sqlite:///"
_ALLOWED = "sqlite:///folder/file.db (from the working directory) or sqlite:////folder/file.db (absolute)"


def sqlite_path(url: str) -> Path:
    """The file that a ``sqlite:///`` URL names: after three slashes relative, after four absolute.

    Raises:
        ValueError: the URL is of another form, or names no file.
    """
    name = url.removeprefix(_SQLITE)
    if not url.startswith(_SQLITE) or not name or name.endswith("/") or "\0" in name:
        raise ValueError(f"store {url!r} names no database file; allowed: {_ALLOWED}")
    return Path(name)


async def open_store(url: str, *, clock: Clock, file_events: bool = False, create: bool = True) -> Store:
    """The store that the URL names.

    Raises:
        ValueError: the URL is of a form that is not allowed.
        StoreUnavailable: this build has no engine for it, or the store cannot be opened.
    """
    if url.startswith("postgresql://"):
        raise StoreUnavailable(f"this build of Waybill has no PostgreSQL engine yet; allowed: {_ALLOWED}")
    return await open_sqlite(sqlite_path(url), clock=clock, file_events=file_events, create=create)
