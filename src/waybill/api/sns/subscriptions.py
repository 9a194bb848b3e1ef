"""SNS subscriptions of HTTP endpoints: subscribing, confirming, listing, attributes."""

import contextlib
import hmac
import secrets
import uuid
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from waybill.api.arn import parse_arn
from waybill.api.call import ApiError, Call, Operation
from waybill.api.paging import Page, Range, cut, open_page
from waybill.api.sns.words import check_json, find_topic, invalid, not_found
from waybill.model.resource import Subscription, Topic
from waybill.store.protocol import NewNotice, NotFound, NoticeKind

MAX_ENDPOINT = 2048
MAX_SUBSCRIPTIONS = 1000
_PAGE = Range(parameter="NextToken", default=100, maximum=100)
_PROTOCOLS = ("http", "https")
_NEEDS_SIGNATURE = "AuthenticateOnUnsubscribe"


async def subscribe(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Creates an unconfirmed subscription and asks its endpoint to confirm; an endpoint subscribed already keeps its own.

    Raises:
        ApiError: no such topic; a protocol or endpoint that is not allowed.
    """
    topic = await find_topic(call, request["TopicArn"])
    protocol, endpoint = request["Protocol"], request.get("Endpoint") or ""
    _check_endpoint(protocol, endpoint)
    found = await _of_topic(call, topic.account, topic.name)
    known = next((one for one in found if (one.protocol, one.endpoint) == (protocol, endpoint)), None)
    if known is None and len(found) >= MAX_SUBSCRIPTIONS:
        raise ApiError("SubscriptionLimitExceeded", f"The topic has {MAX_SUBSCRIPTIONS} subscriptions.", status=403)
    record = known or _new(call, topic, protocol, endpoint)
    for name, value in (request.get("Attributes") or {}).items():
        record = _with_attribute(record, name, value)
    await call.service.store.put(record)
    if record.confirmed_at is not None:
        return {"SubscriptionArn": record.name}
    await call.service.store.notify([_question(call, record, "SubscriptionConfirmation")])
    return {"SubscriptionArn": record.name if request.get("ReturnSubscriptionArn") else "pending confirmation"}


def _new(call: Call, topic: Topic, protocol: str, endpoint: str) -> Subscription:
    return Subscription(
        account=topic.account,
        name=f"{topic.name}:{uuid.uuid4()}",
        topic_arn=topic.name,
        protocol=protocol,
        endpoint=endpoint,
        token=secrets.token_hex(64),
        created_at=call.service.clock(),
    )


def _question(call: Call, record: Subscription, kind: str) -> NewNotice:
    return NewNotice(
        kind=NoticeKind.SUBSCRIPTION,
        account=record.account,
        target=record.name,
        at=call.service.clock(),
        headers={"x-amz-sns-message-type": kind},
    )


def _check_endpoint(protocol: str, endpoint: str) -> None:
    """Raises: ApiError unless the endpoint is a URL of the protocol that no header or log can be broken with."""
    if protocol not in _PROTOCOLS:
        raise invalid(f"Protocol: it is {protocol!r}; allowed are http and https")
    if len(endpoint) > MAX_ENDPOINT or not endpoint.isprintable() or " " in endpoint:
        raise invalid(f"Endpoint: a URL has at most {MAX_ENDPOINT} characters, without spaces and control characters")
    try:
        parts = urlsplit(endpoint)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise invalid(f"Endpoint: {error}") from None
    if parts.scheme != protocol:
        raise invalid("Endpoint must match the specified protocol")
    if not host:
        raise invalid("Endpoint: the URL names no host")


async def confirm_subscription(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Confirms the subscription that the token was sent to. The token is the authority: the call may be unsigned.

    Raises:
        ApiError: no such topic, or no subscription of it has this token.
    """
    arn = request["TopicArn"]
    account = _account_of(arn)
    if await call.service.store.get(Topic, account, arn) is None:
        raise not_found("Topic")
    token = request["Token"].encode("utf-8", "surrogatepass")
    matching = None
    for one in await _of_topic(call, account, arn):
        if hmac.compare_digest(one.token.encode(), token):
            matching = one
    if matching is None:
        raise invalid("Token")
    now = call.service.clock()
    signed_only = request.get(_NEEDS_SIGNATURE) == "true"

    def change(old: Subscription) -> Subscription:
        attributes = {**old.attributes, _NEEDS_SIGNATURE: "true"} if signed_only else old.attributes
        return replace(old, confirmed_at=old.confirmed_at or now, attributes=attributes)

    try:
        await call.service.store.update(Subscription, account, matching.name, change)
    except NotFound:
        raise invalid("Token") from None
    return {"SubscriptionArn": matching.name}


async def unsubscribe(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Ends the subscription; one that is not there is no error.

    An unsigned call (the link in a notification) may do so unless the subscription was confirmed with
    AuthenticateOnUnsubscribe. Anybody may have followed the link: the endpoint is told, with a token to come back.

    Raises:
        ApiError: the subscription is another account's, or needs a signed call.
    """
    arn = request["SubscriptionArn"]
    account = _account_of(arn)
    signed = bool(call.access_key_id)
    record = await call.service.store.get(Subscription, account, arn)
    if record is None:
        return {}
    if (signed and account != call.account) or (not signed and record.attributes.get(_NEEDS_SIGNATURE) == "true"):
        raise ApiError("AuthorizationError", "Not authorized to unsubscribe", status=403)
    if signed or record.confirmed_at is None:
        await call.service.store.delete(Subscription, account, arn)
        return {}
    token = secrets.token_hex(64)
    with contextlib.suppress(NotFound):
        await call.service.store.update(
            Subscription, account, arn, lambda old: replace(old, confirmed_at=None, token=token)
        )
        await call.service.store.notify([_question(call, record, "UnsubscribeConfirmation")])
    return {}


async def list_subscriptions(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Raises: ApiError."""
    return await _list(call, request, prefix="")


async def list_subscriptions_by_topic(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Raises: ApiError."""
    topic = await find_topic(call, request["TopicArn"])
    return await _list(call, request, prefix=f"{topic.name}:")


async def _list(call: Call, request: dict[str, Any], prefix: str) -> dict[str, Any]:
    page: Page = open_page(request.get("NextToken"), None, _PAGE, code="InvalidParameter")
    found = await call.service.store.scan(
        Subscription, call.account, prefix=prefix, after=page.after, limit=page.limit + 1
    )
    shown, token = cut(found, page, lambda record: record.name)
    return {"Subscriptions": [_summary(record) for record in shown], "NextToken": token}


def _summary(record: Subscription) -> dict[str, Any]:
    return {
        "SubscriptionArn": "PendingConfirmation" if record.confirmed_at is None else record.name,
        "Owner": record.account,
        "Protocol": record.protocol,
        "Endpoint": record.endpoint,
        "TopicArn": record.topic_arn,
    }


async def get_subscription_attributes(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Raises: ApiError."""
    record = await call.service.store.get(Subscription, call.account, request["SubscriptionArn"])
    if record is None:
        raise not_found("Subscription")
    attributes = {name: value for name, value in record.attributes.items() if name != _NEEDS_SIGNATURE}
    return {
        "Attributes": {
            "SubscriptionArn": record.name,
            "TopicArn": record.topic_arn,
            "Owner": record.account,
            "Protocol": record.protocol,
            "Endpoint": record.endpoint,
            "PendingConfirmation": "true" if record.confirmed_at is None else "false",
            "ConfirmationWasAuthenticated": record.attributes.get(_NEEDS_SIGNATURE, "false"),
            "RawMessageDelivery": "true" if record.raw_delivery else "false",
            **attributes,
        }
    }


async def set_subscription_attributes(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Raises: ApiError."""
    name, value = request["AttributeName"], request.get("AttributeValue") or ""
    try:
        await call.service.store.update(
            Subscription, call.account, request["SubscriptionArn"], lambda old: _with_attribute(old, name, value)
        )
    except NotFound:
        raise not_found("Subscription") from None
    return {}


def _with_attribute(record: Subscription, name: str, value: str) -> Subscription:
    match name:
        case "RawMessageDelivery":
            if value.lower() not in {"true", "false"}:
                raise invalid(f"RawMessageDelivery: it is {value!r}; allowed are true and false")
            return replace(record, raw_delivery=value.lower() == "true")
        case "DeliveryPolicy":
            return replace(record, attributes={**record.attributes, name: check_json(name, value)})
        case _:
            raise invalid(f"AttributeName: {name!r} is none of RawMessageDelivery and DeliveryPolicy")


def _account_of(arn: str) -> str:
    parsed = parse_arn(arn)
    if parsed is None or parsed.service != "sns" or not parsed.account:
        raise invalid("the ARN is none of SNS")
    return parsed.account


async def _of_topic(call: Call, account: str, arn: str) -> list[Subscription]:
    return await call.service.store.scan(Subscription, account, prefix=f"{arn}:", limit=MAX_SUBSCRIPTIONS)


OPERATIONS: dict[str, Operation] = {
    "Subscribe": subscribe,
    "ConfirmSubscription": confirm_subscription,
    "Unsubscribe": unsubscribe,
    "ListSubscriptions": list_subscriptions,
    "ListSubscriptionsByTopic": list_subscriptions_by_topic,
    "GetSubscriptionAttributes": get_subscription_attributes,
    "SetSubscriptionAttributes": set_subscription_attributes,
}

PARTIAL = {
    "Subscribe": "Endpoints of http and https only; attributes RawMessageDelivery and DeliveryPolicy only.",
    "SetSubscriptionAttributes": "RawMessageDelivery and DeliveryPolicy only; the policy is kept.",
    "Unsubscribe": "Ended by an unsigned link, a subscription is listed as pending until it is confirmed or ended once more.",
}
