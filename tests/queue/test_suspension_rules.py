"""The rules that suspend a provider: every example goes the whole way, and a faulty file is refused with a clear error."""

from dataclasses import replace

import pytest

from tests.queue.test_pace import silence
from tests.store.builders import START, attempt
from waybill.deliver.classify import classify
from waybill.deliver.evidence import Evidence
from waybill.deliver.provider import PROVIDERS, Site
from waybill.mail.reply import parse_reply
from waybill.model.clock import HOUR, MINUTE, SECOND, Instant
from waybill.model.outcome import Attempt, Result, Stage
from waybill.queue.suspensions import (
    SUSPENSION_RULES,
    SuspensionCounts,
    SuspensionRule,
    SuspensionRulesError,
    load_suspension_rules,
)

RULE = """
[[rule]]
id = "x"
provider = "yahoo"
pattern = '''tss04'''
times = 2
within = "1h"
for = "2h"
reason = "r"
source = "s"
examples = ["421 4.7.0 [TSS04] Messages deferred"]
"""


def site_for(provider: str) -> Site:
    return PROVIDERS.site(f"mx.{PROVIDERS.by_name[provider].mx[0]}")


def answered(words: str, provider: str, at: Instant) -> Attempt:
    """What the deliverer makes of the reply."""
    evidence = Evidence(
        stage=Stage.MESSAGE,
        recipient="bob@receiver.example",
        reply=parse_reply(words),
        text=words,
        host=f"mx.{PROVIDERS.by_name[provider].mx[0]}",
    )
    outcome = classify(evidence)
    return replace(attempt(at, Result.DEFERRED, outcome.cause, "421 4.7.0 x"), outcome=outcome, ended_at=at)


@pytest.mark.parametrize(
    ("rule", "example"), [(rule, example) for rule in SUSPENSION_RULES for example in rule.examples]
)
def test_every_example_suspends(rule: SuspensionRule, example: str) -> None:
    """From the server's words, by the classifier, to the suspension: at the last of its times, and not before."""
    counts = SuspensionCounts(SUSPENSION_RULES)
    for number in range(rule.times - 1):
        made = answered(example, rule.provider, START + number)
        assert counts.see(site_for(rule.provider), made, "m1") is None
    found = counts.see(site_for(rule.provider), answered(example, rule.provider, START + MINUTE), "m2")
    assert found is not None
    assert (rule.provider, f"rule:{rule.id}", rule.reason, START + MINUTE + rule.lasts, rule.per_minute, "m2") == (
        found.name,
        found.by,
        found.reason,
        found.until,
        found.per_minute,
        found.message_id,
    )
    assert f"smtp; {parse_reply(example).text}" == found.reply
    assert rule.source


def test_too_seldom_is_no_reason() -> None:
    """The replies must come within the rule's time; other sites' and silences do not count."""
    counts = SuspensionCounts(load_suspension_rules(RULE))
    words = "421 4.7.0 [TSS04] Messages deferred"
    site = site_for("yahoo")
    assert counts.see(site, answered(words, "yahoo", START), "m") is None
    assert counts.see(site_for("google"), answered(words, "yahoo", START), "m") is None
    assert counts.see(site, silence(), "m") is None
    assert counts.see(site, answered(words, "yahoo", START + HOUR + SECOND), "m") is None
    assert counts.see(site, answered(words, "yahoo", START + 2 * HOUR), "m") is not None
    assert counts.see(site, answered(words, "yahoo", START + 2 * HOUR), "m") is None


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ('"yahoo"', '"gmail"', "rule 'x': provider 'gmail' is not in providers.toml; allowed are "),
        ("tss04", "tss05", r"rule 'x': does not fit its example '421 4.7.0 [TSS04] Messages deferred'"),
        ("tss04", "tss(04", "rule 'x': pattern 'tss(04': "),
        ("pattern = '''tss04'''", 'rules = ["nothing"]', "rule 'x': rules names 'nothing', which is not in rules.toml"),
        ("pattern = '''tss04'''", "", "rule 'x': needs rules or a pattern"),
        ("times = 2", "times = true", "rule 'x': times = True; allowed is a whole number from 1"),
        ("times = 2", "", "rule 'x': times is missing"),
        ('"1h"', '"soon"', "rule 'x': within = 'soon'; allowed is a duration such as"),
        ('"2h"', '"2h"\nper_minute = -1', "rule 'x': per_minute = -1; allowed is a number from 0"),
        ('source = "s"', "", "rule 'x': source is missing"),
        ("times", "tmies", "rule 'x': unknown key 'tmies'; allowed are "),
        ("[[rule]]", "[[rule", "suspensions.toml: "),
    ],
)
def test_a_faulty_file_is_refused(old: str, new: str, error: str) -> None:
    """With the rule, the key and what is allowed."""
    with pytest.raises(SuspensionRulesError) as raised:
        load_suspension_rules(RULE.replace(old, new, 1))
    assert str(raised.value).startswith(error)


def test_ids_are_used_once() -> None:
    """A suspension's author must name one rule."""
    with pytest.raises(SuspensionRulesError, match="used twice"):
        load_suspension_rules(RULE + RULE)
