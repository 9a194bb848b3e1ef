"""What is kept beside single deliveries: replies that no rule knows, reports, tallies, and where mail was sent from."""

import dataclasses

import pytest

from tests.store.builders import ACCOUNT, START, accepted, attempted, suppression
from waybill.model.cause import Cause
from waybill.model.clock import DAY
from waybill.model.message import Status
from waybill.model.suppression import GLOBAL, Reason, Suppression
from waybill.store.observed import KeptReport, UnknownReply
from waybill.store.protocol import Store

REPLY = UnknownReply(
    fingerprint="550 no # today",
    site="r.example",
    example="550 no 7 today",
    message_id="m-1",
    first_at=START + 5,
    last_at=START + 5,
)
REPORT = KeptReport(
    kind="dmarc",
    key="google.com 1",
    domain="sender.example",
    reporter="google.com",
    begin=START,
    end=START + DAY,
    received_at=START + DAY,
    summary={"messages": 7, "aligned": [1, 2]},
)


async def settle_with(store: Store, reply: UnknownReply) -> None:
    (delivery,) = await accepted(store, lease_owner="w", lease_until=START + 1)
    await store.settle(attempted(delivery, Status.DELAYED, START, unknown_reply=reply))


async def test_unknown_replies(store: Store) -> None:
    """A settled reply is counted by its fingerprint, with the newest copy as its example; the most frequent come first."""
    other = dataclasses.replace(REPLY, fingerprint="4")
    newer = dataclasses.replace(
        REPLY, example="550 no 8 today", message_id="m-2", first_at=START + 9, last_at=START + 9
    )
    for reply in (other, REPLY, newer):
        await settle_with(store, reply)
    counted = dataclasses.replace(newer, first_at=START + 5, count=2)
    assert [counted, other] == await store.unknown_replies()
    assert [counted] == await store.unknown_replies(limit=1)
    assert 1 == await store.forget_unknown_replies([REPLY.fingerprint, "never seen"])
    assert [other] == await store.unknown_replies()


async def test_reports(store: Store) -> None:
    """A report is kept once, and read by kind and domain, the newest first."""
    later = dataclasses.replace(REPORT, key="2", domain="other.example", received_at=START + 2 * DAY)
    tls = dataclasses.replace(REPORT, kind="tlsrpt")
    assert [True, True, True, False] == [await store.keep_report(one) for one in (REPORT, later, tls, REPORT)]
    assert [later, REPORT] == await store.reports("dmarc")
    assert [later] == await store.reports("dmarc", limit=1)
    assert [REPORT] == await store.reports("dmarc", domain="sender.example")
    assert [tls] == await store.reports("tlsrpt")


async def test_tallies(store: Store) -> None:
    """What is counted by name is counted by day."""
    for at, more in ((START, 1), (START + 1, 2), (START + DAY, 5)):
        await store.tally("forged_bounces", at, more)
    await store.tally("other", START)
    assert 8 == await store.tallied("forged_bounces", START)
    assert 5 == await store.tallied("forged_bounces", START + DAY)
    assert 0 == await store.tallied("never", 0)


async def test_where_mail_was_sent_from(store: Store) -> None:
    """Each settled attempt counts for its source address and site, by day, whatever came of it."""
    for status, day, site in ((Status.DELIVERED, 0, "google"), (Status.DELAYED, 1, "google"), (Status.BOUNCED, 1, "x")):
        at = START + day * DAY
        (delivery,) = await accepted(store, at, lease_owner="w", lease_until=at + 1)
        await store.settle(attempted(delivery, status, at, source_ip="192.0.2.1", site=site))
    assert [2, 1, 0] == [await store.sent_from("192.0.2.1", "google", START + day * DAY) for day in range(3)]
    assert 0 == await store.sent_from("192.0.2.2", "google", 0)


ENTRIES = (
    suppression("a@r.example", cause=Cause.USER_UNKNOWN),
    suppression("b@r.example", author="rule:other", cause=Cause.MAILBOX_DISABLED, at=START + 5),
    suppression("c@r.example", author="operator", reason=Reason.COMPLAINT, at=START + 9),
)


@pytest.mark.parametrize(
    ("asked", "removed"),
    [
        ({"rule": "user-unknown"}, "a"),
        ({"rule": "rule:other"}, "b"),
        ({"cause": Cause.USER_UNKNOWN}, "a"),
        ({"reason": Reason.BOUNCE}, "ab"),
        ({"reason": Reason.BOUNCE, "since": START + 5}, "b"),
        ({"since": START, "until": START + 9}, "ab"),
        ({"rule": "nobody"}, ""),
    ],
)
async def test_unsuppressing_many(store: Store, asked: dict[str, object], removed: str) -> None:
    """Entries of one list go by what made them: those removed are told, with their cause, and the others stay."""
    everywhere = suppression("a@r.example", account=GLOBAL, cause=Cause.USER_UNKNOWN)
    await store.suppress([*ENTRIES, everywhere])
    gone = [entry for entry in ENTRIES if entry.address[0] in removed]
    result: list[Suppression] = await store.unsuppress_matching(ACCOUNT, **asked)  # type: ignore[arg-type]
    assert gone == result
    assert [entry for entry in ENTRIES if entry not in gone] == await store.suppressions(ACCOUNT)
    assert [everywhere] == await store.suppressions(GLOBAL)


async def test_unsuppressing_everything_needs_a_word(store: Store) -> None:
    """A list is not emptied by saying nothing."""
    await store.suppress(ENTRIES)
    with pytest.raises(ValueError, match="say which entries"):
        await store.unsuppress_matching(ACCOUNT)
    assert 3 == len(await store.suppressions(ACCOUNT))
