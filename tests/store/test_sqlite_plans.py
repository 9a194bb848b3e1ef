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
from waybill.model.content import ContentExamined
from waybill.model.event import Held, RenderingFailed
from waybill.model.message import Delivery, Status
from waybill.store.examinations import Examined
from waybill.store.protocol import NoticeResult, Search
from waybill.store.queueing import Selection
from waybill.store.sqlite import SqliteStore, open_sqlite
from waybill.store.sqlite.readers import THREADS

GROWING = (
    "deliveries",
    "messages",
    "events",
    "contents",
    "notices",
    "suppressions",
    "counters",
    "resources",
    "sites",
    "unknown_replies",
    "reports",
)
SITE = Selection(sites=("google", "receiver.example"))
HOLD = Held(limit="suspension", by="operator", text="", until=START + 9 * HOUR)

EXAMINED = ContentExamined(by="waybill")
RENDERING = RenderingFailed(
    cause=Cause.TEMPLATE_VARIABLE_MISSING, error="no x", template="t", template_version=1, variable="x"
)

Question = Callable[[SqliteStore, Delivery], Awaitable[object]]


async def _held_then(store: SqliteStore, then: Awaitable[int]) -> None:
    await store.hold(SITE, HOLD, now=START + HOUR, limit=9)
    assert 1 == await then


QUESTIONS: dict[str, tuple[Question, set[str]]] = {
    "claim": (lambda s, d: s.claim("w", START + HOUR, limit=9, lease_until=START + 2 * HOUR), {"deliveries_due"}),
    "overdue": (
        lambda s, d: s.overdue("w", START + 99 * HOUR, limit=9, lease_until=START + 100 * HOUR),
        {"deliveries_due"},
    ),
    "seize": (
        lambda s, d: s.overdue("w", START, limit=9, lease_until=START + HOUR, seize_before=START),
        {"deliveries_due"},
    ),
    "hold a site": (lambda s, d: s.hold(SITE, HOLD, now=START + HOUR, limit=9), {"deliveries_waiting", "sites_site"}),
    "hold a message": (
        lambda s, d: s.hold(Selection(message_id=d.message_id), HOLD, now=START + HOUR, limit=9),
        {"deliveries_message", "sqlite_autoindex_messages_1"},
    ),
    "hold a cause": (
        lambda s, d: s.hold(Selection(cause=Cause.GREYLISTED), HOLD, now=START + HOUR, limit=9),
        {"deliveries_waiting"},
    ),
    "release": (
        lambda s, d: _held_then(s, s.release(SITE, by="a", now=START + HOUR, limit=9)),
        {"deliveries_waiting", "events_message"},
    ),
    "retry_now": (lambda s, d: s.retry_now(SITE, now=START + MINUTE, limit=9), {"deliveries_waiting"}),
    "mark_stuck": (
        lambda s, d: s.mark_stuck(START + 9 * HOUR, due_before=START + 8 * HOUR, limit=9),
        {"deliveries_due", "events_message"},
    ),
    "give_back": (lambda s, d: s.give_back("w", (d.id,)), set()),
    "queued": (lambda s, d: s.queued(Selection(held_for="suspension")), {"deliveries_waiting", "events_message"}),
    "queued at a domain": (lambda s, d: s.queued(Selection(domain="receiver.example")), {"deliveries_waiting"}),
    "queue_by_site": (lambda s, d: s.queue_by_site(START), {"deliveries_waiting"}),
    "remember_sites": (lambda s, d: s.remember_sites({"a.example": "google"}), set()),
    "unknown_replies": (lambda s, d: s.unknown_replies(), {"unknown_replies_count"}),
    "forget_unknown_replies": (lambda s, d: s.forget_unknown_replies(["x"]), set()),
    "reports": (lambda s, d: s.reports("dmarc"), {"reports_received"}),
    "reports of a domain": (lambda s, d: s.reports("dmarc", domain="a.example"), {"reports_domain"}),
    "tallied": (lambda s, d: s.tallied("x", START), set()),
    "sent_from": (lambda s, d: s.sent_from("192.0.2.1", "google", START), set()),
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
    "examinations": (
        lambda s, d: s.examinations.keep([Examined(message_id=d.message_id, at=START, fact=EXAMINED)]),
        {"sqlite_autoindex_messages_1", "events_message"},
    ),
    "failed alike": (
        lambda s, d: s.likenesses.failed_alike(ACCOUNT, d.message_id, RENDERING, START),
        {"deliveries_cause", "events_message"},
    ),
    "taken at": (lambda s, d: s.likenesses.taken_at(ACCOUNT, d.domain), {"deliveries_domain"}),
    "often taken": (lambda s, d: s.likenesses.often_taken(ACCOUNT, [d.domain]), {"deliveries_domain"}),
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
            if statement.startswith(("SELECT", "UPDATE", "DELETE", "WITH"))
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
