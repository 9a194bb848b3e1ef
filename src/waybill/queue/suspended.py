"""The suspensions in force, as the store has them: looked at every second, so that each worker minds them all."""

import logging

from waybill.model.clock import HOUR, Clock
from waybill.model.resource import INSTALLATION, Suspension
from waybill.queue.holding import Holder
from waybill.queue.lanes import Lane, Lanes
from waybill.store.protocol import Store

log = logging.getLogger(__name__)

KEPT = 24 * HOUR
"""A suspension that has ended stays on record so long."""

OPERATOR = "operator"

_PORTION = 1_000


class Suspensions:
    """Puts suspensions in force in this worker's lanes. One that ends, or is deleted, has what it held released."""

    def __init__(self, store: Store, lanes: Lanes, holder: Holder, *, clock: Clock, workers: int) -> None:
        self._store = store
        self._lanes = lanes
        self._holder = holder
        self._clock = clock
        self._workers = workers
        self._known: dict[str, Suspension] = {}

    def apply(self, lane: Lane) -> None:
        """Puts what is known in force in a new lane."""
        suspension = self._known.get(lane.site.name)
        if suspension is not None:
            lane.suspend(suspension, self._workers)

    async def refresh(self) -> None:
        """Looks at the store. Raises: StoreUnavailable."""
        now = self._clock()
        found: dict[str, Suspension] = {}
        after = ""
        while portion := await self._store.scan(Suspension, INSTALLATION, after=after, limit=_PORTION):
            for each in portion:
                if each.holds(now):
                    found[each.name] = each
                elif each.until is not None and each.until < now - KEPT:
                    await self._store.delete(Suspension, INSTALLATION, each.name)
            after = portion[-1].name
            if len(portion) < _PORTION:
                break
        for name, old in list(self._known.items()):
            if name not in found:
                self._end(old, by=OPERATOR if old.holds(now) else old.by)
        for name, new in found.items():
            if new != self._known.get(name):
                self._begin(new)

    async def suspend(self, suspension: Suspension) -> bool:
        """Writes what a rule decided; whether it was written: nothing is, where the site is suspended for as long already.

        Raises: StoreUnavailable.
        """
        now = self._clock()
        there = await self._store.get(Suspension, INSTALLATION, suspension.name)
        if there is not None and there.holds(now) and _outlasts(there, suspension):
            return False
        await self._store.put(suspension)
        log.warning(
            "suspended site=%s by=%s until=%s per_minute=%s message_id=%s reply=%s",
            suspension.name,
            suspension.by,
            suspension.until,
            suspension.per_minute,
            suspension.message_id,
            suspension.reply,
        )
        self._begin(suspension)
        return True

    def _begin(self, suspension: Suspension) -> None:
        before = self._known.get(suspension.name)
        self._known[suspension.name] = suspension
        if before is not None and not before.per_minute and suspension.per_minute:
            self._holder.release(suspension.name, suspension.by)
        lane = self._lanes.lane(suspension.name)
        if lane is None:
            return
        lane.suspend(suspension, self._workers)
        if not suspension.per_minute:
            self._holder.stop(lane)

    def _end(self, suspension: Suspension, *, by: str) -> None:
        del self._known[suspension.name]
        lane = self._lanes.lane(suspension.name)
        if lane is not None:
            lane.suspend(None, self._workers)
        self._holder.release(suspension.name, by)


def _outlasts(there: Suspension, new: Suspension) -> bool:
    """Whether what is there holds back as much, for as long; what an operator decided stands above every rule."""
    if not there.by.startswith("rule:"):
        return True
    longer = there.until is None or (new.until is not None and there.until >= new.until)
    return longer and there.per_minute <= new.per_minute
