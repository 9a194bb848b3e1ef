"""What Amazon SES told of a message that it sent itself, and what becomes of it: the same whatever the order it was told in."""

import dataclasses
from collections.abc import Iterable
from dataclasses import field
from enum import StrEnum

from waybill.model.cause import Cause, Responder, Scope
from waybill.model.clock import HOUR, Instant
from waybill.model.message import Message, Status
from waybill.model.record import record

LONGEST = 14 * HOUR
"""For so long SES tries (its "unable to deliver in 840 minutes"), unless a configuration set says less."""

UNKNOWN_ACCOUNT = "unknown"
"""The account of events that name none (sendingAccountId, sourceArn)."""

NOT_SENT = frozenset({Cause.SUPPRESSED_ACCOUNT, Cause.SUPPRESSED_GLOBAL, Cause.UNSUBSCRIBED})
"""Bounces by which SES says that it has not tried."""


class AmazonEvent(StrEnum):
    """The types of SES's events, spelled as its JSON spells them."""

    SEND = "Send"
    DELIVERY = "Delivery"
    BOUNCE = "Bounce"
    COMPLAINT = "Complaint"
    REJECT = "Reject"
    RENDERING_FAILURE = "Rendering Failure"
    DELIVERY_DELAY = "DeliveryDelay"
    OPEN = "Open"
    CLICK = "Click"
    SUBSCRIPTION = "Subscription"


@record(frozen=True, kw_only=True, slots=True)
class AmazonReported:
    """An event of Amazon SES about one recipient: its own words, and what Waybill reads in them.

    ``kind`` and ``sub_type`` are SES's (bounceType and bounceSubType, delayType, complaintFeedbackType and
    complaintSubType); ``status``, ``action`` and ``diagnostic`` those of the bounced recipient (RFC 3464), where
    ``diagnostic`` is also a delivery's smtpResponse, a rejection's reason, a rendering failure's message.
    ``processing_ms`` is SES's processingTimeMillis, ``expires_at`` when it gives up. ``detail`` holds what else it told.
    """

    type: AmazonEvent
    cause: Cause | None = None
    underlying_cause: Cause | None = None
    scope: Scope | None = None
    responder: Responder | None = None
    permanent: bool | None = None
    confidence: str = "certain"
    rule: str = ""
    kind: str | None = None
    sub_type: str | None = None
    status: str | None = None
    action: str | None = None
    diagnostic: str | None = None
    reporting_mta: str | None = None
    remote_ip: str | None = None
    feedback_id: str | None = None
    processing_ms: int | None = None
    expires_at: Instant | None = None
    region: str | None = None
    detail: dict[str, str] = field(default_factory=dict)

    @property
    def is_wordless(self) -> bool:
        """Whether it is a soft bounce without a report behind it, which SES also makes of an out-of-office reply."""
        return self.type is AmazonEvent.BOUNCE and self.kind == "Transient" and not (self.diagnostic or self.status)

    @property
    def rank(self) -> int:
        """How much it decides: what came to an end weighs more than what is on its way, whenever it was told."""
        if self.type is AmazonEvent.COMPLAINT:
            return self._rank_of_complaint
        if self.type in _ENGAGED and self.cause is None:
            return _RANKS[AmazonEvent.SUBSCRIPTION]  # of several recipients nobody knows which it was
        return _WORDLESS if self.is_wordless else _RANKS[self.type]

    @property
    def is_no_complaint(self) -> bool:
        """Whether it came as a complaint and says that nobody has complained."""
        return self.type is AmazonEvent.COMPLAINT and self.cause in {None, Cause.ACCEPTED_BY_RECEIVER}

    @property
    def _rank_of_complaint(self) -> int:
        if self.cause in NOT_SENT:
            return _RANKS[AmazonEvent.BOUNCE]
        if self.is_no_complaint:
            return _RANKS[AmazonEvent.SUBSCRIPTION if self.cause is None else AmazonEvent.OPEN]
        return _PERHAPS if "candidates" in self.detail else _RANKS[AmazonEvent.COMPLAINT]


@record(frozen=True, kw_only=True, slots=True)
class AmazonAsked:
    """What Amazon SES's API answered when Waybill asked it with the operator's credentials.

    ``api`` is the operation, ``command`` the aws command that shows the same. ``failed`` says in words why it could not
    be asked, and is None where it was; then ``text`` says what came, and ``found`` holds its parts.
    """

    api: str
    command: str
    text: str = ""
    found: dict[str, str] = field(default_factory=dict)
    failed: str | None = None


@record(frozen=True, kw_only=True, slots=True)
class Fate:
    """Where a delivery stands by all that was reported of it."""

    status: Status
    cause: Cause | None
    underlying_cause: Cause | None
    expires_at: Instant
    updated_at: Instant


_ENGAGED = frozenset({AmazonEvent.OPEN, AmazonEvent.CLICK})
_WORDLESS = 2
_PERHAPS = 5  # a complaint of one of several
_RANKS = {
    AmazonEvent.SUBSCRIPTION: -1,
    AmazonEvent.SEND: 0,
    AmazonEvent.DELIVERY_DELAY: 1,
    AmazonEvent.OPEN: 3,  # whoever opened it has it, although the delivery was not reported
    AmazonEvent.CLICK: 3,
    AmazonEvent.DELIVERY: 4,
    AmazonEvent.BOUNCE: 6,
    AmazonEvent.REJECT: 7,
    AmazonEvent.RENDERING_FAILURE: 7,
    AmazonEvent.COMPLAINT: 8,
}

_STATUSES = {
    AmazonEvent.SUBSCRIPTION: Status.QUEUED,
    AmazonEvent.SEND: Status.QUEUED,
    AmazonEvent.DELIVERY_DELAY: Status.DELAYED,
    AmazonEvent.OPEN: Status.DELIVERED,
    AmazonEvent.CLICK: Status.DELIVERED,
    AmazonEvent.DELIVERY: Status.DELIVERED,
    AmazonEvent.REJECT: Status.REJECTED,
    AmazonEvent.RENDERING_FAILURE: Status.RENDERING_FAILED,
}


def weight(at: Instant, fact: AmazonReported) -> tuple[int, Instant, str]:
    """The order in which reports decide: of all, the heaviest. Between equals of the same instant the text does."""
    return fact.rank, at, repr(fact)


def status_of(fact: AmazonReported) -> Status:
    """The status that a report, taken alone, means."""
    if fact.cause in NOT_SENT:
        return Status.SUPPRESSED
    if fact.is_no_complaint:
        return Status.QUEUED if fact.cause is None else Status.DELIVERED
    if fact.type is AmazonEvent.COMPLAINT:
        return Status.COMPLAINED
    if fact.type in _ENGAGED and fact.cause is None:
        return Status.QUEUED
    return _STATUSES.get(fact.type, Status.BOUNCED)


def underlying_of(fact: AmazonReported, reported: Iterable[tuple[Instant, AmazonReported]]) -> Cause | None:
    """What stands behind an expiry: what its own words say, else the last delay that was reported."""
    if fact.cause is not Cause.DELIVERY_EXPIRED:
        return fact.underlying_cause
    if fact.underlying_cause not in {None, Cause.UNDETERMINED}:
        return fact.underlying_cause
    delays = [one for one in reported if one[1].type is AmazonEvent.DELIVERY_DELAY]
    last = max(delays, key=lambda one: weight(*one), default=None)
    return (last[1].cause if last else None) or Cause.UNDETERMINED


def fate_of(accepted_at: Instant, reported: Iterable[tuple[Instant, AmazonReported]]) -> Fate:
    """Where a delivery stands, from all reports about it, in whatever order they came."""
    known = list(reported)
    heaviest = max(known, key=lambda one: weight(*one), default=None)
    limits = [fact.expires_at for _, fact in known if fact.expires_at is not None]
    expires_at = max(limits, default=accepted_at + LONGEST)
    updated_at = max((at for at, _ in known), default=accepted_at)
    if heaviest is None:
        return Fate(
            status=Status.QUEUED, cause=None, underlying_cause=None, expires_at=expires_at, updated_at=updated_at
        )
    fact = heaviest[1]
    return Fate(
        status=status_of(fact),
        cause=fact.cause,
        underlying_cause=underlying_of(fact, known),
        expires_at=expires_at,
        updated_at=updated_at,
    )


def same_account(one: Message, other: Message) -> bool:
    """Whether two reports can be about one message: they name the same account, or one of them none."""
    return one.account == other.account or UNKNOWN_ACCOUNT in {one.account, other.account}


def join(one: Message, other: Message) -> Message:
    """What two reports together tell of their message: of each field the fuller. The order does not matter."""
    merged = {name: max(getattr(one, name), getattr(other, name), key=_fullness) for name in _JOINED}
    return dataclasses.replace(
        one,
        **merged,
        account=other.account if one.account == UNKNOWN_ACCOUNT else one.account,
        accepted_at=min(one.accepted_at, other.accepted_at),
        destination=one.destination
        if one.destination == other.destination
        else tuple(sorted({*one.destination, *other.destination})),
        tags={name: max(one.tags.get(name, ""), other.tags.get(name, "")) for name in sorted({*one.tags, *other.tags})},
        headers_truncated=one.headers_truncated or other.headers_truncated,
    )


_JOINED = (
    *("operation", "sender", "source_header", "subject", "identity", "configuration_set", "headers", "template"),
    *("client_ip", "client_tls", "caller", "feedback_to"),
)


def _fullness(value: object) -> tuple[int, str]:
    if value is None:
        return -1, ""
    return (len(value) if isinstance(value, str | tuple) else 0), repr(value)
