"""The classification rules: read from ``rules.toml``, checked, and compiled so that a reply is matched in microseconds."""

import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import resources
from typing import Any, TypeVar

from waybill.deliver.literals import TrigramIndex, build_index, required_literals, split_alternatives
from waybill.deliver.provider import PROVIDERS, Provider, Providers
from waybill.deliver.said import Said, read_reply, read_words
from waybill.mail.reply import MalformedReply, parse_reply
from waybill.model.cause import CATALOGUE, Cause, Scope
from waybill.model.outcome import Stage

CONFIDENCES = ("certain", "likely", "possible")
_RULE_KEYS = {"id", "provider", "code", "enhanced", "stage", "pattern", "cause", "scope", "permanent", "confidence"}
_RULE_KEYS |= {"status", "examples"}
_ESCAPE = re.compile(r"\\.")
_GROUP = re.compile(r"(?<!\\)\((?!\?)")  # nothing is captured, which is a third faster
_Word = TypeVar("_Word", bound=StrEnum)


class RulesError(ValueError):
    """The rules file has a fault; the text names the rule, the key and what is allowed."""


class Tier(StrEnum):
    """The five kinds of rules. They stand in the file in this order, the most telling first."""

    PROVIDER = "provider"
    WORDING = "wording"
    ENHANCED = "enhanced"
    GUESS = "guess"
    CODE = "code"


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """One rule. Every condition that is given must hold; ``permanent`` None leaves that to the reply code."""

    id: str
    tier: Tier
    cause: Cause
    scope: Scope
    examples: tuple[str, ...]
    provider: str | None = None
    codes: tuple[str, ...] = ()
    enhanced: tuple[str, ...] = ()
    stages: frozenset[Stage] = frozenset()
    pattern: re.Pattern[str] | None = None
    permanent: bool | None = None
    confidence: str = "certain"
    status: str | None = None

    def concerns(self, said: Said) -> bool:
        """Whether this rule speaks about the codes and the stage of ``said``, whatever its words."""
        if self.codes and not said.code.startswith(self.codes):
            return False
        if self.enhanced and said.detail not in self.enhanced:
            return False
        return not self.stages or said.stage in self.stages

    def fits(self, said: Said) -> bool:
        """Whether this rule speaks about ``said``, apart from the provider."""
        return self.concerns(said) and (self.pattern is None or self.pattern.search(said.text) is not None)


@dataclass(frozen=True, kw_only=True, slots=True)
class Alternative:
    """One of the alternatives of a rule's pattern, with texts of which every match has one. Without a pattern all words do."""

    rule: Rule
    pattern: str | None
    literals: tuple[str, ...]

    def fits(self, text: str) -> bool:
        """Whether this alternative is found in ``text``."""
        if self.pattern is None:
            return True
        for literal in self.literals:
            if literal in text:
                return _searcher(self.pattern)(text) is not None
        return not self.literals and _searcher(self.pattern)(text) is not None


@cache
def _searcher(pattern: str) -> Callable[[str], re.Match[str] | None]:
    """Compiled when a reply first needs it: all of them together would take a second of every start."""
    return re.compile(pattern).search


@dataclass(frozen=True, kw_only=True, slots=True)
class Rules:
    """All rules in their order, and the providers. The index is of the rules' alternatives, in the same order."""

    rules: tuple[Rule, ...]
    alternatives: tuple[Alternative, ...]
    known: Providers
    index: TrigramIndex

    @property
    def providers(self) -> tuple[Provider, ...]:
        """The providers that rules may name."""
        return self.known.all

    def match(self, said: Said, provider: str | None) -> Rule | None:
        """The first rule that fits; None where no rule knows such words."""
        places = self.index.find(said.text)
        while places:
            lowest = places & -places
            alternative = self.alternatives[lowest.bit_length() - 1]
            rule = alternative.rule
            if alternative.fits(said.text) and rule.provider in {None, provider} and rule.concerns(said):
                return rule
            places ^= lowest
        return None

    def find_provider(self, mx: str | None, text: str) -> str | None:
        """The provider whose server ``mx`` is; where that tells nothing, the one whose marks the reply bears."""
        return self.known.find(mx, text)


def load_rules(document: str | None = None, providers: Providers = PROVIDERS) -> Rules:
    """The rules of ``document`` in TOML; of the file beside this module where it is None.

    Raises:
        RulesError: the document is no TOML, or a rule is wrong, out of order, or names a provider that providers.toml does not know.
    """
    if document is None:
        document = resources.files("waybill.deliver").joinpath("rules.toml").read_text("utf-8")
    try:
        table = tomllib.loads(document)
    except tomllib.TOMLDecodeError as error:
        raise RulesError(f"rules.toml: {error}") from error
    _check_keys("rules.toml", table, {"rule"})
    rules = tuple(_read_rule(entry, set(providers.by_name)) for entry in table.get("rule", ()))
    _check_order(rules)
    for rule in rules:
        _check_examples(rule)
    alternatives = tuple(alternative for rule in rules for alternative in _read_alternatives(rule))
    index = build_index([alternative.literals for alternative in alternatives])
    return Rules(rules=rules, alternatives=alternatives, known=providers, index=index)


def _read_alternatives(rule: Rule) -> list[Alternative]:
    if rule.pattern is None:
        return [Alternative(rule=rule, pattern=None, literals=())]
    return [
        Alternative(rule=rule, pattern=part, literals=required_literals(part))
        for part in split_alternatives(rule.pattern.pattern)
    ]


def _read_rule(entry: Mapping[str, Any], providers: set[str]) -> Rule:
    name = f"rule {entry.get('id', '')!r}"
    _check_keys(name, entry, _RULE_KEYS)
    for key in ("id", "cause", "examples"):
        if not entry.get(key):
            raise RulesError(f"{name}: {key} is missing")
    cause = _read_word(name, "cause", entry["cause"], Cause)
    provider = entry.get("provider")
    if provider is not None and provider not in providers:
        raise RulesError(
            f"{name}: provider {provider!r} is not in providers.toml; allowed are {', '.join(sorted(providers))}"
        )
    confidence = entry.get("confidence", "certain")
    if confidence not in CONFIDENCES:
        raise RulesError(f"{name}: confidence {confidence!r}; allowed are {', '.join(CONFIDENCES)}")
    pattern = _compile(name, entry["pattern"]) if "pattern" in entry else None
    if not (pattern or entry.get("enhanced") or entry.get("code")):
        raise RulesError(f"{name}: needs a pattern, an enhanced or a code, else it fits everything")
    scope = _read_word(name, "scope", entry["scope"], Scope) if "scope" in entry else CATALOGUE[cause].scope
    if CATALOGUE[cause].suppress and scope is not CATALOGUE[cause].scope:
        raise RulesError(f"{name}: {cause} suppresses, so its scope stays {CATALOGUE[cause].scope}")
    return Rule(
        id=entry["id"],
        tier=_tier(entry),
        cause=cause,
        scope=scope,
        examples=tuple(entry["examples"]),
        provider=provider,
        codes=tuple(str(code) for code in entry.get("code", ())),
        enhanced=tuple(_read_detail(name, code) for code in entry.get("enhanced", ())),
        stages=frozenset(_read_word(name, "stage", stage, Stage) for stage in entry.get("stage", ())),
        pattern=pattern,
        permanent=entry.get("permanent"),
        confidence=confidence,
        status=entry.get("status"),
    )


def _tier(entry: Mapping[str, Any]) -> Tier:
    if "provider" in entry:
        return Tier.PROVIDER
    if entry.get("confidence") == "possible" and ("pattern" in entry or "enhanced" in entry):
        return Tier.GUESS
    if "pattern" in entry:
        return Tier.WORDING
    return Tier.ENHANCED if "enhanced" in entry else Tier.CODE


def _check_order(rules: Iterable[Rule]) -> None:
    tiers = list(Tier)
    last = tiers[0]
    seen: set[str] = set()
    for rule in rules:
        if rule.id in seen:
            raise RulesError(f"rule {rule.id!r}: the id is used twice")
        seen.add(rule.id)
        if tiers.index(rule.tier) < tiers.index(last):
            raise RulesError(f"rule {rule.id!r}: a {rule.tier} rule stands behind a {last} rule; the order is {tiers}")
        last = rule.tier


def _check_examples(rule: Rule) -> None:
    stage = min(rule.stages, default=Stage.RETURNED)
    for example in rule.examples:
        if not rule.fits(read_example(example, stage)):
            raise RulesError(f"rule {rule.id!r}: does not fit its example {example!r}")


def read_example(example: str, stage: Stage) -> Said:
    """What the rules see of an example, be it a reply or words without a code."""
    try:
        return read_reply(parse_reply(example), stage)
    except MalformedReply:
        return read_words(example, stage)


def _check_keys(name: str, entry: Mapping[str, Any], allowed: set[str]) -> None:
    unknown = sorted(set(entry) - allowed)
    if unknown:
        raise RulesError(f"{name}: unknown key {unknown[0]!r}; allowed are {', '.join(sorted(allowed))}")


def _read_word(name: str, key: str, value: str, words: type[_Word]) -> _Word:
    try:
        return words(value)
    except ValueError:
        raise RulesError(f"{name}: {key} {value!r}; allowed are {', '.join(words)}") from None


def _read_detail(name: str, code: str) -> str:
    """The subject and detail of ``x.1.1``: which class it is, the reply code says (RFC 3463 §2)."""
    match = re.fullmatch(r"x\.(\d{1,3}\.\d{1,3})", code)
    if match is None:
        raise RulesError(f"{name}: enhanced {code!r}; write it without class, as x.1.1")
    return match[1]


def _compile(name: str, pattern: str) -> re.Pattern[str]:
    if any(letter.isupper() for letter in _ESCAPE.sub("", pattern)):
        raise RulesError(f"{name}: pattern has capitals; replies are matched in lower case")
    try:
        return re.compile(_GROUP.sub("(?:", pattern))
    except re.error as error:
        raise RulesError(f"{name}: pattern {pattern!r}: {error}") from error
