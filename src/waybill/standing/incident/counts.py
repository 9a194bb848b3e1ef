"""What is counted of attempts, by site and minute: cheap to count in a worker, and all that the detector needs."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias, TypeVar

from waybill.model.cause import Cause, Responder, Scope
from waybill.model.clock import MINUTE, Instant
from waybill.model.outcome import Outcome, Result, Stage
from waybill.model.record import record

MOST_NAMES = 200
"""So many names of one sort (addresses, domains, accounts) are told apart in a cell; what comes after is counted as others."""

MOST_CELLS = 2_000
"""So many cells a worker fills at once; sites with so little mail that they come later in the minute are not judged."""

OTHERS = "*"
Key = TypeVar("Key", str, int)
_BINS_A_DOUBLING = 4
_WORDS_KEPT = 300


class Answer(StrEnum):
    """What an attempt came to, as far as it says something about who fails."""

    OK = "ok"
    DNS = "dns"  # the name could not be looked up
    CONNECT = "connect"  # nobody was reached
    TLS = "tls"  # reached, and lost or stuck before an answer: greeting, TLS, a connection that broke
    SYSTEM = "system"  # 4xx about the receiver's own system
    POLICY_IP = "policy_ip"  # refused for the address it came from, 4xx or 5xx
    POLICY_DOMAIN = "policy_domain"  # refused for the sending domain
    POLICY = "policy"  # refused for the content, or by a rule that is not named
    RECIPIENT = "recipient"  # about this recipient: no such mailbox, full, greylisted, too many for it


DOWN = (Answer.CONNECT, Answer.TLS, Answer.SYSTEM)
"""Answers that mean, when there are many, that the other side does not work."""

_OF_SCOPE = {
    Scope.SOURCE_IP: Answer.POLICY_IP,
    Scope.SENDER_DOMAIN: Answer.POLICY_DOMAIN,
    Scope.RECIPIENT: Answer.RECIPIENT,
    Scope.CONTENT: Answer.POLICY,
}
_PACE = frozenset({Cause.GREYLISTED, Cause.RATE_LIMITED, Cause.RECIPIENT_RATE_LIMITED, Cause.TOO_MANY_RECIPIENTS})
"""Everybody is asked to wait now and then; what is done about it is the pace's affair."""

_DOMAINS_OWN = frozenset({Cause.DOMAIN_NOT_FOUND, Cause.DOMAIN_NO_MAIL, Cause.ROUTING_LOOP})


def answer_of(outcome: Outcome) -> Answer | None:
    """The sort of answer; None for what happened inside Waybill, which says nothing about anybody else."""
    if outcome.result is Result.DELIVERED:
        return Answer.OK
    if outcome.responder is Responder.WAYBILL:
        return None
    if outcome.cause is Cause.DNS_FAILURE and outcome.responder is Responder.DNS:
        return Answer.DNS
    if outcome.cause in _PACE or outcome.cause in _DOMAINS_OWN:
        return Answer.RECIPIENT
    if outcome.reply is None:
        return Answer.CONNECT if outcome.stage is Stage.CONNECT else Answer.TLS
    return _OF_SCOPE.get(outcome.scope) or _of_system(outcome)


def _of_system(outcome: Outcome) -> Answer:
    """4xx is about the receiver's system, unless its code speaks of security or policy (RFC 3463 §3.8)."""
    speaks_of_policy = outcome.status[1:].startswith(".7.")
    return Answer.SYSTEM if outcome.result is Result.DEFERRED and not speaks_of_policy else Answer.POLICY


@record(frozen=True, kw_only=True, slots=True)
class Seen:
    """One attempt as the counting sees it. ``first``: the first for its delivery; ``lasted`` in milliseconds.

    ``last_taken`` is set where the recipient was refused as one that does not exist and is known to have taken mail: when.
    """

    at: Instant
    site: str
    title: str
    is_provider: bool
    message_id: str
    recipient: str
    recipient_domain: str
    sending_domain: str
    account: str
    source_ip: str
    answer: Answer
    rule: str
    words: str
    lasted: int
    first: bool = True
    last_taken: Instant | None = None


@dataclass(kw_only=True, slots=True)
class KnownRefused:
    """A recipient that took mail before, and was refused as one that does not exist."""

    sender: str
    account: str
    last_taken: Instant


Names: TypeAlias = dict[str, dict[str, int]]


@dataclass(kw_only=True, slots=True)
class Cell:
    """A minute of a site, as one worker saw it. Counted are distinct messages on their first attempt; ``again``: later attempts.

    ``times`` are the durations of those that were taken, by ``time_bin``. ``rules`` are the classification rules of answers
    that were no 250, ``words`` one reply of each.
    """

    minute: Instant
    site: str
    title: str = ""
    is_provider: bool = False
    answers: dict[str, int] = field(default_factory=dict)
    again: dict[str, int] = field(default_factory=dict)
    by_ip: Names = field(default_factory=dict)
    by_sender: Names = field(default_factory=dict)
    by_account: Names = field(default_factory=dict)
    by_domain: Names = field(default_factory=dict)
    times: dict[int, int] = field(default_factory=dict)
    rules: dict[str, int] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)
    known_refused: dict[str, KnownRefused] = field(default_factory=dict)
    refused: int = 0


def add(cell: Cell, seen: Seen) -> None:
    """Counts one attempt in its cell."""
    answer = seen.answer
    if answer is Answer.RECIPIENT and seen.last_taken is not None and len(cell.known_refused) < MOST_NAMES:
        known = KnownRefused(sender=seen.sending_domain, account=seen.account, last_taken=seen.last_taken)
        cell.known_refused[f"{seen.account} {seen.recipient}"] = known
    if not seen.first:
        cell.again[answer] = cell.again.get(answer, 0) + 1
        return
    cell.answers[answer] = cell.answers.get(answer, 0) + 1
    for names, name in (
        (cell.by_ip, seen.source_ip),
        (cell.by_sender, seen.sending_domain),
        (cell.by_account, seen.account),
        (cell.by_domain, seen.recipient_domain),
    ):
        counts = names.get(name)
        if counts is None:
            counts = names.setdefault(name if len(names) < MOST_NAMES else OTHERS, {})
        counts[answer] = counts.get(answer, 0) + 1
    if answer is Answer.OK:
        place = time_bin(seen.lasted)
        cell.times[place] = cell.times.get(place, 0) + 1
        return
    if seen.rule not in cell.rules:
        if len(cell.rules) >= MOST_NAMES:
            return
        cell.words[seen.rule] = seen.words[:_WORDS_KEPT]
    cell.rules[seen.rule] = cell.rules.get(seen.rule, 0) + 1


def time_bin(milliseconds: int) -> int:
    """The bin of a duration: four to each doubling."""
    return int(math.log2(max(1, milliseconds)) * _BINS_A_DOUBLING)


def slowest_twentieth(times: dict[int, int]) -> int:
    """The duration, in milliseconds, that 95 of a hundred did not exceed; 0 where there are none."""
    left = 0.05 * sum(times.values())
    for place in sorted(times, reverse=True):
        left -= times[place]
        if left < 0:
            return round(math.pow(2.0, place / _BINS_A_DOUBLING))
    return 0


def merge(cells: Iterable[Cell]) -> Cell | None:
    """One cell for several of one site: of workers, or of minutes. None where there are none."""
    total: Cell | None = None
    for cell in cells:
        if total is None:
            total = Cell(minute=cell.minute, site=cell.site)
        total.minute = min(total.minute, cell.minute)
        total.title = total.title or cell.title
        total.is_provider = total.is_provider or cell.is_provider
        _sum(total.answers, cell.answers)
        _sum(total.again, cell.again)
        _sum(total.times, cell.times)
        _sum(total.rules, cell.rules)
        for names, more in (
            (total.by_ip, cell.by_ip),
            (total.by_sender, cell.by_sender),
            (total.by_account, cell.by_account),
            (total.by_domain, cell.by_domain),
        ):
            for name, counts in more.items():
                _sum(names.setdefault(name, {}), counts)
        total.words.update(cell.words)
        total.known_refused.update(cell.known_refused)
        total.refused += cell.refused
    return total


def _sum(total: dict[Key, int], more: dict[Key, int]) -> None:
    for key, count in more.items():
        total[key] = total.get(key, 0) + count


def count_of(counts: dict[str, int], answers: Iterable[Answer]) -> int:
    """How many of these sorts."""
    return sum(counts.get(answer, 0) for answer in answers)


class Tally:
    """A worker's counts until they are written down. Each message counts once a minute for one sort of answer at a site."""

    def __init__(self) -> None:
        self._cells: dict[tuple[Instant, str], Cell] = {}
        self._counted: dict[tuple[Instant, str], set[tuple[str, Answer]]] = {}
        self._changed: set[tuple[Instant, str]] = set()

    def see(self, seen: Seen) -> None:
        """Counts one attempt."""
        key = (seen.at - seen.at % MINUTE, seen.site)
        cell = self._cells.get(key)
        if cell is None:
            if len(self._cells) >= MOST_CELLS and not seen.is_provider:
                return
            cell = self._cells[key] = Cell(
                minute=key[0], site=seen.site, title=seen.title, is_provider=seen.is_provider
            )
            self._counted[key] = set()
        self._changed.add(key)
        if seen.answer is Answer.RECIPIENT and seen.first:
            cell.refused += 1
        counted = self._counted[key]
        mark = (seen.message_id, seen.answer)
        if seen.first and seen.last_taken is None:
            if mark in counted:
                return
            counted.add(mark)
        add(cell, seen)

    def take(self, now: Instant) -> list[Cell]:
        """The cells that have changed since the last time, whole; those of minutes that are over are forgotten."""
        changed = [self._cells[key] for key in self._changed]
        self._changed.clear()
        old = [key for key in self._cells if key[0] < now - 2 * MINUTE]
        for key in old:
            del self._cells[key], self._counted[key]
        return changed

    def give_back(self, cells: Iterable[Cell]) -> None:
        """What could not be written is to be written next time."""
        self._changed.update(key for cell in cells if (key := (cell.minute, cell.site)) in self._cells)
