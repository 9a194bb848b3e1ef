"""From a refused request to what the ledger keeps of it: pure, and as much as was understood of the request."""

from collections.abc import Iterable, Iterator
from itertools import islice

from waybill.accept.content import Draft
from waybill.accept.request import SendRequest
from waybill.mail.address import AddressError, parse_mailbox, parse_mailbox_list
from waybill.mail.header import decode_words
from waybill.model.clock import Instant
from waybill.model.event import EventKind, NewEvent, Refused
from waybill.model.message import Message, Source, Status
from waybill.model.refusal import Rejected
from waybill.store.protocol import Acceptance, NewDelivery

RECIPIENTS_KEPT = 100
"""A refused request may name any number of recipients; the ledger keeps the first."""

TEXT_KEPT = 2_000


def refusal_id(request: SendRequest, number: int) -> str:
    """The ledger's key of a refusal: the request id, and ``-2``, ``-3``, … where one request had several refused."""
    return request.client.request_id if number == 1 else f"{request.client.request_id}-{number}"


def refusal_of(request: SendRequest, refusal: Rejected, draft: Draft | None, *, key: str, at: Instant) -> Acceptance:
    """What refusing the request writes. ``draft`` is its content, where that was understood."""
    client = request.client
    asked = _recipients(request, draft)
    header = draft.from_header if draft else request.sender or ""
    on_smtp = client.source is Source.SMTP
    return Acceptance(
        message=Message(
            id=key,
            account=client.account,
            request_id=client.request_id,
            source=client.source,
            operation=client.operation,
            accepted_at=at,
            sender=next(_addresses([header]), "")[:TEXT_KEPT],
            source_header=_in_utf8(decode_words(header[: 4 * TEXT_KEPT])[:TEXT_KEPT]),
            destination=asked,
            subject=_in_utf8(draft.subject) if draft and draft.subject else None,
            configuration_set=request.configuration_set,
            client_ip=client.ip,
            client_tls=client.tls,
            caller=client.access_key_id,
            user_agent=client.user_agent,
            client_started_at=client.started_at,
            received_at=client.received_at,
        ),
        content=None,
        deliveries=tuple(
            NewDelivery(recipient=recipient, status=Status.REFUSED, cause=refusal.cause, expires_at=at)
            for recipient in asked or ("",)
        ),
        events=(
            NewEvent(
                kind=EventKind.REFUSED,
                at=at,
                fact=Refused(
                    cause=refusal.cause,
                    code=refusal.smtp.partition(" ")[0] if on_smtp else refusal.code,
                    text=_in_utf8(refusal.smtp if on_smtp else refusal.text),
                    detail={name: _in_utf8(value) for name, value in refusal.detail.items()}
                    if refusal.detail
                    else None,
                ),
            ),
        ),
        counts_against_quota=False,
    )


def _recipients(request: SendRequest, draft: Draft | None) -> tuple[str, ...]:
    given: tuple[str, ...] = request.envelope or (*request.to, *request.cc, *request.bcc)
    if not given and draft is not None:
        given = tuple(value for _, value in draft.header_recipients)
    return tuple(dict.fromkeys(islice(_addresses(given), 2 * RECIPIENTS_KEPT)))[:RECIPIENTS_KEPT]


def _addresses(texts: Iterable[str]) -> Iterator[str]:
    """The bare addresses in these texts; a text that names none stands for itself, so that it can be found."""
    for text in map(_in_utf8, texts):
        try:
            yield parse_mailbox(text).address
        except AddressError:
            try:
                yield from [mailbox.address for mailbox in parse_mailbox_list(text)] or [text[:TEXT_KEPT]]
            except AddressError:
                yield text[:TEXT_KEPT]


def _in_utf8(text: str) -> str:
    """The text with ``?`` for halves of surrogate pairs, which JSON can hold and UTF-8 cannot."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
