"""Email templates in SES v2."""

from typing import Any

from waybill.api.call import Call, Operation
from waybill.api.paging import Range, list_page, open_page
from waybill.api.template import Draft, create_template, find_template, test_render, update_template
from waybill.model.resource import Template

_PAGE_SIZE = Range(parameter="PageSize", default=100, maximum=100)


def _draft(request: dict[str, Any]) -> Draft:
    content = request["TemplateContent"]
    return Draft(
        name=request["TemplateName"],
        subject=content.get("Subject"),
        text=content.get("Text"),
        html=content.get("Html"),
    )


async def create_email_template(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Raises: SesError."""
    await create_template(call, _draft(request))
    return {}


async def update_email_template(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Raises: SesError."""
    await update_template(call, _draft(request))
    return {}


async def get_email_template(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Raises: SesError."""
    record = await find_template(call, request["TemplateName"])
    return {
        "TemplateName": record.name,
        "TemplateContent": {"Subject": record.subject, "Text": record.text, "Html": record.html},
    }


async def delete_email_template(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Deletes the template. Raises: SesError if there is none."""
    record = await find_template(call, request["TemplateName"])
    await call.service.store.delete(Template, call.account, record.name)
    return {}


async def list_email_templates(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Raises: SesError."""
    page = open_page(request.get("NextToken"), request.get("PageSize"), _PAGE_SIZE)
    records, token = await list_page(call.service.store, Template, call.account, page)
    return {
        "TemplatesMetadata": [
            {"TemplateName": record.name, "CreatedTimestamp": record.created_at} for record in records
        ],
        "NextToken": token,
    }


async def test_render_email_template(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Raises: SesError."""
    return {"RenderedTemplate": await test_render(call, request["TemplateName"], request["TemplateData"])}


OPERATIONS: dict[str, Operation] = {
    "CreateEmailTemplate": create_email_template,
    "UpdateEmailTemplate": update_email_template,
    "GetEmailTemplate": get_email_template,
    "DeleteEmailTemplate": delete_email_template,
    "ListEmailTemplates": list_email_templates,
    "TestRenderEmailTemplate": test_render_email_template,
}

PARTIAL = {"CreateEmailTemplate": "Tags are not kept."}
