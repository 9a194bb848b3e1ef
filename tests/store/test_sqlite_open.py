"""Opening a SQLite store: made once by whoever comes first, and refused with a reason where it cannot be used."""

import asyncio
import multiprocessing
import os
import sqlite3
import stat
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any

import pytest

from tests.store.builders import ACCOUNT, START, accepted
from tests.store.test_resources import RESOURCES
from waybill.model.clock import now
from waybill.model.resource import AccessKey, Identity, SigningCertificate, Subscription
from waybill.store.open import open_store, sqlite_path
from waybill.store.protocol import Search, Store, StoreUnavailable
from waybill.store.sqlite import open_sqlite
from waybill.store.sqlite.migrate import migrations


async def open_(path: Path) -> Store:
    return await open_sqlite(path, clock=now)


async def test_makes_folder_file_and_key(tmp_path: Path) -> None:
    """The first start makes all there is; the key is its owner's alone; the next start finds all again."""
    path = tmp_path / "new" / "folder" / "waybill.db"
    store = await open_(path)
    secret = store.secret("x")
    (delivery,) = await accepted(store)
    await store.close()
    key = path.with_name("waybill.db.key")
    assert (key.stat().st_size, stat.S_IMODE(key.stat().st_mode)) == (32, 0o600)
    assert sorted(one.name for one in path.parent.iterdir()) == [
        "waybill.db",
        "waybill.db.generation",
        "waybill.db.key",
    ]
    again = await open_sqlite(path, clock=now, create=False)
    assert (secret, delivery) == (again.secret("x"), await again.delivery(delivery.id))
    await again.close()


async def test_reading_makes_nothing(tmp_path: Path) -> None:
    """Without ``create`` an absent file is an error that names it, and stays absent."""
    path = tmp_path / "none" / "waybill.db"
    with pytest.raises(StoreUnavailable, match=r"there is no store at .*none/waybill.db"):
        await open_sqlite(path, clock=now, create=False)
    assert not path.parent.exists()


def _first_start(path: Path, answers: "Queue[bytes]") -> None:
    async def start() -> bytes:
        store = await open_(path)
        await accepted(store)
        await store.close()
        return store.secret("x")

    answers.put(asyncio.run(start()))


async def test_several_processes_start_at_once(tmp_path: Path) -> None:
    """Processes that all find nothing agree on one database and one key."""
    context = multiprocessing.get_context("spawn")
    answers: Queue[bytes] = context.Queue()
    path = tmp_path / "waybill.db"
    processes = [context.Process(target=_first_start, args=(path, answers)) for _ in range(4)]
    for process in processes:
        process.start()
    secrets = {await asyncio.to_thread(answers.get, timeout=60) for _ in processes}
    for process in processes:
        await asyncio.to_thread(process.join)
    answers.close()
    answers.join_thread()
    store = await open_(path)
    assert {store.secret("x")} == secrets
    assert len(await store.find(Search())) == 4
    await store.close()
    with sqlite3.connect(path) as connection:
        versions = connection.execute("SELECT version FROM migrations ORDER BY version").fetchall()
    connection.close()
    assert [(version,) for version, _, _ in migrations()] == versions


async def test_many_stores_of_one_process_start_at_once(tmp_path: Path) -> None:
    """The same within one process."""
    stores = await asyncio.gather(*(open_(tmp_path / "waybill.db") for _ in range(8)))
    assert len({store.secret("x") for store in stores}) == 1
    for store in stores:
        await store.close()


async def _broken(path: Path, *statements: str) -> None:
    store = await open_(path)
    await store.close()
    with sqlite3.connect(path) as connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


async def test_a_newer_store_is_refused(tmp_path: Path) -> None:
    """A store that a newer version has migrated is left alone."""
    path = tmp_path / "waybill.db"
    await _broken(path, "INSERT INTO migrations VALUES (9999, '9999_future.sql', 0)")
    with pytest.raises(StoreUnavailable, match=r"newer Waybill \(store version 9999; .*upgrade Waybill"):
        await open_(path)


async def test_a_missing_key(tmp_path: Path) -> None:
    """A database without its key says so, instead of making another."""
    path = tmp_path / "waybill.db"
    await _broken(path)
    key = path.with_name("waybill.db.key")
    kept = key.read_bytes()
    key.unlink()
    with pytest.raises(StoreUnavailable, match=r"waybill\.db\.key is missing"):
        await open_(path)
    assert not key.exists()
    key.write_bytes(os.urandom(32))
    with pytest.raises(StoreUnavailable, match="is not the key of"):
        await open_(path)
    key.write_bytes(b"short")
    with pytest.raises(StoreUnavailable, match="holds 5 bytes; a key has 32"):
        await open_(path)
    key.write_bytes(kept)
    await (await open_(path)).close()


async def test_a_key_made_before_the_database(tmp_path: Path) -> None:
    """A first start that was cut off after the key was made is taken up."""
    key = tmp_path / "waybill.db.key"
    key.write_bytes(bytes(32))
    await (await open_(tmp_path / "waybill.db")).close()
    assert bytes(32) == key.read_bytes()


async def test_what_is_no_database(tmp_path: Path) -> None:
    """A file of another kind, or a folder that cannot be made, is an error with its name."""
    path = tmp_path / "waybill.db"
    path.write_bytes(b"This is a text file, longer than the header of a database.\n" * 40)
    with pytest.raises(StoreUnavailable, match=r"waybill\.db: file is not a database"):
        await open_(path)
    with pytest.raises(StoreUnavailable, match="cannot be made"):
        await open_(path / "folder" / "waybill.db")
    with pytest.raises(StoreUnavailable, match="unable to open"):
        await open_(tmp_path)


def _on_disk(folder: Path) -> bytes:
    return b"".join(one.read_bytes() for one in folder.iterdir() if one.suffix != ".key")


async def test_secrets_are_not_on_the_disk(tmp_path: Path) -> None:
    """No sealed field is found in the database or its journal, and no key either."""
    path = tmp_path / "waybill.db"
    store = await open_(path)
    sealed: list[Any] = [
        one for one in RESOURCES if isinstance(one, AccessKey | Identity | Subscription | SigningCertificate)
    ]
    for record in sealed:
        await store.put(record)
    disk = _on_disk(tmp_path)
    assert b"sender.example" in disk
    for secret in (b"s3cret", b"PEM", b"hook.example", path.with_name("waybill.db.key").read_bytes()):
        assert secret not in disk
    await store.close()


async def test_sealed_fields_do_not_move(tmp_path: Path) -> None:
    """A sealed field copied to another record does not open there."""
    path = tmp_path / "waybill.db"
    store = await open_(path)
    record = next(one for one in RESOURCES if isinstance(one, AccessKey))
    await store.create(record)
    await store.close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE resources SET name = 'AKIA2'")
    connection.close()
    store = await open_(path)
    with pytest.raises(StoreUnavailable, match="does not open with this key"):
        await store.get(AccessKey, record.account, "AKIA2")
    await store.close()


async def test_closed(tmp_path: Path) -> None:
    """A closed store says so; closing twice does no harm."""
    store = await open_(tmp_path / "waybill.db")
    await store.close()
    await store.close()
    for work in (store.sent(ACCOUNT, START), store.find(Search()), store.suppress([])):
        with pytest.raises(StoreUnavailable, match="closed"):
            await work


async def test_urls(tmp_path: Path) -> None:
    """A URL names a file from the working directory or from the root; other URLs are refused with what is allowed."""
    assert Path("waybill-data/waybill.db") == sqlite_path("sqlite:///waybill-data/waybill.db")
    assert Path("/var/lib/waybill.db") == sqlite_path("sqlite:////var/lib/waybill.db")
    await (await open_store(f"sqlite:///{tmp_path}/waybill.db", clock=now)).close()
    for url in ("", "sqlite://", "sqlite:///", "sqlite:///folder/", "sqlite://host/x", "mysql://x", "sqlite:///a\0b"):
        with pytest.raises(ValueError, match="names no database file; allowed: sqlite:///"):
            await open_store(url, clock=now)
    with pytest.raises(StoreUnavailable, match="no PostgreSQL engine"):
        await open_store("postgresql://user:secret@host/db", clock=now)
