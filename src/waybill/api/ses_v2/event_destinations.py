"""Event destinations of configuration sets in SES v2."""

import json
from typing import Any

from waybill.api.call import Call, Operation
from waybill.api.configuration_set import (
    add_event_destination,
    find_configuration_set,
    remove_event_destination,
    replace_event_destination,
)
from waybill.model.event import SesEvent
from waybill.model.resource import EventDestination

_NOT_PUBLISHED = (
    "KinesisFirehoseDestination",
    "CloudWatchDestination",
    "EventBridgeDestination",
    "PinpointDestination",
)


def _destination(request: dict[str, Any]) -> EventDestination:
    given = request["EventDestination"]
    topic = given.get("SnsDestination")
    return EventDestination(
        name=request["EventDestinationName"],
        enabled=bool(given.get("Enabled")),
        event_types=tuple(SesEvent(kind) for kind in given.get("MatchingEventTypes") or ()),
        topic_arn=topic["TopicArn"] if topic else None,
        other={kind: json.dumps(given[kind]) for kind in _NOT_PUBLISHED if given.get(kind) is not None},
    )


def _as_given(record: EventDestination) -> dict[str, Any]:
    return {
        "Name": record.name,
        "Enabled": record.enabled,
        "MatchingEventTypes": list(record.event_types),
        "SnsDestination": {"TopicArn": record.topic_arn} if record.topic_arn else None,
        **{kind: json.loads(text) for kind, text in record.other.items()},
    }


async def create(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Raises: SesError."""
    await add_event_destination(call, request["ConfigurationSetName"], _destination(request))
    return {}


async def get_all(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Raises: SesError."""
    record = await find_configuration_set(call, request["ConfigurationSetName"])
    return {"EventDestinations": [_as_given(one) for one in record.event_destinations]}


async def update(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Raises: SesError."""
    await replace_event_destination(call, request["ConfigurationSetName"], _destination(request))
    return {}


async def delete(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Raises: SesError."""
    await remove_event_destination(call, request["ConfigurationSetName"], request["EventDestinationName"])
    return {}


OPERATIONS: dict[str, Operation] = {
    "CreateConfigurationSetEventDestination": create,
    "GetConfigurationSetEventDestinations": get_all,
    "UpdateConfigurationSetEventDestination": update,
    "DeleteConfigurationSetEventDestination": delete,
}

PARTIAL = dict.fromkeys(
    ("CreateConfigurationSetEventDestination", "UpdateConfigurationSetEventDestination"),
    "SNS destinations are published to; CloudWatch, Firehose, EventBridge and Pinpoint ones are only kept.",
)
