"""When to try again: a pure function of what came of the attempt, how many there were, age and chance."""

import re
from dataclasses import dataclass

from waybill.model.cause import Cause
from waybill.model.clock import DAY, HOUR, MINUTE, SECOND, Instant
from waybill.model.outcome import Outcome

JITTER = 0.1
"""Retries spread over ±10 % so that a batch that failed together does not return together."""

GREYLIST_MARGIN = SECOND
"""Added to the time that a greylisting reply names: two clocks are never the same, and a moment too early begins it anew."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How patiently a cause is tried again, in terms of the configured waits, so that short ones stay short.

    The first retry takes the first wait that is ``least`` or longer, but none behind the wait at ``begin`` (0: the first);
    ``stretch`` is how far the last wait grows, doubling.
    """

    begin: int = 0
    least: int = 0
    stretch: int = 1

    def first(self, waits: tuple[int, ...]) -> int:
        """The place of the first retry's wait."""
        return next((place for place, wait in enumerate(waits[: self.begin]) if wait >= self.least), self.begin)


_AS_CONFIGURED = Policy()

# The second wait, 5 minutes by default: what greylisting filters ask for where they name no time (postgrey, milter-greylist).
_GREYLISTED = Policy(begin=1, least=5 * MINUTE)

# From the third, 15 minutes: who is told to be slower and comes back at once is told so again, for longer.
_RATE = Policy(begin=2, least=10 * MINUTE, stretch=2)

# From the fourth, 30 minutes, then hours: no retry changes a reputation, a listing or a policy, and each one that is
# refused counts against it. Somebody has to act first.
_STANDING = Policy(begin=3, least=30 * MINUTE, stretch=4)

# From the last, an hour: a mailbox or a disk is emptied by people.
_FULL = Policy(begin=4, least=HOUR, stretch=4)

# As slowly, and few: a 4xx for an unknown user is a directory that is being repaired, or a filter that is shy to say 5xx.
_DOUBTFUL = Policy(begin=3, least=30 * MINUTE, stretch=4)

POLICIES = {
    Cause.GREYLISTED: _GREYLISTED,
    Cause.RATE_LIMITED: _RATE,
    Cause.RECIPIENT_RATE_LIMITED: _RATE,
    Cause.TOO_MANY_RECIPIENTS: _RATE,
    Cause.MAILBOX_FULL: _FULL,
    Cause.SERVER_FULL: _FULL,
    **dict.fromkeys(
        (
            Cause.POLICY_REJECTED,
            Cause.RECIPIENT_RESTRICTED,
            Cause.RELAY_DENIED,
            Cause.SENDER_INVALID,
            Cause.SPAM_CONTENT,
            Cause.VIRUS_DETECTED,
            Cause.ATTACHMENT_REJECTED,
            Cause.IP_BLOCKLISTED,
            Cause.DOMAIN_BLOCKLISTED,
            Cause.LOW_REPUTATION,
            Cause.AUTH_FAILED,
            Cause.PTR_MISSING,
        ),
        _STANDING,
    ),
    **dict.fromkeys(
        (
            Cause.USER_UNKNOWN,
            Cause.MAILBOX_DISABLED,
            Cause.ADDRESS_MOVED,
            Cause.ADDRESS_INVALID,
            Cause.DOMAIN_NOT_FOUND,
            Cause.DOMAIN_NO_MAIL,
        ),
        _DOUBTFUL,
    ),
}
"""All other causes (servers that are down, networks, DNS, our own faults) follow the configured waits."""

_NAMES_A_TIME = frozenset({Cause.GREYLISTED, Cause.RATE_LIMITED, Cause.RECIPIENT_RATE_LIMITED})
_UNITS = {"s": SECOND, "m": MINUTE, "h": HOUR}
_CLOCKED = re.compile(
    r"\b(?:in|for|after|wait|within|delay(?:ed)?|retry)\b[^0-9]{0,12}(\d{1,3}):(\d\d)(?::(\d\d))?(?![\d:.])"
)
_SPOKEN = re.compile(
    r"\b(?:in|for|after|wait|waiting|least|another|retry|delay(?:ed)?|period|time|remaining)\b"
    r"[^0-9a-z]{0,3}(?:(?:about|at least|of|is|more|than|approximately|another|next)\b[^0-9a-z]{0,3}){0,3}"
    r"(\d{1,7})\s?(s|sec|secs|seconds?|m|min|mins|minutes?|h|hrs?|hours?)\b"
    r"(?:[ ,]{0,2}(?:and )?(\d{1,5})\s?(s|secs?|seconds?|m|mins?|minutes?)\b)?"
)
_COUNTED = re.compile(r"(?<![\w.:/-])(\d{1,7})\s?(s|secs?|seconds?|mins?|minutes?|hours?)\b(?! ago)")


def named_wait(reply: str) -> int | None:
    """The time, in milliseconds, after which a reply invites us to come back; None where it names none.

    As greylisting filters write it: ``in 300 seconds``, ``after 4 min``, ``in 00:04:59`` (milter-greylist), ``5 minutes``.
    """
    text = reply.lower()
    found = _CLOCKED.search(text)
    if found is not None:
        first, second, third = int(found[1]), int(found[2]), found[3]
        wait = (
            first * MINUTE + second * SECOND if third is None else first * HOUR + second * MINUTE + int(third) * SECOND
        )
    else:
        found = _SPOKEN.search(text) or _COUNTED.search(text)
        if found is None:
            return None
        wait = int(found[1]) * _UNITS[found[2][0]]
        if found.re is _SPOKEN and found[3] is not None:
            wait += int(found[3]) * _UNITS[found[4][0]]
    return wait if 0 < wait <= DAY else None


def next_attempt(
    waits: tuple[int, ...], outcome: Outcome, *, attempts: int, now: Instant, expires_at: Instant, chance: float
) -> Instant:
    """The instant of the next attempt after ``attempts`` have failed; at the latest when the message expires.

    ``waits`` are milliseconds, the last repeats; ``chance`` is uniform in 0..1. A last wait that would end after the
    expiry ends with it: then the delivery expires.
    """
    wait = round(_wait(waits, outcome.cause, max(attempts, 1)) * (1 + JITTER * (2 * chance - 1)))
    named = named_wait(outcome.reply.text) if outcome.reply is not None and outcome.cause in _NAMES_A_TIME else None
    if named is not None:
        named += GREYLIST_MARGIN + round(named * JITTER * chance)  # later, never earlier
        wait = named if outcome.cause is Cause.GREYLISTED else max(wait, named)
    return min(now + wait, expires_at)


def _wait(waits: tuple[int, ...], cause: Cause, attempts: int) -> int:
    policy = POLICIES.get(cause, _AS_CONFIGURED)
    first = policy.first(waits)
    place = first + attempts - 1
    beyond = place - max(len(waits) - 1, first)
    stretch = policy.stretch if beyond >= policy.stretch else min(2 ** max(0, beyond), policy.stretch)
    return waits[min(place, len(waits) - 1)] * stretch
