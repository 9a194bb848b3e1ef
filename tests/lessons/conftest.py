"""What the lessons are tried on: an empty store with one account, with a queue, a counter, or the door of what comes home."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.accept.accepting import World as Counter
from tests.inbound.reports import Home, open_home
from tests.queue.queueing import World
from tests.store.builders import START
from waybill.queue.signing_threads import SigningThreads
from waybill.store.sqlite import open_sqlite


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A store for the queue."""
    store = await open_sqlite(tmp_path / "waybill.db", clock=lambda: START)
    threads = SigningThreads(1)
    world = World(store, threads)
    await world.account()
    yield world
    threads.close()
    await store.close()


@pytest.fixture
async def counter(tmp_path: Path) -> AsyncIterator[Counter]:
    """An acceptor; the account may send from sender.test."""
    store = await open_sqlite(tmp_path / "counter.db", clock=lambda: START)
    counter = Counter(store)
    await counter.account()
    await counter.identity("sender.test")
    yield counter
    await store.close()


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Home]:
    """A store for what comes home."""
    async with open_home(tmp_path) as opened:
        yield opened
