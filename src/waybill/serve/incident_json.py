"""An incident for programs: as ``waybill incident``, ``waybill status`` and ``GET /api/status`` give it."""

from dataclasses import asdict
from typing import Any

from waybill.explain.incident import figures, what
from waybill.model.clock import Instant, rfc3339
from waybill.model.incident import Incident
from waybill.store.incidents import Quarantined


def incident_json(incident: Incident) -> dict[str, Any]:
    """Everything about it; ``text`` is what people are told."""
    return {
        "id": incident.id,
        "kind": incident.kind.value,
        "state": incident.state.value,
        "about": incident.about,
        "site": incident.site,
        "source_ip": incident.source_ip,
        "sending_domain": incident.sending_domain,
        "since": rfc3339(incident.since),
        "opened_at": rfc3339(incident.opened_at),
        "closed_at": _time(incident.closed_at),
        "author": incident.author,
        "closed_by": incident.closed_by,
        "discarded": incident.discarded,
        "text": f"{what(incident)}: {figures(incident)}",
        "figures": asdict(incident.figures),
        "bounced_before": incident.bounced_before,
        "quarantined": incident.quarantined,
        "next_probe_at": _time(incident.next_probe_at),
        "undo": None if incident.closed_at is not None else f"waybill incident close {incident.id} --discard",
    }


def quarantined_json(one: Quarantined) -> dict[str, Any]:
    """A suppression entry that an incident has kept out of force."""
    return {
        "account": one.entry.account,
        "address": one.entry.address,
        "at": rfc3339(one.entry.at),
        "message_id": one.entry.message_id,
        "author": one.entry.author,
        "diagnostic": one.entry.diagnostic,
        "ended": one.ended.value if one.ended is not None else None,
    }


def _time(at: Instant | None) -> str | None:
    return None if at is None else rfc3339(at)
