"""GetMessageInsights of SES v2, read from the ledger; also for mail with several recipients, which SES leaves out."""

from typing import Any

from waybill.api.call import ApiError, Call, Operation
from waybill.model.cause import CATALOGUE, Cause
from waybill.model.event import (
    Attempted,
    BounceReceived,
    Complained,
    Event,
    Expired,
    Fact,
    SesEvent,
    Suppressed,
    ses_event,
)
from waybill.model.message import Delivery, Status
from waybill.store.protocol import Ledger

_MAX_SUBJECT = 998


async def get_message_insights(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """What happened to the message, recipient by recipient. Raises: ApiError if the account has no such message."""
    ledger = await call.service.store.ledger(request["MessageId"])
    if ledger is None or ledger.message.account != call.account or _is_refused(ledger):
        raise ApiError("NotFoundException", f"Message {request['MessageId']} does not exist.")
    message = ledger.message
    return {
        "MessageId": message.id,
        "FromEmailAddress": message.source_header or message.sender,
        "Subject": message.subject[:_MAX_SUBJECT] if message.subject else None,
        "EmailTags": [{"Name": name, "Value": value} for name, value in message.tags.items()],
        "Insights": [_insight(delivery, ledger) for delivery in ledger.deliveries],
    }


def _is_refused(ledger: Ledger) -> bool:
    return any(delivery.status is Status.REFUSED for delivery in ledger.deliveries)


def _insight(delivery: Delivery, ledger: Ledger) -> dict[str, Any]:
    """Events about the whole message are about each of its recipients."""
    shown = [_event(event) for event in ledger.events if event.recipient in (None, delivery.recipient)]
    return {"Destination": delivery.recipient, "Events": [event for event in shown if event]}


def _event(event: Event) -> dict[str, Any] | None:
    kind = ses_event(event.kind, event.fact)
    if kind is None:
        return None
    details = None
    if kind is SesEvent.BOUNCE:
        details = {"Bounce": _bounce(event.fact)}
    elif kind is SesEvent.COMPLAINT:
        details = {"Complaint": _complaint(event.fact)}
    return {"Timestamp": event.at, "Type": kind, "Details": details}


def _bounce(fact: Fact) -> dict[str, Any]:
    match fact:
        case Attempted(attempt=attempt):
            outcome = attempt.outcome
            return _bounce_of(outcome.cause, outcome.diagnostic, permanent=outcome.permanent)
        case BounceReceived():
            return _bounce_of(fact.cause, fact.diagnostic, permanent=fact.permanent)
        case Expired():
            return _bounce_of(Cause.DELIVERY_EXPIRED, fact.diagnostic, permanent=False)
        case Suppressed():
            return _bounce_of(fact.cause, fact.diagnostic, permanent=True)
        case _:
            return _bounce_of(Cause.UNDETERMINED, "", permanent=False)


def _bounce_of(cause: Cause, diagnostic: str, *, permanent: bool) -> dict[str, Any]:
    kind, sub_type = CATALOGUE[cause].ses or ("Permanent" if permanent else "Transient", "General")
    return {"BounceType": kind.upper(), "BounceSubType": sub_type, "DiagnosticCode": diagnostic or None}


def _complaint(fact: Fact) -> dict[str, Any]:
    if isinstance(fact, Complained):
        return {"ComplaintSubType": fact.sub_type, "ComplaintFeedbackType": fact.feedback_type}
    return {"ComplaintSubType": "OnAccountSuppressionList"}


OPERATIONS: dict[str, Operation] = {"GetMessageInsights": get_message_insights}

PARTIAL = {"GetMessageInsights": "Isp is left out."}
