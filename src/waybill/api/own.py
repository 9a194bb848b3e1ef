"""Waybill's own HTTP API: explanations, search, the identity link, the SNS certificate, health and metrics."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

from prometheus_client import generate_latest
from prometheus_client.registry import CollectorRegistry
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from waybill.accept.verify import Verifier
from waybill.api.authorization import NotAuthentic
from waybill.api.metrics import StoreFigures
from waybill.api.own_access import account_asking
from waybill.api.own_checks import DomainChecks
from waybill.api.own_trace import Traces
from waybill.api.search import found_json, parse_search
from waybill.appraise import appraisal_json, appraise
from waybill.explain import to_json
from waybill.inquire import Look, inquire
from waybill.model.clock import Clock
from waybill.publish.sns import certificate_pem
from waybill.store.protocol import Store, StoreUnavailable


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnApi:
    """What the routes need. ``ready`` says whether this worker takes requests (not while it drains), ``status`` how all is.

    ``look`` makes live probes, ``checks`` answers about the set-up of domains.
    """

    store: Store
    clock: Clock
    verifier: Verifier
    ready: Callable[[], bool]
    status: Callable[[], Awaitable[dict[str, Any]]]
    look: Look | None = None
    checks: DomainChecks | None = None


class _Endpoints:
    """The answers."""

    def __init__(self, api: OwnApi) -> None:
        self._api = api
        self._figures = StoreFigures()
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self._figures)

    async def explanation(self, request: Request) -> Response:
        """``GET /api/messages/{id}/explanation``; ``?live=true`` walks to the recipient's server first."""
        api, key = self._api, request.path_params["id"]
        account = await account_asking(request, api.store, api.clock())
        live = request.query_params.get("live", "false")
        if live not in {"true", "false"}:
            return _error(
                400, f"live is {live[:40]!r}; it may be true (ask the recipient's server now as well) or false"
            )
        look = api.look if live == "true" else None
        found = await inquire(api.store, key, api.clock(), account, look=look)
        return JSONResponse(to_json(found)) if found else _error(404, f"no message {key!r} in the ledger")

    async def messages(self, request: Request) -> Response:
        """``GET /api/messages``, with the parameters of ``waybill find``."""
        api = self._api
        account = await account_asking(request, api.store, api.clock())
        query = {name: value for name, value in request.query_params.items() if not name.startswith("X-Amz-")}
        try:
            search = parse_search(query)
        except ValueError as error:
            return _error(400, str(error))
        if account is not None:
            search = replace(search, account=account)
        return JSONResponse({"messages": [found_json(found) for found in await api.store.find(search)]})

    async def standing(self, request: Request) -> Response:
        """``GET /api/standing``, what ``waybill standing --json`` prints: of all accounts, or of the one that asks."""
        api = self._api
        account = await account_asking(request, api.store, api.clock())
        return JSONResponse(appraisal_json(await appraise(api.store, api.clock(), account)))

    async def verify(self, request: Request) -> Response:
        """The link that is mailed to an address."""
        query = request.query_params
        right = await self._api.verifier.open_link(
            query.get("account", ""), query.get("identity", ""), query.get("token", "")
        )
        if not right:
            return PlainTextResponse("This link is wrong, or older than 24 hours. Ask for a new one.", 403)
        return PlainTextResponse(f"{query['identity']} is verified. You can close this page.")

    async def certificate(self, request: Request) -> Response:
        """The certificate that SNS messages are signed with."""
        pem = await certificate_pem(self._api.store, request.path_params["name"])
        if pem is None:
            return _error(404, "no such certificate")
        return PlainTextResponse(pem, media_type="application/x-pem-file")

    async def healthz(self, request: Request) -> Response:  # noqa: ARG002 - the signature is Starlette's
        """This process answers."""
        return PlainTextResponse("ok\n")

    async def readyz(self, request: Request) -> Response:  # noqa: ARG002 - the signature is Starlette's
        """This process takes requests, and the store can be reached."""
        if not self._api.ready():
            return PlainTextResponse("draining\n", 503)
        await self._api.store.health()
        return PlainTextResponse("ok\n")

    async def status(self, request: Request) -> Response:
        """``GET /api/status``, what ``waybill status --json`` prints: for the operator, on the service's own machine."""
        if await account_asking(request, self._api.store, self._api.clock()) is not None:
            return _error(
                403, "the status of the whole service is for its operator: ask from its own machine, unsigned"
            )
        return JSONResponse(await self._api.status())

    async def metrics(self, request: Request) -> Response:  # noqa: ARG002 - the signature is Starlette's
        """Prometheus's text format."""
        await self._figures.look(self._api.store, self._api.clock)
        text = generate_latest(self._registry)
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")


def own_app(api: OwnApi) -> Starlette:
    """The routes under /api/, /healthz, /readyz, /metrics and the certificate."""
    endpoints = _Endpoints(api)
    return Starlette(
        routes=[
            Route("/healthz", endpoints.healthz),
            Route("/readyz", _guarded(endpoints.readyz)),
            Route("/metrics", _guarded(endpoints.metrics)),
            Route("/api/status", _guarded(endpoints.status)),
            Route("/api/standing", _guarded(endpoints.standing)),
            Route("/api/messages", _guarded(endpoints.messages)),
            Route("/api/messages/{id}/explanation", _guarded(endpoints.explanation)),
            *([Route("/api/domains/{domain}/checks", _guarded(api.checks.answer))] if api.checks is not None else []),
            Route("/api/trace", _guarded(Traces(api.store, api.clock).answer), methods=["POST"]),
            Route("/api/verify", _guarded(endpoints.verify)),
            Route("/SimpleNotificationService-{name}.pem", _guarded(endpoints.certificate)),
        ]
    )


OWN_PATHS = ("/healthz", "/readyz", "/metrics", "/api/", "/SimpleNotificationService-")
"""Paths that belong to this API; all others are the AWS protocols'."""


def _error(status: int, text: str) -> JSONResponse:
    return JSONResponse({"error": text}, status)


def _guarded(endpoint: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """A caller without leave is a 403, a store that cannot be reached a 503, both in words."""

    async def guarded(request: Request) -> Response:
        try:
            return await endpoint(request)
        except NotAuthentic as error:
            return _error(403, error.text)
        except StoreUnavailable as error:
            return _error(503, f"the store cannot be reached: {error}")

    return guarded
