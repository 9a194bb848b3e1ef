"""The part of the Store with which the queue is looked at and steered: by site, cause or message, in bounded portions."""

from collections.abc import Callable, Mapping
from typing import Protocol, TypeAlias

from waybill.model.cause import Cause
from waybill.model.clock import Instant
from waybill.model.event import Held
from waybill.model.message import Delivery
from waybill.model.record import record

WasSending: TypeAlias = Callable[[str, int], bool | None]
"""Whether the worker of that name was sending the delivery when it ended; None: that is not known."""


def not_known(worker: str, delivery_id: int) -> bool | None:  # noqa: ARG001 - a WasSending
    """Nobody has written down what the worker was sending."""
    return None


@record(frozen=True, kw_only=True, slots=True)
class Skip:
    """What a worker has enough of: deliveries to these recipient domains and of these accounts are not claimed."""

    domains: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()


SKIP_NOTHING = Skip()


@record(frozen=True, kw_only=True, slots=True)
class Selection:
    """Open deliveries: those that fit all that is given. ``held`` True: only those that Waybill holds; False: only the others.

    ``held_for`` is the ``limit`` of the hold that stands (``suspension``, ``unreachable``): those held for anything else are left.
    ``sites`` are names of sites as ``remember_sites`` has them, or recipient domains. A delivery that is held has the
    ``cause`` that it had before, too.
    """

    account: str | None = None
    sites: tuple[str, ...] = ()
    domain: str | None = None
    message_id: str | None = None
    cause: Cause | None = None
    held: bool | None = None
    held_for: str | None = None


EVERYTHING = Selection()


@record(frozen=True, kw_only=True, slots=True)
class SiteQueue:
    """What waits for one site (a provider, or a domain's own server; the domain itself where no site is known yet).

    ``waiting`` are all of them; ``held``, ``under_lease`` (in a worker's hands) and ``due`` (for a worker to take up) some of
    them. ``next_at`` is when the first of those in no worker's hands is due, None where all wait to be released. ``causes``
    counts those that have one; of a delivery that is held it is the cause before.
    """

    site: str
    waiting: int
    held: int
    under_lease: int
    due: int
    oldest_at: Instant
    next_at: Instant | None
    causes: dict[str, int]


class QueueControl(Protocol):
    """Every method is one transaction over at most ``limit`` deliveries; callers go on while there are as many."""

    async def remember_sites(self, sites: Mapping[str, str]) -> None:
        """Keeps to which site each recipient domain's mail goes (domain to site)."""

    async def knows_site(self, site: str) -> bool:
        """Whether mail for any domain has gone, or was to go, to a site of that name."""

    async def queue_by_site(
        self, now: Instant, *, selection: Selection = EVERYTHING, limit: int = 100
    ) -> list[SiteQueue]:
        """The sites that mail of the selection waits for, those with the most first."""

    async def queued(self, selection: Selection, *, after: int = 0, limit: int = 100) -> list[Delivery]:
        """Open deliveries by id, those after ``after``."""

    async def hold(self, selection: Selection, held: Held, *, now: Instant, limit: int) -> int:
        """Holds what nobody attempts at this moment until ``held.until`` (None: until it is released or expires); how many.

        Each becomes ``held_by_waybill``, its cause until now stays as the underlying one, and ``held`` is an event of it. One that
        is held already by the same ``held.by`` and ``held.limit`` only waits longer: no second event. What waits longer
        anyway is left, and its ``next_at`` stays; None, where it waits to be released.
        """

    async def release(self, selection: Selection, *, by: str, now: Instant, limit: int) -> int:
        """Ends holds: those held are due now, with the cause they had before; how many. Each with a ``released`` event."""

    async def retry_now(self, selection: Selection, *, now: Instant, limit: int) -> int:
        """Makes deliveries due that wait for a later attempt and are not held; how many."""

    async def mark_stuck(self, now: Instant, *, due_before: Instant, limit: int) -> list[Delivery]:
        """Gives those due since before then, that no worker holds, the cause ``stuck`` and an event, once; those it now gave it to."""

    async def give_back(self, worker: str, delivery_ids: tuple[int, ...]) -> None:
        """Ends the leases that ``worker`` holds on these: they were not begun, so whoever claims them next takes nothing over."""
