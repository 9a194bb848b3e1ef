"""A backup made while the service runs is a store of its own, which goes on where the moment left it."""

import asyncio
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.store.builders import ACCOUNT, START, accepted, attempted
from waybill.model.clock import HOUR, MINUTE
from waybill.model.message import Status
from waybill.model.resource import Subscription
from waybill.store.protocol import StoreUnavailable
from waybill.store.sqlite import SqliteStore, open_sqlite

SUBSCRIPTION = Subscription(
    account=ACCOUNT, name="arn", topic_arn="t", protocol="https", endpoint="https://s", token="x", created_at=START
)


def names(folder: Path) -> list[str]:
    """The files in it."""
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    opened = await open_sqlite(tmp_path / "waybill.db", clock=lambda: START)
    yield opened
    await opened.close()


async def test_a_copy_goes_on(tmp_path: Path, store: SqliteStore) -> None:
    """The copy has the mail, the secrets and the sealed fields; what was in hand is taken over and delivered, and the original has no part in it."""
    (delivery,) = await accepted(store, lease_owner="w1", lease_until=START + MINUTE)
    await store.put(SUBSCRIPTION)
    target = tmp_path / "backup" / "copy.db"
    target.parent.mkdir()
    await asyncio.gather(store.backup(str(target)), *(accepted(store) for _ in range(9)))
    assert ["copy.db", "copy.db.key"] == names(target.parent)
    assert {0o600} == {stat.S_IMODE(path.stat().st_mode) for path in target.parent.iterdir()}
    copy = await open_sqlite(target, clock=lambda: START, create=False)
    try:
        assert store.secret("x") == copy.secret("x")
        assert SUBSCRIPTION == await copy.get(Subscription, ACCOUNT, "arn")
        claims = await copy.claim("w2", START + MINUTE, limit=99, lease_until=START + HOUR)
        (mine,) = (claim for claim in claims if claim.delivery.id == delivery.id)
        assert b"bytes" == mine.content
        await copy.settle(attempted(mine.delivery, Status.DELIVERED, START + MINUTE))
        (new,) = await accepted(copy, START + MINUTE)
        assert new.id > delivery.id
    finally:
        await copy.close()
    assert delivery == await store.delivery(delivery.id)


@pytest.mark.parametrize("name", ["copy.db", "copy.db.key"])
async def test_nothing_is_replaced(tmp_path: Path, store: SqliteStore, name: str) -> None:
    """A file that is there stays as it is, and no other is left behind."""
    folder = tmp_path / "backup"
    folder.mkdir()
    (folder / name).write_bytes(b"mine")
    with pytest.raises(StoreUnavailable, match=rf"{name} is there already"):
        await store.backup(str(folder / "copy.db"))
    assert [(name, b"mine")] == [(path.name, path.read_bytes()) for path in folder.iterdir()]


async def test_no_such_folder(tmp_path: Path, store: SqliteStore) -> None:
    """The fault is told in one sentence."""
    with pytest.raises(StoreUnavailable, match=r"copy\.db cannot be written: No such file or directory"):
        await store.backup(str(tmp_path / "nowhere" / "copy.db"))


async def test_the_key_is_needed(tmp_path: Path, store: SqliteStore) -> None:
    """Without the key a copy would be worth nothing: none is made."""
    (tmp_path / "waybill.db.key").unlink()
    with pytest.raises(StoreUnavailable, match="key"):
        await store.backup(str(tmp_path / "copy.db"))
    assert ["waybill.db", "waybill.db-shm", "waybill.db-wal", "waybill.db.generation"] == names(tmp_path)
