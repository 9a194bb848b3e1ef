"""The account's suppression list in SES v2."""

from typing import Any

from waybill.api.call import ApiError, Call, Operation
from waybill.api.paging import Range, cut, open_page
from waybill.mail.address import AddressError, parse_mailbox
from waybill.model.suppression import Reason, Suppression

_PAGE_SIZE = Range(parameter="PageSize", default=1000, maximum=1000)


async def put_suppressed_destination(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Adds the address, or replaces its entry. Raises: ApiError."""
    entry = Suppression(
        account=call.account,
        address=_address(request),
        reason=Reason(request["Reason"]),
        at=call.service.clock(),
        author=f"api:{call.access_key_id}",
    )
    await call.service.store.suppress([entry])
    return {}


async def get_suppressed_destination(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """The entry with the message that caused it. Raises: ApiError if there is none."""
    address = _address(request)
    entries = await call.service.store.suppressed(call.account, [address], call.service.clock())
    # The store looks at the installation's global list too, which SES does not show.
    entry = next((one for one in entries if one.account == call.account), None)
    if entry is None:
        raise _missing(address)
    cause = {"MessageId": entry.message_id, "FeedbackId": entry.feedback_id}
    return {"SuppressedDestination": {**_summary(entry), "Attributes": cause if entry.message_id else None}}


async def delete_suppressed_destination(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Removes the address. Raises: ApiError if it is not on the list."""
    address = _address(request)
    if not await call.service.store.unsuppress(call.account, address):
        raise _missing(address)
    return {}


async def list_suppressed_destinations(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """A page of the list by address, of the reasons and within the dates asked for. Raises: SesError."""
    _refuse_tenant(request)
    page = open_page(request.get("NextToken"), request.get("PageSize"), _PAGE_SIZE, code="InvalidNextTokenException")
    entries = await call.service.store.suppressions(
        call.account,
        reasons=[Reason(reason) for reason in request.get("Reasons") or ()],
        since=request.get("StartDate"),
        until=request.get("EndDate"),
        after=page.after,
        limit=page.limit + 1,
    )
    shown, token = cut(entries, page, lambda entry: entry.address)
    return {"SuppressedDestinationSummaries": [_summary(entry) for entry in shown], "NextToken": token}


def _summary(entry: Suppression) -> dict[str, Any]:
    return {"EmailAddress": entry.address, "Reason": entry.reason, "LastUpdateTime": entry.at}


def _address(request: dict[str, Any]) -> str:
    _refuse_tenant(request)
    try:
        return parse_mailbox(request["EmailAddress"]).address
    except AddressError as error:
        raise ApiError("BadRequestException", f"EmailAddress {request['EmailAddress']!r}: {error}") from None


def _refuse_tenant(request: dict[str, Any]) -> None:
    if request.get("TenantName"):
        raise ApiError("NotFoundException", f"Tenant {request['TenantName']} doesn't exist: there are no tenants.")


def _missing(address: str) -> ApiError:
    return ApiError("NotFoundException", f"Email address {address} does not exist on your suppression list.")


OPERATIONS: dict[str, Operation] = {
    "PutSuppressedDestination": put_suppressed_destination,
    "GetSuppressedDestination": get_suppressed_destination,
    "DeleteSuppressedDestination": delete_suppressed_destination,
    "ListSuppressedDestinations": list_suppressed_destinations,
}

PARTIAL = dict.fromkeys(OPERATIONS, "TenantName is refused.")
