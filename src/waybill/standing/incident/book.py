"""From what is found now and the incidents that last to those that begin, go on, get worse and end: pure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from waybill.model.clock import HOUR, Instant
from waybill.model.incident import OURS, Incident, IncidentKind, IncidentState
from waybill.model.record import record
from waybill.standing.incident.closing import is_over
from waybill.standing.incident.counts import Cell
from waybill.standing.incident.finding import Finding
from waybill.standing.incident.memory import Memory

SUSPECTED_FOR = HOUR
"""A suspicion that nothing has confirmed for so long is dropped."""

_WORST_SITES = 20
NOTHING: Mapping[str, Memory] = MappingProxyType({})


@record(frozen=True, kw_only=True, slots=True)
class Turn:
    """What has changed. ``opened`` have no number yet; a suspicion that became certain is among ``confirmed``."""

    opened: tuple[Incident, ...] = ()
    confirmed: tuple[Incident, ...] = ()
    updated: tuple[Incident, ...] = ()
    closed: tuple[Incident, ...] = ()


def key_of(incident: Incident) -> tuple[str, str, str, str]:
    """As ``Finding.key``."""
    site = "" if incident.source_ip or incident.sending_domain else incident.site
    return incident.kind.value, site, incident.source_ip, incident.sending_domain


def author_of(kind: IncidentKind) -> str:
    """The rule that opens incidents of the kind, as an author."""
    return f"rule:incident-{kind.value.replace('_', '-')}"


def turn(
    lasting: Sequence[Incident],
    findings: Sequence[Finding],
    cells: Sequence[Cell],
    now: Instant,
    memories: Mapping[str, Memory] = NOTHING,
) -> Turn:
    """``lasting`` are the incidents that are open or suspected, ``cells`` the counts of the last ten minutes."""
    known = {key_of(incident): incident for incident in lasting}
    opened: dict[tuple[str, str, str, str], Incident] = {}
    confirmed: dict[tuple[str, str, str, str], Incident] = {}
    updated: dict[tuple[str, str, str, str], Incident] = {}
    for finding in findings:
        before = updated.get(finding.key) or confirmed.get(finding.key) or known.get(finding.key)
        if before is None:
            first = opened.get(finding.key)
            opened[finding.key] = _open(finding, now) if first is None else _worse(first, finding, now)
        elif finding.certain and before.state is IncidentState.SUSPECTED:
            confirmed[finding.key] = replace(_worse(before, finding, now), state=IncidentState.OPEN, opened_at=now)
        elif finding.key in confirmed:
            confirmed[finding.key] = _worse(before, finding, now)
        else:
            updated[finding.key] = _worse(before, finding, now)
    found = {finding.key for finding in findings}
    closed = [
        replace(incident, state=IncidentState.CLOSED, closed_at=now, closed_by=incident.author)
        for key, incident in known.items()
        if key not in found and _ends(incident, cells, now, memories)
    ]
    return Turn(
        opened=tuple(opened.values()),
        confirmed=tuple(confirmed.values()),
        updated=tuple(updated.values()),
        closed=tuple(closed),
    )


def troubled_sites(lasting: Sequence[Incident]) -> frozenset[str]:
    """What ``Detector.look`` is to learn nothing from: the sites of open incidents; the empty name stands for our own side."""
    return frozenset(
        site
        for incident in lasting
        if incident.is_open
        for site in (("",) if incident.kind in OURS else (incident.site, *incident.figures.sites))
    )


def _open(finding: Finding, now: Instant) -> Incident:
    return Incident(
        kind=finding.kind,
        state=IncidentState.OPEN if finding.certain else IncidentState.SUSPECTED,
        site=finding.site,
        title=finding.title,
        source_ip=finding.source_ip,
        sending_domain=finding.sending_domain,
        since=finding.since,
        opened_at=now,
        updated_at=now,
        author=author_of(finding.kind),
        figures=finding.figures,
    )


def _worse(incident: Incident, finding: Finding, now: Instant) -> Incident:
    """The incident with the figures of its worst moment, and every site at which it shows."""
    before, new = incident.figures, finding.figures
    sites = tuple(dict.fromkeys((*before.sites, *new.sites)))[:_WORST_SITES]
    worst = new if (new.known_good, new.failing) > (before.known_good, before.failing) else before
    return replace(
        incident, since=min(incident.since, finding.since), updated_at=now, figures=replace(worst, sites=sites)
    )


def _ends(incident: Incident, cells: Sequence[Cell], now: Instant, memories: Mapping[str, Memory]) -> bool:
    if incident.state is IncidentState.SUSPECTED:
        return now - incident.updated_at > SUSPECTED_FOR
    memory = memories.get(incident.site)
    return is_over(incident, cells, now, 0 if memory is None else memory.clean)
