"""The account in SES v2."""

from dataclasses import replace
from typing import Any

from waybill.api.account import account_of, change_account, is_enforced, quota_of, set_sending
from waybill.api.call import Call, Operation
from waybill.model.resource import Account
from waybill.model.standing import Advice, Recommendation
from waybill.model.suppression import Reason


async def get_account(call: Call, _request: dict[str, Any]) -> dict[str, Any]:
    """Limits, use and state of the account."""
    account = await account_of(call)
    quota = await quota_of(call, account)
    return {
        "DedicatedIpAutoWarmupEnabled": False,
        "EnforcementStatus": await _enforcement(call, account),
        "ProductionAccessEnabled": account.production_access,
        "SendQuota": {
            "Max24HourSend": quota.max_24_hour_send,
            "MaxSendRate": quota.max_send_rate,
            "SentLast24Hours": quota.sent_last_24_hours,
        },
        "SendingEnabled": account.paused is None,
        "SuppressionAttributes": {"SuppressedReasons": list(account.suppressed_reasons)},
    }


async def _enforcement(call: Call, account: Account) -> str:
    """SES's word: under review (PROBATION) is an account that is surely over the first threshold of a rate."""
    if is_enforced(account):
        return "SHUTDOWN"
    for rate in (Advice.BOUNCE, Advice.COMPLAINT):
        advice = await call.service.store.get(Recommendation, call.account, rate.value)
        if advice is not None and advice.high and advice.fixed_at is None:
            return "PROBATION"
    return "HEALTHY"


async def put_account_sending_attributes(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Pauses or resumes sending. Raises: SesError."""
    await set_sending(call, enabled=bool(request.get("SendingEnabled")))
    return {}


async def put_account_suppression_attributes(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Sets for which reasons the suppression list counts; no reasons: for none."""
    reasons = tuple(Reason(reason) for reason in request.get("SuppressedReasons") or ())
    await change_account(call, lambda old: replace(old, suppressed_reasons=reasons))
    return {}


OPERATIONS: dict[str, Operation] = {
    "GetAccount": get_account,
    "PutAccountSendingAttributes": put_account_sending_attributes,
    "PutAccountSuppressionAttributes": put_account_suppression_attributes,
}

PARTIAL = {
    "GetAccount": "Details, VDM and pricing attributes are left out.",
    "PutAccountSuppressionAttributes": "ValidationAttributes are not kept.",
}
