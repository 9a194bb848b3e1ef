"""SNS topics: creating, listing, attributes, tags, publishing."""

import contextlib
import json
import re
import uuid
from dataclasses import replace
from typing import Any

from waybill.api.arn import topic_arn
from waybill.api.call import Call, Operation
from waybill.api.paging import Range, list_page, open_page
from waybill.api.resource_tags import read_tags, tag_list
from waybill.api.sns.words import check_json, find_topic, invalid, not_found
from waybill.model.resource import Subscription, Topic
from waybill.store.protocol import AlreadyExists, NewNotice, NotFound, NoticeKind

MAX_MESSAGE = 256 * 1024
MAX_SUBJECT = 100
_PAGE = Range(parameter="NextToken", default=100, maximum=100)
_NAME = re.compile(r"[A-Za-z0-9_-]{1,256}")
_JSON_ATTRIBUTES = frozenset({"Policy", "DeliveryPolicy"})
_KEPT_ATTRIBUTES = frozenset({"Policy", "DeliveryPolicy", "KmsMasterKeyId", "TracingConfig"})
_FEEDBACK_ATTRIBUTE = re.compile(r"[A-Za-z]{1,20}(Success|Failure)Feedback(RoleArn|SampleRate)")


async def create_topic(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Creates the topic; one of this name that exists is given back unchanged, as SNS does. Raises: ApiError."""
    name = request["Name"]
    if not _NAME.fullmatch(name):
        raise invalid("Topic Name: allowed are 1 to 256 of A-Z, a-z, 0-9, '_' and '-'; FIFO topics are not")
    record = Topic(
        account=call.account,
        name=topic_arn(call, name),
        created_at=call.service.clock(),
        tags=read_tags(request),
    )
    for attribute, value in (request.get("Attributes") or {}).items():
        record = _with_attribute(record, attribute, value)
    with contextlib.suppress(AlreadyExists):
        await call.service.store.create(record)
    return {"TopicArn": record.name}


async def delete_topic(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Deletes the topic and its subscriptions; one that is not there is no error."""
    store, arn = call.service.store, request["TopicArn"]
    if not arn.startswith(topic_arn(call, "")):
        raise invalid("TopicArn")
    await store.delete(Topic, call.account, arn)
    while subscriptions := await store.scan(Subscription, call.account, prefix=f"{arn}:", limit=1000):
        for subscription in subscriptions:
            await store.delete(Subscription, call.account, subscription.name)
    return {}


async def list_topics(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Raises: ApiError."""
    page = open_page(request.get("NextToken"), None, _PAGE, code="InvalidParameter")
    records, token = await list_page(call.service.store, Topic, call.account, page)
    return {"Topics": [{"TopicArn": record.name} for record in records], "NextToken": token}


async def get_topic_attributes(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Raises: ApiError."""
    record = await find_topic(call, request["TopicArn"])
    found = await call.service.store.scan(Subscription, call.account, prefix=f"{record.name}:", limit=100_000)
    confirmed = sum(1 for subscription in found if subscription.confirmed_at is not None)
    return {
        "Attributes": {
            "TopicArn": record.name,
            "Owner": record.account,
            "DisplayName": record.display_name,
            "SignatureVersion": record.signature_version,
            "SubscriptionsConfirmed": str(confirmed),
            "SubscriptionsPending": str(len(found) - confirmed),
            "SubscriptionsDeleted": "0",
            "EffectiveDeliveryPolicy": record.attributes.get("DeliveryPolicy") or _DEFAULT_DELIVERY_POLICY,
            **record.attributes,
        }
    }


async def set_topic_attributes(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Raises: ApiError."""
    name, value = request["AttributeName"], request.get("AttributeValue") or ""
    try:
        await call.service.store.update(
            Topic, call.account, request["TopicArn"], lambda old: _with_attribute(old, name, value)
        )
    except NotFound:
        raise not_found("Topic") from None
    return {}


def _with_attribute(record: Topic, name: str, value: str) -> Topic:
    match name:
        case "SignatureVersion":
            if value not in {"1", "2"}:
                raise invalid(f"SignatureVersion: it is {value!r}; allowed are 1 and 2")
            return replace(record, signature_version=value)
        case "DisplayName":
            if len(value) > 100 or not value.isprintable():
                raise invalid("DisplayName: allowed are at most 100 printable characters")
            return replace(record, display_name=value)
        case _ if name in _KEPT_ATTRIBUTES or _FEEDBACK_ATTRIBUTE.fullmatch(name):
            if name in _JSON_ATTRIBUTES:
                check_json(name, value)
            return replace(record, attributes={**record.attributes, name: value})
        case _:
            raise invalid(f"AttributeName: there is no attribute {name!r}")


async def publish(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Publishes a message to the topic's confirmed subscriptions. Raises: ApiError."""
    arn = request.get("TopicArn") or request.get("TargetArn")
    if not arn:
        raise invalid("TopicArn or TargetArn Reason: no value for required parameter")
    record = await find_topic(call, arn)
    body = _message(request).encode()
    if not body:
        raise invalid("Empty message")
    if len(body) > MAX_MESSAGE:
        raise invalid(f"Message too long: it has {len(body)} bytes; allowed are {MAX_MESSAGE}")
    message_id = str(uuid.uuid4())
    headers = {"x-amz-sns-message-id": message_id}
    if subject := request.get("Subject"):
        headers["Subject"] = _subject(subject)
    notice = NewNotice(
        kind=NoticeKind.TOPIC,
        account=call.account,
        target=record.name,
        at=call.service.clock(),
        body=body,
        headers=headers,
    )
    await call.service.store.notify([notice])
    return {"MessageId": message_id}


def _message(request: dict[str, Any]) -> str:
    """With MessageStructure ``json`` the text for HTTP subscribers is the one under ``default``."""
    message: str = request["Message"]
    if request.get("MessageStructure") != "json":
        return message
    default = json.loads(check_json("Message Structure - JSON message body", message) or "{}").get("default")
    if not isinstance(default, str):
        raise invalid("Message Structure - No default entry in JSON message body")
    return default


def _subject(subject: str) -> str:
    if len(subject) > MAX_SUBJECT or not (subject.isascii() and subject.isprintable()):
        raise invalid(f"Subject: allowed are at most {MAX_SUBJECT} printable ASCII characters")
    return subject


async def tag_resource(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Raises: ApiError."""
    new = {tag["Key"]: tag["Value"] for tag in request["Tags"]}
    await _change_tags(call, request["ResourceArn"], new, frozenset())
    return {}


async def untag_resource(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Raises: ApiError."""
    await _change_tags(call, request["ResourceArn"], {}, frozenset(request["TagKeys"]))
    return {}


async def list_tags_for_resource(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Raises: ApiError."""
    record = await find_topic(call, request["ResourceArn"])
    return {"Tags": tag_list(record.tags)}


async def _change_tags(call: Call, arn: str, new: dict[str, str], gone: frozenset[str]) -> None:
    def change(old: Topic) -> Topic:
        merged = {**dict(old.tags), **new}
        return replace(old, tags=tuple((key, value) for key, value in merged.items() if key not in gone))

    try:
        await call.service.store.update(Topic, call.account, arn, change)
    except NotFound:
        raise not_found("Topic") from None


_DEFAULT_DELIVERY_POLICY = json.dumps(
    {"http": {"defaultHealthyRetryPolicy": {"numRetries": 3, "minDelayTarget": 20, "maxDelayTarget": 20}}}
)
"""What SNS does for HTTP endpoints unless told otherwise."""

OPERATIONS: dict[str, Operation] = {
    "CreateTopic": create_topic,
    "DeleteTopic": delete_topic,
    "ListTopics": list_topics,
    "GetTopicAttributes": get_topic_attributes,
    "SetTopicAttributes": set_topic_attributes,
    "Publish": publish,
    "TagResource": tag_resource,
    "UntagResource": untag_resource,
    "ListTagsForResource": list_tags_for_resource,
}

PARTIAL = {
    "CreateTopic": "Standard topics only; policies are kept, not evaluated.",
    "SetTopicAttributes": "Policies, keys and delivery feedback are kept and have no effect.",
    "Publish": "To topics only; MessageAttributes are not delivered; of a JSON structure the default text is sent.",
}
