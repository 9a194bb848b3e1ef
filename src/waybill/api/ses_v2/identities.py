"""Identities in SES v2: addresses and domains that may send."""

from dataclasses import replace
from typing import Any

from waybill.api.call import Call, Operation
from waybill.api.configuration_set import find_configuration_set
from waybill.api.identity import (
    NewIdentity,
    change_identity,
    create_identity,
    dkim_identity,
    find_identity,
    identity_name,
    looked_at,
    set_mail_from,
)
from waybill.api.paging import Range, list_page, open_page
from waybill.api.resource_tags import read_tags, tag_list
from waybill.api.ses_v2.dkim import dkim_attributes, given_key
from waybill.model.resource import Identity, Verification

_PAGE_SIZE = Range(parameter="PageSize", default=1000, maximum=1000)
_ERROR_TYPES = (
    (" answered NXDOMAIN ", "HOST_NOT_FOUND"),
    (" answered that ", "TYPE_NOT_FOUND"),
    (" answered for ", "INVALID_VALUE"),
)
"""SES's word for a failed check, by what the resolver says of the answer."""


async def create_email_identity(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Creates the identity; a domain gets a DKIM key, or takes the customer's. Raises: SesError."""
    name = identity_name(request["EmailIdentity"])
    key = given_key(name, request.get("DkimSigningAttributes"), call.service.clock())
    tags = read_tags(request)
    record = await create_identity(
        call,
        NewIdentity(name=name, key=key, tags=tags, configuration_set=request.get("ConfigurationSetName") or None),
    )
    return {
        "IdentityType": _type(record),
        "VerifiedForSendingStatus": record.verification is Verification.SUCCESS,
        "DkimAttributes": dkim_attributes(await dkim_identity(call, record)),
    }


async def get_email_identity(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """The identity as it stands after a look at the DNS. Raises: SesError."""
    record = await looked_at(call, await find_identity(call, request["EmailIdentity"]))
    return {
        "IdentityType": _type(record),
        "FeedbackForwardingStatus": record.feedback_forwarding,
        "VerifiedForSendingStatus": record.verification is Verification.SUCCESS,
        "DkimAttributes": dkim_attributes(await dkim_identity(call, record)),
        "MailFromAttributes": _mail_from(record),
        "Policies": record.policies,
        "Tags": tag_list(record.tags),
        "ConfigurationSetName": record.configuration_set,
        "VerificationStatus": record.verification,
        "VerificationInfo": _verification_info(record),
    }


async def list_email_identities(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Raises: SesError."""
    page = open_page(request.get("NextToken"), request.get("PageSize"), _PAGE_SIZE)
    records, token = await list_page(call.service.store, Identity, call.account, page)
    return {
        "EmailIdentities": [
            {
                "IdentityType": _type(record),
                "IdentityName": record.name,
                "SendingEnabled": record.verification is Verification.SUCCESS,
                "VerificationStatus": record.verification,
            }
            for record in records
        ],
        "NextToken": token,
    }


async def delete_email_identity(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Deletes the identity and its keys. Raises: SesError if there is none."""
    record = await find_identity(call, request["EmailIdentity"])
    await call.service.store.delete(Identity, call.account, record.name)
    return {}


async def put_email_identity_feedback_attributes(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Raises: SesError."""
    forwarding = bool(request.get("EmailForwardingEnabled"))
    await change_identity(call, request["EmailIdentity"], lambda old: replace(old, feedback_forwarding=forwarding))
    return {}


async def put_email_identity_mail_from_attributes(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Raises: SesError."""
    required = request.get("BehaviorOnMxFailure") == "REJECT_MESSAGE"
    await set_mail_from(call, request["EmailIdentity"], request.get("MailFromDomain"), required=required)
    return {}


async def put_email_identity_configuration_set_attributes(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Sets or, without a name, removes the default configuration set. Raises: SesError."""
    name = request.get("ConfigurationSetName") or None
    if name:
        await find_configuration_set(call, name)
    await change_identity(call, request["EmailIdentity"], lambda old: replace(old, configuration_set=name))
    return {}


def _type(record: Identity) -> str:
    return "DOMAIN" if record.is_domain else "EMAIL_ADDRESS"


def _mail_from(record: Identity) -> dict[str, Any] | None:
    if record.mail_from_domain is None:
        return None
    status = record.mail_from_verification
    return {
        "MailFromDomain": record.mail_from_domain,
        # MailFromDomainStatus knows no NOT_STARTED.
        "MailFromDomainStatus": Verification.PENDING if status is Verification.NOT_STARTED else status,
        "BehaviorOnMxFailure": "REJECT_MESSAGE" if record.mail_from_required else "USE_DEFAULT_VALUE",
    }


def _verification_info(record: Identity) -> dict[str, Any] | None:
    if record.checked_at is None and record.verified_at is None:
        return None
    return {
        "LastCheckedTimestamp": record.checked_at,
        "LastSuccessTimestamp": record.verified_at,
        "ErrorType": _error_type(record.check_error) if record.check_error else None,
    }


def _error_type(check_error: str) -> str:
    return next((word for said, word in _ERROR_TYPES if said in check_error), "DNS_SERVER_ERROR")


OPERATIONS: dict[str, Operation] = {
    "CreateEmailIdentity": create_email_identity,
    "GetEmailIdentity": get_email_identity,
    "ListEmailIdentities": list_email_identities,
    "DeleteEmailIdentity": delete_email_identity,
    "PutEmailIdentityFeedbackAttributes": put_email_identity_feedback_attributes,
    "PutEmailIdentityMailFromAttributes": put_email_identity_mail_from_attributes,
    "PutEmailIdentityConfigurationSetAttributes": put_email_identity_configuration_set_attributes,
}

PARTIAL = {
    "CreateEmailIdentity": (
        "One DKIM token, of a TXT record that holds the key, instead of three of CNAME records; "
        "generated keys have 2048 bits whatever NextSigningKeyLength says."
    ),
    "GetEmailIdentity": "SOARecord is left out.",
    "ListEmailIdentities": "Filter has no effect.",
}
