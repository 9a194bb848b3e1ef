"""Processes killed while messages are accepted, delivered and published: what got an id is neither lost nor unheard of."""

import asyncio
import json
import os
import random
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests.flow.conftest import Surroundings
from tests.flow.installation import Installation, children_of, until
from waybill.model.clock import now
from waybill.net.http_client import HttpClient
from waybill.publish.publisher import LEASE, PublishConfig, Publisher
from waybill.store.open import open_store

pytestmark = pytest.mark.story

SCRIPT = Path(__file__).with_name("serve_short_lease.py")
PAUSE = 0.02


class Sending:
    """A client in a thread that sends all the time, and remembers only what it was given an id for."""

    def __init__(self, installation: Installation) -> None:
        self._client: Any = installation.client("sesv2")
        self._over = threading.Event()
        self.ids: list[str] = []
        self._thread = threading.Thread(target=self._send_all)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(30)

    def _send_all(self) -> None:
        while not self._over.wait(PAUSE):
            try:
                sent = self._client.send_email(
                    FromEmailAddress="orders@shop.example",
                    Destination={"ToAddresses": ["reader@customer.example"]},
                    Content={"Simple": {"Subject": {"Data": "x"}, "Body": {"Text": {"Data": "x"}}}},
                )
            except (BotoCoreError, ClientError):
                continue  # no id: nothing was promised
            self.ids.append(sent["MessageId"])


@pytest.fixture(scope="module")
def fragile(surroundings: Surroundings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("fragile")
    sections = surroundings.sections(publish={"file": str(folder / "events.jsonl")})
    installation = Installation(folder, sections, command=(sys.executable, str(SCRIPT)))
    installation.start()
    try:
        yield installation
    finally:
        installation.abandon()


def check_all_delivered(installation: Installation, accepted: list[str]) -> None:
    """Everything that got an id is delivered, taken over where its worker was killed."""

    def all_delivered() -> bool:
        hits = installation.json("find", "--status", "delivered", "--limit", "1000")
        return set(accepted) <= {hit["message_id"] for hit in hits}

    until(all_delivered)


async def publish_what_is_left(folder: Path) -> None:
    """Does what any publisher does once the leases of killed ones have run out."""
    file = folder / "events.jsonl"
    config = PublishConfig(public_url="http://x", region="us-east-1", hostname="mail", file=file, worker="the next")
    store = await open_store(f"sqlite:///{folder}/waybill.db", clock=now, file_events=True)
    http = HttpClient(allow_private=False)
    try:
        publisher = Publisher(store=store, http=http, clock=lambda: now() + LEASE * 1_000, config=config)
        while await publisher.publish_due():
            pass
    finally:
        await http.close()
        await store.close()


def check_all_told(installation: Installation, accepted: list[str]) -> None:
    """Of everything that got an id both events were published."""
    asyncio.run(publish_what_is_left(installation.folder))
    lines = (installation.folder / "events.jsonl").read_text("utf-8").splitlines()
    told = Counter((event["mail"]["messageId"], event["eventType"]) for event in map(json.loads, lines))
    assert [] == [
        (message_id, kind) for message_id in accepted for kind in ("Send", "Delivery") if not told[message_id, kind]
    ]


def test_killed_workers_lose_nothing(fragile: Installation) -> None:
    """The other worker goes on, and takes over what the killed one held."""
    rng = random.Random(5321)
    with Sending(fragile) as sending:
        for _ in range(4):
            time.sleep(rng.uniform(0.1, 0.6))
            os.kill(rng.choice(children_of(fragile.pid)), signal.SIGKILL)
            until(lambda: 2 == len(children_of(fragile.pid)))
    accepted = sending.ids
    assert accepted
    check_all_delivered(fragile, accepted)
    check_all_told(fragile, accepted)


def test_a_killed_tree_loses_nothing(fragile: Installation) -> None:
    """After a power cut and a restart everything that was accepted is delivered and told."""
    rng = random.Random(5322)
    accepted: list[str] = []
    for _ in range(2):
        with Sending(fragile) as sending:
            time.sleep(rng.uniform(0.1, 0.5))
            fragile.kill_all()
        accepted += sending.ids
        fragile.start()
    assert accepted
    check_all_delivered(fragile, accepted)
    fragile.stop()
    check_all_told(fragile, accepted)
