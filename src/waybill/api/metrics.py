"""Prometheus metrics, computed from the ledger: they are the same whichever worker is asked, and survive restarts."""

from collections.abc import Iterable

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from waybill.model.clock import DAY, SECOND, Clock, Instant
from waybill.model.message import Status
from waybill.model.resource import INSTALLATION, Suspension
from waybill.store.protocol import Store, StoreHealth
from waybill.store.queueing import SiteQueue

MOST_SITES = 50
"""Sites that are shown, those with the most waiting: every label is a time series that somebody must keep."""

_MOST_UNKNOWN = 1_000
_REST = 20
"""Counting a queue of a million takes a second or two: it is counted again when so many times as long has gone by."""


class StoreFigures(Collector):
    """The figures of the last look at the store, taken before each scrape."""

    def __init__(self) -> None:
        self.health: StoreHealth | None = None
        self.now: Instant = 0
        self._queue: list[SiteQueue] = []
        self._queue_until: Instant = 0
        self._suspensions: list[Suspension] = []
        self._unknown = 0
        self._forged = 0

    async def look(self, store: Store, clock: Clock) -> None:
        """Takes the figures. Raises: StoreUnavailable."""
        self.health, self.now = await store.health(), clock()
        if not self._queue_until - DAY < self.now < self._queue_until:
            begun = clock()
            self._queue = await store.queue_by_site(self.now, limit=MOST_SITES)
            self._queue_until = clock() + min(DAY, _REST * max(0, clock() - begun))
        found = await store.scan(Suspension, INSTALLATION)
        self._suspensions = [one for one in found if one.holds(self.now)]
        self._unknown = sum(one.count for one in await store.unknown_replies(limit=_MOST_UNKNOWN))
        self._forged = await store.tallied("forged_bounces", self.now - DAY)

    def collect(self) -> Iterable[Metric]:
        """The metric families; none before the first look."""
        health = self.health
        if health is None:
            return
        deliveries = GaugeMetricFamily("waybill_deliveries", "Recipients in the ledger by status.", labels=["status"])
        for status in Status:
            deliveries.add_metric([status.value], health.deliveries.get(status, 0))
        yield deliveries
        yield _gauge("waybill_events", "Events in the ledger.", health.events)
        yield _gauge("waybill_notices_pending", "Events that wait to be published.", health.notices)
        yield _gauge("waybill_store_bytes", "Size of the store.", health.bytes)
        yield _gauge(
            "waybill_queue_oldest_seconds", "Age of the oldest open delivery.", self._age(health.oldest_queued_at)
        )
        yield _gauge("waybill_notices_oldest_seconds", "Age of the oldest notice.", self._age(health.oldest_notice_at))
        yield from self._collect_queue()
        yield _gauge(
            "waybill_unknown_replies", "Replies that no rule knew, until somebody forgets them.", self._unknown
        )
        yield _gauge(
            "waybill_forged_bounces", "Bounces with a forged address, refused today and yesterday (UTC).", self._forged
        )

    def _collect_queue(self) -> Iterable[Metric]:
        queue = GaugeMetricFamily(
            "waybill_queue",
            f"Open deliveries of the {MOST_SITES} fullest sites: waiting counts all, the other states some of them.",
            labels=["site", "state"],
        )
        for one in self._queue:
            states = {"waiting": one.waiting, "held": one.held, "due": one.due, "in_hand": one.under_lease}
            for state, value in states.items():
                queue.add_metric([one.site, state], value)
        yield queue
        suspended = GaugeMetricFamily(
            "waybill_suspended", "Sites that mail is held back from, with who decided so.", labels=["site", "by"]
        )
        for suspension in self._suspensions:
            suspended.add_metric([suspension.name, suspension.by], 1)
        yield suspended

    def _age(self, since: Instant | None) -> float:
        return 0 if since is None else max(0, self.now - since) / SECOND


def _gauge(name: str, meaning: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, meaning, value=value)
