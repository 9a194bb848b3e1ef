"""The world that tests of the queue begin with: an empty store and one account."""

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.queue.queueing import World
from tests.store.builders import START
from waybill.store.sqlite import open_sqlite


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A world with one account."""
    store = await open_sqlite(tmp_path / "waybill.db", clock=lambda: START)
    with ThreadPoolExecutor(2) as threads:
        world = World(store, threads)
        await world.account()
        yield world
    await store.close()
