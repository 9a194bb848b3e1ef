"""Lanes: who is posted when there is more than may be posted at once."""

import asyncio
import time

import pytest

from tests.publish.publishing import ACCOUNT, START, until
from waybill.publish.lanes import DEPTH, MOST_AT_ONCE, MOST_ON_TRIAL, STALLED, WIDTH, Lanes
from waybill.store.protocol import Notice, NoticeKind


def notice(number: int, target: str = "a") -> Notice:
    return Notice(
        id=number,
        kind=NoticeKind.SUBSCRIPTION,
        account=ACCOUNT,
        target=target,
        at=START,
        attempts=0,
        body=b"",
        headers=None,
        event=None,
        message=None,
    )


class Poster:
    """Keeps what is posted, and lets it end when the test says."""

    def __init__(self, *, taken: bool = True) -> None:
        self.begun: list[Notice] = []
        self.gate = asyncio.Event()
        self.taken = taken

    async def post(self, notice: Notice) -> bool:
        self.begun.append(notice)
        await self.gate.wait()
        return self.taken


async def known_to_take(lanes: Lanes, poster: Poster, targets: list[str]) -> None:
    """Each of the targets has taken a post; the poster starts anew."""
    poster.gate.set()
    for target in targets:
        lanes.add(notice(0, target), seconds=60)
    await lanes.settled()
    poster.gate.clear()
    poster.begun.clear()


async def test_each_target_has_its_own_places() -> None:
    """A target has ten posts at once however many wait; another begins all the same."""
    poster = Poster()
    lanes = Lanes(poster.post, time.monotonic)
    for number in range(50):
        lanes.add(notice(number), seconds=60)
    lanes.add(notice(99, "b"), seconds=60)
    await asyncio.sleep(0)
    assert [one.id for one in poster.begun] == [*range(WIDTH), 99]
    poster.gate.set()
    await lanes.settled()
    assert sorted(one.id for one in poster.begun) == [*range(50), 99]


async def test_places_in_all() -> None:
    """However many targets there are, the posts at once are bounded, and every one has its turn."""
    poster = Poster()
    lanes = Lanes(poster.post, time.monotonic)
    targets = [f"t{number}" for number in range(MOST_AT_ONCE + 50)]
    await known_to_take(lanes, poster, targets)
    for number, target in enumerate(targets):
        lanes.add(notice(number, target), seconds=60)
    await asyncio.sleep(0)
    assert len(poster.begun) == MOST_AT_ONCE
    poster.gate.set()
    await lanes.settled()
    assert len(poster.begun) == MOST_AT_ONCE + 50


async def test_endpoints_that_hang_leave_places_to_those_that_take() -> None:
    """However many hang, an endpoint that has taken its last post is posted at once."""
    poster = Poster()
    lanes = Lanes(poster.post, time.monotonic)
    await known_to_take(lanes, poster, ["good"])
    for number in range(MOST_AT_ONCE):
        lanes.add(notice(number, f"t{number}"), seconds=60)
    await asyncio.sleep(0)
    assert len(poster.begun) == MOST_ON_TRIAL
    lanes.add(notice(1_000, "good"), seconds=60)
    await asyncio.sleep(0)
    assert 1_000 == poster.begun[-1].id
    poster.taken = False
    poster.gate.set()
    await lanes.settled()


async def test_a_free_place_goes_to_each_in_turn() -> None:
    """While every place is taken, those that wait get the next ones by turns, whoever has waited with more."""
    begun: list[str] = []
    turns: list[asyncio.Event] = []

    async def post(notice: Notice) -> bool:
        begun.append(notice.target)
        turns.append(asyncio.Event())
        await turns[-1].wait()
        return True

    lanes = Lanes(post, time.monotonic)
    for number in range(MOST_ON_TRIAL):
        lanes.add(notice(number, f"t{number}"), seconds=60)
    for number in range(4):
        lanes.add(notice(number, "many"), seconds=60)
    lanes.add(notice(9, "one"), seconds=60)
    await asyncio.sleep(0)
    for place in (0, 1):
        turns[place].set()
    await until(lambda: len(begun) == MOST_ON_TRIAL + 2)
    assert begun[MOST_ON_TRIAL:] == ["many", "one"]
    while len(begun) < MOST_ON_TRIAL + 5 or lanes._tasks:
        for turn in turns:
            turn.set()
        await asyncio.sleep(0)


async def test_what_does_not_fit_is_left() -> None:
    """A lane holds so many; the others are not posted by us, and their lease runs out."""
    poster = Poster()
    lanes = Lanes(poster.post, time.monotonic)
    for number in range(DEPTH + WIDTH + 7):
        lanes.add(notice(number), seconds=60)
    poster.gate.set()
    await lanes.settled()
    assert len(poster.begun) == DEPTH + WIDTH


async def test_what_waited_too_long_is_left() -> None:
    """A notice whose lease could end during the post is not begun."""
    poster, now = Poster(), [0.0]
    lanes = Lanes(poster.post, lambda: now[0])
    for number in range(WIDTH):
        lanes.add(notice(number), seconds=60)
    lanes.add(notice(77), seconds=5)
    lanes.add(notice(78), seconds=60)
    now[0] = 6.0
    poster.gate.set()
    await lanes.settled()
    assert [one.id for one in poster.begun] == [*range(WIDTH), 78]


async def test_a_failing_target_has_one_place() -> None:
    """After a post that failed, the rest is tried one by one."""
    poster = Poster(taken=False)
    lanes = Lanes(poster.post, time.monotonic)
    for number in range(WIDTH + 5):
        lanes.add(notice(number), seconds=60)
    await asyncio.sleep(0)
    first, poster.gate = poster.gate, asyncio.Event()
    first.set()
    await until(lambda: len(poster.begun) > WIDTH)
    await asyncio.sleep(0.01)
    assert len(poster.begun) == WIDTH + 1
    poster.gate.set()
    await lanes.settled()
    assert len(poster.begun) == WIDTH + 5


async def test_congestion() -> None:
    """A full lane is worth waiting for until it has room again, and no longer once it stalls."""
    poster, now = Poster(), [0.0]
    lanes = Lanes(poster.post, lambda: now[0])
    for number in range(DEPTH + WIDTH):
        assert not lanes.congested()
        lanes.add(notice(number), seconds=60)
    assert lanes.congested()
    now[0] = STALLED
    assert not lanes.congested()
    poster.gate.set()
    await lanes.settled()
    assert not lanes.congested()


async def test_a_post_that_raises_gives_its_place_back() -> None:
    """The lane goes on, and the error is reported as that of a task."""
    seen: list[int] = []

    async def post(notice: Notice) -> bool:
        seen.append(notice.id)
        raise RuntimeError("no")

    errors: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: errors.append(context["exception"]))
    lanes = Lanes(post, time.monotonic)
    for number in range(WIDTH + 3):
        lanes.add(notice(number), seconds=60)
    await lanes.settled()
    assert sorted(seen) == list(range(WIDTH + 3))
    assert {str(error) for error in errors} == {"no"}


@pytest.mark.parametrize("seconds", [0.0, 0.02])
async def test_settling_can_be_given_up(seconds: float) -> None:
    """Waiting ends at its time although a post is under way."""
    poster = Poster()
    lanes = Lanes(poster.post, time.monotonic)
    lanes.add(notice(1), seconds=60)
    await lanes.settled(seconds)
    poster.gate.set()
    await lanes.settled()


async def test_closing_breaks_off_what_hangs() -> None:
    """What waits is left to its lease, what is under way gets its time, and nothing is left running."""
    poster = Poster()
    lanes = Lanes(poster.post, time.monotonic)
    for number in range(WIDTH + 5):
        lanes.add(notice(number), seconds=60)
    await lanes.close(0.01)
    assert (WIDTH, set()) == (len(poster.begun), lanes._tasks)
