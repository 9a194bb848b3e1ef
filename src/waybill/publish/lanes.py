"""Posts under way: every subscription has a lane of its own, so that a slow endpoint makes only itself wait."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from waybill.store.protocol import Notice

DEPTH = 200
"""Notices that may wait in one lane; the others stay in the outbox until their lease runs out."""

WIDTH = 10
"""Posts at once to one endpoint; to one whose last post failed, one."""

MOST_AT_ONCE = 300
"""Posts at once in all, well below the files that a process may open."""

SOON = 10.0
"""Seconds in which a full lane that flows is expected to have room: worth waiting for."""

STALLED = 1.0
"""Seconds without any post ending after which a lane does not flow."""


@dataclass(kw_only=True, slots=True)
class _Lane:
    """The notices of one subscription, each with the loop time by which it must have begun."""

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
        return len(self.waiting) >= DEPTH

    def flows(self, now: float) -> bool:
        return now - self.moved_at < STALLED and len(self.waiting) * self.pace / self.width <= SOON


class Lanes:
    """Runs ``post`` on notices, a bounded number at once for each target and in all. ``post`` says whether it was taken."""

    def __init__(self, post: Callable[[Notice], Awaitable[bool]]) -> None:
        self._post = post
        self._lanes: dict[str, _Lane] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def congested(self) -> bool:
        """Whether taking up more notices should wait, since a lane that flows is full."""
        now = asyncio.get_running_loop().time()
        return any(lane.full and lane.flows(now) for lane in self._lanes.values())

    def add(self, notice: Notice, *, seconds: float) -> None:
        """Lets the notice be posted if its turn comes within so many seconds; else it is left to whoever leases it next."""
        now = asyncio.get_running_loop().time()
        lane = self._lanes.setdefault(notice.target, _Lane(moved_at=now))
        if not lane.full:
            lane.waiting.append((notice, now + seconds))
        self._begin()

    async def settled(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - passed on to asyncio.wait
        """Waits until nothing is under way or waits, or the time is over."""
        end = None if timeout is None else asyncio.get_running_loop().time() + timeout
        while self._tasks:
            left = None if end is None else end - asyncio.get_running_loop().time()
            if left is not None and left <= 0:
                return
            await asyncio.wait(self._tasks, timeout=left, return_when=asyncio.FIRST_COMPLETED)

    def _begin(self) -> None:
        """Starts what may start, one of each lane in turn."""
        now = asyncio.get_running_loop().time()
        began = True
        while began and len(self._tasks) < MOST_AT_ONCE:
            began = False
            for target, lane in list(self._lanes.items()):
                while lane.waiting and lane.waiting[0][1] < now:
                    lane.waiting.popleft()
                if lane.waiting and lane.under_way < lane.width and len(self._tasks) < MOST_AT_ONCE:
                    lane.under_way += 1
                    task = asyncio.create_task(self._run(lane, lane.waiting.popleft()[0]))
                    self._tasks.add(task)
                    task.add_done_callback(self._ended)
                    began = True
                elif not lane.waiting and not lane.under_way:
                    del self._lanes[target]

    async def _run(self, lane: _Lane, notice: Notice) -> None:
        loop = asyncio.get_running_loop()
        start = loop.time()
        taken = False
        try:
            taken = await self._post(notice)
        finally:
            lane.moved_at = loop.time()
            lane.pace = lane.moved_at - start
            lane.failing = not taken
            lane.under_way -= 1

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._begin()
