"""The world that tests of the queue begin with: an empty store and one account."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.queue.queueing import World
from tests.store.builders import START
from waybill.queue.signing_threads import SigningThreads
from waybill.store.sqlite import open_sqlite


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A world with one account."""
    store = await open_sqlite(tmp_path / "waybill.db", clock=lambda: START)
    threads = SigningThreads(2)
    world = World(store, threads)
    await world.account()
    yield world
    threads.close()
    await store.close()
