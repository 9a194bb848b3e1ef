"""Configuration sets in SES v2."""

from dataclasses import replace
from typing import Any

from waybill.api.call import Call, Operation
from waybill.api.configuration_set import (
    change_configuration_set,
    create_configuration_set,
    delete_configuration_set,
    find_configuration_set,
    set_sending_of_set,
)
from waybill.api.paging import Range, list_page, open_page
from waybill.api.resource_tags import read_tags, tag_list
from waybill.api.ses_v2.dedicated_ips import find_pool
from waybill.deliver.sources import NO_POOL
from waybill.model.resource import ConfigurationSet
from waybill.model.suppression import Reason

_PAGE_SIZE = Range(parameter="PageSize", default=1000, maximum=1000)


async def create(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Raises: SesError if the name is taken or not allowed, ApiError if there is no such pool."""
    record = ConfigurationSet(
        account=call.account,
        name=request["ConfigurationSetName"],
        created_at=call.service.clock(),
        tags=read_tags(request),
    )
    await _check_pool(call, request.get("DeliveryOptions") or {})
    for member, with_options in _OPTIONS.items():
        if request.get(member) is not None:
            record = with_options(record, request[member])
    await create_configuration_set(call, record)
    return {}


async def get(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Raises: SesError."""
    record = await find_configuration_set(call, request["ConfigurationSetName"])
    tracking = record.custom_redirect_domain
    reasons = record.suppressed_reasons
    return {
        "ConfigurationSetName": record.name,
        "TrackingOptions": {"CustomRedirectDomain": tracking, "HttpsPolicy": record.https_policy} if tracking else None,
        "DeliveryOptions": {
            "TlsPolicy": "REQUIRE" if record.tls_required else "OPTIONAL",
            "SendingPoolName": record.sending_pool,
            "MaxDeliverySeconds": record.max_delivery_seconds,
        },
        "ReputationOptions": {
            "ReputationMetricsEnabled": record.reputation_metrics_enabled,
            "LastFreshStart": record.last_fresh_start,
        },
        "SendingOptions": {"SendingEnabled": record.sending_enabled},
        "Tags": tag_list(record.tags),
        "SuppressionOptions": None if reasons is None else {"SuppressedReasons": list(reasons)},
    }


async def list_all(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Raises: SesError."""
    page = open_page(request.get("NextToken"), request.get("PageSize"), _PAGE_SIZE)
    records, token = await list_page(call.service.store, ConfigurationSet, call.account, page)
    return {"ConfigurationSets": [record.name for record in records], "NextToken": token}


async def delete(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Raises: SesError."""
    await delete_configuration_set(call, request["ConfigurationSetName"])
    return {}


async def put_sending_options(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Raises: SesError."""
    await set_sending_of_set(call, request["ConfigurationSetName"], enabled=bool(request.get("SendingEnabled")))
    return {}


async def put_suppression_options(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Raises: SesError."""
    return await _put(call, request, "SuppressionOptions")


async def put_delivery_options(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Raises: SesError, ApiError if there is no such pool."""
    await _check_pool(call, request)
    return await _put(call, request, "DeliveryOptions")


async def put_reputation_options(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Raises: SesError."""
    return await _put(call, request, "ReputationOptions")


async def put_tracking_options(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Raises: SesError."""
    return await _put(call, request, "TrackingOptions")


async def _check_pool(call: Call, options: dict[str, Any]) -> None:
    name = options.get("SendingPoolName")
    if name and name not in NO_POOL:
        await find_pool(call, name)


async def _put(call: Call, request: dict[str, Any], member: str) -> dict[str, Any]:
    """The Put operations give the members of one of the option structures beside the name."""
    with_options = _OPTIONS[member]
    await change_configuration_set(call, request["ConfigurationSetName"], lambda record: with_options(record, request))
    return {}


def _with_sending(record: ConfigurationSet, options: dict[str, Any]) -> ConfigurationSet:
    return replace(record, sending_enabled=bool(options.get("SendingEnabled")))


def _with_suppression(record: ConfigurationSet, options: dict[str, Any]) -> ConfigurationSet:
    """No list: the account's reasons count; an empty one: nothing is suppressed."""
    given = options.get("SuppressedReasons")
    return replace(record, suppressed_reasons=None if given is None else tuple(Reason(reason) for reason in given))


def _with_delivery(record: ConfigurationSet, options: dict[str, Any]) -> ConfigurationSet:
    return replace(
        record,
        tls_required=options.get("TlsPolicy") == "REQUIRE",
        sending_pool=options.get("SendingPoolName") or None,
        max_delivery_seconds=options.get("MaxDeliverySeconds"),
    )


def _with_reputation(record: ConfigurationSet, options: dict[str, Any]) -> ConfigurationSet:
    return replace(
        record,
        reputation_metrics_enabled=bool(options.get("ReputationMetricsEnabled")),
        last_fresh_start=options.get("LastFreshStart") or record.last_fresh_start,
    )


def _with_tracking(record: ConfigurationSet, options: dict[str, Any]) -> ConfigurationSet:
    domain = options.get("CustomRedirectDomain") or None
    return replace(record, custom_redirect_domain=domain, https_policy=options.get("HttpsPolicy") if domain else None)


_OPTIONS = {
    "SendingOptions": _with_sending,
    "SuppressionOptions": _with_suppression,
    "DeliveryOptions": _with_delivery,
    "ReputationOptions": _with_reputation,
    "TrackingOptions": _with_tracking,
}

OPERATIONS: dict[str, Operation] = {
    "CreateConfigurationSet": create,
    "GetConfigurationSet": get,
    "ListConfigurationSets": list_all,
    "DeleteConfigurationSet": delete,
    "PutConfigurationSetSendingOptions": put_sending_options,
    "PutConfigurationSetSuppressionOptions": put_suppression_options,
    "PutConfigurationSetDeliveryOptions": put_delivery_options,
    "PutConfigurationSetReputationOptions": put_reputation_options,
    "PutConfigurationSetTrackingOptions": put_tracking_options,
}

PARTIAL = {
    "CreateConfigurationSet": "VDM, archiving, validation and message security options are not kept.",
    "ListConfigurationSets": "Filter has no effect.",
    "PutConfigurationSetSuppressionOptions": "SuppressionScope and ValidationOptions are not kept.",
    "PutConfigurationSetTrackingOptions": "Kept; opens and clicks are not tracked.",
}
