"""DKIM of identities in SES v2: generated keys (origin AWS_SES) and the customer's own (EXTERNAL).

A token is a selector: the public key is published as a TXT record at ``<token>._domainkey.<domain>``.
"""

from dataclasses import replace
from typing import Any

from waybill.api.call import ApiError, Call, Operation
from waybill.api.dkim_key import bring_key, generate_key
from waybill.api.identity import change_identity, find_identity, look_at
from waybill.api.ses_error import invalid
from waybill.model.clock import Instant
from waybill.model.resource import DkimKey, Identity, Verification


def given_key(name: str, attributes: dict[str, Any] | None, at: Instant) -> DkimKey | None:
    """The key that DkimSigningAttributes bring, or None where they bring none. Raises: SesError."""
    given = attributes or {}
    selector, private = given.get("DomainSigningSelector"), given.get("DomainSigningPrivateKey")
    if selector is None and private is None:
        return None
    if selector is None or private is None:
        raise invalid("DomainSigningSelector and DomainSigningPrivateKey must be given together.")
    if "@" in name:
        raise invalid("DKIM signing attributes are for domains; an email address is signed by its domain's key.")
    return bring_key(selector.lower(), private, at)


def dkim_attributes(record: Identity | None) -> dict[str, Any]:
    """SES's DkimAttributes; ``record`` is the domain's identity, None for an address without one."""
    if record is None:
        return {"SigningEnabled": False, "Status": Verification.NOT_STARTED, "SigningAttributesOrigin": "AWS_SES"}
    generated = record.dkim_origin == "AWS_SES"
    return {
        "SigningEnabled": record.dkim_enabled,
        "Status": record.dkim_verification,
        "Tokens": [key.selector for key in record.dkim_keys],
        "SigningAttributesOrigin": record.dkim_origin,
        "NextSigningKeyLength": "RSA_2048_BIT" if generated else None,
        "CurrentSigningKeyLength": "RSA_2048_BIT" if generated else None,
        "LastKeyGenerationTimestamp": record.dkim_keys[-1].created_at if generated and record.dkim_keys else None,
    }


async def put_email_identity_dkim_attributes(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Switches signing on or off. Raises: SesError."""
    enabled = bool(request.get("SigningEnabled"))
    await change_identity(call, request["EmailIdentity"], lambda old: replace(old, dkim_enabled=enabled))
    return {}


async def put_email_identity_dkim_signing_attributes(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Changes where the key comes from; asking for AWS_SES again keeps the generated key. Raises: ApiError."""
    record = await find_identity(call, request["EmailIdentity"])
    if not record.is_domain:
        raise invalid("DKIM signing attributes are for domains; an email address is signed by its domain's key.")
    origin = request["SigningAttributesOrigin"]
    key = await _key(call, record, origin, request.get("SigningAttributes"))
    if key is not None:

        def change(old: Identity) -> Identity:
            return replace(
                old, dkim_origin=origin, dkim_keys=(key,), dkim_enabled=True, dkim_verification=Verification.PENDING
            )

        await change_identity(call, record.name, change)
        await look_at(call, record.name)
        record = await find_identity(call, record.name)
    return {"DkimStatus": record.dkim_verification, "DkimTokens": [one.selector for one in record.dkim_keys]}


async def _key(call: Call, record: Identity, origin: str, attributes: dict[str, Any] | None) -> DkimKey | None:
    """The identity's new key, or None where it keeps what it has."""
    now = call.service.clock()
    match origin:
        case "EXTERNAL":
            key = given_key(record.name, attributes, now)
            if key is None:
                raise invalid(
                    "SigningAttributesOrigin EXTERNAL needs DomainSigningSelector and DomainSigningPrivateKey."
                )
            return key
        case "AWS_SES":
            if record.dkim_origin == "AWS_SES" and record.dkim_keys:
                return None
            return await generate_key(now)
        case _:
            raise ApiError(
                "BadRequestException", f"SigningAttributesOrigin is {origin}; allowed are AWS_SES and EXTERNAL."
            )


OPERATIONS: dict[str, Operation] = {
    "PutEmailIdentityDkimAttributes": put_email_identity_dkim_attributes,
    "PutEmailIdentityDkimSigningAttributes": put_email_identity_dkim_signing_attributes,
}

PARTIAL = {
    "PutEmailIdentityDkimSigningAttributes": "Origins of other Regions are refused; NextSigningKeyLength has no effect.",
}
