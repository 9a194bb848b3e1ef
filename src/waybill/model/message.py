"""A message, its deliveries (one per recipient), and how their state is named."""

import re
from dataclasses import field
from enum import StrEnum

from waybill.model.address import domain_of
from waybill.model.cause import Cause
from waybill.model.clock import Instant
from waybill.model.random_id import new_uuid
from waybill.model.record import record

REGION_CODE = "0100"
_SES_ID = re.compile(r"[0-9a-f]{4}([0-9a-f]{12})-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}-[0-9]{6}")


class Status(StrEnum):
    """Where a delivery stands. The first two are open, the others final (a final one may still be revised by a bounce mail)."""

    QUEUED = "queued"  # accepted, not yet tried, or waiting inside Waybill
    DELAYED = "delayed"  # tried at least once, will be tried again
    DELIVERED = "delivered"  # the receiving server answered 250; not proof of the inbox
    BOUNCED = "bounced"  # refused for good, or expired
    SUPPRESSED = "suppressed"  # on a suppression list; not sent
    REJECTED = "rejected"  # Waybill found malware; not sent
    RENDERING_FAILED = "rendering_failed"  # the template could not be rendered; not sent
    COMPLAINED = "complained"  # delivered, then marked as spam by the recipient
    REFUSED = "refused"  # the request got an error and no message id


OPEN_STATUSES = frozenset({Status.QUEUED, Status.DELAYED})


class Source(StrEnum):
    """How a message came in."""

    API = "api"
    SMTP = "smtp"
    AMAZON_SES = "amazon-ses"


@record(frozen=True, kw_only=True, slots=True)
class Message:
    """A message as accepted, or a refused request (whose id is its request id).

    ``source_header`` is From as the client gave it (display form); ``sender`` the bare address that was checked
    against the identities. ``headers`` are the message's header fields in order, as SES events show them.
    ``tags`` are the client's message tags. ``client_started_at`` is the client's own clock at signing (X-Amz-Date)
    or the start of the SMTP transaction; ``received_at`` when the whole request had arrived.
    ``feedback_to`` is where legacy forwarding would go (Return-Path, ReturnPath parameter). ``operation`` names
    the SES operation (``SendEmail``). Instants are milliseconds.
    """

    id: str
    account: str
    request_id: str
    source: Source
    operation: str
    accepted_at: Instant
    sender: str
    source_header: str
    destination: tuple[str, ...]
    subject: str | None = None
    identity: str | None = None
    configuration_set: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    headers_truncated: bool = False
    tags: dict[str, str] = field(default_factory=dict)
    template: str | None = None
    template_version: int | None = None
    size: int = 0
    client_ip: str | None = None
    client_tls: str | None = None
    caller: str | None = None
    user_agent: str | None = None
    client_started_at: Instant | None = None
    received_at: Instant | None = None
    mail_from: str | None = None
    feedback_to: str | None = None
    dkim_header: bytes = b""


@record(frozen=True, kw_only=True, slots=True)
class Delivery:
    """One recipient of one message: the unit that is queued, attempted and settled."""

    id: int
    message_id: str
    account: str
    recipient: str
    status: Status
    cause: Cause | None
    underlying_cause: Cause | None
    attempts: int
    accepted_at: Instant
    next_at: Instant | None
    expires_at: Instant
    updated_at: Instant
    lease_owner: str | None = None
    lease_until: Instant | None = None

    @property
    def domain(self) -> str:
        """The recipient's domain, lower case."""
        return domain_of(self.recipient)


def new_message_id(at: Instant) -> str:
    """An id as Amazon SES makes them: region code, 48 bits of Unix milliseconds in hex, a UUID, ``-000000``."""
    return f"{REGION_CODE}{at:012x}-{new_uuid()}-000000"


def message_id_instant(message_id: str) -> Instant:
    """The accept time that a message id (or feedback id) carries.

    Raises:
        ValueError: the id is not of SES's form.
    """
    match = _SES_ID.fullmatch(message_id)
    if match is None:
        msg = f"{message_id!r} is not a message id of the form 0100<12 hex>-<uuid>-000000"
        raise ValueError(msg)
    return int(match[1], 16)
