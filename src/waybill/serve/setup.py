"""What a store holds before the first request: the default account, and in ``--dev`` the fixed key."""

from waybill.model.clock import Instant
from waybill.model.resource import DEFAULT_ACCOUNT, INSTALLATION, AccessKey, Account
from waybill.store.protocol import AlreadyExists, Store

DEV_ACCESS_KEY_ID = "AKIAWAYBILLDEV000000"
DEV_SECRET_ACCESS_KEY = "waybill-dev-secret-never-in-production"  # noqa: S105 - printed on purpose, loopback only


async def ensure_account(store: Store, name: str, at: Instant) -> None:
    """Creates the account unless it is there. Raises: StoreUnavailable."""
    if await store.get(Account, INSTALLATION, name) is not None:
        return
    try:
        await store.create(Account(account=INSTALLATION, name=name, created_at=at))
    except AlreadyExists:
        return


async def prepare_store(store: Store, at: Instant, *, dev: bool) -> bool:
    """Creates what must be there; whether any key can be used. Raises: StoreUnavailable."""
    await ensure_account(store, DEFAULT_ACCOUNT, at)
    if dev:
        await store.put(
            AccessKey(
                account=INSTALLATION,
                name=DEV_ACCESS_KEY_ID,
                owner=DEFAULT_ACCOUNT,
                label="waybill serve --dev",
                secret=DEV_SECRET_ACCESS_KEY,
                created_at=at,
            )
        )
        return True
    stored = await store.get(AccessKey, INSTALLATION, DEV_ACCESS_KEY_ID)
    if stored is not None:  # a key that everybody knows must not outlive --dev
        await store.delete(AccessKey, INSTALLATION, DEV_ACCESS_KEY_ID)
    keys = await store.scan(AccessKey, INSTALLATION, limit=10_000)
    return any(key.revoked_at is None for key in keys)
