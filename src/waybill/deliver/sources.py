"""From which of our addresses a message may go now: its pool's, and of those that are warming up the ones with some of their day left."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TypeAlias

from waybill.deliver.config import Source
from waybill.deliver.warm_up import CURVE
from waybill.model.clock import DAY, MINUTE, Instant
from waybill.model.ip import is_loopback
from waybill.model.record import record
from waybill.model.resource import DedicatedIp

SentFrom: TypeAlias = Callable[[str, str, Instant], Awaitable[int | None]]
"""How many deliveries were attempted from an address to a site since then, by all workers; None: that cannot be read now."""

DEFAULT_POOL = "ses-default-dedicated-pool"
NO_POOL = frozenset({DEFAULT_POOL, "ses-shared-pool"})
"""What Amazon SES calls the addresses that are in no pool of the account's own."""

EMPTY_POOL_FOR = MINUTE
SYSTEM = Source(ip="")
"""The address that the kernel chooses, where none is configured."""


@record(frozen=True, kw_only=True, slots=True)
class Hold:
    """Why a message may not go now. ``limit`` is what holds it, ``by`` who, ``until`` when it is worth looking again."""

    limit: str
    by: str
    text: str
    until: Instant | None


def pool_of(account: str, name: str | None) -> str | None:
    """How Parcel and Sources name an account's pool (two accounts may each have one of that name); None: no pool."""
    return None if name is None or name in NO_POOL else f"{account}/{name}"


class Sources:
    """Our addresses by pool, and what the warming ones have sent today.

    ``workers`` share a day's cap as they share a site's connections. ``update`` tells which address is in which pool, and
    since when it is warming up; ``prepare`` asks ``sent_from`` what was sent before this process began.
    """

    def __init__(self, sources: Sequence[Source] = (), *, workers: int = 1) -> None:
        self._sources = {source.ip: source for source in sources}
        self._workers = max(1, workers)
        self._pools: dict[str | None, tuple[Source, ...]] = {None: tuple(sources) or (SYSTEM,)}
        self._warming: dict[str, Instant] = {}
        self._today = 0
        self._used: dict[tuple[str, str], int] = {}
        self._read: set[tuple[str, str]] = set()
        self.sent_from: SentFrom | None = None

    @property
    def ips(self) -> tuple[str, ...]:
        """The configured addresses."""
        return tuple(self._sources)

    def update(self, records: Iterable[DedicatedIp]) -> None:
        """What is stored of the addresses. Those that are not configured (any more) do not count."""
        pools: dict[str | None, list[Source]] = {None: []}
        known = {record.name: record for record in records if record.name in self._sources}
        for ip, source in self._sources.items():
            stored = known.get(ip)
            pool = pool_of(stored.owner, stored.pool) if stored is not None else None
            pools.setdefault(pool, []).append(source)
        if not self._sources:
            pools[None].append(SYSTEM)
        self._pools = {pool: tuple(members) for pool, members in pools.items()}
        self._warming = {ip: stored.warm_up_from for ip, stored in known.items() if stored.warm_up_from is not None}

    async def ask(self, pool: str | None, site: str, now: Instant) -> Hold | None:
        """The same as ``hold``, once it is known what was sent before this process began."""
        await self.prepare(pool, site, now)
        return self.hold(pool, site, now)

    def hold(self, pool: str | None, site: str, now: Instant) -> Hold | None:
        """Why nothing of the pool may go to the site now; None where it may."""
        found = self.eligible(pool, site, now)
        return found if isinstance(found, Hold) else None

    def eligible(self, pool: str | None, site: str, now: Instant) -> tuple[Source, ...] | Hold:
        """The addresses from which a message of the pool may go to the site now."""
        members = self._pools.get(pool, ())
        if not members:
            return Hold(limit="sending pool", by="sending-pool", text=_empty(pool), until=now + EMPTY_POOL_FOR)
        if not self._warming:
            return members
        left = tuple(source for source in members if self._left(source.ip, site, now) > 0)
        if left:
            return left
        midnight = (now // DAY + 1) * DAY
        return Hold(limit="warm-up", by="warm-up", text=self._used_up(members, site, now), until=midnight)

    def count(self, ip: str, site: str, now: Instant, more: int = 1) -> None:
        """Counts a message from the address to the site; the Deliverer does so for every message that it sends."""
        if ip in self._warming:
            self._turn_over(now)
            self._used[ip, site] = max(0, self._used.get((ip, site), 0) + more)

    async def prepare(self, pool: str | None, site: str, now: Instant) -> None:
        """Reads what the pool's warming addresses had sent to the site today, once for each of them and this process."""
        if not self._warming or self.sent_from is None:
            return
        self._turn_over(now)
        for source in self._pools.get(pool, ()):
            key = (source.ip, site)
            if source.ip in self._warming and key not in self._read:
                total = await self.sent_from(*key, now // DAY * DAY)
                if total is not None:
                    self._read.add(key)
                    self._used[key] = max(self._used.get(key, 0), -(-total // self._workers))

    def _left(self, ip: str, site: str, now: Instant) -> int:
        begun = self._warming.get(ip)
        cap = CURVE.cap(begun, now) if begun is not None else None
        if cap is None:
            return 1
        self._turn_over(now)
        return max(1, cap // self._workers) - self._used.get((ip, site), 0)

    def _turn_over(self, now: Instant) -> None:
        if now // DAY != self._today:
            self._today = now // DAY
            self._used.clear()
            self._read.clear()

    def _used_up(self, members: Sequence[Source], site: str, now: Instant) -> str:
        parts = []
        for source in members:
            begun = self._warming[source.ip]
            parts.append(
                f"{source.ip} (day {CURVE.day(begun, now)} of {CURVE.days}) may send {CURVE.cap(begun, now)} messages to {site} today"
            )
        return f"Every address that this message may go from is warming up and has used its day: {'; '.join(parts)}"


def same_each_time(senders: Sequence[Source], delivery_id: int) -> tuple[Source, ...]:
    """One address of each kind: every attempt of a delivery gets the same, as long as the same may be used.

    Greylisting remembers address, sender and recipient; a retry from another address begins it anew.
    """
    kinds: dict[tuple[bool, bool], list[Source]] = {}
    for source in senders:
        kinds.setdefault((source.is_v6, is_loopback(source.ip)), []).append(source)
    return tuple(members[delivery_id % len(members)] for members in kinds.values())


def _empty(pool: str | None) -> str:
    if pool is None:
        return "Every source address is in a dedicated pool, and this message's configuration set names none"
    name = pool.partition("/")[2]
    return f"The pool {name}, which the configuration set sends from, has no address; its mail goes from no other"
