"""What became of mail is counted in the transaction that settles it, by SES's rules of what counts."""

from dataclasses import replace
from typing import Any

from tests.store.builders import ACCOUNT, START, acceptance, accepted, attempted, message, new_event, suppression
from waybill.model.cause import Cause, Scope
from waybill.model.clock import DAY, HOUR, MINUTE
from waybill.model.event import Attempted, BounceReceived, Complained, EventKind, Expired, Suppressed
from waybill.model.message import Delivery, Status
from waybill.model.resource import Identity, Verification
from waybill.model.standing import Figures, Listed, ListingState, Tally
from waybill.model.suppression import GLOBAL
from waybill.store.protocol import NewDelivery, Settlement, Store


async def one_tally(store: Store, since: int = START - HOUR) -> Tally:
    [tally] = await store.standing.tallies((since,))
    return tally


async def figures_of(store: Store, since: int = START - HOUR) -> Figures:
    return (await one_tally(store, since)).figures[0]


async def delivered(store: Store, recipient: str = "bob@receiver.example") -> Delivery:
    [delivery] = await accepted(store, START, recipient, lease_owner="w1", lease_until=START + MINUTE)
    settlement = attempted(delivery, Status.DELIVERED, START)
    fact = settlement.events[0].fact
    assert isinstance(fact, Attempted)
    fact = replace(fact, attempt=replace(fact.attempt, source_ip="198.51.100.4", provider="google"))
    await store.settle(replace(settlement, events=(replace(settlement.events[0], fact=fact),)))
    return delivery


async def bounced(store: Store, recipient: str = "bob@receiver.example", **changes: Any) -> None:
    [delivery] = await accepted(store, START, recipient, lease_owner="w1", lease_until=START + MINUTE)
    await store.settle(attempted(delivery, Status.BOUNCED, START, **changes))


async def test_a_recipient_is_sent_to_once_however_often_it_is_tried(store: Store) -> None:
    """Only the first attempt counts as sent, and nothing else while it is open."""
    [delivery] = await accepted(store, START, lease_owner="w1", lease_until=START + MINUTE)
    await store.settle(attempted(delivery, Status.DELAYED, START))
    assert Figures(sent=1) == await figures_of(store)
    [claim] = await store.claim("w2", START + HOUR, limit=1, lease_until=START + 2 * HOUR)
    await store.settle(attempted(claim.delivery, Status.DELIVERED, START + HOUR))
    assert Figures(sent=1, delivered=1) == await figures_of(store)


async def test_hard_bounces_count_and_soft_ones_do_not(store: Store) -> None:
    """A mailbox that does not exist counts; a refusal that SES calls transient is no hard bounce."""
    await bounced(store)
    await bounced(store, cause=Cause.IP_BLOCKLISTED)
    assert Figures(sent=2, permanent=1, transient=1, hard=1) == await figures_of(store)


async def test_a_bounce_in_an_incident_is_excused(store: Store) -> None:
    """It is a permanent bounce, and counts in no rate."""
    await bounced(store, incident="INC-7")
    assert Figures(sent=1, permanent=1, excused=1) == await figures_of(store)


async def test_own_verified_identities_are_not_counted_against_the_sender(store: Store) -> None:
    """Neither the address, nor its domain, nor a domain under it."""
    for name, verification in (("receiver.example", Verification.SUCCESS), ("other.example", Verification.PENDING)):
        await store.create(Identity(account=ACCOUNT, name=name, created_at=START, token="t", verification=verification))
    for recipient in ("bob@receiver.example", "bob@mail.receiver.example", "bob@other.example"):
        await bounced(store, recipient)
    assert Figures(sent=3, permanent=3, hard=1) == await figures_of(store)


async def test_the_simulator_is_never_counted(store: Store) -> None:
    """SES leaves its mailbox simulator out of reputation and metrics."""
    await bounced(store, "bounce@simulator.amazonses.com")
    assert [] == await store.standing.tallies((START - HOUR,))


async def test_what_comes_home_counts_where_the_message_went_from(store: Store) -> None:
    """A bounce mail and a complaint belong to the source address and the provider of the delivery."""
    for kind in (EventKind.BOUNCE_RECEIVED, EventKind.COMPLAINED):
        delivery = await delivered(store)
        complained = kind is EventKind.COMPLAINED
        await store.settle(
            Settlement(
                delivery_id=delivery.id,
                status=Status.COMPLAINED if complained else Status.BOUNCED,
                cause=Cause.COMPLAINT if complained else Cause.USER_UNKNOWN,
                events=(new_event(kind, START + 5, _complaint() if complained else _bounce(), delivery.recipient),),
            )
        )
    tally = await one_tally(store)
    assert Figures(sent=2, delivered=2, permanent=1, hard=1, complaints=1) == tally.figures[0]
    assert "198.51.100.4" == tally.source_ip
    [day] = await store.standing.by_day(ACCOUNT, START - DAY, START + DAY)
    assert "google" == day.provider


async def test_what_comes_home_late_counts_with_the_mail_it_is_about(store: Store) -> None:
    """Complaints about a big mailing two days ago are no share of the little that was sent since."""
    for status, cause, kind, fact in (
        (Status.BOUNCED, Cause.USER_UNKNOWN, EventKind.BOUNCE_RECEIVED, _bounce()),
        (Status.COMPLAINED, Cause.COMPLAINT, EventKind.COMPLAINED, _complaint()),
    ):
        delivery = await delivered(store)
        event = new_event(kind, START + 2 * DAY, fact, delivery.recipient)
        await store.settle(Settlement(delivery_id=delivery.id, status=status, cause=cause, events=(event,)))
    assert [] == await store.standing.tallies((START + DAY,))
    assert Figures(sent=2, delivered=2, permanent=1, hard=1, complaints=1) == await figures_of(store)


async def test_a_complaint_about_what_bounced_counts_all_the_same(store: Store) -> None:
    """Its delivery stays bounced, and somebody did complain."""
    delivery = await delivered(store)
    for status, cause, fact, kind in (
        (Status.BOUNCED, Cause.USER_UNKNOWN, _bounce(), EventKind.BOUNCE_RECEIVED),
        (Status.BOUNCED, Cause.USER_UNKNOWN, _complaint(), EventKind.COMPLAINED),
    ):
        event = new_event(kind, START + 5, fact, delivery.recipient)
        await store.settle(Settlement(delivery_id=delivery.id, status=status, cause=cause, events=(event,)))
    assert (1, 1) == ((await figures_of(store)).hard, (await figures_of(store)).complaints)


async def test_expiry_is_a_transient_bounce(store: Store) -> None:
    """Nobody said that the address is bad."""
    [delivery] = await accepted(store, START, lease_owner="w1", lease_until=START + MINUTE)
    fact = Expired(
        underlying_cause=Cause.GREYLISTED,
        last_diagnostic="451",
        diagnostic="550 4.4.7",
        attempts=0,
        feedback_id="f",
        limit_ms=1,
    )
    await store.settle(
        Settlement(
            delivery_id=delivery.id,
            status=Status.BOUNCED,
            cause=Cause.DELIVERY_EXPIRED,
            events=(new_event(EventKind.EXPIRED, START, fact, delivery.recipient),),
        )
    )
    assert Figures(transient=1) == await figures_of(store)


async def test_the_global_list_counts_as_sent_and_bounced(store: Store) -> None:
    """As SES shows it: Permanent/Suppressed counts, an address on the account's own list does not."""
    for account in (GLOBAL, ACCOUNT):
        entry = suppression(account=account)
        fact = Suppressed(entry=entry, feedback_id="f", diagnostic="d")
        suppressed = NewDelivery(
            recipient="bob@receiver.example", status=Status.SUPPRESSED, cause=fact.cause, expires_at=START + 1
        )
        event = new_event(EventKind.SUPPRESSED, START, fact, "bob@receiver.example")
        await store.accept(acceptance(START, content=None, deliveries=(suppressed,), events=(event,)))
    assert Figures(sent=1, permanent=1, hard=1) == await figures_of(store)


async def test_by_whom_and_since_when(store: Store) -> None:
    """Figures are told apart by account, identity and configuration set, and counted from each start on."""
    for account, identity, configuration_set in ((ACCOUNT, "sender.example", "news"), ("200000000002", None, None)):
        new = message(START, account=account, identity=identity, configuration_set=configuration_set)
        deliveries = await store.accept(acceptance(START, message=new, lease_owner="w1", lease_until=START + MINUTE))
        assert isinstance(deliveries, tuple)
        await store.settle(attempted(deliveries[0], Status.DELIVERED, START))
    tallies = await store.standing.tallies((START + HOUR, START - DAY))
    assert [
        (ACCOUNT, "sender.example", "news", (Figures(), Figures(sent=1, delivered=1))),
        ("200000000002", "sender.example", "", (Figures(), Figures(sent=1, delivered=1))),
    ] == [(one.account, one.identity, one.configuration_set, one.figures) for one in tallies]
    assert [ACCOUNT] == [one.account for one in await store.standing.tallies((START - DAY,), ACCOUNT)]


async def test_by_day(store: Store) -> None:
    """Metrics are asked for by the day (UTC)."""
    await delivered(store)
    day = START - START % DAY
    [found] = await store.standing.by_day(ACCOUNT, day, day + DAY)
    assert (day, "sender.example", Figures(sent=1, delivered=1)) == (found.day, found.identity, found.figures)
    assert [] == await store.standing.by_day(ACCOUNT, day + DAY, day + 2 * DAY)


async def test_old_hours_become_days(store: Store) -> None:
    """Nothing is lost when the hours of an older day are added up, and the oldest days are forgotten."""
    for hours in (0, 1, 2):
        [delivery] = await accepted(store, START, lease_owner="w1", lease_until=START + MINUTE)
        await store.settle(attempted(delivery, Status.DELIVERED, START + hours * HOUR))
    await accepted(store, START + 5 * DAY)  # accepting prunes, once a day
    day = START - START % DAY
    assert Figures(sent=3, delivered=3) == await figures_of(store, day)
    assert [] == await store.standing.tallies((day + HOUR,))
    await accepted(store, START + 100 * DAY)
    assert [] == await store.standing.tallies((day,))


async def test_bounces_can_be_excused_later(store: Store) -> None:
    """Those of a source address or provider, from an hour on; without either nothing is excused."""
    await bounced(store)
    assert 0 == await store.standing.excuse(START, provider="google")
    assert 1 == await store.standing.excuse(START, provider="")
    assert Figures(sent=1, permanent=1, excused=1) == await figures_of(store)


def listed(state: ListingState, at: int, *answers: str) -> Listed:
    return Listed(
        subject="198.51.100.4",
        blocklist="spamhaus-zen",
        zone="zen.spamhaus.org",
        state=state,
        since=at,
        asked_at=at,
        answers=answers,
        text=f"{state} at {at}",
    )


async def test_listings_are_kept_for_as_long_as_a_list_says_the_same(store: Store) -> None:
    """The same answer again moves only when it was asked; another one ends what stood before."""
    records = store.standing
    first = listed(ListingState.CLEAR, START)
    assert [first] == await records.note_listings([first])
    assert [] == await records.note_listings([listed(ListingState.CLEAR, START + HOUR)])
    second = listed(ListingState.LISTED, START + 2 * HOUR, "127.0.0.4")
    assert [second] == await records.note_listings([second])
    assert [second] == await records.listings()
    assert [
        (ListingState.CLEAR, START, START + HOUR, START + 2 * HOUR),
        (ListingState.LISTED, START + 2 * HOUR, START + 2 * HOUR, None),
    ] == [
        (one.state, one.since, one.asked_at, one.until)
        for one in await records.listings(subjects=["198.51.100.4"], since=START, until=START + DAY)
    ]
    assert [] == await records.listings(subjects=["198.51.100.5"])
    assert [first.state] == [one.state for one in await records.listings(since=START, until=START + HOUR)]


def _bounce() -> BounceReceived:
    return BounceReceived(
        cause=Cause.USER_UNKNOWN,
        scope=Scope.RECIPIENT,
        permanent=True,
        status="5.1.1",
        action="failed",
        diagnostic="smtp; 550 5.1.1 unknown",
        reporting_mta=None,
        rule="test",
        feedback_id="f",
    )


def _complaint() -> Complained:
    return Complained(feedback_id="f", feedback_type="abuse", user_agent=None, arrival_date=None, reported_by="isp")
