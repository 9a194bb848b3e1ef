"""Email templates, as v1 and v2 share them: checking, storing and test rendering."""

import re
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NoReturn

from waybill.accept.aside import aside
from waybill.api.call import Call
from waybill.api.ses_error import SesError
from waybill.mail.header import encode_words, format_date
from waybill.mail.template import TemplateError, parse, parse_data, render
from waybill.model.cause import Cause
from waybill.model.clock import Instant
from waybill.model.resource import Template
from waybill.store.protocol import AlreadyExists, NotFound

MAX_TEMPLATE_OCTETS = 500 * 1024
MAX_TEMPLATES = 10_000
MAX_NAME = 64
_LINE_END = re.compile(r"\r\n|\r|\n")
_BOUNDARY = "===============waybill-test-rendering=="


@dataclass(frozen=True, kw_only=True, slots=True)
class Draft:
    """A template as a client gives it."""

    name: str
    subject: str | None
    text: str | None
    html: str | None


async def create_template(call: Call, draft: Draft) -> None:
    """Stores a new template. Raises: SesError if it exists, is faulty, or the account has as many as allowed."""
    subject = await _checked(draft)
    await _check_room(call)
    now = call.service.clock()
    record = Template(
        account=call.account,
        name=draft.name,
        subject=subject,
        text=draft.text,
        html=draft.html,
        created_at=now,
        updated_at=now,
    )
    try:
        await call.service.store.create(record)
    except AlreadyExists:
        raise SesError(
            f"Template {draft.name} already exists.", v2="AlreadyExistsException", v1="AlreadyExists"
        ) from None


async def update_template(call: Call, draft: Draft) -> None:
    """Replaces a template's parts; its version grows. Raises: SesError if it is missing or faulty."""
    subject = await _checked(draft)
    now = call.service.clock()

    def change(old: Template) -> Template:
        return replace(old, subject=subject, text=draft.text, html=draft.html, updated_at=now, version=old.version + 1)

    try:
        await call.service.store.update(Template, call.account, draft.name, change)
    except NotFound:
        raise _missing(draft.name) from None


async def find_template(call: Call, name: str) -> Template:
    """The account's template. Raises: SesError if there is none of this name."""
    record = await call.service.store.get(Template, call.account, name)
    if record is None:
        raise _missing(name)
    return record


async def test_render(call: Call, name: str, data: str) -> str:
    """The template rendered with this data, as a MIME message of Date, Subject and bodies.

    Raises:
        SesError: no such template; the data is no JSON object; a variable is missing.
    """
    record = await find_template(call, name)
    try:
        values = parse_data(data)
    except TemplateError as error:
        raise SesError(
            error.error,
            v2="BadRequestException",
            v1="InvalidRenderingParameter",
        ) from None
    parts = (record.subject, record.text, record.html)
    at = call.service.clock()

    def shown() -> str:
        subject, text, html = (_rendered(part, values) for part in parts)
        return _mime(subject or "", text, html, at)

    return await aside(len(data) + sum(len(part or "") for part in parts), shown)


def _rendered(source: str | None, values: dict[str, Any]) -> str | None:
    if source is None:
        return None
    try:
        return render(parse(source), values)
    except TemplateError as error:
        missing = error.cause is Cause.TEMPLATE_VARIABLE_MISSING
        raise SesError(
            error.error,
            v2="BadRequestException",
            v1="MissingRenderingAttribute" if missing else "InvalidRenderingParameter",
        ) from None


def _mime(subject: str, text: str | None, html: str | None, at: Instant) -> str:
    """A message as SES's test rendering shows it: multipart/alternative even for one body, 8bit, CRLF line ends."""
    lines = [
        f"Date: {format_date(at)}",
        f"Subject: {encode_words(_one_line(subject), offset=len('Subject: '))}",
        "MIME-Version: 1.0",
        f'Content-Type: multipart/alternative; boundary="{_BOUNDARY}"',
        "",
    ]
    for subtype, body in (("plain", text), ("html", html)):
        if body is not None:
            encoding = "7bit" if body.isascii() else "8bit"
            lines += [
                f"--{_BOUNDARY}",
                f"Content-Type: text/{subtype}; charset=UTF-8",
                f"Content-Transfer-Encoding: {encoding}",
                "",
                *_LINE_END.split(body),
                "",
            ]
    return "\r\n".join([*lines, f"--{_BOUNDARY}--", ""])


def _one_line(subject: str) -> str:
    return " ".join(subject.split())


async def _checked(draft: Draft) -> str:
    weight = sum(len(part or "") for part in (draft.subject, draft.text, draft.html))
    return await aside(weight, partial(_check, draft))


def _check(draft: Draft) -> str:
    """The draft's subject. Raises: SesError for what makes the draft no template."""
    if not 1 <= len(draft.name) <= MAX_NAME or not draft.name.isprintable() or "/" in draft.name:
        _refuse(f"TemplateName must have 1 to {MAX_NAME} printable characters and no '/'.")
    if not draft.subject:
        _refuse("The subject must be specified.")
    parts = {"Subject": draft.subject, "Text": draft.text, "Html": draft.html}
    size = sum(len(source.encode("utf-8", "surrogatepass")) for source in parts.values() if source)
    if size > MAX_TEMPLATE_OCTETS:
        _refuse(f"The template has {size} bytes; allowed are {MAX_TEMPLATE_OCTETS}.")
    for part, source in parts.items():
        _check_syntax(part, source or "")
    return draft.subject


def _check_syntax(part: str, source: str) -> None:
    try:
        parse(source)
    except TemplateError as error:
        _refuse(f"{part}, line {error.line}, column {error.column}: {error.error}")


def _refuse(text: str) -> NoReturn:
    raise SesError(text, v2="BadRequestException", v1="InvalidTemplate")


def _missing(name: str) -> SesError:
    return SesError(f"Template {name} does not exist.", v2="NotFoundException", v1="TemplateDoesNotExist")


async def _check_room(call: Call) -> None:
    """Counts page by page, so that an account of large templates does not fill the memory."""
    count, after = 0, ""
    while page := await call.service.store.scan(Template, call.account, after=after, limit=500):
        count, after = count + len(page), page[-1].name
        if count >= MAX_TEMPLATES:
            raise SesError(
                f"The account has {count} templates; {MAX_TEMPLATES} are allowed.",
                v2="LimitExceededException",
                v1="LimitExceeded",
            )
