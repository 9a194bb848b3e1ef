"""SQL of how we stand: what became of mail, added up in the transaction that settles it, by who sent, from where and to whom."""
# ruff: noqa: S608 - only constants of this package are put into the SQL

import sqlite3
from collections.abc import Sequence
from dataclasses import fields
from typing import TypeAlias

import msgspec

from waybill.model.address import domain_of
from waybill.model.cause import CATALOGUE
from waybill.model.clock import DAY, HOUR, Instant
from waybill.model.event import Attempted, EventKind
from waybill.model.message import Message, Status
from waybill.model.record import record
from waybill.model.resource import Identity, Verification
from waybill.model.simulator import is_simulated
from waybill.model.standing import DayTally, Figures, Listed, Tally
from waybill.store.protocol import Settlement
from waybill.store.sqlite.bulk import statement
from waybill.store.sqlite.listings import listings, note_listings
from waybill.store.sqlite.readers import Readers
from waybill.store.sqlite.resources import read_body
from waybill.store.sqlite.writer import Transaction, Writer

HOURS_KEPT = 3 * DAY
DAYS_KEPT = 60 * DAY

_PERMANENT = frozenset(
    cause for cause, entry in CATALOGUE.items() if entry.ses is not None and entry.ses[0] == "Permanent"
)

_KEYS = "start, account, identity, configuration_set, source_ip, provider"
_COUNTS = tuple(field.name for field in fields(Figures))
_COLUMNS = f"{_KEYS}, {', '.join(_COUNTS)}"
_ADD = f"ON CONFLICT ({_KEYS}) DO UPDATE SET {', '.join(f'{name} = {name} + excluded.{name}' for name in _COUNTS)}"
_SUMS = ", ".join(f"sum({name})" for name in _COUNTS)
_PLACE = {name: place for place, name in enumerate(_COUNTS)}

_Key: TypeAlias = tuple[Instant, str, str, str, str, str]


@record(frozen=True, kw_only=True, slots=True)
class Moved:
    """A settlement that is being written, and what of its message says whose it is. ``message`` is its number here."""

    settlement: Settlement
    before: Status
    first: bool
    message: int
    account: str
    identity: str
    configuration_set: str | None
    at: Instant


class _Owned(msgspec.Struct, frozen=True):
    verification: Verification


_owned = msgspec.json.Decoder(_Owned)


def count(transaction: Transaction, moves: Sequence[Moved]) -> None:
    """Adds what these settlements came to."""
    sums: dict[_Key, list[int]] = {}
    for moved in moves:
        counted = _counted(transaction, moved)
        if counted:
            key = _key(transaction, moved)
            row = sums.get(key)
            if row is None:
                row = sums[key] = [0] * len(_COUNTS)
            for name in counted:
                row[_PLACE[name]] += 1
    if sums:
        rows = [(*key, *row) for key, row in sums.items()]
        statement(transaction, f"INSERT INTO standing ({_COLUMNS}) VALUES {{rows}} {_ADD}", rows)


def _counted(transaction: Transaction, moved: Moved) -> list[str]:
    """The figures that a settlement moves by one."""
    settlement = moved.settlement
    recipient = settlement.events[0].recipient if settlement.events else None
    if recipient is None or is_simulated(recipient):
        return []
    found = ["sent"] if moved.first else []
    if settlement.status is not moved.before:
        if settlement.status is Status.DELIVERED:
            found.append("delivered")
        elif settlement.status is Status.BOUNCED:
            found.extend(_bounce(transaction, moved, recipient))
    if settlement.events[0].kind is EventKind.COMPLAINED:
        found.append("complaints")
    return found


def _bounce(transaction: Transaction, moved: Moved, recipient: str) -> tuple[str, ...]:
    if moved.settlement.cause not in _PERMANENT:
        return ("transient",)
    if moved.settlement.incident is not None:
        return ("permanent", "excused")
    if _is_own(transaction, moved.account, recipient):
        return ("permanent",)
    return ("permanent", "hard")


def _is_own(transaction: Transaction, account: str, recipient: str) -> bool:
    """Whether the recipient is, or belongs to, a verified identity of the sender's: SES counts no bounce of those."""
    domain = domain_of(recipient)
    names = [recipient, domain]
    while domain.count(".") > 1:
        domain = domain.partition(".")[2]
        names.append(domain)
    bodies = (read_body(transaction.connection, Identity, account, name) for name in names)
    return any(body is not None and _owned.decode(body).verification is Verification.SUCCESS for body in bodies)


def _key(transaction: Transaction, moved: Moved) -> _Key:
    """What comes home late counts in the hour of the attempt that it is about: rates compare it with what was sent then."""
    fact = moved.settlement.events[0].fact
    if isinstance(fact, Attempted):
        at, source_ip, provider = moved.at, fact.attempt.source_ip, fact.attempt.provider
    else:
        at, source_ip, provider = _last_attempt(transaction, moved)
    start = at - at % HOUR
    return (start, moved.account, moved.identity, moved.configuration_set or "", source_ip or "", provider or "")


def _last_attempt(transaction: Transaction, moved: Moved) -> tuple[Instant, str | None, str | None]:
    """When and from where to whom the message went, for what comes home later or ends by the clock."""
    rows = transaction.execute(
        "SELECT at, json_extract(CAST(fact AS TEXT), '$.attempt.source_ip'), json_extract(CAST(fact AS TEXT), '$.attempt.provider')"
        " FROM events WHERE message = ? AND recipient = ? AND kind IN ('delivered', 'deferred', 'bounced')"
        " ORDER BY id DESC LIMIT 1",
        (moved.message, moved.settlement.events[0].recipient),
    )
    return rows[0] if rows else (moved.at, None, None)


def count_suppressed(transaction: Transaction, message: Message, recipient: str) -> None:
    """Counts an address on the global list: sent, and bounced, as SES has it."""
    if is_simulated(recipient):
        return
    figures = Figures(sent=1, permanent=1, hard=0 if _is_own(transaction, message.account, recipient) else 1)
    at = message.accepted_at
    key = (
        at - at % HOUR,
        message.account,
        message.identity or domain_of(message.sender),
        message.configuration_set or "",
        "",
        "",
    )
    row = (*key, *(getattr(figures, name) for name in _COUNTS))
    statement(transaction, f"INSERT INTO standing ({_COLUMNS}) VALUES {{rows}} {_ADD}", [row])


def fold(transaction: Transaction, now: Instant) -> None:
    """Adds the hours of older days up, and forgets the oldest days; worth it once a day."""
    cut = now - now % DAY - HOURS_KEPT
    transaction.execute(
        f"INSERT INTO standing ({_COLUMNS})"
        f" SELECT start - start % {DAY} AS day, account, identity, configuration_set, source_ip, provider, {_SUMS}"
        f" FROM standing WHERE start < ? AND start % {DAY} <> 0"
        f" GROUP BY day, account, identity, configuration_set, source_ip, provider {_ADD}",
        (cut,),
    )
    transaction.execute(f"DELETE FROM standing WHERE start < ? AND start % {DAY} <> 0", (cut,))
    transaction.execute("DELETE FROM standing WHERE start < ?", (cut - DAYS_KEPT,))


def tallies(connection: sqlite3.Connection, starts: Sequence[Instant], account: str | None) -> list[Tally]:
    """Figures from each of the starts on."""
    sums = [f"sum(iif(start >= {int(start)}, {name}, 0))" for start in starts for name in _COUNTS]
    about, values = ("", ()) if account is None else (" AND account = ?", (account,))
    rows = connection.execute(
        f"SELECT account, identity, configuration_set, source_ip, {', '.join(sums)} FROM standing"
        f" WHERE start >= ?{about} GROUP BY account, identity, configuration_set, source_ip",
        (min(starts), *values),
    ).fetchall()
    width = len(_COUNTS)
    return [
        Tally(
            account=row[0],
            identity=row[1],
            configuration_set=row[2],
            source_ip=row[3],
            figures=tuple(_figures(row[4 + width * place : 4 + width * (place + 1)]) for place in range(len(starts))),
        )
        for row in rows
    ]


def by_day(connection: sqlite3.Connection, account: str, since: Instant, until: Instant) -> list[DayTally]:
    """Figures by day."""
    rows = connection.execute(
        f"SELECT start - start % {DAY} AS day, identity, configuration_set, provider, {_SUMS} FROM standing"
        " WHERE start >= ? AND start < ? AND account = ? GROUP BY day, identity, configuration_set, provider ORDER BY day",
        (since, until, account),
    ).fetchall()
    return [
        DayTally(day=row[0], identity=row[1], configuration_set=row[2], provider=row[3], figures=_figures(row[4:]))
        for row in rows
    ]


def _figures(row: Sequence[int]) -> Figures:
    return Figures(**dict(zip(_COUNTS, row, strict=True)))


def excuse(transaction: Transaction, since: Instant, provider: str | None, source_ip: str | None) -> int:
    """How many bounces were taken out of the rates."""
    about = [("provider", provider), ("source_ip", source_ip)]
    given = [(name, value) for name, value in about if value is not None]
    if not given:
        raise ValueError("say whose bounces: of a provider or of a source address")
    where = " AND ".join(["start >= ?", "hard > 0", *(f"{name} = ?" for name, _ in given)])
    values = (since - since % HOUR, *(value for _, value in given))
    excused = transaction.execute(f"SELECT ifnull(sum(hard), 0) FROM standing WHERE {where}", values)[0][0]
    transaction.execute(f"UPDATE standing SET excused = excused + hard, hard = 0 WHERE {where}", values)
    return int(excused)


class SqliteStanding:
    """``Store.standing`` on SQLite; its methods are described by the protocol ``StandingStore``."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers

    async def tallies(self, starts: Sequence[Instant], account: str | None = None) -> list[Tally]:
        return await self._readers.read(lambda connection: tallies(connection, starts, account))

    async def by_day(self, account: str, since: Instant, until: Instant) -> list[DayTally]:
        return await self._readers.read(lambda connection: by_day(connection, account, since, until))

    async def excuse(self, since: Instant, *, provider: str | None = None, source_ip: str | None = None) -> int:
        return await self._writer.write(lambda transaction: excuse(transaction, since, provider, source_ip))

    async def note_listings(self, found: Sequence[Listed]) -> list[Listed]:
        return await self._writer.write(lambda transaction: note_listings(transaction, found))

    async def listings(
        self, *, subjects: Sequence[str] | None = None, since: Instant | None = None, until: Instant | None = None
    ) -> list[Listed]:
        return await self._readers.read(lambda connection: listings(connection, subjects, since, until))
