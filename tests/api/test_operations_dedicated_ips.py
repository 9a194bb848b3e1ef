"""Dedicated IPs and their pools: the addresses of the settings, moved by the API."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.operations_world import World, open_world
from waybill.api.call import ApiError
from waybill.model.resource import INSTALLATION, DedicatedIp

OTHER = "100000000002"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(tmp_path) as opened:
        for ip in ("192.0.2.1", "192.0.2.2", "2001:db8::3"):
            await opened.store.put(DedicatedIp(account=INSTALLATION, name=ip))
        await opened.store.put(DedicatedIp(account=INSTALLATION, name="192.0.2.8", owner=OTHER, pool="theirs"))
        await opened.store.put(DedicatedIp(account=INSTALLATION, name="192.0.2.9", configured=False))
        yield opened


def described(ip: str, pool: str = "ses-default-dedicated-pool", percentage: int = 100) -> dict[str, Any]:
    status = "DONE" if percentage == 100 else "IN_PROGRESS"
    return {"Ip": ip, "WarmupStatus": status, "WarmupPercentage": percentage, "PoolName": pool}


async def refused(world: World, operation: str, **request: Any) -> tuple[str, str]:
    with pytest.raises(ApiError) as caught:
        await world.v2(operation, **request)
    return caught.value.code, caught.value.text


async def test_a_pool_is_made_shown_and_deleted(world: World) -> None:
    """Create, Get, List and Delete."""
    assert await world.v2("CreateDedicatedIpPool", PoolName="marketing", Tags=[{"Key": "k", "Value": "v"}]) == {}
    assert await world.v2("GetDedicatedIpPool", PoolName="marketing") == {
        "DedicatedIpPool": {"PoolName": "marketing", "ScalingMode": "STANDARD"}
    }
    await world.v2("CreateDedicatedIpPool", PoolName="alerts", ScalingMode="STANDARD")
    first = await world.v2("ListDedicatedIpPools", PageSize=1)
    assert first["DedicatedIpPools"] == ["alerts"]
    second = await world.v2("ListDedicatedIpPools", PageSize=1, NextToken=first["NextToken"])
    assert second == {"DedicatedIpPools": ["marketing"], "NextToken": None}
    await world.v2("PutDedicatedIpPoolScalingAttributes", PoolName="alerts", ScalingMode="STANDARD")
    await world.v2("DeleteDedicatedIpPool", PoolName="alerts")
    assert (await world.v2("ListDedicatedIpPools"))["DedicatedIpPools"] == ["marketing"]


async def test_addresses_move_between_pools(world: World) -> None:
    """Each is in one pool; the default one has those that are in no other; a deleted pool gives its addresses back."""
    await world.v2("CreateDedicatedIpPool", PoolName="marketing")
    await world.v2("PutDedicatedIpInPool", Ip="192.0.2.2", DestinationPoolName="marketing")
    shown = await world.v2("GetDedicatedIps")
    assert shown["DedicatedIps"] == [
        described("192.0.2.1"),
        described("192.0.2.2", "marketing"),
        described("2001:db8::3"),
    ]
    assert (await world.v2("GetDedicatedIps", PoolName="marketing"))["DedicatedIps"] == [
        described("192.0.2.2", "marketing")
    ]
    paged = await world.v2("GetDedicatedIps", PoolName="ses-default-dedicated-pool", PageSize=1)
    assert [ip["Ip"] for ip in paged["DedicatedIps"]] == ["192.0.2.1"]
    rest = await world.v2("GetDedicatedIps", NextToken=paged["NextToken"], PoolName="ses-default-dedicated-pool")
    assert ([ip["Ip"] for ip in rest["DedicatedIps"]], rest["NextToken"]) == (["2001:db8::3"], None)
    await world.v2("PutDedicatedIpInPool", Ip="2001:db8::3", DestinationPoolName="marketing")
    await world.v2("PutDedicatedIpInPool", Ip="192.0.2.2", DestinationPoolName="ses-default-dedicated-pool")
    await world.v2("DeleteDedicatedIpPool", PoolName="marketing")
    for ip in ("192.0.2.2", "2001:db8::3"):
        assert await world.v2("GetDedicatedIp", Ip=ip) == {"DedicatedIp": described(ip)}


async def test_the_warm_up_is_put_and_got(world: World) -> None:
    """It goes on by itself from what was put; 100 ends it."""
    await world.v2("PutDedicatedIpWarmupAttributes", Ip="192.0.2.1", WarmupPercentage=40)
    assert await world.v2("GetDedicatedIp", Ip="192.0.2.1") == {"DedicatedIp": described("192.0.2.1", percentage=40)}
    await world.v2("PutDedicatedIpWarmupAttributes", Ip="192.0.2.1", WarmupPercentage=100)
    assert await world.v2("GetDedicatedIp", Ip="192.0.2.1") == {"DedicatedIp": described("192.0.2.1")}


async def test_a_configuration_set_sends_from_a_pool_that_there_is(world: World) -> None:
    """A pool that is not there is refused; one that is in use cannot be deleted; SES's own names mean no pool."""
    await world.v2("CreateConfigurationSet", ConfigurationSetName="cs")
    nothing = ("NotFoundException", "Dedicated IP pool <marketing> does not exist.")
    put = {"ConfigurationSetName": "cs", "SendingPoolName": "marketing"}
    assert await refused(world, "PutConfigurationSetDeliveryOptions", **put) == nothing
    options = {"ConfigurationSetName": "other", "DeliveryOptions": {"SendingPoolName": "marketing"}}
    assert await refused(world, "CreateConfigurationSet", **options) == nothing
    await world.v2("CreateDedicatedIpPool", PoolName="marketing")
    await world.v2("PutConfigurationSetDeliveryOptions", **put)
    shown = await world.v2("GetConfigurationSet", ConfigurationSetName="cs")
    assert shown["DeliveryOptions"]["SendingPoolName"] == "marketing"
    assert await refused(world, "DeleteDedicatedIpPool", PoolName="marketing") == (
        "BadRequestException",
        "Dedicated IP pool <marketing> is the sending pool of the configuration set <cs>.",
    )
    await world.v2("PutConfigurationSetDeliveryOptions", ConfigurationSetName="cs", SendingPoolName="ses-shared-pool")
    await world.v2("DeleteDedicatedIpPool", PoolName="marketing")


@pytest.mark.parametrize(
    ("operation", "request_", "code", "text"),
    [
        ("CreateDedicatedIpPool", {"PoolName": "a b"}, "BadRequestException", "Invalid pool name <a b>: allowed"),
        ("CreateDedicatedIpPool", {"PoolName": "x", "ScalingMode": "MANAGED"}, "BadRequestException", "is MANAGED"),
        ("CreateDedicatedIpPool", {"PoolName": "ses-shared-pool"}, "AlreadyExistsException", "already exists"),
        ("CreateDedicatedIpPool", {"PoolName": "there"}, "AlreadyExistsException", "<there> already exists"),
        ("GetDedicatedIpPool", {"PoolName": "no"}, "NotFoundException", "<no> does not exist"),
        ("DeleteDedicatedIpPool", {"PoolName": "no"}, "NotFoundException", "<no> does not exist"),
        ("GetDedicatedIps", {"PoolName": "no"}, "NotFoundException", "<no> does not exist"),
        ("GetDedicatedIp", {"Ip": "192.0.2.7"}, "NotFoundException", "Dedicated IP <192.0.2.7> does not exist"),
        ("GetDedicatedIp", {"Ip": "192.0.2.8"}, "NotFoundException", "Dedicated IP <192.0.2.8> does not exist"),
        ("GetDedicatedIp", {"Ip": "192.0.2.9"}, "NotFoundException", "Dedicated IP <192.0.2.9> does not exist"),
        (
            "PutDedicatedIpInPool",
            {"Ip": "192.0.2.8", "DestinationPoolName": "there"},
            "NotFoundException",
            "Dedicated IP <192.0.2.8> does not exist",
        ),
        ("PutDedicatedIpInPool", {"Ip": "192.0.2.1", "DestinationPoolName": "no"}, "NotFoundException", "<no>"),
        ("PutDedicatedIpInPool", {"Ip": "192.0.2.7", "DestinationPoolName": "there"}, "NotFoundException", "2.7>"),
        ("PutDedicatedIpWarmupAttributes", {"Ip": "192.0.2.1", "WarmupPercentage": 101}, "BadRequestException", "101"),
        ("PutDedicatedIpWarmupAttributes", {"Ip": "192.0.2.7", "WarmupPercentage": 1}, "NotFoundException", "2.7>"),
        (
            "PutDedicatedIpPoolScalingAttributes",
            {"PoolName": "there", "ScalingMode": "MANAGED"},
            "BadRequestException",
            "allowed is STANDARD",
        ),
    ],
)
async def test_what_is_refused(world: World, operation: str, request_: dict[str, Any], code: str, text: str) -> None:
    """Each error with SES's code, and what is wrong; another account's address is not there."""
    await world.v2("CreateDedicatedIpPool", PoolName="there")
    found = await refused(world, operation, **request_)
    assert (found[0], text in found[1]) == (code, True)
