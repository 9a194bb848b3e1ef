"""How the service is, from its health page and its store: what ``waybill status`` and ``GET /api/status`` say."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from waybill.appraise import Appraisal, appraise, troubles
from waybill.explain.case import STUCK_AFTER
from waybill.model.cause import Cause
from waybill.model.clock import DAY, MINUTE, SECOND, Instant, rfc3339
from waybill.model.health import HealthPeriod
from waybill.model.incident import Incident
from waybill.model.message import Delivery, Status
from waybill.model.resource import INSTALLATION, Suspension
from waybill.serve.health import GRAVITY, SUPERVISOR, PartHealth, ProcessHealth, State, health_path, read_page
from waybill.serve.incident_json import incident_json
from waybill.standing.standing_json import judgement_json
from waybill.store.open import sqlite_path
from waybill.store.protocol import Search, Store, StoreHealth
from waybill.store.queueing import Selection, SiteQueue

CLOCK_BEHIND = MINUTE
"""An event that is so far in the future was written by another clock."""

OUTBOX_LATE = 5 * MINUTE
"""An event that waits longer than this to be published means that publishing is in trouble."""

_MOST_LOOKED_AT = 1_000
_MOST_SHOWN = 20
_MOST_PERIODS = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """All that there is to say. ``workers`` are those that are alive or were until now; ``stuck`` at most twenty.

    ``history`` are the times of the last day in which a part was not well, the newest first.
    Where the store cannot be read (``readable`` false), nothing is known of what is in it.
    """

    at: Instant
    parts: Mapping[str, PartHealth]
    workers: Sequence[ProcessHealth]
    recipients: Mapping[str, int]
    queue: Sequence[SiteQueue]
    suspensions: Sequence[Suspension]
    stuck: Sequence[Delivery]
    monotonic: float
    readable: bool = True
    standing: Appraisal | None = None
    history: Sequence[HealthPeriod] = ()
    incidents: Sequence[Incident] = ()

    @property
    def failing(self) -> bool:
        """Whether mail is not moving somewhere."""
        return any(part.state is State.FAILING for part in self.parts.values())


async def report(store: Store, page: Path, *, at: Instant, monotonic: float) -> Report:
    """How the service is now, also while it is down. Raises: StoreUnavailable."""
    processes = read_page(page)
    figures = await store.health()
    stuck = await _stuck(store, at)
    queue = await store.queue_by_site(at, limit=_MOST_SHOWN)
    service = service_part(processes, sum(site.due for site in queue), monotonic)
    alive = _workers(processes)
    heard = [one for one in alive if one.is_alive(monotonic)]
    of_store = [store_part(figures), queue_part(figures, stuck), publishing_part(figures, at)]
    parts = clock_from(_merge(of_store, heard), clock_part(figures, at))
    return Report(
        at=at,
        parts={"service": service, **parts},
        workers=alive,
        recipients={status.value: count for status, count in figures.deliveries.items() if count},
        queue=queue,
        suspensions=[one for one in await store.scan(Suspension, INSTALLATION) if one.holds(at)],
        stuck=stuck[:_MOST_SHOWN],
        monotonic=monotonic,
        standing=await appraise(store, at),
        incidents=await store.incidents.lasting(),
        history=await store.health_history.between(at - DAY, at, limit=_MOST_PERIODS),
    )


def report_without_store(page: Path, why: str, *, at: Instant, monotonic: float) -> Report | None:
    """How a service is whose store cannot be had, for the reason ``why``; None where no service has ever said a word."""
    processes = read_page(page)
    if not processes:
        return None
    alive = _workers(processes)
    store = PartHealth(state=State.FAILING, evidence=why)
    parts = _merge([("store", store)], [one for one in alive if one.is_alive(monotonic)])
    return Report(
        at=at,
        parts={"service": service_part(processes, 0, monotonic), **parts},
        workers=alive,
        recipients={},
        queue=(),
        suspensions=(),
        stuck=(),
        monotonic=monotonic,
        readable=False,
    )


def parts_of_page(
    processes: Mapping[int, ProcessHealth], monotonic: float, of_store: Sequence[tuple[str, PartHealth]]
) -> dict[str, PartHealth]:
    """The parts as the processes that are alive say, beside what the store says, with the service as a whole."""
    alive = [one for one in _workers(processes) if one.is_alive(monotonic)]
    return {"service": service_part(processes, 0, monotonic), **_merge(of_store, alive)}


async def parts_of_store(store: Store, at: Instant) -> list[tuple[str, PartHealth]]:
    """The parts that show in what waits in the store. Raises: StoreUnavailable."""
    figures = await store.health()
    clock = clock_part(figures, at)
    of_clock = [] if clock is None else [("clock", clock)]
    return [queue_part(figures, await _stuck(store, at)), publishing_part(figures, at), *of_clock]


def _workers(processes: Mapping[int, ProcessHealth]) -> list[ProcessHealth]:
    return [one for place, one in sorted(processes.items()) if place != SUPERVISOR and not one.stopped]


def service_part(processes: Mapping[int, ProcessHealth], due: int, monotonic: float) -> PartHealth:
    """Whether the service runs, with all its workers. One that was stopped is a failure once mail is ``due``."""
    supervisor = processes.get(SUPERVISOR)
    if supervisor is not None and supervisor.is_alive(monotonic):
        own = supervisor.parts.get("workers", PartHealth(state=State.OK, evidence="starting"))
        hung = [
            f"{one.name} (pid {one.pid}) has said nothing for {one.silent_for(monotonic) or 0:.0f} s"
            for place, one in processes.items()
            if place != SUPERVISOR and not one.stopped and not one.is_alive(monotonic)
        ]
        if own.state is State.OK and hung:
            return PartHealth(state=State.DEGRADED, evidence="; ".join(hung), since=own.since)
        return own
    if supervisor is None:
        return PartHealth(state=State.DEGRADED, evidence="not running; it has never run on this store")
    since = f"not running since {rfc3339(supervisor.at)}"
    if not supervisor.stopped:
        evidence = f"{since}: it was killed, or its machine went down"
        return PartHealth(state=State.FAILING, evidence=evidence, since=supervisor.at)
    if due:
        evidence = f"{since}: it was stopped, and {due} {'recipient is' if due == 1 else 'recipients are'} due"
        return PartHealth(state=State.FAILING, evidence=evidence, since=supervisor.at)
    return PartHealth(state=State.DEGRADED, evidence=f"{since}: it was stopped", since=supervisor.at)


def store_part(figures: StoreHealth) -> tuple[str, PartHealth]:
    """What the store holds; that it answers is why this can be said."""
    return "store", PartHealth(state=State.OK, evidence=f"{figures.events} events, {figures.bytes} bytes")


def queue_part(figures: StoreHealth, stuck: Sequence[Delivery]) -> tuple[str, PartHealth]:
    """What waits, and what should not."""
    waiting = sum(figures.deliveries.get(status, 0) for status in (Status.QUEUED, Status.DELAYED))
    words = "recipient waits" if waiting == 1 else "recipients wait"
    evidence = f"{waiting} {words}{_since(figures.oldest_queued_at)}"
    if stuck:
        evidence += f"; no worker has touched {stuck[0].message_id}, which is due: is waybill serve running?"
    return "queue", PartHealth(state=State.FAILING if stuck else State.OK, evidence=evidence)


def publishing_part(figures: StoreHealth, at: Instant) -> tuple[str, PartHealth]:
    """The events that wait to be published."""
    oldest = figures.oldest_notice_at
    late = oldest is not None and at - oldest > OUTBOX_LATE
    evidence = f"{figures.notices} events wait{_since(oldest)}"
    return "publishing", PartHealth(state=State.DEGRADED if late else State.OK, evidence=evidence)


def clock_part(figures: StoreHealth, at: Instant) -> PartHealth | None:
    """A ledger that is ahead of this machine's clock: one that was set back while nothing ran has jumped before nobody's eyes."""
    newest = figures.newest_event_at
    if newest is None or newest - at < CLOCK_BEHIND:
        return None
    evidence = (
        f"the newest event is of {rfc3339(newest)}, {(newest - at) // SECOND:,} s ahead of this machine's clock: "
        "it is wrong now, or was then"
    )
    return PartHealth(state=State.DEGRADED, evidence=evidence)


def clock_from(parts: Mapping[str, PartHealth], of_ledger: PartHealth | None) -> dict[str, PartHealth]:
    """The parts, with what the ledger shows of the clock where no worker saw it jump."""
    seen = parts.get("clock")
    if of_ledger is None or (seen is not None and seen.state is not State.OK):
        return dict(parts)
    return {**parts, "clock": of_ledger}


async def _stuck(store: Store, at: Instant) -> list[Delivery]:
    """Deliveries that should have been attempted long ago: marked by the watchdog, or found so now."""
    old = at - STUCK_AFTER
    found = {one.id: one for one in await store.queued(Selection(cause=Cause.STUCK), limit=_MOST_LOOKED_AT)}
    for status in (Status.QUEUED, Status.DELAYED):
        for hit in await store.find(Search(status=status, until=old, limit=_MOST_LOOKED_AT)):
            delivery = hit.delivery
            due = delivery.next_at or hit.message.accepted_at
            if delivery.cause is not Cause.HELD_BY_WAYBILL and due < old and (delivery.lease_until or 0) < at:
                found[delivery.id] = delivery
    return list(found.values())


def _merge(of_store: Sequence[tuple[str, PartHealth]], workers: Sequence[ProcessHealth]) -> dict[str, PartHealth]:
    """Each part as the worker that has most trouble with it says; where all is well what the store says stands."""
    merged = dict(of_store)
    for worker in workers:
        for name, said in worker.parts.items():
            known = merged.get(name)
            if known is None or GRAVITY[said.state] > GRAVITY[known.state]:
                merged[name] = said
            elif known.since is None and known.state is said.state:
                merged[name] = PartHealth(state=known.state, evidence=known.evidence, since=said.since)
    return merged


def _since(oldest: Instant | None) -> str:
    return "" if oldest is None else f", the oldest since {rfc3339(oldest)}"


def report_json(found: Report) -> dict[str, Any]:
    """The report for programs."""
    return {
        "at": rfc3339(found.at),
        "parts": {name: _part_json(part) for name, part in found.parts.items()},
        "recipients": dict(found.recipients),
        "workers": [_worker_json(one, found.monotonic) for one in found.workers],
        "queue": [site_json(one) for one in found.queue],
        "suspensions": [suspension_json(one) for one in found.suspensions],
        "incidents": [incident_json(one) for one in found.incidents],
        "history": [period_json(one) for one in found.history],
        "stuck": [
            {
                "message_id": one.message_id,
                "recipient": one.recipient,
                "due_at": _time(one.next_at or one.accepted_at),
                "lease_owner": one.lease_owner,
            }
            for one in found.stuck
        ],
        "standing": [] if found.standing is None else _standing_json(found.standing),
    }


def _standing_json(found: Appraisal) -> list[dict[str, Any]]:
    """What is not well; all of it is what ``waybill standing`` says."""
    return [judgement_json(one, paused=found.is_paused(one)) for one in troubles(found)]


async def status_json(url: str, store: Store, at: Instant) -> dict[str, Any]:
    """The report of the service at the store of that URL, for programs. Raises: StoreUnavailable."""
    page = health_path(sqlite_path(url))
    return report_json(await report(store, page, at=at, monotonic=time.monotonic()))


def period_json(one: HealthPeriod) -> dict[str, Any]:
    """A time in which a part was not well, for programs."""
    return {
        "part": one.part,
        "state": one.state,
        "since": rfc3339(one.since),
        "until": _time(one.until),
        "evidence": one.evidence,
    }


def _part_json(part: PartHealth) -> dict[str, Any]:
    return {"state": part.state.value, "evidence": part.evidence, "since": _time(part.since)}


def _worker_json(one: ProcessHealth, monotonic: float) -> dict[str, Any]:
    silent = one.silent_for(monotonic)
    return {
        "worker": one.name,
        "pid": one.pid,
        "started_at": rfc3339(one.started_at),
        "heard_at": rfc3339(one.at),
        "alive": one.is_alive(monotonic),
        "silent_ms": None if silent is None else round(silent * SECOND),
        "parts": {name: _part_json(part) for name, part in one.parts.items()},
    }


def site_json(one: SiteQueue) -> dict[str, Any]:
    """What waits for a site, for programs."""
    return {
        "site": one.site,
        "waiting": one.waiting,
        "held": one.held,
        "under_lease": one.under_lease,
        "due": one.due,
        "oldest_at": rfc3339(one.oldest_at),
        "next_at": _time(one.next_at),
        "causes": one.causes,
    }


def suspension_json(one: Suspension) -> dict[str, Any]:
    """A suspension for programs."""
    return {
        "site": one.name,
        "by": one.by,
        "reason": one.reason,
        "at": rfc3339(one.at),
        "until": _time(one.until),
        "per_minute": one.per_minute,
        "message_id": one.message_id,
        "reply": one.reply,
    }


def _time(at: Instant | None) -> str | None:
    return None if at is None else rfc3339(at)
