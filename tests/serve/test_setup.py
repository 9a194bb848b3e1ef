"""What a store holds before the first request."""

from dataclasses import replace
from pathlib import Path

from waybill.model.clock import now
from waybill.model.resource import DEFAULT_ACCOUNT, INSTALLATION, AccessKey, Account
from waybill.serve.setup import DEV_ACCESS_KEY_ID, ensure_account, prepare_store
from waybill.store.open import open_store

AT = 1_767_225_600_000


async def test_the_known_key_is_there_in_dev_only(tmp_path: Path) -> None:
    """A store that was served with ``--dev`` and then without has no key left that everybody knows."""
    store = await open_store(f"sqlite:///{tmp_path}/waybill.db", clock=now)
    try:
        assert await prepare_store(store, AT, dev=True)
        assert await store.get(AccessKey, INSTALLATION, DEV_ACCESS_KEY_ID) is not None
        assert not await prepare_store(store, AT, dev=False)
        assert await store.get(AccessKey, INSTALLATION, DEV_ACCESS_KEY_ID) is None
    finally:
        await store.close()


async def test_an_account_that_is_there_is_left_alone(tmp_path: Path) -> None:
    """A start does not undo what was set on the account."""
    store = await open_store(f"sqlite:///{tmp_path}/waybill.db", clock=now)
    try:
        await ensure_account(store, DEFAULT_ACCOUNT, AT)
        await store.update(Account, INSTALLATION, DEFAULT_ACCOUNT, lambda account: replace(account, max_send_rate=7.0))
        await prepare_store(store, AT + 1, dev=False)
        account = await store.get(Account, INSTALLATION, DEFAULT_ACCOUNT)
        assert account is not None
        assert (AT, 7.0) == (account.created_at, account.max_send_rate)
    finally:
        await store.close()


async def test_only_keys_that_can_be_used_count(tmp_path: Path) -> None:
    """With nothing but revoked keys the start still says how to make one."""
    store = await open_store(f"sqlite:///{tmp_path}/waybill.db", clock=now)
    key = AccessKey(
        account=INSTALLATION, name="AKIA1", owner=DEFAULT_ACCOUNT, label="", secret="s", created_at=AT, revoked_at=AT
    )
    try:
        await store.create(key)
        assert not await prepare_store(store, AT, dev=False)
        await store.put(replace(key, name="AKIA2", revoked_at=None))
        assert await prepare_store(store, AT, dev=False)
    finally:
        await store.close()
