"""The words for every cause, as a person reads them. WAYBILL_GOLDEN=1 writes them anew."""

import os
import re

import pytest

from tests.explain.golden import FOLDER, golden_text
from tests.explain.stories import STORIES
from waybill.explain import Explanation, explain
from waybill.explain.record import Verdict
from waybill.model.cause import Branch, Cause
from waybill.model.message import Status

_CODE = re.compile(
    r"\b[245]\d\d [245]\.|\b[245]\.\d\.\d+\b|^[245]\d\d |" + "|".join(cause for cause in Cause if "_" in cause)
)


def told(name: str) -> Explanation:
    life = STORIES[name]()
    return explain(life.facts(), life.now)


@pytest.mark.parametrize("name", sorted(STORIES))
def test_golden(name: str) -> None:
    """Each story is told in these words."""
    path = FOLDER / f"{name}.txt"
    text = golden_text(told(name))
    if os.environ.get("WAYBILL_GOLDEN"):
        path.write_text(text, "utf-8")
    assert path.read_text("utf-8") == text


def test_no_golden_is_left_over() -> None:
    """Every golden text belongs to a story."""
    assert sorted(path.stem for path in FOLDER.glob("*.txt")) == sorted(STORIES)


def test_every_cause_has_a_story() -> None:
    """Each code of the catalogue is told, and each story is about the cause it is named for."""
    causes = {told(name).recipients[0].cause for name in STORIES}
    assert set(Cause) | {None} == causes
    wrong = [name for name in STORIES if (told(name).recipients[0].cause or "queued") != name.partition("-")[0]]
    assert [] == wrong


@pytest.mark.parametrize("name", sorted(STORIES))
def test_headline_has_no_codes(name: str) -> None:
    """The first line is for people: no reply codes, no words of the catalogue."""
    recipient = told(name).recipients[0]
    assert None is _CODE.search(recipient.telling.headline.replace(recipient.recipient, ""))


@pytest.mark.parametrize("name", sorted(STORIES))
def test_branch_of_the_cause_is_a_problem(name: str) -> None:
    """What went wrong is seen in its branch, too; a delivery that was taken is no problem of the receiver's."""
    recipient = told(name).recipients[0]
    if recipient.branch not in {None, Branch.ACCOUNT} and recipient.cause is not Cause.ACCEPTED_BY_RECEIVER:
        assert recipient.branch is not None
        assert Verdict.PROBLEM is recipient.branches[recipient.branch].verdict


@pytest.mark.parametrize("name", sorted(STORIES))
def test_evidence_is_verbatim(name: str) -> None:
    """Where a server answered, its reply is among the evidence, letter by letter, with the event it stands in."""
    life = STORIES[name]()
    recipient = told(name).recipients[0]
    answers = [
        (event.id, line)
        for event in life.events
        if (attempt := getattr(event.fact, "attempt", None)) and attempt.outcome.reply
        for line in attempt.outcome.reply.lines
    ][-1:]
    if recipient.status in {Status.BOUNCED, Status.DELIVERED, Status.COMPLAINED} and recipient.cause is not Cause.STUCK:
        shown = {(item.event, line) for item in recipient.telling.evidence for line in item.text.splitlines()}
        assert all(any(event == at and line in text for at, text in shown) for event, line in answers)
