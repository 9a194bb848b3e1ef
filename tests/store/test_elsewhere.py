"""Mail that Amazon SES carries is in the ledger, and the queue never sees it."""

from tests.store.builders import START, acceptance, accepted
from tests.store.conformance import Engine
from tests.watch import events
from waybill.model.clock import DAY
from waybill.model.message import Status
from waybill.store.elsewhere import TakenIn
from waybill.store.protocol import Search, Store
from waybill.store.queueing import Selection
from waybill.watch.read import read_report

LATER = START + 10 * DAY


async def test_the_queue_never_sees_it(store: Store) -> None:
    """Queued or delayed at Amazon SES, it is neither claimed, expired, stuck, listed, held nor released here."""
    await store.take_in([read_report(events.send()), read_report(events.delay())])
    assert [] == await store.claim("w", LATER, limit=10, lease_until=LATER + 1)
    assert [] == await store.overdue("w", LATER, limit=10, lease_until=LATER + 1)
    assert [] == await store.mark_stuck(LATER, due_before=LATER, limit=10)
    assert [] == await store.queue_by_site(LATER)
    assert 0 == await store.release(Selection(), by="operator", now=LATER, limit=10)
    assert 0 == await store.retry_now(Selection(), now=LATER, limit=10)
    assert (await store.health()).oldest_queued_at is None


async def test_it_is_found_by_its_status(store: Store) -> None:
    """Beside Waybill's own mail of the same status, newest first."""
    (own,) = await accepted(store, START)
    await store.take_in([read_report(events.send())])
    found = await store.find(Search(status=Status.QUEUED))
    assert {own.message_id, events.MESSAGE_ID} == {one.message.id for one in found}
    await store.take_in([read_report(events.delay())])
    assert [events.MESSAGE_ID] == [one.message.id for one in await store.find(Search(status=Status.DELAYED))]


async def test_it_counts_in_no_statistics(store: Store) -> None:
    """What an AWS account sends is no sending of this installation."""
    await store.take_in([read_report(events.send()), read_report(events.bounce())])
    assert 0 == await store.sent(events.ACCOUNT, 0)
    assert [] == await store.statistics(events.ACCOUNT, 0)
    assert {} == {status: count for status, count in (await store.health()).deliveries.items() if count}


async def test_a_message_of_waybills_own_is_left_alone(store: Store) -> None:
    """Waybill's own events, sent back to it, change nothing."""
    own = acceptance(START)
    await store.accept(own)
    before = await store.ledger(own.message.id)
    report = read_report(events.bounce() | {"mail": events.mail(messageId=own.message.id)})
    assert TakenIn(not_theirs=(own.message.id,)) == await store.take_in([report])
    assert before == await store.ledger(own.message.id)


async def test_two_processes_take_in_the_same(engine: Engine) -> None:
    """Whoever comes second finds it written."""
    one, two = await engine.open(), await engine.open()
    report = read_report(events.bounce())
    taken = [await one.take_in([report]), await two.take_in([report])]
    assert [1, 0] == [each.new for each in taken]
