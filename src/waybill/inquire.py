"""A question to the ledger: find the message, gather its facts, explain."""

from dataclasses import dataclass, replace

from waybill.explain import Explanation, Facts, explain
from waybill.mail.address import AddressError, canonical
from waybill.model.cause import Cause
from waybill.model.clock import Instant
from waybill.model.message import Delivery
from waybill.store.protocol import Search, Store
from waybill.store.queueing import Selection


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What a key means: a message, and where the key was an address, only this recipient of it."""

    message_id: str
    recipient: str | None = None


async def find_asked(store: Store, key: str, account: str | None = None) -> Asked | None:
    """The message that a key means: a message or request id, a Message-ID field, or an address. Raises: StoreUnavailable.

    An address, bare or with a display name, means the newest message to it (of ``account``, where one is given).
    """
    key = key.strip()
    if not key:
        return None
    if await store.ledger(key) is not None:
        return Asked(message_id=key)
    inner = key.removeprefix("<").removesuffix(">")
    local = inner.partition("@")[0]
    if local != key and await store.ledger(local) is not None:
        return Asked(message_id=local)  # <message id@our domain>, as the Message-ID field has it
    # A refused request keeps its recipients as the client wrote them, so the key is looked for as it stands, too.
    for address in dict.fromkeys((_bare(key), key)):
        hits = (
            await store.find(Search(account=account, recipient=address, limit=1))
            if address and "@" in address[1:]
            else []
        )
        if hits:
            return Asked(message_id=hits[0].message.id, recipient=hits[0].delivery.recipient)
    return None


def _bare(key: str) -> str | None:
    try:
        return canonical(key)
    except AddressError:
        return None


async def find_id(store: Store, key: str) -> str | None:
    """The id of the message that a key means, as ``find_asked``; None where there is none. Raises: StoreUnavailable."""
    asked = await find_asked(store, key)
    return asked.message_id if asked else None


async def gather(store: Store, message_id: str, now: Instant) -> Facts | None:
    """The facts about a message; None where the ledger does not know it. Raises: StoreUnavailable."""
    ledger = await store.ledger(message_id)
    if ledger is None:
        return None
    history = {delivery.id: await store.history(delivery, now) for delivery in ledger.deliveries}
    held = [one for one in ledger.deliveries if one.cause is Cause.HELD_BY_WAYBILL]
    return Facts(
        message=ledger.message,
        deliveries=ledger.deliveries,
        events=ledger.events,
        suppressions=ledger.suppressions,
        history=history,
        sites={one.id: await _site(store, one, now) for one in held},
    )


async def _site(store: Store, delivery: Delivery, now: Instant) -> str:
    """Where the delivery's mail goes, as far as it was ever learned."""
    own = Selection(message_id=delivery.message_id, domain=delivery.domain)
    found = await store.queue_by_site(now, selection=own, limit=1)
    return found[0].site if found else delivery.domain


async def inquire(store: Store, key: str, now: Instant, account: str | None = None) -> Explanation | None:
    """The explanation of the message that a key means; None where there is none. Raises: StoreUnavailable.

    Asked by address, it tells of that recipient alone. With ``account``, another account's message is not found.
    """
    asked = await find_asked(store, key, account)
    facts = await gather(store, asked.message_id, now) if asked else None
    if asked is None or facts is None or account not in {None, facts.message.account}:
        return None
    if asked.recipient is not None:
        own = tuple(delivery for delivery in facts.deliveries if delivery.recipient == asked.recipient)
        facts = replace(facts, deliveries=own)
    return explain(facts, now)
