"""How the queue looks, to people and to programs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from waybill.cli.show import harmless
from waybill.explain.words import span
from waybill.model.cause import Cause
from waybill.model.clock import Instant, rfc3339
from waybill.model.event import Attempted, Event, Held, Stuck
from waybill.model.message import Delivery
from waybill.model.resource import Suspension
from waybill.store.queueing import SiteQueue

_WIDTH = 30
_MOST_NAMED = 5
_FOREVER = "until somebody releases it"
UNKNOWN_SITE = "no mail to a site of this name has been seen; its name must be one that `waybill queue list` shows, or a provider's"


@dataclass(frozen=True, kw_only=True, slots=True)
class Waiting:
    """A delivery that waits, and why: ``hold`` where Waybill holds it, ``why`` the words of the hold or of the last attempt."""

    delivery: Delivery
    hold: Held | None
    why: str

    @classmethod
    def of(cls, delivery: Delivery, events: Sequence[Event]) -> "Waiting":
        """The reason that the ledger's newest events about the recipient give."""
        about = [event.fact for event in reversed(events) if event.recipient == delivery.recipient]
        hold = next((fact for fact in about if isinstance(fact, Held)), None)
        if delivery.cause is Cause.HELD_BY_WAYBILL and hold is not None:
            return cls(delivery=delivery, hold=hold, why=hold.text)
        for fact in about:
            if isinstance(fact, Attempted):
                return cls(delivery=delivery, hold=None, why=fact.attempt.outcome.diagnostic)
            if isinstance(fact, Stuck):
                return cls(delivery=delivery, hold=None, why=fact.text)
        return cls(delivery=delivery, hold=None, why="not tried yet")


def waiting_json(one: Waiting) -> dict[str, Any]:
    """A delivery that waits, for programs."""
    delivery, hold = one.delivery, one.hold
    return {
        "id": delivery.id,
        "message_id": delivery.message_id,
        "account": delivery.account,
        "recipient": delivery.recipient,
        "status": delivery.status.value,
        "cause": delivery.cause.value if delivery.cause else None,
        "underlying_cause": delivery.underlying_cause.value if delivery.underlying_cause else None,
        "attempts": delivery.attempts,
        "accepted_at": rfc3339(delivery.accepted_at),
        "next_at": rfc3339(next_at) if (next_at := next_attempt(delivery)) is not None else None,
        "expires_at": rfc3339(delivery.expires_at),
        "lease_owner": delivery.lease_owner,
        "held": None if hold is None else {"limit": hold.limit, "by": hold.by},
        "why": one.why,
    }


def next_attempt(delivery: Delivery) -> Instant | None:
    """When it is tried next; None where it waits to be released, or is over before."""
    at = delivery.next_at
    return None if at is None or at >= delivery.expires_at else at


def waiting_lines(waiting: Sequence[Waiting], at: Instant) -> list[str]:
    """Two lines for each: what it is and when it goes on, and why it waits."""
    lines: list[str] = []
    for one in waiting:
        delivery = one.delivery
        cause = delivery.underlying_cause if one.hold is not None else delivery.cause
        tries = "1 attempt" if delivery.attempts == 1 else f"{delivery.attempts} attempts"
        words = "held" if one.hold is not None else delivery.status.value
        about = f"{words}{f' ({cause})' if cause else ''}, {tries}, {_when(delivery, at)}"
        lines.append(f"{delivery.message_id}  {harmless(delivery.recipient)}  {about}")
        author = f" [{one.hold.by}]" if one.hold is not None else ""
        lines.append(f"    {harmless(one.why)}{author}")
    return lines


def _when(delivery: Delivery, at: Instant) -> str:
    if (delivery.lease_until or 0) > at:
        return "in a worker's hands"
    next_at = next_attempt(delivery)
    if next_at is None:
        return f"{_FOREVER}, at the latest until it expires at {rfc3339(delivery.expires_at)}"
    return "due" if next_at <= at else f"next {rfc3339(next_at)}"


def site_lines(sites: Sequence[SiteQueue], at: Instant) -> list[str]:
    """One line for each site."""
    if not sites:
        return ["Nothing waits."]
    return [_site_line(one, at) for one in sites]


def _site_line(one: SiteQueue, at: Instant) -> str:
    parts = [f"{one.waiting} waiting"]
    parts += [
        f"{count} {word}"
        for count, word in ((one.held, "held"), (one.due, "due"), (one.under_lease, "in hand"))
        if count
    ]
    parts.append(f"oldest {span(max(0, at - one.oldest_at))}")
    if one.next_at is not None and one.next_at > at:
        parts.append(f"next in {span(one.next_at - at)}")
    causes = ", ".join(f"{count} {cause}" for cause, count in sorted(one.causes.items(), key=lambda item: -item[1]))
    return f"{one.site:{_WIDTH}}  {', '.join(parts)}{f'  ({causes})' if causes else ''}"


def held_text(reason: str, suspension: Suspension | None) -> str:
    """What the ledger says of mail that an operator holds."""
    if suspension is None:
        return f"Held by hand: {reason or 'no reason was given'}"
    return f"All mail to {suspension.name} is suspended {_until(suspension)}: {suspension.reason}"


def _until(suspension: Suspension) -> str:
    return "until somebody resumes it" if suspension.until is None else f"until {rfc3339(suspension.until)}"


def suspension_lines(suspensions: Sequence[Suspension]) -> list[str]:
    """What is suspended, by whom and why, and how to undo it."""
    lines: list[str] = []
    for one in suspensions:
        rate = f", {one.per_minute:g} messages a minute still go" if one.per_minute else ""
        lines.append(f"{one.name:{_WIDTH}}  since {rfc3339(one.at)}, {_until(one)}, by {one.by}{rate}")
        lines.append(f"    why:   {harmless(one.reason)}")
        if one.reply is not None:
            lines.append(f"    reply: {harmless(one.reply)} (message {one.message_id})")
        lines.append(f"    undo:  waybill queue resume {one.name}")
    return lines or ["No site is suspended."]


def report_lines(done: Mapping[str, Any], undo: str = "") -> list[str]:
    """What a change came to: how many, what it left, and the command that undoes it."""
    in_hand = f"; {_people(done['in_hand'])} in a worker's hands at this moment" if done.get("in_hand") else ""
    lines: list[str] = []
    if "due" in done:
        lines.append(f"{_people(done['due'])} due now{in_hand}.")
        if done["held"]:
            lines.append(f"{_people(done['held'])} still held; to end that: waybill queue {undo}")
        lines += _probed(done)
    elif "released" in done:
        ended = "Mail to {} goes again." if done["known"] else f"The suspension of {{}} has ended; {UNKNOWN_SITE}."
        lines += [ended.format(site) for site in done["resumed"]]
        lines.append(f"{_people(done['released'])} released and due now.")
        lines += _probed(done)
        lines += [
            f"{site} is still suspended, and what goes there is held again: waybill queue resume {site}"
            for site in done["suspended"]
        ]
    else:
        until = f"until {done['until']}" if done["until"] else None
        suspension = done["suspension"]
        if suspension is not None:
            unknown = "" if done["known"] else f"; but {UNKNOWN_SITE}"
            lines.append(f"Mail to {suspension['site']} is suspended {until or 'until somebody resumes it'}{unknown}.")
        lines.append(f"{_people(done['held'])} held {until or _FOREVER}{in_hand}.")
        lines.append(f"To undo it: waybill queue {undo}")
    return lines


def _probed(done: Mapping[str, Any]) -> list[str]:
    """What becomes of mail that had waited for servers that nobody answered for."""
    sites = done["probed"]
    if not sites:
        return []
    named = ", ".join(sites[:_MOST_NAMED]) + (
        f" and {len(sites) - _MOST_NAMED} more" if len(sites) > _MOST_NAMED else ""
    )
    return [
        f"Nobody had answered for {named}: one message is tried at once; if nobody answers again, the others are held again."
    ]


def _people(count: int) -> str:
    return "1 recipient is" if count == 1 else f"{count} recipients are"
