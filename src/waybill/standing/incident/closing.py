"""When an incident is over: after quiet minutes with mail in them, so that it does not open and close by turns."""

import math
from collections.abc import Sequence

from waybill.model.clock import HOUR, MINUTE, Instant
from waybill.model.incident import Incident, IncidentKind
from waybill.standing.incident.counts import DOWN, Answer, Cell, count_of, merge, slowest_twentieth

QUIET = 5 * MINUTE
"""What has been well for so long is well."""

QUIET_KNOWN = 10 * MINUTE
"""The same for a provider that disowned mailboxes: it takes more to believe it again."""

QUIET_ANSWERS = 5
"""So many messages at least must have been answered in that time."""

NOTHING_SENT = 6 * HOUR
"""An incident about which no mail has told anything for so long is closed: nobody knows that it lasts."""

_CALM = 0.05
_BY_CHANCE = 0.001

ONE_REPLY = "one reply to everybody"
"""The test that found a receiver which suddenly gives everybody the same refusal."""


def is_over(incident: Incident, cells: Sequence[Cell], now: Instant, clean: int = 0) -> bool:
    """Whether an incident is over, by the cells of the last ten minutes (first and later attempts count alike).

    ``clean`` are the answers of its site since a known recipient was refused there the last time.
    """
    quiet = QUIET_KNOWN if incident.kind is IncidentKind.FALSE_RECIPIENT_REJECTS else QUIET
    if now - incident.opened_at < quiet:
        return False
    own = [
        cell
        for cell in cells
        if now - quiet < cell.minute + MINUTE and (not incident.figures.sites or cell.site in incident.figures.sites)
    ]
    whole = merge(own)
    counts = _counts(incident, whole)
    answered = sum(counts.values())
    if whole is None or answered == 0:
        return now - incident.updated_at > NOTHING_SENT
    if answered < QUIET_ANSWERS and now - incident.updated_at <= NOTHING_SENT:
        return False
    if incident.kind is IncidentKind.FALSE_RECIPIENT_REJECTS:
        return not whole.known_refused and clean >= _needed(incident)
    if incident.kind is IncidentKind.DEGRADED:
        return slowest_twentieth(whole.times) < max(2 * incident.figures.usual, 2_000.0)
    calm = max(_CALM, min(0.5, 2 * incident.figures.usual))
    return count_of(counts, _failing(incident)) <= calm * answered


def _needed(incident: Incident) -> int:
    """So many answers without such a refusal are no chance: if it lasted, that would happen once in a thousand times."""
    found = incident.figures
    share = min(0.9, max(0.02, found.known_good / max(1, found.messages)))
    return max(QUIET_ANSWERS, math.ceil(math.log(_BY_CHANCE) / math.log(1 - share)))


def _counts(incident: Incident, cell: Cell | None) -> dict[str, int]:
    if cell is None:
        return {}
    if incident.source_ip:
        return cell.by_ip.get(incident.source_ip, {})
    if incident.sending_domain:
        return cell.by_sender.get(incident.sending_domain, {})
    return {
        name: cell.answers.get(name, 0) + cell.again.get(name, 0) for name in cell.answers.keys() | cell.again.keys()
    }


def _failing(incident: Incident) -> tuple[Answer, ...]:
    match incident.kind:
        case IncidentKind.OWN_RESOLVER:
            return (Answer.DNS,)
        case IncidentKind.IP_BLOCK:
            return (Answer.POLICY_IP, Answer.POLICY, *DOWN)
        case IncidentKind.DOMAIN_BLOCK:
            return (Answer.POLICY_DOMAIN,)
        case IncidentKind.OUTAGE if incident.figures.test == ONE_REPLY:
            return (*DOWN, Answer.POLICY)
        case _:
            return DOWN
