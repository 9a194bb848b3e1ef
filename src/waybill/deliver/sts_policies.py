"""The MTA-STS policies of recipient domains (RFC 8461): found, fetched, kept, and fetched again before they end."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from waybill.model.clock import Clock, Instant
from waybill.model.record import record
from waybill.model.resource import MtaStsPolicy
from waybill.net.mta_sts import Fetched, parse_record
from waybill.net.resolver import Resolver

CHECK_EVERY = 300_000  # milliseconds between two looks at a domain's TXT record, and between two fetches that fail
REFRESH_AFTER = 86_400_000  # milliseconds; RFC 8461 §10.2 has senders look for a new policy daily
MAX_DOMAINS = 20_000

Fetch: TypeAlias = Callable[[str, str], Awaitable[Fetched]]
Load: TypeAlias = Callable[[str], Awaitable[MtaStsPolicy | None]]
Save: TypeAlias = Callable[[MtaStsPolicy], Awaitable[None]]


@record(frozen=True, kw_only=True, slots=True)
class Found:
    """A domain's policy; None where it has none that we could get. ``fault`` says what kept us from a newer one."""

    policy: MtaStsPolicy | None
    check_at: Instant
    fault: str = ""


class StsPolicies:
    """Policies in memory, with the kept ones of earlier runs behind them.

    Args:
        fetch: gets a policy over HTTPS (domain, id).
        load: the kept policy of a domain, of any age. Neither this nor ``save`` raises.
        save: keeps a policy.
    """

    def __init__(self, *, resolver: Resolver, fetch: Fetch, clock: Clock, load: Load, save: Save) -> None:
        self._resolver = resolver
        self._fetch = fetch
        self._clock = clock
        self._load = load
        self._save = save
        self._found: OrderedDict[str, Found] = OrderedDict()
        self._looking: dict[str, asyncio.Task[Found]] = {}
        self._refreshing: dict[str, asyncio.Task[None]] = {}

    async def find(self, domain: str) -> Found:
        """The domain's policy. All who ask for it at once wait for one look; nobody waits for another domain's."""
        found = self._found.get(domain)
        if found is not None and found.check_at > self._clock():
            return found
        task = self._looking.get(domain)
        if task is None:
            task = asyncio.ensure_future(self._look(domain, found))
            self._looking[domain] = task
            task.add_done_callback(lambda _: self._looking.pop(domain, None))
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Stops looking and fetching."""
        tasks = [*self._looking.values(), *self._refreshing.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _look(self, domain: str, known: Found | None) -> Found:
        policy = self._valid(known.policy if known is not None else await self._load(domain))
        answer = await self._resolver.txt(f"_mta-sts.{domain}")
        policy_id = parse_record(answer.records)
        fault = "" if answer.status.definite else answer.text
        # RFC 8461 §3.3: a policy that is kept counts until it ends, also where its TXT record has gone since.
        if policy_id is not None and (policy is None or policy.id != policy_id):
            policy, fault = await self._newer(domain, policy_id, policy)
        elif policy_id is not None and policy is not None and self._grows_old(policy):
            self._refresh(domain, policy_id)
        return self._keep(domain, policy, fault)

    async def _newer(self, domain: str, policy_id: str, old: MtaStsPolicy | None) -> tuple[MtaStsPolicy | None, str]:
        """The policy with this id, else the old one and why."""
        kept = self._valid(await self._load(domain))
        if kept is not None and kept.id == policy_id:  # another worker was here before us
            return kept, ""
        fetched = await self._fetch(domain, policy_id)
        if fetched.policy is None:
            return old, fetched.fault
        await self._save(fetched.policy)
        return fetched.policy, ""

    def _keep(self, domain: str, policy: MtaStsPolicy | None, fault: str) -> Found:
        found = Found(policy=policy, fault=fault, check_at=self._clock() + CHECK_EVERY)
        self._found[domain] = found
        self._found.move_to_end(domain)
        while len(self._found) > MAX_DOMAINS:
            self._found.popitem(last=False)
        return found

    def _valid(self, policy: MtaStsPolicy | None) -> MtaStsPolicy | None:
        return policy if policy is not None and policy.expires_at > self._clock() else None

    def _grows_old(self, policy: MtaStsPolicy) -> bool:
        lifetime = policy.expires_at - policy.fetched_at
        return self._clock() - policy.fetched_at >= min(REFRESH_AFTER, lifetime // 2)

    def _refresh(self, domain: str, policy_id: str) -> None:
        if domain not in self._refreshing:
            task = asyncio.ensure_future(self._fetch_again(domain, policy_id))
            self._refreshing[domain] = task
            task.add_done_callback(lambda _: self._refreshing.pop(domain, None))

    async def _fetch_again(self, domain: str, policy_id: str) -> None:
        """Fetches in the background. Where that fails, the policy at hand goes on to its end and the next look tries again."""
        fetched = await self._fetch(domain, policy_id)
        if fetched.policy is not None:
            await self._save(fetched.policy)
            self._keep(domain, fetched.policy, "")
