"""The account, as v1 and v2 share it: limits, and pausing by the customer."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace

from waybill.accept.limits import limits_of
from waybill.api.call import Call
from waybill.api.ses_error import SesError
from waybill.model.clock import DAY
from waybill.model.resource import INSTALLATION, Account, Pause
from waybill.standing.pausing import is_by_rule, resumed_account
from waybill.store.protocol import AlreadyExists, NotFound

UNLIMITED_24_HOURS = -1.0
"""SES's sign for an unlimited quota (GetSendQuota)."""

UNLIMITED_RATE = 1_000_000.0
"""SES has no sign for an unlimited rate, and clients that throttle themselves divide by it: a rate that none reaches."""

_BY_API = "api:"


@dataclass(frozen=True, kw_only=True, slots=True)
class Quota:
    """The account's limits as SES shows them, and the recipients of the last 24 hours."""

    max_24_hour_send: float
    max_send_rate: float
    sent_last_24_hours: float


async def account_of(call: Call) -> Account:
    """The caller's account; one that was never changed has the defaults."""
    return await call.service.store.get(Account, INSTALLATION, call.account) or _fresh(call)


async def change_account(call: Call, change: Callable[[Account], Account]) -> None:
    """Changes the account in one transaction. Raises: what ``change`` raises."""
    store = call.service.store
    try:
        await store.update(Account, INSTALLATION, call.account, change)
    except NotFound:
        # Another request may be first; the change is then made on its record.
        with contextlib.suppress(AlreadyExists):
            await store.create(_fresh(call))
        await store.update(Account, INSTALLATION, call.account, change)


async def set_sending(call: Call, *, enabled: bool) -> None:
    """Pauses the account's sending, or ends a pause that the customer or a rule made.

    Whoever ends a rule's pause answers for it: with a fresh start, and new bounces pause the account again.

    Raises:
        SesError: the pause is the operator's, which the customer cannot end.
    """
    at = call.service.clock()
    pause = Pause(by=f"{_BY_API}{call.access_key_id}", reason=f"{call.operation} was called", at=at)

    def change(old: Account) -> Account:
        if enabled and is_enforced(old) and not is_by_rule(old.paused):
            assert old.paused is not None
            raise SesError(
                f"Sending was paused by {old.paused.by} ({old.paused.reason}); only the operator can resume it.",
                v2="BadRequestException",
                v1="InvalidParameterValue",
            )
        if enabled:
            return resumed_account(old, at)
        return old if old.paused else replace(old, paused=pause)

    await change_account(call, change)


async def quota_of(call: Call, account: Account) -> Quota:
    """The account's own limits, else those of the settings."""
    service = call.service
    limits = limits_of(account, service)
    return Quota(
        max_24_hour_send=float(limits.per_24_hours) or UNLIMITED_24_HOURS,
        max_send_rate=float(limits.per_second) or UNLIMITED_RATE,
        sent_last_24_hours=float(await service.store.sent(call.account, service.clock() - DAY)),
    )


def is_enforced(account: Account) -> bool:
    """Whether sending is paused by somebody else than the customer."""
    return account.paused is not None and not account.paused.by.startswith(_BY_API)


def _fresh(call: Call) -> Account:
    return Account(account=INSTALLATION, name=call.account, created_at=call.service.clock())
