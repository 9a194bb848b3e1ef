"""A worker's part in incidents: it counts what attempts come to, and knows which incidents are open."""

from collections.abc import Callable
from dataclasses import replace

import msgspec

from waybill.model.address import comparable, domain_of
from waybill.model.cause import Scope
from waybill.model.clock import Clock, Instant
from waybill.model.incident import Incident, IncidentKind
from waybill.model.outcome import Attempt, Line, Outcome, Result, Speaker
from waybill.queue.lanes import Lane
from waybill.standing.incident.closing import ONE_REPLY
from waybill.standing.incident.counts import DOWN, Answer, Seen, Tally, answer_of
from waybill.store.incidents import SiteCounts
from waybill.store.protocol import Claim, Store, StoreUnavailable

FLUSH_EVERY = 5.0
"""Seconds between two writings of what was counted."""

_encode = msgspec.json.Encoder().encode


class IncidentWatch:
    """``ended`` is told of each site that was in an incident and is no more, and of each whose incident begins."""

    def __init__(self, store: Store, *, worker: str, clock: Clock, turned: Callable[[str], None]) -> None:
        self._store = store
        self._worker = worker
        self._clock = clock
        self._turned = turned
        self._tally = Tally()
        self._open: dict[str, tuple[Incident, ...]] = {}

    def saw(self, claim: Claim, lane: Lane, attempt: Attempt, last_taken: Instant | None) -> None:
        """Counts an attempt. ``last_taken`` is when a recipient took mail that is said not to exist now."""
        outcome = attempt.outcome
        answer = answer_of(outcome)
        if answer is None or lane.played:
            return
        delivery, site = claim.delivery, lane.site
        self._tally.see(
            Seen(
                at=attempt.ended_at,
                site=site.name,
                title=site.title,
                is_provider=site.provider is not None,
                message_id=delivery.message_id,
                recipient=comparable(delivery.recipient),
                recipient_domain=delivery.domain,
                sending_domain=domain_of(claim.message.sender),
                account=delivery.account,
                source_ip=attempt.source_ip or "",
                answer=answer,
                rule=outcome.rule,
                words=outcome.diagnostic,
                lasted=attempt.ended_at - attempt.started_at,
                first=attempt.number == 1,
                last_taken=last_taken,
            )
        )

    def to_blame(self, site: str, outcome: Outcome) -> Incident | None:
        """The open incident of the receiving side that such an answer belongs to."""
        for incident in self._open.get(site, ()):
            if _belongs(incident, outcome):
                return incident
        return None

    async def refresh(self) -> None:
        """Learns which incidents are open. Raises: StoreUnavailable."""
        found: dict[str, tuple[Incident, ...]] = {}
        for incident in await self._store.incidents.lasting():
            if incident.is_open and incident.site and not incident.source_ip and not incident.sending_domain:
                found[incident.site] = (*found.get(incident.site, ()), incident)
        before, self._open = self._open, found
        for site in before.keys() ^ found.keys():
            self._turned(site)

    async def flush(self) -> None:
        """Writes down what was counted. Raises: StoreUnavailable."""
        now = self._clock()
        cells = self._tally.take(now)
        if not cells:
            return
        counts = [
            SiteCounts(minute=cell.minute, site=cell.site, worker=self._worker, body=_encode(cell)) for cell in cells
        ]
        try:
            await self._store.incidents.count(counts, now)
        except StoreUnavailable:
            self._tally.give_back(cells)
            raise


def _belongs(incident: Incident, outcome: Outcome) -> bool:
    if incident.kind is IncidentKind.FALSE_RECIPIENT_REJECTS:
        return outcome.scope is Scope.RECIPIENT and outcome.suppress
    if incident.kind is not IncidentKind.OUTAGE:
        return False
    answer = answer_of(outcome)
    return answer in DOWN or (incident.figures.test == ONE_REPLY and answer is Answer.POLICY)


def disbelieve(attempt: Attempt, incident: Incident) -> Attempt:
    """The attempt, not as the end of its delivery: what was said stands in it, and that it is not believed."""
    said = attempt.outcome
    words = (
        f"not taken as final: {incident.id} is open, and {incident.title or incident.site} refuses mailboxes that exist"
    )
    note = Line(at=attempt.ended_at, who=Speaker.NOTE, text=words)
    outcome = replace(said, result=Result.DEFERRED, permanent=False, suppress=False, confidence="likely")
    return replace(attempt, outcome=outcome, transcript=(*attempt.transcript, note))
