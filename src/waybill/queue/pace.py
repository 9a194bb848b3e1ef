"""How fast mail goes to one site: what its answers have taught, what it asked for, and whether anybody is there at all."""

import re
from dataclasses import replace
from enum import StrEnum

from waybill.model.cause import Cause, Responder, Scope
from waybill.model.clock import SECOND, Instant
from waybill.model.outcome import Attempt, Outcome, Result, Stage
from waybill.model.record import record
from waybill.queue.bucket import Bucket

FIRST_AT_ONCE = 20
"""Attempts at once to a site of which nothing is known yet."""

FAILURES = 5
"""After so many attempts in a row that reached nobody, the site rests."""

LONGEST_REST = 30
"""The longest rest, in first rests: of 30 seconds, 15 minutes."""

EASE_AFTER = 20
"""Answers without a complaint until a site that asked us to slow down gets a little more."""

EASE_EVERY = 30 * SECOND
"""The least time between two such steps."""

EASE_BY = 1.25
LEAST_RATE = 0.1
"""A site that asks us to slow down, again and again, still gets a message every ten seconds from this worker."""

_WINDOW = 10 * SECOND
_UNREACHED = frozenset({Stage.ROUTE, Stage.CONNECT, Stage.GREETING})
_SLOW_DOWN = re.compile(
    r"too many (concurrent |simultaneous |smtp |open )*(connections|sessions)|slow ?down|throttl|rate.?limit"
    r"|unusual rate|too (fast|quickly|frequent)",
    re.IGNORECASE,
)


class Turn(StrEnum):
    """What an attempt changed for the whole site."""

    SLOWED = "slowed"  # it asked us to slow down
    EASED = "eased"  # it is asked for no more patience: full pace again
    RESTS = "rests"  # nobody is there; nothing is tried for a while
    BACK = "back"  # somebody is there again


@record(frozen=True, kw_only=True, slots=True)
class PaceNote:
    """A site asked us to slow down: the reply to which message, when, and what it gets from this worker since."""

    site: str
    at: Instant
    message_id: str
    reply: str
    at_once: int
    per_second: float


@record(frozen=True, kw_only=True, slots=True)
class Rest:
    """Nobody was reached ``failures`` times in a row; ``attempt`` of ``message_id`` was the last, ``since`` began the silence."""

    since: Instant
    at: Instant
    until: Instant
    failures: int
    attempt: Attempt
    message_id: str


class Pace:
    """``most`` attempts at once and ``per_second`` are this worker's share of what the site bears."""

    def __init__(self, site: str, *, most: int, per_second: float | None, first_rest: int) -> None:
        self._site = site
        self._most = max(1, most)
        self.at_once = float(min(FIRST_AT_ONCE, self._most))
        self._own = None if per_second is None else Bucket(per_second, burst=per_second)
        self._slow: Bucket | None = None
        self._first_rest = first_rest
        self._failures = 0
        self._silent_since: Instant = 0
        self._rests = 0
        self._probed_at: Instant = 0
        self.rest: Rest | None = None
        self.note: PaceNote | None = None
        self._rate_before = 0.0
        self._answers = 0
        self._eased_at: Instant = 0
        self._window_at: Instant = 0
        self._window_count = 0
        self._last_rate = 0.0

    def room(self, now: Instant) -> int:
        """How many attempts may be under way: none while the site rests, one after that until somebody answers."""
        if self.rest is not None:
            return 0 if now < self.rest.until else 1
        return int(self.at_once)

    def ready_at(self, now: Instant) -> Instant:
        """When the next may begin, as far as the rate goes."""
        at = now if self._own is None else self._own.ready_at(now)
        return at if self._slow is None else max(at, self._slow.ready_at(now))

    @property
    def per_second(self) -> float | None:
        """The rate of the site's own record; None where it has none."""
        return None if self._own is None else self._own.per_second

    def begin(self, now: Instant) -> None:
        """An attempt begins."""
        if self._own is not None:
            self._own.take(now)
        if self._slow is not None:
            self._slow.take(now)
        if not 0 <= now - self._window_at < _WINDOW:
            self._last_rate = self._window_count / (_WINDOW / SECOND) if now - self._window_at < 2 * _WINDOW else 0.0
            self._window_at, self._window_count = now, 0
        self._window_count += 1

    def slow_start(self) -> None:
        """The site is spoken to again after a pause: one at a time first, more with each answer."""
        self.at_once = 1.0

    def probe(self, at: Instant, now: Instant) -> bool:
        """Somebody wants to know at once whether the site answers: whether it rested, and does so no longer.

        One message is tried. If nobody is reached again, the next rest is as long as this one, and no longer.
        """
        rest = self.rest
        if rest is None or now >= rest.until or at <= self._probed_at or at < rest.attempt.started_at:
            return False
        self._probed_at = at
        self._rests = max(0, self._rests - 1)
        self.rest = replace(rest, until=now)
        return True

    def learn(self, attempt: Attempt, message_id: str, *, ours: bool) -> Turn | None:
        """Takes in how an attempt ended. ``ours``: that nobody is reached is a trouble on our side, no fault of the site."""
        outcome = attempt.outcome
        if outcome.responder is Responder.WAYBILL:
            return None
        if _reached_nobody(outcome):
            return None if ours else self._missed(attempt, message_id)
        was_resting, self.rest = self.rest, None
        self._failures = self._rests = 0
        if asks_to_slow_down(outcome):
            return self._slow_down(attempt, message_id)
        turn = self._answered(attempt.ended_at)
        return Turn.BACK if was_resting is not None else turn

    def _missed(self, attempt: Attempt, message_id: str) -> Turn | None:
        if self.rest is not None and attempt.started_at < self.rest.until:
            return None  # it was under way already
        self.at_once = max(1.0, self.at_once / 2)
        if self._failures == 0:
            self._silent_since = attempt.started_at
        self._failures += 1
        if self._failures < FAILURES:
            return None
        length = self._first_rest * min(2**self._rests, LONGEST_REST)
        self._rests = min(self._rests + 1, LONGEST_REST)
        at = attempt.ended_at
        self.rest = Rest(
            since=self._silent_since,
            at=at,
            until=at + length,
            failures=self._failures,
            attempt=attempt,
            message_id=message_id,
        )
        return Turn.RESTS

    def _answered(self, now: Instant) -> Turn | None:
        if self._slow is None:
            self.at_once = min(self.at_once + 1, self._most)
            return None
        self._answers += 1
        if self._answers < EASE_AFTER or now - self._eased_at < EASE_EVERY:
            return None
        self._answers, self._eased_at = 0, now
        self.at_once = min(self.at_once + 1, self._most)
        self._slow = Bucket(self._slow.per_second * EASE_BY)
        if self._slow.per_second < self._rate_before:
            return None
        self._slow = self.note = None
        return Turn.EASED

    def _slow_down(self, attempt: Attempt, message_id: str) -> Turn | None:
        if self.note is not None and attempt.started_at <= self.note.at:
            return None  # said to what had begun before the site was heard
        now = attempt.ended_at
        if self._slow is None:
            self._rate_before = max(self._rate(now), LEAST_RATE)
        rate = self._rate_before if self._slow is None else self._slow.per_second
        self._slow = Bucket(max(LEAST_RATE, rate / 2))
        self.at_once = max(1.0, self.at_once / 2)
        self._answers, self._eased_at = 0, now
        self.note = PaceNote(
            site=self._site,
            at=now,
            message_id=message_id,
            reply=attempt.outcome.diagnostic,
            at_once=int(self.at_once),
            per_second=self._slow.per_second,
        )
        return Turn.SLOWED

    def _rate(self, now: Instant) -> float:
        seconds = max(1.0, (now - self._window_at) / SECOND)
        return max(self._window_count / seconds, self._last_rate)


def asks_to_slow_down(outcome: Outcome) -> bool:
    """Whether the answer is about how fast or by how many connections we come, and not about one recipient or one message."""
    reply = outcome.reply
    if reply is None or outcome.result is not Result.DEFERRED or outcome.responder is not Responder.REMOTE:
        return False
    if outcome.scope in (Scope.RECIPIENT, Scope.CONTENT):
        return False
    return outcome.cause is Cause.RATE_LIMITED or _SLOW_DOWN.search(reply.text) is not None


def _reached_nobody(outcome: Outcome) -> bool:
    """Whether it says something about the whole site: no server's reply does."""
    return outcome.result is Result.DEFERRED and outcome.reply is None and outcome.stage in _UNREACHED
