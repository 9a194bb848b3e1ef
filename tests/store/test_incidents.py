"""Incidents in the store: their numbers, what was counted, the quarantine of suppression entries, and time given back."""

from dataclasses import replace

from tests.store.builders import ACCOUNT, START, accepted, attempted, suppression
from waybill.model.cause import Cause
from waybill.model.clock import DAY, HOUR, MINUTE
from waybill.model.event import EventKind, Prolonged
from waybill.model.incident import Incident, IncidentKind, IncidentState
from waybill.model.message import Status
from waybill.store.incidents import MoreTime, QuarantineEnd, SiteCounts
from waybill.store.protocol import Store

INCIDENT = Incident(
    kind=IncidentKind.FALSE_RECIPIENT_REJECTS,
    state=IncidentState.OPEN,
    site="google",
    title="Google",
    since=START,
    opened_at=START + MINUTE,
    updated_at=START + MINUTE,
    author="rule:incident-false-recipient-rejects",
)


def closed(incident: Incident) -> Incident:
    return replace(incident, state=IncidentState.CLOSED, closed_at=START + HOUR, closed_by="operator")


async def test_numbers_are_given_once(store: Store) -> None:
    """INC-1, INC-2; what is read is what was written; a closed one is left as it is."""
    first, second = await store.incidents.open(INCIDENT), await store.incidents.open(replace(INCIDENT, site="yahoo"))
    assert ["INC-1", "INC-2"] == [first.id, second.id]
    assert [first, second] == await store.incidents.lasting()
    assert await store.incidents.change(closed(first))
    assert [second] == await store.incidents.lasting()
    assert closed(first) == await store.incidents.incident(1)
    assert not await store.incidents.change(first)
    assert None is await store.incidents.incident(3)


async def test_between(store: Store) -> None:
    """Those that have a moment in common with the time asked for, newest first."""
    first = await store.incidents.open(INCIDENT)
    await store.incidents.change(closed(first))
    second = await store.incidents.open(replace(INCIDENT, since=START + 2 * HOUR))
    assert [second, closed(first)] == await store.incidents.between(START, START + DAY)
    assert [closed(first)] == await store.incidents.between(START + HOUR, START + HOUR)
    assert [] == await store.incidents.between(START + HOUR + 1, START + 2 * HOUR - 1)
    assert [second] == await store.incidents.between(START + 3 * HOUR, START + DAY)


async def test_counts_are_replaced_and_forgotten(store: Store) -> None:
    """A minute of a site is written again whole by the worker that counts it; after an hour it is gone."""
    book = store.incidents
    await book.count([SiteCounts(minute=START, site="google", worker="w1", body=b"1")], START)
    await book.count([SiteCounts(minute=START, site="google", worker="w1", body=b"2")], START)
    await book.count([SiteCounts(minute=START, site="google", worker="w2", body=b"3")], START)
    assert [b"2", b"3"] == sorted(await book.counts(START))
    assert [] == await book.counts(START + 1)
    await book.count([], START + 2 * HOUR)
    assert [] == await book.counts(0)


async def test_what_is_usual_is_remembered(store: Store) -> None:
    """The last that was written for a site; forgotten after 90 days without a word."""
    await store.incidents.remember({"google": b"1", "yahoo": b"1"}, START)
    await store.incidents.remember({"google": b"2"}, START + 91 * DAY)
    assert [b"2"] == await store.incidents.memories()


async def test_quarantine(store: Store) -> None:
    """Entries that bounces made at the site since the incident began are out of force until it is over, then judged one by one."""
    await store.remember_sites({"gmail.com": "google"})
    (known,) = await accepted(store, START - DAY, "known@gmail.com", lease_owner="w", lease_until=START)
    await store.settle(attempted(known, Status.DELIVERED, START - DAY + 1))
    mine = {"cause": Cause.USER_UNKNOWN, "author": "rule:user-unknown"}
    entries = {
        "known@gmail.com": suppression("known@gmail.com", at=START + 1, **mine),
        "nobody@gmail.com": suppression("nobody@gmail.com", at=START + 1, **mine),
        "earlier@gmail.com": suppression("earlier@gmail.com", at=START - 1, **mine),
        "elsewhere@yahoo.com": suppression("elsewhere@yahoo.com", at=START + 1, **mine),
        "byhand@gmail.com": suppression("byhand@gmail.com", at=START + 1, cause=Cause.USER_UNKNOWN, author="operator"),
    }
    await store.suppress(list(entries.values()))
    incident = await store.incidents.open(INCIDENT)
    assert 2 == await store.incidents.quarantine(incident)
    left = ["byhand@gmail.com", "earlier@gmail.com", "elsewhere@yahoo.com"]
    assert left == [entry.address for entry in await store.suppressions(ACCOUNT)]
    kept = await store.incidents.quarantined(1)
    assert [(entries["known@gmail.com"], None), (entries["nobody@gmail.com"], None)] == [
        (one.entry, one.ended) for one in kept
    ]
    ends = await store.incidents.end_quarantine(1, known_since=START - 90 * DAY)
    assert {QuarantineEnd.DISCARDED: 1, QuarantineEnd.CONFIRMED: 1} == ends
    assert sorted([*left, "nobody@gmail.com"]) == [entry.address for entry in await store.suppressions(ACCOUNT)]
    assert [QuarantineEnd.DISCARDED, QuarantineEnd.CONFIRMED] == [
        one.ended for one in await store.incidents.quarantined(1)
    ]
    assert {QuarantineEnd.DISCARDED: 0, QuarantineEnd.CONFIRMED: 0} == await store.incidents.end_quarantine(
        1, known_since=0
    )


async def test_time_is_given_back_once(store: Store) -> None:
    """What waited gets the incident's length on top, told in the ledger; asked again, nothing more."""
    incident = await store.incidents.open(replace(INCIDENT, kind=IncidentKind.OUTAGE))
    await store.remember_sites({"gmail.com": "google"})
    (waits,) = await accepted(store, START - HOUR, "a@gmail.com", lease_owner="w", lease_until=START)
    (young,) = await accepted(store, START + HOUR, "b@gmail.com", lease_owner="w", lease_until=START)
    (other,) = await accepted(store, START - HOUR, "c@yahoo.com", lease_owner="w", lease_until=START)
    for one in (waits, young, other):
        await store.settle(attempted(one, Status.DELAYED, START + HOUR + 1, next_at=START + 3 * HOUR))
    more = MoreTime(incident=incident, site="google", since=START, until=START + 2 * HOUR, lifetime=14 * HOUR)
    now = START + 2 * HOUR
    assert 2 == await store.incidents.give_time(more, now)
    assert 0 == await store.incidents.give_time(more, now)
    after = [await store.delivery(one.id) for one in (waits, young, other)]
    assert [2 * HOUR, HOUR, 0] == [
        one.expires_at - before.expires_at for one, before in zip(after, (waits, young, other), strict=True) if one
    ]
    ledger = await store.ledger(waits.message_id)
    assert ledger is not None
    (event,) = [event for event in ledger.events if event.kind is EventKind.PROLONGED]
    assert isinstance(event.fact, Prolonged)
    assert ("INC-1", 2 * HOUR, waits.expires_at + 2 * HOUR) == (
        event.fact.incident,
        event.fact.by_ms,
        event.fact.until,
    )


async def test_what_would_run_out_first(store: Store) -> None:
    """While it lasts only what is about to expire gets time, and not what its sender gave less of it."""
    incident = await store.incidents.open(replace(INCIDENT, kind=IncidentKind.OUTAGE))
    (soon,) = await accepted(store, START - 13 * HOUR, "a@google", lease_owner="w", lease_until=START)
    (later,) = await accepted(store, START, "b@google", lease_owner="w", lease_until=START)
    more = MoreTime(
        incident=incident,
        site="google",
        since=START,
        until=START + 50 * MINUTE,
        lifetime=14 * HOUR,
        expiring_before=START + 65 * MINUTE,
        at_least=30 * MINUTE,
    )
    now = START + 50 * MINUTE
    assert 0 == await store.incidents.give_time(replace(more, lifetime=15 * HOUR), now)
    assert 1 == await store.incidents.give_time(more, now)
    after = [await store.delivery(one.id) for one in (soon, later)]
    assert [50 * MINUTE, 0] == [
        one.expires_at - before.expires_at for one, before in zip(after, (soon, later), strict=True) if one
    ]


async def test_who_bounced_there(store: Store) -> None:
    """By account: bounces for an address, at the site, in the time."""
    await store.remember_sites({"gmail.com": "google"})
    (one,) = await accepted(store, START, "a@gmail.com", lease_owner="w", lease_until=START)
    await store.settle(attempted(one, Status.BOUNCED, START + 5))
    assert {ACCOUNT: 1} == await store.incidents.bounced("google", START, START + 10)
    assert {} == await store.incidents.bounced("yahoo", START, START + 10)
    assert {} == await store.incidents.bounced("google", START + 6, START + 10)
