"""Bounce and complaint rates judged by Amazon SES's rules: figures in, a state out, and who is to be paused. Pure.

SES reviews an account at 5 % hard bounces or 0.1 % complaints and may pause it at 10 % or 0.5 % of a representative volume
(SES Developer Guide, "Reputation metrics"). A state that has effects must be certain, so that one bounce of three has none.
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from functools import reduce

from waybill.model.address import domain_of
from waybill.model.clock import DAY, HOUR, Instant
from waybill.model.record import record
from waybill.model.resource import INSTALLATION, Pause
from waybill.model.standing import Figures, Tally

WINDOWS = ((DAY, "24 hours"), (7 * DAY, "7 days"), (30 * DAY, "30 days"))
"""The shortest of them that holds ``REPRESENTATIVE`` recipients is judged, else the longest."""

REPRESENTATIVE = 1_000

LEAST_SENT = 100
"""With fewer recipients nothing is said of a rate."""

SURE = 1.96
"""Standard deviations of 95 %: how sure a review must be that the rate is over its threshold."""

VERY_SURE = 3.09
"""Those of 99.9 %: how sure a pause must be."""


class Measure(StrEnum):
    """What is measured."""

    BOUNCE = "bounce"
    COMPLAINT = "complaint"


@dataclass(frozen=True, kw_only=True, slots=True)
class Threshold:
    """SES's shares of a review and of a pause, and how many cases there must be at least to warn, and to pause."""

    review: float
    pause: float
    least_to_warn: int
    least_to_pause: int


THRESHOLDS = {
    Measure.BOUNCE: Threshold(review=0.05, pause=0.10, least_to_warn=3, least_to_pause=10),
    Measure.COMPLAINT: Threshold(review=0.001, pause=0.005, least_to_warn=2, least_to_pause=5),
}


class Level(IntEnum):
    """How a rate stands to the thresholds."""

    HEALTHY = 0
    AT_RISK = 1  # at or over the first threshold, by figures too small to be sure
    UNDER_REVIEW = 2  # surely over the first threshold
    OVER_LIMIT = 3  # surely over the second threshold


WORDS = {
    Level.HEALTHY: "healthy",
    Level.AT_RISK: "at risk",
    Level.UNDER_REVIEW: "under review",
    Level.OVER_LIMIT: "over the limit",
}

PAUSED = "paused"


class Kind(StrEnum):
    """What a rate is about."""

    ACCOUNT = "account"
    CONFIGURATION_SET = "configuration set"
    DOMAIN = "domain"
    ADDRESS = "address"
    SOURCE_IP = "source IP"


@record(frozen=True, kw_only=True, slots=True)
class Subject:
    """Whose rate it is. ``account`` is INSTALLATION for a source IP, which all accounts share."""

    kind: Kind
    account: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@record(frozen=True, kw_only=True, slots=True)
class Rate:
    """``cases`` of ``of`` recipients. ``surely`` is the share that it lies over with 95 %."""

    measure: Measure
    cases: int
    of: int
    surely: float
    level: Level

    @property
    def share(self) -> float:
        """The share; 0 where there was no mail."""
        return min(1.0, self.cases / self.of) if self.of else 0.0

    @property
    def is_judged(self) -> bool:
        """Whether there was enough mail to say anything."""
        return self.of >= LEAST_SENT


@record(frozen=True, kw_only=True, slots=True)
class Judgement:
    """How a subject stands: ``since`` and ``window`` say which mail was looked at, ``figures`` what became of it."""

    subject: Subject
    since: Instant
    window: str
    figures: Figures
    bounce: Rate
    complaint: Rate

    @property
    def level(self) -> Level:
        """The worse of the two."""
        return max(self.bounce.level, self.complaint.level)

    @property
    def worst(self) -> Rate:
        """The rate that decides; where both are as bad, the bounces."""
        return self.complaint if self.complaint.level > self.bounce.level else self.bounce


def periods(now: Instant) -> tuple[Instant, ...]:
    """The starts of the windows: to the hour, for the longer ones to the day, as the store keeps them."""
    day, *longer = (now - length for length, _ in WINDOWS)
    return (day - day % HOUR, *(start - start % DAY for start in longer))


def measure(kind: Measure, cases: int, of: int) -> Rate:
    """A rate against the thresholds. Of nothing, or too little, it is healthy."""
    threshold = THRESHOLDS[kind]
    of = max(of, cases)
    surely = lower_bound(cases, of, SURE)
    level = Level.HEALTHY
    if of >= LEAST_SENT and cases >= threshold.least_to_warn and cases / of >= threshold.review:
        level = Level.AT_RISK
        if surely >= threshold.review:
            level = Level.UNDER_REVIEW
            if cases >= threshold.least_to_pause and lower_bound(cases, of, VERY_SURE) >= threshold.pause:
                level = Level.OVER_LIMIT
    return Rate(measure=kind, cases=cases, of=of, surely=surely, level=level)


def lower_bound(cases: int, of: int, deviations: float) -> float:
    """The lower end of Wilson's score interval for a share (E. B. Wilson, 1927); 0 where there is nothing."""
    if not of:
        return 0.0
    share, square = cases / of, deviations * deviations
    middle = share + square / (2 * of)
    spread = deviations * math.sqrt(share * (1 - share) / of + square / (4 * of * of))
    return max(0.0, (middle - spread) / (1 + square / of))


def judge(subject: Subject, figures: Sequence[Figures], starts: Sequence[Instant]) -> Judgement:
    """How a subject stands by its figures of each window."""
    place = next((place for place, one in enumerate(figures) if one.sent >= REPRESENTATIVE), len(figures) - 1)
    chosen = figures[place]
    return Judgement(
        subject=subject,
        since=starts[place],
        window=WINDOWS[place][1],
        figures=chosen,
        bounce=measure(Measure.BOUNCE, chosen.hard, chosen.sent),
        complaint=measure(Measure.COMPLAINT, chosen.complaints, chosen.delivered),
    )


def judge_all(tallies: Iterable[Tally], starts: Sequence[Instant]) -> list[Judgement]:
    """How every account, configuration set, identity and source IP stands that mail was sent with, the worst first."""
    sums: dict[Subject, tuple[Figures, ...]] = {}
    for tally in tallies:
        for subject in subjects_of(tally):
            before = sums.get(subject)
            sums[subject] = tally.figures if before is None else _plus(before, tally.figures)
    return worst_first(judge(subject, figures, starts) for subject, figures in sums.items())


def worst_first(judged: Iterable[Judgement]) -> list[Judgement]:
    """In the order in which they are to be read."""
    return sorted(judged, key=lambda one: (-one.level, list(Kind).index(one.subject.kind), one.subject.name))


def subjects_of(tally: Tally) -> list[Subject]:
    """Whose rates these figures belong to: an address counts for its domain, too."""
    named = [
        (Kind.ACCOUNT, tally.account, tally.account),
        (Kind.CONFIGURATION_SET, tally.account, tally.configuration_set),
        (Kind.DOMAIN, tally.account, domain_of(tally.identity)),
        (Kind.ADDRESS, tally.account, tally.identity if "@" in tally.identity else ""),
        (Kind.SOURCE_IP, INSTALLATION, tally.source_ip),
    ]
    return [Subject(kind=kind, account=account, name=name) for kind, account, name in named if name]


def _plus(one: tuple[Figures, ...], other: tuple[Figures, ...]) -> tuple[Figures, ...]:
    return tuple(mine + more for mine, more in zip(one, other, strict=True))


def describe(rate: Rate, window: str) -> str:
    """A rate in words: ``124 of 1,000 recipients (12.4 %) bounced for good in the last 24 hours``."""
    noun = "recipient" if rate.of == 1 else "recipients"
    what = "bounced for good" if rate.measure is Measure.BOUNCE else "complained"
    return f"{rate.cases:,} of {rate.of:,} {noun} ({percent(rate.share)}) {what} in the last {window}"


def percent(share: float) -> str:
    """``12.4 %``; small shares with two places, since complaints are counted in hundredths."""
    if not share:
        return "0 %"
    return f"{share * 100:.{2 if share < 0.01 else 1}f} %"


@record(frozen=True, kw_only=True, slots=True)
class PauseDue:
    """Sending of an account or a configuration set is to be stopped."""

    subject: Subject
    pause: Pause


def pauses_due(
    tallies: Sequence[Tally],
    starts: Sequence[Instant],
    *,
    paused_accounts: Collection[str],
    paused_sets: Mapping[str, Collection[str]],
    at: Instant,
) -> list[PauseDue]:
    """Who goes on sending although surely over the limit, as narrow as it explains the figures.

    Where an account without its bad (and its paused) configuration sets is well, those sets alone are paused, so that a
    bad campaign does not stop the mail beside it.
    """
    due: list[PauseDue] = []
    for account in sorted({tally.account for tally in tallies} - set(paused_accounts)):
        own = [tally for tally in tallies if tally.account == account]
        stopped = set(paused_sets.get(account, ()))
        bad = [
            one
            for one in judge_all(own, starts)
            if one.subject.kind is Kind.CONFIGURATION_SET
            and one.level is Level.OVER_LIMIT
            and one.subject.name not in stopped
        ]
        aside = stopped | {one.subject.name for one in bad}
        rest = _judge_rest(account, [tally for tally in own if tally.configuration_set not in aside], starts)
        if rest is not None and rest.level is Level.OVER_LIMIT:
            bad = [rest]
        due.extend(PauseDue(subject=one.subject, pause=_pause(one, at)) for one in bad)
    return due


def _judge_rest(account: str, tallies: Sequence[Tally], starts: Sequence[Instant]) -> Judgement | None:
    if not tallies:
        return None
    total = reduce(_plus, (tally.figures for tally in tallies))
    return judge(Subject(kind=Kind.ACCOUNT, account=account, name=account), total, starts)


def _pause(judged: Judgement, at: Instant) -> Pause:
    rate = judged.worst
    limit = f"{THRESHOLDS[rate.measure].pause * 100:g} %"
    reason = f"{describe(rate, judged.window)}, and sending stops at {limit}"
    return Pause(by=f"rule:{rate.measure}-rate", reason=reason, at=at)
