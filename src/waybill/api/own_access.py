"""Who may ask Waybill's own API: this machine without more, everybody else with a signed request for their own account."""

import hashlib
from collections.abc import Awaitable, Callable

from starlette.requests import Request

from waybill.api.authenticate import read_claim
from waybill.api.authorization import Fault, Head, NotAuthentic
from waybill.model.clock import Instant
from waybill.model.ip import is_loopback
from waybill.store.protocol import Store

_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")
"""Fields that a proxy adds: then the peer is the proxy, and who asks is not this machine."""

_NO_BODY = hashlib.sha256(b"").hexdigest()

HOW = (
    "sign the request with an access key as for SES (AWS Signature Version 4, service ses), or ask from the machine "
    "that the service runs on"
)


async def account_asking(
    request: Request, store: Store, now: Instant, *, body: Callable[[], Awaitable[bytes]] | None = None
) -> str | None:
    """The account whose messages the caller may see; None: all of them, since the operator asks on this machine.

    A signed request sees its own account, wherever it comes from. ``body`` reads the request's body, where it has one:
    not before the caller has a key.

    Raises:
        NotAuthentic: another machine without a valid signature.
        StoreUnavailable: the key could not be looked up.
    """
    scope = request.scope
    signed = "authorization" in request.headers or "X-Amz-Signature" in request.query_params
    if not signed:
        if _is_local(request):
            return None
        raise NotAuthentic(Fault.MISSING, f"This is open to the service's own machine only: {HOW}.")
    head = Head(
        method=request.method,
        path=scope["raw_path"].partition(b"?")[0],
        query=scope["query_string"],
        fields=scope["headers"],
    )
    claim = await read_claim(store, head, ("ses",), now)
    claim.prove(hashlib.sha256(await body()).hexdigest() if body is not None else _NO_BODY)
    return claim.caller.account


def _is_local(request: Request) -> bool:
    if request.client is None or any(name in request.headers for name in _FORWARDED):
        return False
    # A page in a browser on this machine can have its own name lead here (DNS rebinding): so a name proves nothing.
    asked = request.headers.get("host", "").rpartition("@")[2]
    name = asked[1:].partition("]")[0] if asked.startswith("[") else asked.partition(":")[0]
    return is_loopback(request.client.host) and (name.lower() == "localhost" or is_loopback(name))
