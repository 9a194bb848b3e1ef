"""Settings of identities in SES v1: DKIM, MAIL FROM, and the feedback notifications."""

from dataclasses import replace
from typing import Any

from waybill.api.call import Call, Operation
from waybill.api.identity import change_identity, dkim_identity, find_identity, looked_at, set_mail_from
from waybill.api.ses_error import invalid
from waybill.api.ses_v1.identities import domain, ensure_identity, existing
from waybill.api.ses_v1.words import in_v1_case
from waybill.model.resource import FeedbackTopics, Identity, Topic, Verification


async def verify_domain_dkim(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Creates the domain identity where there is none; the tokens are the selectors of its keys. Raises: SesError."""
    record = await ensure_identity(call, domain(request["Domain"]))
    return {"DkimTokens": [key.selector for key in record.dkim_keys]}


async def get_identity_dkim_attributes(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Those of the identities that exist, after a look at the DNS."""
    attributes = {}
    for given, record in (await existing(call, request["Identities"])).items():
        signing = await dkim_identity(call, record)
        attributes[given] = _dkim(await looked_at(call, signing) if signing else None)
    return {"DkimAttributes": attributes}


def _dkim(record: Identity | None) -> dict[str, Any]:
    if record is None:
        return {"DkimEnabled": False, "DkimVerificationStatus": in_v1_case(Verification.NOT_STARTED)}
    return {
        "DkimEnabled": record.dkim_enabled,
        "DkimVerificationStatus": in_v1_case(record.dkim_verification),
        "DkimTokens": [key.selector for key in record.dkim_keys],
    }


async def set_identity_dkim_enabled(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Raises: SesError."""
    enabled = request["DkimEnabled"]
    await change_identity(call, request["Identity"], lambda old: replace(old, dkim_enabled=enabled))
    return {}


async def set_identity_mail_from_domain(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Sets or, without a domain, ends the custom MAIL FROM domain. Raises: SesError."""
    required = request.get("BehaviorOnMXFailure") == "RejectMessage"
    await set_mail_from(call, request["Identity"], request.get("MailFromDomain"), required=required)
    return {}


async def get_identity_mail_from_domain_attributes(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Those of the identities that exist and have a MAIL FROM domain, after a look at the DNS."""
    found = await existing(call, request["Identities"])
    records = {given: await looked_at(call, record) for given, record in found.items()}
    return {
        "MailFromDomainAttributes": {
            given: {
                "MailFromDomain": record.mail_from_domain,
                "MailFromDomainStatus": in_v1_case(record.mail_from_verification),
                "BehaviorOnMXFailure": "RejectMessage" if record.mail_from_required else "UseDefaultValue",
            }
            for given, record in records.items()
            if record.mail_from_domain
        }
    }


async def set_identity_notification_topic(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Sets or, without a topic, ends the notifications of a type. Raises: SesError if the topic is not there."""
    kind, arn = request["NotificationType"].lower(), request.get("SnsTopic") or None
    if arn and await call.service.store.get(Topic, call.account, arn) is None:
        raise invalid(f"Invalid parameter: SnsTopic <{arn}> does not exist.")
    await _change_topics(call, request["Identity"], {kind: arn})
    return {}


async def set_identity_headers_in_notifications_enabled(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Raises: SesError."""
    kind, enabled = request["NotificationType"].lower(), request["Enabled"]
    await _change_topics(call, request["Identity"], {f"{kind}_headers": enabled})
    return {}


async def _change_topics(call: Call, given: str, change: dict[str, Any]) -> None:
    await change_identity(call, given, lambda old: replace(old, topics=replace(old.topics, **change)))


async def set_identity_feedback_forwarding_enabled(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Raises: SesError if nobody would learn of bounces and complaints any more, which SES does not allow."""
    enabled = request["ForwardingEnabled"]
    record = await find_identity(call, request["Identity"])
    if not enabled and not (record.topics.bounce and record.topics.complaint):
        raise invalid(f"Cannot disable feedback forwarding: {record.name} has no topics for Bounce and Complaint.")
    await change_identity(call, record.name, lambda old: replace(old, feedback_forwarding=enabled))
    return {}


async def get_identity_notification_attributes(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Those of the identities that exist."""
    found = await existing(call, request["Identities"])
    return {
        "NotificationAttributes": {
            given: {"ForwardingEnabled": record.feedback_forwarding, **_topics(record.topics)}
            for given, record in found.items()
        }
    }


def _topics(topics: FeedbackTopics) -> dict[str, Any]:
    return {
        "BounceTopic": topics.bounce,
        "ComplaintTopic": topics.complaint,
        "DeliveryTopic": topics.delivery,
        "HeadersInBounceNotificationsEnabled": topics.bounce_headers,
        "HeadersInComplaintNotificationsEnabled": topics.complaint_headers,
        "HeadersInDeliveryNotificationsEnabled": topics.delivery_headers,
    }


OPERATIONS: dict[str, Operation] = {
    "VerifyDomainDkim": verify_domain_dkim,
    "GetIdentityDkimAttributes": get_identity_dkim_attributes,
    "SetIdentityDkimEnabled": set_identity_dkim_enabled,
    "SetIdentityMailFromDomain": set_identity_mail_from_domain,
    "GetIdentityMailFromDomainAttributes": get_identity_mail_from_domain_attributes,
    "SetIdentityNotificationTopic": set_identity_notification_topic,
    "SetIdentityHeadersInNotificationsEnabled": set_identity_headers_in_notifications_enabled,
    "SetIdentityFeedbackForwardingEnabled": set_identity_feedback_forwarding_enabled,
    "GetIdentityNotificationAttributes": get_identity_notification_attributes,
}

PARTIAL = {
    "VerifyDomainDkim": "One token, of a TXT record that holds the key, instead of three of CNAME records.",
}
