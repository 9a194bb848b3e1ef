"""Tags of identities and configuration sets in SES v2."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from waybill.api.arn import own_resource
from waybill.api.call import ApiError, Call, Operation
from waybill.api.resource_tags import ResourceTags, tag_list
from waybill.model.resource import ConfigurationSet, Identity
from waybill.store.protocol import NotFound

MAX_TAGS = 50


async def tag_resource(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Adds tags, replacing those of the same keys. Raises: ApiError."""
    new = {tag["Key"]: tag["Value"] for tag in request["Tags"]}

    def change(old: ResourceTags) -> ResourceTags:
        merged = {**dict(old), **new}
        if len(merged) > MAX_TAGS:
            raise ApiError("BadRequestException", f"Tags would be {len(merged)}; a resource has at most {MAX_TAGS}.")
        return tuple(merged.items())

    await _change(call, request["ResourceArn"], change)
    return {}


async def untag_resource(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Removes tags; keys that are not there are no error. Raises: ApiError."""
    keys = set(request["TagKeys"])
    await _change(call, request["ResourceArn"], lambda old: tuple(tag for tag in old if tag[0] not in keys))
    return {}


async def list_tags_for_resource(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Raises: ApiError."""
    arn = request["ResourceArn"]
    record: Identity | ConfigurationSet | None = None
    if name := own_resource(call, arn, "identity"):
        record = await call.service.store.get(Identity, call.account, name)
    elif name := own_resource(call, arn, "configuration-set"):
        record = await call.service.store.get(ConfigurationSet, call.account, name)
    if record is None:
        raise _missing(arn)
    return {"Tags": tag_list(record.tags)}


async def _change(call: Call, arn: str, change: Callable[[ResourceTags], ResourceTags]) -> None:
    store = call.service.store
    try:
        if name := own_resource(call, arn, "identity"):
            await store.update(Identity, call.account, name, lambda old: replace(old, tags=change(old.tags)))
        elif name := own_resource(call, arn, "configuration-set"):
            await store.update(ConfigurationSet, call.account, name, lambda old: replace(old, tags=change(old.tags)))
        else:
            raise _missing(arn)
    except NotFound:
        raise _missing(arn) from None


def _missing(arn: str) -> ApiError:
    return ApiError("NotFoundException", f"Resource {arn} does not exist.")


OPERATIONS: dict[str, Operation] = {
    "TagResource": tag_resource,
    "UntagResource": untag_resource,
    "ListTagsForResource": list_tags_for_resource,
}

PARTIAL = dict.fromkeys(OPERATIONS, "Identities and configuration sets only.")
