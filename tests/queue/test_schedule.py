"""When it is tried again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waybill.model.clock import HOUR, MINUTE
from waybill.queue.schedule import JITTER, next_attempt

WAITS = (MINUTE, 5 * MINUTE, HOUR)
NEVER = 10**15


@pytest.mark.parametrize(("attempts", "wait"), [(1, MINUTE), (2, 5 * MINUTE), (3, HOUR), (4, HOUR), (1_000, HOUR)])
def test_the_last_wait_repeats(attempts: int, wait: int) -> None:
    """Each failed attempt takes the next wait."""
    assert 7 + wait == next_attempt(WAITS, attempts=attempts, now=7, expires_at=NEVER, chance=0.5)


def test_it_ends_with_the_message() -> None:
    """A wait that would end later ends when the message expires."""
    assert 100 == next_attempt(WAITS, attempts=1, now=7, expires_at=100, chance=0.5)


@given(
    st.lists(st.integers(1, 10**9), min_size=1, max_size=6).map(tuple),
    st.integers(1, 50),
    st.integers(0, 10**13),
    st.integers(0, 10**9),
    st.floats(0, 1),
)
def test_the_spread(waits: tuple[int, ...], attempts: int, now: int, life: int, chance: float) -> None:
    """Within ten per cent of the wait, never after the expiry, never before now."""
    at = next_attempt(waits, attempts=attempts, now=now, expires_at=now + life, chance=chance)
    wait = waits[min(attempts, len(waits)) - 1]
    assert now <= at <= now + life
    assert at == now + life or abs(at - now - wait) <= JITTER * wait + 1
