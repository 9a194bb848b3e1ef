"""From a request that was judged to all that accepting it writes: pure."""

from collections.abc import Mapping, Sequence

from waybill.accept.content import Draft
from waybill.accept.limits import limits_of
from waybill.accept.policy import AcceptPolicy
from waybill.accept.request import SendRequest
from waybill.mail.header import decode_words
from waybill.model.cause import Cause
from waybill.model.clock import SECOND, Instant
from waybill.model.event import Accepted, EventKind, NewEvent, Suppressed
from waybill.model.message import Message, Status
from waybill.model.record import record
from waybill.model.resource import Account, ConfigurationSet, Identity, Verification
from waybill.model.simulator import is_simulated
from waybill.store.protocol import Acceptance, NewDelivery

HEADERS_KEPT = 10_240
"""SES keeps up to 10 KB of header fields in its events and sets ``headersTruncated`` beyond."""


@record(frozen=True, kw_only=True, slots=True)
class Judged:
    """A request that may be sent, with all that was looked up for it. ``stopped`` are suppressed recipients."""

    at: Instant
    account: Account
    configuration_set: ConfigurationSet | None
    identity: Identity | None
    sender: str
    recipients: tuple[str, ...]
    tags: dict[str, str]
    draft: Draft
    stopped: Mapping[str, Suppressed]


def acceptance_of(request: SendRequest, judged: Judged, policy: AcceptPolicy, *, message_id: str) -> Acceptance:
    """What accepting the request writes: the message, a delivery for each recipient, and the events, not yet leased.

    Where rendering failed or malware was found all deliveries are final; of suppressed recipients those alone.
    """
    at, draft = judged.at, judged.draft
    expires_at = at + _lifetime(judged.configuration_set, policy.max_lifetime)
    events = [NewEvent(kind=EventKind.ACCEPTED, at=at, fact=Accepted())]
    status, cause = Status.QUEUED, None
    stopped: Mapping[str, Suppressed] = {}
    if draft.failed is not None:
        status, cause = Status.RENDERING_FAILED, draft.failed.cause
        events.append(NewEvent(kind=EventKind.RENDERING_FAILED, at=at, fact=draft.failed))
    elif draft.malware is not None:
        status, cause = Status.REJECTED, Cause.VIRUS_DETECTED
        events.append(NewEvent(kind=EventKind.REJECTED, at=at, fact=draft.malware))
    else:
        stopped = judged.stopped
    deliveries = []
    for recipient in judged.recipients:
        suppressed = stopped.get(recipient)
        if suppressed is not None:
            events.append(NewEvent(kind=EventKind.SUPPRESSED, at=at, recipient=recipient, fact=suppressed))
            deliveries.append(_suppressed(recipient, suppressed, expires_at))
        else:
            deliveries.append(
                NewDelivery(
                    recipient=recipient,
                    status=status,
                    cause=cause,
                    expires_at=expires_at,
                    next_at=at if status is Status.QUEUED else None,
                )
            )
    to_send = any(delivery.status is Status.QUEUED for delivery in deliveries)
    return Acceptance(
        message=_message(request, judged, message_id),
        content=draft.content if to_send else None,
        deliveries=tuple(deliveries),
        events=tuple(events),
        limits=limits_of(judged.account, policy),
        counts_against_quota=not all(is_simulated(recipient) for recipient in judged.recipients),
    )


def _lifetime(configuration_set: ConfigurationSet | None, longest: int) -> int:
    """The configuration set's MaxDeliverySeconds can only shorten what the installation allows."""
    own = configuration_set.max_delivery_seconds if configuration_set else None
    return min(longest, own * SECOND) if own else longest


def _suppressed(recipient: str, suppressed: Suppressed, expires_at: Instant) -> NewDelivery:
    return NewDelivery(
        recipient=recipient,
        status=Status.SUPPRESSED,
        cause=suppressed.cause,
        expires_at=expires_at,
    )


def _message(request: SendRequest, judged: Judged, message_id: str) -> Message:
    client, draft, identity = request.client, judged.draft, judged.identity
    headers, truncated = kept_headers(draft.headers)
    mail_from = identity is not None and identity.mail_from_verification is Verification.SUCCESS
    return Message(
        id=message_id,
        account=client.account,
        request_id=client.request_id,
        source=client.source,
        operation=client.operation,
        accepted_at=judged.at,
        sender=judged.sender,
        source_header=decode_words(draft.from_header),
        destination=judged.recipients,
        subject=draft.subject,
        identity=identity.name if identity else None,
        configuration_set=judged.configuration_set.name if judged.configuration_set else None,
        headers=headers,
        headers_truncated=truncated,
        tags=judged.tags,
        template=draft.template,
        template_version=draft.template_version,
        size=len(draft.content) if draft.content else 0,
        client_ip=client.ip,
        client_tls=client.tls,
        caller=client.access_key_id,
        user_agent=client.user_agent,
        client_started_at=client.started_at,
        received_at=client.received_at,
        mail_from=identity.mail_from_domain if identity and mail_from else None,
        feedback_to=request.return_path or draft.return_path,
    )


def kept_headers(headers: Sequence[tuple[str, str]]) -> tuple[tuple[tuple[str, str], ...], bool]:
    """The header fields that the ledger keeps, and whether some were left out."""
    size = 0
    for count, (name, value) in enumerate(headers):
        size += len(name) + len(value) + 4
        if size >= HEADERS_KEPT:
            return tuple(headers[:count]), True
    return tuple(headers), False
