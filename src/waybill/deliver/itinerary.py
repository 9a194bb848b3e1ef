"""The way of one attempt through the hosts of a route: one address after the other, those that failed a moment ago last."""

from collections import deque
from collections.abc import Iterable, Sequence

from waybill.deliver.config import Source
from waybill.deliver.hosts import FailedHosts
from waybill.deliver.route import NoRoute, Route, Router
from waybill.model.clock import Instant
from waybill.net.smtp_target import Target


class Itinerary:
    """Names the next address to try. ``told`` gets a line for each that is passed over.

    ``idle`` are targets with an open connection: one to a host of the best preference is taken before its equals, since
    which of those comes first is a matter of chance anyway (RFC 5321 §5.1).
    """

    def __init__(
        self,
        *,
        router: Router,
        route: Route,
        senders: Sequence[Source],
        failed: FailedHosts,
        idle: Iterable[Target],
        told: list[str],
    ) -> None:
        self._router = router
        self._route = route
        self._senders = senders
        self._failed = failed
        self._mark = failed.mark
        self._told = told
        self._groups = deque(route.groups)
        self._hosts: deque[str] = deque()
        self._ready: deque[Target] = deque()
        self._rested: deque[tuple[Target, str]] = deque()
        self._started = False
        self._prefer = next((target for target in idle if target.host in route.groups[0]), None)
        self._missed: list[NoRoute] = []

    def take_missed(self) -> list[NoRoute]:
        """The hosts without a way that were met since the last call."""
        missed, self._missed = self._missed, []
        return missed

    async def next(self, now: Instant) -> Target | None:
        """The next address; None where there is no other."""
        while True:
            while self._ready:
                target = self._ready.popleft()
                words = self._failed.resting(target, now, self._mark)
                if words is None:
                    self._tell_rested()
                    return target
                self._rested.append((target, words))
                if self._started:
                    self._told.append(_skipped(target, words))
            if not await self._look_up():
                break
        self._groups.clear()
        return self._rested.popleft()[0] if self._rested else None

    async def _look_up(self) -> bool:
        """Finds the addresses of the next host; whether there is one."""
        if not self._hosts:
            if not self._groups:
                return False
            group = self._groups.popleft()
            home = await self._router.leads_home(self._route, group)
            if home is not None:
                self._missed.append(home)
                self._told.append(f"{home.host}: {home.text}")
                self._groups.clear()
                return False
            self._hosts.extend(group)
            if self._prefer is not None and self._prefer.host in group:
                self._hosts.remove(self._prefer.host)
                self._hosts.appendleft(self._prefer.host)
        host = self._hosts.popleft()
        prefer = self._prefer if self._prefer is not None and self._prefer.host == host else None
        found = await self._router.targets(self._route, host, self._senders, prefer=prefer)
        if isinstance(found, NoRoute):
            self._missed.append(found)
            self._told.append(f"{host}: {found.text}")
        else:
            self._ready.extend(found)
        return True

    def _tell_rested(self) -> None:
        """Once another is tried, those before it have been skipped; where there is no other, they are simply tried."""
        if not self._started:
            self._started = True
            self._told.extend(_skipped(target, words) for target, words in self._rested)


def _skipped(target: Target, words: str) -> str:
    return f"{target}: skipped, {words}"
