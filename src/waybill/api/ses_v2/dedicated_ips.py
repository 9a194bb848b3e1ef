"""Dedicated IPs and their pools in SES v2: the source addresses of the settings, and which configuration sets send from them."""

import re
from dataclasses import replace
from typing import Any

from waybill.api.call import ApiError, Call, Operation
from waybill.api.paging import Range, cut, list_page, open_page
from waybill.api.resource_tags import read_tags
from waybill.deliver.sources import DEFAULT_POOL, NO_POOL
from waybill.deliver.warm_up import CURVE
from waybill.model.resource import INSTALLATION, ConfigurationSet, DedicatedIp, DedicatedIpPool
from waybill.store.protocol import AlreadyExists, NotFound

_PAGE_SIZE = Range(parameter="PageSize", default=1000, maximum=1000)
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_STANDARD = "STANDARD"
MOST_IPS = 10_000


async def create_pool(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Raises: ApiError if the name is taken or not allowed."""
    name = request["PoolName"]
    if not _NAME.fullmatch(name):
        text = f"Invalid pool name <{name}>: allowed are 1 to 64 of A-Z, a-z, 0-9, '_' and '-'."
        raise ApiError("BadRequestException", text)
    _check_scaling(request.get("ScalingMode") or _STANDARD)
    taken = ApiError("AlreadyExistsException", f"Dedicated IP pool <{name}> already exists.")
    if name in NO_POOL:
        raise taken
    pool = DedicatedIpPool(account=call.account, name=name, created_at=call.service.clock(), tags=read_tags(request))
    try:
        await call.service.store.create(pool)
    except AlreadyExists:
        raise taken from None
    return {}


async def delete_pool(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Its addresses go back to those in no pool. Raises: ApiError if there is none, or configuration sets send from it."""
    name, store = request["PoolName"], call.service.store
    await find_pool(call, name)
    after = ""
    while page := await store.scan(ConfigurationSet, call.account, after=after):
        users = [record.name for record in page if record.sending_pool == name]
        if users:
            text = f"Dedicated IP pool <{name}> is the sending pool of the configuration set <{users[0]}>."
            raise ApiError("BadRequestException", text)
        after = page[-1].name
    for ip in await _all_ips(call):
        if ip.pool == name:
            await store.update(DedicatedIp, INSTALLATION, ip.name, lambda old: replace(old, owner="", pool=None))
    await store.delete(DedicatedIpPool, call.account, name)
    return {}


async def list_pools(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Raises: ApiError."""
    page = open_page(request.get("NextToken"), request.get("PageSize"), _PAGE_SIZE)
    pools, token = await list_page(call.service.store, DedicatedIpPool, call.account, page)
    return {"DedicatedIpPools": [pool.name for pool in pools], "NextToken": token}


async def get_pool(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Raises: ApiError if there is none."""
    pool = await find_pool(call, request["PoolName"])
    return {"DedicatedIpPool": {"PoolName": pool.name, "ScalingMode": pool.scaling_mode}}


async def put_pool_scaling(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Raises: ApiError if there is no such pool, or the mode is not the one that there is."""
    await find_pool(call, request["PoolName"])
    _check_scaling(request["ScalingMode"])
    return {}


async def get_ips(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Raises: ApiError."""
    page = open_page(request.get("NextToken"), request.get("PageSize"), _PAGE_SIZE)
    wanted = request.get("PoolName")
    if wanted and wanted not in NO_POOL:
        await find_pool(call, wanted)
    found = [ip for ip in await _all_ips(call) if ip.name > page.after and (not wanted or _pool_name(ip) == wanted)]
    ips, token = cut(found, page, lambda ip: ip.name)
    return {"DedicatedIps": [_describe(call, ip) for ip in ips], "NextToken": token}


async def get_ip(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Raises: ApiError if the address is none of the installation's, or another account's."""
    ip = await call.service.store.get(DedicatedIp, INSTALLATION, request["Ip"])
    if ip is None or not _is_visible(call, ip):
        raise _no_ip(request["Ip"])
    return {"DedicatedIp": _describe(call, ip)}


async def put_ip_in_pool(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Raises: ApiError if there is no such address or pool."""
    name = request["DestinationPoolName"]
    if name in NO_POOL:
        owner, pool = "", None
    else:
        owner, pool = call.account, (await find_pool(call, name)).name
    await _change(call, request["Ip"], lambda old: replace(old, owner=owner, pool=pool))
    return {}


async def put_ip_warm_up(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Sets how far the warm-up is; 100 ends it. Raises: ApiError."""
    percentage = request["WarmupPercentage"]
    if not 0 <= percentage <= 100:
        raise ApiError("BadRequestException", f"WarmupPercentage is {percentage}; allowed are 0 to 100.")
    begun = CURVE.begun(percentage, call.service.clock())
    await _change(call, request["Ip"], lambda old: replace(old, warm_up_from=begun))
    return {}


async def find_pool(call: Call, name: str) -> DedicatedIpPool:
    """The account's pool; the one of the addresses that are in no other exists always. Raises: ApiError if there is none."""
    pool = await call.service.store.get(DedicatedIpPool, call.account, name)
    if pool is None and name == DEFAULT_POOL:
        pool = DedicatedIpPool(account=call.account, name=name, created_at=0)
    if pool is None:
        raise ApiError("NotFoundException", f"Dedicated IP pool <{name}> does not exist.")
    return pool


async def _all_ips(call: Call) -> list[DedicatedIp]:
    """The addresses that the account may see, by their text."""
    found = await call.service.store.scan(DedicatedIp, INSTALLATION, limit=MOST_IPS)
    return [ip for ip in found if _is_visible(call, ip)]


async def _change(call: Call, ip: str, change: Any) -> None:
    def visibly(old: DedicatedIp) -> DedicatedIp:
        if not _is_visible(call, old):
            raise _no_ip(ip)
        changed: DedicatedIp = change(old)
        return changed

    try:
        await call.service.store.update(DedicatedIp, INSTALLATION, ip, visibly)
    except NotFound:
        raise _no_ip(ip) from None


def _is_visible(call: Call, ip: DedicatedIp) -> bool:
    return ip.configured and ip.owner in ("", call.account)


def _describe(call: Call, ip: DedicatedIp) -> dict[str, Any]:
    percentage = CURVE.percentage(ip.warm_up_from, call.service.clock())
    return {
        "Ip": ip.name,
        "WarmupStatus": "DONE" if percentage == 100 else "IN_PROGRESS",
        "WarmupPercentage": percentage,
        "PoolName": _pool_name(ip),
    }


def _pool_name(ip: DedicatedIp) -> str:
    return ip.pool or DEFAULT_POOL


def _check_scaling(mode: str) -> None:
    if mode != _STANDARD:
        text = f"ScalingMode is {mode}; allowed is {_STANDARD}, since the addresses are those of Waybill's settings."
        raise ApiError("BadRequestException", text)


def _no_ip(ip: str) -> ApiError:
    return ApiError("NotFoundException", f"Dedicated IP <{ip}> does not exist.")


OPERATIONS: dict[str, Operation] = {
    "CreateDedicatedIpPool": create_pool,
    "DeleteDedicatedIpPool": delete_pool,
    "ListDedicatedIpPools": list_pools,
    "GetDedicatedIpPool": get_pool,
    "PutDedicatedIpPoolScalingAttributes": put_pool_scaling,
    "GetDedicatedIps": get_ips,
    "GetDedicatedIp": get_ip,
    "PutDedicatedIpInPool": put_ip_in_pool,
    "PutDedicatedIpWarmupAttributes": put_ip_warm_up,
}

PARTIAL = {
    "CreateDedicatedIpPool": "ScalingMode MANAGED is refused: the addresses are those of the settings.",
    "PutDedicatedIpPoolScalingAttributes": "ScalingMode MANAGED is refused: the addresses are those of the settings.",
    "DeleteDedicatedIpPool": "Refused while a configuration set sends from the pool.",
}
