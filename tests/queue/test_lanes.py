"""Whose turn it is: accounts take turns, sites take turns, and what may not begin costs the others nothing."""

import random
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.queue.queueing import site_of
from tests.queue.test_pace import silence
from tests.store.builders import START, message
from waybill.model.clock import HOUR, MINUTE, SECOND
from waybill.model.message import Delivery, Status
from waybill.model.resource import INSTALLATION, Suspension
from waybill.queue.lanes import Lane, Lanes
from waybill.queue.pace import FAILURES, FIRST_AT_ONCE, Pace
from waybill.store.protocol import Claim

MESSAGE = message()


def claim(number: int, domain: str = "d.example", account: str = "a", lives: int = HOUR) -> Claim:
    delivery = Delivery(
        id=number,
        message_id="m",
        account=account,
        recipient=f"u@{domain}",
        status=Status.QUEUED,
        cause=None,
        underlying_cause=None,
        attempts=0,
        accepted_at=START,
        next_at=START,
        expires_at=START + lives,
        updated_at=START,
        lease_owner="w1",
        lease_until=START + MINUTE,
    )
    return Claim(delivery=delivery, message=MESSAGE, content=b"12345")


def put(lanes: Lanes, *claims: Claim, most: int = 100) -> None:
    for each in claims:
        domain = each.delivery.domain
        lane = lanes.lane(domain)
        if lane is None:
            lane = Lane(site_of(domain), Pace(domain, most=most, per_second=None, first_rest=30 * SECOND))
            lanes.open(lane)
        if lanes.take(each):
            lanes.put(each, lane)


def begun(lanes: Lanes, most: int = 10_000, now: int = START) -> list[tuple[Claim, Lane]]:
    found: list[tuple[Claim, Lane]] = []
    while len(found) < most and (each := lanes.next_to_begin(now)) is not None:
        found.append(each)
    return found


def end(lanes: Lanes, pair: tuple[Claim, Lane], now: int = START) -> None:
    lanes.place_free(*pair, now)
    lanes.drop(*pair)


def test_a_delivery_is_held_once() -> None:
    """However often it is offered, it is attempted once; sizes and counts follow."""
    lanes = Lanes(100)
    put(lanes, claim(1), claim(1), claim(2))
    assert (2, 10, 2) == (len(lanes), lanes.octets, lanes.held_of("a"))
    pairs = begun(lanes)
    assert [1, 2] == [pair[0].delivery.id for pair in pairs]
    for pair in pairs:
        end(lanes, pair)
        lanes.drop(*pair)
    assert (0, 0, 0) == (len(lanes), lanes.octets, lanes.held_of("a"))
    assert 0 == (lane.held if (lane := lanes.lane("d.example")) else None)


def test_accounts_take_turns_at_one_site() -> None:
    """Ten of one come through between a thousand of another, at a site with two places."""
    lanes = Lanes(100)
    put(lanes, *(claim(number, account="big") for number in range(1_000)), most=2)
    put(lanes, *(claim(number, account="small") for number in range(1_000, 1_010)))
    order: list[str] = []
    under_way = begun(lanes)
    while under_way and "small" in {pair[0].delivery.account for pair in under_way} | {"small"}:
        pair = under_way.pop(0)
        order.append(pair[0].delivery.account)
        end(lanes, pair)
        under_way += begun(lanes)
        if order.count("small") == 10:
            break
    assert len(order) <= 25
    assert 10 == order.count("small")


def test_accounts_take_turns_over_many_sites() -> None:
    """One with a thousand sites does not stand before another's one."""
    lanes = Lanes(1_000)
    put(lanes, *(claim(number, f"d{number}.example", "wide") for number in range(1_000)))
    put(lanes, *(claim(2_000 + number, "other.example", "narrow") for number in range(5)))
    first = [pair[0].delivery.account for pair in begun(lanes, 10)]
    assert Counter(first) == {"wide": 5, "narrow": 5}


def test_no_account_takes_every_place() -> None:
    """The last places are for others; what has ended gives the account its turn back."""
    lanes = Lanes(50)
    put(lanes, *(claim(number, f"d{number}.example", "wide") for number in range(200)))
    pairs = begun(lanes)
    assert 50 == len(pairs)
    put(lanes, claim(999, "late.example", "late"))
    assert [999] == [pair[0].delivery.id for pair in begun(lanes)]
    end(lanes, pairs[0])
    assert 1 == len(begun(lanes))


def test_a_dead_site_leaves_the_others_their_places() -> None:
    """Ten thousand for one that may begin a few: the next for another begins at once."""
    lanes = Lanes(10_000)
    put(lanes, *(claim(number, "dead.example") for number in range(10_000)))
    assert FIRST_AT_ONCE == len(begun(lanes))
    put(lanes, claim(20_000, "alive.example"))
    assert [20_000] == [pair[0].delivery.id for pair in begun(lanes)]
    assert ("dead.example",) == lanes.domains_with(500)


def test_within_an_account_the_longest_waiting_is_first() -> None:
    """At one site, in the order of offering."""
    lanes = Lanes(100)
    put(lanes, *(claim(number) for number in (5, 3, 9)))
    assert [5, 3, 9] == [pair[0].delivery.id for pair in begun(lanes)]


def test_a_rate_lets_them_begin_one_by_one() -> None:
    """A suspension to ten a minute, shared by two workers: one each twelve seconds, and the alarm says when."""
    lanes = Lanes(100)
    put(lanes, *(claim(number) for number in range(5)))
    lane = lanes.lane("d.example")
    assert lane is not None
    lane.suspend(
        Suspension(
            account=INSTALLATION,
            name="d.example",
            by="operator",
            reason="r",
            at=START,
            until=START + MINUTE,
            per_minute=10,
        ),
        2,
    )
    first = begun(lanes)
    assert (1, START + 12 * SECOND) == (len(first), lanes.wakes_at())
    assert [] == begun(lanes, now=START + 12 * SECOND - 1)
    second = begun(lanes, now=START + 12 * SECOND)
    assert 1 == len(second)
    lane.suspend(None, 2)
    for pair in first + second:
        end(lanes, pair, START + 13 * SECOND)
    assert 1 == len(begun(lanes, now=START + 13 * SECOND))  # a slow start


def test_a_stopped_site_begins_nothing_until_its_rest_is_over() -> None:
    """Then one, whatever waits."""
    lanes = Lanes(100)
    put(lanes, *(claim(number) for number in range(5)))
    lane = lanes.lane("d.example")
    assert lane is not None
    for _ in range(FAILURES):
        lane.pace.learn(silence(), "m", ours=False)
    assert lane.is_stopped(START)
    assert [] == begun(lanes)
    lanes.unpark_all(START + 30 * SECOND)
    assert 1 == len(begun(lanes, now=START + 30 * SECOND))


def test_what_is_unresolved_counts_and_goes_on() -> None:
    """It waits outside the lanes until its site is known."""
    lanes = Lanes(100)
    lane = Lane(site_of("mx.example"), Pace("mx.example", most=5, per_second=None, first_rest=1))
    lanes.open(lane)
    claims = [claim(1, "x.example"), claim(2, "x.example")]
    assert [True, True] == [lanes.take(each) for each in claims]
    assert [True, False] == [lanes.wait_for_site(each) for each in claims]
    assert (2, 2, ("x.example",)) == (len(lanes), lanes.held_for_domain("x.example"), lanes.domains_with(2))
    assert [] == begun(lanes)
    lanes.site_is_known("x.example", lane)
    assert 2 == len(begun(lanes))
    assert 0 == lanes.held_for_domain("x.example")


def test_what_lapsed_or_expired_is_found_wherever_it_waits() -> None:
    """In lanes and outside them; the rest stays, in order."""
    lanes = Lanes(100)
    put(lanes, claim(1), claim(2, lives=SECOND), claim(3))
    unresolved = claim(4, "x.example", lives=SECOND)
    lanes.take(unresolved)
    lanes.wait_for_site(unresolved)
    assert [2, 4] == [each.delivery.id for each, _ in lanes.take_expired(START + SECOND)]
    lanes.renewed([3], START + HOUR)
    assert [1] == [each.delivery.id for each, _ in lanes.take_lapsed(START + MINUTE)]
    assert [3] == [pair[0].delivery.id for pair in begun(lanes)]


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["p.example", "q.example", "r.example"])), max_size=120),
    st.integers(1, 5),
    st.integers(1, 12),
    st.randoms(use_true_random=False),
)
def test_everything_gets_its_turn(
    asked: list[tuple[str, str]], most: int, of_account: int, chance: random.Random
) -> None:
    """In whatever order attempts end, bounds hold, nothing that may begin is left, and each delivery begins once."""
    lanes = Lanes(of_account)
    put(lanes, *(claim(number, domain, account) for number, (account, domain) in enumerate(asked)), most=most)
    seen: Counter[int] = Counter()
    under_way: list[tuple[Claim, Lane]] = []
    while True:
        new = begun(lanes)
        under_way += new
        seen.update(pair[0].delivery.id for pair in new)
        assert all(count <= most for count in Counter(pair[1] for pair in under_way).values())
        assert all(count <= of_account for count in Counter(pair[0].delivery.account for pair in under_way).values())
        if not under_way:
            lanes.unpark_all(START)  # what keeping house does each second
            if not (new := begun(lanes)):
                break
            under_way += new
            seen.update(pair[0].delivery.id for pair in new)
        end(lanes, under_way.pop(chance.randrange(len(under_way))))
    assert dict.fromkeys(range(len(asked)), 1) == dict(seen)
    assert (0, 0) == (len(lanes), lanes.octets)
