"""What there is to put right, and what became of mail by the day, as SES's Virtual Deliverability Manager gives them."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.api.operations_world import ACCOUNT, START, World, open_world
from tests.store.builders import acceptance, attempted, message
from waybill.api.call import ApiError
from waybill.api.ses_error import SesError
from waybill.model.clock import DAY, HOUR
from waybill.model.event import Attempted
from waybill.model.message import Status
from waybill.model.resource import INSTALLATION, Account, ConfigurationSet, Pause
from waybill.model.standing import Advice, Listed, ListingState, Recommendation


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(tmp_path) as opened:
        yield opened


def advice(kind: Advice, about: str = "", **changes: Any) -> Recommendation:
    name = f"{kind} {about}".strip()
    fields: dict[str, Any] = {
        "high": True,
        "text": "It is bad.",
        "fix": "Mend it.",
        "opened_at": START,
        "updated_at": START,
    }
    return Recommendation(**{"account": ACCOUNT, "name": name, "type": kind, "about": about, **fields, **changes})


async def types(world: World, **filters: str) -> list[str]:
    shown = await world.v2("ListRecommendations", Filter=filters)
    return [one["Type"] for one in shown["Recommendations"]]


async def test_recommendations(world: World) -> None:
    """Each with its ARN, in words; open and fixed ones; of the own account alone."""
    for one in (
        advice(Advice.DKIM, "shop.example"),
        advice(Advice.BOUNCE),
        advice(Advice.COMPLAINT, "news", name="COMPLAINT news configuration-set", high=False),
        advice(Advice.IP_LISTING, "198.51.100.4", name="IP_LISTING 198.51.100.4 psbl", fixed_at=START + 5),
        advice(Advice.DMARC, "other.example", account="200000000002"),
    ):
        await world.store.create(one)
    shown = (await world.v2("ListRecommendations"))["Recommendations"]
    assert [
        ("BOUNCE", "arn:aws:ses:us-east-1:100000000001:account", "OPEN", "HIGH"),
        ("COMPLAINT", "arn:aws:ses:us-east-1:100000000001:configuration-set/news", "OPEN", "LOW"),
        ("DKIM", "arn:aws:ses:us-east-1:100000000001:identity/shop.example", "OPEN", "HIGH"),
        ("IP_LISTING", "arn:aws:ses:us-east-1:100000000001:dedicated-ip/198.51.100.4", "FIXED", "HIGH"),
    ] == [(one["Type"], one["ResourceArn"], one["Status"], one["Impact"]) for one in shown]
    assert ("It is bad. Mend it.", START) == (shown[0]["Description"], shown[0]["CreatedTimestamp"])
    assert ["IP_LISTING"] == await types(world, STATUS="FIXED")
    assert ["BOUNCE", "DKIM"] == await types(world, STATUS="OPEN", IMPACT="HIGH")
    assert ["DKIM"] == await types(world, RESOURCE_ARN="arn:aws:ses:us-east-1:100000000001:identity/shop.example")
    assert [] == await types(world, TYPE="BIMI")


async def test_recommendations_by_the_page(world: World) -> None:
    """Filtered ones fill the pages, too."""
    for number in range(5):
        await world.store.create(advice(Advice.DKIM, f"d{number}.example", high=number != 2))
    first = await world.v2("ListRecommendations", PageSize=3, Filter={"IMPACT": "HIGH"})
    assert 3 == len(first["Recommendations"])
    rest = await world.v2("ListRecommendations", PageSize=3, Filter={"IMPACT": "HIGH"}, NextToken=first["NextToken"])
    assert (1, None) == (len(rest["Recommendations"]), rest["NextToken"])
    with pytest.raises(SesError, match="NextToken"):
        await world.v2("ListRecommendations", NextToken="%")


@pytest.mark.parametrize(
    ("filters", "error"),
    [
        ({"TYPE": "DKIM", "IMPACT": "HIGH"}, "one key, or STATUS with IMPACT"),
        ({"STATUS": "SHUT"}, "Filter STATUS is 'SHUT'; allowed are FIXED, OPEN"),
    ],
)
async def test_filters_that_ses_does_not_take(world: World, filters: dict[str, str], error: str) -> None:
    """The error says what is taken."""
    with pytest.raises(ApiError, match=error):
        await world.v2("ListRecommendations", Filter=filters)


async def send(world: World, status: Status, provider: str | None = None, **changes: Any) -> None:
    at = world.now - DAY
    new = message(at, **changes)
    deliveries = await world.store.accept(acceptance(at, message=new))
    assert isinstance(deliveries, tuple)
    settlement = attempted(deliveries[0], status, at)
    fact = settlement.events[0].fact
    assert isinstance(fact, Attempted)
    fact = replace(fact, attempt=replace(fact.attempt, provider=provider))
    await world.store.settle(replace(settlement, events=(replace(settlement.events[0], fact=fact),)))


async def values(world: World, metric: str, **dimensions: str) -> list[int]:
    query = {
        "Id": "q",
        "Namespace": "VDM",
        "Metric": metric,
        "StartDate": START - 2 * DAY,
        "EndDate": START,
        **({"Dimensions": dimensions} if dimensions else {}),
    }
    answer = await world.v2("BatchGetMetricData", Queries=[query])
    [result] = answer["Results"]
    assert [] == answer["Errors"]
    assert len(result["Timestamps"]) == len(result["Values"])
    found: list[int] = result["Values"]
    return found


async def test_metrics(world: World) -> None:
    """By the day, of all mail or of an identity, configuration set or provider, also together."""
    await send(world, Status.DELIVERED, "google", configuration_set="news")
    await send(world, Status.BOUNCED, "google", identity="anna@shop.example")
    await send(world, Status.DELIVERED, None, account="200000000002")
    assert [0, 2] == await values(world, "SEND")
    assert [0, 1] == await values(world, "DELIVERY")
    assert [0, 1] == await values(world, "PERMANENT_BOUNCE")
    assert [0, 0] == await values(world, "TRANSIENT_BOUNCE")
    assert [0, 1] == await values(world, "SEND", CONFIGURATION_SET="news")
    assert [0, 1] == await values(world, "SEND", EMAIL_IDENTITY="shop.example")
    assert [0, 1] == await values(world, "PERMANENT_BOUNCE", EMAIL_IDENTITY="anna@shop.example", ISP="Gmail")
    assert [0, 0] == await values(world, "SEND", EMAIL_IDENTITY="shop.example", CONFIGURATION_SET="news")
    assert [0, 2] == await values(world, "SEND", ISP="google")
    assert [0, 0] == await values(world, "SEND", ISP="Nobody")
    assert [] == await values(world, "OPEN")


async def test_a_period_that_ends_before_it_begins(world: World) -> None:
    """The query is named; one far in the past or in the future is empty."""
    query = {"Id": "q7", "Namespace": "VDM", "Metric": "SEND", "StartDate": START, "EndDate": START - 1}
    with pytest.raises(ApiError, match="Query q7: EndDate is before StartDate"):
        await world.v2("BatchGetMetricData", Queries=[query])
    for start in (START - 1000 * DAY, START + 2 * DAY):
        answer = await world.v2("BatchGetMetricData", Queries=[{**query, "StartDate": start, "EndDate": start + DAY}])
        assert [{"Id": "q7", "Timestamps": [], "Values": []}] == answer["Results"]


async def test_blocklists(world: World) -> None:
    """Those that list an address, since when and in which words; one that none lists has no entries."""
    for state, name in ((ListingState.LISTED, "zen"), (ListingState.CLEAR, "psbl"), (ListingState.REFUSED, "bar")):
        said = Listed(
            subject="198.51.100.4",
            blocklist=name,
            zone=f"{name}.example",
            state=state,
            since=START,
            asked_at=START,
            text=f"{name} says",
        )
        await world.store.standing.note_listings([said])
    shown = await world.v2("GetBlacklistReports", BlacklistItemNames=["198.51.100.4", "198.51.100.5"])
    entry = {"RblName": "zen.example", "ListingTime": START, "Description": "zen says"}
    assert {"198.51.100.4": [entry], "198.51.100.5": []} == shown["BlacklistReport"]


async def test_enforcement(world: World) -> None:
    """Under review an account is on probation; paused it is shut down."""
    await world.store.create(Account(account=INSTALLATION, name=ACCOUNT, created_at=START))
    await world.store.create(advice(Advice.BOUNCE, high=False))
    assert "HEALTHY" == (await world.v2("GetAccount"))["EnforcementStatus"]
    await world.store.put(advice(Advice.BOUNCE))
    assert "PROBATION" == (await world.v2("GetAccount"))["EnforcementStatus"]
    await world.store.put(advice(Advice.BOUNCE, fixed_at=START))
    assert "HEALTHY" == (await world.v2("GetAccount"))["EnforcementStatus"]


async def resume(world: World, version: str) -> None:
    """As a customer of either API does it, the account and the configuration set."""
    if version == "v1":
        await world.v1("UpdateAccountSendingEnabled", Enabled=True)
        await world.v1("UpdateConfigurationSetSendingEnabled", ConfigurationSetName="news", Enabled=True)
    else:
        await world.v2("PutAccountSendingAttributes", SendingEnabled=True)
        await world.v2("PutConfigurationSetSendingOptions", ConfigurationSetName="news", SendingEnabled=True)


async def stop(world: World, by: str) -> None:
    pause = Pause(by=by, reason="14 %", at=START)
    await world.store.put(Account(account=INSTALLATION, name=ACCOUNT, created_at=START, paused=pause))
    await world.store.put(
        ConfigurationSet(account=ACCOUNT, name="news", created_at=START, sending_enabled=False, paused=pause)
    )


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_a_rules_pause_is_ended_by_the_customer(world: World, version: str) -> None:
    """With a fresh start, as GetConfigurationSet shows."""
    await stop(world, "rule:bounce-rate")
    assert "SHUTDOWN" == (await world.v2("GetAccount"))["EnforcementStatus"]
    world.now = START + HOUR
    await resume(world, version)
    account = await world.store.get(Account, INSTALLATION, ACCOUNT)
    assert account is not None
    assert (None, START + HOUR) == (account.paused, account.last_fresh_start)
    shown = await world.v2("GetConfigurationSet", ConfigurationSetName="news")
    assert (True, START + HOUR) == (
        shown["SendingOptions"]["SendingEnabled"],
        shown["ReputationOptions"]["LastFreshStart"],
    )


@pytest.mark.parametrize(
    ("operation", "request_"),
    [
        ("PutAccountSendingAttributes", {}),
        ("PutConfigurationSetSendingOptions", {"ConfigurationSetName": "news"}),
    ],
)
async def test_an_operators_pause_stays(world: World, operation: str, request_: dict[str, str]) -> None:
    """The customer is told whose it is, and why."""
    await stop(world, "operator")
    with pytest.raises(SesError, match=r"paused by operator \(14 %\); only the operator can resume it"):
        await world.v2(operation, SendingEnabled=True, **request_)
    assert not (await world.v2("GetConfigurationSet", ConfigurationSetName="news"))["SendingOptions"]["SendingEnabled"]
