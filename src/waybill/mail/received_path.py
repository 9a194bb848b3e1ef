"""The path of a received copy: its Received fields in order of time, whose clocks are off, and how long it was where."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from waybill.mail.header import Field
from waybill.mail.received import Hop, parse_received
from waybill.model.clock import Instant

MAX_HOPS = 100
"""Most Received fields that are looked at, the newest; servers give up at about 30 to 100 (RFC 5321 §6.3)."""

_NAMES = frozenset({"received", "x-received"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """A hop, and how it stands in time to those before it.

    ``delay_ms`` is the time since the last hop before it whose clock fits; None where this is the first, where it has no
    date, or where its clock is off. ``skew_ms`` is by how much at least its clock is off against the others: below zero it
    is behind, above it is ahead, None where it fits.
    """

    number: int
    hop: Hop
    place: int
    delay_ms: int | None = None
    skew_ms: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Path:
    """The steps, the oldest first. ``reversed_order``: the fields stood with the oldest on top, against RFC 5321 §4.1.1.4."""

    steps: tuple[Step, ...]
    reversed_order: bool = False
    left_out: int = 0

    @property
    def timed(self) -> tuple[Step, ...]:
        """The steps whose clocks fit together."""
        return tuple(step for step in self.steps if step.hop.at is not None and step.skew_ms is None)

    @property
    def total_ms(self) -> int | None:
        """The time from the first to the last hop that can be measured; None with fewer than two."""
        timed = self.timed
        return (timed[-1].hop.at or 0) - (timed[0].hop.at or 0) if len(timed) > 1 else None


def read_path(fields: Sequence[Field]) -> Path:
    """The path that a copy's header tells. ``place`` of a step is the field's place in the header."""
    found = [(place, each) for place, each in enumerate(fields) if each.name.lower() in _NAMES]
    hops = [(place, parse_received(each.value, each.name)) for place, each in found[:MAX_HOPS]]
    kept = _without_doubles(hops)
    turned = _is_turned(kept)
    ordered = kept if turned else kept[::-1]
    steps = _measure([Step(number=number, hop=hop, place=place) for number, (place, hop) in enumerate(ordered, 1)])
    return Path(steps=steps, reversed_order=turned, left_out=len(found) - len(hops))


def _without_doubles(found: Sequence[tuple[int, Hop]]) -> list[tuple[int, Hop]]:
    """Gmail writes the same hop as Received and as X-Received: one of them is enough."""
    real = {hop.raw for _, hop in found if hop.name.lower() == "received"}
    return [(place, hop) for place, hop in found if hop.name.lower() == "received" or hop.raw not in real]


def _is_turned(found: Sequence[tuple[int, Hop]]) -> bool:
    """Whether the oldest stands on top: all dates say so, and there are two different ones at least."""
    dates = [hop.at for _, hop in found if hop.at is not None]
    downwards = [later - earlier for earlier, later in pairwise(dates)]
    if not any(downwards) or any(step < 0 for step in downwards):
        return False
    return _handed_on(found) or len(dates) > 2


def _handed_on(found: Sequence[tuple[int, Hop]]) -> bool:
    """Whether a server lower down says that it had the message from one above it."""
    return any(
        above.by is not None and above.by.lower() in {str(below.sender).lower(), str(below.helo).lower()}
        for (_, above), (_, below) in pairwise(found)
    )


def _measure(steps: list[Step]) -> tuple[Step, ...]:
    """Finds the clocks that fit together (the longest run of dates that never goes back), and measures by them."""
    dated = [(index, step.hop.at) for index, step in enumerate(steps) if step.hop.at is not None]
    fitting = set(_longest_run([at for _, at in dated]))
    good = [index for position, (index, _) in enumerate(dated) if position in fitting]
    measured = list(steps)
    for before, after in pairwise(good):
        measured[after] = replace(steps[after], delay_ms=_at(steps[after]) - _at(steps[before]))
    for index, at in dated:
        if index in good:
            continue
        earlier = [_at(steps[one]) for one in good if one < index]
        later = [_at(steps[one]) for one in good if one > index]
        behind = at - earlier[-1] if earlier and at < earlier[-1] else 0
        ahead = at - later[0] if later and at > later[0] else 0
        measured[index] = replace(steps[index], skew_ms=behind or ahead)
    return tuple(measured)


def _at(step: Step) -> Instant:
    assert step.hop.at is not None
    return step.hop.at


def _longest_run(dates: Sequence[Instant]) -> list[int]:
    """Positions of a longest subsequence that never decreases (patience sorting)."""
    tails: list[int] = []
    values: list[Instant] = []
    before: list[int] = []
    for position, at in enumerate(dates):
        pile = bisect_right(values, at)
        before.append(tails[pile - 1] if pile else -1)
        if pile == len(tails):
            tails.append(position)
            values.append(at)
        else:
            tails[pile], values[pile] = position, at
    run: list[int] = []
    position = tails[-1] if tails else -1
    while position >= 0:
        run.append(position)
        position = before[position]
    return run[::-1]
