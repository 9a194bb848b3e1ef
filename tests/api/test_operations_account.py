"""The account, its suppression list, and the insights of a message."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.operations_world import ACCOUNT, START, World, open_world
from waybill.api.call import ApiError
from waybill.model.cause import Cause, Responder, Scope
from waybill.model.clock import DAY
from waybill.model.event import (
    Accepted,
    Attempted,
    Complained,
    EventKind,
    Expired,
    NewEvent,
    Refused,
    Suppressed,
)
from waybill.model.message import Message, Source, Status, new_message_id
from waybill.model.outcome import Attempt, Outcome, Result, Stage
from waybill.model.resource import INSTALLATION, Account, Pause
from waybill.model.suppression import GLOBAL, Reason, Suppression
from waybill.store.protocol import Acceptance, NewDelivery, Settlement


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(tmp_path) as opened:
        yield opened


async def test_fresh_account(world: World) -> None:
    """An account that was never changed may send without limits and suppresses for both reasons."""
    shown = await world.v2("GetAccount")
    assert shown == {
        "DedicatedIpAutoWarmupEnabled": False,
        "EnforcementStatus": "HEALTHY",
        "ProductionAccessEnabled": True,
        "SendQuota": {"Max24HourSend": -1.0, "MaxSendRate": 1_000_000.0, "SentLast24Hours": 0.0},
        "SendingEnabled": True,
        "SuppressionAttributes": {"SuppressedReasons": ["BOUNCE", "COMPLAINT"]},
    }
    assert await world.v1("GetSendQuota") == shown["SendQuota"]
    assert await world.v1("GetSendStatistics") == {"SendDataPoints": []}


async def test_own_limits(world: World) -> None:
    """The account's own limits go before those of the settings."""
    await world.store.create(
        Account(account=INSTALLATION, name=ACCOUNT, created_at=START, max_send_rate=14, max_24_hour_send=50_000)
    )
    assert await world.v1("GetSendQuota") == {
        "Max24HourSend": 50_000.0,
        "MaxSendRate": 14.0,
        "SentLast24Hours": 0.0,
    }


async def test_pausing(world: World) -> None:
    """The customer pauses and resumes in either version, and the pause says who made it."""
    await world.v2("PutAccountSendingAttributes", SendingEnabled=False)
    record = await world.store.get(Account, INSTALLATION, ACCOUNT)
    paused = await world.v1("GetAccountSendingEnabled")
    await world.v1("UpdateAccountSendingEnabled", Enabled=True)
    assert record is not None
    assert record.paused == Pause(by="api:AKIDEXAMPLE", reason="PutAccountSendingAttributes was called", at=START)
    assert (paused, await world.v1("GetAccountSendingEnabled")) == ({"Enabled": False}, {"Enabled": True})


async def test_an_enforced_pause_stays(world: World) -> None:
    """The customer cannot end the operator's pause, nor replace it."""
    pause = Pause(by="operator", reason="complaints", at=START)
    await world.store.create(Account(account=INSTALLATION, name=ACCOUNT, created_at=START, paused=pause))
    await world.v2("PutAccountSendingAttributes", SendingEnabled=False)
    with pytest.raises(ApiError, match=r"paused by operator \(complaints\)"):
        await world.v2("PutAccountSendingAttributes", SendingEnabled=True)
    record = await world.store.get(Account, INSTALLATION, ACCOUNT)
    assert record is not None
    assert record.paused == pause
    assert (await world.v2("GetAccount"))["EnforcementStatus"] == "SHUTDOWN"


async def test_suppression_reasons(world: World) -> None:
    """The reasons for which the account suppresses are replaced; none is allowed."""
    await world.v2("PutAccountSuppressionAttributes", SuppressedReasons=["COMPLAINT"])
    one = await world.v2("GetAccount")
    await world.v2("PutAccountSuppressionAttributes")
    none = await world.v2("GetAccount")
    assert [shown["SuppressionAttributes"]["SuppressedReasons"] for shown in (one, none)] == [["COMPLAINT"], []]


async def test_suppression_list(world: World) -> None:
    """An address is put, found whatever the case of its domain, and removed once."""
    await world.v2("PutSuppressedDestination", EmailAddress="Anna@X.example", Reason="BOUNCE")
    shown = await world.v2("GetSuppressedDestination", EmailAddress="Anna@x.EXAMPLE")
    await world.v2("DeleteSuppressedDestination", EmailAddress="Anna@x.example")
    assert shown["SuppressedDestination"] == {
        "EmailAddress": "Anna@x.example",
        "Reason": "BOUNCE",
        "LastUpdateTime": START,
        "Attributes": None,
    }
    for operation in ("GetSuppressedDestination", "DeleteSuppressedDestination"):
        with pytest.raises(ApiError) as refused:
            await world.v2(operation, EmailAddress="Anna@x.example")
        assert (refused.value.code, refused.value.text) == (
            "NotFoundException",
            "Email address Anna@x.example does not exist on your suppression list.",
        )


async def test_suppression_shows_its_message(world: World) -> None:
    """An entry that a message caused names it; the installation's global list is not shown."""
    entry = {"address": "a@x.example", "reason": Reason.BOUNCE, "at": START, "author": "rule:r"}
    await world.store.suppress([Suppression(account=GLOBAL, **entry)])  # type: ignore[arg-type]
    with pytest.raises(ApiError):
        await world.v2("GetSuppressedDestination", EmailAddress="a@x.example")
    await world.store.suppress([Suppression(account=ACCOUNT, message_id="m", feedback_id="f", **entry)])  # type: ignore[arg-type]
    shown = await world.v2("GetSuppressedDestination", EmailAddress="a@x.example")
    assert shown["SuppressedDestination"]["Attributes"] == {"MessageId": "m", "FeedbackId": "f"}


async def test_suppression_pages(world: World) -> None:
    """The list is filtered by reason and date and comes in pages."""
    for day, (name, reason) in enumerate((("a", "BOUNCE"), ("b", "COMPLAINT"), ("c", "BOUNCE"), ("d", "BOUNCE"))):
        world.now = START + day * DAY
        await world.v2("PutSuppressedDestination", EmailAddress=f"{name}@x.example", Reason=reason)
    listing: dict[str, Any] = {"Reasons": ["BOUNCE"], "StartDate": START + 1, "PageSize": 1}
    first = await world.v2("ListSuppressedDestinations", **listing)
    second = await world.v2("ListSuppressedDestinations", **listing, NextToken=first["NextToken"])
    assert first["SuppressedDestinationSummaries"] == [
        {"EmailAddress": "c@x.example", "Reason": "BOUNCE", "LastUpdateTime": START + 2 * DAY}
    ]
    assert [entry["EmailAddress"] for entry in second["SuppressedDestinationSummaries"]] == ["d@x.example"]
    assert second["NextToken"] is None
    with pytest.raises(ApiError) as refused:
        await world.v2("ListSuppressedDestinations", NextToken="§")
    assert refused.value.code == "InvalidNextTokenException"


@pytest.mark.parametrize("address", ["", "a", "a@b\r\n", "a@b, c@d"])
async def test_faulty_address(world: World, address: str) -> None:
    """What is no address is refused by name."""
    with pytest.raises(ApiError, match="EmailAddress") as refused:
        await world.v2("PutSuppressedDestination", EmailAddress=address, Reason="BOUNCE")
    assert refused.value.code == "BadRequestException"


def attempted(result: Result, cause: Cause, diagnostic: str) -> Attempted:
    outcome = Outcome(
        result=result,
        cause=cause,
        scope=Scope.RECIPIENT,
        responder=Responder.REMOTE,
        permanent=result is Result.BOUNCED,
        stage=Stage.RCPT,
        status="5.1.1",
        diagnostic=diagnostic,
        rule="r",
    )
    return Attempted(attempt=Attempt(number=1, started_at=START, ended_at=START, outcome=outcome))


async def accepted(world: World, *recipients: str, **fields: Any) -> str:
    message = Message(
        id=new_message_id(START),
        account=ACCOUNT,
        request_id="r",
        source=Source.API,
        operation="SendEmail",
        accepted_at=START,
        sender="b@y.example",
        source_header="B <b@y.example>",
        destination=recipients,
        subject="Hello",
        tags={"k": "v"},
        **fields,
    )
    await world.store.accept(
        Acceptance(
            message=message,
            content=b"x",
            deliveries=tuple(
                NewDelivery(recipient=one, status=Status.QUEUED, cause=None, expires_at=START + DAY, next_at=START)
                for one in recipients
            ),
            events=(NewEvent(kind=EventKind.ACCEPTED, at=START, fact=Accepted()),),
        )
    )
    return message.id


async def settle(world: World, message_id: str, recipient: str, status: Status, *events: NewEvent) -> None:
    ledger = await world.store.ledger(message_id)
    assert ledger is not None
    (delivery,) = (one for one in ledger.deliveries if one.recipient == recipient)
    cause = Cause.UNDETERMINED
    await world.store.settle(Settlement(delivery_id=delivery.id, status=status, cause=cause, events=events))


COMPLAINT = Complained(feedback_id="f", feedback_type="abuse", user_agent=None, arrival_date=None, reported_by="z")


async def test_insights(world: World) -> None:
    """Each recipient has the events of the message and its own, in SES's words."""
    one, two = "a@x.example", "c@z.example"
    message_id = await accepted(world, one, two)
    bounce = attempted(Result.BOUNCED, Cause.USER_UNKNOWN, "smtp; 550 5.1.1 User unknown")
    delivered = attempted(Result.DELIVERED, Cause.ACCEPTED_BY_RECEIVER, "smtp; 250 ok")
    await settle(
        world,
        message_id,
        one,
        Status.BOUNCED,
        NewEvent(kind=EventKind.BOUNCED, at=START + 1, fact=bounce, recipient=one),
    )
    await settle(
        world,
        message_id,
        two,
        Status.COMPLAINED,
        NewEvent(kind=EventKind.DELIVERED, at=START + 2, fact=delivered, recipient=two),
        NewEvent(kind=EventKind.COMPLAINED, at=START + 3, fact=COMPLAINT, recipient=two),
    )
    sent = {"Timestamp": START, "Type": "SEND", "Details": None}
    assert await world.v2("GetMessageInsights", MessageId=message_id) == {
        "MessageId": message_id,
        "FromEmailAddress": "B <b@y.example>",
        "Subject": "Hello",
        "EmailTags": [{"Name": "k", "Value": "v"}],
        "Insights": [
            {
                "Destination": one,
                "Events": [
                    sent,
                    {
                        "Timestamp": START + 1,
                        "Type": "BOUNCE",
                        "Details": {
                            "Bounce": {
                                "BounceType": "PERMANENT",
                                "BounceSubType": "General",
                                "DiagnosticCode": "smtp; 550 5.1.1 User unknown",
                            }
                        },
                    },
                ],
            },
            {
                "Destination": two,
                "Events": [
                    sent,
                    {"Timestamp": START + 2, "Type": "DELIVERY", "Details": None},
                    {
                        "Timestamp": START + 3,
                        "Type": "COMPLAINT",
                        "Details": {"Complaint": {"ComplaintSubType": None, "ComplaintFeedbackType": "abuse"}},
                    },
                ],
            },
        ],
    }


def suppressed(account: str, reason: Reason) -> Suppressed:
    entry = Suppression(account=account, address="a@x.example", reason=reason, at=START, author="rule:r")
    return Suppressed(entry=entry, feedback_id="f", diagnostic="listed")


@pytest.mark.parametrize(
    ("kind", "fact", "details"),
    [
        (
            EventKind.SUPPRESSED,
            suppressed(GLOBAL, Reason.BOUNCE),
            {"Bounce": {"BounceType": "PERMANENT", "BounceSubType": "Suppressed", "DiagnosticCode": "listed"}},
        ),
        (
            EventKind.SUPPRESSED,
            suppressed(ACCOUNT, Reason.COMPLAINT),
            {"Complaint": {"ComplaintSubType": "OnAccountSuppressionList"}},
        ),
        (
            EventKind.EXPIRED,
            Expired(
                underlying_cause=Cause.CONNECTION_FAILED,
                last_diagnostic="x",
                diagnostic="smtp; 550 4.4.7 Message expired",
                attempts=3,
                feedback_id="f",
                limit_ms=1,
            ),
            {
                "Bounce": {
                    "BounceType": "TRANSIENT",
                    "BounceSubType": "General",
                    "DiagnosticCode": "smtp; 550 4.4.7 Message expired",
                }
            },
        ),
    ],
)
async def test_insights_of_what_waybill_decided(
    world: World, kind: EventKind, fact: Suppressed | Expired, details: dict[str, Any]
) -> None:
    """Suppressions and expiry have SES's types too."""
    message_id = await accepted(world, "a@x.example")
    event = NewEvent(kind=kind, at=START + 1, fact=fact, recipient="a@x.example")
    await settle(world, message_id, "a@x.example", Status.BOUNCED, event)
    shown = await world.v2("GetMessageInsights", MessageId=message_id)
    assert shown["Insights"][0]["Events"][1]["Details"] == details


async def test_insights_of_no_message(world: World) -> None:
    """Another account's message, and a request that was refused, have no insights."""
    message_id = await accepted(world, "a@x.example")
    with pytest.raises(ApiError) as refused:
        await world.v2("GetMessageInsights", account="200000000002", MessageId=message_id)
    assert refused.value.code == "NotFoundException"
    refusal = Refused(cause=Cause.IDENTITY_NOT_VERIFIED, code="MessageRejected", text="no")
    ledger = await world.store.ledger(message_id)
    assert ledger is not None
    refused_message = Message(**{name: getattr(ledger.message, name) for name in Message.__slots__} | {"id": "req-1"})
    delivery = NewDelivery(
        recipient="a@x.example", status=Status.REFUSED, cause=Cause.IDENTITY_NOT_VERIFIED, expires_at=START
    )
    await world.store.accept(
        Acceptance(
            message=refused_message,
            content=None,
            deliveries=(delivery,),
            events=(NewEvent(kind=EventKind.REFUSED, at=START, fact=refusal),),
        )
    )
    with pytest.raises(ApiError, match="does not exist"):
        await world.v2("GetMessageInsights", MessageId="req-1")
