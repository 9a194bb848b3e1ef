"""The JSON of events and notifications, held against recorded ones and against every fact there can be."""

import json
import types
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.shared_data import SHARED
from waybill.model.event import FACTS, Event, EventKind, Suppressed, ses_event
from waybill.model.message import Message
from waybill.model.outcome import Outcome
from waybill.model.resource import FeedbackTopics
from waybill.model.suppression import GLOBAL
from waybill.publish.example_facts import Example, examples
from waybill.publish.ses_event import event_json, notification_json
from waybill.publish.ses_mail import Installation

SES = Installation(region="us-east-1", hostname="a8-31.smtp-out.amazonses.com")
EXAMPLES = examples(SES)
needs_data = pytest.mark.skipif(SHARED is None, reason="the recorded events are not here")


def recorded(name: str) -> Any:
    assert SHARED is not None
    return json.loads((SHARED / "data" / "events" / f"{name}.json").read_text("utf-8"))


def published(example: Example) -> Any:
    return json.loads(event_json(example.event, example.message, SES, example.delivered))


def in_order(document: Any) -> str:
    return json.dumps(document, indent=1)


@needs_data
@pytest.mark.parametrize("name", sorted(set(EXAMPLES) - {"bounce-after-delivery", "bounce-transient-mailboxfull"}))
def test_events_are_as_recorded(name: str) -> None:
    """Every member is where SES writes it, with the value SES writes."""
    expected = recorded(name)
    actual = published(EXAMPLES[name])
    for document in (expected, actual):  # the same list entry, made at another time
        document.get("bounce", {}).pop("timestamp", None)
        document.get("complaint", {}).pop("timestamp", None)
        document.get("bounce", {}).pop("feedbackId", None)
        document.get("complaint", {}).pop("feedbackId", None)
    assert in_order(expected) == in_order(actual)


def shape(document: Any) -> Any:
    """The structure with the types in place of the values."""
    if isinstance(document, dict):
        return [(name, shape(value)) for name, value in document.items()]
    return [shape(item) for item in document] if isinstance(document, list) else type(document).__name__


@needs_data
@pytest.mark.parametrize(
    ("name", "file"),
    [(name, name) for name in EXAMPLES if name != "bounce-after-delivery"]
    + [("bounce-permanent-general", "bounce-permanent-noemail")],
)
def test_structure_is_as_recorded(name: str, file: str) -> None:
    """Names, their order and their types are the recorded ones, timestamps and ids included."""
    assert shape(recorded(file)) == shape(published(EXAMPLES[name]))


@needs_data
@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("bounce-permanent-general", "legacy-notification-bounce"),
        ("complaint", "legacy-notification-complaint"),
        ("delivery", "legacy-notification-delivery-with-headers"),
    ],
)
def test_notifications_are_as_recorded(name: str, file: str) -> None:
    """Legacy notifications have no tags, and headers only where they are asked for."""
    example, topics = EXAMPLES[name], FeedbackTopics(delivery_headers=True)
    actual = json.loads(notification_json(example.event, example.message, SES, topics))
    expected = recorded(file)
    for document in (expected, actual):
        document.get("bounce", {}).pop("timestamp", None)
        document.get("bounce", {}).pop("feedbackId", None)
    assert in_order(expected) == in_order(actual)


def test_a_templated_send_tells_only_what_is_known_before_rendering() -> None:
    """The Send event of a templated message has no sourceArn and no Subject."""
    send = EXAMPLES["send"]
    mail = published(replace(send, message=replace(send.message, template="OrderShipped")))["mail"]
    assert "sourceArn" not in mail
    assert ["From", "To", "MIME-Version"] == [header["name"] for header in mail["headers"]]
    assert ["from", "to", "messageId"] == list(mail["commonHeaders"])


def test_a_global_entry_is_a_bounce_whatever_its_reason() -> None:
    """SES's global list knows bounces only (Permanent, Suppressed); a complaint is between an account and its recipient."""
    example = EXAMPLES["complaint-onaccountsuppressionlist"]
    assert isinstance(example.event.fact, Suppressed)
    entry = replace(example.event.fact.entry, account=GLOBAL)
    event = replace(example.event, fact=replace(example.event.fact, entry=entry))
    document = published(replace(example, event=event))
    assert document["eventType"] == "Bounce"
    assert (document["bounce"]["bounceType"], document["bounce"]["bounceSubType"]) == ("Permanent", "Suppressed")


def test_a_bounce_mail_names_the_reporting_server_once() -> None:
    """The type that the report gives the name is not put before it again."""
    bounce = published(EXAMPLES["bounce-after-delivery"])["bounce"]
    assert bounce["reportingMTA"] == "dns; mx1.customer.example"
    assert (bounce["bounceType"], bounce["bounceSubType"]) == ("Transient", "ContentRejected")


def test_common_headers() -> None:
    """Addresses are read and decoded, names that need it quoted, unreadable fields given whole."""
    headers = (
        ("from", "=?utf-8?q?Gr=C3=BC=C3=9Fe?= <a@shop.example>"),
        ("To", '"Doe, John" <j@x.example>, plain@x.example'),
        ("Cc", "not an address"),
        ("Reply-To", "r@shop.example"),
        ("Date", "Tue, 24 Nov 2026 02:30:00 +0000"),
        ("Subject", "=?utf-8?q?Gr=C3=BC=C3=9Fe?="),
        ("X-SES-MESSAGE-TAGS", "a=b"),
    )
    send = EXAMPLES["send"]
    mail = published(replace(send, message=replace(send.message, headers=headers)))["mail"]
    assert mail["commonHeaders"] == {
        "from": ["Grüße <a@shop.example>"],
        "to": ['"Doe, John" <j@x.example>', "plain@x.example"],
        "cc": ["not an address"],
        "replyTo": ["r@shop.example"],
        "date": "Tue, 24 Nov 2026 02:30:00 +0000",
        "messageId": send.message.id,
        "subject": "Grüße",
    }
    assert len(headers) == len(mail["headers"])


_INSTANTS = st.integers(0, 253_402_300_799_999)
_TEXTS = st.text(max_size=40)
_LEAVES: dict[Any, st.SearchStrategy[Any]] = {
    int: _INSTANTS,
    float: st.floats(0, 1e6),
    str: _TEXTS,
    bool: st.booleans(),
    bytes: st.binary(max_size=8),
    types.NoneType: st.none(),
}


@cache
def values_of(hint: Any) -> st.SearchStrategy[Any]:
    """Any value of the type."""
    origin, arguments = get_origin(hint), get_args(hint)
    if hint in _LEAVES:
        return _LEAVES[hint]
    if origin in {types.UnionType, Union}:
        return st.one_of(*map(values_of, arguments))
    if origin is tuple:
        some = st.lists(values_of(arguments[0]), max_size=2).map(tuple)
        return some if arguments[-1] is Ellipsis else st.tuples(*map(values_of, arguments))
    if origin is dict:
        return st.dictionaries(values_of(arguments[0]), values_of(arguments[1]), max_size=3)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return st.sampled_from(hint)
    return records(hint)


def records(record: Any) -> st.SearchStrategy[Any]:
    """Any record of the type that its constructor takes."""
    assert is_dataclass(record)
    hints = get_type_hints(record)
    members = {field.name: values_of(hints[field.name]) for field in fields(record) if field.init}
    if record is Outcome:
        members |= {"suppress": st.just(value=False), "diagnostic": st.text(min_size=1), "rule": st.just("r")}
    return st.builds(record, **members)


_PUBLISHED = (
    EventKind.ACCEPTED, EventKind.RENDERING_FAILED, EventKind.REJECTED, EventKind.SUPPRESSED, EventKind.DELIVERED,
    EventKind.DEFERRED, EventKind.BOUNCED, EventKind.EXPIRED, EventKind.BOUNCE_RECEIVED, EventKind.COMPLAINED,
)  # fmt: skip
_HEADERS = st.tuples(
    st.sampled_from(["From", "To", "cc", "Bcc", "Reply-To", "Subject", "Message-ID", "Sender", "X-Y"]),
    st.one_of(_TEXTS, st.sampled_from(['"', "=?utf-8?b?//8=?=", "a:b;", "<", "(((", "a@b, c@d"])),
)


@pytest.mark.parametrize("kind", _PUBLISHED)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_every_fact_has_its_json(kind: EventKind, data: st.DataObject) -> None:
    """Whatever the ledger holds comes out as one line of JSON that names the message and the kind."""
    event = data.draw(records(Event).map(lambda event: replace(event, kind=kind)))
    event = replace(event, fact=data.draw(records(FACTS[kind])))
    message = replace(data.draw(records(Message)), headers=tuple(data.draw(st.lists(_HEADERS, max_size=4))))
    line = event_json(event, message, SES)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    document = json.loads(line)
    assert document["mail"]["messageId"] == message.id
    kind_name = ses_event(event.kind, event.fact)
    assert kind_name is not None
    assert document["eventType"].upper().replace(" ", "") == kind_name.replace("_", "")
    if kind in {EventKind.DELIVERED, EventKind.BOUNCED, EventKind.COMPLAINED}:
        assert json.loads(notification_json(event, message, SES, FeedbackTopics(bounce_headers=True)))
