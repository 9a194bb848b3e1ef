"""Waybill's own HTTP API: explanations, search, the identity link, the SNS certificate, health and metrics."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from prometheus_client import generate_latest
from prometheus_client.registry import CollectorRegistry
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from waybill.accept.verify import Verifier
from waybill.api.metrics import StoreFigures
from waybill.explain import to_json
from waybill.inquire import inquire
from waybill.model.cause import Cause
from waybill.model.clock import Clock, parse_rfc3339, rfc3339
from waybill.model.message import Status
from waybill.publish.sns import certificate_pem
from waybill.store.protocol import Found, Search, Store, StoreUnavailable

MOST_FOUND = 1_000


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnApi:
    """What the routes need. ``ready`` says whether this worker takes requests (not while it drains)."""

    store: Store
    clock: Clock
    verifier: Verifier
    ready: Callable[[], bool]


def found_json(found: Found) -> dict[str, object]:
    """A hit of a search, as ``waybill find --json`` and the API give it."""
    message, delivery = found.message, found.delivery
    return {
        "message_id": message.id,
        "accepted_at": rfc3339(message.accepted_at),
        "from": message.source_header,
        "recipient": delivery.recipient,
        "subject": message.subject,
        "status": delivery.status.value,
        "cause": delivery.cause.value if delivery.cause else None,
        "underlying_cause": delivery.underlying_cause.value if delivery.underlying_cause else None,
        "attempts": delivery.attempts,
        "next_at": rfc3339(delivery.next_at) if delivery.next_at else None,
        "configuration_set": message.configuration_set,
    }


def parse_search(query: dict[str, str]) -> Search:
    """The search that a query string or the command line asks for.

    Raises:
        ValueError: an unknown key or a value that is not allowed, named.
    """
    known = {"to", "from", "status", "cause", "since", "until", "limit", "account"}
    if unknown := sorted(set(query) - known):
        raise ValueError(f"unknown parameter {unknown[0]!r}; allowed: {', '.join(sorted(known))}")
    status = query.get("status")
    if status is not None and status not in set(Status):
        raise ValueError(f"status {status!r} is not allowed; it must be one of {', '.join(Status)}")
    cause = query.get("cause")
    if cause is not None and cause not in set(Cause):
        raise ValueError(f"cause {cause!r} is not in the catalogue; see docs/causes.md")
    limit = query.get("limit", "100")
    if not limit.isdecimal() or not 1 <= int(limit) <= MOST_FOUND:
        raise ValueError(f"limit {limit!r} is not allowed; it must be a number from 1 to {MOST_FOUND}")
    return Search(
        account=query.get("account"),
        recipient=query.get("to"),
        sender=query.get("from"),
        status=Status(status) if status else None,
        cause=Cause(cause) if cause else None,
        since=_instant(query, "since"),
        until=_instant(query, "until"),
        limit=int(limit),
    )


def _instant(query: dict[str, str], key: str) -> int | None:
    if key not in query:
        return None
    try:
        return parse_rfc3339(query[key])
    except ValueError:
        raise ValueError(
            f"{key} {query[key]!r} is not allowed; it must be a time such as 2026-11-24T02:30:00Z"
        ) from None


def own_app(api: OwnApi) -> Starlette:
    """The routes under /api/, /healthz, /readyz, /metrics and the certificate."""
    registry = CollectorRegistry(auto_describe=False)
    figures = StoreFigures()
    registry.register(figures)

    async def explanation(request: Request) -> Response:
        found = await inquire(api.store, request.path_params["id"], api.clock())
        if found is None:
            return _error(404, f"no message {request.path_params['id']!r} in the ledger")
        return JSONResponse(to_json(found))

    async def messages(request: Request) -> Response:
        try:
            search = parse_search(dict(request.query_params))
        except ValueError as error:
            return _error(400, str(error))
        return JSONResponse({"messages": [found_json(found) for found in await api.store.find(search)]})

    async def verify(request: Request) -> Response:
        query = request.query_params
        right = await api.verifier.open_link(
            query.get("account", ""), query.get("identity", ""), query.get("token", "")
        )
        if not right:
            return PlainTextResponse("This link is wrong, or older than 24 hours. Ask for a new one.", 403)
        return PlainTextResponse(f"{query['identity']} is verified. You can close this page.")

    async def certificate(request: Request) -> Response:
        pem = await certificate_pem(api.store, request.path_params["name"])
        return (
            PlainTextResponse(pem, media_type="application/x-pem-file") if pem else _error(404, "no such certificate")
        )

    async def healthz(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_: Request) -> Response:
        if not api.ready():
            return PlainTextResponse("draining\n", 503)
        await api.store.health(api.clock())
        return PlainTextResponse("ok\n")

    async def metrics(_: Request) -> Response:
        figures.health = await api.store.health(api.clock())
        figures.now = api.clock()
        return Response(generate_latest(registry), media_type="text/plain; version=0.0.4; charset=utf-8")

    return Starlette(
        routes=[
            Route("/healthz", healthz),
            Route("/readyz", _guarded(readyz)),
            Route("/metrics", _guarded(metrics)),
            Route("/api/messages", _guarded(messages)),
            Route("/api/messages/{id}/explanation", _guarded(explanation)),
            Route("/api/verify", _guarded(verify)),
            Route("/SimpleNotificationService-{name}.pem", _guarded(certificate)),
        ]
    )


OWN_PATHS = ("/healthz", "/readyz", "/metrics", "/api/", "/SimpleNotificationService-")
"""Paths that belong to this API; all others are the AWS protocols'."""


def _error(status: int, text: str) -> JSONResponse:
    return JSONResponse({"error": text}, status)


def _guarded(endpoint: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """A store that cannot be reached is a 503, in words."""

    async def guarded(request: Request) -> Response:
        try:
            return await endpoint(request)
        except StoreUnavailable as error:
            return _error(503, f"the store cannot be reached: {error}")

    return guarded
