"""The installation's look at incidents, by one worker: every ten seconds it judges what all workers have counted, and acts."""

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from dataclasses import replace

import msgspec

from waybill.model.cause import Cause
from waybill.model.clock import DAY, HOUR, MINUTE, Clock, Instant
from waybill.model.incident import Incident, IncidentKind
from waybill.queue.incident_end import (
    RELEASES_FOR,
    close_incident,
    release_waiting,
    takes_time,
    try_at_once,
)
from waybill.standing.incident.book import Turn, key_of, troubled_sites, turn
from waybill.standing.incident.counts import Answer, Cell
from waybill.standing.incident.detect import WINDOW, Detector
from waybill.standing.incident.memory import Memory
from waybill.store.incidents import MoreTime
from waybill.store.protocol import Store, StoreUnavailable
from waybill.store.queueing import Selection

log = logging.getLogger(__name__)

LOOK_EVERY = 10.0
"""Seconds."""

PROBE_EVERY = 5 * MINUTE
"""While a provider disowns mailboxes, one of the messages that wait for it is tried so often; more when that goes well."""

REMEMBER_EVERY = 5 * MINUTE
TIME_EVERY = MINUTE
EXPIRING = 15 * MINUTE
AT_LEAST = 30 * MINUTE
LONGEST = 3 * DAY
"""An incident that lasts longer gives no more time: it is how things are."""

DISCARDED_FOR = 6 * HOUR
"""What an operator has found to be no incident is not opened again for so long."""

_MOST_PROBED = 64
_cell = msgspec.json.Decoder(Cell)
_memory = msgspec.json.Decoder(Memory)
_encode = msgspec.json.Encoder().encode


def _judge(
    detector: Detector, bodies: Sequence[bytes], lasting: Sequence[Incident], now: Instant
) -> tuple[list[Cell], Turn]:
    cells = [_cell.decode(body) for body in bodies]
    findings = detector.look(cells, now, troubled_sites(lasting))
    return cells, turn(lasting, findings, cells, now, detector.memories)


class Incidents:
    """Opens, follows and closes incidents. ``lifetime`` is how long a message may take by the settings."""

    def __init__(self, store: Store, *, clock: Clock, lifetime: int) -> None:
        self._store = store
        self._book = store.incidents
        self._clock = clock
        self._lifetime = lifetime
        self._detector: Detector | None = None
        self._remembered_at: Instant = 0
        self._timed_at: Instant = 0
        self._probing: dict[int, int] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Looks until ``stop`` is set."""
        while not stop.is_set():
            try:
                await self.look()
            except StoreUnavailable as error:
                log.warning("store_unavailable while=judging_incidents error=%s", error)
            except Exception:  # mail goes on without
                log.exception("incidents_failed")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), LOOK_EVERY)

    async def look(self) -> None:
        """One look, and what follows from it. Raises: StoreUnavailable."""
        now = self._clock()
        if self._detector is None:
            self._detector = Detector(_memory.decode(body) for body in await self._book.memories())
        bodies = await self._book.counts(now - WINDOW - MINUTE)
        lasting = await self._book.lasting()
        # Aside, since with mail to thousands of sites it takes longer than new mail should wait.
        cells, changed = await asyncio.to_thread(_judge, self._detector, bodies, lasting, now)
        for incident in changed.opened:
            await self._open(incident, now)
        for incident in (*changed.confirmed, *changed.updated):
            await self._book.change(incident)
        for incident in changed.confirmed:
            await self._begin(incident, now)
        for incident in changed.closed:
            await self._close(incident, now)
        await self._follow(cells, now)
        await self._release(now)
        if now - self._remembered_at >= REMEMBER_EVERY:
            await self._remember(now)

    async def _open(self, incident: Incident, now: Instant) -> None:
        for one in await self._book.between(now - DISCARDED_FOR, now):
            if one.discarded and key_of(one) == key_of(incident):
                return
        numbered = await self._book.open(incident)
        if numbered.is_open:
            await self._begin(numbered, now)
        else:
            log.info("incident_suspected id=%s kind=%s about=%s", numbered.id, numbered.kind, numbered.about)

    async def _begin(self, incident: Incident, now: Instant) -> None:
        """What an incident that is sure sets off."""
        figures = incident.figures
        log.warning(
            "incident_opened id=%s kind=%s about=%s failing=%d messages=%d senders=%d usual=%s share=%s example=%s",
            incident.id,
            incident.kind,
            incident.about,
            figures.failing,
            figures.messages,
            figures.senders,
            figures.usual,
            figures.share,
            figures.example,
        )
        if incident.kind is not IncidentKind.FALSE_RECIPIENT_REJECTS:
            return
        bounced = await self._book.bounced(incident.site, incident.since, now)
        kept = await self._book.quarantine(incident)
        await self._book.change(
            replace(incident, bounced_before=bounced, quarantined=kept, next_probe_at=now + PROBE_EVERY)
        )

    async def _close(self, incident: Incident, now: Instant) -> None:
        closed = await close_incident(self._store, incident, by=incident.author, now=now, lifetime=self._lifetime)
        if closed is None:
            return
        self._probing.pop(incident.number, None)
        log.warning("incident_closed id=%s kind=%s about=%s", closed.id, closed.kind, closed.about)
        if incident.is_open and takes_time(closed):
            await try_at_once(self._store, closed, now)

    async def _follow(self, cells: list[Cell], now: Instant) -> None:
        """What goes on while incidents last: quarantine, probes, and more time for what would run out of it."""
        times = now - self._timed_at >= TIME_EVERY
        for incident in await self._book.lasting():
            if not incident.is_open:
                continue
            if incident.kind is IncidentKind.FALSE_RECIPIENT_REJECTS:
                await self._keep_apart(incident, cells, now)
            if times and takes_time(incident) and now - incident.since < LONGEST:
                await self._give_time(incident, now)
        if times:
            self._timed_at = now

    async def _keep_apart(self, incident: Incident, cells: list[Cell], now: Instant) -> None:
        """Bounce mails may list more recipients meanwhile; and now and then one of those that wait is tried."""
        more = await self._book.quarantine(incident)
        due = incident.next_probe_at is None or now >= incident.next_probe_at
        if due:
            count = self._probes_now(incident, cells)
            waiting = Selection(sites=(incident.site,), cause=Cause.PROVIDER_INCIDENT, held=False)
            tried = await self._store.retry_now(waiting, now=now, limit=count)
            log.info("incident_probed id=%s messages=%d", incident.id, tried)
        if due or more:
            next_probe_at = now + PROBE_EVERY if due else incident.next_probe_at
            await self._book.change(
                replace(incident, quarantined=incident.quarantined + more, next_probe_at=next_probe_at)
            )

    def _probes_now(self, incident: Incident, cells: list[Cell]) -> int:
        """One, and twice as many as the last time while all that were tried again since then were taken."""
        since = (incident.next_probe_at or incident.opened_at) - PROBE_EVERY
        own = [cell for cell in cells if cell.site == incident.site and cell.minute + MINUTE > since]
        taken = sum(cell.again.get(Answer.OK, 0) for cell in own)
        refused = sum(cell.again.get(Answer.RECIPIENT, 0) for cell in own)
        before = self._probing.get(incident.number, 0)
        count = min(_MOST_PROBED, 2 * before) if before and taken and not refused else 1
        self._probing[incident.number] = count
        return count

    async def _give_time(self, incident: Incident, now: Instant) -> None:
        more = MoreTime(
            incident=incident,
            site=incident.site,
            since=incident.since,
            until=now,
            lifetime=self._lifetime,
            expiring_before=now + EXPIRING,
            at_least=AT_LEAST,
        )
        await self._book.give_time(more, now)

    async def _release(self, now: Instant) -> None:
        for incident in await self._book.between(now - RELEASES_FOR, now):
            if (
                incident.closed_at is not None
                and now > incident.closed_at >= now - RELEASES_FOR
                and takes_time(incident)
            ):
                await release_waiting(self._store, incident, now)

    async def _remember(self, now: Instant) -> None:
        assert self._detector is not None
        memories = self._detector.memories
        lately = {site: memory for site, memory in memories.items() if memory.learned > now - 2 * REMEMBER_EVERY}
        await self._book.remember({site: _encode(memory) for site, memory in lately.items()}, now)
        for site in [
            site for site, memory in memories.items() if memory.learned < now - 30 * DAY and site not in lately
        ]:
            del memories[site]
        self._remembered_at = now
