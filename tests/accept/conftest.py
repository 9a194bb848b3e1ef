"""The world that tests of accepting begin with: one account, one verified domain."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.accept.accepting import START, World
from waybill.store.sqlite import open_sqlite


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """An account that may send from sender.test."""
    store = await open_sqlite(tmp_path / "waybill.db", clock=lambda: START)
    world = World(store)
    await world.account()
    await world.identity("sender.test")
    yield world
    await store.close()
