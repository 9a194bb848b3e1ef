"""The threads that sign: every caller hears what came of its own call, and of nobody else's."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from waybill.queue.signing_threads import SigningThreads


@pytest.fixture
def threads() -> Iterator[SigningThreads]:
    """Two threads."""
    threads = SigningThreads(2)
    yield threads
    threads.close()


async def test_results_and_errors_reach_their_callers(threads: SigningThreads) -> None:
    """An error is one caller's, and the threads go on."""
    results = await asyncio.gather(*(threads.run(divmod, 7, divisor) for divisor in (2, 0, 3)), return_exceptions=True)
    assert [(3, 1), (2, 1)] == [results[0], results[2]]
    assert isinstance(results[1], ZeroDivisionError)


async def test_calls_run_beside_the_event_loop(threads: SigningThreads) -> None:
    """In as many threads as there are: two calls that wait for each other both end."""
    meeting = threading.Barrier(2, timeout=10)
    places = await asyncio.gather(threads.run(meeting.wait), threads.run(meeting.wait))
    assert {0, 1} == set(places)


async def test_a_cancelled_call_hurts_nobody(threads: SigningThreads) -> None:
    """It is not made if it has not begun, and its result is dropped if it has."""
    begun, go_on = threading.Event(), threading.Event()
    made: list[int] = []

    def wait() -> bool:
        begun.set()
        return go_on.wait(10)

    busy = [threads.run(wait), threads.run(wait)]
    waiting = threads.run(made.append, 1)
    await asyncio.to_thread(begun.wait, 10)
    waiting.cancel()
    busy[0].cancel()
    go_on.set()
    assert await busy[1]
    assert 5 == await threads.run(len, "hello")
    assert [] == made


async def test_what_waits_is_done_before_they_end() -> None:
    """Closing loses no call that was made before."""
    threads = SigningThreads(1)
    results = [threads.run(abs, -number) for number in range(5)]
    threads.close()
    assert [0, 1, 2, 3, 4] == await asyncio.gather(*results)
