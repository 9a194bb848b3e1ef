"""What is counted of an attempt, how cells add up, and how unlikely what they show is."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from waybill.deliver.classify import classify, classify_text
from waybill.deliver.evidence import Evidence, Failure
from waybill.model.clock import DAY, MINUTE, Instant
from waybill.model.outcome import Stage
from waybill.standing.incident.chance import beta_binomial_tail, evidence_of, gamma_poisson_tail
from waybill.standing.incident.counts import (
    MOST_CELLS,
    MOST_NAMES,
    OTHERS,
    Answer,
    Cell,
    Seen,
    Tally,
    answer_of,
    merge,
    slowest_twentieth,
    time_bin,
)

AT: Instant = 1_795_500_000_000 - 1_795_500_000_000 % MINUTE


def seen(number: int = 1, **changes: object) -> Seen:
    fields: dict[str, object] = {
        "at": AT + 5,
        "site": "google",
        "title": "Google",
        "is_provider": True,
        "message_id": f"m-{number}",
        "recipient": f"r{number}@gmail.com",
        "recipient_domain": "gmail.com",
        "sending_domain": "shop.example",
        "account": "1",
        "source_ip": "198.51.100.4",
        "answer": Answer.OK,
        "rule": "accepted",
        "words": "250 Ok",
        "lasted": 400,
    }
    return Seen(**fields | changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        ("250 2.0.0 Ok", Answer.OK),
        ("451 4.3.2 try again later", Answer.SYSTEM),
        ("421 4.3.0 Temporary System Problem. Try again later", Answer.SYSTEM),
        ("550 5.1.1 User unknown", Answer.RECIPIENT),
        ("452 4.2.2 Mailbox full", Answer.RECIPIENT),
        ("450 4.7.1 Greylisted, try again later", Answer.RECIPIENT),
        ("550 5.7.1 Service unavailable; client [198.51.100.4] blocked using zen.spamhaus.org", Answer.POLICY_IP),
        ("554 5.7.1 Message rejected as spam", Answer.POLICY),
    ],
)
def test_replies(reply: str, answer: Answer) -> None:
    """What a server's reply counts as."""
    assert answer is answer_of(classify_text(reply))


@pytest.mark.parametrize(
    ("failure", "stage", "answer"),
    [
        (Failure.CONNECTION_TIMEOUT, Stage.CONNECT, Answer.CONNECT),
        (Failure.TIMEOUT, Stage.GREETING, Answer.TLS),
        (Failure.CONNECTION_LOST, Stage.DATA, Answer.TLS),
        (Failure.DNS_TIMEOUT, Stage.ROUTE, Answer.DNS),
        (Failure.DOMAIN_NOT_FOUND, Stage.ROUTE, Answer.RECIPIENT),
        (Failure.NETWORK_DOWN, Stage.CONNECT, None),
        (Failure.NO_SOURCE, Stage.ROUTE, None),
    ],
)
def test_failures_without_a_reply(failure: Failure, stage: Stage, answer: Answer | None) -> None:
    """What nobody answered counts as; what happened inside Waybill says nothing about anybody."""
    outcome = classify(Evidence(stage=stage, recipient="a@b.example", failure=failure, text="words"))
    assert answer is answer_of(outcome)


def test_a_receivers_own_dns_trouble_is_not_ours() -> None:
    """451 that speaks of a failed lookup is an answer of that server."""
    outcome = classify_text("451 4.3.0 DNS lookup failure, try again")
    assert answer_of(outcome) in {Answer.SYSTEM, Answer.POLICY_DOMAIN}


def test_a_message_counts_once_a_minute() -> None:
    """A message to fifty recipients is one message; later attempts stand apart; what is written again is whole."""
    tally = Tally()
    for number in range(50):
        tally.see(seen(1, recipient=f"r{number}@gmail.com"))
    tally.see(seen(2, first=False, answer=Answer.SYSTEM))
    (cell,) = tally.take(AT + 10)
    assert ({"ok": 1}, {"system": 1}) == (cell.answers, cell.again)
    assert [] == tally.take(AT + 11)
    tally.see(seen(3))
    (again,) = tally.take(AT + 12)
    assert {"ok": 2} == again.answers
    tally.give_back([again])
    assert [again] == tally.take(AT + 13)


def test_known_recipients_that_are_refused() -> None:
    """Each is remembered with its sender, also when it is refused again later."""
    tally = Tally()
    for first in (True, False):
        tally.see(seen(1, answer=Answer.RECIPIENT, last_taken=AT - DAY, first=first))
    tally.see(seen(2, answer=Answer.RECIPIENT))
    (cell,) = tally.take(AT)
    assert ["1 r1@gmail.com"] == list(cell.known_refused)
    assert 2 == cell.refused


def test_memory_is_bounded() -> None:
    """Names beyond the bound are counted together, and small sites beyond it are not counted."""
    tally = Tally()
    for number in range(MOST_NAMES + 50):
        tally.see(seen(number, sending_domain=f"s{number}.example"))
    for number in range(MOST_CELLS + 10):
        tally.see(seen(number, site=f"mx{number}.example", is_provider=False))
    cells = tally.take(AT)
    (google,) = [cell for cell in cells if cell.site == "google"]
    assert MOST_NAMES + 1 == len(google.by_sender)
    assert {"ok": 50} == google.by_sender[OTHERS]
    assert MOST_CELLS == len(cells)


def test_old_minutes_are_forgotten() -> None:
    """A worker keeps what it may still have to write."""
    tally = Tally()
    tally.see(seen(1))
    tally.take(AT + 5 * MINUTE)
    tally.see(seen(1, at=AT + 5))
    (cell,) = tally.take(AT + 5 * MINUTE)
    assert {"ok": 1} == cell.answers


def test_cells_survive_the_store() -> None:
    """JSON and back."""
    tally = Tally()
    tally.see(seen(1))
    tally.see(seen(2, answer=Answer.RECIPIENT, last_taken=AT - DAY, rule="user-unknown", words="550 no"))
    (cell,) = tally.take(AT)
    assert cell == msgspec.json.Decoder(Cell).decode(msgspec.json.encode(cell))


def test_merging_adds_up() -> None:
    """Of two workers, or two minutes; the cells themselves stay as they are."""
    one = Cell(minute=AT, site="google", answers={"ok": 2}, by_ip={"a": {"ok": 2}}, times={3: 2})
    two = Cell(minute=AT + MINUTE, site="google", answers={"ok": 1, "tls": 1}, by_ip={"b": {"tls": 1}}, times={3: 1})
    total = merge([one, two])
    assert total is not None
    assert ({"ok": 3, "tls": 1}, {"a": {"ok": 2}, "b": {"tls": 1}}, {3: 3}, AT) == (
        total.answers,
        total.by_ip,
        total.times,
        total.minute,
    )
    assert {"ok": 2} == one.answers
    assert None is merge([])


@given(st.lists(st.integers(1, 600_000), min_size=1, max_size=200))
@settings(max_examples=50)
def test_the_slowest_twentieth(times: list[int]) -> None:
    """It is a time that was taken, to within a bin, and 95 of a hundred took no longer."""
    bins: dict[int, int] = {}
    for one in times:
        bins[time_bin(one)] = bins.get(time_bin(one), 0) + 1
    found = slowest_twentieth(bins)
    assert sum(one <= found * 1.2 for one in times) >= 0.94 * len(times)
    assert min(times) / 1.2 - 1 <= found <= max(times)


def test_chances() -> None:
    """By hand: a fair coin's two heads of two; with a share that varies, more heads together are likelier."""
    assert 0.25 == pytest.approx(beta_binomial_tail(2, 2, 0.5, 1e9), rel=1e-6)
    assert beta_binomial_tail(2, 2, 0.5, 2.0) == pytest.approx(1 / 3)
    assert 1.0 == beta_binomial_tail(0, 10, 0.1, 60)
    assert 1.0 == pytest.approx(beta_binomial_tail(1, 3000, 0.5, 60), abs=1e-6)
    assert 1.0 == gamma_poisson_tail(0, 100, 0.01, 2)
    assert gamma_poisson_tail(1, 100, 0.01, 1e9) == pytest.approx(1 - 2.718281828459045**-1, rel=1e-4)
    assert evidence_of(3, 3, usual=0.01, bad=0.5) > 0 > evidence_of(0, 3, usual=0.01, bad=0.5)


@given(st.integers(1, 400), st.floats(0.005, 0.5), st.data())
@settings(max_examples=50)
def test_chances_fall(trials: int, usual: float, data: st.DataObject) -> None:
    """More failures are less likely, and every chance is one."""
    failures = data.draw(st.integers(0, trials - 1))
    more, fewer = beta_binomial_tail(failures + 1, trials, usual, 60), beta_binomial_tail(failures, trials, usual, 60)
    assert 0 <= more <= fewer + 1e-9 <= 1 + 2e-9
