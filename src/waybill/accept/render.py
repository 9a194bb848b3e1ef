"""Rendering a template: failures are facts about the message, not errors of the request."""

from functools import partial

from waybill.accept.aside import LIGHT, aside
from waybill.accept.request import Attachment, TemplateContent
from waybill.mail import template as language
from waybill.mail.header import HeaderError, refuse_controls
from waybill.mail.template import TemplateError
from waybill.model.cause import Cause
from waybill.model.event import RenderingFailed
from waybill.model.record import record
from waybill.model.refusal import Rejected
from waybill.model.resource import Template
from waybill.store.protocol import Store


@record(frozen=True, kw_only=True, slots=True)
class Rendered:
    """Subject and bodies, or why there are none."""

    subject: str = ""
    text: str | None = None
    html: str | None = None
    attachments: tuple[Attachment, ...] = ()
    subject_charset: str = "UTF-8"
    text_charset: str = "UTF-8"
    html_charset: str = "UTF-8"
    template: str | None = None
    template_version: int | None = None
    failed: RenderingFailed | None = None


async def render_content(content: TemplateContent, store: Store, account: str) -> Rendered:
    """The rendered parts, or the failure to render them.

    Raises:
        Rejected: the template does not exist, or an inline one uses more than substitutions.
    """
    if content.name is not None:
        stored = await store.get(Template, account, content.name)
        if stored is None:
            raise Rejected(
                f"Template {content.name} does not exist.",
                code="NotFoundException",
                code_v1="TemplateDoesNotExist",
                cause=Cause.TEMPLATE_SYNTAX_ERROR,
                detail={"template": content.name},
            )
        return await _render_aside(content, stored.subject, stored.text, stored.html, version=stored.version)
    for source in (content.subject or "", content.text or "", content.html or ""):
        if await aside(len(source), partial(_has_blocks, source)):
            raise Rejected(
                "Template contains unsupported operations.",
                code="BadRequestException",
                cause=Cause.TEMPLATE_SYNTAX_ERROR,
            )
    return await _render_aside(content, content.subject or "", content.text, content.html, version=None)


async def _render_aside(
    content: TemplateContent, subject: str, text: str | None, html: str | None, *, version: int | None
) -> Rendered:
    parts = (subject, text or "", html or "")
    weight = sum(map(len, (*parts, content.data or "", content.defaults or "")))
    if sum(part.count("#each") for part in parts) > 1:
        weight += LIGHT  # one in another: little data can go a long way
    return await aside(weight, partial(_render, content, subject, text, html, version=version))


def _has_blocks(source: str) -> bool:
    try:
        return language.has_blocks(language.parse(source))
    except TemplateError:
        return False  # rendering will say what is wrong with it


def _render(
    content: TemplateContent, subject: str, text: str | None, html: str | None, *, version: int | None
) -> Rendered:
    def failure(error: TemplateError, part: str | None) -> Rendered:
        return Rendered(
            template=content.name,
            template_version=version,
            failed=RenderingFailed(
                cause=error.cause,
                error=error.error,
                template=content.name,
                template_version=version,
                part=part,
                line=error.line,
                column=error.column,
                tag=error.tag,
                variable=error.variable,
                available=tuple(error.available),
                closest=error.closest,
            ),
        )

    try:
        data = language.parse_data(content.data or "{}")
        if content.defaults is not None:
            data = language.merge_data(language.parse_data(content.defaults or "{}"), data)
    except TemplateError as error:
        return failure(error, None)
    rendered: dict[str, str] = {}
    for part, source in (("subject", subject), ("text", text), ("html", html)):
        if source is None:
            continue
        try:
            rendered[part] = language.render(language.parse(source), data)
        except TemplateError as error:
            return failure(error, part)
    subject_line = rendered.get("subject", "").strip("\r\n")
    try:
        refuse_controls("Subject", subject_line)
    except HeaderError as error:  # the data put a line break into it
        return Rendered(
            template=content.name,
            template_version=version,
            failed=RenderingFailed(
                cause=Cause.TEMPLATE_DATA_INVALID,
                error=str(error),
                template=content.name,
                template_version=version,
                part="subject",
            ),
        )
    return Rendered(
        subject=subject_line,
        text=rendered.get("text"),
        html=rendered.get("html"),
        attachments=content.attachments,
        template=content.name,
        template_version=version,
    )
