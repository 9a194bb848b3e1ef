"""Two hundred processes killed at random moments under load: what was accepted is neither lost, nor unheard of, nor hidden.

What a receiver got twice is said to be so: the kill fell between the message's first octet and our note of the answer.
"""

import asyncio
import json
import os
import random
import re
import signal
import smtplib
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests.flow.installation import Installation, children_of, free_port, is_alive, until
from tests.flow.outbox import told_of
from tests.flow.sink import Sink, counting
from waybill.model.clock import now
from waybill.model.event import EventKind, TakenOver
from waybill.model.message import Status
from waybill.store.open import open_store
from waybill.store.protocol import Ledger, Search

pytestmark = pytest.mark.story

SCRIPT = Path(__file__).with_name("serve_forking.py")
DOMAIN = "customer.example"
SEED = 5321
KILLS = 200
TREES, SUPERVISORS = 6, 2
"""How often everything is killed at once, and how often the supervisor alone; every process counts as a kill."""

BETWEEN = (0.02, 0.25)
"""Seconds between two kills."""

PAUSE = 0.01
PATIENCE = 45.0
TAKEN_MESSAGE = re.compile(r"[0-9a-f]{16}-[0-9a-f-]{36}-[0-9]{6}")


@dataclass
class Accepted:
    """What clients were given an id for: recipient by message id."""

    of_api: dict[str, str] = field(default_factory=dict)
    of_smtp: dict[str, str] = field(default_factory=dict)

    @property
    def all(self) -> dict[str, str]:
        """Both."""
        return self.of_api | self.of_smtp


class Clients:
    """Two threads that send all the time, over the API and over SMTP, whatever is killed under them."""

    def __init__(self, installation: Installation) -> None:
        self.accepted = Accepted()
        self.sent = 0
        self._installation = installation
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._send, args=(one,)) for one in (self._call, self._submit)]
        self._smtp: smtplib.SMTP | None = None

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(30)
        if self._smtp is not None:
            self._smtp.close()

    def _send(self, one: Any) -> None:
        client = self._installation.client("sesv2")
        count = 0
        while not self._over.wait(PAUSE):
            count += 1
            self.sent += 1
            one(client, f"{one.__name__[1:]}-{count}@{DOMAIN}")

    def _call(self, client: Any, recipient: str) -> None:
        content = {"Simple": {"Subject": {"Data": "x"}, "Body": {"Text": {"Data": "x"}}}}
        try:
            sent = client.send_email(
                FromEmailAddress="orders@shop.example", Destination={"ToAddresses": [recipient]}, Content=content
            )
        except (BotoCoreError, ClientError):
            return  # no id: nothing was promised
        if "MessageId" in sent:  # the answer may have been cut off
            self.accepted.of_api[sent["MessageId"]] = recipient

    def _submit(self, _: Any, recipient: str) -> None:
        try:
            if self._smtp is None:
                key = self._installation.key
                self._smtp = smtplib.SMTP(*self._installation.smtp, timeout=10)
                self._smtp.login(key["smtp_username"], key["smtp_password"])
            self._smtp.mail("orders@shop.example")
            self._smtp.rcpt(recipient)
            code, text = self._smtp.data(b"From: orders@shop.example\r\nSubject: x\r\n\r\nx\r\n")
        except (OSError, smtplib.SMTPException):
            if self._smtp is not None:
                self._smtp.close()
            self._smtp = None
            return
        found = TAKEN_MESSAGE.search(text.decode())
        if code == 250 and found is not None:
            self.accepted.of_smtp[found[0]] = recipient


def descendants(pid: int) -> list[int]:
    """All processes below one."""
    found = []
    try:
        for child in children_of(pid):
            found += [child, *descendants(child)]
    except (FileNotFoundError, ProcessLookupError):
        pass
    return found


def workers_of(installation: Installation) -> list[int]:
    """The workers that were forked and live."""
    below = [child for child in children_of(installation.pid) if children_of_safe(child)]
    return [worker for forker in below for worker in children_of_safe(forker) if is_alive(worker)]


def children_of_safe(pid: int) -> list[int]:
    """The children of a process that may be gone."""
    try:
        return children_of(pid)
    except (FileNotFoundError, ProcessLookupError):
        return []


def kill(pids: list[int]) -> int:
    """Kills them; how many there were to kill."""
    killed = 0
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
            killed += 1
        except ProcessLookupError:
            pass
    return killed


def kill_tree(installation: Installation, *, supervisor_alone: bool) -> int:
    """Kills everything at once, as a power cut does, or only the supervisor: its workers then drain by themselves."""
    assert installation.process is not None
    below = descendants(installation.pid)
    killed = kill([installation.pid] if supervisor_alone else [installation.pid, *below])
    installation.process.wait(10)
    forkers = [pid for pid in below if supervisor_alone and children_of_safe(pid)]
    until(lambda: not any(is_alive(pid) for pid in below if pid not in forkers), PATIENCE)
    kill(forkers)
    installation.process = None
    installation.start()
    return killed


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    with counting(DOMAIN, seed=SEED, longest_wait=0.04) as sink:
        yield sink


@pytest.fixture(scope="module")
def fragile(sink: Sink, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("fragile")
    sections: dict[str, dict[str, Any]] = {
        "http": {"listen": f"127.0.0.1:{free_port()}"},
        "submission": {"listen": f"127.0.0.1:{free_port()}"},
        "inbound": {"listen": f"127.0.0.1:{free_port()}"},
        "service": {"simulator": False},
        "dns": {"servers": [sink.dns]},
        "delivery": {"port": sink.port, "allow_private": True, "hostname": "mail.shop.example", "retry": ["300ms"]},
        "identities": {"verification": "none"},
        "publish": {"file": str(folder / "events.jsonl")},
    }
    installation = Installation(folder, sections, command=(sys.executable, str(SCRIPT)))
    installation.start()
    try:
        yield installation
    finally:
        if installation.process is not None:
            kill(descendants(installation.pid))
            installation.abandon()


def kill_at_random(installation: Installation) -> int:
    """Kills until there were enough; how many."""
    rng = random.Random(SEED)
    every = KILLS // (TREES + SUPERVISORS + 1)
    special = [False] * TREES + [True] * SUPERVISORS
    rng.shuffle(special)
    kills, next_special = 0, every
    while kills < KILLS:
        time.sleep(rng.uniform(*BETWEEN))
        if kills >= next_special and special:
            kills += kill_tree(installation, supervisor_alone=special.pop())
            next_special += every
            continue
        workers = workers_of(installation)
        if workers:
            kills += kill([rng.choice(workers)])
    return kills


async def read_all(folder: Path) -> list[Ledger]:
    """Every message of the store, with all that is known of it."""
    store = await open_store(f"sqlite:///{folder}/waybill.db", clock=now)
    try:
        found = {hit.message.id for hit in await store.find(Search(limit=100_000))}
        return [ledger for ledger in [await store.ledger(one) for one in sorted(found)] if ledger is not None]
    finally:
        await store.close()


def all_delivered(folder: Path) -> bool:
    async def counts() -> dict[Status, int]:
        store = await open_store(f"sqlite:///{folder}/waybill.db", clock=now)
        try:
            return (await store.health()).deliveries
        finally:
            await store.close()

    return {Status.DELIVERED} == {status for status, count in asyncio.run(counts()).items() if count}


def takeovers(ledger: Ledger) -> list[TakenOver]:
    """Who was killed with this message."""
    return [event.fact for event in ledger.events if isinstance(event.fact, TakenOver)]


def test_two_hundred_kills_lose_nothing(fragile: Installation, sink: Sink) -> None:
    """Over accepting, delivering, settling and publishing, from the API and from SMTP."""
    began = time.monotonic()
    with Clients(fragile) as clients:
        kills = kill_at_random(fragile)
    accepted = clients.accepted
    until(lambda: all_delivered(fragile.folder), PATIENCE)
    fragile.stop()
    ledgers = asyncio.run(read_all(fragile.folder))
    twice = {recipient for recipient, count in sink.taken.items() if count > 1}
    overs = [one for ledger in ledgers for one in takeovers(ledger)]
    figures = {
        "seed": SEED,
        "kills": kills,
        "sent": clients.sent,
        "accepted": {"api": len(accepted.of_api), "smtp": len(accepted.of_smtp)},
        "in the store": len(ledgers),
        "taken over": dict(Counter(str(one.was_sending) for one in overs)),
        "received twice": len(twice),
        "seconds": round(time.monotonic() - began),
    }
    print(json.dumps(figures))
    assert kills >= KILLS
    assert min(len(accepted.of_api), len(accepted.of_smtp)) > KILLS / 10, figures
    # Nothing lost: what got an id is in the store, was taken by the receiver, and its story is whole.
    assert accepted.all.keys() <= {ledger.message.id for ledger in ledgers}
    assert [] == [recipient for recipient in accepted.all.values() if not sink.taken[recipient]]
    for ledger in ledgers:
        kinds = Counter(event.kind for event in ledger.events)
        assert (1, 1) == (kinds[EventKind.ACCEPTED], kinds[EventKind.DELIVERED]), ledger
    # Nothing unheard of: every state was published.
    told = told_of(fragile.folder)
    assert [] == [
        (ledger.message.id, kind)
        for ledger in ledgers
        for kind in ("Send", "Delivery")
        if not told[ledger.message.id, kind]
    ]
    check_duplicates(fragile, ledgers, twice)


def check_duplicates(installation: Installation, ledgers: list[Ledger], twice: set[str]) -> None:
    """Nothing hidden: what the receiver has twice says so, to programs and to people; what says no such thing it has once."""
    confessed = {
        ledger.deliveries[0].recipient: ledger.message.id
        for ledger in ledgers
        if any(one.was_sending is not False for one in takeovers(ledger))
    }
    assert set() == twice - confessed.keys()
    for recipient in sorted(twice)[:20]:
        assert "twice" in json.dumps(installation.explain(confessed[recipient])), recipient
