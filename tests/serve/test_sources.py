"""The source addresses of the settings in the store, and on their way to delivery."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from waybill.deliver.config import Source
from waybill.deliver.sources import Sources, pool_of
from waybill.model.clock import DAY
from waybill.model.resource import INSTALLATION, DedicatedIp
from waybill.serve.sources import follow_sources, load_sources, register_sources
from waybill.store.protocol import Store
from waybill.store.sqlite import open_sqlite

NOW = 20_000 * DAY


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await open_sqlite(tmp_path / "waybill.db", clock=lambda: NOW)
    yield opened
    await opened.close()


async def records(store: Store) -> list[tuple[str, int | None, bool]]:
    return [(ip.name, ip.warm_up_from, ip.configured) for ip in await store.scan(DedicatedIp, INSTALLATION)]


async def test_addresses_are_registered_once(store: Store) -> None:
    """A new one warms up from the day it is first seen, where the settings say so; one that is gone is kept as such."""
    await register_sources(store, ("192.0.2.1",), NOW, warm_up=False)
    await register_sources(store, ("192.0.2.1", "192.0.2.2 two.us.test"), NOW + DAY, warm_up=True)
    assert await records(store) == [("192.0.2.1", None, True), ("192.0.2.2", NOW + DAY, True)]
    await register_sources(store, ("192.0.2.1",), NOW + 2 * DAY, warm_up=True)
    assert await records(store) == [("192.0.2.1", None, True), ("192.0.2.2", NOW + DAY, False)]
    await register_sources(store, ("192.0.2.1", "192.0.2.2"), NOW + 3 * DAY, warm_up=True)
    assert await records(store) == [("192.0.2.1", None, True), ("192.0.2.2", NOW + DAY, True)]


async def test_a_pool_that_changes_is_in_force_soon(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the API wrote in one process is read by the others."""
    monkeypatch.setattr("waybill.serve.sources.EVERY", 0.01)
    sources, stop = Sources((Source(ip="192.0.2.1"), Source(ip="192.0.2.2"))), asyncio.Event()
    await register_sources(store, sources.ips, NOW, warm_up=False)
    await load_sources(sources, store)
    following = asyncio.create_task(follow_sources(sources, store, stop))
    pool = pool_of("100000000001", "marketing")
    assert sources.hold(pool, "google", NOW) is not None
    await store.update(
        DedicatedIp, INSTALLATION, "192.0.2.2", lambda old: replace(old, owner="100000000001", pool="marketing")
    )
    async with asyncio.timeout(5):
        while sources.hold(pool, "google", NOW) is not None:  # noqa: ASYNC110 - nobody tells when it is read
            await asyncio.sleep(0.01)
    assert sources.eligible(pool, "google", NOW) == (Source(ip="192.0.2.2"),)
    stop.set()
    await following


async def test_without_addresses_nothing_is_read(store: Store) -> None:
    """The kernel chooses, and no store is asked."""
    sources = Sources()
    await store.close()
    await load_sources(sources, store)
    assert sources.hold(None, "google", NOW) is None
