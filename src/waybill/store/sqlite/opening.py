"""Opens the store in a file: makes what is missing, brings it up to date, and loads its key."""

import asyncio
from pathlib import Path

from waybill.model.clock import Clock
from waybill.store.protocol import StoreUnavailable
from waybill.store.seal import key_path
from waybill.store.sqlite.connection import BUSY_SECONDS, connect
from waybill.store.sqlite.generation import Generation, generation_path
from waybill.store.sqlite.migrate import prepare
from waybill.store.sqlite.readers import Readers
from waybill.store.sqlite.store import SqliteStore
from waybill.store.sqlite.turn import Turn
from waybill.store.sqlite.writer import Writer


async def open_sqlite(path: Path, *, clock: Clock, file_events: bool = False, create: bool = True) -> SqliteStore:
    """The store in the file; folder, file and key are made where ``create`` is true and there is none.

    ``file_events``: whether every event that SES publishes also makes a notice for the file of events.

    Raises:
        StoreUnavailable: the file is absent, cannot be opened, is of a newer version, or its key is missing.
    """
    return await asyncio.to_thread(_open, path, clock, file_events=file_events, create=create)


def _open(path: Path, clock: Clock, *, file_events: bool, create: bool) -> SqliteStore:
    if not create and not path.is_file():
        raise StoreUnavailable(f"there is no store at {path}: `waybill serve` makes it at its first start")
    _make(path)
    connection = connect(path)
    try:
        seal = prepare(connection, path, clock())
        readers = Readers(path)
        generation = _generation(path)
        writer = Writer(connection, Turn(key_path(path), patience=BUSY_SECONDS, database=path))
    except BaseException:
        connection.close()
        raise
    return SqliteStore(writer, readers, seal, generation, clock=clock, file_events=file_events)


def _generation(path: Path) -> Generation:
    try:
        return Generation(generation_path(path))
    except OSError as error:
        raise StoreUnavailable(f"the file {generation_path(path)} cannot be made: {error.strerror}") from error


def _make(path: Path) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # It will hold people's mail: for the owner alone. An existing file is not opened here, since closing it would
        # drop the locks that another store of this process holds on it.
        path.touch(mode=0o600, exist_ok=False)
    except FileExistsError:
        return
    except OSError as error:
        raise StoreUnavailable(f"the store {path} cannot be made: {error.strerror}") from error
