"""The explanation: what is told about a message, as records. ``to_json`` gives the public form."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from waybill.explain.live_record import Live, live_json
from waybill.model.cause import Branch, Cause, Responder, Scope
from waybill.model.clock import Instant, rfc3339
from waybill.model.message import Source, Status

VERSION = 1


class Who(StrEnum):
    """Who can do something about it."""

    SENDER = "sender"
    RECIPIENT = "recipient"
    RECIPIENT_ADMIN = "recipient_admin"
    OPERATOR = "operator"
    NOBODY = "nobody"


class Verdict(StrEnum):
    """What walking a branch came to."""

    OK = "ok"
    PROBLEM = "problem"
    UNKNOWN = "unknown"
    NOT_APPLICABLE = "not_applicable"


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """A fact that the answer rests on, verbatim, with the ledger's event it stands in."""

    at: Instant
    kind: str
    source: str
    text: str
    event: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Remedy:
    """What to do, addressed to the one who can. ``command`` works as printed."""

    who: Who
    text: str
    command: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Hypothesis:
    """Another cause that the evidence does not rule out, and the fact that would decide. ``confidence`` is likely or possible."""

    cause: Cause
    confidence: str
    text: str
    decided_by: str
    command: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class BranchFinding:
    """What one of the six questions came to."""

    verdict: Verdict
    text: str


BEFORE_ACCEPTANCE = "before_acceptance"
IN_WAYBILL = "in_waybill"
AT_RECEIVER = "at_receiver"
AFTER_ACCEPTANCE = "after_acceptance"


@dataclass(frozen=True, kw_only=True, slots=True)
class DelayPart:
    """A stretch of time with its author: ``client``, ``waybill``, ``dns``, ``network``, a host, or whoever set a hold."""

    where: str
    start: Instant
    end: Instant
    by: str
    text: str

    @property
    def ms(self) -> int:
        """How long it was."""
        return self.end - self.start


@dataclass(frozen=True, kw_only=True, slots=True)
class Delay:
    """Where the time went, in milliseconds; None where it is not known. Each figure is the sum of the parts there."""

    before_acceptance_ms: int | None = None
    in_waybill_ms: int | None = None
    at_receiver_ms: int | None = None
    after_acceptance_ms: int | None = None
    parts: tuple[DelayPart, ...] = ()
    attempts: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Next:
    """What happens next by itself."""

    text: str
    retry_at: Instant | None = None
    expires_at: Instant | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class TimelineEntry:
    """One event in one line."""

    at: Instant
    kind: str
    text: str
    event: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Telling:
    """What a branch's module has to say about a case: the words, before the frame is put around them.

    ``effect`` is what Waybill did as a consequence; ``permanent`` None while nothing is decided.
    """

    headline: str
    evidence: tuple[Evidence, ...]
    remedies: tuple[Remedy, ...]
    scope: Scope | None
    responder: Responder | None
    permanent: bool | None
    confidence: str = "certain"
    effect: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RecipientExplanation:
    """Where one recipient's copy is and why."""

    recipient: str
    status: Status
    cause: Cause | None
    underlying_cause: Cause | None
    branch: Branch | None
    telling: Telling
    branches: dict[Branch, BranchFinding]
    delay: Delay
    next: Next
    timeline: tuple[TimelineEntry, ...]
    hypotheses: tuple[Hypothesis, ...] = ()
    live: Live | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Explanation:
    """The whole answer for one message."""

    message_id: str
    accepted_at: Instant
    source: Source
    sender: str
    subject: str | None
    configuration_set: str | None
    recipients: tuple[RecipientExplanation, ...]
    version: int = VERSION


def _instant(at: Instant | None) -> str | None:
    return None if at is None else rfc3339(at)


def to_json(explanation: Explanation) -> dict[str, Any]:
    """The explanation as ``waybill explain --json`` and the API give it (docs: the explanation's JSON Schema)."""
    return {
        "version": explanation.version,
        "message_id": explanation.message_id,
        "accepted_at": rfc3339(explanation.accepted_at),
        "source": explanation.source.value,
        "from": explanation.sender,
        "subject": explanation.subject,
        "configuration_set": explanation.configuration_set,
        "recipients": [_recipient_json(recipient) for recipient in explanation.recipients],
    }


def part_json(part: DelayPart) -> dict[str, Any]:
    """A stretch of time as ``delay.parts`` lists it."""
    return {
        "where": part.where,
        "from": rfc3339(part.start),
        "to": rfc3339(part.end),
        "ms": part.ms,
        "by": part.by,
        "text": part.text,
    }


def _recipient_json(recipient: RecipientExplanation) -> dict[str, Any]:
    telling, delay, following = recipient.telling, recipient.delay, recipient.next
    return {
        "recipient": recipient.recipient,
        "status": recipient.status.value,
        "cause": recipient.cause,
        "underlying_cause": recipient.underlying_cause,
        "branch": recipient.branch,
        "scope": telling.scope,
        "responder": telling.responder,
        "permanent": telling.permanent,
        "confidence": telling.confidence,
        "headline": telling.headline,
        "effect": telling.effect,
        "evidence": [
            {"at": rfc3339(item.at), "kind": item.kind, "source": item.source, "text": item.text, "event": item.event}
            for item in telling.evidence
        ],
        "remedies": [
            {"who": remedy.who.value, "text": remedy.text, "command": remedy.command} for remedy in telling.remedies
        ],
        "hypotheses": [
            {
                "cause": one.cause,
                "confidence": one.confidence,
                "text": one.text,
                "decided_by": one.decided_by,
                "command": one.command,
            }
            for one in recipient.hypotheses
        ],
        "branches": {
            branch.value: {"verdict": finding.verdict.value, "text": finding.text}
            for branch, finding in recipient.branches.items()
        },
        "delay": {
            "before_acceptance_ms": delay.before_acceptance_ms,
            "in_waybill_ms": delay.in_waybill_ms,
            "at_receiver_ms": delay.at_receiver_ms,
            "after_acceptance_ms": delay.after_acceptance_ms,
            "parts": [part_json(part) for part in delay.parts],
        },
        "next": {
            "retry_at": _instant(following.retry_at),
            "expires_at": _instant(following.expires_at),
            "text": following.text,
        },
        "timeline": [
            {"at": rfc3339(entry.at), "event": entry.event, "kind": entry.kind, "text": entry.text}
            for entry in recipient.timeline
        ],
        **({"live": live_json(recipient.live)} if recipient.live is not None else {}),
    }
