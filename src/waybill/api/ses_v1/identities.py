"""Identities in SES v1: verifying, listing and deleting addresses and domains."""

from typing import Any

from waybill.api.call import Call, Operation
from waybill.api.identity import NewIdentity, create_identity, identity_name, looked_at
from waybill.api.paging import Page, Range, cut, open_page
from waybill.api.ses_error import SesError, invalid
from waybill.api.ses_v1.words import in_v1_case
from waybill.model.resource import Identity, Verification

_MAX_ITEMS = Range(parameter="MaxItems", default=1000, maximum=1000)


async def verify_email_identity(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Creates an address identity, or has one that exists looked at again. Raises: SesError."""
    given = request["EmailAddress"]
    if "@" not in given:
        raise invalid(f"Invalid email address {given!r}: Missing final '@domain'")
    await ensure_identity(call, identity_name(given))
    return {}


async def verify_domain_identity(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Creates a domain identity, or gives the token of the one that exists. Raises: SesError."""
    return {"VerificationToken": (await ensure_identity(call, domain(request["Domain"]))).token}


async def get_identity_verification_attributes(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Those of the identities that exist, after a look at the DNS; others are left out, as SES does."""
    found = await existing(call, request["Identities"])
    records = {given: await looked_at(call, record) for given, record in found.items()}
    return {
        "VerificationAttributes": {
            given: {
                "VerificationStatus": in_v1_case(record.verification),
                "VerificationToken": record.token if record.is_domain else None,
            }
            for given, record in records.items()
        }
    }


async def list_identities(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Raises: SesError."""
    page = open_page(request.get("NextToken"), request.get("MaxItems"), _MAX_ITEMS)
    kind = request.get("IdentityType")
    wanted = {"EmailAddress": False, "Domain": True}.get(kind) if kind else None
    records, token = await _matching(call, page, domains=wanted)
    return {"Identities": [record.name for record in records], "NextToken": token}


async def list_verified_email_addresses(call: Call, _request: dict[str, Any]) -> dict[str, Any]:
    """Every verified address of the account."""
    records, _ = await _matching(call, Page(after="", limit=10_000), domains=False)
    return {
        "VerifiedEmailAddresses": [record.name for record in records if record.verification is Verification.SUCCESS]
    }


async def delete_identity(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Deletes the identity; one that is not there is no error in v1."""
    await _delete(call, request["Identity"])
    return {}


async def delete_verified_email_address(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Deletes the address identity; one that is not there is no error in v1."""
    await _delete(call, request["EmailAddress"])
    return {}


async def ensure_identity(call: Call, name: str) -> Identity:
    """The identity of this name, created where there was none."""
    record = await call.service.store.get(Identity, call.account, name)
    if record is not None:
        return await looked_at(call, record)
    try:
        return await create_identity(call, NewIdentity(name=name))
    except SesError:
        # Another request has created it meanwhile.
        created = await call.service.store.get(Identity, call.account, name)
        if created is None:
            raise
        return created


def domain(given: str) -> str:
    """The domain in its one form. Raises: SesError if it is none."""
    name = identity_name(given)
    if "@" in name:
        raise invalid(f"Invalid domain name {given!r}: write it like example.com.")
    return name


async def existing(call: Call, names: list[str]) -> dict[str, Identity]:
    """Of these names, as the client wrote them, those that are identities of the account."""
    found = {}
    for given in names:
        try:
            record = await call.service.store.get(Identity, call.account, identity_name(given))
        except SesError:
            continue
        if record is not None:
            found[given] = record
    return found


async def _matching(call: Call, page: Page, *, domains: bool | None) -> tuple[list[Identity], str | None]:
    """A page of the domains (True), the addresses (False) or both (None)."""
    found: list[Identity] = []
    after = page.after
    while len(found) <= page.limit:
        batch = await call.service.store.scan(Identity, call.account, after=after, limit=1000)
        if not batch:
            break
        after = batch[-1].name
        found += [record for record in batch if domains is None or record.is_domain is domains]
    return cut(found[: page.limit + 1], page, lambda record: record.name)


async def _delete(call: Call, given: str) -> None:
    for record in (await existing(call, [given])).values():
        await call.service.store.delete(Identity, call.account, record.name)


OPERATIONS: dict[str, Operation] = {
    "VerifyEmailIdentity": verify_email_identity,
    "VerifyEmailAddress": verify_email_identity,
    "VerifyDomainIdentity": verify_domain_identity,
    "GetIdentityVerificationAttributes": get_identity_verification_attributes,
    "ListIdentities": list_identities,
    "ListVerifiedEmailAddresses": list_verified_email_addresses,
    "DeleteIdentity": delete_identity,
    "DeleteVerifiedEmailAddress": delete_verified_email_address,
}

PARTIAL: dict[str, str] = {}
