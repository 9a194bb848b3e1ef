"""The events that a service has published to its file, those included that a killed publisher held."""

import asyncio
import json
from collections import Counter
from pathlib import Path

from waybill.model.clock import SECOND, now
from waybill.net.http_client import HttpClient
from waybill.publish.publisher import LEASE, PublishConfig, Publisher
from waybill.store.open import open_store


async def _publish_what_is_left(folder: Path) -> None:
    file = folder / "events.jsonl"
    config = PublishConfig(public_url="http://x", region="us-east-1", hostname="mail", file=file, worker="the next")
    store = await open_store(f"sqlite:///{folder}/waybill.db", clock=now, file_events=True)
    http = HttpClient(allow_private=False)
    try:
        publisher = Publisher(store=store, http=http, clock=lambda: now() + LEASE * SECOND, config=config)
        while await publisher.publish_due():
            pass
    finally:
        await http.close()
        await store.close()


def told_of(folder: Path) -> Counter[tuple[str, str]]:
    """How often each event of each message was published, once the leases of publishers that ended have run out.

    The service must have stopped. What a killed process began to write and did not end is no line.
    """
    asyncio.run(_publish_what_is_left(folder))
    told: Counter[tuple[str, str]] = Counter()
    for line in (folder / "events.jsonl").read_text("utf-8").splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        told[event["mail"]["messageId"], event["eventType"]] += 1
    return told
