"""What a worker keeps beside its database so that others know of it: its sending journal and its health page."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from waybill.model.clock import DAY, Clock
from waybill.serve.health import HealthPage, health_path
from waybill.serve.monitor import Monitor
from waybill.serve.plan import Plan
from waybill.serve.watch import Watch
from waybill.store.open import sqlite_path
from waybill.store.sending import Journal, Journals, NoJournal, journals_folder

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Upkeep:
    """``watch`` is told of trouble, ``journal`` of what is sent, ``journals`` know what dead workers were sending."""

    watch: Watch
    monitor: Monitor
    journal: Journal | NoJournal
    journals: Journals


@asynccontextmanager
async def upkeep(plan: Plan, clock: Clock) -> AsyncIterator[Upkeep]:
    """Opens the files; a worker that cannot have them works without, and says so."""
    database = sqlite_path(plan.settings.store)
    watch = Watch(clock)
    journal, page = _journal(database, plan.worker), open_page(database, plan.number)
    journals = Journals(journals_folder(database))
    # By then all that a worker held when it died has run out of time.
    journals.remove_old(clock() - plan.settings.delivery.max_lifetime - DAY)
    monitor = Monitor(name=plan.worker, folder=database.parent, page=page, watch=watch, clock=clock)
    try:
        yield Upkeep(watch=watch, monitor=monitor, journal=journal, journals=journals)
    finally:
        journal.close()
        if page is not None:
            page.close()


def open_page(database: Path, place: int) -> HealthPage | None:
    """The health page to write in that place; None where it cannot be made."""
    try:
        return HealthPage(health_path(database), place)
    except OSError as error:
        log.warning("health_page_unavailable path=%s error=%s", health_path(database), error)
        return None


def _journal(database: Path, worker: str) -> Journal | NoJournal:
    try:
        return Journal(journals_folder(database), worker)
    except OSError as error:
        log.warning("sending_journal_unavailable path=%s error=%s", journals_folder(database), error)
        return NoJournal()
