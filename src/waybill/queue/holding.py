"""The deliveries that a worker holds under lease: which wait, how large they are, and until when they are its own."""

from collections import deque
from collections.abc import Iterable

from waybill.model.clock import Instant
from waybill.store.protocol import Claim


class Holding:
    """What a worker holds. A delivery is held once, however often it is offered."""

    def __init__(self) -> None:
        self._held: dict[int, Claim] = {}
        self._until: dict[int, Instant] = {}
        self._waiting: deque[Claim] = deque()
        self.octets = 0

    def __len__(self) -> int:
        return len(self._held)

    def ids(self) -> tuple[int, ...]:
        """The deliveries held, waiting or being attempted."""
        return tuple(self._held)

    def add(self, claim: Claim) -> None:
        """Takes a delivery; one that is held already stays as it is, so that it is never attempted twice at once."""
        delivery = claim.delivery
        if delivery.id in self._held:
            return
        self._held[delivery.id] = claim
        self._until[delivery.id] = delivery.lease_until or 0
        self._waiting.append(claim)
        self.octets += len(claim.content)

    def next_waiting(self) -> Claim | None:
        """The delivery that has waited longest, which now is to be attempted; None where nothing waits."""
        return self._waiting.popleft() if self._waiting else None

    def drop(self, claim: Claim) -> None:
        """Lets go of a delivery."""
        if self._held.pop(claim.delivery.id, None) is not None:
            del self._until[claim.delivery.id]
            self.octets -= len(claim.content)

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
        lapsed = [claim for claim in self._waiting if self.has_lapsed(claim, now)]
        if lapsed:
            self._waiting = deque(claim for claim in self._waiting if not self.has_lapsed(claim, now))
            for claim in lapsed:
                self.drop(claim)
        return len(lapsed)
