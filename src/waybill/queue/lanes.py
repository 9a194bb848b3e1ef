"""The deliveries that a worker holds under lease, in lanes: one for each site, in which accounts take turns."""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from heapq import heappop, heappush

from waybill.deliver.provider import Site
from waybill.model.clock import MINUTE, SECOND, Instant
from waybill.model.resource import Suspension
from waybill.queue.bucket import Bucket
from waybill.queue.pace import Pace
from waybill.store.protocol import Claim

MOST_LANES = 10_000


class Lane:
    """What waits for one site, by account, and how fast it may go."""

    __slots__ = (
        "_suspended_pace",
        "domains",
        "held",
        "pace",
        "parked",
        "played",
        "site",
        "suspension",
        "under_way",
        "waiting",
    )

    def __init__(self, site: Site, pace: Pace, *, played: bool = False) -> None:
        self.site = site
        self.pace = pace
        self.played = played
        self.waiting: dict[str, deque[Claim]] = {}
        self.parked: dict[str, None] = {}  # accounts whose turn came while nothing might begin
        self.domains: set[str] = set()  # of what was added since the lane was last empty
        self.held = 0  # waiting or under way
        self.under_way = 0
        self.suspension: Suspension | None = None
        self._suspended_pace: Bucket | None = None

    def suspend(self, suspension: Suspension | None, workers: int) -> None:
        """Puts a suspension in force, or ends it."""
        if self.suspension is not None and suspension is None:
            self.pace.slow_start()
        self.suspension = suspension
        rate = suspension.per_minute / workers if suspension is not None else 0
        self._suspended_pace = Bucket(rate * SECOND / MINUTE) if rate else None

    def is_stopped(self, now: Instant) -> bool:
        """Whether nothing may begin for longer: what waits is to be held."""
        suspension = self.suspension
        if suspension is not None and not suspension.per_minute and suspension.holds(now):
            return True
        return self.pace.rest is not None and now < self.pace.rest.until

    def room(self, now: Instant) -> int:
        """How many more may begin, whatever the rate."""
        return 0 if self.is_stopped(now) else self.pace.room(now) - self.under_way

    def ready_at(self, now: Instant) -> Instant:
        """When the next may begin, as far as rates go."""
        at = self.pace.ready_at(now)
        slowed, suspension = self._suspended_pace, self.suspension
        if slowed is not None and suspension is not None and suspension.holds(now):
            at = max(at, slowed.ready_at(now))
        return at

    def begin(self, now: Instant) -> None:
        """An attempt begins."""
        self.under_way += 1
        self.pace.begin(now)
        if self._suspended_pace is not None:
            self._suspended_pace.take(now)


class Lanes:
    """All that a worker holds. A delivery is held once, however often it is offered.

    Accounts take turns; at its turn an account goes on with its next site; within a site, what has waited longest is
    first. Whatever cannot begin is out of the turn until a place is free or its time has come, so that a turn costs the
    same however many sites are waited for.
    """

    def __init__(self, most_of_account: int) -> None:
        self._most_of_account = most_of_account
        self._lanes: dict[str, Lane] = {}
        self._held: dict[int, Claim] = {}
        self._until: dict[int, Instant] = {}
        self._unresolved: dict[str, list[Claim]] = {}
        self._accounts: Counter[str] = Counter()
        self._under_way: Counter[str] = Counter()
        self._turns: dict[str, dict[Lane, None]] = {}
        self._out_of_turn: dict[str, dict[Lane, None]] = {}  # of accounts with as many under way as one may have
        self._wakes: list[tuple[Instant, int, Lane]] = []
        self._waking: set[Lane] = set()
        self._serial = 0
        self.octets = 0

    def __len__(self) -> int:
        return len(self._held)

    def __iter__(self) -> Iterator[Lane]:
        return iter(list(self._lanes.values()))

    def ids(self) -> tuple[int, ...]:
        """The deliveries held, waiting or being attempted."""
        return tuple(self._held)

    def lane(self, name: str) -> Lane | None:
        """The lane of the site."""
        return self._lanes.get(name)

    def open(self, lane: Lane) -> None:
        """Takes a new lane; of the others the oldest with nothing in it is forgotten where there are too many."""
        if len(self._lanes) >= MOST_LANES:
            idle = next((name for name, each in self._lanes.items() if not each.held and not each.suspension), None)
            if idle is not None:
                del self._lanes[idle]
        self._lanes[lane.site.name] = lane

    def held_for_domain(self, domain: str) -> int:
        """How many wait until it is known to which site the domain's mail goes."""
        unresolved = self._unresolved.get(domain)
        return len(unresolved) if unresolved else 0

    def held_of(self, account: str) -> int:
        """How many are held of an account."""
        return self._accounts[account]

    def accounts_with(self, share: int) -> tuple[str, ...]:
        """The accounts of which so many are held, or more."""
        return tuple(account for account, held in self._accounts.items() if held >= share)

    def domains_with(self, share: int) -> tuple[str, ...]:
        """The domains of the sites for which so many are held, or more."""
        full = [domain for lane in self._lanes.values() if lane.held >= share for domain in lane.domains]
        full += [domain for domain, claims in self._unresolved.items() if len(claims) >= share]
        return tuple(full)

    def take(self, claim: Claim) -> bool:
        """Takes a delivery, into no lane yet; whether it was not held already: then it must not be attempted again."""
        delivery = claim.delivery
        if delivery.id in self._held:
            return False
        self._held[delivery.id] = claim
        self._until[delivery.id] = delivery.lease_until or 0
        self._accounts[delivery.account] += 1
        self.octets += len(claim.content)
        return True

    def wait_for_site(self, claim: Claim) -> bool:
        """Sets a delivery aside until its site is known; whether it is the first of its domain."""
        domain = claim.delivery.domain
        waiting = self._unresolved.setdefault(domain, [])
        waiting.append(claim)
        return len(waiting) == 1

    def site_is_known(self, domain: str, lane: Lane) -> None:
        """Puts what waited for the domain's site into its lane."""
        for claim in self._unresolved.pop(domain, ()):
            self.put(claim, lane)

    def put(self, claim: Claim, lane: Lane) -> None:
        """Puts a delivery that was taken into its lane."""
        if not lane.held:
            lane.domains.clear()
        account = claim.delivery.account
        lane.held += 1
        lane.domains.add(claim.delivery.domain)
        waiting = lane.waiting.get(account)
        if waiting is not None:
            waiting.append(claim)
            return
        lane.waiting[account] = deque((claim,))
        lane.parked.pop(account, None)  # from before it was emptied
        self._turn(account, lane)

    def next_to_begin(self, now: Instant) -> tuple[Claim, Lane] | None:
        """The delivery whose turn it is, which now is to be attempted, and its lane; None where nothing may begin."""
        self._wake(now)
        turns = self._turns
        while turns:
            account = next(iter(turns))
            lanes = turns.pop(account)
            if self._under_way[account] >= self._most_of_account:
                self._out_of_turn[account] = lanes
                continue
            lane = next(iter(lanes))
            del lanes[lane]
            waiting = lane.waiting.get(account)
            found = None
            if waiting is not None:
                if lane.room(now) > 0 and lane.ready_at(now) <= now:
                    found = waiting.popleft()
                    if waiting:
                        lanes[lane] = None  # behind the account's others
                    else:
                        del lane.waiting[account]
                else:
                    self._park(account, lane, now)
            if lanes:
                turns[account] = lanes  # behind the others
            if found is not None:
                self._under_way[account] += 1
                lane.begin(now)
                return found, lane
        return None

    def wakes_at(self) -> Instant | None:
        """When something may begin that may not now, if only time stands in its way."""
        return self._wakes[0][0] if self._wakes else None

    def place_free(self, claim: Claim, lane: Lane, now: Instant) -> None:
        """An attempt has ended: another may begin there, and another of its account."""
        account = claim.delivery.account
        _less(self._under_way, account)
        lanes = self._out_of_turn.pop(account, None)
        if lanes is not None:
            self._turns[account] = lanes
        lane.under_way -= 1
        self.unpark(lane, lane.room(now))

    def unpark(self, lane: Lane, places: int) -> None:
        """Gives so many accounts that wait for a place in the lane their turn, the longest waiting first."""
        while places > 0 and lane.parked:
            account = next(iter(lane.parked))
            del lane.parked[account]
            if account in lane.waiting:
                self._turn(account, lane)
                places -= 1

    def unpark_all(self, now: Instant) -> None:
        """Looks through all lanes for places that are free and nobody's turn: what a setting or a clock has changed."""
        for lane in self._lanes.values():
            if lane.parked:
                self.unpark(lane, lane.room(now))

    def drop(self, claim: Claim, lane: Lane | None) -> None:
        """Lets go of a delivery that has ended, is held, or is another's now."""
        if self._held.pop(claim.delivery.id, None) is None:
            return
        del self._until[claim.delivery.id]
        _less(self._accounts, claim.delivery.account)
        self.octets -= len(claim.content)
        if lane is not None:
            lane.held -= 1

    def renewed(self, ids: Iterable[int], until: Instant) -> None:
        """The leases on these were prolonged."""
        for delivery_id in ids:
            if delivery_id in self._until:
                self._until[delivery_id] = until

    def has_lapsed(self, claim: Claim, now: Instant) -> bool:
        """Whether another worker may have taken it over."""
        return self._until[claim.delivery.id] <= now

    def take_lapsed(self, now: Instant) -> list[tuple[Claim, Lane | None]]:
        """What waits and may have been taken over by another worker, out of its lane; the caller drops it."""
        return self._sift(lambda claim: self.has_lapsed(claim, now))

    def take_expired(self, now: Instant) -> list[tuple[Claim, Lane | None]]:
        """What waits and has run out of time, out of its lane; the caller ends it and drops it."""
        return self._sift(lambda claim: claim.delivery.expires_at <= now)

    def take_waiting(self, lane: Lane, most: int) -> list[Claim]:
        """At most so many of those that wait in the lane, out of it; the caller drops them when they are settled."""
        taken: list[Claim] = []
        while lane.waiting and len(taken) < most:
            account, waiting = next(iter(lane.waiting.items()))
            while waiting and len(taken) < most:
                taken.append(waiting.popleft())
            if not waiting:
                del lane.waiting[account]
        return taken

    def _sift(self, wanted: Callable[[Claim], bool]) -> list[tuple[Claim, Lane | None]]:
        found: list[tuple[Claim, Lane | None]] = []
        for lane in self._lanes.values():
            for account, waiting in list(lane.waiting.items()):
                hits = [claim for claim in waiting if wanted(claim)]
                if hits:
                    found += [(claim, lane) for claim in hits]
                    lane.waiting[account] = deque(claim for claim in waiting if not wanted(claim))
                    if not lane.waiting[account]:
                        del lane.waiting[account]
        for domain, claims in list(self._unresolved.items()):
            found += [(claim, None) for claim in claims if wanted(claim)]
            self._unresolved[domain] = [claim for claim in claims if not wanted(claim)]
        return found

    def _turn(self, account: str, lane: Lane) -> None:
        turns = self._out_of_turn if account in self._out_of_turn else self._turns
        turns.setdefault(account, {})[lane] = None

    def _park(self, account: str, lane: Lane, now: Instant) -> None:
        lane.parked[account] = None
        if lane in self._waking or lane.is_stopped(now):
            return  # a stopped lane is emptied
        at = lane.ready_at(now)
        if at > now:
            self._waking.add(lane)
            self._serial += 1
            heappush(self._wakes, (at, self._serial, lane))

    def _wake(self, now: Instant) -> None:
        while self._wakes and self._wakes[0][0] <= now:
            lane = heappop(self._wakes)[2]
            self._waking.discard(lane)
            self.unpark(lane, lane.room(now))


def _less(counts: Counter[str], name: str) -> None:
    counts[name] -= 1
    if counts[name] <= 0:
        del counts[name]
