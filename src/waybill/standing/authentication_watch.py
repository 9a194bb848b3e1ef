"""Looks at the authentication of all that is sent, again and again, and never holds up the sending."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from waybill.mail.lookup import Lookups
from waybill.model.authentication import Authentication, Sending
from waybill.model.clock import MINUTE, SECOND, Clock, Instant
from waybill.standing.authentication import FindKey, look, sending_id

log = logging.getLogger(__name__)

LOOKED_EVERY = 5 * MINUTE
"""What is being sent is looked at again after this time, with the next message."""

LOOKED_AFTER_REFUSAL = 10 * SECOND
"""A receiver says that authentication failed: then what was seen longer ago than this is looked at again, at once."""

PATIENCE = 20.0
"""Seconds that one look may take (RFC 7208 §4.6.4 wants that of receivers, too)."""

_AT_ONCE = 4
_MOST_KNOWN = 10_000

Keep: TypeAlias = Callable[[str, Authentication, Instant], Awaitable[None]]
"""Writes down what a look found."""


class _Known:
    """What is known of one Sending in this process."""

    __slots__ = ("id", "looked_at", "looking")

    def __init__(self, name: str) -> None:
        self.id = name
        self.looked_at: Instant | None = None
        self.looking = False


class AuthenticationWatch:
    """One worker's. ``see`` is told of each attempt; the looks run beside, a few at a time.

    ``lookups`` gives what has kept no answer from before: an old "nothing there" would be told as how it was just now.
    """

    def __init__(self, *, lookups: Callable[[], Lookups], find_key: FindKey, keep: Keep, clock: Clock) -> None:
        self._lookups = lookups
        self._find_key = find_key
        self._keep = keep
        self._clock = clock
        self._known: OrderedDict[Sending, _Known] = OrderedDict()
        self._room = asyncio.Semaphore(_AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()

    def see(self, sending: Sending, *, refused: bool) -> str:
        """The name that the Sending's evidence is kept under. What is due is looked at beside; nobody waits for it."""
        known = self._known.get(sending)
        if known is None:
            known = self._known[sending] = _Known(sending_id(sending))
            if len(self._known) > _MOST_KNOWN:
                self._known.popitem(last=False)
        lasts = LOOKED_AFTER_REFUSAL if refused else LOOKED_EVERY
        if not known.looking and (known.looked_at is None or known.looked_at + lasts <= self._clock()):
            known.looking = True
            task = asyncio.create_task(self._look(sending, known))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return known.id

    async def close(self) -> None:
        """Ends the looks under way, those that are nearly done excepted."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=1)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _look(self, sending: Sending, known: _Known) -> None:
        try:
            async with self._room, asyncio.timeout(PATIENCE):
                found = await look(sending, self._lookups(), self._find_key)
            at = self._clock()
            await self._keep(known.id, found, at)
        except TimeoutError:
            log.warning("authentication_not_seen from=%s after=%gs", sending.from_domain, PATIENCE)
        except Exception:  # sending goes on without this evidence; the next look may succeed
            log.exception("authentication_not_seen from=%s", sending.from_domain)
        finally:
            known.looked_at = self._clock()
            known.looking = False
