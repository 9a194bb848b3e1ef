"""The source addresses of the settings in the store, and what the store says of them told to delivery."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace

from waybill.deliver.config import parse_source
from waybill.deliver.sources import SentFrom, Sources
from waybill.model.clock import Instant
from waybill.model.resource import INSTALLATION, DedicatedIp
from waybill.store.protocol import AlreadyExists, Store, StoreUnavailable

log = logging.getLogger(__name__)

EVERY = 1.0
"""Seconds until a changed pool is in force in every worker."""

MOST_IPS = 10_000


async def register_sources(store: Store, texts: Sequence[str], at: Instant, *, warm_up: bool) -> None:
    """Keeps the addresses of the settings, each from the day on which it was first seen; one that is gone is marked so.

    Raises: StoreUnavailable.
    """
    configured = {parse_source(text).ip for text in texts}
    known = {record.name: record for record in await store.scan(DedicatedIp, INSTALLATION, limit=MOST_IPS)}
    for ip in sorted(configured - set(known)):
        try:
            await store.create(DedicatedIp(account=INSTALLATION, name=ip, warm_up_from=at if warm_up else None))
        except AlreadyExists:
            continue
    for ip, record in known.items():
        if record.configured is not (ip in configured):
            await store.put(replace(record, configured=ip in configured))


async def load_sources(sources: Sources, store: Store) -> None:
    """Tells ``sources`` which address is in which pool, and where to read what was sent. Raises: StoreUnavailable."""
    if sources.ips:
        sources.sent_from = _reading(store)
        sources.update(await store.scan(DedicatedIp, INSTALLATION, limit=MOST_IPS))


async def follow_sources(sources: Sources, store: Store, stop: asyncio.Event) -> None:
    """Does so every second until ``stop`` is set. While the store does not answer, what was known holds."""
    while not stop.is_set():
        try:
            await asyncio.wait_for(stop.wait(), EVERY)
        except TimeoutError:
            try:
                await load_sources(sources, store)
            except StoreUnavailable as error:
                log.warning("sources_not_read error=%s", error)


def _reading(store: Store) -> SentFrom:
    async def sent_from(ip: str, site: str, since: Instant) -> int | None:
        try:
            return await store.sent_from(ip, site, since)
        except StoreUnavailable as error:
            log.warning("sent_not_read ip=%s site=%s error=%s", ip, site, error)
            return None

    return sent_from
