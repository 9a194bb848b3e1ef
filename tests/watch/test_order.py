"""The ledger ends the same whatever the order in which events come, and however often."""

import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.watch import events
from waybill.explain import to_json
from waybill.inquire import inquire
from waybill.model.cause import Cause
from waybill.model.clock import DAY, Instant, parse_rfc3339
from waybill.model.message import Status
from waybill.store.elsewhere import Reported, TakenIn
from waybill.store.protocol import Ledger, Search, Store
from waybill.store.sqlite import open_sqlite
from waybill.watch.read import read_report

LATER: Instant = parse_rfc3339(events.SENT_AT) + 3 * DAY
OTHER = "010201a20cd2a50c-00000000-8a5b-4d0c-9d2a-6f1f0a1b2c3d-000000"

TOLD: tuple[dict[str, Any], ...] = (
    events.send(),
    events.delay("RecipientServerError", "smtp; 451 4.3.2 try again later"),
    events.delay("General", timestamp="2026-11-24T09:32:12.000Z"),
    events.delivery(at="2026-11-24T09:42:04.100Z"),
    events.legacy(events.delivery(at="2026-11-24T09:42:04.100Z")),
    events.opened(at="2026-11-24T10:00:00.000Z"),
    events.clicked(),
    events.bounce("Transient", "General", None, timestamp="2026-11-24T10:05:00.000Z"),
    events.bounce("Transient", "General", events.EXPIRED, timestamp="2026-11-24T23:12:03.000Z"),
    events.bounce(sub_type="OnAccountSuppressionList", words=events.ON_ACCOUNT_LIST),
    events.complaint(),
    events.complaint() | {"mail": events.mail(headers=None, commonHeaders=None, tags=None)},
    events.rendering_failure("Attribute 'x' is not present in the rendering data."),
    events.reject(),
    events.subscription(),
    events.delivery() | {"mail": events.mail(sendingAccountId=None, sourceArn=None)},
    events.bounce() | {"mail": events.mail(destination=[events.TO, "second@mail.example"])},
    events.send(messageId=OTHER, sendingAccountId="210987654321"),
    events.bounce() | {"mail": events.mail(messageId=OTHER, sendingAccountId="210987654321")},
)


def plain(ledger: Ledger | None) -> Any:
    """A ledger without the numbers that rows got in the order they came."""
    assert ledger is not None
    told = sorted((event.at, event.kind, event.recipient or "", repr(event.fact)) for event in ledger.events)
    standing = sorted(
        (one.recipient, one.status, one.cause, one.underlying_cause, one.accepted_at, one.expires_at, one.updated_at)
        for one in ledger.deliveries
    )
    return ledger.message, standing, told


async def explained(store: Store, message_id: str) -> Any:
    """The explanation without the numbers of events."""
    found = await inquire(store, message_id, LATER)
    assert found is not None
    document = to_json(found)
    for recipient in document["recipients"]:
        for item in (*recipient["evidence"], *recipient["timeline"]):
            item.pop("event")
    document["recipients"].sort(key=lambda one: one["recipient"])
    return document


async def outcome(folder: Path, batches: list[list[Reported]]) -> Any:
    """What a new store holds and says after taking in the batches."""

    path = folder / f"{random.getrandbits(64)}.db"
    store = await open_sqlite(path, clock=lambda: LATER)
    try:
        for batch in batches:
            await store.take_in(batch)
        ids = sorted({one.message.id for batch in batches for one in batch})
        return [(plain(await store.ledger(one)), await explained(store, one)) for one in ids]
    finally:
        await store.close()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
async def test_any_order_with_duplicates_gives_the_same(tmp_path: Path, data: st.DataObject) -> None:
    """Permuted, repeated, cut into batches: the ledger and the explanation are equal."""
    chosen = data.draw(st.lists(st.sampled_from(range(len(TOLD))), min_size=1, max_size=8, unique=True))
    order = data.draw(st.permutations([*chosen, *data.draw(st.lists(st.sampled_from(chosen), max_size=4))]))
    cut = data.draw(st.integers(min_value=0, max_value=len(order)))
    straight = [[read_report(TOLD[one])] for one in sorted(chosen)]
    shuffled = [read_report(TOLD[one]) for one in order]
    assert await outcome(tmp_path, straight) == await outcome(tmp_path, [shuffled[:cut], shuffled[cut:]])


@pytest.fixture
async def store(tmp_path: Path) -> Any:
    store = await open_sqlite(tmp_path / "waybill.db", clock=lambda: LATER)
    yield store
    await store.close()


async def test_the_same_event_is_written_once(store: Store) -> None:
    """Of both families of events, and again."""
    assert TakenIn(new=1) == await store.take_in([read_report(events.bounce())])
    again = [read_report(events.legacy(events.bounce())), read_report(events.bounce())]
    assert TakenIn(known=2) == await store.take_in(again)


async def test_a_bounce_after_the_delivery_decides(store: Store) -> None:
    """SES reports an asynchronous bounce after the delivery, and may do so first."""
    late = events.bounce(timestamp="2026-11-24T09:20:00.000Z")
    await store.take_in([read_report(late), read_report(events.delivery())])
    (found,) = await store.find(Search(recipient=events.TO))
    assert (Status.BOUNCED, Cause.USER_UNKNOWN) == (found.delivery.status, found.delivery.cause)


async def test_an_automatic_reply_undoes_no_delivery(store: Store) -> None:
    """SES makes a soft bounce without words of an out-of-office reply."""
    reply = events.bounce("Transient", "General", None, timestamp="2026-11-24T09:13:00.000Z")
    await store.take_in([read_report(reply), read_report(events.delivery())])
    (found,) = await store.find(Search(recipient=events.TO))
    assert Status.DELIVERED == found.delivery.status


async def test_the_last_delay_stands_behind_an_expiry_that_says_nothing(store: Store) -> None:
    """The words of the bounce are "Unknown": the delay before it knew more."""
    words = "smtp; 550 4.4.7 Message expired: unable to deliver in 840 minutes.<451 4.0.0 Unknown>"
    told = [events.bounce("Transient", "General", words), events.delay("MailboxFull")]
    await store.take_in([read_report(one) for one in told])
    (found,) = await store.find(Search(recipient=events.TO))
    assert (Cause.DELIVERY_EXPIRED, Cause.MAILBOX_FULL) == (found.delivery.cause, found.delivery.underlying_cause)


async def test_a_report_that_names_no_account_joins_the_one_that_does(store: Store) -> None:
    """A notification that somebody has cut down to what matters is about the same message, whichever comes first."""
    short = events.mail(sendingAccountId=None, sourceArn=None)
    for told in ([events.bounce() | {"mail": short}, events.send()], [events.delivery() | {"mail": short}]):
        assert () == (await store.take_in([read_report(one) for one in told])).not_theirs
    (found,) = await store.find(Search(recipient=events.TO))
    assert (events.ACCOUNT,) * 2 == (found.message.account, found.delivery.account)
    assert Status.BOUNCED is found.delivery.status


async def test_a_message_of_another_account_is_left_out(store: Store) -> None:
    """An id that another account's events claim is not believed."""
    await store.take_in([read_report(events.send())])
    forged = read_report(events.bounce() | {"mail": events.mail(sendingAccountId="666666666666")})
    assert TakenIn(not_theirs=(events.MESSAGE_ID,)) == await store.take_in([forged])
    (found,) = await store.find(Search(recipient=events.TO))
    assert (events.ACCOUNT, Status.QUEUED) == (found.delivery.account, found.delivery.status)
