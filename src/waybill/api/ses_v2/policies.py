"""Sending authorization policies of identities in SES v2: kept and given back, not evaluated."""

import json
from dataclasses import replace
from typing import Any

from waybill.api.call import ApiError, Call, Operation
from waybill.api.identity import change_identity, find_identity
from waybill.model.resource import Identity

MAX_POLICIES = 20


def _checked(policy: str) -> str:
    try:
        document = json.loads(policy)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise ApiError("BadRequestException", "Policy is no JSON object.")
    return policy


async def create_email_identity_policy(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Raises: ApiError."""
    name, policy = request["PolicyName"], _checked(request["Policy"])

    def change(old: Identity) -> Identity:
        if name in old.policies:
            raise ApiError("AlreadyExistsException", f"Policy {name} already exists.")
        if len(old.policies) >= MAX_POLICIES:
            raise ApiError("LimitExceededException", f"An identity has at most {MAX_POLICIES} policies.")
        return replace(old, policies={**old.policies, name: policy})

    await change_identity(call, request["EmailIdentity"], change)
    return {}


async def update_email_identity_policy(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Raises: ApiError."""
    name, policy = request["PolicyName"], _checked(request["Policy"])

    def change(old: Identity) -> Identity:
        if name not in old.policies:
            raise ApiError("NotFoundException", f"Policy {name} does not exist.")
        return replace(old, policies={**old.policies, name: policy})

    await change_identity(call, request["EmailIdentity"], change)
    return {}


async def delete_email_identity_policy(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Deletes the policy; one that is not there is no error. Raises: SesError."""
    name = request["PolicyName"]

    def change(old: Identity) -> Identity:
        return replace(old, policies={kept: text for kept, text in old.policies.items() if kept != name})

    await change_identity(call, request["EmailIdentity"], change)
    return {}


async def get_email_identity_policies(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Raises: SesError."""
    return {"Policies": (await find_identity(call, request["EmailIdentity"])).policies}


OPERATIONS: dict[str, Operation] = {
    "CreateEmailIdentityPolicy": create_email_identity_policy,
    "UpdateEmailIdentityPolicy": update_email_identity_policy,
    "DeleteEmailIdentityPolicy": delete_email_identity_policy,
    "GetEmailIdentityPolicies": get_email_identity_policies,
}

PARTIAL = dict.fromkeys(
    ("CreateEmailIdentityPolicy", "UpdateEmailIdentityPolicy"), "Policies are kept and given back, not evaluated."
)
