"""How we stand, gathered from a store: of all accounts or of one, with what blocklists say of what it sends with."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.store.builders import ACCOUNT, START, acceptance, attempted, message
from waybill.appraise import appraisal_json, appraise, troubles
from waybill.inquire import gather
from waybill.model.cause import Cause
from waybill.model.clock import DAY, HOUR, MINUTE
from waybill.model.event import Attempted
from waybill.model.message import Status
from waybill.model.resource import INSTALLATION, Account, ConfigurationSet, Pause
from waybill.model.standing import Listed, ListingState
from waybill.store.protocol import Store
from waybill.store.sqlite import open_sqlite

OTHER = "200000000002"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await open_sqlite(tmp_path / "waybill.db", clock=lambda: START)
    yield opened
    await opened.close()


async def send(
    store: Store,
    account: str,
    source_ip: str,
    sender: str = "anna@shop.example",
    cause: Cause = Cause.USER_UNKNOWN,
) -> str:
    new = message(START, account=account, identity=sender.partition("@")[2], sender=sender)
    deliveries = await store.accept(acceptance(START, message=new))
    assert isinstance(deliveries, tuple)
    settlement = attempted(deliveries[0], Status.BOUNCED, START, cause=cause)
    fact = settlement.events[0].fact
    assert isinstance(fact, Attempted)
    fact = replace(fact, attempt=replace(fact.attempt, source_ip=source_ip))
    await store.settle(replace(settlement, events=(replace(settlement.events[0], fact=fact),)))
    return new.id


def listed(subject: str, since: int = START, until: int | None = None) -> Listed:
    return Listed(
        subject=subject,
        blocklist="zen",
        zone="zen.example",
        state=ListingState.LISTED,
        since=since,
        asked_at=since,
        until=until,
    )


async def test_one_account_sees_its_own(store: Store) -> None:
    """Its figures, its pauses, and the listings of what it sends with; the operator sees all."""
    pause = Pause(by="operator", reason="unpaid", at=START)
    for name in (ACCOUNT, OTHER):
        await store.create(Account(account=INSTALLATION, name=name, created_at=START, paused=pause))
    await store.create(
        ConfigurationSet(account=OTHER, name="news", created_at=START, sending_enabled=False, paused=pause)
    )
    await send(store, ACCOUNT, "198.51.100.4")
    await send(store, OTHER, "198.51.100.5", "bo@other.example")
    await store.standing.note_listings([listed("198.51.100.4"), listed("198.51.100.5"), listed("other.example")])
    own = await appraise(store, START + MINUTE, ACCOUNT)
    assert {ACCOUNT, "shop.example", "198.51.100.4"} == {one.subject.name for one in own.judgements}
    assert ["198.51.100.4"] == [one.subject for one in own.listings]
    assert [ACCOUNT] == [one["account"] for one in appraisal_json(own)["pauses"]]
    everything = await appraise(store, START + MINUTE)
    assert 6 == len(everything.judgements)
    assert 3 == len(everything.listings)
    assert [(ACCOUNT, None), (OTHER, None), (OTHER, "news")] == [
        (one["account"], one["configuration_set"]) for one in appraisal_json(everything)["pauses"]
    ]
    assert [("account", ACCOUNT), ("account", OTHER)] == [
        (one.subject.kind.value, one.subject.name) for one in troubles(everything)
    ]


async def test_an_account_that_nobody_made(store: Store) -> None:
    """It is judged all the same, by what it sent."""
    await send(store, ACCOUNT, "198.51.100.4")
    assert 3 == len((await appraise(store, START)).judgements)
    assert [] == list((await appraise(store, START, "300000000003")).judgements)


async def test_a_fresh_start_a_while_ago(store: Store) -> None:
    """Mail before it counts no more, in whatever window, but for the address it came from; that of other accounts does."""
    await store.create(Account(account=INSTALLATION, name=ACCOUNT, created_at=START, last_fresh_start=START + HOUR + 1))
    await send(store, ACCOUNT, "198.51.100.4")
    await send(store, OTHER, "198.51.100.5", "bo@other.example")
    found = await appraise(store, START + 3 * DAY)
    assert {OTHER} == {one.subject.account for one in found.judgements if one.subject.account != INSTALLATION}
    assert {"198.51.100.4", "198.51.100.5"} == {
        one.subject.name for one in found.judgements if one.subject.account == INSTALLATION
    }


async def test_rates_are_facts_where_the_answer_speaks_of_reputation(store: Store) -> None:
    """Of the sender's domain and the address it sent from, where there is enough mail to say anything."""

    async def facts_of(message_id: str) -> list[tuple[str, bool, int, int]]:
        facts = await gather(store, message_id, START + MINUTE)
        assert facts is not None
        return [(one.about, one.of_address, one.sent, one.hard) for one in facts.rates]

    message_id = await send(store, ACCOUNT, "198.51.100.4", cause=Cause.SPAM_CONTENT)
    assert [] == await facts_of(message_id)
    for _ in range(100):
        await send(store, ACCOUNT, "198.51.100.4", cause=Cause.POLICY_REJECTED)
    bounced = await send(store, ACCOUNT, "198.51.100.4")
    assert [("shop.example", False, 102, 1), ("198.51.100.4", True, 102, 1)] == await facts_of(message_id)
    assert [] == await facts_of(bounced)


async def test_listings_are_facts_about_a_message(store: Store) -> None:
    """Of the address it went from and the sender's domain, from its acceptance on."""
    message_id = await send(store, ACCOUNT, "198.51.100.4")
    before = listed("198.51.100.4", START - 2 * DAY, START - DAY)
    await store.standing.note_listings(
        [before, listed("shop.example", START + MINUTE), listed("198.51.100.5"), listed("198.51.100.4", START - HOUR)]
    )
    facts = await gather(store, message_id, START + DAY)
    assert facts is not None
    assert [("198.51.100.4", START - HOUR), ("shop.example", START + MINUTE)] == [
        (one.subject, one.since) for one in facts.listings
    ]
