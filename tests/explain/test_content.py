"""What was found in the content is told where the receiver can have seen it, and nowhere else."""

import pytest

from tests.explain.life import Life
from tests.explain.stories_content import BULK, ours
from waybill.explain import explain
from waybill.model.event import EventKind
from waybill.model.outcome import Stage


def risks(life: Life) -> list[str]:
    (told,) = explain(life.facts(), life.now).recipients
    return [each.text for each in told.telling.evidence if each.kind == "risks"]


def refused(reply: str, stage: Stage) -> Life:
    life = Life()
    life._write(EventKind.CONTENT_EXAMINED, ours(BULK), about=None)
    return life.answered(reply, stage)


@pytest.mark.parametrize("stage", [Stage.GREETING, Stage.MAIL, Stage.RCPT])
@pytest.mark.parametrize("reply", ["550 5.7.1 Policy", "550 5.9.9 Zorp blarg frobnicate", "550 5.7.1 poor reputation"])
def test_a_refusal_before_the_content_was_sent_is_not_laid_to_the_content(reply: str, stage: Stage) -> None:
    """Whoever refuses RCPT TO has seen no link."""
    assert [] == risks(refused(reply, stage))


def test_a_refusal_of_the_message_is() -> None:
    """With the same words, after the final dot."""
    assert risks(refused("550 5.7.1 Policy", Stage.MESSAGE))
