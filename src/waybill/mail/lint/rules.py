"""The rules (``rules.toml``): the id, weight, words and source of everything that can be found."""

import tomllib
from collections.abc import Mapping
from importlib import resources

from waybill.model.content import Finding, Severity
from waybill.model.record import record

MOST_SHOWN = 120
"""Characters of what a message says that a finding repeats."""


@record(frozen=True, kw_only=True, slots=True)
class Rule:
    """One entry of ``rules.toml``."""

    id: str
    severity: Severity
    text: str
    source: str


def _load() -> Mapping[str, Rule]:
    document = resources.files("waybill.mail.lint").joinpath("rules.toml").read_text("utf-8")
    rules = [Rule(**{**entry, "severity": Severity(entry["severity"])}) for entry in tomllib.loads(document)["rule"]]
    return {rule.id: rule for rule in rules}


RULES = _load()


def found(rule: str, *, where: str | None = None, **words: object) -> Finding:
    """The finding of a rule; ``words`` fill its text, shortened to what a line holds."""
    said = RULES[rule]
    text = said.text.format_map({name: shorten(str(value)) for name, value in words.items()})
    return Finding(
        id=said.id,
        severity=said.severity,
        text=text,
        where=shorten(where) if where else None,
        source=said.source,
    )


def shorten(text: str) -> str:
    """The text on one line, cut where it is long."""
    line = " ".join(text[: MOST_SHOWN * 2].split())
    return line if len(line) <= MOST_SHOWN else f"{line[: MOST_SHOWN - 1]}…"
