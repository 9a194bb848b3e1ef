"""Settling deliveries, many at once: the new state, the events that explain it, and all that follows."""
# ruff: noqa: S608 - only constants of this package are put into the SQL

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import msgspec

from waybill.model.clock import Instant
from waybill.model.message import OPEN_STATUSES, Status
from waybill.store.protocol import LeaseLost, NotFound, Overtaken, Settlement
from waybill.store.sqlite import standing
from waybill.store.sqlite.bulk import Row, statement
from waybill.store.sqlite.counting import count_attempt_from, count_move
from waybill.store.sqlite.fresh import Fresh
from waybill.store.sqlite.observing import note_unknown
from waybill.store.sqlite.recording import Occasion, record
from waybill.store.sqlite.rows import OPEN, plain
from waybill.store.sqlite.suppressions import suppress
from waybill.store.sqlite.writer import Transaction

Settled: TypeAlias = LeaseLost | NotFound | Overtaken | ValueError | None


class _Standing(msgspec.Struct, frozen=True, array_like=True):
    """The delivery before it is settled."""

    delivery_id: int
    message: int
    account: str
    status: Status
    attempts: int
    next_at: Instant | None
    updated_at: Instant
    lease_owner: str | None
    lease_until: Instant | None
    configuration_set: str | None
    identity: str | None
    sender_domain: str


_standings = msgspec.json.Decoder(list[_Standing])


@dataclass(frozen=True, kw_only=True, slots=True)
class _Change:
    """A settlement that may be written. ``at`` is the time of its latest event."""

    settlement: Settlement
    before: _Standing
    at: Instant


def settle(
    transaction: Transaction, settlements: Sequence[Settlement], *, file_events: bool, fresh: Fresh | None = None
) -> list[Settled]:
    """For each None, or why it was not written.

    Without a lease owner a lease that somebody holds stays, unless the delivery becomes final: then its holder finds
    the lease lost. A final delivery cannot be open again, since its content is gone.
    """
    results: dict[int, Settled] = {}
    waiting = list(enumerate(settlements))
    while waiting:
        # Of two settlements of one delivery the second must find what the first has left.
        first = {settlement.delivery_id: index for index, settlement in reversed(waiting)}
        now = [(index, one) for index, one in waiting if first[one.delivery_id] == index]
        waiting = [(index, one) for index, one in waiting if first[one.delivery_id] != index]
        results |= _settle(transaction, now, file_events=file_events, fresh=fresh)
    return [results[index] for index in range(len(settlements))]


def _settle(
    transaction: Transaction, settlements: Sequence[tuple[int, Settlement]], *, file_events: bool, fresh: Fresh | None
) -> dict[int, Settled]:
    standings = _read(transaction, [one.delivery_id for _, one in settlements])
    results: dict[int, Settled] = {}
    changes: list[_Change] = []
    for index, settlement in settlements:
        before = standings.get(settlement.delivery_id)
        results[index] = _fault(settlement, before)
        if results[index] is None and before is not None:
            at = max((event.at for event in settlement.events), default=before.updated_at)
            changes.append(_Change(settlement=settlement, before=before, at=at))
    _update(transaction, changes)
    occasions = [_occasion(change, fresh) for change in changes]
    first_ids = record(transaction, occasions, file_events=file_events, fresh=fresh)
    for change, first_id in zip(changes, first_ids, strict=True):
        _follow(transaction, change, first_id if change.settlement.events else None)
    standing.count(transaction, [_moved(change) for change in changes])
    _delete_contents(transaction, changes)
    return results


def _read(transaction: Transaction, delivery_ids: Sequence[int]) -> dict[int, _Standing]:
    rows = transaction.execute(
        "SELECT json_group_array(json_array(d.id, d.message, d.account, d.status, d.attempts, d.next_at, d.updated_at,"
        " d.lease_owner, d.lease_until, m.configuration_set, m.identity, m.sender_domain))"
        " FROM json_each(?) CROSS JOIN deliveries d ON d.id = value JOIN messages m ON m.number = d.message",
        (json.dumps(delivery_ids),),
    )
    return {one.delivery_id: one for one in _standings.decode(rows[0][0])}


def _fault(settlement: Settlement, before: _Standing | None) -> Settled:
    if before is None:
        return NotFound(f"there is no delivery {settlement.delivery_id}")
    if settlement.lease_owner is not None and settlement.lease_owner != before.lease_owner:
        return LeaseLost(f"delivery {settlement.delivery_id} is held by {before.lease_owner or 'nobody'}")
    if settlement.seen is not None and settlement.seen != before.status:
        return Overtaken(f"delivery {settlement.delivery_id} is {before.status}, and no longer {settlement.seen}")
    if settlement.status in OPEN_STATUSES and before.status not in OPEN_STATUSES:
        return ValueError(
            f"delivery {settlement.delivery_id} is {before.status}: it cannot be {settlement.status} again"
        )
    return None


def _update(transaction: Transaction, changes: Sequence[_Change]) -> None:
    statement(
        transaction,
        "WITH new (id, status, cause, underlying_cause, attempts, next_at, updated_at, lease_owner, lease_until)"
        " AS (VALUES {rows}) UPDATE deliveries SET status = new.status, cause = new.cause,"
        " underlying_cause = new.underlying_cause, attempts = new.attempts, next_at = new.next_at,"
        " updated_at = new.updated_at, lease_owner = new.lease_owner, lease_until = new.lease_until"
        " FROM new WHERE deliveries.id = new.id",
        [_row(change.settlement, change.before, change.at) for change in changes],
    )


def _row(settlement: Settlement, before: _Standing, at: Instant) -> Row:
    owner, until, next_at = None, None, None
    if settlement.status in OPEN_STATUSES:
        next_at = before.next_at if settlement.next_at is None else settlement.next_at
        if settlement.lease_owner is None:
            owner, until = before.lease_owner, before.lease_until
        elif settlement.keep_lease_until is not None:
            owner, until = settlement.lease_owner, settlement.keep_lease_until
    return (
        settlement.delivery_id,
        settlement.status.value,
        plain(settlement.cause),
        plain(settlement.underlying_cause),
        before.attempts if settlement.attempts is None else settlement.attempts,
        next_at,
        at,
        owner,
        until,
    )


def _occasion(change: _Change, fresh: Fresh | None) -> Occasion:
    before = change.before
    return Occasion(
        number=before.message,
        account=before.account,
        configuration_set=before.configuration_set,
        identity=before.identity,
        events=change.settlement.events,
        message=None if fresh is None else fresh.message(before.message),
        worker=change.settlement.lease_owner,
    )


def _moved(change: _Change) -> standing.Moved:
    settlement, before = change.settlement, change.before
    return standing.Moved(
        settlement=settlement,
        before=before.status,
        first=before.attempts == 0 and bool(settlement.attempts),
        message=before.message,
        account=before.account,
        identity=before.identity or before.sender_domain,
        configuration_set=before.configuration_set,
        at=change.at,
    )


def _follow(transaction: Transaction, change: _Change, event: int | None) -> None:
    settlement, before = change.settlement, change.before
    if settlement.suppressions:
        suppress(transaction, [dataclasses.replace(entry, event=event) for entry in settlement.suppressions])
    if settlement.dkim_header is not None:
        transaction.execute(
            "UPDATE messages SET dkim_header = ? WHERE number = ?", (settlement.dkim_header, before.message)
        )
    if settlement.source_ip is not None:
        count_attempt_from(transaction, settlement.source_ip, settlement.site or "", change.at)
    if settlement.unknown_reply is not None:
        note_unknown(transaction, settlement.unknown_reply)
    count_move(
        transaction,
        before.account,
        change.at,
        before=before.status,
        after=settlement.status,
        first_attempt=before.attempts == 0 and bool(settlement.attempts),
    )


def _delete_contents(transaction: Transaction, changes: Sequence[_Change]) -> None:
    done = [change.before.message for change in changes if change.settlement.status not in OPEN_STATUSES]
    if done:
        transaction.execute(
            "DELETE FROM contents WHERE message IN (SELECT value FROM json_each(?))"
            f" AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.message = contents.message AND d.{OPEN})",
            (json.dumps(done),),
        )
