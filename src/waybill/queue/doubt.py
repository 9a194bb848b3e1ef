"""Whether a refusal is to be believed: not while its provider disowns mailboxes that exist, and nobody is suppressed for it then."""

import logging
from dataclasses import replace

from waybill.model.address import comparable
from waybill.model.clock import HOUR, Instant
from waybill.model.incident import Incident, IncidentKind
from waybill.model.outcome import Attempt, Line, Result, Speaker
from waybill.queue.config import QueueParts
from waybill.queue.false_reject import WINDOW, FalseRejects, Known, is_known_good
from waybill.queue.incident_watch import IncidentWatch, disbelieve
from waybill.queue.lanes import Lane
from waybill.queue.trouble import Trouble
from waybill.queue.write import read_for_good
from waybill.store.protocol import Claim

log = logging.getLogger(__name__)

NOBODY = "nobody is suppressed for it"

WAITS = 2 * HOUR
"""What is not believed is tried again by itself so much later, should nobody have found out earlier what is true."""

_SPREAD = 0.1


class Doubt:
    """Two steps: the worker's own reflex, at the third such refusal; and the incident, once the whole installation's figures say so."""

    def __init__(self, parts: QueueParts, *, trouble: Trouble, watch: IncidentWatch) -> None:
        self._parts = parts
        self._trouble = trouble
        self._watch = watch
        self._heard = FalseRejects()

    async def weigh(self, claim: Claim, lane: Lane, attempt: Attempt) -> tuple[Attempt, Incident | None]:
        """The attempt as it is to be settled, and the open incident that its answer belongs to."""
        outcome, at = attempt.outcome, attempt.ended_at
        if outcome.result is not Result.DEFERRED:
            self._heard.answered(lane.site.name, at)
        last_taken = await self._last_taken(claim, at) if outcome.suppress else None
        self._watch.saw(claim, lane, attempt, last_taken)
        incident = None if lane.played else self._watch.to_blame(lane.site.name, outcome)
        if incident is not None and incident.kind is IncidentKind.FALSE_RECIPIENT_REJECTS:
            return disbelieve(attempt, incident), incident
        if last_taken is not None:
            attempt = await self._reflex(claim, lane, attempt)
        return attempt, incident

    def retry_at(self, attempt: Attempt, incident: Incident | None, expires_at: Instant) -> Instant | None:
        """When to try again what was not believed; None: as the schedule says."""
        if incident is None or incident.kind is not IncidentKind.FALSE_RECIPIENT_REJECTS:
            return None
        return min(attempt.ended_at + WAITS + round(WAITS * _SPREAD * self._parts.chance()), expires_at)

    async def _last_taken(self, claim: Claim, at: Instant) -> Instant | None:
        """When the recipient's server took mail for it, if that was lately enough for it to exist."""
        delivery, store = claim.delivery, self._parts.store
        history = await read_for_good(lambda: store.history(delivery, at), self._trouble)
        taken = history.last_delivered_to_address
        return taken if is_known_good(taken, at) else None

    async def _reflex(self, claim: Claim, lane: Lane, attempt: Attempt) -> Attempt:
        """The attempt; a refusal that cannot be true suppresses nobody, and those just before it are put right."""
        outcome, site, at = attempt.outcome, lane.site.name, attempt.ended_at
        delivery = claim.delivery
        earlier = self._heard.refused(site, (delivery.account, comparable(delivery.recipient)), at)
        if earlier is None:
            return attempt
        log.warning("refusal_not_believed site=%s message_id=%s rule=%s", site, delivery.message_id, outcome.rule)
        await read_for_good(lambda: self._put_right(earlier, outcome.rule, at), self._trouble)
        note = Line(
            at=at, who=Speaker.NOTE, text=f"{site} disowns several recipients whose mail it took lately: {NOBODY}"
        )
        return replace(
            attempt,
            outcome=replace(outcome, suppress=False, confidence="likely"),
            transcript=(*attempt.transcript, note),
        )

    async def _put_right(self, earlier: tuple[Known, ...], rule: str, at: Instant) -> None:
        """Takes back the entries that the refusals just before have made."""
        store = self._parts.store
        for account, address in earlier:
            for entry in await store.suppressed(account, (address,), at):
                if entry.author == f"rule:{rule}" and entry.at > at - WINDOW:
                    await store.unsuppress(entry.account, entry.address)
