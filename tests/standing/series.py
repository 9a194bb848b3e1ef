"""Simulated mail, minute by minute, as the incident detector's counts: noisy quiet traffic, and the shapes of known incidents.

A minute's noise is clumpy on purpose: failures come together, whole domains have bad hours, customers send to bad lists.
"""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from waybill.model.clock import DAY, HOUR, MINUTE, SECOND, Instant
from waybill.model.incident import Incident
from waybill.standing.incident.book import key_of, troubled_sites, turn
from waybill.standing.incident.counts import Answer, Cell, KnownRefused, Names, time_bin
from waybill.standing.incident.detect import WINDOW, Detector

BEGIN: Instant = 1_795_392_000_000 - 1_795_392_000_000 % DAY

SENDERS = (
    ("shop.example", "1"),
    ("news.example", "2"),
    ("bank.example", "3"),
    ("club.example", "3"),
    ("app.example", "4"),
)
IPS = ("198.51.100.4", "198.51.100.5")


@dataclass(frozen=True, kw_only=True)
class Place:
    """A site: its part of all mail, the share that fails there on a usual day, and the domains behind it."""

    name: str
    part: float
    fails: float
    domains: tuple[str, ...]
    is_provider: bool = True
    takes: int = 700


PLACES = (
    Place(name="google", part=0.42, fails=0.006, domains=("gmail.com", "a.example", "b.example", "c.example")),
    Place(name="microsoft", part=0.28, fails=0.015, domains=("outlook.com", "hotmail.com", "d.example", "e.example")),
    Place(name="yahoo", part=0.12, fails=0.03, domains=("yahoo.com", "aol.com")),
    Place(
        name="mx.hoster.example",
        part=0.13,
        fails=0.02,
        domains=tuple(f"h{number}.example" for number in range(30)),
        is_provider=False,
    ),
    Place(name="mx.firma.example", part=0.03, fails=0.01, domains=("firma.example",), is_provider=False),
    Place(name="mx.uni.example", part=0.02, fails=0.04, domains=("uni.example",), is_provider=False),
)


@dataclass(frozen=True, kw_only=True)
class Group:
    """Mail of one minute that shares its site, sender and source address."""

    at: Instant
    place: Place
    sender: str
    account: str
    ip: str


Shape = Callable[[Group], tuple[Answer, float] | None]
"""What an incident does to a group: the answer that it gets instead, and to which share of it. None: nothing."""


def nothing(group: Group) -> None:
    """A quiet day."""
    del group


@dataclass(kw_only=True)
class Traffic:
    """``an_hour`` messages an hour on average, over all sites."""

    an_hour: float
    seed: int
    shape: Shape = nothing
    senders: tuple[tuple[str, str], ...] = SENDERS
    ips: tuple[str, ...] = IPS
    bad_lists_a_day: float = 2.0
    known_share: float = 0.7
    slow: Callable[[Group], float] = lambda group: 1.0
    chance: random.Random = field(init=False)
    _bad: dict[tuple[str, str], tuple[Instant, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)

    def minute(self, at: Instant) -> list[Cell]:
        """The counts of the minute that begins then."""
        hour = at % DAY / HOUR
        level = self.an_hour / 60 * (1 + 0.7 * math.sin((hour - 9) / 24 * 2 * math.pi))
        self._bad_lists(at)
        cells = []
        for place in PLACES:
            cell = Cell(minute=at, site=place.name, title=place.name, is_provider=place.is_provider)
            clump = self.chance.gammavariate(0.6, 1 / 0.6)
            blip = 0.1 if self.chance.random() < 1 / 1440 else 0.0
            fails = min(0.5, place.fails * clump + blip)
            for sender, account in self.senders:
                for ip in self.ips:
                    mean = level * place.part / len(self.senders) / len(self.ips)
                    group = Group(at=at, place=place, sender=sender, account=account, ip=ip)
                    self._fill(cell, group, self._poisson(mean), fails)
            if cell.answers:
                cells.append(cell)
        return cells

    def _bad_lists(self, at: Instant) -> None:
        """Now and then a customer mails an old list for a quarter of an hour: many do not exist, some of them once did."""
        if self.chance.random() < self.bad_lists_a_day / 1440:
            sender = self.chance.choice(self.senders)[0]
            place = self.chance.choice(PLACES[:4])
            self._bad[sender, place.name] = (at + 15 * MINUTE, self.chance.uniform(0.1, 0.5))

    def _fill(self, cell: Cell, group: Group, messages: int, fails: float) -> None:
        until, bad = self._bad.get((group.sender, group.place.name), (0, 0.0))
        struck = self.shape(group)
        for _ in range(messages):
            answer, known = self._answer(group, fails, bad if group.at < until else 0.0, struck)
            self._count(cell, group, answer, known)

    def _answer(
        self, group: Group, fails: float, bad: float, struck: tuple[Answer, float] | None
    ) -> tuple[Answer, Instant | None]:
        """The answer, and for a recipient refused who took mail before, when that was."""
        draw = self.chance.random
        if struck is not None and draw() < struck[1]:
            known = struck[0] is Answer.RECIPIENT and draw() < self.known_share
            return struck[0], group.at - self.chance.randrange(20 * DAY) if known else None
        if bad and draw() < bad:
            return Answer.RECIPIENT, group.at - 80 * DAY if draw() < 0.1 else None
        if draw() < fails:
            return self.chance.choice((Answer.SYSTEM, Answer.SYSTEM, Answer.TLS, Answer.CONNECT)), None
        roll = draw()
        if roll < 0.02:
            return Answer.RECIPIENT, group.at - self.chance.randrange(90 * DAY) if draw() < 0.01 else None
        return (Answer.POLICY, None) if roll < 0.025 else (Answer.OK, None)

    def _count(self, cell: Cell, group: Group, answer: Answer, known: Instant | None) -> None:
        domain = self.chance.choice(group.place.domains)
        cell.answers[answer] = cell.answers.get(answer, 0) + 1
        for names, name in (
            (cell.by_ip, group.ip),
            (cell.by_sender, group.sender),
            (cell.by_account, group.account),
            (cell.by_domain, domain),
        ):
            _one_more(names, name, answer)
        if answer is Answer.OK:
            taken = self.chance.lognormvariate(math.log(group.place.takes), 0.6) * self.slow(group)
            place = time_bin(round(taken))
            cell.times[place] = cell.times.get(place, 0) + 1
        else:
            cell.rules[answer] = cell.rules.get(answer, 0) + 1
            cell.words[answer] = f"the reply of {answer}"
        if answer is Answer.RECIPIENT:
            cell.refused += 1
        if known is not None:
            who = f"{group.account} r{self.chance.randrange(10**9)}@{domain}"
            cell.known_refused[who] = KnownRefused(sender=group.sender, account=group.account, last_taken=known)

    def _poisson(self, mean: float) -> int:
        if mean > 30:
            return max(0, round(self.chance.gauss(mean, math.sqrt(mean))))
        limit, count, product = math.exp(-mean), 0, self.chance.random()
        while product > limit:
            count += 1
            product *= self.chance.random()
        return count


def _one_more(names: Names, name: str, answer: Answer) -> None:
    counts = names.setdefault(name, {})
    counts[answer] = counts.get(answer, 0) + 1


@dataclass(kw_only=True)
class Replay:
    """A detector that has been given minutes one after the other, and the incidents that it made of them."""

    traffic: Traffic
    detector: Detector = field(default_factory=Detector)
    lasting: list[Incident] = field(default_factory=list)
    opened: list[Incident] = field(default_factory=list)
    closed: list[Incident] = field(default_factory=list)
    _kept: list[Cell] = field(default_factory=list)

    def run(self, begin: Instant, minutes: int) -> "Replay":
        """Each minute is looked at half a minute after its end, when the workers have written."""
        for number in range(minutes):
            at = begin + number * MINUTE
            self._kept = [cell for cell in self._kept if cell.minute > at - WINDOW - MINUTE] + self.traffic.minute(at)
            self._look(at + MINUTE + 30 * SECOND)
        return self

    def _look(self, now: Instant) -> None:
        findings = self.detector.look(self._kept, now, troubled_sites(self.lasting))
        changed = turn(self.lasting, findings, self._kept, now, self.detector.memories)
        lasting = {key_of(incident): incident for incident in self.lasting}
        for incident in (*changed.opened, *changed.confirmed, *changed.updated):
            lasting[key_of(incident)] = incident
        for incident in changed.closed:
            del lasting[key_of(incident)]
        self.lasting = list(lasting.values())
        self.opened += [*changed.opened, *changed.confirmed]
        self.closed += changed.closed

    def sure(self) -> list[Incident]:
        """The incidents that were opened, suspicions left out."""
        return [incident for incident in self.opened if incident.is_open]


# the shapes


def december_2020(since: Instant, *, share: float = 0.6) -> Shape:
    """Google disowns most of the recipients that it has, with 550 5.1.1, and takes the rest of the mail."""
    return lambda group: (Answer.RECIPIENT, share) if group.place.name == "google" and group.at >= since else None


def hard_outage(since: Instant, *, place: str = "microsoft", share: float = 0.9) -> Shape:
    """A provider answers 451 4.3.2 to nearly everything."""
    return lambda group: (Answer.SYSTEM, share) if group.place.name == place and group.at >= since else None


def slow_ramp(since: Instant, *, place: str = "microsoft", to: float = 0.5, over: int = 90 * MINUTE) -> Shape:
    """The share that a provider defers rises from nothing to ``to``."""

    def shape(group: Group) -> tuple[Answer, float] | None:
        if group.place.name != place or group.at < since:
            return None
        return Answer.SYSTEM, min(to, to * (group.at - since) / over)

    return shape


def ip_blocked(since: Instant, *, ip: str = IPS[0], place: str = "microsoft") -> Shape:
    """One of our two addresses is refused for its reputation, by one provider."""
    return lambda group: (
        (Answer.POLICY_IP, 0.97) if group.place.name == place and group.ip == ip and group.at >= since else None
    )


def domain_blocked(since: Instant, *, sender: str = "news.example", place: str = "google") -> Shape:
    """One sending domain is refused by one provider."""
    return lambda group: (
        (Answer.POLICY_DOMAIN, 0.95)
        if group.place.name == place and group.sender == sender and group.at >= since
        else None
    )


def everywhere(since: Instant, answer: Answer) -> Shape:
    """Nothing gets out: the resolver is dead, or the network."""
    return lambda group: (answer, 1.0) if group.at >= since else None


def own_server_down(since: Instant, place: str = "mx.firma.example") -> Shape:
    """A company's only mail server is down."""
    return lambda group: (Answer.CONNECT, 1.0) if group.place.name == place and group.at >= since else None


def bad_list(since: Instant, *, sender: str = "news.example", share: float = 0.7) -> Shape:
    """A customer mails a bought list to one provider: most addresses do not exist and never did."""
    return lambda group: (
        (Answer.RECIPIENT, share)
        if group.place.name == "google" and group.sender == sender and group.at >= since
        else None
    )


def one_reply(since: Instant) -> Shape:
    """A provider's filter goes mad: it refuses everybody's mail with one policy reply."""
    return lambda group: (Answer.POLICY, 0.9) if group.place.name == "yahoo" and group.at >= since else None


def slower(
    since: Instant, *, place: str = "google", times: float = 10.0, lasts: int = 2 * HOUR
) -> Callable[[Group], float]:
    """A provider takes everything, and takes ten times as long."""
    return lambda group: times if group.place.name == place and since <= group.at < since + lasts else 1.0
