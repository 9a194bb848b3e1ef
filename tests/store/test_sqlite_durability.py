"""What is acknowledged is on disk and whole: after a kill, on a full disk, beside a process that holds the lock."""

import asyncio
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.store.builders import ACCOUNT, START, acceptance, accepted, attempted, message, suppression
from waybill.model.clock import MINUTE, now
from waybill.model.message import Status
from waybill.store.protocol import Search, StoreUnavailable
from waybill.store.sqlite import SqliteStore, connection, open_sqlite

# Accepts as fast as it can and tells each id once it is acknowledged; settles every other.
_WRITER = """
import asyncio, sys
from pathlib import Path
from tests.store.builders import START, accepted, attempted
from waybill.model.clock import now
from waybill.model.message import Status
from waybill.store.sqlite import open_sqlite

async def stream(store, settles):
    while True:
        (delivery,) = await accepted(store, START, lease_owner="w1", lease_until=START + 1)
        if settles:
            await store.settle(attempted(delivery, Status.BOUNCED, START))
        sys.stdout.write(f"{delivery.message_id} {int(settles)}\\n")
        sys.stdout.flush()

async def main():
    store = await open_sqlite(Path(sys.argv[1]), clock=now, file_events=True)
    await asyncio.gather(*(stream(store, number % 2 == 1) for number in range(32)))

asyncio.run(main())
"""


@pytest.mark.parametrize("lines", [1, 300, 1500])
async def test_killed_in_the_middle(tmp_path: Path, lines: int) -> None:
    """Of a process that is killed while it accepts, every acknowledged message is there, and every message is whole."""
    path = tmp_path / "waybill.db"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _WRITER, str(path), cwd=Path(__file__).parents[2], stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    told = [(await process.stdout.readline()).decode().split() for _ in range(lines)]
    process.send_signal(signal.SIGKILL)
    told += [line.decode().split() for line in (await process.stdout.read()).splitlines(keepends=True) if b"\n" in line]
    await process.wait()
    store = await open_sqlite(path, clock=now)
    found = {one.message.id: one.delivery for one in await store.find(Search(limit=1_000_000))}
    for message_id, settled in told:
        assert (Status.BOUNCED if settled == "1" else Status.QUEUED) is found[message_id].status
    assert found
    health = await store.health()
    bounced = sum(delivery.status is Status.BOUNCED for delivery in found.values())
    assert (bounced, len(found) - bounced) == (health.deliveries[Status.BOUNCED], health.deliveries[Status.QUEUED])
    assert len(found) + bounced == health.events == health.notices
    assert len(found) == await store.sent(ACCOUNT, START)
    claims = await store.claim("w2", START + MINUTE, limit=1_000_000, lease_until=START + 2 * MINUTE)
    assert len(found) - bounced == len(claims)
    await store.close()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    opened = await open_sqlite(tmp_path / "waybill.db", clock=now)
    yield opened
    await opened.close()


def _pages(store: SqliteStore, limit: int) -> None:
    store._writer._connection.execute(f"PRAGMA max_page_count = {limit}")


async def test_full_disk(store: SqliteStore) -> None:
    """On a full disk nothing is acknowledged and nothing is left behind; with room again the store works on."""
    (before,) = await accepted(store, lease_owner="w1", lease_until=START + MINUTE)
    pages = store._writer._connection.execute("PRAGMA page_count").fetchone()[0]
    _pages(store, pages + 2)
    asked = [acceptance(content=bytes(20_000)) for _ in range(40)]
    results = await asyncio.gather(*map(store.accept, asked), return_exceptions=True)
    assert {StoreUnavailable} == {type(result) for result in results}
    assert "full" in str(results[0])
    assert [before.id] == [one.delivery.id for one in await store.find(Search())]
    assert await store.sent(ACCOUNT, START) == 1
    _pages(store, 1_000_000)
    await store.settle(attempted(before, Status.DELIVERED, START))
    results = await asyncio.gather(*map(store.accept, asked))
    assert len(await store.find(Search())) == 41


async def test_locked(tmp_path: Path, store: SqliteStore) -> None:
    """While another process holds the write lock for too long writing is unavailable, reading works."""
    store._writer._turn.patience = 0.05
    (delivery,) = await accepted(store)
    other = sqlite3.connect(tmp_path / "waybill.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="locked"):
        await store.accept(acceptance())
    assert delivery == await store.delivery(delivery.id)
    other.execute("ROLLBACK")
    other.close()
    await accepted(store)


async def test_a_damaged_table(tmp_path: Path, store: SqliteStore) -> None:
    """What SQLite reports while reading is an error of the store, not a crash."""
    other = sqlite3.connect(tmp_path / "waybill.db", isolation_level=None)
    other.execute("DROP TABLE suppressions")
    other.close()
    with pytest.raises(StoreUnavailable, match="cannot be read: no such table"):
        await store.suppressed(ACCOUNT, ["a@b.example"], START)
    with pytest.raises(StoreUnavailable, match="cannot be read: no such table"):
        await store.suppressions(ACCOUNT)
    with pytest.raises(StoreUnavailable, match="cannot be written: no such table"):
        await store.suppress([suppression()])
    await accepted(store)


async def test_durable_settings(tmp_path: Path) -> None:
    """Every connection is WAL, synchronous=FULL and checks foreign keys; reading connections cannot write."""
    for read_only in (False, True):
        opened = connection.connect(tmp_path / "waybill.db", read_only=read_only)
        values = {
            name: opened.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "foreign_keys", "query_only")
        }
        assert {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "query_only": int(read_only)} == values
        opened.close()


async def test_content_is_deleted(tmp_path: Path, store: SqliteStore) -> None:
    """The bytes of a message go when its last delivery is final; those never sent are not kept at all."""
    first, second = await accepted(store, START, "a@r.example", "b@r.example", lease_owner="w1", lease_until=START + 1)
    other = sqlite3.connect(tmp_path / "waybill.db", isolation_level=None)
    counts = []
    for delivery in (first, second):
        await store.settle(attempted(delivery, Status.DELIVERED, START))
        counts.append(other.execute("SELECT count(*) FROM contents").fetchone()[0])
    other.close()
    assert counts == [1, 0]


async def test_a_cancelled_caller(store: SqliteStore) -> None:
    """A caller that goes away while its message is being written disturbs nobody."""
    tasks = [asyncio.create_task(store.accept(acceptance(message=message()))) for _ in range(20)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [isinstance(result, tuple) for result in results[1::2]] == [True] * 10
    await accepted(store)


async def test_nothing_is_acknowledged_into_a_file_that_is_gone(tmp_path: Path) -> None:
    """After the database was moved away nothing is taken; once it is back, all goes on."""
    path = tmp_path / "waybill.db"
    store = await open_sqlite(path, clock=now)
    await accepted(store)
    path.rename(tmp_path / "moved.db")
    with pytest.raises(StoreUnavailable, match="is not the file that was opened"):
        await accepted(store)
    path.write_bytes(b"")
    with pytest.raises(StoreUnavailable, match="is not the file that was opened"):
        await accepted(store)
    (tmp_path / "moved.db").rename(path)
    await accepted(store)
    assert 2 == len(await store.find(Search()))
    await store.close()
