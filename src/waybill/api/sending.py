"""What the sending operations of v1 and v2 share: the client, content, tags, and sending one message per bulk destination."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from waybill.accept.request import Attachment, Client, SendRequest, SimpleContent
from waybill.api.call import Call
from waybill.api.ses_error import invalid
from waybill.model.cause import Cause
from waybill.model.message import Source
from waybill.model.record import record
from waybill.model.refusal import Rejected
from waybill.store.protocol import StoreUnavailable

log = logging.getLogger(__name__)

MAX_BULK_DESTINATIONS = 50

Tags = tuple[tuple[str, str], ...]


@record(frozen=True, kw_only=True, slots=True)
class BulkResult:
    """What became of one destination. ``status`` is spelled as v2's BulkEmailStatus spells it."""

    status: str
    message_id: str | None = None
    error: str | None = None


def client_of(call: Call, *, version: int) -> Client:
    """Who asks through this version of the SES API, for ``accept``."""
    return Client(
        account=call.account,
        access_key_id=call.access_key_id,
        source=Source.API,
        operation=call.operation,
        request_id=call.request_id,
        received_at=call.received_at,
        ip=call.ip,
        tls=call.tls,
        user_agent=call.user_agent,
        started_at=call.started_at,
        api_version=version,
    )


def simple_content(message: dict[str, Any], attachments: tuple[Attachment, ...] = ()) -> SimpleContent:
    """SES's Message, which both versions write alike."""
    subject, text, html = message["Subject"], message["Body"].get("Text"), message["Body"].get("Html")
    return SimpleContent(
        subject=subject["Data"],
        text=text["Data"] if text else None,
        html=html["Data"] if html else None,
        attachments=attachments,
        subject_charset=_charset(subject),
        text_charset=_charset(text),
        html_charset=_charset(html),
    )


def _charset(part: dict[str, Any] | None) -> str:
    return (part or {}).get("Charset") or "UTF-8"


@record(frozen=True, kw_only=True, slots=True)
class Recipients:
    """SES's Destination."""

    to: tuple[str, ...]
    cc: tuple[str, ...]
    bcc: tuple[str, ...]


def recipients(destination: dict[str, Any] | None) -> Recipients:
    """The addresses of SES's Destination."""
    given = destination or {}
    return Recipients(
        to=tuple(given.get("ToAddresses") or ()),
        cc=tuple(given.get("CcAddresses") or ()),
        bcc=tuple(given.get("BccAddresses") or ()),
    )


def message_tags(given: list[dict[str, Any]] | None) -> Tags | None:
    """SES's MessageTag list; None where the request has none, so that the headers are looked at."""
    if not given:
        return None
    return tuple((tag["Name"], tag["Value"]) for tag in given)


def merged_tags(defaults: list[dict[str, Any]] | None, replacement: list[dict[str, Any]] | None) -> Tags | None:
    """A bulk destination's tags: its own, and those defaults whose names it does not replace."""
    own = message_tags(replacement) or ()
    names = {name for name, _ in own}
    kept = tuple(tag for tag in message_tags(defaults) or () if tag[0] not in names)
    return kept + own or None


def check_destinations(count: int, parameter: str) -> None:
    """Raises: SesError, unless there are 1 to 50 destinations (SES's limit for one bulk call)."""
    if not 1 <= count <= MAX_BULK_DESTINATIONS:
        raise invalid(f"{parameter} has {count} entries; allowed are 1 to {MAX_BULK_DESTINATIONS}.")


async def send_each(call: Call, requests: Sequence[SendRequest]) -> list[BulkResult]:
    """Accepts the requests at the same time, so that they share a commit; each has its own result.

    No failure of one may hide the ids of the others: a client that got an error would send them all again.
    """
    answers = await asyncio.gather(
        *(call.service.accept.accept(replace(request, entry=entry)) for entry, request in enumerate(requests, 1)),
        return_exceptions=True,
    )
    return [_result(answer, call) for answer in answers]


def _result(answer: str | BaseException, call: Call) -> BulkResult:
    match answer:
        case str():
            return BulkResult(status="SUCCESS", message_id=answer)
        case Rejected():
            return BulkResult(status=_status(answer), error=answer.text)
        case StoreUnavailable():
            return BulkResult(status="TRANSIENT_FAILURE", error="The service could not store the message. Try again.")
        case Exception():
            log.error("bulk_destination_failed request_id=%s", call.request_id, exc_info=answer)
            return BulkResult(status="FAILED", error=f"Internal failure; request id {call.request_id}.")
        case _:
            raise answer


_STATUS_BY_CODE_V1 = {
    "ConfigurationSetDoesNotExist": "CONFIGURATION_SET_NOT_FOUND",
    "TemplateDoesNotExist": "TEMPLATE_NOT_FOUND",
    "ConfigurationSetSendingPausedException": "CONFIGURATION_SET_SENDING_PAUSED",
    "AccountSendingPausedException": "ACCOUNT_SENDING_PAUSED",
}
_STATUS_BY_CAUSE = {
    Cause.QUOTA_EXCEEDED: "ACCOUNT_DAILY_QUOTA_EXCEEDED",
    Cause.SENDING_RATE_EXCEEDED: "ACCOUNT_THROTTLED",
    Cause.SENDING_PAUSED: "ACCOUNT_SENDING_PAUSED",
    Cause.MAIL_FROM_NOT_VERIFIED: "MAIL_FROM_DOMAIN_NOT_VERIFIED",
}
_STATUS_BY_CODE = {
    "MessageRejected": "MESSAGE_REJECTED",
    "MailFromDomainNotVerifiedException": "MAIL_FROM_DOMAIN_NOT_VERIFIED",
    "AccountSuspendedException": "ACCOUNT_SUSPENDED",
    "SendingPausedException": "ACCOUNT_SENDING_PAUSED",
    "TooManyRequestsException": "ACCOUNT_THROTTLED",
    "LimitExceededException": "ACCOUNT_DAILY_QUOTA_EXCEEDED",
    "BadRequestException": "INVALID_PARAMETER",
}


def _status(refusal: Rejected) -> str:
    return (
        _STATUS_BY_CODE_V1.get(refusal.code_v1)
        or _STATUS_BY_CAUSE.get(refusal.cause)
        or _STATUS_BY_CODE.get(refusal.code)
        or "FAILED"
    )
