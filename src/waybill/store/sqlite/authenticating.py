"""SQL of what SPF, DKIM and DMARC looked like."""

import hashlib
import sqlite3

import msgspec

from waybill.model.authentication import Authentication, AuthenticationSeen
from waybill.model.clock import Instant
from waybill.store.authentications import KEPT, MOST_KEPT
from waybill.store.codec import encode
from waybill.store.sqlite.readers import Readers
from waybill.store.sqlite.writer import Transaction, Writer

_decode = msgspec.json.Decoder(Authentication).decode


class SqliteAuthentications:
    """``Authentications`` on SQLite."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers

    async def keep(self, sending_id: str, authentication: Authentication, at: Instant) -> None:
        body = encode(authentication)
        await self._writer.write(lambda transaction: _keep(transaction, sending_id, authentication, body, at))

    async def of_domain(self, account: str, from_domain: str, *, limit: int = 100) -> list[AuthenticationSeen]:
        return await self._readers.read(lambda connection: _of_domain(connection, account, from_domain, limit))


def _keep(transaction: Transaction, sending_id: str, authentication: Authentication, body: bytes, at: Instant) -> None:
    digest = hashlib.sha256(body).digest()
    newest = transaction.execute(
        "SELECT first_seen, digest FROM authentications WHERE sending = ? ORDER BY first_seen DESC LIMIT 1",
        (sending_id,),
    )
    if newest and newest[0][1] == digest:
        transaction.execute(
            "UPDATE authentications SET last_seen = max(last_seen, ?) WHERE sending = ? AND first_seen = ?",
            (at, sending_id, newest[0][0]),
        )
        return
    sending = authentication.sending
    # Several workers look at the same time; a clock may have been set back: the newest entry is the one written last.
    first_seen = at if not newest else max(at, newest[0][0] + 1)
    transaction.execute(
        "INSERT INTO authentications (sending, first_seen, last_seen, account, from_domain, digest, body)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (sending_id, first_seen, first_seen, sending.account, sending.from_domain, digest, body),
    )
    transaction.execute(
        "DELETE FROM authentications WHERE sending = ? AND (last_seen < ? OR first_seen NOT IN"
        " (SELECT first_seen FROM authentications WHERE sending = ? ORDER BY first_seen DESC LIMIT ?))",
        (sending_id, at - KEPT, sending_id, MOST_KEPT),
    )


def _of_domain(connection: sqlite3.Connection, account: str, from_domain: str, limit: int) -> list[AuthenticationSeen]:
    rows = connection.execute(
        "SELECT sending, body, first_seen, last_seen FROM authentications"
        " WHERE account = ? AND from_domain = ? ORDER BY last_seen DESC, first_seen DESC LIMIT ?",
        (account, from_domain, limit),
    ).fetchall()
    return [
        AuthenticationSeen(sending_id=row[0], authentication=_decode(row[1]), first_seen=row[2], last_seen=row[3])
        for row in rows
    ]
