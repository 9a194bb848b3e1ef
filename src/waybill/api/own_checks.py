"""``GET /api/domains/{domain}/checks``: what ``waybill check --json`` prints, for the domains that the caller may send from."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from starlette.requests import Request
from starlette.responses import JSONResponse

from waybill.api.identity import domain_name
from waybill.api.own_access import account_asking
from waybill.mail.address import enclosing_domains
from waybill.model.clock import MINUTE, Clock, Instant
from waybill.model.resource import DEFAULT_ACCOUNT, Identity
from waybill.standing.checks.run import Report, report_json
from waybill.store.protocol import Store

KEPT = MINUTE
MOST_KEPT = 100
AT_ONCE = 4
"""Domains that are looked at at the same time; each costs some hundred lookups and a few connections."""

Look: TypeAlias = Callable[[str, str], Awaitable[Report]]
"""The checks of a domain for an account, made now."""


class DomainChecks:
    """Answers the route. A report stands for a minute, and whoever asks for one that is under way waits for that."""

    def __init__(self, *, store: Store, clock: Clock, look: Look) -> None:
        self._store = store
        self._clock = clock
        self._look = look
        self._room = asyncio.Semaphore(AT_ONCE)
        self._kept: OrderedDict[tuple[str, str], tuple[Instant, Report]] = OrderedDict()
        self._under_way: dict[tuple[str, str], asyncio.Task[Report]] = {}

    async def answer(self, request: Request) -> JSONResponse:
        """A signed caller may ask about identities of its own and domains below them; the operator about any domain.

        Raises:
            NotAuthentic: another machine without a valid signature.
            StoreUnavailable: the identities could not be looked up.
        """
        caller = await account_asking(request, self._store, self._clock())
        given = request.path_params["domain"]
        domain = domain_name(given)
        if domain is None:
            return JSONResponse({"error": f"{given!r} is no domain such as shop.example"}, 400)
        if caller is not None and not await self._is_theirs(caller, domain):
            return JSONResponse({"error": f"account {caller} has no identity {domain}"}, 404)
        account = caller or request.query_params.get("account", DEFAULT_ACCOUNT)
        return JSONResponse(report_json(await self._report(account, domain)))

    async def _is_theirs(self, account: str, domain: str) -> bool:
        for name in enclosing_domains(domain):
            if await self._store.get(Identity, account, name) is not None:
                return True
        return False

    async def _report(self, account: str, domain: str) -> Report:
        key = account, domain
        kept = self._kept.get(key)
        if kept is not None and kept[0] > self._clock():
            return kept[1]
        task = self._under_way.get(key)
        if task is None:
            task = self._under_way[key] = asyncio.create_task(self._make(account, domain))
            task.add_done_callback(lambda done: self._forget(key, done))
        return await asyncio.shield(task)

    def _forget(self, key: tuple[str, str], done: "asyncio.Task[Report]") -> None:
        del self._under_way[key]
        if not done.cancelled():
            done.exception()  # who asked has been told, unless nobody waits any more

    async def _make(self, account: str, domain: str) -> Report:
        async with self._room:
            report = await self._look(account, domain)
        self._kept[account, domain] = self._clock() + KEPT, report
        self._kept.move_to_end((account, domain))
        while len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        return report
