"""The Store: one small protocol, each method one transaction, the same on every engine.

State, the events that explain it and the notices that announce it are always written together. A method that
returns has its effect on disk; a method that raises has had none.
"""

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Protocol, TypeVar

from waybill.model.cause import Cause
from waybill.model.clock import Instant
from waybill.model.event import Event, NewEvent
from waybill.model.history import DomainHistory as DomainHistory
from waybill.model.message import Delivery, Message, Status
from waybill.model.record import record
from waybill.model.resource import (
    AccessKey,
    Account,
    ConfigurationSet,
    DedicatedIp,
    DedicatedIpPool,
    Identity,
    MtaStsPolicy,
    Probe,
    SigningCertificate,
    Subscription,
    Suspension,
    Template,
    Topic,
)
from waybill.model.standing import Recommendation
from waybill.model.suppression import Reason, Suppression
from waybill.store.compartments import Compartments
from waybill.store.elsewhere import Elsewhere
from waybill.store.observed import Observations, UnknownReply
from waybill.store.queueing import SKIP_NOTHING, QueueControl, Skip, WasSending, not_known

R = TypeVar(
    "R",
    Account,
    AccessKey,
    Identity,
    Template,
    ConfigurationSet,
    Topic,
    Subscription,
    SigningCertificate,
    Suspension,
    Probe,
    MtaStsPolicy,
    DedicatedIpPool,
    DedicatedIp,
    Recommendation,
)


class StoreUnavailable(Exception):  # noqa: N818 - a state, not a fault of the caller
    """The store could not do it now (locked, disk full, connection lost). Nothing was written."""


class AlreadyExists(Exception):  # noqa: N818
    """A resource of that type and name is there already."""


class NotFound(Exception):  # noqa: N818
    """There is no resource of that type and name."""


class LeaseLost(Exception):  # noqa: N818
    """Another worker has taken the delivery over; what was to be settled was not written."""


class Overtaken(Exception):  # noqa: N818
    """The delivery no longer stands as the settlement took it to; nothing was written. Read it again."""


@record(frozen=True, kw_only=True, slots=True)
class Limits:
    """The account's limits at accept time, in recipients; 0: none."""

    per_second: float = 0
    per_24_hours: int = 0


@record(frozen=True, kw_only=True, slots=True)
class NewDelivery:
    """A recipient of a message being accepted: open (``queued``, leased to ``lease_owner``) or already final."""

    recipient: str
    status: Status
    cause: Cause | None
    expires_at: Instant
    next_at: Instant | None = None


@record(frozen=True, kw_only=True, slots=True)
class Acceptance:
    """All that accepting (or refusing) one message writes. ``content`` is None where nothing will be sent.

    ``counts_against_quota`` False: the 24-hour quota is neither asked nor used up; the rate still is (as SES treats mail to
    its simulator).
    """

    message: Message
    content: bytes | None
    deliveries: tuple[NewDelivery, ...]
    events: tuple[NewEvent, ...]
    lease_owner: str | None = None
    lease_until: Instant | None = None
    limits: Limits = Limits()
    counts_against_quota: bool = True


class LimitKind(StrEnum):
    """Which limit of the account was hit."""

    RATE = "rate"
    QUOTA = "quota"


@record(frozen=True, kw_only=True, slots=True)
class LimitReached:
    """Accepting was not written, since a limit was reached. ``sent`` recipients in the period; ``free_at`` when it is worth trying again."""

    kind: LimitKind
    limit: float
    sent: int
    free_at: Instant


@record(frozen=True, kw_only=True, slots=True)
class Claim:
    """An open delivery leased to a worker, with all it takes to attempt it."""

    delivery: Delivery
    message: Message
    content: bytes


@record(frozen=True, kw_only=True, slots=True)
class Settlement:
    """The new state of a delivery and the events that explain it.

    ``lease_owner`` must still hold the lease; None settles without one (feedback that came home), if the status is still ``seen``.
    ``attempts`` is the new count. ``suppressions`` are entries to add (their ``event`` is filled in with the
    id of the first of ``events``). ``dkim_header``, where given, is kept for later attempts. The message's content
    is deleted once all its deliveries are final. ``source_ip`` and ``site`` say from where to whom an attempt was made;
    ``unknown_reply`` is the reply that no rule knew, to be counted. ``incident`` names one that may be to blame: then a
    bounce counts in no bounce rate.
    """

    delivery_id: int
    status: Status
    cause: Cause | None
    events: tuple[NewEvent, ...]
    lease_owner: str | None = None
    seen: Status | None = None
    underlying_cause: Cause | None = None
    attempts: int | None = None
    next_at: Instant | None = None
    suppressions: tuple[Suppression, ...] = ()
    dkim_header: bytes | None = None
    keep_lease_until: Instant | None = None
    source_ip: str | None = None
    site: str | None = None
    unknown_reply: UnknownReply | None = None
    incident: str | None = None


class NoticeKind(StrEnum):
    """Where a notice goes."""

    TOPIC = "topic"  # to an SNS topic: one event, to be fanned out to its subscriptions
    SUBSCRIPTION = "subscription"  # one rendered SNS message to one subscription
    IDENTITY = "identity"  # a legacy notification to a topic
    FILE = "file"  # a line of the JSON-lines file


@record(frozen=True, kw_only=True, slots=True)
class NewNotice:
    """Something to announce. ``target`` is a topic's or subscription's ARN, or empty for the file. ``body`` is what to send where it is rendered already."""

    kind: NoticeKind
    account: str
    target: str
    at: Instant
    body: bytes | None = None
    event_id: int | None = None
    headers: dict[str, str] | None = None


@record(frozen=True, kw_only=True, slots=True)
class Notice:
    """A notice leased to a publisher, with its event and message where it has one."""

    id: int
    kind: NoticeKind
    account: str
    target: str
    at: Instant
    attempts: int
    body: bytes | None
    headers: dict[str, str] | None
    event: Event | None
    message: Message | None


@record(frozen=True, kw_only=True, slots=True)
class NoticeResult:
    """What became of a notice: done, given up (both delete it), or to be tried again at ``retry_at``. ``follow_ups`` are written with it."""

    notice_id: int
    retry_at: Instant | None = None
    error: str | None = None
    follow_ups: tuple[NewNotice, ...] = ()


@record(frozen=True, kw_only=True, slots=True)
class Ledger:
    """All that is known of one message."""

    message: Message
    deliveries: tuple[Delivery, ...]
    events: tuple[Event, ...]
    suppressions: tuple[Suppression, ...] = ()  # entries that stand now for its recipients


@record(frozen=True, kw_only=True, slots=True)
class Search:
    """What to find. Addresses match whole, or by domain where they start with ``@``; ``limit`` newest first."""

    account: str | None = None
    recipient: str | None = None
    sender: str | None = None
    status: Status | None = None
    cause: Cause | None = None
    since: Instant | None = None
    until: Instant | None = None
    limit: int = 100


@record(frozen=True, kw_only=True, slots=True)
class Found:
    """A hit: one delivery and its message."""

    message: Message
    delivery: Delivery


@record(frozen=True, kw_only=True, slots=True)
class SendingBucket:
    """Fifteen minutes of an account's sending, as GetSendStatistics wants it."""

    start: Instant
    delivery_attempts: int
    bounces: int
    complaints: int
    rejects: int


@record(frozen=True, kw_only=True, slots=True)
class StoreHealth:
    """Figures for /metrics, /readyz and ``status``."""

    deliveries: dict[Status, int]
    events: int
    notices: int
    oldest_queued_at: Instant | None
    oldest_notice_at: Instant | None
    bytes: int
    newest_event_at: Instant | None = None


class Store(QueueControl, Observations, Elsewhere, Compartments, Protocol):
    """The ledger, the queue, the outbox and the resources."""

    async def close(self) -> None:
        """Finishes what is being written, then lets go of the engine."""

    def secret(self, purpose: str) -> bytes:
        """32 bytes, the same for ever for this installation and purpose."""

    # resources

    async def get(self, kind: type[R], account: str, name: str) -> R | None:
        """The resource, or None."""

    async def scan(
        self, kind: type[R], account: str, *, prefix: str = "", after: str = "", limit: int = 1000
    ) -> list[R]:
        """Resources in the order of their names, those after ``after`` that start with ``prefix``."""

    async def create(self, record: R) -> None:
        """Raises: AlreadyExists."""

    async def put(self, record: R) -> None:
        """Creates the resource or replaces it."""

    async def update(self, kind: type[R], account: str, name: str, change: Callable[[R], R]) -> R:
        """Reads, changes and writes in one transaction; what ``change`` raises goes through, unwritten. Raises: NotFound."""

    async def delete(self, kind: type[R], account: str, name: str) -> bool:
        """Whether there was one."""

    # suppression

    async def suppress(self, entries: Sequence[Suppression]) -> None:
        """Adds entries, replacing those of the same address."""

    async def unsuppress(self, account: str, address: str) -> bool:
        """Removes an entry (``account`` GLOBAL: of the global list). Whether there was one."""

    async def suppressed(self, account: str, addresses: Sequence[str], now: Instant) -> list[Suppression]:
        """The entries of the account's and the global list for these addresses that have not expired at ``now``."""

    async def suppressions(
        self,
        account: str,
        *,
        reasons: Sequence[Reason] = (),
        since: Instant | None = None,
        until: Instant | None = None,
        after: str = "",
        limit: int = 1000,
    ) -> list[Suppression]:
        """One list's entries by address."""

    # the life of a message

    async def accept(self, acceptance: Acceptance) -> tuple[Delivery, ...] | LimitReached:
        """Writes the message, its deliveries, events, notices and counters, or nothing if a limit is reached."""

    async def claim(
        self,
        worker: str,
        now: Instant,
        *,
        limit: int,
        lease_until: Instant,
        skip: Skip = SKIP_NOTHING,
        was_sending: WasSending = not_known,
    ) -> list[Claim]:
        """Leases to ``worker`` the open deliveries that are due and that nobody holds, the longest due first.

        Those to ``skip`` are left. One whose last holder never settled it nor gave it back gets a ``taken_over`` event.
        """

    async def renew(self, worker: str, delivery_ids: Sequence[int], lease_until: Instant) -> None:
        """Prolongs the leases that ``worker`` still holds."""

    async def overdue(
        self, worker: str, now: Instant, *, limit: int, lease_until: Instant, seize_before: Instant = 0
    ) -> list[Delivery]:
        """Leases to ``worker`` the open deliveries that are past their ``expires_at`` and that nobody holds, so that one worker ends each.

        Those that expired before ``seize_before`` are taken from whoever holds them: a worker that hangs keeps renewing its leases.
        """

    async def settle(self, settlement: Settlement) -> None:
        """Raises: LeaseLost, NotFound, Overtaken."""

    async def delivery(self, delivery_id: int) -> Delivery | None:
        """One delivery by its id."""

    async def append(self, message_id: str, events: Sequence[NewEvent]) -> None:
        """Writes events about a message that leave its deliveries as they are. Raises: NotFound."""

    # the outbox

    async def notify(self, notices: Sequence[NewNotice]) -> None:
        """Adds notices that no event has made (SNS confirmations, Publish)."""

    async def claim_notices(self, worker: str, now: Instant, *, limit: int, lease_until: Instant) -> list[Notice]:
        """Leases due notices, oldest first."""

    async def settle_notices(self, results: Sequence[NoticeResult]) -> None:
        """Deletes notices that are done or given up, reschedules the others, adds the follow-ups."""

    # reading

    async def ledger(self, message_id: str) -> Ledger | None:
        """All that is known of a message (or refused request)."""

    async def find(self, search: Search) -> list[Found]:
        """Deliveries, newest first."""

    async def history(self, delivery: Delivery, now: Instant) -> DomainHistory:
        """What else the ledger knows that bears on this delivery."""

    async def sent(self, account: str, since: Instant) -> int:
        """Recipients accepted since then that count against the quota."""

    async def statistics(self, account: str, since: Instant) -> list[SendingBucket]:
        """The account's sending, oldest first."""

    async def health(self) -> StoreHealth:
        """Raises: StoreUnavailable."""
