"""What the conformance suite needs of an engine: every ``test_*`` module here runs on each engine of ``ENGINES``.

Another engine joins by a class like ``SqliteEngine`` and an entry in ``ENGINES``.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tests.store.builders import START
from waybill.model.clock import Instant
from waybill.store.protocol import Store
from waybill.store.sqlite import open_sqlite


@dataclass(kw_only=True, slots=True)
class FakeClock:
    """A clock that a test sets."""

    at: Instant = START

    def __call__(self) -> Instant:
        return self.at


class Engine(Protocol):
    """Opens stores on one and the same database, as several processes would."""

    clock: FakeClock

    async def open(self, *, file_events: bool = False) -> Store: ...

    async def close(self) -> None: ...


@dataclass(kw_only=True, slots=True)
class SqliteEngine:
    """A file in a temporary folder."""

    folder: Path
    clock: FakeClock = field(default_factory=FakeClock)
    opened: list[Store] = field(default_factory=list)

    async def open(self, *, file_events: bool = False) -> Store:
        store = await open_sqlite(self.folder / "waybill.db", clock=self.clock, file_events=file_events)
        self.opened.append(store)
        return store

    async def close(self) -> None:
        for store in self.opened:
            await store.close()


ENGINES: dict[str, type[SqliteEngine]] = {"sqlite": SqliteEngine}
