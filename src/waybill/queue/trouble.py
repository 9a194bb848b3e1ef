"""What is wrong on our own side, told as soon as it is seen and as soon as it is over: store, resolver, network, queue."""

from collections.abc import Callable
from typing import TypeAlias

from waybill.model.cause import Cause, Responder
from waybill.model.outcome import Outcome, Result, Stage
from waybill.queue.egress import Egress

Watch: TypeAlias = Callable[[str, str | None], None]
"""Told of a part of the service by name, and what is wrong with it in words; None: it is well."""

STORE, RESOLVER, NETWORK, QUEUE = "store", "resolver", "network", "queue"

UNRESOLVED_SITES = 5
"""So many sites in a row, and none between them, whose DNS fails: then it is our resolver."""

UNREACHED_SITES = 20
"""So many sites in a row, and none between them, that cannot be connected to: then it is our network, or our port 25."""

_MOST_NAMED = 100
_NETWORK_DOWN = "failure-network-down"


class Trouble:
    """Watches how attempts and writes go. Says each trouble once, and once that it is over."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self.egress = Egress()
        self._now: dict[str, str] = {}
        self._unresolved: set[str] = set()
        self._unreached: set[str] = set()

    def store_fails(self, doing: str, error: Exception) -> None:
        """The store did not do something."""
        self._tell(STORE, f"the store is unavailable ({doing}): {error}")

    def store_works(self) -> None:
        """The store did something."""
        if STORE in self._now:
            self._over(STORE)

    def leases_lapsed(self, count: int) -> None:
        """Leases could not be prolonged in time: the worker, its clock or the store stood still for longer than they last."""
        self._tell(
            QUEUE, f"{count} leases ran out before they were prolonged; other workers may take the deliveries over"
        )

    def leases_renewed(self) -> None:
        """Leases were prolonged in time."""
        if QUEUE in self._now:
            self._over(QUEUE)

    def saw(self, site: str, outcome: Outcome) -> bool:
        """Takes in how an attempt ended. Whether its failure is our own trouble, and none of the site's."""
        if outcome.reply is not None or outcome.result is not Result.DEFERRED:
            if outcome.reply is not None:
                self.egress.answered(outcome.host, outcome.ip)
            if self._unresolved or self._unreached or self._now:
                self._reached()
            return False
        if outcome.rule == _NETWORK_DOWN:
            self._tell(NETWORK, f"this machine has no network: {outcome.diagnostic}")
            return True
        if outcome.responder is Responder.WAYBILL:
            return False
        if outcome.cause is Cause.DNS_FAILURE:
            _remember(self._unresolved, site)
            if len(self._unresolved) >= UNRESOLVED_SITES:
                self._tell(
                    RESOLVER,
                    f"DNS fails for {len(self._unresolved)} sites in a row, last for {site}: {outcome.diagnostic}",
                )
            return RESOLVER in self._now
        self._unresolved.clear()
        self._over(RESOLVER)
        if outcome.stage in (Stage.CONNECT, Stage.GREETING):
            self.egress.was_silent(site, outcome.diagnostic)
            _remember(self._unreached, site)
            if len(self._unreached) >= UNREACHED_SITES:
                self._tell(
                    NETWORK,
                    f"{len(self._unreached)} sites in a row cannot be reached, last {site}: {outcome.diagnostic}; "
                    "see whether this machine may connect to port 25 elsewhere",
                )
            return NETWORK in self._now
        return False

    def _reached(self) -> None:
        self._unresolved.clear()
        self._unreached.clear()
        self._over(RESOLVER)
        self._over(NETWORK)

    def _tell(self, part: str, problem: str) -> None:
        self._now[part] = problem
        self._watch(part, problem)

    def _over(self, part: str) -> None:
        if self._now.pop(part, None) is not None:
            self._watch(part, None)


def _remember(names: set[str], name: str) -> None:
    if len(names) < _MOST_NAMED:
        names.add(name)
