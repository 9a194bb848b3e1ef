"""The ledger's events: every fact about a message, append-only, each with its own record type."""

from enum import StrEnum
from typing import Any, TypeAlias

from waybill.model.amazon import AmazonAsked, AmazonReported
from waybill.model.authentication import SignatureBroken
from waybill.model.cause import Cause, Responder, Scope
from waybill.model.clock import Instant
from waybill.model.content import ContentExamined
from waybill.model.outcome import Attempt
from waybill.model.probe import Probed
from waybill.model.record import record
from waybill.model.suppression import GLOBAL, Reason, Suppression
from waybill.model.traced import CopyTraced


class EventKind(StrEnum):
    """What happened. ``FACTS`` below gives the record that each kind carries."""

    ACCEPTED = "accepted"  # the id was given; about the message
    REFUSED = "refused"  # the request got an error; about the message
    RENDERING_FAILED = "rendering_failed"  # about every recipient
    REJECTED = "rejected"  # malware found by Waybill
    SUPPRESSED = "suppressed"  # a suppression list stopped it
    HELD = "held"  # waits inside Waybill
    RELEASED = "released"  # a hold was ended before its time
    PROLONGED = "prolonged"  # an incident took time from it, and it got that back
    TAKEN_OVER = "taken_over"  # the worker that had it ended without a word; another goes on
    STUCK = "stuck"  # due for too long, and no worker has taken it up
    DELIVERED = "delivered"  # an attempt, answered 250
    DEFERRED = "deferred"  # an attempt, to be tried again
    BOUNCED = "bounced"  # an attempt, refused for good
    EXPIRED = "expired"  # max_lifetime is over
    BOUNCE_RECEIVED = "bounce_received"  # a bounce mail came home after the 250
    DELAY_REPORTED = "delay_reported"  # a notice of delay came home after the 250; no bounce
    COMPLAINED = "complained"  # a complaint came home
    AUTO_REPLIED = "auto_replied"  # an out-of-office reply came home; never a bounce
    SUPPRESSION_ADDED = "suppression_added"  # this message put the recipient on a list
    SIGNATURE_BROKEN = "signature_broken"  # our own DKIM signature did not match what went out
    COPY_TRACED = "copy_traced"  # a received copy came back, and its header was read
    AMAZON_REPORTED = "amazon_reported"  # Amazon SES told of a message that it sent itself
    AMAZON_ASKED = "amazon_asked"  # what Amazon SES's API answered, asked with the operator's credentials
    PROBED = "probed"  # somebody asked what the receiver says now; no message was sent
    CONTENT_EXAMINED = "content_examined"  # its content was looked at, beside the sending; about the message


@record(frozen=True, kw_only=True, slots=True)
class Accepted:
    """The request was taken; everything else about it is on the message."""


@record(frozen=True, kw_only=True, slots=True)
class Refused:
    """The error that the client got: ``code`` is SES's error code or the SMTP reply code."""

    cause: Cause
    code: str
    text: str
    detail: dict[str, str] | None = None


@record(frozen=True, kw_only=True, slots=True)
class RenderingFailed:
    """Why the template could not be rendered. ``part`` is subject, text or html; line and column count from 1.

    ``error`` is the text SES gives (``Attribute 'x' is not present in the rendering data.``).
    ``available`` are the names the data holds at that place; ``closest`` the nearest of them to ``variable``.
    """

    cause: Cause
    error: str
    template: str | None
    template_version: int | None
    part: str | None = None
    line: int | None = None
    column: int | None = None
    tag: str | None = None
    variable: str | None = None
    available: tuple[str, ...] = ()
    closest: str | None = None


@record(frozen=True, kw_only=True, slots=True)
class MalwareFound:
    """``reason`` is SES's (``Bad content``); ``signature`` names what was found, ``where`` the part."""

    reason: str
    signature: str
    where: str


@record(frozen=True, kw_only=True, slots=True)
class Suppressed:
    """The entry that stopped the message, as it stood then; ``diagnostic`` is SES's text."""

    entry: Suppression
    feedback_id: str
    diagnostic: str

    @property
    def cause(self) -> Cause:
        """Which list it was."""
        return Cause.SUPPRESSED_GLOBAL if self.entry.account == GLOBAL else Cause.SUPPRESSED_ACCOUNT


@record(frozen=True, kw_only=True, slots=True)
class Held:
    """Waybill waits: ``limit`` names the setting or rule, ``by`` its author, ``until`` when the wait ends."""

    limit: str
    by: str
    text: str
    until: Instant | None = None


@record(frozen=True, kw_only=True, slots=True)
class Released:
    """A hold was ended, by hand or with the suspension behind it: ``by`` is who did it, ``text`` what the hold had been."""

    by: str
    text: str


@record(frozen=True, kw_only=True, slots=True)
class Prolonged:
    """It expires later, at ``until``: ``incident`` (``INC-7``, opened by the rule ``by``) took ``by_ms`` milliseconds from it."""

    incident: str
    by: str
    by_ms: int
    until: Instant
    text: str


@record(frozen=True, kw_only=True, slots=True)
class TakenOver:
    """The worker that held the delivery was killed or lost its machine, so that another attempts it.

    ``was_sending`` True: it died between the message's first octet and writing down the answer, so the recipient may get
    it twice; False: it had not begun; None: that cannot be known any more.
    """

    worker: str
    was_sending: bool | None


@record(frozen=True, kw_only=True, slots=True)
class Stuck:
    """The watchdog's word: due since ``due_at``, and no worker has taken it up."""

    due_at: Instant
    text: str


@record(frozen=True, kw_only=True, slots=True)
class Attempted:
    """An attempt and what follows from it. ``feedback_id`` is set on bounces, ``retry_at`` on deferrals."""

    attempt: Attempt
    feedback_id: str | None = None
    retry_at: Instant | None = None
    expires_at: Instant | None = None


@record(frozen=True, kw_only=True, slots=True)
class Expired:
    """Time ran out. The last real cause and words stand beside our own; ``by_configuration_set``: its MaxDeliverySeconds ended it."""

    underlying_cause: Cause
    last_diagnostic: str
    diagnostic: str
    attempts: int
    feedback_id: str
    limit_ms: int
    by_configuration_set: bool = False
    responder: Responder = Responder.WAYBILL


@record(frozen=True, kw_only=True, slots=True)
class BounceReceived:
    """A bounce mail (RFC 3464) that came home, read and classified."""

    cause: Cause
    scope: Scope
    permanent: bool
    status: str
    action: str
    diagnostic: str
    reporting_mta: str | None
    rule: str
    feedback_id: str
    suppress: bool = False


@record(frozen=True, kw_only=True, slots=True)
class DelayReported:
    """A notice of delay (RFC 3464, Action: delayed): whoever took the message has not passed it on yet, and goes on trying.

    ``cause`` is what its words say of the reason; ``retry_until`` when it gives up (Will-Retry-Until), where it says so.
    """

    cause: Cause
    status: str
    diagnostic: str
    reporting_mta: str | None
    rule: str
    retry_until: Instant | None = None


@record(frozen=True, kw_only=True, slots=True)
class Complained:
    """A complaint (ARF, RFC 5965). ``sub_type`` is None for one that came home, SES's word for a suppressed one."""

    feedback_id: str
    feedback_type: str | None
    user_agent: str | None
    arrival_date: Instant | None
    reported_by: str
    sub_type: str | None = None


@record(frozen=True, kw_only=True, slots=True)
class AutoReplied:
    """An automatic reply (RFC 3834)."""

    subject: str
    auto_submitted: str


@record(frozen=True, kw_only=True, slots=True)
class SuppressionAdded:
    """This message put its recipient on a list: ``list`` is ``account`` or ``global``."""

    list: str
    reason: Reason
    author: str
    expires_at: Instant | None = None


Fact: TypeAlias = (
    Accepted
    | Refused
    | RenderingFailed
    | MalwareFound
    | Suppressed
    | Held
    | Released
    | Prolonged
    | TakenOver
    | Stuck
    | Attempted
    | Expired
    | BounceReceived
    | DelayReported
    | Complained
    | CopyTraced
    | AutoReplied
    | SuppressionAdded
    | SignatureBroken
    | AmazonReported
    | AmazonAsked
    | Probed
    | ContentExamined
)

FACTS: dict[EventKind, type[Any]] = {
    EventKind.ACCEPTED: Accepted,
    EventKind.REFUSED: Refused,
    EventKind.RENDERING_FAILED: RenderingFailed,
    EventKind.REJECTED: MalwareFound,
    EventKind.SUPPRESSED: Suppressed,
    EventKind.HELD: Held,
    EventKind.RELEASED: Released,
    EventKind.PROLONGED: Prolonged,
    EventKind.TAKEN_OVER: TakenOver,
    EventKind.STUCK: Stuck,
    EventKind.DELIVERED: Attempted,
    EventKind.DEFERRED: Attempted,
    EventKind.BOUNCED: Attempted,
    EventKind.EXPIRED: Expired,
    EventKind.BOUNCE_RECEIVED: BounceReceived,
    EventKind.DELAY_REPORTED: DelayReported,
    EventKind.COMPLAINED: Complained,
    EventKind.COPY_TRACED: CopyTraced,
    EventKind.AUTO_REPLIED: AutoReplied,
    EventKind.SUPPRESSION_ADDED: SuppressionAdded,
    EventKind.SIGNATURE_BROKEN: SignatureBroken,
    EventKind.AMAZON_REPORTED: AmazonReported,
    EventKind.AMAZON_ASKED: AmazonAsked,
    EventKind.PROBED: Probed,
    EventKind.CONTENT_EXAMINED: ContentExamined,
}


@record(frozen=True, kw_only=True, slots=True)
class NewEvent:
    """An event not yet in the ledger. ``recipient`` is None where it is about the whole message."""

    kind: EventKind
    at: Instant
    fact: Fact
    recipient: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.fact, FACTS[self.kind]):
            msg = f"a {self.kind} event carries {FACTS[self.kind].__name__}, not {type(self.fact).__name__}"
            raise TypeError(msg)


@record(frozen=True, kw_only=True, slots=True)
class Event:
    """An event of the ledger. ``id`` grows with time and is unique in the installation."""

    id: int
    message_id: str
    kind: EventKind
    at: Instant
    fact: Fact
    recipient: str | None = None


class SesEvent(StrEnum):
    """SES's event types, spelled as API v2 spells them (``EventDestination.MatchingEventTypes``)."""

    SEND = "SEND"
    REJECT = "REJECT"
    BOUNCE = "BOUNCE"
    COMPLAINT = "COMPLAINT"
    DELIVERY = "DELIVERY"
    OPEN = "OPEN"
    CLICK = "CLICK"
    RENDERING_FAILURE = "RENDERING_FAILURE"
    DELIVERY_DELAY = "DELIVERY_DELAY"
    SUBSCRIPTION = "SUBSCRIPTION"


_SES_EVENTS = {
    EventKind.ACCEPTED: SesEvent.SEND,
    EventKind.RENDERING_FAILED: SesEvent.RENDERING_FAILURE,
    EventKind.REJECTED: SesEvent.REJECT,
    EventKind.SUPPRESSED: SesEvent.BOUNCE,
    EventKind.DELIVERED: SesEvent.DELIVERY,
    EventKind.DEFERRED: SesEvent.DELIVERY_DELAY,
    EventKind.BOUNCED: SesEvent.BOUNCE,
    EventKind.EXPIRED: SesEvent.BOUNCE,
    EventKind.BOUNCE_RECEIVED: SesEvent.BOUNCE,
    EventKind.COMPLAINED: SesEvent.COMPLAINT,
}


def ses_event(kind: EventKind, fact: Fact) -> SesEvent | None:
    """The SES event type that this fact is published as, or None where SES has none.

    A suppression for a complaint to this account is published as a Complaint, any other as a Bounce.
    """
    if isinstance(fact, Suppressed) and fact.entry.reason is Reason.COMPLAINT and fact.entry.account != GLOBAL:
        return SesEvent.COMPLAINT
    return _SES_EVENTS.get(kind)
