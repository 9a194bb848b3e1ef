"""Rates are judged by SES's thresholds, and only what is sure has effects."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waybill.model.clock import DAY, HOUR
from waybill.model.resource import INSTALLATION
from waybill.model.standing import Figures, Tally
from waybill.standing.pausing import judged_from
from waybill.standing.reputation import (
    SURE,
    Kind,
    Level,
    Measure,
    PauseDue,
    Subject,
    describe,
    judge,
    judge_all,
    lower_bound,
    measure,
    pauses_due,
    periods,
)

ACCOUNT = "100000000001"
NOW = 1_795_500_000_000
STARTS = periods(NOW)


@pytest.mark.parametrize(
    ("cases", "of", "level"),
    [
        (1, 3, Level.HEALTHY),  # a third, of nothing that could be judged
        (50, 99, Level.HEALTHY),
        (4, 100, Level.HEALTHY),
        (2, 30, Level.HEALTHY),
        (5, 100, Level.AT_RISK),
        (9, 100, Level.AT_RISK),
        (12, 100, Level.UNDER_REVIEW),
        (60, 1_000, Level.AT_RISK),
        (65, 1_000, Level.UNDER_REVIEW),
        (100, 1_000, Level.UNDER_REVIEW),
        (15, 100, Level.UNDER_REVIEW),  # 15 %, and not yet sure to be over 10
        (25, 100, Level.OVER_LIMIT),
        (140, 1_000, Level.OVER_LIMIT),
    ],
)
def test_bounces(cases: int, of: int, level: Level) -> None:
    """5 % and 10 %: the warning by the figure itself, review and pause when it is sure."""
    assert level is measure(Measure.BOUNCE, cases, of).level


@pytest.mark.parametrize(
    ("cases", "of", "level"),
    [
        (1, 500, Level.HEALTHY),  # one complaint is no rate
        (2, 1_000, Level.AT_RISK),
        (20, 10_000, Level.UNDER_REVIEW),
        (9, 10_000, Level.HEALTHY),
        (20, 1_000, Level.OVER_LIMIT),
        (4, 100, Level.UNDER_REVIEW),  # too few to stop anybody
    ],
)
def test_complaints(cases: int, of: int, level: Level) -> None:
    """0.1 % and 0.5 %."""
    assert level is measure(Measure.COMPLAINT, cases, of).level


@given(of=st.integers(1, 100_000), data=st.data())
def test_the_lower_bound_is_below_the_share(of: int, data: st.DataObject) -> None:
    """It lies between nothing and the share, and is zero only where there is no case."""
    cases = data.draw(st.integers(0, of))
    bound = lower_bound(cases, of, SURE)
    assert 0 <= bound <= cases / of + 1e-12
    assert (cases > 0) is (bound > 1e-9)


@given(cases=st.integers(0, 3_000), of=st.integers(0, 3_000))
def test_more_bounces_never_look_better(cases: int, of: int) -> None:
    """Of the same mail one bounce more is as bad or worse."""
    assert measure(Measure.BOUNCE, cases + 1, of + 3_001).level >= measure(Measure.BOUNCE, cases, of + 3_001).level


def tally(sent: int, hard: int, configuration_set: str = "", *, complaints: int = 0) -> Tally:
    figures = Figures(sent=sent, delivered=sent - hard, permanent=hard, hard=hard, complaints=complaints)
    return Tally(
        account=ACCOUNT,
        identity="news@shop.example",
        configuration_set=configuration_set,
        source_ip="198.51.100.4",
        figures=(figures, figures, figures),
    )


def test_the_shortest_representative_window_is_judged() -> None:
    """The last day where it holds enough mail, else a week, else a month."""
    subject = Subject(kind=Kind.ACCOUNT, account=ACCOUNT, name=ACCOUNT)
    small, large = Figures(sent=999), Figures(sent=1_000)
    assert ["24 hours", "7 days", "30 days", "30 days"] == [
        judge(subject, figures, STARTS).window
        for figures in ((large, large, large), (small, large, large), (small, small, large), (small, small, small))
    ]


def test_everybody_that_mail_was_sent_with_is_judged() -> None:
    """An address counts for its domain too, and a source address for all accounts."""
    judged = judge_all([tally(100, 0, "news"), tally(100, 30)], STARTS)
    assert [
        ("account", ACCOUNT, 30),
        ("domain", "shop.example", 30),
        ("address", "news@shop.example", 30),
        ("source IP", "198.51.100.4", 30),
        ("configuration set", "news", 0),
    ] == [(one.subject.kind.value, one.subject.name, one.figures.hard) for one in judged]
    assert INSTALLATION == judged[3].subject.account


def due(tallies: Sequence[Tally], *, accounts: Sequence[str] = (), sets: Sequence[str] = ()) -> list[PauseDue]:
    return pauses_due(tallies, STARTS, paused_accounts=accounts, paused_sets={ACCOUNT: sets}, at=NOW)


def test_the_account_is_paused_with_its_figures() -> None:
    """The author is the rule; the reason has the figures and the limit."""
    [one] = due([tally(1_000, 140)])
    assert (Kind.ACCOUNT, ACCOUNT, NOW) == (one.subject.kind, one.subject.name, one.pause.at)
    assert "rule:bounce-rate" == one.pause.by
    assert (
        "140 of 1,000 recipients (14.0 %) bounced for good in the last 24 hours, and sending stops at 10 %"
        == one.pause.reason
    )


def test_complaints_pause_too() -> None:
    """By the rule of their own."""
    [one] = due([tally(1_000, 0, complaints=20)])
    assert (
        "rule:complaint-rate",
        "20 of 1,000 recipients (2.0 %) complained in the last 24 hours, and sending stops at 0.5 %",
    ) == (
        one.pause.by,
        one.pause.reason,
    )


def test_a_bad_campaign_stops_alone() -> None:
    """Where the rest of the account is well, its one bad configuration set is paused; else the account."""
    assert [(Kind.CONFIGURATION_SET, "news")] == [
        (one.subject.kind, one.subject.name) for one in due([tally(1_000, 200, "news"), tally(1_000, 10)])
    ]
    assert [Kind.ACCOUNT] == [one.subject.kind for one in due([tally(1_000, 200, "news"), tally(1_000, 200)])]


def test_what_is_paused_is_not_paused_again() -> None:
    """Nor does a set that is stopped already stop the account that it belonged to."""
    assert [] == due([tally(1_000, 200)], accounts=[ACCOUNT])
    assert [] == due([tally(1_000, 200, "news"), tally(1_000, 10)], sets=["news"])


def test_little_mail_stops_nobody() -> None:
    """One of three is a third, and no reason."""
    assert [] == due([tally(3, 1), tally(20, 19, "news")])


def test_words() -> None:
    """One recipient is one; small shares have two places."""
    assert "1 of 1 recipient (100.0 %) bounced for good in the last 24 hours" == describe(
        measure(Measure.BOUNCE, 1, 1), "24 hours"
    )
    assert "3 of 4,000 recipients (0.07 %) complained in the last 7 days" == describe(
        measure(Measure.COMPLAINT, 3, 4_000), "7 days"
    )


def test_a_fresh_start_begins_with_the_next_hour() -> None:
    """Mail is added up by hours, and of the one that had begun nobody can say what was before."""
    hour = NOW - NOW % HOUR
    assert (hour + HOUR, hour, 0) == (judged_from(hour + 1), judged_from(hour), judged_from(None))


def test_windows_begin_where_the_store_has_sums() -> None:
    """With an hour, and beyond three days with a day."""
    assert [0, 0, 0] == [STARTS[0] % HOUR, STARTS[1] % DAY, STARTS[2] % DAY]
    assert NOW - 31 * DAY <= STARTS[2] <= NOW - 30 * DAY
