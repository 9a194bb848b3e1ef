"""SQL of what is like something. Every query is led by an index, and stops after so many rows."""

import json
import sqlite3
from collections.abc import Collection

from waybill.model.clock import Instant
from waybill.model.event import RenderingFailed
from waybill.model.history import FailedAlike, OftenTaken, TakenAt
from waybill.store.sqlite.readers import Readers

MOST_FAILED = 2_000
MOST_TAKEN = 2_000
MOST_OF_DOMAIN = 1_000


class SqliteLikenesses:
    """The protocol ``Likenesses``."""

    def __init__(self, readers: Readers) -> None:
        self._readers = readers

    async def failed_alike(
        self, account: str, message_id: str, fact: RenderingFailed, since: Instant
    ) -> FailedAlike | None:
        return await self._readers.read(lambda connection: _failed_alike(connection, account, message_id, fact, since))

    async def taken_at(self, account: str, domain: str) -> list[TakenAt]:
        return await self._readers.read(lambda connection: _taken_at(connection, account, domain))

    async def often_taken(self, account: str, domains: Collection[str]) -> OftenTaken | None:
        return await self._readers.read(lambda connection: _often_taken(connection, account, domains))


def _failed_alike(
    connection: sqlite3.Connection, account: str, message_id: str, fact: RenderingFailed, since: Instant
) -> FailedAlike | None:
    """Alike: the same template (or an inline one, where this was), and the same variable, or without one the same words."""
    same = "$.variable" if fact.variable is not None else "$.error"
    rows = connection.execute(
        "WITH looked AS (SELECT message FROM deliveries WHERE cause = :cause AND cause IS NOT NULL"
        "  AND cause <> 'accepted_by_receiver' AND accepted_at >= :since AND account = :account"
        "  ORDER BY accepted_at DESC LIMIT :most)"
        " SELECT count(DISTINCT looked.message), min(e.at),"
        "  json_group_array(DISTINCT json_extract(e.fact, '$.template_version')), (SELECT count(*) FROM looked)"
        " FROM looked JOIN events e ON e.message = looked.message AND e.kind = 'rendering_failed'"
        " JOIN messages m ON m.number = looked.message AND m.id <> :own"
        " WHERE json_extract(e.fact, '$.template') IS :template AND json_extract(e.fact, :same) = :value",
        {
            "cause": fact.cause.value,
            "since": since,
            "account": account,
            "most": MOST_FAILED,
            "own": message_id,
            "template": fact.template,
            "same": same,
            "value": fact.variable if fact.variable is not None else fact.error,
        },
    ).fetchall()
    messages, first, versions, looked = rows[0]
    if not messages:
        return None
    known = sorted(version for version in json.loads(versions) if version is not None)
    return FailedAlike(messages=messages, since=first, versions=tuple(known), more=looked >= MOST_FAILED)


def _taken_at(connection: sqlite3.Connection, account: str, domain: str) -> list[TakenAt]:
    rows = connection.execute(
        "SELECT address, max(updated_at) FROM (SELECT address, updated_at, account, status FROM deliveries"
        " WHERE domain = ? ORDER BY accepted_at DESC LIMIT ?) WHERE account = ? AND status = 'delivered'"
        " GROUP BY address ORDER BY max(updated_at) DESC",
        (domain, MOST_TAKEN, account),
    ).fetchall()
    return [TakenAt(address=address, at=at) for address, at in rows]


def _often_taken(connection: sqlite3.Connection, account: str, domains: Collection[str]) -> OftenTaken | None:
    rows = connection.execute(
        "SELECT j.value, (SELECT count(*) FROM (SELECT account, status FROM deliveries d WHERE d.domain = j.value"
        " ORDER BY d.accepted_at DESC LIMIT ?) WHERE account = ? AND status = 'delivered') AS taken"
        " FROM json_each(?) j WHERE taken > 0 ORDER BY taken DESC, j.value LIMIT 1",
        (MOST_OF_DOMAIN, account, json.dumps(sorted(domains))),
    ).fetchall()
    return OftenTaken(domain=rows[0][0], messages=rows[0][1]) if rows else None
