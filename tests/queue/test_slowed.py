"""What a delivery waited for where its site is sent to at a rate: told with the attempt, and whose rate it is."""

from dataclasses import replace

from tests.queue.queueing import World, work
from tests.queue.test_pace import slow_down
from tests.store.builders import START, accepted
from waybill.deliver.provider import plain_site
from waybill.model.clock import MINUTE, SECOND
from waybill.model.event import Attempted
from waybill.model.message import Delivery, Status
from waybill.model.outcome import Slowed
from waybill.model.resource import INSTALLATION, Suspension
from waybill.queue.lanes import Lane
from waybill.queue.pace import Pace
from waybill.queue.slowed import slowed_by

SITE = replace(plain_site("mx.a.example"), title="A Mail")
DELIVERY = Delivery(
    id=1,
    message_id="m",
    account="100000000001",
    recipient="bob@a.example",
    status=Status.QUEUED,
    cause=None,
    underlying_cause=None,
    attempts=0,
    accepted_at=START,
    next_at=START,
    expires_at=START + MINUTE,
    updated_at=START,
)


def lane(per_second: float | None = None) -> Lane:
    return Lane(SITE, Pace("mx.a.example", most=10, per_second=per_second, first_rest=SECOND))


def test_no_rate_no_word() -> None:
    """A wait without a rate is the queue's; one that is short is not worth a word."""
    assert slowed_by(lane(), DELIVERY, START + MINUTE) is None
    assert slowed_by(lane(per_second=2), DELIVERY, START + SECOND - 1) is None


def test_the_rate_of_the_sites_record() -> None:
    """From when it was due; a retry is due later than it was accepted."""
    text = "mail to A Mail goes at 2 messages a second from this worker, which is what it bears"
    expected = Slowed(by="rate-limit", since=START, text=text)
    assert expected == slowed_by(lane(per_second=2), DELIVERY, START + 3 * SECOND)
    later = replace(DELIVERY, next_at=START + 2 * SECOND)
    assert replace(expected, since=START + 2 * SECOND) == slowed_by(lane(per_second=2), later, START + 3 * SECOND)


def test_a_rate_that_the_site_asked_for() -> None:
    """With its own words, and not from before it had said them."""
    slowed = lane()
    slowed.pace.learn(slow_down(START + SECOND), "other", ours=False)
    found = slowed_by(slowed, DELIVERY, START + 5 * SECOND)
    assert found is not None
    assert ("rate-limit", START + SECOND + 1) == (found.by, found.since)
    assert found.text.endswith("since it answered: smtp; 421 4.7.0 Too many connections, slow down")


def test_a_suspension_that_lets_some_go() -> None:
    """Whoever set it is the author."""
    suspended = lane()
    suspended.suspend(
        Suspension(
            account=INSTALLATION,
            name="mx.a.example",
            by="rule:yahoo-tss04",
            reason="too many complaints",
            at=START - MINUTE,
            per_minute=6,
        ),
        workers=1,
    )
    text = "mail to A Mail goes at 6 messages a minute: too many complaints"
    expected = Slowed(by="rule:yahoo-tss04", since=START, text=text)
    assert expected == slowed_by(suspended, DELIVERY, START + 5 * SECOND)


async def test_the_ledger_has_it_with_the_attempt(world: World) -> None:
    """A worker that goes at a suspension's rate writes down for whom the delivery waited."""
    (delivery,) = await accepted(world.store)
    suspension = Suspension(
        account=INSTALLATION,
        name="receiver.example",
        by="operator",
        reason="they asked us to",
        at=START - MINUTE,
        per_minute=6_000,
    )
    await world.store.put(suspension)
    world.at = START + 5 * SECOND
    queue = world.queue(world.receiver())
    await queue.keep_house()
    await work(queue)
    fact = (await world.ledger(delivery)).events[-1].fact
    assert isinstance(fact, Attempted)
    text = "mail to receiver.example goes at 6000 messages a minute: they asked us to"
    assert Slowed(by="operator", since=START, text=text) == fact.attempt.slowed
