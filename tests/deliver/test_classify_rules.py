import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from waybill.deliver.classify import RULES
from waybill.deliver.literals import build_index, required_literals
from waybill.deliver.rules import RulesError, load_rules

GOOD = """
[[provider]]
name = "google"
mx = ["google.com"]

[[rule]]
id = "one"
pattern = 'user unknown'
cause = "user_unknown"
examples = ["550 User unknown"]
"""


def test_good_document_loads() -> None:
    """The document that the faults below are put into is right."""
    assert [rule.id for rule in load_rules(GOOD).rules] == ["one"]


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ('id = "one"', 'id = "one"\nprovider = "gmail"', "provider 'gmail' has no matcher; allowed are google"),
        ('examples = ["550 User unknown"]', 'examples = ["550 Spam"]', "does not fit its example '550 Spam'"),
        ('examples = ["550 User unknown"]', "", "examples is missing"),
        ('cause = "user_unknown"', 'cause = "nobody"', "cause 'nobody'; allowed are template_variable_missing"),
        ("pattern = 'user unknown'", "pattern = 'User'", "pattern has capitals"),
        ("pattern = 'user unknown'", "pattern = 'user ('", "pattern 'user ('"),
        ("pattern = 'user unknown'", "", "needs a pattern, an enhanced or a code"),
        ("pattern = 'user unknown'", 'enhanced = ["5.1.1"]', "enhanced '5.1.1'; write it without class, as x.1.1"),
        ('id = "one"', 'id = "one"\nconfidence = "sure"', "confidence 'sure'; allowed are certain, likely, possible"),
        ('id = "one"', 'id = "one"\nstage = ["hello"]', "stage 'hello'; allowed are route, connect"),
        ('id = "one"', 'id = "one"\nscope = "content"', "user_unknown suppresses, so its scope stays recipient"),
        ('id = "one"', 'id = "one"\ncolour = 1', "unknown key 'colour'; allowed are"),
        ('mx = ["google.com"]', "", "provider 'google': needs a name, and mx"),
        ('id = "one"', "id = one", "rules.toml: Invalid value"),
    ],
)
def test_fault_stops_the_load(old: str, new: str, fault: str) -> None:
    """Each fault of the file is refused with the rule, the key and what is allowed."""
    assert old in GOOD
    with pytest.raises(RulesError, match=re.escape(fault)):
        load_rules(GOOD.replace(old, new))


def test_order_of_tiers_is_enforced() -> None:
    """Wording stands before codes, and no id is used twice."""
    code = '\n[[rule]]\nid = "two"\ncode = ["550"]\ncause = "undetermined"\nexamples = ["550 x"]\n'
    again = GOOD[GOOD.index("[[rule]]") :]
    with pytest.raises(RulesError, match="a wording rule stands behind a code rule"):
        load_rules(GOOD + code + again.replace('"one"', '"three"'))
    with pytest.raises(RulesError, match="the id is used twice"):
        load_rules(GOOD + again)


def test_every_provider_is_found_by_its_hosts_and_marks() -> None:
    """A provider without rules, or marks that name another provider, would be dead weight."""
    for provider in RULES.providers:
        assert provider.name in {rule.provider for rule in RULES.rules}
        assert RULES.find_provider(f"mx1{provider.mx[0]}.", "") == provider.name
        assert [RULES.find_provider(None, mark) for mark in provider.marks] == [provider.name] * len(provider.marks)
    assert RULES.find_provider("mx.b.example", "user unknown") is None
    assert RULES.find_provider("notgoogle.com", "") is None


@pytest.mark.parametrize(
    ("pattern", "literals"),
    [
        ("abc|def", {"abc", "def"}),
        ("user (is )?unknown", {"unknown"}),
        ("no such \\w+|xyz", {"no such ", "xyz"}),
        ("(full|over) quota", {" quota"}),
        ("(mailbox|inbox) is (full|closed)", {"full", "closed"}),
        ("colou?r of", {"r of"}),
        ("abcd*", {"abc"}),
        ("a|bcd", set()),
        ("(?!spam)mail", {"mail"}),
        ("spam(?!cop)", {"spam"}),
        ("[abc]{3}defg{0,2}", {"def"}),
        ("zen\\.spamhaus\\.org", {"zen.spamhaus.org"}),
    ],
)
def test_required_literals(pattern: str, literals: set[str]) -> None:
    """What no match can be without is found in alternatives, groups and runs; what is optional is not."""
    assert set(required_literals(pattern)) == literals


def test_every_wording_rule_can_be_ruled_out_cheaply() -> None:
    """Each pattern requires some text, so that no reply meets all of them."""
    assert [rule.id for rule in RULES.rules if rule.pattern and not rule.literals] == []


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from("abcde unknowser.(=)|"), max_size=60))
def test_index_never_loses_a_match(text: str) -> None:
    """Whatever a pattern matches, its place is among those the index finds."""
    patterns = ["user (is )?unknown", "(no|bad) (user|sender)", "ab|cde", "know(n|ser)?", "(sue|use)r?"]
    index = build_index([required_literals(pattern) for pattern in patterns])
    found = index.find(text)
    for place, pattern in enumerate(patterns):
        if re.search(pattern, text):
            assert found >> place & 1


def test_rules_of_the_product_agree_with_their_index() -> None:
    """For every example of every rule, a search through all patterns finds no earlier rule that the index misses."""
    for rule in RULES.rules:
        if rule.pattern is None:
            continue
        for other in RULES.rules:
            for example in other.examples:
                text = example.lower()
                if rule.pattern.search(text):
                    assert any(literal in text for literal in rule.literals), (rule.id, example)
