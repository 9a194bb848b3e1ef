"""SendEmail and SendBulkEmail of SES v2, translated for ``accept``, which decides."""

from typing import Any

from waybill.accept.request import Attachment, Content, RawContent, SendRequest, TemplateContent
from waybill.api.arn import own_resource
from waybill.api.call import ApiError, Call, Operation
from waybill.api.sending import (
    check_destinations,
    client_of,
    merged_tags,
    message_tags,
    recipients,
    send_each,
    simple_content,
)

Headers = tuple[tuple[str, str], ...]


async def send_email(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Sends one message: Simple, Raw or Template. Raises: ApiError, Rejected, StoreUnavailable."""
    _refuse_unsupported(request)
    destination = recipients(request.get("Destination"))
    content, headers = _content(call, request["Content"])
    message_id = await call.service.accept.accept(
        SendRequest(
            client=client_of(call, version=2),
            content=content,
            sender=request.get("FromEmailAddress") or None,
            reply_to=tuple(request.get("ReplyToAddresses") or ()),
            return_path=request.get("FeedbackForwardingEmailAddress") or None,
            configuration_set=request.get("ConfigurationSetName") or None,
            tags=message_tags(request.get("EmailTags")),
            headers=headers,
            to=destination.to,
            cc=destination.cc,
            bcc=destination.bcc,
        )
    )
    return {"MessageId": message_id}


async def send_bulk_email(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Sends one templated message to each entry. Raises: ApiError for what concerns the whole request."""
    _refuse_unsupported(request)
    entries = request["BulkEmailEntries"]
    check_destinations(len(entries), "BulkEmailEntries")
    template = request["DefaultContent"].get("Template")
    if template is None:
        raise ApiError("BadRequestException", "DefaultContent.Template is missing; it names the template to send.")
    content = _template(call, template)
    results = await send_each(call, [_bulk_request(call, request, entry, content) for entry in entries])
    return {
        "BulkEmailEntryResults": [
            {"Status": result.status, "Error": result.error, "MessageId": result.message_id} for result in results
        ]
    }


def _bulk_request(call: Call, request: dict[str, Any], entry: dict[str, Any], shared: TemplateContent) -> SendRequest:
    destination = recipients(entry.get("Destination"))
    replacement = (entry.get("ReplacementEmailContent") or {}).get("ReplacementTemplate") or {}
    return SendRequest(
        client=client_of(call, version=2),
        content=TemplateContent(
            name=shared.name,
            data=replacement.get("ReplacementTemplateData") or "{}",
            defaults=shared.data,
            subject=shared.subject,
            text=shared.text,
            html=shared.html,
            attachments=shared.attachments,
        ),
        sender=request.get("FromEmailAddress") or None,
        reply_to=tuple(request.get("ReplyToAddresses") or ()),
        return_path=request.get("FeedbackForwardingEmailAddress") or None,
        configuration_set=request.get("ConfigurationSetName") or None,
        tags=merged_tags(request.get("DefaultEmailTags"), entry.get("ReplacementTags")),
        headers=_merged_headers(
            _headers(request["DefaultContent"]["Template"]), _headers(entry, member="ReplacementHeaders")
        ),
        to=destination.to,
        cc=destination.cc,
        bcc=destination.bcc,
    )


def _refuse_unsupported(request: dict[str, Any]) -> None:
    """What would silently change who gets the mail is refused; what only adds tracking is left out."""
    options = request.get("ListManagementOptions")
    if options:
        raise ApiError(
            "NotFoundException",
            f"List with name {options['ContactListName']} doesn't exist: there are no contact lists.",
        )
    if request.get("TenantName"):
        raise ApiError("NotFoundException", f"Tenant {request['TenantName']} doesn't exist: there are no tenants.")


def _content(call: Call, given: dict[str, Any]) -> tuple[Content, Headers]:
    kinds = [kind for kind in ("Simple", "Raw", "Template") if given.get(kind) is not None]
    if len(kinds) != 1:
        raise ApiError(
            "BadRequestException", f"Content has {len(kinds)} of Simple, Raw and Template; exactly one is allowed."
        )
    chosen = given[kinds[0]]
    match kinds[0]:
        case "Raw":
            return RawContent(data=chosen["Data"]), ()
        case "Template":
            return _template(call, chosen), _headers(chosen)
        case _:
            return simple_content(chosen, _attachments(chosen)), _headers(chosen)


def _template(call: Call, given: dict[str, Any]) -> TemplateContent:
    inline = given.get("TemplateContent")
    name = given.get("TemplateName") or _template_of(call, given.get("TemplateArn"))
    if (name is None) == (inline is None):
        raise ApiError(
            "BadRequestException", "Template needs either TemplateName (or TemplateArn) or TemplateContent, not both."
        )
    parts = inline or {}
    return TemplateContent(
        name=name,
        data=given.get("TemplateData") or "{}",
        subject=parts.get("Subject"),
        text=parts.get("Text"),
        html=parts.get("Html"),
        attachments=_attachments(given),
    )


def _template_of(call: Call, arn: str | None) -> str | None:
    if not arn:
        return None
    name = own_resource(call, arn, "template")
    if name is None:
        raise ApiError("NotFoundException", f"Template {arn} does not exist.")
    return name


def _attachments(given: dict[str, Any]) -> tuple[Attachment, ...]:
    return tuple(
        Attachment(
            file_name=attachment["FileName"],
            content=attachment["RawContent"],
            content_type=attachment.get("ContentType"),
            disposition=attachment.get("ContentDisposition") or "ATTACHMENT",
            content_id=attachment.get("ContentId"),
            description=attachment.get("ContentDescription"),
            transfer_encoding=attachment.get("ContentTransferEncoding"),
        )
        for attachment in given.get("Attachments") or ()
    )


def _headers(given: dict[str, Any], member: str = "Headers") -> Headers:
    return tuple((header["Name"], header["Value"]) for header in given.get(member) or ())


def _merged_headers(defaults: Headers, replacement: Headers) -> Headers:
    """ReplacementHeaders override default headers of the same name, others are added (SES v2 model)."""
    names = {name.lower() for name, _ in replacement}
    return tuple(header for header in defaults if header[0].lower() not in names) + replacement


OPERATIONS: dict[str, Operation] = {"SendEmail": send_email, "SendBulkEmail": send_bulk_email}

PARTIAL = {
    "SendEmail": "ListManagementOptions and TenantName are refused; ConfigurationOverrides and identity ARNs have no effect.",
    "SendBulkEmail": "TenantName is refused; ConfigurationOverrides and identity ARNs have no effect.",
}
