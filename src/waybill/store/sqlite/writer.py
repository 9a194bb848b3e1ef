"""The writer: one thread that commits many callers' work with one fsync, and answers only after it.

Each piece of work is a function on a ``Transaction``, and what it raises undoes nothing but itself: work that fails
has mostly written nothing yet; where it has, the whole batch is run again with each piece alone in a savepoint (always
having one would cost a tenth of the throughput). So work must bear to be run twice. Work of the same kind is done
together. Counters are added up per commit, since thousands of messages move the same few.
"""

import asyncio
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

from waybill.store.protocol import StoreUnavailable
from waybill.store.sqlite.connection import blames_store, unavailable
from waybill.store.sqlite.turn import Turn

T = TypeVar("T")
Item = TypeVar("Item")

MAX_BATCH = 256

LINGER = 0.001
BUSY_FOR = 0.005
"""A writer that has committed within ``BUSY_FOR`` seconds waits ``LINGER`` for more: it shares the statements and the fsync."""

CROWD = 6
LINGER_IN_CROWD = 0.003
"""After a commit of at least so many pieces of work it waits longer: many callers fill the time, none of them alone."""

CounterKey: TypeAlias = tuple[str, str, int]
"""What is counted, whose, and the beginning of the period."""


@dataclass(kw_only=True, slots=True)
class Transaction:
    """What a piece of work may use: the connection, and counters to add to.

    ``batch`` holds the counts of the work that went before in the same commit, ``own`` those of this one; ``sums``
    remembers what was read of the counters on disk, which nobody else can change meanwhile. ``after`` and ``own_after``
    are what is to be done once the commit is on disk.
    """

    connection: sqlite3.Connection
    batch: dict[CounterKey, int] = field(default_factory=dict)
    own: dict[CounterKey, int] = field(default_factory=dict)
    sums: dict[tuple[str, str, int, int], int] = field(default_factory=dict)
    after: list[Callable[[], None]] = field(default_factory=list)
    own_after: list[Callable[[], None]] = field(default_factory=list)

    def execute(self, sql: str, values: tuple[Any, ...] = ()) -> list[Any]:
        """The rows that the statement gives."""
        return self.connection.execute(sql, values).fetchall()

    def count(self, name: str, account: str, start: int, more: int = 1) -> None:
        """Adds to a counter."""
        key = (name, account, start)
        self.own[key] = self.own.get(key, 0) + more

    def keep(self) -> None:
        """Takes the counts of the work that is done into those of the batch, and what is to follow it."""
        self.after += self.own_after
        self.own_after.clear()
        for key, more in self.own.items():
            self.batch[key] = self.batch.get(key, 0) + more
        self.own.clear()

    def undo(self) -> None:
        """Forgets the counts of the work that has failed, and what was to follow it."""
        self.own_after.clear()
        self.own.clear()

    def counted(self, name: str, account: str, first: int, last: int) -> int:
        """The sum of a counter over the periods from ``first`` to ``last``, the work of this commit included."""
        key = (name, account, first, last)
        if key not in self.sums:
            self.sums[key] = self.execute(
                "SELECT ifnull(sum(value), 0) FROM counters WHERE name = ? AND account = ? AND start BETWEEN ? AND ?",
                key,
            )[0][0]
        return self.sums[key] + sum(
            value
            for counts in (self.batch, self.own)
            for (what, whose, start), value in counts.items()
            if what == name and whose == account and first <= start <= last
        )


@dataclass(kw_only=True, slots=True)
class _Work:
    run: Callable[[Transaction, list[Any]], Sequence[Any]]
    item: Any
    future: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop
    result: Any = None
    error: BaseException | None = None


class Writer:
    """The thread and its queue. Owns the connection and the turnstile it is given."""

    def __init__(self, connection: sqlite3.Connection, turn: Turn) -> None:
        self._connection = connection
        self._connection.execute("PRAGMA busy_timeout = 0")
        self._turn = turn
        self._queue: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._closed = False
        self._committed_at = 0.0
        self._committed = 0
        self._thread = threading.Thread(target=self._loop, name="store-writer", daemon=True)
        self._thread.start()

    async def write(self, run: Callable[[Transaction], T]) -> T:
        """What ``run`` returns, once it is on disk; what it raises, undone. Raises: StoreUnavailable."""
        result: T = await self._submit(_alone, run)
        return result

    async def write_with_others(
        self, run: Callable[[Transaction, list[Item]], Sequence[T | Exception]], item: Item
    ) -> T:
        """What ``run`` returns for the item, once it is on disk.

        ``run`` gets all the items of a batch that wait for it and gives a result for each; an exception among them is
        raised to that item's caller. Where ``run`` itself raises, each item is tried alone. Raises: StoreUnavailable.
        """
        result: T = await self._submit(run, item)
        return result

    async def _submit(self, run: Callable[[Transaction, list[Any]], Sequence[Any]], item: Any) -> Any:
        if self._closed:
            raise StoreUnavailable("the store is closed")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        self._queue.put(_Work(run=run, item=item, future=future, loop=loop))
        return await future

    async def close(self) -> None:
        """Finishes what waits, then closes the connection."""
        if not self._closed:
            self._closed = True
            self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    def _loop(self) -> None:
        open_ = True
        while open_:
            batch, open_ = self._next()
            if batch:
                self._commit(batch)
                self._committed_at, self._committed = time.monotonic(), len(batch)
                _answer(batch)
        self._connection.close()
        self._turn.close()

    def _next(self) -> tuple[list[_Work], bool]:
        """The work that waits (at least one piece of it), and whether more may come."""
        batch: list[_Work] = []
        item = self._queue.get()
        if time.monotonic() - self._committed_at < BUSY_FOR:
            time.sleep(LINGER_IN_CROWD if self._committed >= CROWD else LINGER)
        while item is not None:
            batch.append(item)
            if len(batch) == MAX_BATCH:
                break
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                break
        return batch, item is not None

    def _commit(self, batch: list[_Work]) -> None:
        try:
            transaction = self._attempt(_grouped(batch), _run)
            if transaction is None:
                self._connection.execute("ROLLBACK")
                transaction = self._attempt([[work] for work in batch], _run_in_savepoint)
            self._connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - whatever it is, the callers must hear of it and the thread must live
            for work in batch:
                work.result, work.error = None, _told(error)
            self._roll_back()
        else:
            for follow in transaction.after if transaction else ():
                follow()

    def _attempt(
        self, groups: list[list[_Work]], run: Callable[[list[_Work], Transaction], bool]
    ) -> Transaction | None:
        """The transaction if all the work has run, and nothing is left of what failed."""
        self._turn.begin(self._connection)
        transaction = Transaction(connection=self._connection)
        if not all(run(group, transaction) for group in groups):
            return None
        _add_up(transaction)
        return transaction

    def _roll_back(self) -> None:
        try:
            # A full disk makes SQLite roll back by itself.
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error:  # pragma: no cover - the next BEGIN reports what is wrong
            pass


def _alone(transaction: Transaction, items: list[Any]) -> list[Any]:
    return [run(transaction) for run in items]


def _grouped(batch: list[_Work]) -> list[list[_Work]]:
    """The work that can be done together, together."""
    groups: dict[object, list[_Work]] = {}
    for work in batch:
        groups.setdefault(id(work) if work.run is _alone else work.run, []).append(work)
    return list(groups.values())


def _run(group: list[_Work], transaction: Transaction) -> bool:
    """Whether the work has run whole, or has failed before it wrote anything."""
    connection = transaction.connection
    before = connection.total_changes
    try:
        results = group[0].run(transaction, [work.item for work in group])
    except Exception as error:
        if blames_store(error) or not connection.in_transaction:
            raise
        transaction.undo()
        group[0].error = error
        # Whose fault it is shows when each runs alone.
        return len(group) == 1 and connection.total_changes == before
    for work, result in zip(group, results, strict=True):
        work.result, work.error = (None, result) if isinstance(result, Exception) else (result, None)
    transaction.keep()
    return True


def _run_in_savepoint(group: list[_Work], transaction: Transaction) -> bool:
    connection = transaction.connection
    connection.execute("SAVEPOINT work")
    if not _run(group, transaction):
        connection.execute("ROLLBACK TO work")
    connection.execute("RELEASE work")
    return True


def _told(error: Exception) -> Exception:
    # An exception of its own for each caller: raised in many tasks, one would gather all their tracebacks.
    return unavailable("the store cannot be written", error) if isinstance(error, sqlite3.Error) else error


def _add_up(transaction: Transaction) -> None:
    transaction.connection.executemany(
        "INSERT INTO counters (name, account, start, value) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (name, account, start) DO UPDATE SET value = value + excluded.value",
        [(*key, value) for key, value in transaction.batch.items() if value],
    )


def _answer(batch: list[_Work]) -> None:
    loops: dict[asyncio.AbstractEventLoop, list[_Work]] = {}
    for work in batch:
        loops.setdefault(work.loop, []).append(work)
    for loop, works in loops.items():
        try:
            loop.call_soon_threadsafe(_resolve, works)
        except RuntimeError:  # the loop was closed: nobody waits any more
            continue


def _resolve(works: list[_Work]) -> None:
    for work in works:
        if work.future.done():  # cancelled by its caller; what it wrote stays written
            continue
        if work.error is not None:
            work.future.set_exception(work.error)
        else:
            work.future.set_result(work.result)
