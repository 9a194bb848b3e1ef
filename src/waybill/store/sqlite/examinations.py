"""What was found in contents, on SQLite: events of their messages, a batch in one transaction."""

import json
import sqlite3
from collections.abc import Sequence

from waybill.model.content import ContentExamined
from waybill.model.event import EventKind
from waybill.store.codec import decode_fact, encode
from waybill.store.examinations import Examined
from waybill.store.sqlite.bulk import insert
from waybill.store.sqlite.readers import Readers
from waybill.store.sqlite.writer import Transaction, Writer


class SqliteExaminations:
    """The protocol ``Examinations``."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers

    async def keep(self, examined: Sequence[Examined]) -> None:
        if examined:
            await self._writer.write(lambda transaction: _keep(transaction, examined))

    async def of(self, message_id: str, by: str) -> ContentExamined | None:
        return self._readers.look_up(lambda connection: _of(connection, message_id, by))


def _of(connection: sqlite3.Connection, message_id: str, by: str) -> ContentExamined | None:
    rows = connection.execute(
        "SELECT e.fact FROM messages m JOIN events e ON e.message = m.number AND e.kind = 'content_examined'"
        " WHERE m.id = ? AND json_extract(e.fact, '$.by') = ?",
        (message_id, by),
    ).fetchall()
    fact = decode_fact(EventKind.CONTENT_EXAMINED, rows[0][0]) if rows else None
    return fact if isinstance(fact, ContentExamined) else None


def _keep(transaction: Transaction, examined: Sequence[Examined]) -> None:
    """Nobody subscribes to these events, so they make no notices."""
    places = [(index, one.message_id, one.fact.by) for index, one in enumerate(examined)]
    numbers = transaction.execute(
        "SELECT json_extract(j.value, '$[0]'), m.number FROM json_each(?) j"
        " CROSS JOIN messages m ON m.id = json_extract(j.value, '$[1]')"
        " WHERE NOT EXISTS (SELECT 1 FROM events e WHERE e.message = m.number AND e.kind = 'content_examined'"
        " AND json_extract(e.fact, '$.by') = json_extract(j.value, '$[2]'))",
        (json.dumps(places),),
    )
    (next_id,) = transaction.execute("SELECT ifnull(max(id), 0) FROM events")[0]
    encoded: dict[int, bytes] = {}  # copies of a mailing share one fact
    rows = []
    for index, number in sorted(numbers):
        next_id += 1
        one = examined[index]
        if id(one.fact) not in encoded:
            encoded[id(one.fact)] = encode(one.fact)
        rows.append((next_id, number, None, one.at, EventKind.CONTENT_EXAMINED.value, encoded[id(one.fact)]))
    insert(transaction, "events", "id, message, recipient, at, kind, fact", rows)
