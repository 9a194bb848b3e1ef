"""What a live probe adds to an explanation, as records, and their public form."""

from dataclasses import dataclass
from typing import Any

from waybill.model.clock import Instant, rfc3339
from waybill.model.probe import ProbeStep


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """Something that is not as it was recorded. ``what`` is ``answer``, ``mx``, ``tls`` or ``route``; ``text`` what follows from it."""

    what: str
    then: str
    now: str
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Live:
    """What the walk that was asked for came to. ``why_not`` says why nobody walked.

    ``headline`` is what the receiver says now, ``same`` what is as it was recorded, ``remarks`` what the walk does not prove.
    ``event`` is the walk's own in the ledger.
    """

    at: Instant
    headline: str
    why_not: str | None = None
    ended_at: Instant | None = None
    helo: str | None = None
    mail_from: str | None = None
    source_ip: str | None = None
    steps: tuple[ProbeStep, ...] = ()
    differences: tuple[Difference, ...] = ()
    same: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    event: int | None = None


def live_json(live: Live) -> dict[str, Any]:
    """The walk as ``explain --live --json`` and ``?live=true`` give it."""
    return {
        "walked": live.why_not is None,
        "why_not": live.why_not,
        "at": rfc3339(live.at),
        "ms": None if live.ended_at is None else live.ended_at - live.at,
        "headline": live.headline,
        "source_ip": live.source_ip,
        "helo": live.helo,
        "mail_from": live.mail_from,
        "event": live.event,
        "stages": [
            {
                "stage": step.step.value,
                "host": step.host,
                "ip": step.ip,
                "at": rfc3339(step.at),
                "ms": step.ms,
                "ok": step.ok,
                "text": step.text,
            }
            for step in live.steps
        ],
        "differences": [
            {"what": one.what, "then": one.then, "now": one.now, "text": one.text} for one in live.differences
        ],
        "same": list(live.same),
        "remarks": list(live.remarks),
    }
