"""One recipient's case: the facts narrowed to it, and the event that decides."""

from dataclasses import dataclass

from waybill.explain.before import LATE, Before, time_before
from waybill.model.authentication import AuthenticationSeen
from waybill.model.cause import CATALOGUE, Branch, Cause
from waybill.model.clock import MINUTE, SECOND, Instant
from waybill.model.event import Attempted, Event, EventKind, Expired, Held, Released, SuppressionAdded
from waybill.model.health import HealthPeriod
from waybill.model.history import DomainHistory, Likeness
from waybill.model.incident import Incident
from waybill.model.message import OPEN_STATUSES, Delivery, Message, Status
from waybill.model.outcome import Attempt
from waybill.model.standing import Listed, RateSeen
from waybill.model.suppression import Suppression

STUCK_AFTER = 15 * MINUTE
"""An open delivery that is due and untouched for longer than this is stuck: no worker has taken it up."""

UNREACHABLE = "unreachable"
"""The limit of holds for a destination that nobody could reach: their time is the receiver's, not Waybill's."""

SENDING_POOL = "sending pool"
"""The limit of holds for a pool without an address: it is looked at again and again, but no time ends it."""

UNTAKEN_AFTER = 10 * SECOND
"""A delivery that is due for longer than this, and in no worker's hands, is told to wait for one."""

HOLD_SPREAD = MINUTE
"""What was held together is due again within this time after the end of the hold, not all at once."""

_MAY_BE_OURS = frozenset({Cause.CONNECTION_FAILED, Cause.DNS_FAILURE})
_SEVERAL_DOMAINS = 3

_DECIDES = {
    Status.QUEUED: (EventKind.HELD,),
    Status.DELAYED: (EventKind.DEFERRED, EventKind.HELD),
    Status.DELIVERED: (EventKind.DELIVERED,),
    Status.BOUNCED: (EventKind.BOUNCED, EventKind.EXPIRED, EventKind.BOUNCE_RECEIVED),
    Status.SUPPRESSED: (EventKind.SUPPRESSED,),
    Status.REJECTED: (EventKind.REJECTED,),
    Status.RENDERING_FAILED: (EventKind.RENDERING_FAILED,),
    Status.COMPLAINED: (EventKind.COMPLAINED,),
    Status.REFUSED: (EventKind.REFUSED,),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """A delivery with the events about it (and about its whole message), in order."""

    message: Message
    delivery: Delivery
    events: tuple[Event, ...]
    now: Instant
    suppressions: tuple[Suppression, ...] = ()
    history: DomainHistory | None = None
    site: str | None = None
    health: tuple[HealthPeriod, ...] = ()
    likeness: Likeness | None = None
    authentications: tuple[AuthenticationSeen, ...] = ()
    incidents: tuple[Incident, ...] = ()
    listings: tuple[Listed, ...] = ()
    rates: tuple[RateSeen, ...] = ()

    @property
    def recipient(self) -> str:
        """The recipient's address, for people."""
        return self.delivery.recipient or "(no recipient)"

    @property
    def domain(self) -> str:
        """The recipient's domain."""
        return self.delivery.domain

    @property
    def decisive(self) -> Event | None:
        """The last event that made the status what it is; None where the ledger holds none."""
        kinds = _DECIDES[self.delivery.status]
        return next(
            (
                event
                for event in reversed(self.events)
                if event.kind in kinds and (self.is_held or event.kind is not EventKind.HELD)
            ),
            None,
        )

    @property
    def attempted(self) -> tuple[tuple[Event, Attempted], ...]:
        """The events that are attempts, with their facts."""
        return tuple((event, event.fact) for event in self.events if isinstance(event.fact, Attempted))

    @property
    def last_attempt(self) -> Attempt | None:
        """The newest attempt."""
        attempted = self.attempted
        return attempted[-1][1].attempt if attempted else None

    @property
    def is_open(self) -> bool:
        """Whether anything more is tried."""
        return self.delivery.status in OPEN_STATUSES

    @property
    def is_held(self) -> bool:
        """Whether Waybill holds it back now."""
        return self.is_open and self.delivery.cause is Cause.HELD_BY_WAYBILL

    @property
    def held_until(self) -> Instant | None:
        """When it is due again, if it is held; None where somebody must release it. A hold may have been prolonged since its event."""
        next_at = self.delivery.next_at
        return None if next_at is None or next_at >= self.delivery.expires_at else next_at

    @property
    def hold_ends(self) -> Instant | None:
        """The end of the hold itself, where it has one; each delivery goes a moment after that. None: by no clock."""
        until, hold = self.held_until, self.last_hold
        if hold is None or hold[1].limit == SENDING_POOL:
            return None
        end = hold[1].until
        if until is None or end is None:
            return until
        return end if 0 <= until - end <= HOLD_SPREAD else until

    @property
    def last_hold(self) -> tuple[Event, Held] | None:
        """The hold that stands, or stood at the end: nothing was tried, and nobody released it, after it began."""
        for event in reversed(self.events):
            if isinstance(event.fact, Held):
                return event, event.fact
            if isinstance(event.fact, Attempted | Released):
                return None
        return None

    @property
    def due_at(self) -> Instant:
        """When a worker should have taken it up: it was due, and nobody held it."""
        delivery = self.delivery
        next_at = delivery.next_at
        if next_at is None:
            next_at = delivery.expires_at if self.is_held else delivery.updated_at
        return max(min(next_at, delivery.expires_at), delivery.lease_until or 0)

    @property
    def is_stuck(self) -> bool:
        """Whether it is due and nobody works on it: a pure function of the facts, so that it is seen while the service is down."""
        return self.is_open and self.now - self.due_at > STUCK_AFTER

    @property
    def is_untaken(self) -> bool:
        """Whether it is due, and no worker has taken it for some seconds: none may be there."""
        return self.is_open and self.now - self.due_at > UNTAKEN_AFTER

    @property
    def domains_alike(self) -> int:
        """Mail to how many domains met the same, where that speaks of our own network or resolver; 0 where it does not."""
        if self.history is None or not {self.cause, self.underlying_cause} & _MAY_BE_OURS:
            return 0
        domains = self.history.same_cause_domains
        return domains if domains >= _SEVERAL_DOMAINS else 0

    @property
    def gives_up_next(self) -> bool:
        """Whether its time ends before another attempt would be due."""
        next_at = self.delivery.next_at
        return self.delivery.status is Status.DELAYED and next_at is not None and next_at >= self.delivery.expires_at

    @property
    def cause(self) -> Cause | None:
        """The cause to explain; None only for what is queued and well."""
        if self.is_stuck:
            return Cause.STUCK
        if self._waits_for is None and self.delivery.status is not Status.QUEUED:
            return Cause.UNDETERMINED
        if self._waits_for is Cause.ACCEPTED_BY_RECEIVER and self.came_late is not None:
            return Cause.DELAYED_BEFORE_ACCEPTANCE
        return self.delivery.cause if self.is_held else self._waits_for

    @property
    def came_late(self) -> Before | None:
        """What went by before Waybill had a message that was taken, where that was long, and longer than all that came after."""
        attempt = self.last_attempt
        before = time_before(self.message) if attempt is not None else None
        if attempt is None or before is None or before.ms < LATE:
            return None
        return before if before.ms > attempt.ended_at - self.message.accepted_at else None

    @property
    def _waits_for(self) -> Cause | None:
        """The cause on record, without what Waybill itself adds while it holds or has forgotten a delivery that is open."""
        delivery = self.delivery
        ours = self.is_open and delivery.cause in {Cause.HELD_BY_WAYBILL, Cause.STUCK}
        return delivery.underlying_cause if ours else delivery.cause

    @property
    def underlying_cause(self) -> Cause | None:
        """What stands behind a cause that only says that time went by."""
        if self.is_stuck or self.is_held:
            return self._waits_for
        if self.delivery.cause is Cause.STUCK and self.is_open:  # it has been taken up since
            return None
        if self.cause is Cause.PROVIDER_INCIDENT and self.delivery.underlying_cause is None:  # it was held meanwhile
            return self.last_attempt.outcome.cause if self.last_attempt is not None else None
        if self.cause is not Cause.DELIVERY_EXPIRED or self.delivery.underlying_cause is not None:
            return self.delivery.underlying_cause
        expired = self.event_of(EventKind.EXPIRED)
        return expired.fact.underlying_cause if expired and isinstance(expired.fact, Expired) else Cause.UNDETERMINED

    @property
    def added(self) -> tuple[SuppressionAdded, ...]:
        """The lists that this message put its recipient on."""
        return tuple(event.fact for event in self.events if isinstance(event.fact, SuppressionAdded))

    def event_of(self, kind: EventKind) -> Event | None:
        """The newest event of a kind."""
        return next((event for event in reversed(self.events) if event.kind is kind), None)

    def blames(self, branch: Branch) -> bool:
        """Whether the cause, or what stands behind it, belongs to a branch. A delivery that was taken blames nobody."""
        if self.cause is Cause.ACCEPTED_BY_RECEIVER:
            return False
        return any(
            cause is not None and CATALOGUE[cause].branch is branch for cause in (self.cause, self.underlying_cause)
        )
