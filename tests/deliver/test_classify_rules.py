import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from waybill.deliver.classify import RULES
from waybill.deliver.literals import build_index, required_literals, split_alternatives
from waybill.deliver.rules import RulesError, load_rules

GOOD = """
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
        (
            'id = "one"',
            'id = "one"\nprovider = "gmail"',
            "provider 'gmail' is not in providers.toml; allowed are 1und1, apple",
        ),
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
        ("[[rule]]", "[[provider]]\nname = 'x'\n[[rule]]", "rules.toml: unknown key 'provider'; allowed are rule"),
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
    """Marks that name another provider would be dead weight."""
    for provider in RULES.providers:
        assert RULES.find_provider(f"mx1.{provider.mx[0]}.", "") == provider.name
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
    """Each alternative requires some text, so that no reply meets all of them."""
    assert [one.pattern for one in RULES.alternatives if one.pattern and not one.literals] == []


@pytest.mark.parametrize(
    ("pattern", "parts"),
    [
        ("abc", ("abc",)),
        ("abc|d", ("abc", "d")),
        ("(a|b)c|[|(]d|e\\|f", ("(a|b)c", "[|(]d", "e\\|f")),
        ("^(?!.*(x|y))z|(?:a|(b|c))", ("^(?!.*(x|y))z", "(?:a|(b|c))")),
    ],
)
def test_alternatives_are_split_on_the_top_level_only(pattern: str, parts: tuple[str, ...]) -> None:
    """What stands in brackets, classes and escapes stays together."""
    assert parts == split_alternatives(pattern)


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
    """For every example of every rule, its pattern and its alternatives find the same, and the index misses none."""
    parts: dict[str, list[int]] = {}
    for place, alternative in enumerate(RULES.alternatives):
        parts.setdefault(alternative.rule.id, []).append(place)
    for other in RULES.rules:
        for example in other.examples:
            text = example.lower()
            found = RULES.index.find(text)
            for rule in RULES.rules:
                if rule.pattern is None:
                    continue
                fitting = [place for place in parts[rule.id] if RULES.alternatives[place].fits(text)]
                assert (rule.pattern.search(text) is not None) == bool(fitting), (rule.id, example)
                assert all(found >> place & 1 for place in fitting), (rule.id, example)
