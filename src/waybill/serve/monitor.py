"""A worker's look at itself: once a second it measures, asks again what was in trouble, and writes its health page."""

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from waybill.model.clock import Clock
from waybill.net.resolver import AnswerStatus, Resolver
from waybill.serve.egress import CHECK_EVERY
from waybill.serve.gauge import ClockGauge, descriptors, disk, memory
from waybill.serve.health import HealthPage, PartHealth, ProcessHealth, State
from waybill.serve.watch import Watch
from waybill.store.protocol import Store, StoreUnavailable

log = logging.getLogger(__name__)

EVERY = 1.0
_DEAD = frozenset({AnswerStatus.TIMEOUT, AnswerStatus.FAILED, AnswerStatus.SERVFAIL})

TALLY = "health_probes"
"""What is written to find out whether the store can be written again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Probes:
    """Questions about parts. Of those in trouble each is asked about once a second until all is well again.

    ``doors`` says which doors are full, ``egress`` how the way out is (None: nobody looks at it); ``doubted`` whether
    attempts give reason to ask that more than now and then.
    """

    store: Store
    resolver: Callable[[], Awaitable[str | None]]
    doors: Callable[[], str | None]
    egress: Callable[[], Awaitable[PartHealth]] | None = None
    doubted: Callable[[], bool] = lambda: False


async def resolver_trouble(resolver: Resolver) -> str | None:
    """What is wrong with the DNS servers; None where one answers. Any resolver knows the root."""
    answer = await resolver.lookup(".", "NS")
    return answer.text if answer.status in _DEAD else None


class Monitor:
    """Writes one place of the health page. ``page`` None: it could not be made, and only the log tells."""

    def __init__(self, *, name: str, folder: Path, page: HealthPage | None, watch: Watch, clock: Clock) -> None:
        self._name = name
        self._folder = folder
        self._page = page
        self._watch = watch
        self._clock = clock
        self._gauge = ClockGauge(clock, time.monotonic)
        self._started_at = clock()
        self._ask_egress_at = 0.0

    async def run(self, probes: Probes) -> None:
        """Goes on until it is cancelled; then its last word is that it has stopped."""
        asking: set[asyncio.Task[None]] = set()
        try:
            while True:
                self.look(probes.doors())
                if not asking:
                    asking = {asyncio.create_task(self._ask(probes))}
                    asking.copy().pop().add_done_callback(asking.discard)
                await asyncio.sleep(EVERY)
        finally:
            for task in asking:
                task.cancel()
            self._write(stopped=True)

    def look(self, full: str | None = None) -> None:
        """Measures and writes. ``full`` says which doors are."""
        open_files = descriptors()
        if full is not None and open_files.state is State.OK:
            open_files = PartHealth(state=State.DEGRADED, evidence=f"{full}; {open_files.evidence}")
        self._take("disk", disk(self._folder))
        self._take("descriptors", open_files)
        self._take("memory", memory())
        clock, jump = self._gauge.look()
        if jump:
            log.warning("clock_jumped by_ms=%d", jump)
        self._take("clock", clock)
        self._write(stopped=False)

    async def _ask(self, probes: Probes) -> None:
        if not self._watch.is_well("store"):
            try:
                await probes.store.tally(TALLY, self._clock())
            except StoreUnavailable as error:
                self._watch("store", str(error))
            else:
                self._watch("store", None)
        if not self._watch.is_well("resolver"):
            self._watch("resolver", await probes.resolver())
        await self._ask_egress(probes)

    async def _ask_egress(self, probes: Probes) -> None:
        """While nothing is doubted this asks nobody; otherwise now and then, and at once when the doubt is over."""
        at, doubted = time.monotonic(), probes.doubted()
        if probes.egress is None or (doubted and at < self._ask_egress_at):
            return
        self._ask_egress_at = at + CHECK_EVERY
        self._take("egress", await probes.egress())

    def _take(self, part: str, found: PartHealth) -> None:
        self._watch.set(part, found.state, found.evidence)

    def _write(self, *, stopped: bool) -> None:
        if self._page is not None:
            self._page.write(
                ProcessHealth(
                    name=self._name,
                    pid=os.getpid(),
                    started_at=self._started_at,
                    at=self._clock(),
                    beat=time.monotonic(),
                    stopped=stopped,
                    parts=self._watch.parts,
                )
            )
