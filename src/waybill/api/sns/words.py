"""Words that topics and subscriptions share: SNS's errors and the lookup of a topic."""

import json

from waybill.api.call import ApiError, Call
from waybill.model.resource import Topic


def invalid(text: str) -> ApiError:
    """SNS's error for a parameter whose value is at fault."""
    return ApiError("InvalidParameter", f"Invalid parameter: {text}")


def not_found(what: str) -> ApiError:
    """SNS's error for a topic or subscription that is not there."""
    return ApiError("NotFound", f"{what} does not exist", status=404)


async def find_topic(call: Call, arn: str) -> Topic:
    """The account's topic. Raises: ApiError if there is none of this ARN."""
    record = await call.service.store.get(Topic, call.account, arn)
    if record is None:
        raise not_found("Topic")
    return record


def check_json(name: str, text: str) -> str:
    """The text. Raises: ApiError unless it is a JSON object or empty."""
    if text:
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            raise invalid(f"{name}: it must be a JSON object")
    return text
