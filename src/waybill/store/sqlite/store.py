"""``SqliteStore``: the Store protocol on one SQLite file, which several processes may share."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from waybill.model.clock import MINUTE, SECOND, Clock, Instant
from waybill.model.message import Delivery
from waybill.model.suppression import Reason, Suppression
from waybill.store.codec import R, decode_resource, encode_resource
from waybill.store.protocol import (
    Acceptance,
    Claim,
    DomainHistory,
    Found,
    Ledger,
    LimitReached,
    NewNotice,
    Notice,
    NoticeResult,
    Search,
    SendingBucket,
    Settlement,
    StoreHealth,
    StoreUnavailable,
)
from waybill.store.seal import Seal, key_path
from waybill.store.sqlite import accepting, claiming, counting, outbox, reading, recording, resources, settling
from waybill.store.sqlite import suppressions as lists
from waybill.store.sqlite.connection import BUSY_SECONDS, connect
from waybill.store.sqlite.generation import Generation, generation_path
from waybill.store.sqlite.migrate import prepare
from waybill.store.sqlite.readers import Readers
from waybill.store.sqlite.turn import Turn
from waybill.store.sqlite.writer import Transaction, Writer

_REMEMBERED = 4096

_FRESH = SECOND
"""How long a resource is remembered at most: should a process die between a change and its announcement."""


@dataclass(kw_only=True, slots=True)
class _Remembered:
    """A resource as it was read: ``body`` None where there was none. True while ``generation`` stands, until ``until``."""

    generation: bytes
    until: Instant
    body: bytes | None
    record: Any


async def open_sqlite(path: Path, *, clock: Clock, file_events: bool = False, create: bool = True) -> "SqliteStore":
    """The store in the file; folder, file and key are made where ``create`` is true and there is none.

    ``file_events``: whether every event that SES publishes also makes a notice for the file of events.

    Raises:
        StoreUnavailable: the file is absent, cannot be opened, is of a newer version, or its key is missing.
    """
    return await asyncio.to_thread(_open, path, clock, file_events=file_events, create=create)


def _open(path: Path, clock: Clock, *, file_events: bool, create: bool) -> "SqliteStore":
    if not create and not path.is_file():
        raise StoreUnavailable(f"there is no store at {path}: `waybill serve` makes it at its first start")
    _make(path)
    connection = connect(path)
    try:
        seal = prepare(connection, path, clock())
        readers = Readers(path)
        generation = _generation(path)
        writer = Writer(connection, Turn(key_path(path), patience=BUSY_SECONDS, database=path))
    except BaseException:
        connection.close()
        raise
    return SqliteStore(writer, readers, seal, generation, clock=clock, file_events=file_events)


def _generation(path: Path) -> Generation:
    try:
        return Generation(generation_path(path))
    except OSError as error:
        raise StoreUnavailable(f"the file {generation_path(path)} cannot be made: {error.strerror}") from error


def _make(path: Path) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # It will hold people's mail: for the owner alone. An existing file is not opened here, since closing it would
        # drop the locks that another store of this process holds on it.
        path.touch(mode=0o600, exist_ok=False)
    except FileExistsError:
        return
    except OSError as error:
        raise StoreUnavailable(f"the store {path} cannot be made: {error.strerror}") from error


class SqliteStore:
    """The Store on SQLite. Made by ``open_sqlite``; its methods are described by the protocol ``Store``."""

    def __init__(
        self,
        writer: Writer,
        readers: Readers,
        seal: Seal,
        generation: Generation,
        *,
        clock: Clock,
        file_events: bool,
    ) -> None:
        self._writer = writer
        self._readers = readers
        self._seal = seal
        self._generation = generation
        self._clock = clock
        self._file_events = file_events
        self._pruned_at: Instant = 0
        self._remembered: dict[tuple[type[Any], str, str], _Remembered] = {}

    async def close(self) -> None:
        await self._writer.close()
        await self._readers.close()
        self._remembered.clear()
        self._generation.close()

    def secret(self, purpose: str) -> bytes:
        return self._seal.secret(purpose)

    # resources

    async def get(self, kind: type[R], account: str, name: str) -> R | None:
        key = (kind, account, name)
        known = self._remembered.get(key)
        generation, at = self._generation.read(), self._clock()
        if known is None or known.generation != generation or not known.until - _FRESH <= at < known.until:
            body = self._readers.look_up(lambda connection: resources.read_body(connection, kind, account, name))
            known = self._remember(key, known, body)
            known.generation, known.until = generation, at + _FRESH
        record: R | None = known.record
        return record

    async def scan(
        self, kind: type[R], account: str, *, prefix: str = "", after: str = "", limit: int = 1000
    ) -> list[R]:
        def read(connection: sqlite3.Connection) -> list[R]:
            rows = resources.scan(connection, kind, account, prefix=prefix, after=after, limit=limit)
            return [decode_resource(kind, body, (account, name), self._seal) for name, body in rows]

        return await self._readers.read(read)

    async def create(self, record: R) -> None:
        body = encode_resource(record, self._seal)
        async with self._changing():
            await self._writer.write(lambda transaction: resources.create(transaction, record, body))

    async def put(self, record: R) -> None:
        body = encode_resource(record, self._seal)
        async with self._changing():
            await self._writer.write(lambda transaction: resources.put(transaction, record, body))

    async def update(self, kind: type[R], account: str, name: str, change: Callable[[R], R]) -> R:
        async with self._changing():
            return await self._writer.write(
                lambda transaction: resources.update(transaction, kind, (account, name), change, self._seal)
            )

    async def delete(self, kind: type[R], account: str, name: str) -> bool:
        async with self._changing():
            return await self._writer.write(lambda transaction: resources.delete(transaction, kind, account, name))

    @asynccontextmanager
    async def _changing(self) -> AsyncIterator[None]:
        try:
            yield
        finally:
            self._generation.change()

    def _remember(self, key: tuple[type[Any], str, str], known: _Remembered | None, body: bytes | None) -> _Remembered:
        if known is not None and known.body == body:
            return known  # as long as the bytes are the same, so is the record
        kind, account, name = key
        record = None if body is None else decode_resource(kind, body, (account, name), self._seal)
        if len(self._remembered) >= _REMEMBERED:
            self._remembered.clear()
        known = self._remembered[key] = _Remembered(generation=b"", until=0, body=body, record=record)
        return known

    # suppression

    async def suppress(self, entries: Sequence[Suppression]) -> None:
        await self._writer.write(lambda transaction: lists.suppress(transaction, entries))

    async def unsuppress(self, account: str, address: str) -> bool:
        return await self._writer.write(lambda transaction: lists.unsuppress(transaction, account, address))

    async def suppressed(self, account: str, addresses: Sequence[str], now: Instant) -> list[Suppression]:
        return self._readers.look_up(lambda connection: lists.suppressed(connection, account, addresses, now))

    async def suppressions(
        self,
        account: str,
        *,
        reasons: Sequence[Reason] = (),
        since: Instant | None = None,
        until: Instant | None = None,
        after: str = "",
        limit: int = 1000,
    ) -> list[Suppression]:
        return await self._readers.read(
            lambda connection: lists.listed(
                connection, account, reasons=reasons, period=(since, until), after=after, limit=limit
            )
        )

    # the life of a message

    async def accept(self, acceptance: Acceptance) -> tuple[Delivery, ...] | LimitReached:
        return await self._writer.write_with_others(self._accept, acceptance)

    def _accept(self, transaction: Transaction, acceptances: list[Acceptance]) -> list[accepting.Accepted]:
        at = acceptances[-1].message.accepted_at
        if at >= self._pruned_at + MINUTE:
            counting.prune(transaction, at)
            self._pruned_at = at
        return accepting.accept(transaction, acceptances, file_events=self._file_events)

    async def claim(
        self, worker: str, now: Instant, *, limit: int, lease_until: Instant, skip: Sequence[str] = ()
    ) -> list[Claim]:
        if not self._readers.look_up(lambda connection: claiming.anything_due(connection, now)):
            return []
        return await self._writer.write(
            lambda transaction: claiming.claim(
                transaction, worker, now, limit=limit, lease_until=lease_until, skip=skip
            )
        )

    async def renew(self, worker: str, delivery_ids: Sequence[int], lease_until: Instant) -> None:
        if delivery_ids:
            await self._writer.write(lambda transaction: claiming.renew(transaction, worker, delivery_ids, lease_until))

    async def overdue(self, worker: str, now: Instant, *, limit: int, lease_until: Instant) -> list[Delivery]:
        if not self._readers.look_up(lambda connection: claiming.anything_overdue(connection, now)):
            return []
        return await self._writer.write(
            lambda transaction: claiming.overdue(transaction, worker, now, limit=limit, lease_until=lease_until)
        )

    async def settle(self, settlement: Settlement) -> None:
        await self._writer.write_with_others(self._settle, settlement)

    def _settle(self, transaction: Transaction, settlements: list[Settlement]) -> list[settling.Settled]:
        return settling.settle(transaction, settlements, file_events=self._file_events)

    async def delivery(self, delivery_id: int) -> Delivery | None:
        return self._readers.look_up(lambda connection: claiming.read_delivery(connection, delivery_id))

    # the outbox

    async def notify(self, notices: Sequence[NewNotice]) -> None:
        if notices:
            await self._writer.write(lambda transaction: recording.add_notices(transaction, notices))

    async def claim_notices(self, worker: str, now: Instant, *, limit: int, lease_until: Instant) -> list[Notice]:
        if not self._readers.look_up(lambda connection: outbox.anything_due(connection, now)):
            return []
        return await self._writer.write(
            lambda transaction: outbox.claim_notices(transaction, worker, now, limit=limit, lease_until=lease_until)
        )

    async def settle_notices(self, results: Sequence[NoticeResult]) -> None:
        if results:
            await self._writer.write(lambda transaction: outbox.settle_notices(transaction, results))

    # reading

    async def ledger(self, message_id: str) -> Ledger | None:
        now = self._clock()
        return await self._readers.read(lambda connection: reading.ledger(connection, message_id, now))

    async def find(self, search: Search) -> list[Found]:
        return await self._readers.read(lambda connection: reading.find(connection, search))

    async def history(self, delivery: Delivery, now: Instant) -> DomainHistory:
        return await self._readers.read(lambda connection: reading.history(connection, delivery, now))

    async def sent(self, account: str, since: Instant) -> int:
        return self._readers.look_up(lambda connection: counting.sent(connection, account, since))

    async def statistics(self, account: str, since: Instant) -> list[SendingBucket]:
        return await self._readers.read(lambda connection: counting.statistics(connection, account, since))

    async def health(self) -> StoreHealth:
        return await self._readers.read(reading.health)
