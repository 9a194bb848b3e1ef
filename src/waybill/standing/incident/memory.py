"""What is usual at a site: the share that fails, by hour of the week, how long it takes, how often it disowns known mailboxes."""

from dataclasses import dataclass, field

from waybill.model.clock import DAY, HOUR, Instant
from waybill.standing.incident.counts import DOWN, Answer, Cell, count_of, slowest_twentieth

NOTHING_KNOWN = 0.03
"""The share that fails at a site of which nothing is known yet."""

LEAST_USUAL = 0.005
REMEMBERED = 3_000
"""The usual share is that of about so many of the last messages."""

SLOT_GIVES = 0.3
"""How much of what an hour of the week is remembered by is its last occurrence."""

KNOWN_REFUSED = 0.0005
"""Of the answers of a site of which nothing is known, so many disown a recipient that took mail before."""

_SLOT_NEEDS = 50
_WEEK = 7 * 24
_FIRST_MONDAY = 4 * DAY  # 1970-01-01 was a Thursday
_TIMES_REMEMBERED = 60


@dataclass(kw_only=True, slots=True)
class Slot:
    """An hour of the week: the share that failed in it, and how many messages that rests on."""

    share: float
    messages: int


@dataclass(kw_only=True, slots=True)
class Memory:
    """What is remembered of a site. ``learned`` is the last minute that was taken in.

    ``ramp`` and ``few`` add up evidence for a slow rise and, where there is little mail, for a failure at all; ``slow`` counts
    minutes in a row that were much too slow. ``recent`` are the minutes of the last hour, where they have little
    mail; ``clean`` counts the answers since a known recipient was last refused. ``troubled``: an incident lasts; ``begins``: when the last one ended. ``hour``
    and its two counts are those of the hour that runs.
    """

    site: str
    usual: float = NOTHING_KNOWN
    messages: int = 0
    slots: dict[int, Slot] = field(default_factory=dict)
    hour: int = 0
    hour_messages: int = 0
    hour_failing: int = 0
    known_refused: float = KNOWN_REFUSED
    p95: float = 0.0
    p95_minutes: int = 0
    rules: dict[str, float] = field(default_factory=dict)
    ramp: float = 0.0
    ramp_since: Instant = 0
    ramp_messages: int = 0
    ramp_failing: int = 0
    few: float = 0.0
    few_since: Instant = 0
    slow: int = 0
    slow_since: Instant = 0
    recent: list[Cell] = field(default_factory=list)
    clean: int = 0
    learned: Instant = 0
    troubled: bool = False
    begins: Instant = 0

    def usual_at(self, at: Instant) -> float:
        """The share of failures that is usual at this hour of the week: the higher of that hour's and of the last days'."""
        slot = self.slots.get(hour_of_week(at))
        share = self.usual if slot is None or slot.messages < _SLOT_NEEDS else max(self.usual, slot.share)
        return min(0.9, max(LEAST_USUAL, share))


def hour_of_week(at: Instant) -> int:
    """0 for the hour that begins a Monday, UTC."""
    return (at - _FIRST_MONDAY) // HOUR % _WEEK


def learn(memory: Memory, cell: Cell) -> None:
    """Takes in a minute in which nothing unusual happened."""
    messages = sum(cell.answers.values())
    failing = count_of(cell.answers, DOWN)
    if messages:
        weight = messages / (messages + min(REMEMBERED, 200 + memory.messages))
        memory.usual += weight * (failing / messages - memory.usual)
        memory.messages = min(REMEMBERED, memory.messages + messages)
        answered = messages + sum(cell.again.values())
        rate = len(cell.known_refused) / answered
        memory.known_refused += answered / (answered + 20_000) * (rate - memory.known_refused)
        _learn_rules(memory, cell, messages)
    _learn_hour(memory, cell.minute, messages, failing)
    taken = cell.answers.get(Answer.OK, 0)
    if taken:
        _learn_times(memory, slowest_twentieth(cell.times), taken)


def _learn_rules(memory: Memory, cell: Cell, messages: int) -> None:
    weight = messages / (messages + REMEMBERED)
    for rule in memory.rules.keys() | cell.rules.keys():
        before = memory.rules.get(rule, 0.0)
        memory.rules[rule] = before + weight * (cell.rules.get(rule, 0) / messages - before)
    for rule in [name for name, share in memory.rules.items() if share < 1e-5]:
        del memory.rules[rule]


def _learn_hour(memory: Memory, minute: Instant, messages: int, failing: int) -> None:
    hour = minute // HOUR
    if hour != memory.hour:
        if memory.hour_messages:
            place = hour_of_week(memory.hour * HOUR)
            share = memory.hour_failing / memory.hour_messages
            before = memory.slots.get(place)
            if before is not None:
                share = before.share + SLOT_GIVES * (share - before.share)
            count = memory.hour_messages + (before.messages if before is not None else 0)
            memory.slots[place] = Slot(share=share, messages=min(count, REMEMBERED))
        memory.hour, memory.hour_messages, memory.hour_failing = hour, 0, 0
    memory.hour_messages += messages
    memory.hour_failing += failing


def _learn_times(memory: Memory, p95: int, taken: int) -> None:
    """A minute with little mail has a chance slowest twentieth, and counts for less."""
    if memory.p95_minutes == 0:
        memory.p95 = float(p95)
    weight = min(1.0, taken / 20) / min(_TIMES_REMEMBERED, memory.p95_minutes + 1)
    memory.p95 += weight * (p95 - memory.p95)
    memory.p95_minutes = min(_TIMES_REMEMBERED, memory.p95_minutes + 1)
