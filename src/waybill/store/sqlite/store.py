"""``SqliteStore``: the Store protocol on one SQLite file, which several processes may share."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from waybill.model.cause import Cause
from waybill.model.clock import DAY, MINUTE, SECOND, Clock, Instant
from waybill.model.event import Held, NewEvent
from waybill.model.message import Delivery
from waybill.model.suppression import Reason, Suppression
from waybill.store.codec import R, decode_resource, encode_resource
from waybill.store.elsewhere import Reported, TakenIn
from waybill.store.observed import KeptReport, UnknownReply
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
)
from waybill.store.queueing import EVERYTHING, SKIP_NOTHING, Selection, SiteQueue, Skip, WasSending, not_known
from waybill.store.seal import Seal
from waybill.store.sqlite import (
    accepting,
    claiming,
    compartments,
    counting,
    elsewhere,
    observing,
    outbox,
    queueing,
    reading,
    recording,
    resources,
    settling,
)
from waybill.store.sqlite import suppressions as lists
from waybill.store.sqlite.backup import back_up
from waybill.store.sqlite.fresh import Fresh
from waybill.store.sqlite.generation import Generation
from waybill.store.sqlite.readers import Readers
from waybill.store.sqlite.standing import fold
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
        self._fresh = Fresh(clock)
        self.standing = compartments.SqliteStanding(writer, readers)
        self._pruned_at: Instant = 0
        self._pruned_days_at: Instant = 0
        self._remembered: dict[tuple[type[Any], str, str], _Remembered] = {}
        self.incidents = compartments.SqliteIncidents(writer, readers)
        self.health_history = compartments.SqliteHealthHistory(writer, readers)
        self.walks = compartments.SqliteWalks(writer)
        self.authentications = compartments.SqliteAuthentications(writer, readers)
        self.examinations = compartments.SqliteExaminations(writer, readers)
        self.likenesses = compartments.SqliteLikenesses(readers)

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

    async def unsuppress_matching(
        self,
        account: str,
        *,
        rule: str | None = None,
        cause: Cause | None = None,
        reason: Reason | None = None,
        since: Instant | None = None,
        until: Instant | None = None,
    ) -> list[Suppression]:
        if rule is None and cause is None and reason is None and since is None and until is None:
            raise ValueError("say which entries: by rule, cause, reason or time")
        return await self._writer.write(
            lambda transaction: lists.unsuppress_matching(
                transaction, account, rule=rule, cause=cause, reason=reason, period=(since, until)
            )
        )

    # the life of a message

    async def accept(self, acceptance: Acceptance) -> tuple[Delivery, ...] | LimitReached:
        return await self._writer.write_with_others(self._accept, acceptance)

    def _accept(self, transaction: Transaction, acceptances: list[Acceptance]) -> list[accepting.Accepted]:
        at = acceptances[-1].message.accepted_at
        if at >= self._pruned_at + MINUTE:
            counting.prune(transaction, at)
            observing.prune_unknown(transaction)
            self._pruned_at = at
        if at >= self._pruned_days_at + DAY:
            counting.prune_days(transaction, at)
            fold(transaction, at)
            self._pruned_days_at = at
        return accepting.accept(transaction, acceptances, file_events=self._file_events, fresh=self._fresh)

    async def claim(
        self,
        worker: str,
        now: Instant,
        *,
        limit: int,
        lease_until: Instant,
        skip: Skip = SKIP_NOTHING,
        was_sending: WasSending = not_known,
    ) -> list[Claim]:
        if not self._readers.look_up(lambda connection: claiming.anything_due(connection, now)):
            return []
        wanted = claiming.Wanted(
            worker=worker, limit=limit, lease_until=lease_until, skip=skip, was_sending=was_sending
        )
        return await self._writer.write(lambda transaction: claiming.claim(transaction, wanted, now))

    async def renew(self, worker: str, delivery_ids: Sequence[int], lease_until: Instant) -> None:
        if delivery_ids:
            await self._writer.write(lambda transaction: claiming.renew(transaction, worker, delivery_ids, lease_until))

    async def overdue(
        self, worker: str, now: Instant, *, limit: int, lease_until: Instant, seize_before: Instant = 0
    ) -> list[Delivery]:
        if not self._readers.look_up(lambda connection: claiming.anything_overdue(connection, now, seize_before)):
            return []
        sweep = claiming.Sweep(worker=worker, limit=limit, lease_until=lease_until, seize_before=seize_before)
        return await self._writer.write(lambda transaction: claiming.overdue(transaction, sweep, now))

    async def settle(self, settlement: Settlement) -> None:
        await self._writer.write_with_others(self._settle, settlement)

    def _settle(self, transaction: Transaction, settlements: list[Settlement]) -> list[settling.Settled]:
        return settling.settle(transaction, settlements, file_events=self._file_events, fresh=self._fresh)

    async def append(self, message_id: str, events: Sequence[NewEvent]) -> None:
        file_events = self._file_events
        await self._writer.write(
            lambda transaction: recording.append(transaction, message_id, events, file_events=file_events)
        )

    async def delivery(self, delivery_id: int) -> Delivery | None:
        return self._readers.look_up(lambda connection: claiming.read_delivery(connection, delivery_id))

    # the queue

    async def remember_sites(self, sites: Mapping[str, str]) -> None:
        if sites:
            await self._writer.write(lambda transaction: queueing.remember_sites(transaction, sites))

    async def knows_site(self, site: str) -> bool:
        return await self._readers.read(lambda connection: queueing.knows_site(connection, site))

    async def queue_by_site(
        self, now: Instant, *, selection: Selection = EVERYTHING, limit: int = 100
    ) -> list[SiteQueue]:
        return await self._readers.read(lambda connection: queueing.queue_by_site(connection, selection, now, limit))

    async def queued(self, selection: Selection, *, after: int = 0, limit: int = 100) -> list[Delivery]:
        return await self._readers.read(
            lambda connection: queueing.queued(connection, selection, after=after, limit=limit)
        )

    async def hold(self, selection: Selection, held: Held, *, now: Instant, limit: int) -> int:
        search = queueing.holdable(selection, held, now)
        return await self._change(search, limit, lambda transaction, ids: queueing.hold(transaction, ids, held, now))

    async def release(self, selection: Selection, *, by: str, now: Instant, limit: int) -> int:
        search = queueing.releasable(selection, now)
        return await self._change(search, limit, lambda transaction, ids: queueing.release(transaction, ids, by, now))

    async def retry_now(self, selection: Selection, *, now: Instant, limit: int) -> int:
        search = queueing.retryable(selection, now)
        return await self._change(search, limit, lambda transaction, ids: queueing.retry_now(transaction, ids, now))

    async def _change(
        self, search: queueing.Search, limit: int, change: Callable[[Transaction, list[int]], int]
    ) -> int:
        changed = 0
        while changed < limit:
            ids = await self._readers.read(lambda connection: queueing.find(connection, search, limit - changed))  # noqa: B023 - awaited at once
            if not ids:
                break
            changed += await self._writer.write(lambda transaction: change(transaction, ids))  # noqa: B023 - awaited at once
        return changed

    async def mark_stuck(self, now: Instant, *, due_before: Instant, limit: int) -> list[Delivery]:
        ids = await self._readers.read(lambda connection: queueing.find_stuck(connection, now, due_before, limit))
        if not ids:
            return []
        return await self._writer.write(lambda transaction: queueing.mark_stuck(transaction, ids, now, due_before))

    async def give_back(self, worker: str, delivery_ids: tuple[int, ...]) -> None:
        if delivery_ids:
            await self._writer.write(lambda transaction: queueing.give_back(transaction, worker, delivery_ids))

    # observations

    async def unknown_replies(self, *, limit: int = 100) -> list[UnknownReply]:
        return await self._readers.read(lambda connection: observing.unknown_replies(connection, limit))

    async def forget_unknown_replies(self, fingerprints: Sequence[str]) -> int:
        return await self._writer.write(lambda transaction: observing.forget_unknown(transaction, fingerprints))

    async def keep_report(self, report: KeptReport) -> bool:
        return await self._writer.write(lambda transaction: observing.keep_report(transaction, report))

    async def reports(self, kind: str, *, domain: str | None = None, limit: int = 100) -> list[KeptReport]:
        return await self._readers.read(lambda connection: observing.reports(connection, kind, domain, limit))

    async def tally(self, name: str, at: Instant, more: int = 1) -> None:
        await self._writer.write(lambda transaction: counting.count_by_name(transaction, name, at, more))

    async def tallied(self, name: str, since: Instant) -> int:
        return self._readers.look_up(lambda connection: counting.tallied(connection, name, since))

    async def sent_from(self, source_ip: str, site: str, since: Instant) -> int:
        return self._readers.look_up(lambda connection: counting.sent_from(connection, source_ip, site, since))

    async def backup(self, path: str) -> None:
        await asyncio.to_thread(back_up, self._readers.path, Path(path))

    async def take_in(self, reports: Sequence[Reported]) -> TakenIn:
        return await self._writer.write(lambda transaction: elsewhere.take_in(transaction, reports))

    # the outbox

    async def notify(self, notices: Sequence[NewNotice]) -> None:
        if notices:
            await self._writer.write(lambda transaction: recording.add_notices(transaction, notices))

    async def claim_notices(self, worker: str, now: Instant, *, limit: int, lease_until: Instant) -> list[Notice]:
        claimed: list[Notice] = []
        if self._readers.look_up(lambda connection: outbox.anything_due(connection, now)):
            claimed = await self._writer.write(
                lambda transaction: outbox.claim_notices(transaction, worker, now, limit=limit, lease_until=lease_until)
            )
        return claimed + self._fresh.take(now, limit - len(claimed))

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
