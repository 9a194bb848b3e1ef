"""SendEmail, SendRawEmail, SendTemplatedEmail and SendBulkTemplatedEmail of SES v1, translated for ``accept``."""

from typing import Any

from waybill.accept.request import Content, RawContent, SendRequest, TemplateContent
from waybill.api.call import Call, Operation
from waybill.api.sending import (
    BulkResult,
    Tags,
    check_destinations,
    client_of,
    merged_tags,
    message_tags,
    recipients,
    send_each,
    simple_content,
)

_STATUS = {
    "CONFIGURATION_SET_NOT_FOUND": "ConfigurationSetDoesNotExist",
    "TEMPLATE_NOT_FOUND": "TemplateDoesNotExist",
    "INVALID_PARAMETER": "InvalidParameterValue",
}
"""Where v1's BulkEmailStatus is not simply v2's in another case."""


async def send_email(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Sends a message of subject and bodies. Raises: Rejected, StoreUnavailable."""
    return await _send(call, request, simple_content(request["Message"]))


async def send_raw_email(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Sends a message as given; without Destinations it goes to those in its To, Cc and Bcc fields."""
    message_id = await call.service.accept.accept(
        SendRequest(
            client=client_of(call, version=1),
            content=RawContent(data=request["RawMessage"]["Data"]),
            sender=request.get("Source") or None,
            to=tuple(request.get("Destinations") or ()),
            configuration_set=request.get("ConfigurationSetName") or None,
            tags=message_tags(request.get("Tags")),
        )
    )
    return {"MessageId": message_id}


async def send_templated_email(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Sends a message rendered from a stored template. Raises: Rejected, StoreUnavailable."""
    return await _send(call, request, TemplateContent(name=request["Template"], data=request["TemplateData"]))


async def send_bulk_templated_email(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Sends one templated message to each destination. Raises: SesError for what concerns the whole request."""
    destinations = request["Destinations"]
    check_destinations(len(destinations), "Destinations")
    requests = [
        _request(
            call,
            {**request, "Destination": entry["Destination"]},
            TemplateContent(
                name=request["Template"],
                data=entry.get("ReplacementTemplateData") or "{}",
                defaults=request["DefaultTemplateData"],
            ),
            merged_tags(request.get("DefaultTags"), entry.get("ReplacementTags")),
        )
        for entry in destinations
    ]
    return {"Status": [_status(result) for result in await send_each(call, requests)]}


async def _send(call: Call, request: dict[str, Any], content: Content) -> dict[str, Any]:
    message_id = await call.service.accept.accept(_request(call, request, content, message_tags(request.get("Tags"))))
    return {"MessageId": message_id}


def _request(call: Call, request: dict[str, Any], content: Content, tags: Tags | None) -> SendRequest:
    destination = recipients(request.get("Destination"))
    return SendRequest(
        client=client_of(call, version=1),
        content=content,
        sender=request.get("Source") or None,
        reply_to=tuple(request.get("ReplyToAddresses") or ()),
        return_path=request.get("ReturnPath") or None,
        configuration_set=request.get("ConfigurationSetName") or None,
        tags=tags,
        to=destination.to,
        cc=destination.cc,
        bcc=destination.bcc,
    )


def _status(result: BulkResult) -> dict[str, Any]:
    spelled = _STATUS.get(result.status) or "".join(word.capitalize() for word in result.status.split("_"))
    return {"Status": spelled, "Error": result.error, "MessageId": result.message_id}


OPERATIONS: dict[str, Operation] = {
    "SendEmail": send_email,
    "SendRawEmail": send_raw_email,
    "SendTemplatedEmail": send_templated_email,
    "SendBulkTemplatedEmail": send_bulk_templated_email,
}

PARTIAL = dict.fromkeys(OPERATIONS, "Identity ARNs (SourceArn, FromArn, ReturnPathArn) have no effect.")
