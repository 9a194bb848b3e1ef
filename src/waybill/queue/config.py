"""How a worker's queue works, and what it works with."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from waybill.deliver.attempt import Parcel
from waybill.deliver.provider import Site
from waybill.deliver.sources import Hold
from waybill.model.clock import Clock, Instant
from waybill.model.outcome import Attempt
from waybill.queue.proof import Authenticating, NoAuthenticating
from waybill.queue.sign import Signatures
from waybill.queue.trouble import Watch
from waybill.store.protocol import Claim, Store
from waybill.store.queueing import WasSending, not_known
from waybill.store.sending import NoJournal, SendingJournal


@dataclass(frozen=True, kw_only=True, slots=True)
class QueueConfig:
    """How this worker works; ``workers`` share what a site bears. Durations are milliseconds.

    ``backlog`` and ``backlog_bytes`` bound what it holds, ``backlog_of_site`` and ``backlog_of_account`` what of it is for
    one site and of one account. ``relay`` is the host that all mail leaves by, or empty. ``played`` are the domains of the mailbox simulator: what its servers answer is a play, and
    says nothing about how they are to be treated.
    """

    worker: str
    retry: tuple[int, ...]
    max_lifetime: int
    lease: int
    bounce_domain: str
    workers: int = 1
    played: tuple[str, ...] = ()
    relay: str = ""
    concurrency: int = 500
    backlog: int = 2_000
    backlog_of_site: int = 500
    backlog_of_account: int = 1_500
    backlog_bytes: int = 256 * 1024 * 1024

    def is_played(self, site: str) -> bool:
        """Whether the site is the mailbox simulator's."""
        return any(site == domain or site.endswith(f".{domain}") for domain in self.played)


class Transport(Protocol):
    """Delivers: waybill.deliver's Deliverer."""

    async def attempt(self, parcel: Parcel) -> Attempt:
        """One attempt. A failed one is a value."""

    async def site(self, domain: str) -> Site:
        """Where the domain's mail goes. Raises nothing."""

    def known_site(self, domain: str) -> Site | None:
        """The same where it is known already."""


HoldSources: TypeAlias = Callable[[str | None, str, Instant], Awaitable[Hold | None]]
"""Asked before each attempt with the message's pool of addresses, the site and the time: why it may not leave now."""


async def hold_nothing(pool: str | None, site: str, now: Instant) -> Hold | None:  # noqa: ARG001 - a HoldSources
    """Every address may be used at any time."""
    return None


def watch_nothing(part: str, problem: str | None) -> None:
    """Nobody wants to know."""


def examine_nothing(claim: Claim) -> None:
    """Nobody looks at contents."""


@dataclass(frozen=True, kw_only=True, slots=True)
class QueueParts:
    """What the queue works with.

    ``journal`` notes what is being sent, ``was_sending`` reads what other workers noted; ``watch`` is told of troubles.
    ``examine`` is given what the worker takes, and must return at once; so must ``authenticating``, told of each attempt.
    """

    store: Store
    transport: Transport
    signatures: Signatures
    clock: Clock
    chance: Callable[[], float]
    hold: HoldSources = hold_nothing
    journal: SendingJournal = field(default_factory=NoJournal)
    was_sending: WasSending = not_known
    watch: Watch = watch_nothing
    examine: Callable[[Claim], None] = examine_nothing
    authenticating: Authenticating | NoAuthenticating = field(default_factory=NoAuthenticating)
