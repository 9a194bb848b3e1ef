"""The classification rules: read from ``rules.toml``, checked, and compiled so that a reply is matched in microseconds."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib import resources
from typing import Any, TypeVar

from waybill.deliver.literals import TrigramIndex, build_index, required_literals
from waybill.deliver.said import Said, read_reply, read_words
from waybill.mail.reply import MalformedReply, parse_reply
from waybill.model.cause import CATALOGUE, Cause, Scope
from waybill.model.outcome import Stage

CONFIDENCES = ("certain", "likely", "possible")
_RULE_KEYS = {"id", "provider", "code", "enhanced", "stage", "pattern", "cause", "scope", "permanent", "confidence"}
_RULE_KEYS |= {"status", "examples"}
_PROVIDER_KEYS = {"name", "mx", "marks"}
_ESCAPE = re.compile(r"\\.")
_GROUP = re.compile(r"(?<!\\)\((?!\?)")  # nothing is captured, which is a third faster
_Word = TypeVar("_Word", bound=StrEnum)


class RulesError(ValueError):
    """The rules file has a fault; the text names the rule, the key and what is allowed."""


class Tier(StrEnum):
    """The four kinds of rules. They stand in the file in this order, the most telling first."""

    PROVIDER = "provider"
    WORDING = "wording"
    ENHANCED = "enhanced"
    CODE = "code"


@dataclass(frozen=True, kw_only=True, slots=True)
class Provider:
    """A mailbox provider: known by the suffix of its MX hosts, or by marks that its replies bear."""

    name: str
    mx: tuple[str, ...]
    marks: tuple[str, ...]


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
    literals: tuple[str, ...] = ()
    permanent: bool | None = None
    confidence: str = "certain"
    status: str | None = None

    def fits(self, said: Said) -> bool:
        """Whether this rule speaks about ``said``, apart from the provider."""
        if self.codes and not said.code.startswith(self.codes):
            return False
        if self.enhanced and said.detail not in self.enhanced:
            return False
        if self.stages and said.stage not in self.stages:
            return False
        if self.pattern is None:
            return True
        text = said.text
        if self.literals and not any(literal in text for literal in self.literals):
            return False
        return self.pattern.search(text) is not None


@dataclass(frozen=True, kw_only=True, slots=True)
class Rules:
    """All rules in their order, and the providers."""

    rules: tuple[Rule, ...]
    providers: tuple[Provider, ...]
    index: TrigramIndex

    def match(self, said: Said, provider: str | None) -> Rule | None:
        """The first rule that fits; None where no rule knows such words."""
        places = self.index.find(said.text)
        while places:
            lowest = places & -places
            rule = self.rules[lowest.bit_length() - 1]
            if (rule.provider is None or rule.provider == provider) and rule.fits(said):
                return rule
            places ^= lowest
        return None

    def find_provider(self, mx: str | None, text: str) -> str | None:
        """The provider whose server ``mx`` is; where that tells nothing, the one whose marks the reply bears."""
        if mx is not None:
            host = f".{mx.rstrip('.').lower()}"
            for provider in self.providers:
                if host.endswith(provider.mx):
                    return provider.name
        for provider in self.providers:
            if any(mark in text for mark in provider.marks):
                return provider.name
        return None


def load_rules(document: str | None = None) -> Rules:
    """The rules of ``document`` in TOML; of the file beside this module where it is None.

    Raises:
        RulesError: the document is no TOML, or a rule is wrong, out of order, or names a provider without a matcher.
    """
    if document is None:
        document = resources.files("waybill.deliver").joinpath("rules.toml").read_text("utf-8")
    try:
        table = tomllib.loads(document)
    except tomllib.TOMLDecodeError as error:
        raise RulesError(f"rules.toml: {error}") from error
    providers = tuple(_read_provider(entry) for entry in table.get("provider", ()))
    rules = tuple(_read_rule(entry, {provider.name for provider in providers}) for entry in table.get("rule", ()))
    _check_order(rules)
    for rule in rules:
        _check_examples(rule)
    index = build_index([rule.literals for rule in rules])
    return Rules(rules=rules, providers=providers, index=index)


def _read_provider(entry: Mapping[str, Any]) -> Provider:
    name = str(entry.get("name", ""))
    _check_keys(f"provider {name!r}", entry, _PROVIDER_KEYS)
    suffixes = tuple(f".{suffix.lower()}" for suffix in entry.get("mx", ()))
    if not name or not suffixes:
        raise RulesError(f"provider {name!r}: needs a name, and mx with the suffixes of its MX hosts")
    return Provider(name=name, mx=suffixes, marks=tuple(mark.lower() for mark in entry.get("marks", ())))


def _read_rule(entry: Mapping[str, Any], providers: set[str]) -> Rule:
    name = f"rule {entry.get('id', '')!r}"
    _check_keys(name, entry, _RULE_KEYS)
    for key in ("id", "cause", "examples"):
        if not entry.get(key):
            raise RulesError(f"{name}: {key} is missing")
    cause = _read_word(name, "cause", entry["cause"], Cause)
    provider = entry.get("provider")
    if provider is not None and provider not in providers:
        raise RulesError(f"{name}: provider {provider!r} has no matcher; allowed are {', '.join(sorted(providers))}")
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
        literals=required_literals(pattern.pattern) if pattern else (),
        permanent=entry.get("permanent"),
        confidence=confidence,
        status=entry.get("status"),
    )


def _tier(entry: Mapping[str, Any]) -> Tier:
    if "provider" in entry:
        return Tier.PROVIDER
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
