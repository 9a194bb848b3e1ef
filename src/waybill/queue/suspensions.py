"""The rules by which replies of a provider suspend mail to it for a while (``suspensions.toml``), and their counting."""

import re
import tomllib
from collections import deque
from collections.abc import Collection, Mapping
from importlib import resources
from typing import Any

from waybill.deliver.classify import RULES as REPLY_RULES
from waybill.deliver.classify import classify_text
from waybill.deliver.provider import PROVIDERS, Providers, Site
from waybill.model.clock import DAY, HOUR, MINUTE, SECOND, Instant
from waybill.model.outcome import Attempt, Outcome
from waybill.model.record import record
from waybill.model.resource import INSTALLATION, Suspension

_KEYS = {"id", "provider", "rules", "pattern", "times", "within", "for", "per_minute", "reason", "source", "examples"}
_NEEDED = ("id", "provider", "times", "within", "for", "reason", "source", "examples")
_DURATION = re.compile(r"([1-9]\d{0,5})([smhd])")
_UNITS = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}


class SuspensionRulesError(ValueError):
    """The file has a fault; the text names the rule, the key and what is allowed."""


@record(frozen=True, kw_only=True, slots=True)
class SuspensionRule:
    """``times`` such replies of the provider within ``within`` suspend it for ``lasts``. Durations are milliseconds."""

    id: str
    provider: str
    rules: frozenset[str]
    pattern: re.Pattern[str] | None
    times: int
    within: int
    lasts: int
    per_minute: float
    reason: str
    source: str
    examples: tuple[str, ...]

    def fits(self, outcome: Outcome) -> bool:
        """Whether the reply is one that counts, apart from the provider."""
        if self.rules and outcome.rule not in self.rules:
            return False
        return self.pattern is None or self.pattern.search(outcome.diagnostic.lower()) is not None


def load_suspension_rules(
    document: str | None = None, providers: Providers = PROVIDERS, reply_rules: Collection[str] | None = None
) -> tuple[SuspensionRule, ...]:
    """The rules of ``document`` in TOML; of the file beside this module where it is None.

    Raises:
        SuspensionRulesError: the document is no TOML, or a rule is incomplete, names a provider or a classification rule
            that does not exist, or does not fit its own examples.
    """
    if document is None:
        document = resources.files("waybill.queue").joinpath("suspensions.toml").read_text("utf-8")
    try:
        table = tomllib.loads(document)
    except tomllib.TOMLDecodeError as error:
        raise SuspensionRulesError(f"suspensions.toml: {error}") from error
    known = {rule.id for rule in REPLY_RULES.rules} if reply_rules is None else set(reply_rules)
    rules = tuple(_read(entry, providers, known) for entry in table.get("rule", ()))
    ids = [rule.id for rule in rules]
    for name in ids:
        if ids.count(name) > 1:
            raise SuspensionRulesError(f"rule {name!r}: the id is used twice")
    return rules


def _read(entry: Mapping[str, Any], providers: Providers, known: Collection[str]) -> SuspensionRule:
    name = f"rule {entry.get('id', '')!r}"
    unknown = sorted(set(entry) - _KEYS)
    if unknown:
        raise SuspensionRulesError(f"{name}: unknown key {unknown[0]!r}; allowed are {', '.join(sorted(_KEYS))}")
    for key in _NEEDED:
        if not entry.get(key):
            raise SuspensionRulesError(f"{name}: {key} is missing")
    if not (entry.get("rules") or entry.get("pattern")):
        raise SuspensionRulesError(f"{name}: needs rules or a pattern, else every reply fits")
    if entry["provider"] not in providers.by_name:
        allowed = ", ".join(sorted(providers.by_name))
        raise SuspensionRulesError(
            f"{name}: provider {entry['provider']!r} is not in providers.toml; allowed are {allowed}"
        )
    for reply_rule in entry.get("rules", ()):
        if reply_rule not in known:
            raise SuspensionRulesError(f"{name}: rules names {reply_rule!r}, which is not in rules.toml")
    rule = SuspensionRule(
        id=entry["id"],
        provider=entry["provider"],
        rules=frozenset(entry.get("rules", ())),
        pattern=_compile(name, entry["pattern"]) if "pattern" in entry else None,
        times=_whole(name, entry["times"]),
        within=_duration(name, "within", entry["within"]),
        lasts=_duration(name, "for", entry["for"]),
        per_minute=_rate(name, entry.get("per_minute", 0)),
        reason=entry["reason"],
        source=entry["source"],
        examples=tuple(entry["examples"]),
    )
    suffix = providers.by_name[rule.provider].mx[0]
    for example in rule.examples:
        if not rule.fits(classify_text(example, f"mx.{suffix}")):
            raise SuspensionRulesError(f"{name}: does not fit its example {example!r}")
    return rule


def _compile(name: str, pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as error:
        raise SuspensionRulesError(f"{name}: pattern {pattern!r}: {error}") from error


def _whole(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise SuspensionRulesError(f"{name}: times = {value!r}; allowed is a whole number from 1")
    return value


def _rate(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise SuspensionRulesError(f"{name}: per_minute = {value!r}; allowed is a number from 0")
    return value


def _duration(name: str, key: str, value: object) -> int:
    match = _DURATION.fullmatch(str(value))
    if match is None:
        raise SuspensionRulesError(f'{name}: {key} = {value!r}; allowed is a duration such as "30m" or "2h"')
    return int(match[1]) * _UNITS[match[2]]


class SuspensionCounts:
    """Counts what this worker sees, and says when a rule's count is full."""

    def __init__(self, rules: tuple[SuspensionRule, ...]) -> None:
        self._rules: dict[str, tuple[SuspensionRule, ...]] = {}
        for rule in rules:
            self._rules[rule.provider] = (*self._rules.get(rule.provider, ()), rule)
        self._seen: dict[str, deque[Instant]] = {}

    def see(self, site: Site, attempt: Attempt, message_id: str) -> Suspension | None:
        """The suspension that this attempt's reply brings about, if it does."""
        outcome = attempt.outcome
        if outcome.reply is None or site.provider is None:
            return None
        at = attempt.ended_at
        for rule in self._rules.get(site.provider, ()):
            if not rule.fits(outcome):
                continue
            seen = self._seen.setdefault(rule.id, deque(maxlen=rule.times))
            seen.append(at)
            if len(seen) == rule.times and at - seen[0] <= rule.within:
                seen.clear()
                return Suspension(
                    account=INSTALLATION,
                    name=site.name,
                    by=f"rule:{rule.id}",
                    reason=rule.reason,
                    at=at,
                    until=at + rule.lasts,
                    per_minute=rule.per_minute,
                    message_id=message_id,
                    reply=outcome.diagnostic,
                )
        return None


SUSPENSION_RULES = load_suspension_rules()
