"""A call of an AWS operation: who calls, and what an operation needs to answer."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from waybill.accept.request import Accept
from waybill.model.clock import Clock, Instant
from waybill.model.record import record
from waybill.store.protocol import Store


@record(frozen=True, kw_only=True, slots=True)
class Service:
    """What every call of this process shares.

    ``every_sender`` is true where identities need no verification. ``default_max_send_rate`` and
    ``default_max_24_hour_send`` are the settings' limits (0: none) for accounts without their own.
    ``verify_identity`` looks at the DNS now and stores what it found, for calls that report verification.
    They wait for it ``longest_look_s`` seconds; what was not found by then, a later look finds.
    """

    store: Store
    accept: Accept
    clock: Clock
    region: str
    every_sender: bool
    default_max_send_rate: float
    default_max_24_hour_send: int
    verify_identity: Callable[[str, str], Awaitable[None]]
    longest_look_s: float = 3.0


@record(frozen=True, kw_only=True, slots=True)
class Call:
    """One authenticated call. Instants are milliseconds; ``started_at`` is the client's X-Amz-Date."""

    service: Service
    operation: str
    account: str
    access_key_id: str
    request_id: str
    received_at: Instant
    started_at: Instant | None = None
    ip: str | None = None
    tls: str | None = None
    user_agent: str | None = None


Operation: TypeAlias = Callable[[Call, dict[str, Any]], Awaitable[dict[str, Any]]]
"""Parameters as the service model names them (blobs as bytes, timestamps as Instant) in; the response's members out, same forms."""


class ApiError(Exception):
    """An error of the service model: ``code`` is the shape's name (v2) or error code (v1, SNS)."""

    def __init__(self, code: str, text: str, *, status: int | None = None) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.status = status
