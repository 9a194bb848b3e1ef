"""The deliveries that a worker holds under lease: which wait, how large they are, and until when they are its own."""

from collections import Counter, deque
from collections.abc import Callable, Iterable

from waybill.model.clock import Instant
from waybill.store.protocol import Claim


class Holding:
    """What a worker holds. A delivery is held once, however often it is offered; domains take turns."""

    def __init__(self) -> None:
        self._held: dict[int, Claim] = {}
        self._until: dict[int, Instant] = {}
        self._waiting: dict[str, deque[Claim]] = {}
        self._by_domain: Counter[str] = Counter()
        self._under_way: Counter[str] = Counter()
        self.octets = 0

    def __len__(self) -> int:
        return len(self._held)

    def ids(self) -> tuple[int, ...]:
        """The deliveries held, waiting or being attempted."""
        return tuple(self._held)

    def held_for(self, domain: str) -> int:
        """How many are held for a recipient domain."""
        return self._by_domain[domain]

    def domains_with(self, share: int) -> tuple[str, ...]:
        """The domains that hold ``share`` deliveries or more."""
        return tuple(domain for domain, held in self._by_domain.items() if held >= share)

    def add(self, claim: Claim) -> None:
        """Takes a delivery; one that is held already stays as it is, so that it is never attempted twice at once."""
        delivery = claim.delivery
        if delivery.id in self._held:
            return
        domain = delivery.domain
        self._held[delivery.id] = claim
        self._until[delivery.id] = delivery.lease_until or 0
        self._by_domain[domain] += 1
        self._waiting.setdefault(domain, deque()).append(claim)
        self.octets += len(claim.content)

    def next_waiting(self, at_once: Callable[[str], int]) -> Claim | None:
        """The delivery whose turn it is, which now is to be attempted; None where nothing may begin.

        Domains take turns, each up to ``at_once`` attempts under way; within a domain, what has waited longest is first.
        """
        for domain in self._waiting:
            if self._under_way[domain] < at_once(domain):
                waiting = self._waiting.pop(domain)
                claim = waiting.popleft()
                if waiting:
                    self._waiting[domain] = waiting  # behind the others
                self._under_way[domain] += 1
                return claim
        return None

    def drop(self, claim: Claim) -> None:
        """Lets go of a delivery that was attempted."""
        domain = claim.delivery.domain
        _less(self._under_way, domain)
        self._let_go(claim, domain)

    def renewed(self, ids: Iterable[int], until: Instant) -> None:
        """The leases on these were prolonged."""
        for delivery_id in ids:
            if delivery_id in self._until:
                self._until[delivery_id] = until

    def has_lapsed(self, claim: Claim, now: Instant) -> bool:
        """Whether another worker may have taken it over."""
        return self._until[claim.delivery.id] <= now

    def drop_lapsed(self, now: Instant) -> int:
        """Lets go of what waits and may have been taken over; how many there were."""
        lapsed = [claim for waiting in self._waiting.values() for claim in waiting if self.has_lapsed(claim, now)]
        for domain in {claim.delivery.domain for claim in lapsed}:
            kept = deque(claim for claim in self._waiting.pop(domain) if not self.has_lapsed(claim, now))
            if kept:
                self._waiting[domain] = kept
        for claim in lapsed:
            self._let_go(claim, claim.delivery.domain)
        return len(lapsed)

    def _let_go(self, claim: Claim, domain: str) -> None:
        if self._held.pop(claim.delivery.id, None) is not None:
            del self._until[claim.delivery.id]
            _less(self._by_domain, domain)
            self.octets -= len(claim.content)


def _less(counts: Counter[str], domain: str) -> None:
    counts[domain] -= 1
    if counts[domain] <= 0:
        del counts[domain]
