"""When it is tried again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.store.builders import attempt
from waybill.model.cause import CATALOGUE, Cause
from waybill.model.clock import DAY, HOUR, MINUTE, SECOND
from waybill.model.outcome import Outcome, Result
from waybill.queue.schedule import GREYLIST_MARGIN, JITTER, POLICIES, named_wait, next_attempt

WAITS = (MINUTE, 5 * MINUTE, HOUR)
USUAL = (MINUTE, 5 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR)
NEVER = 10**15


def deferred(cause: Cause, words: str = "451 4.0.0 Later") -> Outcome:
    return attempt(0, Result.DEFERRED, cause, words).outcome


DOWN = deferred(Cause.SERVER_UNAVAILABLE)


@pytest.mark.parametrize(("attempts", "wait"), [(1, MINUTE), (2, 5 * MINUTE), (3, HOUR), (4, HOUR), (1_000, HOUR)])
def test_the_last_wait_repeats(attempts: int, wait: int) -> None:
    """Each failed attempt takes the next wait."""
    assert 7 + wait == next_attempt(WAITS, DOWN, attempts=attempts, now=7, expires_at=NEVER, chance=0.5)


def test_it_ends_with_the_message() -> None:
    """A wait that would end later ends when the message expires."""
    assert 100 == next_attempt(WAITS, DOWN, attempts=1, now=7, expires_at=100, chance=0.5)


@given(
    st.lists(st.integers(1, 10**9), min_size=1, max_size=6).map(tuple),
    st.integers(1, 50),
    st.integers(0, 10**13),
    st.integers(0, 10**9),
    st.floats(0, 1),
)
def test_the_spread(waits: tuple[int, ...], attempts: int, now: int, life: int, chance: float) -> None:
    """Within ten per cent of the wait, never after the expiry, never before now."""
    at = next_attempt(waits, DOWN, attempts=attempts, now=now, expires_at=now + life, chance=chance)
    wait = waits[min(attempts, len(waits)) - 1]
    assert now <= at <= now + life
    assert at == now + life or abs(at - now - wait) <= JITTER * wait + 1


@pytest.mark.parametrize(
    ("cause", "minutes"),
    [
        (Cause.SERVER_UNAVAILABLE, [1, 5, 15, 30, 60, 60]),
        (Cause.CONNECTION_FAILED, [1, 5, 15, 30, 60, 60]),
        (Cause.WAYBILL_INCIDENT, [1, 5, 15, 30, 60, 60]),
        (Cause.GREYLISTED, [5, 15, 30, 60, 60]),
        (Cause.RATE_LIMITED, [15, 30, 60, 120, 120]),
        (Cause.LOW_REPUTATION, [30, 60, 120, 240, 240]),
        (Cause.POLICY_REJECTED, [30, 60, 120, 240, 240]),
        (Cause.USER_UNKNOWN, [30, 60, 120, 240, 240]),
        (Cause.MAILBOX_FULL, [60, 120, 240, 240]),
    ],
)
def test_each_cause_has_its_patience(cause: Cause, minutes: list[int]) -> None:
    """With the waits that hold by default."""
    waits = [
        next_attempt(USUAL, deferred(cause), attempts=number, now=0, expires_at=NEVER, chance=0.5)
        for number in range(1, len(minutes) + 1)
    ]
    assert minutes == [wait // MINUTE for wait in waits]


@pytest.mark.parametrize(
    ("waits", "cause", "minutes"),
    [
        ((5, 60), Cause.GREYLISTED, 5),
        ((30, 60), Cause.LOW_REPUTATION, 30),
        ((1, 60), Cause.LOW_REPUTATION, 60),
        ((1, 2, 3), Cause.MAILBOX_FULL, 3),
    ],
)
def test_a_first_wait_that_is_long_enough_is_taken(waits: tuple[int, ...], cause: Cause, minutes: int) -> None:
    """A schedule of few and long waits is not made longer still."""
    lengths = tuple(wait * MINUTE for wait in waits)
    assert minutes * MINUTE == next_attempt(lengths, deferred(cause), attempts=1, now=0, expires_at=NEVER, chance=0.5)


@pytest.mark.parametrize("cause", list(Cause))
def test_short_waits_stay_short(cause: Cause) -> None:
    """Whoever configures a second waits no more than a few, whatever the cause."""
    for number in range(1, 100):
        assert 4 * SECOND >= next_attempt(
            (SECOND,), deferred(cause), attempts=number, now=0, expires_at=NEVER, chance=0.5
        )


def test_every_policy_is_for_a_cause_that_defers() -> None:
    """A policy for what is never a receiver's answer would be in vain."""
    assert {cause for cause in POLICIES if CATALOGUE[cause].delay_type is None} == set()


@pytest.mark.parametrize(
    ("words", "seconds"),
    [
        ("450 4.2.0 Greylisted, please try again in 300 seconds", 300),
        ("451 4.7.1 Greylisting in action, please come back in 00:04:59", 299),
        ("451 4.7.1 Please try again later (in 05:00)", 300),
        ("450 4.7.1 Greylisted for 5 minutes", 300),
        ("451 4.7.1 Try again after 4 min", 240),
        ("450 4.7.1 please retry after 270s", 270),
        ("451 4.7.1 Greylisted, retry in 1 hour", 3600),
        ("451 4.7.1 Temporarily deferred: wait 10 min 30 secs", 630),
        ("450 4.7.1 Greylisting, 120 seconds remaining", 120),
        ("451 4.7.1 You must wait at least 6 minutes", 360),
        ("451 4.7.1 Greylisting delay 00:15:00 in effect", 900),
        ("450 4.2.0 Greylisted, see http://postgrey.schweikert.ch/help/receiver.example.html", None),
        ("451 4.7.1 Greylisted 4 minutes ago", None),
        ("451 4.7.1 id 12:34:56.7 at 10:20:30", None),
        ("421 4.7.0 Try again later, closing connection. 5si12345m", None),
        ("450 4.7.1 Come back in 99999999 seconds", None),
        ("450 4.7.1 Come back in 0 seconds", None),
        ("450 4.7.1 Come back in 3 days", None),
    ],
)
def test_the_time_that_a_reply_names(words: str, seconds: int | None) -> None:
    """As filters write it; what is no invitation, or beyond a day, counts as none."""
    assert (None if seconds is None else seconds * SECOND) == named_wait(words)


@given(st.text(max_size=200))
def test_no_words_break_it(words: str) -> None:
    """Whatever a server says, the wait is none, or at most a day."""
    wait = named_wait(words)
    assert wait is None or 0 < wait <= DAY


@pytest.mark.parametrize("chance", [0.0, 1.0])
def test_greylisting_is_tried_again_when_it_asks(chance: float) -> None:
    """Never before the named time, whatever is configured, and little later."""
    outcome = deferred(Cause.GREYLISTED, "450 4.2.0 Greylisted, try again in 300 seconds")
    at = next_attempt((SECOND,), outcome, attempts=4, now=7, expires_at=NEVER, chance=chance)
    assert 7 + 300 * SECOND + GREYLIST_MARGIN <= at <= 7 + 331 * SECOND


def test_greylisting_does_not_outlive_the_message() -> None:
    """A named time beyond the expiry ends with it."""
    outcome = deferred(Cause.GREYLISTED, "450 4.2.0 Greylisted, try again in 300 seconds")
    assert 9 == next_attempt(USUAL, outcome, attempts=1, now=7, expires_at=9, chance=0.5)


def test_a_rate_limit_waits_as_long_as_it_says_at_least() -> None:
    """A shorter time than ours is no reason to hurry."""
    slow = deferred(Cause.RATE_LIMITED, "421 4.7.0 Rate limited, try again in 2 hours")
    quick = deferred(Cause.RATE_LIMITED, "421 4.7.0 Rate limited, try again in 2 seconds")
    assert 2 * HOUR <= next_attempt(USUAL, slow, attempts=1, now=0, expires_at=NEVER, chance=0)
    assert 13 * MINUTE <= next_attempt(USUAL, quick, attempts=1, now=0, expires_at=NEVER, chance=0)
