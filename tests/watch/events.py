"""Events of Amazon SES as AWS sends them, whole and in any envelope."""

import json
from typing import Any

ACCOUNT = "123456789012"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:ses-events"
SENT_AT = "2026-11-24T09:12:02.700Z"
MESSAGE_ID = "010201a20cd2a50c-3f0c2c1e-8a5b-4d0c-9d2a-6f1f0a1b2c3d-000000"
TO = "bo@mail.example"
SENDER = "Shop <orders@shop.example>"

ON_ACCOUNT_LIST = (
    "Amazon SES did not send the message to this address because it is on the suppression list for your account. For "
    "more information about removing addresses from the suppression list, see the Amazon SES Developer Guide at "
    "https://docs.aws.amazon.com/ses/latest/DeveloperGuide/sending-email-suppression-list.html"
)
EXPIRED = "smtp; 550 4.4.7 Message expired: unable to deliver in 840 minutes.<421 4.4.0 Unable to lookup DNS for mail.example>"


def mail(**changes: Any) -> dict[str, Any]:
    """The object ``mail``."""
    return {
        "timestamp": SENT_AT,
        "source": SENDER,
        "sourceArn": f"arn:aws:ses:eu-west-1:{ACCOUNT}:identity/shop.example",
        "sendingAccountId": ACCOUNT,
        "messageId": MESSAGE_ID,
        "destination": [TO],
        "headersTruncated": False,
        "headers": [{"name": "From", "value": SENDER}, {"name": "Subject", "value": "Your order"}],
        "commonHeaders": {"from": [SENDER], "to": [TO], "messageId": MESSAGE_ID, "subject": "Your order"},
        "tags": {
            "ses:operation": ["SendEmail"],
            "ses:configuration-set": ["transactional"],
            "ses:source-ip": ["192.0.2.44"],
            "campaign": ["autumn"],
        },
    } | changes


def event(kind: str, name: str, told: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """An event of a configuration set."""
    return {"eventType": kind, name: told, "mail": mail(**changes)}


def send(**changes: Any) -> dict[str, Any]:
    return event("Send", "send", {}, **changes)


def delivery(at: str = "2026-11-24T09:12:04.100Z", **told: Any) -> dict[str, Any]:
    fields = {
        "timestamp": at,
        "processingTimeMillis": 1_400,
        "recipients": [TO],
        "smtpResponse": "250 2.0.0 Ok: queued as 4Xt0bR1Zq9z",
        "remoteMtaIp": "203.0.113.25",
        "reportingMTA": "a6-12.smtp-out.eu-west-1.amazonses.com",
    }
    return event("Delivery", "delivery", fields | told)


def bounce(
    kind: str = "Permanent",
    sub_type: str = "General",
    words: str | None = "smtp; 550 5.1.1 <bo@mail.example>: user unknown",
    **told: Any,
) -> dict[str, Any]:
    dsn = {} if words is None else {"action": "failed", "status": "5.1.1", "diagnosticCode": words}
    fields = {
        "feedbackId": "010201a20cd2a6ff-5b0f9c38-91f2-4c0a-8d1e-6a77e2b4c0d3-000000",
        "bounceType": kind,
        "bounceSubType": sub_type,
        "bouncedRecipients": [{"emailAddress": TO, **dsn}],
        "timestamp": "2026-11-24T09:12:03.000Z",
        "reportingMTA": "dns; amazonses.com",
    }
    return event("Bounce", "bounce", fields | told)


def delay(kind: str = "General", words: str | None = None, **told: Any) -> dict[str, Any]:
    dsn = {} if words is None else {"status": "4.4.1", "diagnosticCode": words}
    fields = {
        "timestamp": "2026-11-24T09:22:12.000Z",
        "delayType": kind,
        "expirationTime": "2026-11-24T23:12:02.700Z",
        "delayedRecipients": [{"emailAddress": TO, **dsn}],
    }
    return event("DeliveryDelay", "deliveryDelay", fields | told)


def complaint(**told: Any) -> dict[str, Any]:
    fields = {
        "feedbackId": "010201a211f5a50c-5b0f9c38-91f2-4c0a-8d1e-6a77e2b4c0d3-000000",
        "complainedRecipients": [{"emailAddress": TO}],
        "complaintSubType": None,
        "timestamp": "2026-11-25T09:12:02.000Z",
        "userAgent": "Example Feedback Loop (V1.0)",
        "complaintFeedbackType": "abuse",
        "arrivalDate": "2026-11-25T09:11:52.000Z",
    }
    return event("Complaint", "complaint", fields | told)


def reject() -> dict[str, Any]:
    return event("Reject", "reject", {"reason": "Bad content"})


def rendering_failure(error: str, template: str = "OrderShipped") -> dict[str, Any]:
    return event("Rendering Failure", "failure", {"errorMessage": error, "templateName": template})


def opened(at: str = "2026-11-24T09:40:00.000Z", **told: Any) -> dict[str, Any]:
    fields = {"timestamp": at, "ipAddress": "203.0.113.80", "userAgent": "Mozilla/5.0 (iPhone)"}
    return event("Open", "open", fields | told)


def clicked() -> dict[str, Any]:
    fields = {
        "timestamp": "2026-11-24T09:41:00.000Z",
        "ipAddress": "203.0.113.80",
        "userAgent": "Mozilla/5.0 (iPhone)",
        "link": "https://shop.example/orders/1042",
        "linkTags": None,
    }
    return event("Click", "click", fields)


def subscription() -> dict[str, Any]:
    fields = {
        "contactList": "customers",
        "timestamp": "2026-11-24T09:42:00.000Z",
        "source": "UnsubscribeHeader",
        "newTopicPreferences": {"unsubscribeAll": True, "topicSubscriptionStatus": []},
    }
    return event("Subscription", "subscription", fields)


def legacy(document: dict[str, Any]) -> dict[str, Any]:
    """The same as a feedback notification of the identity: no tags, no headers."""
    told = {name: value for name, value in document.items() if name not in {"eventType", "mail"}}
    left_out = {"headers", "commonHeaders", "headersTruncated", "tags"}
    short = {name: value for name, value in document["mail"].items() if name not in left_out}
    short |= {"source": "orders@shop.example", "sourceIp": "192.0.2.44", "callerIdentity": "shop-app"}
    return {"notificationType": document["eventType"], **told, "mail": short}


def in_sns(document: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """In the envelope of SNS, not signed."""
    return {
        "Type": "Notification",
        "MessageId": "5f0e5e0e-93f0-5a55-b0a8-0a2f6e1b7f10",
        "TopicArn": TOPIC,
        "Subject": "Amazon SES Email Event Notification",
        "Message": json.dumps(document) + "\n",
        "Timestamp": "2026-11-24T09:12:03.400Z",
    } | changes


def in_event_bridge(document: dict[str, Any]) -> dict[str, Any]:
    """In the envelope of EventBridge."""
    return {
        "version": "0",
        "id": "12345678-1234-1234-1234-111122223333",
        "detail-type": "Email Bounced",
        "source": "aws.ses",
        "account": ACCOUNT,
        "time": "2026-11-24T09:12:03Z",
        "region": "eu-west-1",
        "resources": [],
        "detail": document,
    }
