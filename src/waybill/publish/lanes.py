"""Posts under way: every subscription has a lane of its own, so that a slow endpoint makes only itself wait."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from waybill.store.protocol import Notice

DEPTH = 200
"""Notices that may wait in one lane; the others stay in the outbox until their lease runs out."""

DEPTH_FAILING = 20
"""As many in the lane of an endpoint whose last post failed: what waits there fills the memory for nothing."""

WIDTH = 10
"""Posts at once to one endpoint; to one whose last post failed, one."""

MOST_AT_ONCE = 300
"""Posts at once in all, well below the files that a process may open."""

MOST_ON_TRIAL = 200
"""Of those, posts to endpoints whose last post was not taken, or who have had none: hundreds that hang leave the rest to others."""

REMEMBERED = 10_000
"""Endpoints that are known to take posts."""

SOON = 10.0
"""Seconds in which a full lane that flows is expected to have room: worth waiting for."""

STALLED = 1.0
"""Seconds without any post ending after which a lane does not flow."""


@dataclass(kw_only=True, slots=True)
class _Lane:
    """The notices of one subscription, each with the time by which it must have begun."""

    moved_at: float
    waiting: deque[tuple[Notice, float]] = field(default_factory=deque)
    under_way: int = 0
    pace: float = 0.0
    failing: bool = False

    @property
    def width(self) -> int:
        return 1 if self.failing else WIDTH

    @property
    def full(self) -> bool:
        return len(self.waiting) >= (DEPTH_FAILING if self.failing else DEPTH)

    def flows(self, now: float) -> bool:
        return now - self.moved_at < STALLED and len(self.waiting) * self.pace / self.width <= SOON


class Lanes:
    """Runs ``post`` on notices, a bounded number at once for each target and in all.

    ``post`` says whether the notice was taken; ``time`` is a clock in seconds that is never set back.
    """

    def __init__(self, post: Callable[[Notice], Awaitable[bool]], time: Callable[[], float]) -> None:
        self._post = post
        self._time = time
        self._lanes: dict[str, _Lane] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._taking: dict[str, None] = {}
        self._on_trial = 0

    def congested(self) -> bool:
        """Whether taking up more notices should wait, since a lane that flows is full."""
        now = self._time()
        return any(lane.full and lane.flows(now) for lane in self._lanes.values())

    def add(self, notice: Notice, *, seconds: float) -> None:
        """Lets the notice be posted if its turn comes within so many seconds; else it is left to whoever leases it next."""
        now = self._time()
        lane = self._lanes.setdefault(notice.target, _Lane(moved_at=now))
        if not lane.full:
            lane.waiting.append((notice, now + seconds))
        self._begin()

    async def settled(self, seconds: float | None = None) -> None:
        """Waits until nothing is under way or waits, or so many seconds have passed."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._tasks:
                    await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)

    async def close(self, seconds: float) -> None:
        """Begins nothing more, and breaks off what has not ended in so many seconds: its leases run out."""
        for lane in self._lanes.values():
            lane.waiting.clear()
        await self.settled(seconds)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self) -> None:
        """Starts what may start, one of each lane in turn."""
        now = self._time()
        began = True
        while began and len(self._tasks) < MOST_AT_ONCE:
            began = False
            for target, lane in list(self._lanes.items()):
                while lane.waiting and lane.waiting[0][1] < now:
                    lane.waiting.popleft()
                if lane.waiting and lane.under_way < lane.width and self._has_place(target):
                    lane.under_way += 1
                    on_trial = target not in self._taking
                    self._on_trial += on_trial
                    task = asyncio.create_task(self._run(lane, lane.waiting.popleft()[0], on_trial=on_trial))
                    self._tasks.add(task)
                    task.add_done_callback(self._ended)
                    self._lanes[target] = self._lanes.pop(target)  # to the end: the next place is another's
                    began = True
                elif not lane.waiting and not lane.under_way:
                    del self._lanes[target]

    def _has_place(self, target: str) -> bool:
        if len(self._tasks) >= MOST_AT_ONCE:
            return False
        return target in self._taking or self._on_trial < MOST_ON_TRIAL

    def _remember(self, target: str, *, taken: bool) -> None:
        self._taking.pop(target, None)
        if taken:
            if len(self._taking) >= REMEMBERED:
                del self._taking[next(iter(self._taking))]
            self._taking[target] = None

    async def _run(self, lane: _Lane, notice: Notice, *, on_trial: bool) -> None:
        start = self._time()
        taken = False
        try:
            taken = await self._post(notice)
        finally:
            lane.moved_at = self._time()
            lane.pace = lane.moved_at - start
            lane.failing = not taken
            lane.under_way -= 1
            self._on_trial -= on_trial
            self._remember(notice.target, taken=taken)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():  # else the process ends
            self._begin()
