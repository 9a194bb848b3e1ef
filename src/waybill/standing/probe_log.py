"""The stages of a walk, written down as they end, while several hosts are walked to at once."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from waybill.model.clock import Clock, Instant
from waybill.model.probe import ProbeStep, Step

MOST_SHOWN = 500
"""Characters of what was said at one stage."""

Told: TypeAlias = Callable[[ProbeStep], None]
"""Hears of a stage that is over."""


class WalkLog:
    """What happened so far."""

    def __init__(self, *, clock: Clock, told: Told) -> None:
        self._clock = clock
        self._told = told
        self._taken: list[ProbeStep] = []

    def add(
        self, step: Step, began: Instant, *, ok: bool, text: str, host: str | None = None, ip: str | None = None
    ) -> None:
        """Writes down a stage that ends now."""
        taken = ProbeStep(
            step=step, at=began, ms=max(0, self._clock() - began), ok=ok, text=text[:MOST_SHOWN], host=host, ip=ip
        )
        self._taken.append(taken)
        self._told(taken)

    def in_order(self, hosts: Sequence[str]) -> tuple[ProbeStep, ...]:
        """What is about the domain first, then host by host."""
        places = {host: place for place, host in enumerate(hosts)}
        return tuple(sorted(self._taken, key=lambda taken: places.get(taken.host, -1) if taken.host else -1))
