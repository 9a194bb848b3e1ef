"""Reading the ledger: finding deliveries, and what else bears on one."""

import pytest

from tests.store.builders import ACCOUNT, START, accepted, attempted, message, new_event
from tests.store.conformance import Engine
from waybill.model.cause import Cause
from waybill.model.clock import DAY, HOUR, MINUTE
from waybill.model.event import Complained, EventKind
from waybill.model.message import Delivery, Status
from waybill.store.protocol import DomainHistory, Search, Settlement, Store

NOTHING = DomainHistory(
    delivered_to_domain=0,
    last_delivered_to_domain=None,
    last_delivered_to_address=None,
    last_bounced_address=None,
    same_cause_messages=0,
    same_cause_domains=0,
    same_cause_since=None,
)


async def fate(
    store: Store,
    recipient: str,
    status: Status,
    at: int = START,
    *,
    account: str = ACCOUNT,
    sender: str = "a@s.example",
) -> Delivery:
    """A message of its own that came to this; ``QUEUED`` leaves it waiting."""
    (delivery,) = await accepted(
        store,
        at,
        recipient,
        message=message(at, account=account, sender=sender),
        lease_owner="w",
        lease_until=at + HOUR,
    )
    if status is not Status.QUEUED:
        await store.settle(attempted(delivery, status, at + 1))
    settled = await store.delivery(delivery.id)
    assert settled is not None
    return settled


@pytest.fixture
async def ledger(store: Store) -> dict[str, Delivery]:
    """Five deliveries of different fates, a minute apart."""
    return {
        "gone": await fate(store, "Gone@Receiver.example", Status.BOUNCED),
        "late": await fate(store, "late@receiver.example", Status.DELAYED, START + MINUTE),
        "fine": await fate(store, "fine@other.example", Status.DELIVERED, START + 2 * MINUTE, sender="b@s.example"),
        "wait": await fate(store, "wait@other.example", Status.QUEUED, START + 3 * MINUTE, sender="a@t.example"),
        "else": await fate(store, "gone@receiver.example", Status.BOUNCED, START + 4 * MINUTE, account="2"),
    }


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        (Search(), ["else", "wait", "fine", "late", "gone"]),
        (Search(limit=2), ["else", "wait"]),
        (Search(account=ACCOUNT), ["wait", "fine", "late", "gone"]),
        (Search(recipient="Gone@RECEIVER.example"), ["gone"]),
        (Search(recipient="@Receiver.Example"), ["else", "late", "gone"]),
        (Search(recipient="@receiver.example", account="2"), ["else"]),
        (Search(recipient="@example"), []),
        (Search(sender="a@S.example"), ["else", "late", "gone"]),
        (Search(sender="@s.example"), ["else", "fine", "late", "gone"]),
        (Search(sender="@s.example", since=START + MINUTE, until=START + 3 * MINUTE, limit=1), ["fine"]),
        (Search(sender="a@s.example", recipient="@receiver.example", account=ACCOUNT), ["late", "gone"]),
        (Search(sender="@s.example", cause=Cause.GREYLISTED, since=START), ["late"]),
        (Search(sender="@S.example", status=Status.DELIVERED), ["fine"]),
        (Search(status=Status.BOUNCED), ["else", "gone"]),
        (Search(status=Status.QUEUED), ["wait"]),
        (Search(status=Status.DELAYED), ["late"]),
        (Search(status=Status.REJECTED), []),
        (Search(cause=Cause.USER_UNKNOWN, account=ACCOUNT), ["gone"]),
        (Search(cause=Cause.GREYLISTED), ["late"]),
        (Search(cause=Cause.ACCEPTED_BY_RECEIVER), ["fine"]),
        (Search(since=START + MINUTE, until=START + 3 * MINUTE), ["wait", "fine", "late"]),
        (Search(recipient="", sender="@"), []),
    ],
)
async def test_find(store: Store, ledger: dict[str, Delivery], search: Search, expected: list[str]) -> None:
    """All that a search names must match; the newest come first."""
    names = {delivery.id: name for name, delivery in ledger.items()}
    found = await store.find(search)
    assert expected == [names[one.delivery.id] for one in found]
    assert [ledger[name] for name in expected] == [one.delivery for one in found]
    assert [one.delivery.message_id for one in found] == [one.message.id for one in found]


async def test_no_history(store: Store) -> None:
    """The first message to an address knows nothing of others, whatever became of itself."""
    for status in (Status.QUEUED, Status.DELIVERED, Status.BOUNCED):
        delivery = await fate(store, f"{status}@{status}.example", status)
        assert await store.history(delivery, START + HOUR) == NOTHING


async def test_history_of_domain_and_address(store: Store) -> None:
    """Deliveries to the domain and the address are counted for a day; the last of all time is known."""
    await fate(store, "bob@receiver.example", Status.DELIVERED, START)
    await fate(store, "carol@Receiver.example", Status.DELIVERED, START + 2 * DAY, account="2")
    await fate(store, "bob@receiver.example", Status.BOUNCED, START + 3)
    await fate(store, "bob@other.example", Status.DELIVERED, START + 2 * DAY)
    delivery = await fate(store, "bob@receiver.example", Status.DELAYED, START + 2 * DAY)
    history = await store.history(delivery, START + 2 * DAY + HOUR)
    assert (history.delivered_to_domain, history.last_delivered_to_domain) == (1, START + 2 * DAY + 1)
    assert history.last_delivered_to_address == START + 1
    assert history.last_bounced_address == START + 4


async def test_history_of_a_cause(store: Store) -> None:
    """Other messages of the account with the same cause are counted over the last day, and their domains."""
    for at, recipient in enumerate(["a@one.example", "b@one.example", "c@two.example"], START):
        await fate(store, recipient, Status.DELAYED, at)
    await fate(store, "d@three.example", Status.DELAYED, START, account="2")
    await fate(store, "e@four.example", Status.BOUNCED, START)
    delivery = await fate(store, "f@five.example", Status.DELAYED, START + HOUR)
    history = await store.history(delivery, START + HOUR)
    assert (history.same_cause_messages, history.same_cause_domains, history.same_cause_since) == (3, 2, START + 1)
    later = await store.history(delivery, START + DAY + 2)
    assert (later.same_cause_messages, later.same_cause_domains, later.same_cause_since) == (1, 1, START + 3)


async def test_history_of_an_expiry(store: Store) -> None:
    """What has expired for another reason did not meet the same cause."""
    expired = [
        await fate(store, f"a@{name}.example", Status.DELAYED, START + place)
        for place, name in enumerate(("dns", "full", "dns-too"))
    ]
    causes = (Cause.DNS_FAILURE, Cause.MAILBOX_FULL, Cause.DNS_FAILURE)
    for delivery, cause in zip(expired, causes, strict=True):
        await store.settle(
            Settlement(
                delivery_id=delivery.id,
                status=Status.BOUNCED,
                cause=Cause.DELIVERY_EXPIRED,
                underlying_cause=cause,
                events=(),
            )
        )
    last = await store.delivery(expired[2].id)
    assert last is not None
    history = await store.history(last, START + HOUR)
    assert (1, 1) == (history.same_cause_messages, history.same_cause_domains)


async def test_a_complaint_was_delivered(store: Store) -> None:
    """A complaint does not hide when the message was delivered."""
    first = await fate(store, "bob@receiver.example", Status.DELIVERED)
    fact = Complained(feedback_id="f", feedback_type="abuse", user_agent=None, arrival_date=None, reported_by="r")
    await store.settle(
        Settlement(
            delivery_id=first.id,
            status=Status.COMPLAINED,
            cause=Cause.COMPLAINT,
            events=(new_event(EventKind.COMPLAINED, START + HOUR, fact, first.recipient),),
        )
    )
    delivery = await fate(store, "bob@receiver.example", Status.QUEUED, START + HOUR)
    history = await store.history(delivery, START + HOUR)
    assert history.last_delivered_to_address == START + 1


async def test_history_of_a_delivery_elsewhere(engine: Engine) -> None:
    """A delivery that this ledger has never seen is answered as well."""
    store = await engine.open()
    known = await fate(store, "bob@receiver.example", Status.DELIVERED)
    unseen = Delivery(
        id=99,
        message_id="elsewhere",
        account=ACCOUNT,
        recipient="bob@receiver.example",
        status=Status.QUEUED,
        cause=None,
        underlying_cause=None,
        attempts=0,
        accepted_at=START,
        next_at=None,
        expires_at=START,
        updated_at=START,
    )
    history = await store.history(unseen, START)
    assert known.updated_at == history.last_delivered_to_domain
