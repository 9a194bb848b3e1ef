"""Where the time went: whatever the life, the parts are never negative and add up."""

from hypothesis import given
from hypothesis import strategies as st

from tests.explain.life import START, Life, message
from waybill.explain import explain
from waybill.model.clock import HOUR, MINUTE, SECOND
from waybill.model.outcome import Stage

TRY_LATER = "451 4.3.2 try again later"
WAITS = st.lists(st.tuples(st.booleans(), st.integers(0, 2 * HOUR)), max_size=4)


def parts(life: Life) -> tuple[int | None, ...]:
    delay = explain(life.facts(), life.now).recipients[0].delay
    return (delay.before_acceptance_ms, delay.in_waybill_ms, delay.at_receiver_ms, delay.after_acceptance_ms)


@given(before=st.integers(0, HOUR), waits=WAITS, end=st.sampled_from(["open", "taken", "expired"]))
def test_parts_add_up(before: int, waits: list[tuple[bool, int]], end: str) -> None:
    """From the client's signature to the last answer, to expiry, or to now while it is open."""
    life = Life(message=message(client_started_at=START - before))
    for is_late, extra in waits:
        life.answered(TRY_LATER)
        life.held("why", life.now + extra, limit="unreachable" if is_late else "operator")
        life.wait_for_retry()
        life.wait(extra if is_late else 0)
    ends = life.now
    if end == "taken":
        life.answered("250 ok", Stage.MESSAGE)
        ends = life.now
        life.wait(HOUR)
    elif end == "expired":
        ends = life.expired().now
        life.wait(HOUR)
    shown = parts(life)
    assert all(part is None or part >= 0 for part in shown)
    assert ends - (START - before) == sum(part for part in shown if part is not None)


def test_a_wait_is_whose_it_is() -> None:
    """Until the retry is due the receiver asked for the wait; what comes after is Waybill's."""
    life = Life(message=message(client_started_at=None), retry=(16 * MINUTE,))
    life.answered(TRY_LATER).wait_for_retry().wait(3 * SECOND)
    life.answered("250 ok", Stage.MESSAGE)
    assert (None, 40 + 40 + 3 * SECOND, 16 * MINUTE + 2 * 350, None) == parts(life)


def test_time_in_holds_is_whose_it_is() -> None:
    """What waits since nobody answers there waits for the receiver; what operators, rules and limits hold back waits in Waybill."""
    life = Life(message=message(client_started_at=None), retry=(16 * MINUTE,))
    life.answered(TRY_LATER).wait(MINUTE)
    life.held("by hand", None).wait(30 * MINUTE)  # fifteen of them the receiver had asked for itself
    life.released().wait(MINUTE)
    life.held("dead", life.now + HOUR, limit="unreachable").wait(2 * HOUR)
    life.held("suspended", None, limit="suspension").wait(3 * HOUR).released().wait(5)
    life.answered("250 ok", Stage.MESSAGE)
    ours = 40 + 15 * MINUTE + MINUTE + 3 * HOUR + 5 + 40
    assert (None, ours, 16 * MINUTE + 2 * HOUR + 2 * 350, None) == parts(life)


def test_a_destination_that_was_dead_before_the_first_attempt() -> None:
    """Time that nobody's answer fills is the receiver's, too, where others have shown that nobody is there."""
    life = Life(message=message(client_started_at=None)).wait(SECOND)
    life.held("dead", life.now + HOUR, limit="unreachable").wait(2 * MINUTE)
    assert (None, SECOND, 2 * MINUTE, None) == parts(life)


def test_a_client_clock_that_is_ahead() -> None:
    """A signature from the future gives no negative time."""
    life = Life(message=message(client_started_at=START + MINUTE)).wait(5)
    assert (0, 5, None, None) == parts(life)
