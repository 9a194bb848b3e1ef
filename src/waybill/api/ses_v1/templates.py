"""Email templates in SES v1."""

from typing import Any

from waybill.api.call import Call, Operation
from waybill.api.paging import Range, list_page, open_page
from waybill.api.template import Draft, find_template, test_render
from waybill.api.template import create_template as store_new_template
from waybill.api.template import update_template as store_changed_template
from waybill.model.resource import Template

_MAX_ITEMS = Range(parameter="MaxItems", default=10, maximum=100)


def _draft(request: dict[str, Any]) -> Draft:
    template = request["Template"]
    return Draft(
        name=template["TemplateName"],
        subject=template.get("SubjectPart"),
        text=template.get("TextPart"),
        html=template.get("HtmlPart"),
    )


async def create_template(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Raises: SesError."""
    await store_new_template(call, _draft(request))
    return {}


async def update_template(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Raises: SesError."""
    await store_changed_template(call, _draft(request))
    return {}


async def get_template(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Raises: SesError."""
    record = await find_template(call, request["TemplateName"])
    return {
        "Template": {
            "TemplateName": record.name,
            "SubjectPart": record.subject,
            "TextPart": record.text,
            "HtmlPart": record.html,
        }
    }


async def delete_template(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Deletes the template; one that is not there is no error in v1."""
    await call.service.store.delete(Template, call.account, request["TemplateName"])
    return {}


async def list_templates(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Raises: SesError."""
    page = open_page(request.get("NextToken"), request.get("MaxItems"), _MAX_ITEMS)
    records, token = await list_page(call.service.store, Template, call.account, page)
    return {
        "TemplatesMetadata": [{"Name": record.name, "CreatedTimestamp": record.created_at} for record in records],
        "NextToken": token,
    }


async def test_render_template(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Raises: SesError."""
    return {"RenderedTemplate": await test_render(call, request["TemplateName"], request["TemplateData"])}


OPERATIONS: dict[str, Operation] = {
    "CreateTemplate": create_template,
    "UpdateTemplate": update_template,
    "GetTemplate": get_template,
    "DeleteTemplate": delete_template,
    "ListTemplates": list_templates,
    "TestRenderTemplate": test_render_template,
}

PARTIAL: dict[str, str] = {}
