"""The JSON form is what the contract says, for every story and for ledgers that nobody thought of."""

import json
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from tests.explain.golden import golden_text
from tests.explain.ledgers import LEDGERS
from tests.explain.stories import STORIES
from tests.shared_data import SHARED
from waybill.explain import Facts, explain, to_json
from waybill.model.clock import DAY, Instant, parse_rfc3339
from waybill.model.event import EventKind
from waybill.model.message import Status

needs_schema = pytest.mark.skipif(SHARED is None, reason="the schema lies beside the project")


@cache
def validator() -> Draft202012Validator:
    assert SHARED is not None
    return Draft202012Validator(json.loads((SHARED / "contract" / "explanation.schema.json").read_text("utf-8")))


def faults(document: Any) -> list[str]:
    """What is wrong with a document, after a journey through JSON text."""
    errors = validator().iter_errors(json.loads(json.dumps(document)))
    return [f"{'/'.join(map(str, error.path))}: {error.message}" for error in errors]


@needs_schema
@pytest.mark.parametrize("name", sorted(STORIES))
def test_story_validates(name: str) -> None:
    """Every story's JSON is valid."""
    life = STORIES[name]()
    assert [] == faults(to_json(explain(life.facts(), life.now)))


@needs_schema
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(facts=LEDGERS, later=st.integers(0, 3 * DAY))
def test_any_ledger_validates(facts: Facts, later: int) -> None:
    """Whatever a ledger holds, it is explained, and the JSON is valid."""
    now = max((event.at for event in facts.events), default=facts.message.accepted_at) + later
    told = explain(facts, now)
    assert [] == faults(to_json(told))
    assert golden_text(told)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(facts=LEDGERS)
def test_explaining_is_pure(facts: Facts) -> None:
    """The same facts and instant give the same answer."""
    now = facts.message.accepted_at + DAY
    assert explain(facts, now) == explain(facts, now)


@pytest.mark.parametrize("name", sorted(STORIES))
def test_names_who_and_about_what(name: str) -> None:
    """What has gone wrong has a scope, somebody who said so, a verdict on trying again, evidence, and something to do."""
    life = STORIES[name]()
    for recipient in to_json(explain(life.facts(), life.now))["recipients"]:
        if recipient["status"] != Status.QUEUED:
            assert None not in (recipient["scope"], recipient["responder"], recipient["permanent"], recipient["branch"])
        assert recipient["evidence"]
        assert recipient["remedies"]
        assert ["template", "address", "receiver", "spam", "delay", "service"] == list(recipient["branches"])


@pytest.mark.parametrize("name", sorted(STORIES))
def test_delay_parts_add_up(name: str) -> None:
    """The parts come to the time from the client's signature to the end of the story's waiting."""
    life = STORIES[name]()
    recipient = to_json(explain(life.facts(), life.now))["recipients"][0]
    delay = recipient["delay"]
    ended = [event for event in life.events if event.kind is not EventKind.PROBED]
    attempts = [event.fact.attempt for event in life.events if hasattr(event.fact, "attempt")]
    ends: Instant = attempts[-1].ended_at if attempts else ended[-1].at
    if recipient["status"] in {"queued", "delayed"}:
        ends = life.now
    expired = [entry["at"] for entry in recipient["timeline"] if entry["kind"] == "expired"]
    if expired:
        ends = parse_rfc3339(expired[0])
    started = life.message.client_started_at
    assert started is not None
    waited = [delay[f"{where}_ms"] or 0 for where in ("before_acceptance", "in_waybill", "at_receiver")]
    assert ends - started == sum(waited)
    assert sum(waited) + (delay["after_acceptance_ms"] or 0) == sum(part["ms"] for part in delay["parts"])
