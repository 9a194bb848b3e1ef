"""No question to the store reads a whole table that grows with the mail: SQLite's own plans say so."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from tests.store.builders import ACCOUNT, START, acceptance, accepted, attempted
from waybill.model.cause import Cause
from waybill.model.clock import HOUR, MINUTE, now
from waybill.model.message import Delivery, Status
from waybill.store.protocol import NoticeResult, Search
from waybill.store.sqlite import SqliteStore, open_sqlite
from waybill.store.sqlite.readers import THREADS

GROWING = ("deliveries", "messages", "events", "contents", "notices", "suppressions", "counters", "resources")

Question = Callable[[SqliteStore, Delivery], Awaitable[object]]

QUESTIONS: dict[str, tuple[Question, set[str]]] = {
    "claim": (lambda s, d: s.claim("w", START + HOUR, limit=9, lease_until=START + 2 * HOUR), {"deliveries_due"}),
    "overdue": (
        lambda s, d: s.overdue("w", START + 99 * HOUR, limit=9, lease_until=START + 100 * HOUR),
        {"deliveries_due"},
    ),
    "claim_notices": (lambda s, d: s.claim_notices("w", START + HOUR, limit=9, lease_until=START), {"notices_due"}),
    "settle_notices": (lambda s, d: s.settle_notices([NoticeResult(notice_id=1)]), set()),
    "accept": (lambda s, d: s.accept(acceptance()), set()),
    "settle": (lambda s, d: s.settle(attempted(d, Status.DELIVERED, START)), {"deliveries_message"}),
    "renew": (lambda s, d: s.renew("w", [d.id], START), set()),
    "delivery": (lambda s, d: s.delivery(d.id), set()),
    "suppressed": (lambda s, d: s.suppressed(ACCOUNT, [d.recipient], START), set()),
    "suppressions": (lambda s, d: s.suppressions(ACCOUNT), set()),
    "sent": (lambda s, d: s.sent(ACCOUNT, START), set()),
    "statistics": (lambda s, d: s.statistics(ACCOUNT, START), set()),
    "ledger": (
        lambda s, d: s.ledger(d.message_id),
        {"sqlite_autoindex_messages_1", "deliveries_message", "events_message"},
    ),
    "history": (
        lambda s, d: s.history(d, START + HOUR),
        {"deliveries_domain", "deliveries_address", "deliveries_cause", "events_message"},
    ),
    "find by recipient": (lambda s, d: s.find(Search(recipient=d.recipient)), {"deliveries_address"}),
    "find by domain": (lambda s, d: s.find(Search(recipient="@receiver.example")), {"deliveries_domain"}),
    "find by sender": (lambda s, d: s.find(Search(sender="alice@sender.example")), {"messages_sender"}),
    "find by sender's domain": (lambda s, d: s.find(Search(sender="@sender.example")), {"messages_sender"}),
    "find by sender and recipient": (
        lambda s, d: s.find(Search(sender="@sender.example", recipient=d.recipient)),
        {"deliveries_address"},
    ),
    "find by cause": (lambda s, d: s.find(Search(cause=Cause.GREYLISTED)), {"deliveries_cause"}),
    "find by status": (lambda s, d: s.find(Search(status=Status.BOUNCED)), {"deliveries_trouble"}),
    "find since": (lambda s, d: s.find(Search(since=START)), {"deliveries_accepted"}),
}


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    opened = await open_sqlite(tmp_path / "waybill.db", clock=now, file_events=True)
    yield opened
    await opened.close()


@pytest.mark.parametrize("name", QUESTIONS)
async def test_plan(tmp_path: Path, store: SqliteStore, name: str) -> None:
    """The statements that a method runs use the indexes meant for it, and scan no table that grows."""
    ask, indexes = QUESTIONS[name]
    (delivery,) = await accepted(store, lease_owner="w", lease_until=START + MINUTE)
    await store.settle(attempted(delivery, Status.DELAYED, START, keep_lease_until=START + MINUTE))
    delayed = await store.delivery(delivery.id)
    assert delayed is not None
    statements: list[str] = []
    for connection in await _connections(store):
        connection.set_trace_callback(statements.append)
    await ask(store, delayed)
    for connection in await _connections(store):
        connection.set_trace_callback(None)
    with sqlite3.connect(tmp_path / "waybill.db") as own:
        plan = [
            row[3]
            for statement in statements
            if statement.startswith(("SELECT", "UPDATE", "DELETE"))
            for row in own.execute(f"EXPLAIN QUERY PLAN {statement}")
        ]
    own.close()
    scanned = [step for step in plan if step.startswith("SCAN") and step.split()[1] in (*GROWING, *"demn")]
    assert [step for step in scanned if " USING " not in step] == []
    assert set() == {index for index in indexes if not any(f" {index} " in f"{step} " for step in plan)}


async def _connections(store: SqliteStore) -> list[sqlite3.Connection]:
    readers = store._readers
    together = threading.Barrier(THREADS)  # so that every thread of the pool has opened its connection
    await asyncio.gather(*(readers.read(lambda _: together.wait()) for _ in range(THREADS)))
    return [store._writer._connection, readers._near, *readers._opened]
