"""Writing a settlement until the store takes it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from waybill.queue.trouble import Trouble
from waybill.store.protocol import LeaseLost, NotFound, Settlement, Store, StoreUnavailable

T = TypeVar("T")

log = logging.getLogger(__name__)

FIRST_WAIT = 0.1
LONGEST_WAIT = 5.0


async def read_for_good(read: Callable[[], Awaitable[T]], trouble: Trouble) -> T:
    """What ``read`` gives, as soon as the store can be read: without it an answer of the receiver could not be settled."""
    wait = FIRST_WAIT
    while True:
        try:
            return await read()
        except StoreUnavailable as error:
            trouble.store_fails("settling", error)
            await asyncio.sleep(wait)
            wait = min(wait * 2, LONGEST_WAIT)


async def settle_for_good(
    store: Store, settlement: Settlement, message_id: str, trouble: Trouble | None = None
) -> bool:
    """Writes until the store takes it: an answer of the receiver must not be forgotten while this process lives.

    False where another worker has the delivery now, so that nothing was written.
    """
    wait = FIRST_WAIT
    while True:
        try:
            await store.settle(settlement)
        except StoreUnavailable as error:
            log.warning(
                "store_unavailable while=settling message_id=%s delivery=%d error=%s",
                message_id,
                settlement.delivery_id,
                error,
            )
            if trouble is not None:
                trouble.store_fails("settling", error)
            await asyncio.sleep(wait)
            wait = min(wait * 2, LONGEST_WAIT)
        except (LeaseLost, NotFound) as error:
            log.warning("lease_lost message_id=%s delivery=%d error=%s", message_id, settlement.delivery_id, error)
            return False
        else:
            if trouble is not None:
                trouble.store_works()
            return True
