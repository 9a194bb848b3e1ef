"""The sites that somebody wants to be tried at once, as the store has them: each worker ends its rest there."""

import logging

from waybill.model.clock import HOUR, Clock
from waybill.model.resource import EVERY_SITE, INSTALLATION, Probe
from waybill.queue.lanes import Lanes
from waybill.store.protocol import Store

log = logging.getLogger(__name__)

KEPT = HOUR
"""By then every rest that a probe can end is over by itself."""

_PORTION = 1_000


class Probes:
    """Ends rests in this worker's lanes that began before they were asked to end."""

    def __init__(self, store: Store, lanes: Lanes, *, clock: Clock) -> None:
        self._store = store
        self._lanes = lanes
        self._clock = clock

    async def refresh(self) -> None:
        """Looks at the store. Raises: StoreUnavailable."""
        now, after = self._clock(), ""
        while portion := await self._store.scan(Probe, INSTALLATION, after=after, limit=_PORTION):
            for each in portion:
                self._apply(each)
                if each.at < now - KEPT:
                    await self._store.delete(Probe, INSTALLATION, each.name)
            after = portion[-1].name
            if len(portion) < _PORTION:
                break

    def _apply(self, probe: Probe) -> None:
        lane = self._lanes.lane(probe.name)
        lanes = self._lanes if probe.name == EVERY_SITE else (lane,) if lane is not None else ()
        now = self._clock()
        for each in lanes:
            if each.pace.probe(probe.at, now):
                log.info("site_probed site=%s by=%s", each.site.name, probe.by)
                self._lanes.unpark(each, each.room(now))
