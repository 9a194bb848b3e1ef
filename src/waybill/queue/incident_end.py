"""The end of an incident: what was kept out of force is decided, what lost time gets it back, and what waited goes, slowly first."""

from dataclasses import replace

from waybill.model.cause import Cause
from waybill.model.clock import HOUR, SECOND, Instant
from waybill.model.incident import OF_PROVIDER, OURS, Incident, IncidentKind, IncidentState
from waybill.model.resource import EVERY_SITE, INSTALLATION, Probe
from waybill.queue.false_reject import KNOWN_GOOD_FOR
from waybill.store.incidents import MoreTime
from waybill.store.protocol import Store
from waybill.store.queueing import Selection

RELEASES_FOR = HOUR
"""So long after its end an incident's mail is hurried; by then all of it is due by itself."""

FIRST_PORTION = 20
DOUBLES_EVERY = 20 * SECOND
_MOST_DOUBLINGS = 8
_OUR_CAUSES = {IncidentKind.OWN_NETWORK: Cause.CONNECTION_FAILED, IncidentKind.OWN_RESOLVER: Cause.DNS_FAILURE}


async def close_incident(
    store: Store, incident: Incident, *, by: str, now: Instant, lifetime: int, discarded: bool = False
) -> Incident | None:
    """Closes it; as it is then, or None where it was closed already.

    ``discarded``: there was no incident, so that what it kept out of force is in force again. Each step can be repeated:
    the incident is closed last. Raises: StoreUnavailable.
    """
    book = store.incidents
    if incident.kind is IncidentKind.FALSE_RECIPIENT_REJECTS:
        known_since = incident.since - KNOWN_GOOD_FOR
        await book.end_quarantine(incident.number, known_since=known_since, confirm_all=discarded)
    if incident.is_open and not discarded and takes_time(incident):
        more = MoreTime(incident=incident, site=incident.site, since=incident.since, until=now, lifetime=lifetime)
        await book.give_time(more, now)
    closed = replace(
        incident,
        state=IncidentState.CLOSED,
        closed_at=now,
        updated_at=now,
        closed_by=by,
        discarded=discarded,
        next_probe_at=None,
    )
    return closed if await book.change(closed) else None


def takes_time(incident: Incident) -> bool:
    """Whether mail that waits for it has a right to more time: it was no fault of the sender."""
    return incident.kind in OF_PROVIDER or incident.kind in OURS


async def release_waiting(store: Store, incident: Incident, now: Instant) -> int:
    """Makes some of what waited for a closed incident due, more each time; how many. Raises: StoreUnavailable."""
    assert incident.closed_at is not None
    doublings = min(_MOST_DOUBLINGS, (now - incident.closed_at) // DOUBLES_EVERY)
    limit = int(FIRST_PORTION * 2**doublings)
    sites = (incident.site,) if incident.site else ()
    cause = _OUR_CAUSES.get(incident.kind, Cause.PROVIDER_INCIDENT)
    hurried = await store.retry_now(Selection(sites=sites, cause=cause, held=False), now=now, limit=limit)
    held = Selection(sites=sites, held_for="unreachable")
    return hurried + await store.release(held, by=incident.author, now=now, limit=limit)


async def try_at_once(store: Store, incident: Incident, now: Instant) -> None:
    """Ends the rests of the workers at the site, since somebody answers there again. Raises: StoreUnavailable."""
    name = incident.site or EVERY_SITE
    await store.put(Probe(account=INSTALLATION, name=name, by=incident.author, at=now))
