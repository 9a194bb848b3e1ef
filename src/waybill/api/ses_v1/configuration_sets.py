"""Configuration sets and their event destinations in SES v1."""

import json
from dataclasses import replace
from typing import Any

from waybill.api.call import Call, Operation
from waybill.api.configuration_set import (
    add_event_destination,
    change_configuration_set,
    create_configuration_set,
    delete_configuration_set,
    find_configuration_set,
    remove_event_destination,
    replace_event_destination,
    set_sending_of_set,
)
from waybill.api.paging import Range, list_page, open_page
from waybill.api.ses_v1.words import in_v1_lower_case, in_v2_case
from waybill.model.event import SesEvent
from waybill.model.resource import ConfigurationSet, EventDestination

_MAX_ITEMS = Range(parameter="MaxItems", default=100, maximum=1000)
_EVENTS_OF_V2_ONLY = frozenset({SesEvent.DELIVERY_DELAY, SesEvent.SUBSCRIPTION})


async def create(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Raises: SesError if the name is taken or not allowed."""
    name = request["ConfigurationSet"]["Name"]
    await create_configuration_set(
        call, ConfigurationSet(account=call.account, name=name, created_at=call.service.clock())
    )
    return {}


async def describe(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """The set with the attributes that are asked for. Raises: SesError."""
    record = await find_configuration_set(call, request["ConfigurationSetName"])
    asked = request.get("ConfigurationSetAttributeNames") or ()
    answer: dict[str, Any] = {"ConfigurationSet": {"Name": record.name}}
    if "eventDestinations" in asked:
        answer["EventDestinations"] = [_as_given(one) for one in record.event_destinations]
    if "trackingOptions" in asked and record.custom_redirect_domain:
        answer["TrackingOptions"] = {"CustomRedirectDomain": record.custom_redirect_domain}
    if "deliveryOptions" in asked:
        answer["DeliveryOptions"] = {"TlsPolicy": "Require" if record.tls_required else "Optional"}
    if "reputationOptions" in asked:
        answer["ReputationOptions"] = {
            "SendingEnabled": record.sending_enabled,
            "ReputationMetricsEnabled": record.reputation_metrics_enabled,
            "LastFreshStart": record.last_fresh_start,
        }
    return answer


async def list_all(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Raises: SesError."""
    page = open_page(request.get("NextToken"), request.get("MaxItems"), _MAX_ITEMS)
    records, token = await list_page(call.service.store, ConfigurationSet, call.account, page)
    return {"ConfigurationSets": [{"Name": record.name} for record in records], "NextToken": token}


async def delete(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Raises: SesError."""
    await delete_configuration_set(call, request["ConfigurationSetName"])
    return {}


async def update_sending_enabled(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Raises: SesError."""
    await set_sending_of_set(call, request["ConfigurationSetName"], enabled=request["Enabled"])
    return {}


async def update_reputation_metrics_enabled(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Raises: SesError."""
    enabled = request["Enabled"]
    await change_configuration_set(
        call, request["ConfigurationSetName"], lambda old: replace(old, reputation_metrics_enabled=enabled)
    )
    return {}


async def put_delivery_options(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Raises: SesError."""
    required = (request.get("DeliveryOptions") or {}).get("TlsPolicy") == "Require"
    await change_configuration_set(
        call, request["ConfigurationSetName"], lambda old: replace(old, tls_required=required)
    )
    return {}


async def create_event_destination(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Raises: SesError."""
    await add_event_destination(call, request["ConfigurationSetName"], _destination(request["EventDestination"]))
    return {}


async def update_event_destination(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Raises: SesError."""
    await replace_event_destination(call, request["ConfigurationSetName"], _destination(request["EventDestination"]))
    return {}


async def delete_event_destination(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Raises: SesError."""
    await remove_event_destination(call, request["ConfigurationSetName"], request["EventDestinationName"])
    return {}


def _destination(given: dict[str, Any]) -> EventDestination:
    """The kinds that are only kept are stored in v2's words, so that both versions can show them."""
    topic, firehose, watch = (given.get(f"{kind}Destination") for kind in ("SNS", "KinesisFirehose", "CloudWatch"))
    other = {}
    if firehose:
        names = {"IamRoleArn": firehose["IAMRoleARN"], "DeliveryStreamArn": firehose["DeliveryStreamARN"]}
        other["KinesisFirehoseDestination"] = json.dumps(names)
    if watch:
        dimensions = [
            {**one, "DimensionValueSource": in_v2_case(one["DimensionValueSource"])}
            for one in watch["DimensionConfigurations"]
        ]
        other["CloudWatchDestination"] = json.dumps({"DimensionConfigurations": dimensions})
    return EventDestination(
        name=given["Name"],
        enabled=bool(given.get("Enabled")),
        event_types=tuple(SesEvent(in_v2_case(kind)) for kind in given["MatchingEventTypes"]),
        topic_arn=topic["TopicARN"] if topic else None,
        other=other,
    )


def _as_given(record: EventDestination) -> dict[str, Any]:
    """What v1's words can say of it: event types and kinds that only v2 knows are left out."""
    answer: dict[str, Any] = {
        "Name": record.name,
        "Enabled": record.enabled,
        "MatchingEventTypes": [in_v1_lower_case(kind) for kind in record.event_types if kind not in _EVENTS_OF_V2_ONLY],
    }
    if record.topic_arn:
        answer["SNSDestination"] = {"TopicARN": record.topic_arn}
    if firehose := record.other.get("KinesisFirehoseDestination"):
        names = json.loads(firehose)
        answer["KinesisFirehoseDestination"] = {
            "IAMRoleARN": names["IamRoleArn"],
            "DeliveryStreamARN": names["DeliveryStreamArn"],
        }
    if watch := record.other.get("CloudWatchDestination"):
        answer["CloudWatchDestination"] = {
            "DimensionConfigurations": [
                {**one, "DimensionValueSource": in_v1_lower_case(one["DimensionValueSource"])}
                for one in json.loads(watch)["DimensionConfigurations"]
            ]
        }
    return answer


OPERATIONS: dict[str, Operation] = {
    "CreateConfigurationSet": create,
    "DescribeConfigurationSet": describe,
    "ListConfigurationSets": list_all,
    "DeleteConfigurationSet": delete,
    "UpdateConfigurationSetSendingEnabled": update_sending_enabled,
    "UpdateConfigurationSetReputationMetricsEnabled": update_reputation_metrics_enabled,
    "PutConfigurationSetDeliveryOptions": put_delivery_options,
    "CreateConfigurationSetEventDestination": create_event_destination,
    "UpdateConfigurationSetEventDestination": update_event_destination,
    "DeleteConfigurationSetEventDestination": delete_event_destination,
}

PARTIAL = dict.fromkeys(
    ("CreateConfigurationSetEventDestination", "UpdateConfigurationSetEventDestination"),
    "SNS destinations are published to; CloudWatch and Firehose ones are only kept.",
)
