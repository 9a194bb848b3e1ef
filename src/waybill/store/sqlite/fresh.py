"""What this process has just written and goes on with itself: notices and messages that need not be read again.

A notice of a message that this worker holds is written with a lease to the worker's publisher, who gets it from here.
The lease is short: should the process end, another publisher soon takes the notice up.
"""

from collections import deque
from collections.abc import Sequence

from waybill.model.clock import SECOND, Clock, Instant
from waybill.model.message import Message
from waybill.store.protocol import Notice

LEASE = 20 * SECOND
"""How long the publisher has for a notice."""

FRESH = 5 * SECOND
"""How long a notice may wait here; after that there is too little left of its lease to begin with it."""

MOST_NOTICES = 2_000
MOST_MESSAGES = 2_000


class Fresh:
    """Filled by the writer's thread after a commit, emptied by the event loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._notices: deque[tuple[Instant, Notice]] = deque()
        self._messages: dict[int, Message] = {}

    def lease_until(self) -> Instant | None:
        """Until when a notice that is written now is leased; None where it is left to whoever claims it."""
        return None if len(self._notices) >= MOST_NOTICES else self._clock() + LEASE

    def add(self, notices: Sequence[Notice]) -> None:
        """Takes notices that are on disk, leased to this process's worker."""
        at = self._clock()
        self._notices.extend([(at, notice) for notice in notices])

    def take(self, now: Instant, limit: int) -> list[Notice]:
        """The oldest notices. Those that have waited too long are left to their leases."""
        taken: list[Notice] = []
        while self._notices and len(taken) < limit:
            at, notice = self._notices.popleft()
            if at <= now < at + FRESH:
                taken.append(notice)
        return taken

    def remember(self, number: int, message: Message) -> None:
        """Keeps a message that is on disk; its delivery will be settled soon."""
        if len(self._messages) >= MOST_MESSAGES:
            del self._messages[next(iter(self._messages))]
        self._messages[number] = message

    def message(self, number: int) -> Message | None:
        """The message of that number, where it is remembered."""
        return self._messages.get(number)
