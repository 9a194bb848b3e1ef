"""How long an explanation takes in a ledger of a million messages: by message id, by address, and for the busiest address.

``python bench/explanations.py`` fills a store with the lives of the explainer's own stories (delivered, refused, put off, expired, …), most
of them delivered, to few big domains and many small ones, opens it as ``waybill explain`` does, and asks.
"""

import argparse
import asyncio
import json
import os
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.explain.life import Life
from tests.explain.stories import STORIES

from waybill.inquire import inquire
from waybill.model.clock import DAY, Instant, now
from waybill.model.message import new_message_id
from waybill.model.resource import DEFAULT_ACCOUNT
from waybill.store.codec import encode
from waybill.store.open import open_store

AT_ONCE = 5_000
BIG = ("gmail.example", "outlook.example", "yahoo.example")
BUSIEST = f"alerts@{BIG[0]}"
BUSIEST_SHARE = 0.02
BIG_SHARE = 0.6
DELIVERED_SHARE = 0.95
DAYS = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class Mould:
    """A story's life as rows, to be cast again for another recipient. ``events``: milliseconds after the acceptance, whether about the recipient, kind, fact."""

    life: Life
    events: tuple[tuple[int, bool, str, bytes], ...]


def moulds() -> tuple[list[Mould], list[Mould]]:
    """Those that were delivered, and the others."""
    delivered: list[Mould] = []
    others: list[Mould] = []
    for name in sorted(STORIES):
        life = STORIES[name]()
        start = life.message.accepted_at
        events = tuple(
            (event.at - start, event.recipient is not None, event.kind.value, encode(event.fact))
            for event in life.facts().events
        )
        (delivered if life.delivery.status == "delivered" else others).append(Mould(life=life, events=events))
    return delivered, others


def fill(database: Path, count: int, rng: random.Random) -> tuple[list[str], list[str]]:
    """Writes the ledger; the ids and the addresses to ask for."""
    connection = sqlite3.connect(database, isolation_level=None)
    for pragma in ("synchronous = OFF", "cache_size = -500000"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute("BEGIN")
    delivered, others = moulds()
    step = DAYS * DAY // count
    first = now() - DAYS * DAY
    ids, addresses = [], []
    for start in range(0, count, AT_ONCE):
        rows: dict[str, list[tuple[Any, ...]]] = {sql: [] for sql in (_MESSAGE, _DELIVERY, _EVENT)}
        for number in range(start + 1, min(start + AT_ONCE, count) + 1):
            mould = rng.choice(delivered if rng.random() < DELIVERED_SHARE else others)
            recipient = _recipient(rng, count)
            at = first + number * step
            message_id = new_message_id(at)
            if number % (count // 300 or 1) == 0:
                ids.append(message_id)
                addresses.append(recipient)
            for sql, row in _rows(mould, number, message_id, recipient, at):
                rows[sql].append(row)
        for sql, many in rows.items():
            connection.executemany(sql, many)
    connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    with database.open("rb+") as file:
        os.fsync(file.fileno())
    return ids, addresses


_MESSAGE = "INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
_DELIVERY = (
    "INSERT INTO deliveries (id, message, account, recipient, address, domain, status, cause, underlying_cause, attempts,"
    " accepted_at, next_at, expires_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_EVENT = "INSERT INTO events (message, recipient, at, kind, fact) VALUES (?, ?, ?, ?, ?)"


def _recipient(rng: random.Random, count: int) -> str:
    """Few addresses get much: one gets two of every hundred messages, and three domains more than half."""
    if rng.random() < BUSIEST_SHARE:
        return BUSIEST
    person = int(rng.paretovariate(0.7)) % (count // 4 or 1)
    domain = rng.choice(BIG) if rng.random() < BIG_SHARE else f"site{person % 5_000}.example"
    return f"person{person}@{domain}"


def _rows(
    mould: Mould, number: int, message_id: str, recipient: str, at: Instant
) -> Iterator[tuple[str, tuple[Any, ...]]]:
    life = mould.life
    message = replace(
        life.message,
        id=message_id,
        account=DEFAULT_ACCOUNT,
        accepted_at=at,
        destination=(recipient,),
        client_started_at=at - 31,
    )
    domain = message.sender.rpartition("@")[2]
    yield (
        _MESSAGE,
        (
            number,
            message_id,
            at,
            message.sender,
            domain,
            message.configuration_set,
            message.identity,
            encode(message),
            b"",
        ),
    )
    delivery, shift = life.delivery, at - life.message.accepted_at
    status = delivery.status.value if delivery.status not in {"queued", "delayed"} else "bounced"
    yield (
        _DELIVERY,
        (number, number, DEFAULT_ACCOUNT, recipient, recipient, recipient.rpartition("@")[2], status, delivery.cause,
         delivery.underlying_cause, delivery.attempts, at, None, delivery.expires_at + shift, delivery.updated_at + shift),
    )  # fmt: skip
    for after, own, kind, fact in mould.events:
        yield _EVENT, (number, recipient if own else None, at + after, kind, fact)


async def ask(database: Path, keys: list[str]) -> list[float]:
    """Milliseconds of each answer, each key once, in a store just opened. Raises: RuntimeError: a key was not found."""
    store = await open_store(f"sqlite:///{database}", clock=now)
    taken = []
    try:
        for key in keys:
            began = time.perf_counter()
            if await inquire(store, key, now()) is None:
                raise RuntimeError(f"{key} is not in the ledger")
            taken.append((time.perf_counter() - began) * 1000)
    finally:
        await store.close()
    return taken


async def _make(database: Path) -> None:
    await (await open_store(f"sqlite:///{database}", clock=now)).close()


def main() -> None:
    """Fills, asks, and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--data", type=Path, default=Path("/var/tmp"), help="folder on a real disk, with 8 GB free")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args()
    rng = random.Random(1)
    with tempfile.TemporaryDirectory(prefix="waybill-bench-", dir=arguments.data) as folder:
        database = Path(folder, "waybill.db")
        asyncio.run(_make(database))
        began = time.monotonic()
        ids, addresses = fill(database, arguments.messages, rng)
        size = database.stat().st_size / 1e9
        print(
            f"{arguments.messages:,} messages, {size:.1f} GB, written in {time.monotonic() - began:.0f} s",
            file=sys.stderr,
        )
        figures = {
            "by message id": asyncio.run(ask(database, ids)),
            "by address": asyncio.run(ask(database, addresses)),
            f"by the busiest address, {BUSIEST_SHARE:.0%} of all": asyncio.run(ask(database, [BUSIEST] * 20)),
        }
    print("| | answers | p50 ms | p99 ms | at most ms |\n|---|---|---|---|---|")
    for name, taken in figures.items():
        cut = statistics.quantiles(taken, n=100)
        print(f"| {name} | {len(taken)} | {statistics.median(taken):.1f} | {cut[98]:.1f} | {max(taken):.1f} |")
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
