"""What a worker notices of its parts, collected: who has trouble with what, and since when."""

import logging
from collections.abc import Callable
from typing import Any, TypeVar, cast

from waybill.model.clock import Clock
from waybill.serve.health import PartHealth, State
from waybill.store.protocol import Store, StoreUnavailable

log = logging.getLogger(__name__)

T = TypeVar("T")

STATE_OF_TROUBLE = {
    "store": State.FAILING,
    "network": State.FAILING,
    "resolver": State.FAILING,
}
"""How bad it is where a part reports a problem; the others are degraded."""

_WELL = {
    "store": "what was written last is on disk",
    "queue": "it works",
    "network": "receivers can be reached",
    "egress": "nobody has been out of reach",
    "resolver": "it answers",
    "publishing": "events go out",
}
"""What is said of a part that works again."""

_UNTRIED = {
    **dict.fromkeys(_WELL, "no trouble seen since this worker began"),
    "egress": "nobody has been out of reach",
}
"""What is known of a part before there was any trouble, used or not."""


class Watch:
    """The parts of one worker. Reports are cheap, and only a change is logged."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        started = clock()
        self.parts: dict[str, PartHealth] = {
            name: PartHealth(state=State.OK, evidence=text, since=started) for name, text in _UNTRIED.items()
        }

    def __call__(self, part: str, problem: str | None) -> None:
        """A part has a problem, or none any more."""
        if problem is None:
            known = self.parts.get(part)
            if known is None or known.state is not State.OK:
                self.set(part, State.OK, _WELL.get(part, "it works"))
        else:
            self.set(part, STATE_OF_TROUBLE.get(part, State.DEGRADED), problem)

    def set(self, part: str, state: State, evidence: str) -> None:
        """How a part is; ``since`` moves with the state alone."""
        before = self.parts.get(part)
        since = before.since if before is not None and before.state is state else self._clock()
        self.parts[part] = PartHealth(state=state, evidence=evidence, since=since)
        if before is None or before.state is not state:
            if state is not State.OK:
                log.warning("part_in_trouble part=%s state=%s evidence=%s", part, state, evidence)
            elif before is not None:
                log.info("part_recovered part=%s evidence=%s", part, evidence)

    def is_well(self, part: str) -> bool:
        """Whether the part works as it should."""
        return self.parts[part].state is State.OK

    def of_queue(self, part: str, problem: str | None) -> None:
        """What the queue reports. That it could look something up does not mean that the store can be written again."""
        if part != "store" or problem is not None:
            self(part, problem)


_WRITES = frozenset({"accept", "settle", "settle_notices"})
_READS = frozenset({"claim", "claim_notices", "overdue", "renew", "find", "ledger"})


def watched(store: Store, watch: Watch) -> Store:
    """The store, which tells the watch when it cannot do something, and when something was written again."""
    return cast("Store", _WatchedStore(store, watch))


class _WatchedStore:
    def __init__(self, store: Store, watch: Watch) -> None:
        for name in dir(store):
            if not name.startswith("_"):
                method = getattr(store, name)
                watching = name in _WRITES or name in _READS
                setattr(self, name, _watching(method, watch, writes=name in _WRITES) if watching else method)


def _watching(method: Callable[..., Any], watch: Watch, *, writes: bool) -> Callable[..., Any]:
    async def call(*values: Any, **named: Any) -> Any:
        try:
            result = await method(*values, **named)
        except StoreUnavailable as error:
            watch("store", str(error))
            raise
        if writes:
            watch("store", None)
        return result

    return call
