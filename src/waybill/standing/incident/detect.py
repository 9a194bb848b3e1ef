"""The detector: from the counts of the last minutes and what is usual, what fails and whose fault it is. Pure but for its memory.

Every threshold is a starting value that was calibrated on replayed series (docs/incidents.md has the figures).
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from waybill.model.clock import MINUTE, SECOND, Instant
from waybill.model.incident import OURS, Figures, IncidentKind
from waybill.model.record import record
from waybill.standing.incident.attribute import blocked, others_answer, spread, whole_service
from waybill.standing.incident.chance import beta_binomial_tail, evidence_of
from waybill.standing.incident.closing import ONE_REPLY
from waybill.standing.incident.counts import DOWN, Answer, Cell, count_of, merge, slowest_twentieth
from waybill.standing.incident.disowned import disowns, remember_refusals
from waybill.standing.incident.finding import Finding, figures_of
from waybill.standing.incident.memory import NOTHING_KNOWN, Memory, learn

WINDOW = 10 * MINUTE
"""How far back the tests look."""

SHORT = 3 * MINUTE
GRACE = 20 * SECOND
"""A minute is complete when so much time has passed since its end: by then every worker has written its counts."""

STRENGTH = 60.0
"""The usual share is taken to be known as well as from so many messages: more would call every clump of failures an incident."""

CHANCE = 1e-7
LEAST_SHARE = 0.15
LEAST_MESSAGES = 30
LEAST_FAILING = 12

RAMP_EVIDENCE = 40.0
RAMP_MINUTES = 6
RAMP_SHARE = 0.10
MOST_A_MINUTE = 30
"""In one minute no more messages than these count as evidence for a rise: what fails in one minute fails together."""

FEW_EVIDENCE = 14.0
FEW_BAD = 0.5

SLOW_FACTOR = 5
SLOW_LEAST = 5_000
SLOW_MINUTES = 3
SLOW_MESSAGES = 15

BURST_SHARE = 0.5
BURST_FACTOR = 10
BURST_SENDERS = 3

_RESTARTS = 15 * MINUTE
_FORGETS_FEW = 60 * MINUTE


@record(frozen=True, kw_only=True, slots=True)
class Sight:
    """A site at a moment: its last ten and its last three minutes, what is usual there, and all sites' for comparison."""

    site: str
    long: Cell
    short: Cell
    memory: Memory
    at: Instant

    @property
    def usual(self) -> float:
        """The share of failures that is usual now."""
        return self.memory.usual_at(self.at)


class Detector:
    """``memories`` are what was remembered of each site; ``look`` takes in each minute once, when it is complete."""

    def __init__(self, memories: Iterable[Memory] = ()) -> None:
        self.memories: dict[str, Memory] = {memory.site: memory for memory in memories}

    def look(self, cells: Sequence[Cell], now: Instant, troubled: Collection[str] = ()) -> list[Finding]:
        """What is wrong now, by the cells of the last ten minutes (of any worker, in any order).

        ``troubled`` names sites at which an incident is open: what they do meanwhile is not learned as usual. The empty name
        says that our own side is in trouble: then no site is to blame.
        """
        self._forget({cell.site for cell in cells}, troubled, now)
        by_site: dict[str, list[Cell]] = {}
        for cell in cells:
            if max(now - WINDOW, self._begins(cell.site)) < cell.minute + MINUTE and cell.minute <= now:
                by_site.setdefault(cell.site, []).append(cell)
        sights = [self._sight(site, own, now) for site, own in by_site.items()]
        found = whole_service(by_site, now)
        ours = "" in troubled or any(each.kind in OURS for each in found)
        for sight in sights:
            suspicious = False
            if not ours:
                here = self._test(sight, [other.short for other in sights if other is not sight])
                suspicious = bool(here)
                found.extend(here)
            self._take_in(sight, by_site[sight.site], learns=not (suspicious or ours or sight.site in troubled))
        return found

    def _begins(self, site: str) -> Instant:
        """What was counted before is of an incident that is over."""
        return self.memories[site].begins

    def _forget(self, sites: Iterable[str], troubled: Collection[str], now: Instant) -> None:
        """What an incident shows must not, once it has ended, look like the beginning of another."""
        for site in sites:
            memory = self.memories.setdefault(site, Memory(site=site))
            was, memory.troubled = memory.troubled, "" in troubled or site in troubled
            if memory.troubled:
                memory.ramp = memory.few = 0.0
                memory.slow = 0
                memory.recent = []
            elif was:
                memory.begins = now

    def _sight(self, site: str, own: list[Cell], now: Instant) -> Sight:
        long = merge(own)
        short = merge(cell for cell in own if now - SHORT < cell.minute + MINUTE)
        memory = self.memories[site]
        assert long is not None
        return Sight(site=site, long=long, short=short or Cell(minute=now, site=site), memory=memory, at=now)

    def _test(self, sight: Sight, elsewhere: list[Cell]) -> list[Finding]:
        block = blocked(sight.long)
        found = [block] if block is not None else []
        known = disowns(sight.long, sight.memory, sight.at)
        if known is not None:
            since = sight.long.minute
            return [*found, _finding(IncidentKind.FALSE_RECIPIENT_REJECTS, sight, since=since, figures=known)]
        if block is not None or not others_answer(elsewhere):
            return found
        burst = _bursts(sight, sight.short) or _bursts(sight, sight.long)
        down = _down(sight) or _rises(sight) or burst or _slow(sight) or _few(sight)
        return [*found, down] if down is not None else found

    def _take_in(self, sight: Sight, own: list[Cell], *, learns: bool) -> None:
        memory = sight.memory
        complete = sight.at - GRACE - MINUTE
        minutes = sorted({cell.minute for cell in own if memory.learned < cell.minute <= complete})
        for minute in minutes:
            cell = merge(one for one in own if one.minute == minute)
            assert cell is not None
            _add_evidence(memory, cell)
            remember_refusals(memory, cell)
            if learns and memory.ramp < RAMP_EVIDENCE / 3 and not memory.slow:
                learn(memory, cell)
            memory.learned = minute


def _add_evidence(memory: Memory, cell: Cell) -> None:
    """Adds a complete minute to the sums for a slow rise, for little mail, and to the minutes that are too slow."""
    messages, failing = sum(cell.answers.values()), count_of(cell.answers, DOWN)
    usual = memory.usual_at(cell.minute)
    if messages:
        bad = min(0.95, max(3 * usual, usual + 0.1))
        scale = min(1.0, MOST_A_MINUTE / messages)
        if memory.ramp <= 0 or cell.minute - memory.learned > _RESTARTS:
            memory.ramp = 0.0
            memory.ramp_since, memory.ramp_messages, memory.ramp_failing = cell.minute, 0, 0
        memory.ramp = max(0.0, memory.ramp + scale * evidence_of(failing, messages, usual=usual, bad=bad))
        memory.ramp = min(memory.ramp, 4 * RAMP_EVIDENCE)
        memory.ramp_messages += messages
        memory.ramp_failing += failing
        if memory.few <= 0 or cell.minute - memory.few_since > _FORGETS_FEW:
            memory.few, memory.few_since = 0.0, cell.minute
        usually = max(usual, NOTHING_KNOWN)
        memory.few = max(
            0.0, memory.few + evidence_of(failing, messages, usual=usually, bad=max(FEW_BAD, usually + 0.05))
        )
    taken = cell.answers.get(Answer.OK, 0)
    if taken >= SLOW_MESSAGES:
        p95 = slowest_twentieth(cell.times)
        if memory.p95_minutes and p95 > SLOW_FACTOR * memory.p95 and p95 >= SLOW_LEAST:
            memory.slow_since = memory.slow_since if memory.slow else cell.minute
            memory.slow += 1
        else:
            memory.slow = 0


def _down(sight: Sight) -> Finding | None:
    """So many do not get through that it is no chance: over three minutes, else over ten."""
    for cell in (sight.short, sight.long):
        messages, failing = sum(cell.answers.values()), count_of(cell.answers, DOWN)
        if messages < LEAST_MESSAGES or failing < max(LEAST_FAILING, LEAST_SHARE * messages):
            continue
        chance = beta_binomial_tail(failing, messages, sight.usual, STRENGTH)
        if chance < CHANCE and spread(cell, DOWN):
            figures = figures_of(cell, DOWN, usual=sight.usual, chance=chance, test="outage")
            return _finding(IncidentKind.OUTAGE, sight, since=cell.minute, figures=figures)
    return None


def _rises(sight: Sight) -> Finding | None:
    """A share that rises too slowly for any ten minutes to stand out."""
    memory = sight.memory
    share = memory.ramp_failing / max(1, memory.ramp_messages)
    lasted = memory.learned - memory.ramp_since >= RAMP_MINUTES * MINUTE
    if memory.ramp < RAMP_EVIDENCE or not lasted or share < RAMP_SHARE or memory.ramp_messages < LEAST_MESSAGES:
        return None
    figures = figures_of(sight.long, DOWN, usual=sight.usual, test="slow rise")
    if figures.share < RAMP_SHARE or not spread(sight.long, DOWN):
        return None
    return _finding(IncidentKind.OUTAGE, sight, since=memory.ramp_since, figures=figures)


def _bursts(sight: Sight, cell: Cell) -> Finding | None:
    """One reply, unheard of until now, to half of all that is sent there by several senders: the receiver has changed its mind."""
    messages = sum(cell.answers.values())
    if messages < LEAST_MESSAGES or not cell.rules:
        return None
    refusing = (*DOWN, Answer.POLICY)
    failing = count_of(cell.answers, refusing)
    rule, count = max(cell.rules.items(), key=lambda item: item[1])
    before = sight.memory.rules.get(rule, 0.0)
    if (
        count < max(LEAST_MESSAGES, BURST_SHARE * messages)
        or failing < count
        or count < BURST_FACTOR * before * messages
    ):
        return None
    senders = sum(1 for counts in cell.by_sender.values() if count_of(counts, refusing))
    if senders < BURST_SENDERS or len(cell.by_account) == 1 or not spread(cell, refusing):
        return None
    figures = figures_of(cell, refusing, usual=before, test=ONE_REPLY, rule=rule)
    return _finding(IncidentKind.OUTAGE, sight, since=cell.minute, figures=figures)


def _slow(sight: Sight) -> Finding | None:
    memory = sight.memory
    if memory.slow < SLOW_MINUTES:
        return None
    figures = figures_of(sight.long, (Answer.OK,), usual=memory.p95, test="slow")
    figures = replace(figures, share=float(slowest_twentieth(sight.long.times)))
    return _finding(IncidentKind.DEGRADED, sight, since=memory.slow_since, figures=figures)


def _few(sight: Sight) -> Finding | None:
    """Too little mail for a share to mean much: one failure after another is suspected, and nothing is done about it."""
    memory = sight.memory
    busy = sum(sight.long.answers.values()) >= LEAST_MESSAGES
    if busy or memory.few < FEW_EVIDENCE or not count_of(sight.long.answers, DOWN) or not spread(sight.long, DOWN):
        return None
    figures = figures_of(sight.long, DOWN, usual=sight.usual, test="little mail")
    return _finding(IncidentKind.OUTAGE, sight, since=memory.few_since, figures=figures, certain=False)


def _finding(kind: IncidentKind, sight: Sight, *, since: Instant, figures: Figures, certain: bool = True) -> Finding:
    return Finding(
        kind=kind, site=sight.site, title=sight.long.title or sight.site, since=since, certain=certain, figures=figures
    )
