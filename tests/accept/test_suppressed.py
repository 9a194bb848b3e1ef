"""Which recipients a suppression list stops, and what the ledger says of it."""

from typing import Any

import pytest

from tests.accept.accepting import ACCOUNT, START, World, request, templated
from waybill.model.cause import Cause
from waybill.model.clock import DAY
from waybill.model.event import EventKind, SesEvent, Suppressed, ses_event
from waybill.model.message import Status
from waybill.model.suppression import GLOBAL, Reason, Suppression

BOTH = (Reason.BOUNCE, Reason.COMPLAINT)


def entry(account: str = ACCOUNT, **changes: Any) -> Suppression:
    fields: dict[str, Any] = {
        "address": "bob@receiver.test",
        "reason": Reason.BOUNCE,
        "at": START - DAY,
        "author": "rule:user-unknown",
    }
    return Suppression(account=account, **fields | changes)


async def test_a_listed_recipient_is_accepted_and_not_sent_to(world: World) -> None:
    """The others are; the event keeps the entry as it stood."""
    listed = entry(diagnostic="smtp; 550 5.1.1 no such user", message_id="earlier")
    await world.store.suppress([listed])
    ledger = await world.accept(request(to=("bob@Receiver.TEST", "carol@receiver.test")))
    assert [
        ("bob@receiver.test", Status.SUPPRESSED, Cause.SUPPRESSED_ACCOUNT),
        ("carol@receiver.test", Status.QUEUED, None),
    ] == [(delivery.recipient, delivery.status, delivery.cause) for delivery in ledger.deliveries]
    event = ledger.events[1]
    assert (EventKind.SUPPRESSED, "bob@receiver.test") == (event.kind, event.recipient)
    assert isinstance(event.fact, Suppressed)
    assert listed == event.fact.entry
    assert event.fact.diagnostic.endswith("/sending-email-suppression-list.html")
    assert SesEvent.BOUNCE is ses_event(event.kind, event.fact)
    assert ["carol@receiver.test"] == [claim.delivery.recipient for claim in world.desk.taken]


async def test_a_listed_complaint_is_published_as_one(world: World) -> None:
    """SES: Complaint with sub type OnAccountSuppressionList."""
    await world.store.suppress([entry(reason=Reason.COMPLAINT)])
    ledger = await world.accept(request())
    assert SesEvent.COMPLAINT is ses_event(ledger.events[1].kind, ledger.events[1].fact)
    assert [] == world.desk.taken


async def test_the_local_part_keeps_its_case(world: World) -> None:
    """Bob and bob may be two people (RFC 5321 §2.4), as on SES's list."""
    await world.store.suppress([entry(address="Bob@receiver.test")])
    assert Status.QUEUED is (await world.accept(request())).deliveries[0].status
    assert Status.SUPPRESSED is (await world.accept(request(to=("Bob@RECEIVER.test",)))).deliveries[0].status


async def test_an_entry_with_capitals_in_its_domain_stops_too(world: World) -> None:
    """Whoever has written it."""
    await world.store.suppress([entry(address="bob@Receiver.Test")])
    assert Status.SUPPRESSED is (await world.accept(request())).deliveries[0].status


@pytest.mark.parametrize(
    ("account_reasons", "set_reasons", "reason", "stopped"),
    [
        (BOTH, None, Reason.BOUNCE, True),
        ((Reason.COMPLAINT,), None, Reason.BOUNCE, False),
        ((), None, Reason.COMPLAINT, False),
        (BOTH, (), Reason.BOUNCE, False),
        (BOTH, (Reason.COMPLAINT,), Reason.BOUNCE, False),
        ((), (Reason.BOUNCE,), Reason.BOUNCE, True),
    ],
)
async def test_the_reasons_in_force(
    world: World,
    account_reasons: tuple[Reason, ...],
    set_reasons: tuple[Reason, ...] | None,
    reason: Reason,
    stopped: bool,
) -> None:
    """The configuration set's override the account's; none at all switch the list off."""
    await world.account(suppressed_reasons=account_reasons)
    await world.configuration_set("set", suppressed_reasons=set_reasons)
    await world.store.suppress([entry(reason=reason)])
    ledger = await world.accept(request(configuration_set="set"))
    assert stopped == (ledger.deliveries[0].status is Status.SUPPRESSED)


@pytest.mark.parametrize(
    ("author", "account_reasons", "stopped"),
    [
        ("rule:user-unknown", BOTH, False),
        ("rule:user-unknown", (Reason.COMPLAINT,), True),
        ("rule:user-unknown", (), True),
        ("operator", BOTH, True),
        ("operator", (), True),
    ],
)
async def test_the_global_list(world: World, author: str, account_reasons: tuple[Reason, ...], stopped: bool) -> None:
    """An account's own list for bounces overrides what rules have put there, never what the operator has."""
    await world.account(suppressed_reasons=account_reasons)
    await world.store.suppress([entry(GLOBAL, author=author)])
    ledger = await world.accept(request())
    expected = (Status.SUPPRESSED, Cause.SUPPRESSED_GLOBAL) if stopped else (Status.QUEUED, None)
    assert expected == (ledger.deliveries[0].status, ledger.deliveries[0].cause)


async def test_the_account_list_is_asked_first(world: World) -> None:
    """An address on both is stopped once, by the account's entry."""
    await world.store.suppress([entry(GLOBAL, author="operator"), entry()])
    ledger = await world.accept(request())
    assert [EventKind.ACCEPTED, EventKind.SUPPRESSED] == [event.kind for event in ledger.events]
    assert Cause.SUPPRESSED_ACCOUNT is ledger.deliveries[0].cause


async def test_an_entry_that_has_expired_stops_nobody(world: World) -> None:
    """The global list's entries stand for a time."""
    await world.store.suppress([entry(GLOBAL, author="operator", expires_at=START)])
    assert Status.QUEUED is (await world.accept(request())).deliveries[0].status


@pytest.mark.parametrize("local", ["suppressionlist", "suppressionlist+label", "SuppressionList"])
async def test_the_simulators_suppressed_address(world: World, local: str) -> None:
    """It behaves as if it were on the global list, whatever the account's settings are."""
    ledger = await world.accept(request(to=(f"{local}@simulator.amazonses.com",)))
    assert Cause.SUPPRESSED_GLOBAL is ledger.deliveries[0].cause


async def test_what_cannot_be_sent_anyway_is_not_suppressed(world: World) -> None:
    """Rendering failed for everybody: one cause, not two."""
    await world.template("welcome")
    await world.store.suppress([entry()])
    ledger = await world.accept(templated("welcome", "{}"))
    assert [Status.RENDERING_FAILED] == [delivery.status for delivery in ledger.deliveries]
