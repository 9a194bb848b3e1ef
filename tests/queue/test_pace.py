"""How fast a site is served: its limits, what it asks for, and rests where nobody answers."""

from copy import copy
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.store.builders import START, attempt
from waybill.model.cause import Cause, Responder, Scope
from waybill.model.clock import MINUTE, SECOND, Instant
from waybill.model.outcome import Attempt, Outcome, Result, Stage
from waybill.queue.bucket import Bucket
from waybill.queue.pace import (
    EASE_AFTER,
    EASE_EVERY,
    FAILURES,
    FIRST_AT_ONCE,
    LEAST_RATE,
    LONGEST_REST,
    Pace,
    Turn,
    asks_to_slow_down,
)

REST = 30 * SECOND
UNREACHED = Outcome(
    result=Result.DEFERRED,
    cause=Cause.CONNECTION_FAILED,
    scope=Scope.RECIPIENT_DOMAIN,
    responder=Responder.NETWORK,
    permanent=False,
    stage=Stage.CONNECT,
    status="4.4.1",
    diagnostic="Connecting to mx.dead.example [192.0.2.1]:25 timed out",
    rule="failure-connection-timeout",
)


def silence(at: Instant = START, number: int = 1) -> Attempt:
    return Attempt(number=number, started_at=at, ended_at=at, outcome=UNREACHED)


def taken(at: Instant = START) -> Attempt:
    return attempt(at, Result.DELIVERED, Cause.ACCEPTED_BY_RECEIVER)


def slow_down(at: Instant = START, words: str = "421 4.7.0 Too many connections, slow down") -> Attempt:
    made = attempt(at, Result.DEFERRED, Cause.RATE_LIMITED, words)
    return replace(made, outcome=replace(made.outcome, scope=Scope.SOURCE_IP))


def pace(most: int = 100, per_second: float | None = None) -> Pace:
    return Pace("site", most=most, per_second=per_second, first_rest=REST)


def since(pace: Pace) -> Instant | None:
    return pace.rest.since if pace.rest is not None else None


def learn(pace: Pace, made: Attempt, *, ours: bool = False) -> Turn | None:
    return pace.learn(made, "m1", ours=ours)


def test_it_begins_with_a_few_and_grows_with_answers() -> None:
    """One more with each answer, to its most; half as many after a silence."""
    site = pace()
    assert FIRST_AT_ONCE == site.room(START)
    for _ in range(200):
        learn(site, taken())
    assert 100 == site.room(START)
    learn(site, silence())
    assert 50 == site.room(START)


def test_a_provider_never_gets_more_than_it_bears() -> None:
    """Its share of connections is the most, from the first attempt on."""
    site = pace(most=2)
    assert 2 == site.room(START)
    for _ in range(50):
        learn(site, taken())
    assert 2 == site.room(START)


def test_a_site_rests_after_failures_in_a_row_longer_each_time() -> None:
    """Then one at a time is tried; what was under way when the rest began does not prolong it; an answer ends it all."""
    site, at = pace(), START
    for _ in range(FAILURES - 1):
        assert learn(site, silence(at)) is None
    assert Turn.RESTS is learn(site, silence(at))
    assert learn(site, silence(at - 1)) is None
    lengths = []
    for _ in range(8):
        assert site.rest is not None
        lengths.append((site.rest.until - at) // SECOND)
        at = site.rest.until
        assert (0, 1) == (site.room(at - 1), site.room(at))
        assert Turn.RESTS is learn(site, silence(at))
    assert [30, 60, 120, 240, 480, 900, 900, 900] == lengths
    assert REST * LONGEST_REST == 900 * SECOND
    assert START == since(site)
    assert Turn.BACK is learn(site, taken(at))
    assert since(site) is None
    assert site.room(at) >= 1
    assert learn(site, silence(at)) is None


def test_only_silence_sends_to_rest() -> None:
    """Neither a reply, however bad, nor a fault inside Waybill, nor a trouble on our side says that nobody is there."""
    site = pace()
    broken = replace(silence(), outcome=replace(UNREACHED, responder=Responder.WAYBILL, cause=Cause.WAYBILL_INCIDENT))
    for _ in range(2 * FAILURES):
        learn(site, broken)
        learn(site, silence(), ours=True)
        learn(site, attempt(START, Result.DEFERRED, Cause.SERVER_UNAVAILABLE, "421 4.3.2 Busy"))
    assert site.rest is None


def test_slowing_down_and_recovery() -> None:
    """Half of both at once, once for what was under way; back by little steps, and the note says which reply it was."""
    site = pace()
    for number in range(100):
        site.begin(START + number * 100)
    at = START + 10 * SECOND
    assert Turn.SLOWED is learn(site, slow_down(at))
    assert learn(site, slow_down(at - 1)) is None
    note = site.note
    assert note is not None
    assert ("m1", "smtp; 421 4.7.0 Too many connections, slow down", FIRST_AT_ONCE // 2) == (
        note.message_id,
        note.reply,
        note.at_once,
    )
    assert 4 <= note.per_second <= 6
    site.begin(at)
    assert site.ready_at(at) > at
    steps = []
    while site.note is not None:
        before = site.at_once
        for _ in range(EASE_AFTER - 1):
            assert learn(site, taken(at)) is None
        at += EASE_EVERY
        turn = learn(site, taken(at))
        steps.append(turn)
        assert before + 1 == site.at_once
    assert [None, None, None, Turn.EASED] == steps
    assert at == site.ready_at(at)


def test_however_often_it_asks_a_little_goes_on() -> None:
    """One at a time, every ten seconds."""
    site, at = pace(), START
    for _ in range(30):
        at += MINUTE
        learn(site, slow_down(at))
    assert 1 == site.room(at)
    assert site.note is not None
    assert LEAST_RATE == site.note.per_second


@pytest.mark.parametrize(
    ("cause", "scope", "words", "expected"),
    [
        (Cause.RATE_LIMITED, Scope.SOURCE_IP, "421 4.7.28 Unusual rate", True),
        (Cause.LOW_REPUTATION, Scope.SOURCE_IP, "451 4.7.650 temporarily rate limited due to IP reputation", True),
        (Cause.SERVER_UNAVAILABLE, Scope.PROVIDER, "421 4.3.2 Too many concurrent connections", True),
        (Cause.SERVER_UNAVAILABLE, Scope.PROVIDER, "421 4.3.2 Shutting down", False),
        (Cause.RECIPIENT_RATE_LIMITED, Scope.RECIPIENT, "450 4.2.1 receiving mail too quickly", False),
        (Cause.GREYLISTED, Scope.PROVIDER, "450 4.2.0 Greylisted", False),
    ],
)
def test_what_asks_to_slow_down(cause: Cause, scope: Scope, words: str, expected: bool) -> None:
    """Words about our rate or our connections; not those about one recipient."""
    outcome = replace(attempt(START, Result.DEFERRED, cause, words).outcome, scope=scope)
    assert expected is asks_to_slow_down(outcome)


@given(st.floats(0.05, 50), st.lists(st.integers(0, 5_000), min_size=1, max_size=60))
def test_a_bucket_keeps_its_rate(per_second: float, steps: list[int]) -> None:
    """Whatever the moments at which it is asked, no more begin than the rate and one second's burst allow."""
    bucket, now, begun = Bucket(per_second, burst=per_second), START, 0
    for step in steps:
        now += step
        while bucket.ready_at(now) <= now:
            bucket.take(now)
            begun += 1
        later = copy(bucket).ready_at(now)
        assert copy(bucket).ready_at(later) <= later
    assert begun <= max(1.0, per_second) + per_second * (now - START) / SECOND + 1


def test_a_clock_that_is_set_back_stops_nothing() -> None:
    """What was full stays full, what was empty fills from then on."""
    bucket = Bucket(1.0)
    bucket.take(START + MINUTE)
    assert START + SECOND == bucket.ready_at(START)
