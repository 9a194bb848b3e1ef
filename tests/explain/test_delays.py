"""Where the time went: whatever the life, the parts are never negative, touch, and add up."""

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.explain.ledgers import LEDGERS
from tests.explain.life import START, Life, message
from waybill.deliver.evidence import Failure
from waybill.explain import Facts, explain
from waybill.explain.record import Delay
from waybill.model.clock import DAY, HOUR, MINUTE, SECOND, Instant
from waybill.model.event import EventKind
from waybill.model.message import Status
from waybill.model.outcome import Line, Slowed, Speaker, Stage

TRY_LATER = "451 4.3.2 try again later"
STEPS: dict[str, Callable[[Life], object]] = {
    "answered": lambda life: life.answered(TRY_LATER),
    "no dns": lambda life: life.failed(Failure.DNS_TIMEOUT, "no answer for MX within 5 s", Stage.ROUTE),
    "no connection": lambda life: life.failed(Failure.CONNECTION_REFUSED, "connection refused"),
    "due": lambda life: life.wait_for_retry() if (life.delivery.next_at or 0) >= life.now else life,
    "held by hand": lambda life: life.held("by hand", None),
    "suspended": lambda life: life.held("suspended", life.now + HOUR, limit="suspension", by="rule:x"),
    "dead": lambda life: life.held("nobody answers", life.now + HOUR, limit="unreachable"),
    "released": lambda life: life.released() if any(one.kind is EventKind.HELD for one in life.events) else life,
    "taken over": lambda life: life.taken_over(was_sending=None),
    "stuck": lambda life: life.stuck() if life.delivery.next_at is not None else life,
}


def delay_of(life: Life) -> Delay:
    return explain(life.facts(), life.now).recipients[0].delay


def parts(life: Life) -> tuple[int | None, ...]:
    delay = delay_of(life)
    return (delay.before_acceptance_ms, delay.in_waybill_ms, delay.at_receiver_ms, delay.after_acceptance_ms)


def check(delay: Delay, start: Instant, end: Instant) -> None:
    """Never negative, each touching the next, from start to end, and as the four figures have it."""
    shown = (delay.before_acceptance_ms, delay.in_waybill_ms, delay.at_receiver_ms, delay.after_acceptance_ms)
    assert all(part is None or part >= 0 for part in shown)
    assert all(part.ms > 0 and part.text and part.by for part in delay.parts)
    edges = [edge for part in delay.parts for edge in (part.start, part.end)]
    assert edges[1:-1:2] == edges[2::2]
    assert not edges or (start, end) == (edges[0], edges[-1])
    assert end - start == sum(part.ms for part in delay.parts) == sum(part or 0 for part in shown)


@settings(deadline=None, max_examples=150)
@given(
    before=st.integers(0, HOUR),
    arrived=st.integers(-HOUR, HOUR),
    steps=st.lists(st.tuples(st.sampled_from(sorted(STEPS)), st.integers(0, 2 * HOUR)), max_size=7),
    end=st.sampled_from(["open", "taken", "returned", "expired"]),
)
def test_parts_add_up(before: int, arrived: int, steps: list[tuple[str, int]], end: str) -> None:
    """From the client's signature to the last answer, to expiry, to the bounce after it, or to now while it is open."""
    life = Life(message=message(client_started_at=START - before, received_at=START + arrived), lifetime=60 * DAY)
    for step, wait in steps:
        STEPS[step](life)
        life.wait(wait)
    ends = life.now
    if end in {"taken", "returned"}:
        life.answered("250 ok", Stage.MESSAGE)
        ends = life.now
        life.wait(HOUR)
    if end == "returned":
        life.returned("550 5.1.1 no such user", mta="mx.b.example")
        ends = life.now
    elif end == "expired":
        ends = life.expired().now
        life.wait(HOUR)
    delay = delay_of(life)
    check(delay, START - before, ends)
    assert (HOUR if end == "returned" else None) == delay.after_acceptance_ms


@settings(deadline=None, max_examples=100)
@given(facts=LEDGERS, later=st.integers(0, DAY))
def test_parts_touch_in_any_ledger(facts: Facts, later: int) -> None:
    """Also where the ledger holds what no life would have written."""
    now = max((event.at for event in facts.events), default=facts.message.accepted_at) + later
    for recipient in explain(facts, now).recipients:
        told = recipient.delay.parts
        if told:
            check(recipient.delay, told[0].start, told[-1].end)


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
    life.held("suspended", None, limit="suspension", by="rule:yahoo-tss04").wait(3 * HOUR).released().wait(5)
    life.answered("250 ok", Stage.MESSAGE)
    ours = 40 + 15 * MINUTE + MINUTE + 3 * HOUR + 5 + 40
    assert (None, ours, 16 * MINUTE + 2 * HOUR + 2 * 350, None) == parts(life)
    said = "451 4.3.2 try again later"
    assert [
        (40, "waybill", "in Waybill's queue"),
        (350, "mx1.firma.example", f"attempt 1: with mx1.firma.example [192.0.2.7]:25, to its answer {said}"),
        (16 * MINUTE, "mx1.firma.example", f"waiting to try again: mx1.firma.example had said {said}"),
        (15 * MINUTE, "operator", "held by the operator: by hand"),
        (MINUTE, "waybill", "released, and in Waybill's queue"),
        (2 * HOUR, "network", "dead"),
        (3 * HOUR, "rule:yahoo-tss04", "held by rule yahoo-tss04: suspended"),
        (45, "waybill", "released, and in Waybill's queue"),
        (350, "mx1.firma.example", "attempt 2: with mx1.firma.example [192.0.2.7]:25, to its answer 250 ok"),
    ] == [(part.ms, part.by, part.text) for part in delay_of(life).parts]


def test_an_attempt_is_split_into_dns_connecting_and_talking() -> None:
    """The lines of the transcript say when the DNS had answered and when a connection stood."""
    at = START + 40
    lines = (
        Line(at=at + 5_000, who=Speaker.NOTE, text="firma.example: MX 10 mx1.firma.example, MX 20 mx2.firma.example"),
        Line(at=at + 35_000, who=Speaker.NOTE, text="connected to mx2.firma.example [192.0.2.8]:25 from 198.51.100.4"),
        Line(at=at + 36_000, who=Speaker.SERVER, text="220 mx2.firma.example"),
    )
    hosts = ("mx1.firma.example [192.0.2.7]:25: no connection within 30 s", "mx2.firma.example [192.0.2.8]:25: 250 ok")
    life = Life(message=message(client_started_at=None))
    life.answered("250 ok", Stage.MESSAGE, transcript=lines, hosts=hosts, ended_at=at + 40_000)
    spans = [(part.ms, part.by) for part in delay_of(life).parts]
    assert [(40, "waybill"), (5_000, "dns"), (30_000, "network"), (5_000, "mx1.firma.example")] == spans
    assert f"(in vain at {hosts[0]})" in delay_of(life).parts[2].text


def test_a_rate_that_it_waited_for_is_told_with_its_author() -> None:
    """The attempt that ended the wait says from when on the rate held it, and who set that."""
    life = Life(message=message(client_started_at=None)).wait(3 * SECOND)
    slowed = Slowed(by="rate-limit", since=START + SECOND, text="mail to Yahoo goes at 2 messages a second")
    life.answered("250 ok", Stage.MESSAGE, slowed=slowed)
    told = [(part.ms, part.by, part.text) for part in delay_of(life).parts if part.where == "in_waybill"]
    assert [
        (SECOND, "waybill", "in Waybill's queue"),
        (2 * SECOND + 40, "rate-limit", "waiting its turn: mail to Yahoo goes at 2 messages a second"),
    ] == told


def test_a_worker_that_ended_and_one_that_never_came() -> None:
    """What Waybill's own faults cost is told as such."""
    life = Life(message=message(client_started_at=None)).wait(30 * SECOND).taken_over(was_sending=None)
    life.wait(SECOND).answered(TRY_LATER).wait_for_retry().wait(20 * MINUTE).stuck()
    told = [(part.ms, part.text) for part in delay_of(life).parts if part.where == "in_waybill"]
    assert [
        (30 * SECOND, "in the hands of a worker that ended, until another took over"),
        (SECOND + 40, "in Waybill's queue"),
        (20 * MINUTE, "due, and no worker had taken it up"),
    ] == told


def test_what_the_receiver_did_with_it_is_known_as_far_as_reports_came_home() -> None:
    """A notice of delay, then a bounce: each ends a part of the time after acceptance."""
    life = Life(message=message(client_started_at=None)).answered("250 ok", Stage.MESSAGE).wait(4 * HOUR)
    life.delay_reported("451 4.4.1 no route", mta="mx.b.example").wait(HOUR)
    life.returned("550 5.1.1 no such user", mta="mx.b.example").wait(DAY)
    after = [part for part in delay_of(life).parts if part.where == "after_acceptance"]
    assert [(4 * HOUR, "mx.b.example"), (HOUR, "mx.b.example")] == [(part.ms, part.by) for part in after]
    assert 5 * HOUR == delay_of(life).after_acceptance_ms


def test_a_fault_of_our_own_is_no_time_of_the_receiver() -> None:
    """Where Waybill itself put an attempt off, the wait is Waybill's."""
    life = Life(message=message(client_started_at=None))
    life.failed(Failure.NO_SOURCE, "no address to go from", Stage.ROUTE).wait_for_retry()
    assert {"in_waybill"} == {part.where for part in delay_of(life).parts}


def test_a_destination_that_was_dead_before_the_first_attempt() -> None:
    """Time that nobody's answer fills is the receiver's, too, where others have shown that nobody is there."""
    life = Life(message=message(client_started_at=None)).wait(SECOND)
    life.held("dead", life.now + HOUR, limit="unreachable").wait(2 * MINUTE)
    assert (None, SECOND, 2 * MINUTE, None) == parts(life)


def test_a_client_clock_that_is_ahead() -> None:
    """A signature from the future gives no negative time."""
    life = Life(message=message(client_started_at=START + MINUTE)).wait(5)
    assert Status.QUEUED is life.delivery.status
    assert (0, 5, None, None) == parts(life)
