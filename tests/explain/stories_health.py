"""Stories that happened while a part of the service was not well."""

from collections.abc import Callable
from dataclasses import replace

from tests.explain.life import START, Life
from waybill.deliver.evidence import Failure
from waybill.model.clock import DAY, HOUR, MINUTE, SECOND, Instant
from waybill.model.health import HealthPeriod
from waybill.model.outcome import Stage

DEAD = "192.0.2.53:53 did not answer for firma.example MX within 3 s"
RESOLVER = HealthPeriod(
    part="resolver",
    state="failing",
    since=START - 2 * SECOND,
    until=START + 6 * MINUTE,
    evidence=f"DNS fails for 5 sites in a row, last for firma.example: {DEAD}",
)


def _part(part: str, state: str, since: Instant, until: Instant | None, evidence: str) -> HealthPeriod:
    return HealthPeriod(part=part, state=state, since=since, until=until, evidence=evidence)


def _unresolved() -> Life:
    return Life(health=(RESOLVER,)).failed(Failure.DNS_TIMEOUT, DEAD, Stage.ROUTE)


def _late() -> Life:
    life = _unresolved().wait_for_retry().failed(Failure.DNS_TIMEOUT, DEAD, Stage.ROUTE).wait_for_retry()
    return life.wait(2 * SECOND).answered("250 2.0.0 Ok: queued as 4F1", Stage.MESSAGE).wait(HOUR)


def _still_failing() -> Life:
    life = _unresolved().wait(30 * SECOND)
    life.health = (replace(RESOLVER, until=None),)
    return life


def _down() -> Life:
    stopped = START + 500
    life = Life(health=(_part("service", "failing", stopped, START + 20 * MINUTE, "it was stopped"),))
    return life.wait(20 * MINUTE).answered("250 2.0.0 Ok: queued as 4F1", Stage.MESSAGE).wait(HOUR)


def _beside() -> Life:
    disk = _part("disk", "degraded", START - DAY, None, "900 MB of 20.0 GB free at /var/lib/waybill")
    other = _part("publishing", "degraded", START - DAY, None, "12 events wait")
    life = Life(health=(disk, other))
    return life.answered("250 2.0.0 Ok: queued as 4F1", Stage.MESSAGE).wait(HOUR)


def _put_off_by_others() -> Life:
    """Greylisted while the resolver failed: the one has nothing to do with the other."""
    life = Life(health=(RESOLVER,)).answered("451 4.7.1 Greylisted, try again later").wait_for_retry()
    return life.answered("250 2.0.0 Ok: queued as 4F1", Stage.MESSAGE).wait(HOUR)


def _quick() -> Life:
    life = Life(health=(RESOLVER,))
    return life.answered("250 2.0.0 Ok: queued as 4F1", Stage.MESSAGE).wait(HOUR)


LIVES: dict[str, Callable[[], Life]] = {
    "accepted_by_receiver-after-resolver-failed": _late,
    "accepted_by_receiver-while-resolver-failed": _quick,
    "accepted_by_receiver-greylisted-while-resolver-failed": _put_off_by_others,
    "accepted_by_receiver-after-service-was-down": _down,
    "accepted_by_receiver-while-disk-was-short": _beside,
    "dns_failure-resolver-fails": _still_failing,
}
