"""What a message says: simple, raw and template content become the bytes to deliver."""

from collections.abc import Sequence

from waybill.accept.aside import aside
from waybill.accept.render import Rendered, render_content
from waybill.accept.request import RawContent, SendRequest, SimpleContent, TemplateContent
from waybill.accept.tags import parse_tag_header
from waybill.mail.compose import Composition, compose
from waybill.mail.file_types import find_refused
from waybill.mail.header import HeaderError, find_body, scan
from waybill.mail.malware import find_malware
from waybill.mail.raw import RawEdit, RawError, check_header_size, prepare_raw
from waybill.model.cause import Cause
from waybill.model.clock import Instant
from waybill.model.event import MalwareFound, RenderingFailed
from waybill.model.record import record
from waybill.model.refusal import Rejected
from waybill.store.protocol import Store

LARGEST_V1 = 10 * 1024 * 1024
LARGEST = 40 * 1024 * 1024
"""Octets of a whole message that SES v1, and v2 and SMTP, take."""


@record(frozen=True, kw_only=True, slots=True)
class Draft:
    """Content ready to store (None where rendering failed), and what was read from it on the way.

    ``from_header`` and ``sender_header`` are as written, encoded words and all: decoded, a display name could pass for
    an address. ``control`` are the X-SES- header fields by lower-case name; ``header_recipients`` the To, Cc and Bcc
    values of a raw message.
    """

    content: bytes | None
    from_header: str
    subject: str | None
    headers: tuple[tuple[str, str], ...]
    control: dict[str, str]
    tags: tuple[tuple[str, str], ...] = ()
    header_recipients: tuple[tuple[str, str], ...] = ()
    sender_header: str | None = None
    return_path: str | None = None
    template: str | None = None
    template_version: int | None = None
    failed: RenderingFailed | None = None
    malware: MalwareFound | None = None


def _malformed(text: str) -> Rejected:
    return Rejected(
        text,
        code="BadRequestException",
        code_v1="InvalidParameterValue",
        cause=Cause.CONTENT_MALFORMED,
        smtp=f"554 Transaction failed: {text}",
    )


async def draft_content(request: SendRequest, store: Store, *, message_id: str, at: Instant, id_domain: str) -> Draft:
    """The draft of a request. Raises: Rejected for content that SES refuses at once."""
    full_id = f"{message_id}@{id_domain}"
    if isinstance(request.content, RawContent):
        data = request.content.data
        draft = await aside(len(data), lambda: _draft_raw(request, data, full_id, at))
    else:
        if not request.sender:
            raise _malformed("Missing required parameter 'FromEmailAddress'.")
        if isinstance(request.content, TemplateContent):
            rendered = await render_content(request.content, store, request.client.account)
        else:
            rendered = _as_given(request.content)
        sender, weight = request.sender, _weight(request, rendered)
        _check_size(request, weight)  # what is too large already is not composed
        draft = await aside(weight, lambda: _draft_composed(request, sender, rendered, full_id, at))
    if draft.content is not None:
        _check_size(request, len(draft.content))
    return draft


def _check_size(request: SendRequest, size: int) -> None:
    largest = LARGEST_V1 if request.client.api_version == 1 else LARGEST
    if size > largest:
        raise Rejected(
            f"Message length is more than {largest} bytes long: '{size}'.",
            code="BadRequestException",
            code_v1="InvalidParameterValue",
            cause=Cause.MESSAGE_TOO_LARGE,
            smtp="552 Message is too long.",
        )


def _weight(request: SendRequest, rendered: Rendered) -> int:
    texts = (request.sender or "", rendered.subject, rendered.text or "", rendered.html or "")
    attached = sum(len(attachment.content) for attachment in rendered.attachments)
    addresses = sum(map(len, (*request.to, *request.cc, *request.reply_to)))
    return sum(map(len, texts)) + attached + addresses + sum(len(name) + len(value) for name, value in request.headers)


def _as_given(content: SimpleContent) -> Rendered:
    if content.text is None and content.html is None:
        raise _malformed("Either Text or Html must be specified in Body.")
    return Rendered(
        subject=content.subject,
        text=content.text,
        html=content.html,
        attachments=content.attachments,
        subject_charset=content.subject_charset,
        text_charset=content.text_charset,
        html_charset=content.html_charset,
    )


def _draft_composed(request: SendRequest, sender: str, rendered: Rendered, full_id: str, at: Instant) -> Draft:
    if rendered.failed is not None:
        shown = (("From", sender), ("To", ", ".join(request.to)), ("MIME-Version", "1.0"))
        return Draft(
            content=None,
            from_header=sender,
            subject=None,
            headers=tuple((name, value) for name, value in shown if value),
            control={},
            template=rendered.template,
            template_version=rendered.template_version,
            failed=rendered.failed,
        )
    try:
        content = compose(
            Composition(
                from_header=sender,
                to=request.to,
                cc=request.cc,
                reply_to=request.reply_to,
                subject=rendered.subject,
                subject_charset=rendered.subject_charset,
                text=rendered.text,
                html=rendered.html,
                text_charset=rendered.text_charset,
                html_charset=rendered.html_charset,
                attachments=rendered.attachments,
                headers=request.headers,
                message_id=full_id,
                date=at,
                boundary_seed=full_id,
            )
        )
        check_header_size(find_body(content)[0])
    except (HeaderError, RawError) as error:
        raise _malformed(str(error)) from None
    headers = tuple((field.name, field.value) for field in scan(content)[0])
    malware = _malware(content)
    if malware is None:
        _refuse_file_types(content, headers)
    return Draft(
        content=content,
        from_header=sender,
        subject=rendered.subject,
        headers=headers,
        control={},
        sender_header=", ".join(value for name, value in request.headers if name.lower() == "sender") or None,
        template=rendered.template,
        template_version=rendered.template_version,
        malware=malware,
    )


def _draft_raw(request: SendRequest, data: bytes, full_id: str, at: Instant) -> Draft:
    # FromEmailAddress of v2 stands for the From field; Source of v1 and MAIL FROM of SMTP neither replace nor make one.
    stands_for_from = request.client.api_version == 2
    edit = RawEdit(
        message_id=full_id,
        date=at,
        from_header=request.sender or None if stands_for_from else None,
        replace_from=stands_for_from,
        reply_to=request.reply_to,
    )
    try:
        prepared = prepare_raw(data, edit)
    except (RawError, HeaderError) as error:
        raise _malformed(str(error)) from None
    malware = _malware(prepared.content)
    if malware is None:
        _refuse_file_types(prepared.content, prepared.fields)
    named = (("To", prepared.to), ("Cc", prepared.cc), ("Bcc", prepared.bcc))
    return Draft(
        content=prepared.content,
        from_header=prepared.from_header,
        sender_header=prepared.sender_header,
        subject=prepared.subject,
        headers=prepared.fields,
        control=prepared.control,
        tags=parse_tag_header(prepared.control.get("x-ses-message-tags", "")) if request.tags is None else (),
        header_recipients=tuple((name, value) for name, value in named if value),
        return_path=prepared.return_path,
        malware=malware,
    )


def _refuse_file_types(content: bytes, fields: Sequence[tuple[str, str]]) -> None:
    """Malware is looked for first: an ``eicar.com`` shows what it is there to show."""
    name = find_refused(content, fields)
    if name is not None:
        raise _malformed(f"Illegal filename '{name}'.")


def _malware(content: bytes) -> MalwareFound | None:
    found = find_malware(content)
    if found is None:
        return None
    return MalwareFound(reason="Bad content", signature=found.signature, where=found.where)
