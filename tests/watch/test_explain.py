"""How mail that Amazon SES sent is explained. WAYBILL_GOLDEN=1 writes the words anew."""

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from tests.explain.golden import golden_text
from tests.explain.ledgers import LEDGERS
from tests.explain.life import START
from tests.explain.test_schema import faults, needs_schema
from tests.watch.stories import STORIES
from waybill.explain import Facts, explain, to_json
from waybill.explain.record import Verdict
from waybill.model.cause import Branch, Cause, Responder
from waybill.model.message import Source, Status

FOLDER = Path(__file__).parent / "golden"
_CODE = re.compile(
    r"\b[245]\d\d [245]\.|\b[245]\.\d\.\d+\b|^[245]\d\d |" + "|".join(cause for cause in Cause if "_" in cause)
)


@pytest.mark.parametrize("name", sorted(STORIES))
def test_golden(name: str) -> None:
    """Each story is told in these words."""
    path = FOLDER / f"{name}.txt"
    text = golden_text(STORIES[name].explanation)
    if os.environ.get("WAYBILL_GOLDEN"):
        path.write_text(text, "utf-8")
    assert path.read_text("utf-8") == text


def test_no_golden_is_left_over() -> None:
    """Every golden text belongs to a story."""
    assert sorted(path.stem for path in FOLDER.glob("*.txt")) == sorted(STORIES)


@needs_schema
@pytest.mark.parametrize("name", sorted(STORIES))
def test_story_validates(name: str) -> None:
    """Every story's JSON is what the contract says."""
    assert [] == faults(to_json(STORIES[name].explanation))


@pytest.mark.parametrize("name", sorted(STORIES))
def test_each_story_is_about_its_cause(name: str) -> None:
    """And the first line has no codes."""
    (recipient,) = STORIES[name].explanation.recipients
    assert name.partition("-")[0] == (recipient.cause or "queued")
    assert None is _CODE.search(recipient.telling.headline.replace(recipient.recipient, ""))


@pytest.mark.parametrize("name", sorted(STORIES))
def test_the_branch_of_the_cause_is_a_problem(name: str) -> None:
    """Unless the message was taken."""
    (recipient,) = STORIES[name].explanation.recipients
    if recipient.branch not in {None, Branch.ACCOUNT} and recipient.status is not Status.DELIVERED:
        assert Verdict.PROBLEM is recipient.branches[recipient.branch].verdict


@pytest.mark.parametrize("name", sorted(STORIES))
def test_waybills_own_lists_and_workers_have_no_part(name: str) -> None:
    """No command of this installation's suppression lists or queue, and no promise that Waybill sends it."""
    (recipient,) = STORIES[name].explanation.recipients
    commands = [remedy.command or "" for remedy in recipient.telling.remedies]
    assert [] == [one for one in commands if re.match("waybill (suppression|queue|status|events)", one)]
    assert "Waybill tries" not in golden_text(STORIES[name].explanation)


def test_the_parts_of_the_delay_add_up() -> None:
    """From SES's acceptance to the receiver's answer."""
    delay = STORIES["accepted_by_receiver-late"].explanation.recipients[0].delay
    assert (4_000, 959_300) == (delay.in_waybill_ms, delay.at_receiver_ms)
    assert 963_300 == sum(part.ms for part in delay.parts)


def test_who_speaks() -> None:
    """SES's own decisions are the sending service's, a receiver's words the receiver's."""
    said = {name: story.explanation.recipients[0].telling.responder for name, story in STORIES.items()}
    assert {Responder.WAYBILL} == {said[one] for one in ("suppressed_account", "virus_detected", "held_by_waybill")}
    assert (Responder.REMOTE, Responder.DNS, Responder.RECIPIENT) == (
        said["user_unknown"],
        said["delivery_expired"],
        said["complaint"],
    )


def test_nothing_is_made_up_of_several_recipients() -> None:
    """A bounce of one leaves the other as it was."""
    from_story = STORIES["user_unknown"]
    document = from_story.told[0]
    two = document | {"mail": document["mail"] | {"destination": ["bo@mail.example", "li@mail.example"]}}
    told = type(from_story)(told=(two,)).explanation
    assert [Status.BOUNCED, Status.QUEUED] == [one.status for one in told.recipients]


@needs_schema
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(LEDGERS)
def test_any_ledger_validates(facts: Facts) -> None:
    """Whatever a ledger holds of such mail, even what no SES would tell, it is explained."""
    theirs = replace(facts, message=replace(facts.message, source=Source.AMAZON_SES))
    assert [] == faults(to_json(explain(theirs, START)))
