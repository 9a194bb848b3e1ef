"""The account in SES v1: quota, statistics, pausing."""

from typing import Any

from waybill.api.account import account_of, quota_of, set_sending
from waybill.api.call import Call, Operation
from waybill.model.clock import DAY

_STATISTICS = 14 * DAY


async def get_send_quota(call: Call, _request: dict[str, Any]) -> dict[str, Any]:
    """The limits, and the recipients of the last 24 hours."""
    quota = await quota_of(call, await account_of(call))
    return {
        "Max24HourSend": quota.max_24_hour_send,
        "MaxSendRate": quota.max_send_rate,
        "SentLast24Hours": quota.sent_last_24_hours,
    }


async def get_send_statistics(call: Call, _request: dict[str, Any]) -> dict[str, Any]:
    """Two weeks in buckets of 15 minutes."""
    buckets = await call.service.store.statistics(call.account, call.service.clock() - _STATISTICS)
    return {
        "SendDataPoints": [
            {
                "Timestamp": bucket.start,
                "DeliveryAttempts": bucket.delivery_attempts,
                "Bounces": bucket.bounces,
                "Complaints": bucket.complaints,
                "Rejects": bucket.rejects,
            }
            for bucket in buckets
        ]
    }


async def get_account_sending_enabled(call: Call, _request: dict[str, Any]) -> dict[str, Any]:
    """Whether the account may send."""
    return {"Enabled": (await account_of(call)).paused is None}


async def update_account_sending_enabled(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Pauses or resumes sending. Raises: SesError."""
    await set_sending(call, enabled=bool(request.get("Enabled")))
    return {}


OPERATIONS: dict[str, Operation] = {
    "GetSendQuota": get_send_quota,
    "GetSendStatistics": get_send_statistics,
    "GetAccountSendingEnabled": get_account_sending_enabled,
    "UpdateAccountSendingEnabled": update_account_sending_enabled,
}

PARTIAL: dict[str, str] = {}
