"""A question to the ledger: find the message, gather its facts, explain."""

from waybill.explain import Explanation, Facts, explain
from waybill.mail.address import AddressError, canonical, parse_mailbox
from waybill.model.clock import Instant
from waybill.store.protocol import Search, Store


async def find_id(store: Store, key: str) -> str | None:
    """The id of the message that a key means: a message or request id, a Message-ID field, or an address.

    An address means the newest message to it.
    """
    key = key.strip()
    if await store.ledger(key) is not None:
        return key
    inner = key.removeprefix("<").removesuffix(">")
    local = inner.partition("@")[0]
    if inner != local and await store.ledger(local) is not None:
        return local  # <message id@our domain>, as the Message-ID field has it
    try:
        address = canonical(parse_mailbox(key).address)
    except AddressError:
        return None
    hits = await store.find(Search(recipient=address, limit=1))
    return hits[0].message.id if hits else None


async def gather(store: Store, message_id: str, now: Instant) -> Facts | None:
    """The facts about a message; None where the ledger does not know it. Raises: StoreUnavailable."""
    ledger = await store.ledger(message_id)
    if ledger is None:
        return None
    history = {delivery.id: await store.history(delivery, now) for delivery in ledger.deliveries}
    return Facts(
        message=ledger.message,
        deliveries=ledger.deliveries,
        events=ledger.events,
        suppressions=ledger.suppressions,
        history=history,
    )


async def inquire(store: Store, key: str, now: Instant) -> Explanation | None:
    """The explanation of the message that a key means; None where there is none. Raises: StoreUnavailable."""
    message_id = await find_id(store, key)
    facts = await gather(store, message_id, now) if message_id else None
    return explain(facts, now) if facts else None
