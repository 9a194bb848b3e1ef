"""The account's sending rate and 24-hour quota, in SES's words."""

from typing import Protocol

from waybill.model.cause import Cause
from waybill.model.clock import rfc3339
from waybill.model.refusal import Rejected
from waybill.model.resource import Account
from waybill.store.protocol import LimitKind, LimitReached, Limits


class DefaultLimits(Protocol):
    """The installation's limits, for accounts that have none of their own; 0: none."""

    @property
    def default_max_send_rate(self) -> float:
        """Recipients a second."""
        ...

    @property
    def default_max_24_hour_send(self) -> int:
        """Recipients in 24 hours."""
        ...


def limits_of(account: Account, defaults: DefaultLimits) -> Limits:
    """The account's own limits, else the installation's."""
    rate, quota = account.max_send_rate, account.max_24_hour_send
    return Limits(
        per_second=defaults.default_max_send_rate if rate is None else rate,
        per_24_hours=defaults.default_max_24_hour_send if quota is None else quota,
    )


def over_limit(reached: LimitReached) -> Rejected:
    """The refusal for a limit that was reached."""
    rate = reached.kind is LimitKind.RATE
    text = "Maximum sending rate exceeded." if rate else "Daily message quota exceeded."
    return Rejected(
        text,
        code="TooManyRequestsException" if rate else "LimitExceededException",
        code_v1="Throttling",
        cause=Cause.SENDING_RATE_EXCEEDED if rate else Cause.QUOTA_EXCEEDED,
        smtp=f"454 Throttling failure: {text.removesuffix('.')}",
        detail={"limit": f"{reached.limit:g}", "sent": str(reached.sent), "free_at": rfc3339(reached.free_at)},
    )
