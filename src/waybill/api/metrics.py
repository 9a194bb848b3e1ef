"""Prometheus metrics, computed from the ledger: they are the same whichever worker is asked, and survive restarts."""

from collections.abc import Iterable

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from waybill.model.clock import SECOND, Instant
from waybill.model.message import Status
from waybill.store.protocol import StoreHealth


class StoreFigures(Collector):
    """The figures of the last look at the store, set before each scrape."""

    def __init__(self) -> None:
        self.health: StoreHealth | None = None
        self.now: Instant = 0

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

    def _age(self, since: Instant | None) -> float:
        return 0 if since is None else max(0, self.now - since) / SECOND


def _gauge(name: str, meaning: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, meaning, value=value)
