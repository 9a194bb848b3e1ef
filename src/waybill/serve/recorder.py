"""Keeps the history of the service's health: what the health page says second by second becomes periods in the store."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from waybill.model.clock import Clock, Instant
from waybill.model.health import HealthPeriod
from waybill.serve.health import SUPERVISOR, PartHealth, ProcessHealth, State, read_page
from waybill.serve.report import parts_of_page, parts_of_store
from waybill.store.open import open_store
from waybill.store.protocol import Store, StoreUnavailable

log = logging.getLogger(__name__)

EVERY = 1.0
STORE_EVERY = 15.0
"""Seconds between two looks into the store at what waits there: a look costs more than the page does."""

MOST_UNWRITTEN = 1_000
MOST_EVIDENCE = 500


class Periods:
    """Which parts are not well, since when; and what of that the store does not know yet."""

    def __init__(self) -> None:
        self._open: dict[str, HealthPeriod] = {}
        self._ended: dict[str, Instant] = {}
        self._unwritten: dict[tuple[str, Instant], HealthPeriod] = {}

    def see(self, parts: Mapping[str, PartHealth], at: Instant) -> None:
        """How the parts are now. One that nobody speaks of is taken to be as it was."""
        for name, part in parts.items():
            known = self._open.get(name)
            since = at if part.since is None else min(part.since, at)
            if known is not None and known.state != part.state.value:
                since = since if since > known.since else at
                self._end(known, since)
                known = None
            if part.state is State.OK:
                continue
            if known is None:
                self._begin(name, part, max(since, self._ended.get(name, 0)))
            else:
                self._open[name] = replace(known, evidence=part.evidence[:MOST_EVIDENCE])

    def add(self, periods: Iterable[HealthPeriod]) -> None:
        """Periods that are known from elsewhere."""
        for one in periods:
            self._note(one)

    def take(self) -> list[HealthPeriod]:
        """What is to be written; ``add`` takes back what could not be."""
        taken = list(self._unwritten.values())
        self._unwritten.clear()
        return taken

    def end(self, at: Instant) -> None:
        """Nobody watches any more."""
        for period in tuple(self._open.values()):
            self._end(period, max(at, period.since))

    def _begin(self, name: str, part: PartHealth, since: Instant) -> None:
        evidence = part.evidence[:MOST_EVIDENCE]
        period = HealthPeriod(part=name, state=part.state.value, since=since, evidence=evidence)
        self._open[name] = period
        self._note(period)

    def _end(self, period: HealthPeriod, at: Instant) -> None:
        del self._open[period.part]
        self._ended[period.part] = at
        self._note(replace(period, until=at))

    def _note(self, period: HealthPeriod) -> None:
        known = self._unwritten.get((period.part, period.since))
        if known is not None and known.until is not None and period.until is None:
            return  # what was taken back is older than what has come since
        if len(self._unwritten) >= MOST_UNWRITTEN:
            del self._unwritten[next(iter(self._unwritten))]
        self._unwritten[period.part, period.since] = period


def interruption(earlier: ProcessHealth | None, started_at: Instant) -> HealthPeriod | None:
    """The time in which the service did not run, from the last word of the supervisor before; None where there was none."""
    if earlier is None or earlier.at >= started_at:
        return None
    return HealthPeriod(
        part="service",
        state=State.FAILING.value,
        since=earlier.at,
        until=started_at,
        evidence="it was stopped" if earlier.stopped else "it was killed, or its machine went down",
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Recorder:
    """Reads the health page and writes the history, until it is cancelled. ``earlier`` is the last supervisor's last word."""

    url: str
    page: Path
    earlier: ProcessHealth | None
    started_at: Instant
    clock: Clock

    async def run(self) -> None:
        """While the store cannot be written, what is to be written is kept."""
        periods = Periods()
        gap = interruption(self.earlier, self.started_at)
        periods.add([] if gap is None else [gap])
        store: Store | None = None
        looked, of_store = float("-inf"), list[tuple[str, PartHealth]]()
        settled = False
        try:
            while True:
                periods.see(parts_of_page(read_page(self.page), time.monotonic(), of_store), self.clock())
                unwritten: list[HealthPeriod] = []
                try:
                    store = store or await open_store(self.url, clock=self.clock, create=False)
                    if not settled:
                        await self._end_what_was_left(store)
                        settled = True
                    if time.monotonic() - looked >= STORE_EVERY:
                        looked = time.monotonic()
                        of_store = await parts_of_store(store, self.clock())
                    unwritten = periods.take()
                    if unwritten:
                        await store.health_history.keep(unwritten, self.clock())
                except StoreUnavailable as error:
                    periods.add(unwritten)
                    log.debug("health_history_waits error=%s", error)
                except Exception:  # the history goes on, whatever was wrong with one look
                    log.exception("health_history_failed")
                await asyncio.sleep(EVERY)
        finally:
            if store is not None:
                await _write_last(store, periods, self.clock())
                await store.close()

    async def _end_what_was_left(self, store: Store) -> None:
        """The periods of an earlier run, which nobody was there to end, end with its last word."""
        ended_at = self.earlier.at if self.earlier is not None else self.started_at
        left = [replace(one, until=max(one.since, ended_at)) for one in await store.health_history.lasting()]
        if left:
            await store.health_history.keep(left, self.clock())


async def _write_last(store: Store, periods: Periods, at: Instant) -> None:
    periods.end(at)
    left = periods.take()
    if left:
        with contextlib.suppress(StoreUnavailable):
            await store.health_history.keep(left, at)


def last_word(page: Path) -> ProcessHealth | None:
    """What the supervisor of an earlier run said last, before its page is cleared."""
    return read_page(page).get(SUPERVISOR)


@asynccontextmanager
async def recording(recorder: Recorder) -> AsyncIterator[None]:
    """Records for as long as the block runs."""
    task = asyncio.create_task(recorder.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
