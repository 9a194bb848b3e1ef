"""What a door hands to ``accept``: one request to send, translated from its protocol and not yet judged."""

from dataclasses import field
from typing import Protocol, TypeAlias

from waybill.mail.entity import Attachment as Attachment
from waybill.model.clock import Instant
from waybill.model.message import Source
from waybill.model.record import record


@record(frozen=True, kw_only=True, slots=True)
class Client:
    """Who asks, from where. ``started_at`` is the client's clock at signing, or the start of the SMTP transaction.

    ``api_version`` is 1 or 2 of the SES API, which have operations of the same name; None: not through it.
    """

    account: str
    access_key_id: str
    source: Source
    operation: str
    request_id: str
    received_at: Instant
    ip: str | None = None
    tls: str | None = None
    user_agent: str | None = None
    started_at: Instant | None = None
    api_version: int | None = None


@record(frozen=True, kw_only=True, slots=True)
class SimpleContent:
    """Subject and bodies as given."""

    subject: str
    text: str | None
    html: str | None
    attachments: tuple[Attachment, ...] = ()
    subject_charset: str = "UTF-8"
    text_charset: str = "UTF-8"
    html_charset: str = "UTF-8"


@record(frozen=True, kw_only=True, slots=True)
class RawContent:
    """A whole message in RFC 5322 form."""

    data: bytes


@record(frozen=True, kw_only=True, slots=True)
class TemplateContent:
    """A stored template (``name``) or an inline one, with its data as JSON text.

    ``defaults`` is SendBulkEmail's DefaultContent data, ``data`` the destination's replacement; both are JSON text.
    """

    name: str | None
    data: str
    defaults: str | None = None
    subject: str | None = None
    text: str | None = None
    html: str | None = None
    attachments: tuple[Attachment, ...] = ()


Content: TypeAlias = SimpleContent | RawContent | TemplateContent


@record(frozen=True, kw_only=True, slots=True)
class SendRequest:
    """One message to be sent. Addresses are as the client wrote them, display names included.

    ``envelope`` is set by SMTP (RCPT TO); the API gives ``to``, ``cc`` and ``bcc``. ``configuration_set`` None: look
    in the X-SES- headers, then at the identity's default. ``tags`` None: look in the headers. ``entry`` is the number of
    the destination in a bulk call, from 1.
    """

    client: Client
    content: Content
    sender: str | None
    to: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()
    reply_to: tuple[str, ...] = ()
    envelope: tuple[str, ...] | None = None
    return_path: str | None = None
    configuration_set: str | None = None
    tags: tuple[tuple[str, str], ...] | None = None
    headers: tuple[tuple[str, str], ...] = field(default=())
    entry: int = 1


class Accept(Protocol):
    """Takes one request to send; the id is on disk when it returns."""

    async def accept(self, request: SendRequest) -> str:
        """The message id. Raises: Rejected, StoreUnavailable."""
        ...
