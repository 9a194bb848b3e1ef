"""Every story, end to end, is told as an expert would tell it."""

from collections.abc import Sequence

import pytest

from tests.stories.play import Told, all_stories, play
from waybill.model.cause import Cause

pytestmark = pytest.mark.story

STORIES = all_stories()


@pytest.fixture(scope="module")
def told() -> Sequence[Told]:
    return play(STORIES)


def test_there_are_enough_of_them() -> None:
    """Eighty at least, each with its own name and recipient."""
    assert len(STORIES) >= 80
    assert len({story.name for story in STORIES}) == len(STORIES) == len({story.recipient for story in STORIES})


@pytest.mark.parametrize("number", range(len(STORIES)), ids=[story.name for story in STORIES])
def test_story(told: Sequence[Told], number: int) -> None:
    """Cause, scope, responder, permanence, who has something to do, and whether the address is listed."""
    one = told[number]
    assert {} == one.wrong, one.said


def test_every_cause_of_the_catalogue_is_met(told: Sequence[Told]) -> None:
    """No cause is only a word: each has a story that ends in it."""
    assert set() == {cause.value for cause in Cause} - {one.said["cause"] for one in told}
