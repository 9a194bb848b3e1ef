"""Resources are remembered between sends, and a change is seen at once by every process that shares the store."""

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.store.builders import START
from waybill.model.clock import SECOND, Instant
from waybill.model.resource import DEFAULT_ACCOUNT, ConfigurationSet
from waybill.store.protocol import StoreUnavailable
from waybill.store.sqlite import SqliteStore, open_sqlite
from waybill.store.sqlite.generation import Generation


class SteppingClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.at: Instant = START

    def __call__(self) -> Instant:
        return self.at


def configuration_set(*, sending_enabled: bool = True) -> ConfigurationSet:
    return ConfigurationSet(account=DEFAULT_ACCOUNT, name="main", created_at=START, sending_enabled=sending_enabled)


async def get(store: SqliteStore) -> ConfigurationSet | None:
    return await store.get(ConfigurationSet, DEFAULT_ACCOUNT, "main")


@pytest.fixture
def clock() -> SteppingClock:
    return SteppingClock()


@pytest.fixture
async def stores(tmp_path: Path, clock: SteppingClock) -> AsyncIterator[tuple[SqliteStore, SqliteStore]]:
    one = await open_sqlite(tmp_path / "waybill.db", clock=clock)
    other = await open_sqlite(tmp_path / "waybill.db", clock=clock)
    yield one, other
    await one.close()
    await other.close()


async def test_another_stores_changes_are_seen(stores: tuple[SqliteStore, SqliteStore]) -> None:
    """Created, replaced, updated, deleted: a store that remembers the opposite finds each change at once."""
    one, other = stores
    assert await get(one) is None
    await other.create(configuration_set())
    assert configuration_set() == await get(one)
    await other.put(configuration_set(sending_enabled=False))
    assert configuration_set(sending_enabled=False) == await get(one)
    await other.update(ConfigurationSet, DEFAULT_ACCOUNT, "main", lambda _: configuration_set())
    assert configuration_set() == await get(one)
    await other.delete(ConfigurationSet, DEFAULT_ACCOUNT, "main")
    assert await get(one) is None


async def test_what_nobody_announced_is_seen_after_a_second(
    tmp_path: Path, stores: tuple[SqliteStore, SqliteStore], clock: SteppingClock
) -> None:
    """A process may die between its change and the announcement: what is remembered is asked for again in time."""
    one, _ = stores
    await one.create(configuration_set())
    assert configuration_set() == await get(one)
    with sqlite3.connect(tmp_path / "waybill.db") as own:
        own.execute("DELETE FROM resources WHERE kind = 'configuration_set'")
    own.close()
    assert configuration_set() == await get(one)
    clock.at += SECOND
    assert await get(one) is None


async def test_clock_set_back(tmp_path: Path, stores: tuple[SqliteStore, SqliteStore], clock: SteppingClock) -> None:
    """A clock that is set back does not make anything remembered for longer."""
    one, _ = stores
    await one.create(configuration_set())
    assert configuration_set() == await get(one)
    with sqlite3.connect(tmp_path / "waybill.db") as own:
        own.execute("DELETE FROM resources WHERE kind = 'configuration_set'")
    own.close()
    clock.at -= 60 * SECOND
    assert await get(one) is None


async def test_closed_store_remembers_nothing(tmp_path: Path, clock: SteppingClock) -> None:
    """A closed store says so, whatever it had in memory."""
    store = await open_sqlite(tmp_path / "waybill.db", clock=clock)
    await store.create(configuration_set())
    assert configuration_set() == await get(store)
    await store.close()
    with pytest.raises(StoreUnavailable):
        await get(store)


def test_generation_is_shared(tmp_path: Path) -> None:
    """Every holder of the file sees the same number, which a change replaces."""
    one, other = Generation(tmp_path / "generation"), Generation(tmp_path / "generation")
    before = one.read()
    assert before == other.read()
    other.change()
    assert before != one.read()
    assert one.read() == other.read()
    one.close()
    other.close()
    assert b"" == one.read()
