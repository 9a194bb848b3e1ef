"""The page about events."""

import json
import re

import pytest

from waybill.model.event import EventKind, ses_event
from waybill.publish.events_page import events_page
from waybill.publish.example_facts import examples
from waybill.publish.ses_mail import Installation


@pytest.fixture(scope="module")
def page() -> str:
    return events_page()


def test_it_is_the_same_each_time(page: str) -> None:
    """The page can be checked into the repository: nothing in it depends on time or chance."""
    assert page == events_page()


@pytest.mark.parametrize("kind", EventKind)
def test_it_tells_of_every_fact(page: str, kind: EventKind) -> None:
    """Each kind of the ledger is in the table."""
    assert page.count(f"| `{kind}` |") == 1


def test_what_the_table_says_is_what_the_code_does(page: str) -> None:
    """A kind has an example where the table names an SES event, and none where it says none."""
    rows = dict(re.findall(r"^\| `([a-z_]+)` \| ([^|]+) \|", page, re.MULTILINE))
    made: dict[str, set[str]] = {}
    for example in examples(Installation(region="r", hostname="h")).values():
        name = ses_event(example.event.kind, example.event.fact)
        made.setdefault(example.event.kind, set()).add(str(name).replace("_", "").lower())
    said = {
        kind: {word.replace(" ", "").lower() for word in names.split(", or ")}
        for kind, names in rows.items()
        if names != "none"
    }
    assert said == made


def test_every_example_is_json(page: str) -> None:
    """Each block can be pasted into a test of a consumer."""
    blocks = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    kinds = {next(iter(json.loads(block))) for block in blocks}
    assert kinds == {"Type", "eventType", "notificationType"}
