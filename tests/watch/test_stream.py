"""Events in files of every form; what is wrong is named with its line, and the rest goes on."""

import gzip
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.watch import events
from waybill.store.elsewhere import Reported
from waybill.watch.stream import Fault, Skipped, read_stream
from waybill.watch.unwrap import VALIDATION

ONE, TWO = events.bounce(), events.delivery()


def told(content: bytes) -> list[str]:
    """What a file holds, in short."""
    found = []
    for one in read_stream(content):
        if isinstance(one, Reported):
            found.append(str(json.loads(json.dumps(one.events[0].fact.type))) if one.events else "")  # type: ignore[union-attr]
        else:
            found.append(f"{'fault' if isinstance(one, Fault) else 'aside'} {one.line}")
    return found


def text(*documents: Any, between: str = "\n", indent: int | None = None) -> bytes:
    return between.join(json.dumps(document, indent=indent) for document in documents).encode()


@pytest.mark.parametrize(
    "content",
    [
        text(ONE, TWO),
        text(ONE, TWO, indent=2),
        text(ONE, TWO, between=""),
        text(ONE, TWO, between="\r\n\r\n"),
        text(ONE, TWO, between=","),
        text(ONE, TWO, between="\x1e"),
        b"\xef\xbb\xbf" + text(ONE, TWO),
        gzip.compress(text(ONE, TWO, between="")),
        text([ONE, TWO]),
        text(events.in_sns(ONE), events.in_sns(TWO)),
        text(events.in_sns(ONE, Message=ONE), TWO),
        text(events.in_event_bridge(ONE), events.in_event_bridge(TWO)),
        text({"Messages": [{"Body": json.dumps(ONE)}, {"Body": json.dumps(events.in_sns(TWO))}]}),
        text({"Records": [{"body": json.dumps(ONE)}, {"Sns": {"Message": json.dumps(TWO), "TopicArn": "x"}}]}),
        text({"Body": json.dumps(events.in_sns(events.in_event_bridge(ONE)))}, TWO),
    ],
    ids=lambda content: content[:20].hex(),
)
def test_every_form_gives_the_events(content: bytes) -> None:
    """JSON lines, pretty-printed, Firehose's run-on documents, gzip, arrays, SNS, SQS, Lambda and EventBridge."""
    assert ["Bounce", "Delivery"] == told(content)


def test_what_is_wrong_does_not_stop_the_rest() -> None:
    """Each fault has the line it begins on."""
    broken = json.dumps(ONE)[:200]
    content = b"\n".join([text(ONE), b"nonsense", broken.encode(), text({"a": 1}), b"[1]", text(TWO)])
    assert ["Bounce", "fault 2", "fault 3", "fault 4", "fault 5", "Delivery"] == told(content)


@pytest.mark.parametrize(
    "document",
    [
        [ONE, {"a": 1}, TWO],
        {"Messages": [{"Body": json.dumps(ONE)}, {"Body": "hello"}, {"Body": json.dumps(TWO)}]},
        {"Records": [{"body": json.dumps(ONE)}, {"body": "[1]"}, {"body": json.dumps(TWO)}]},
    ],
    ids=["array", "SQS", "Lambda"],
)
def test_what_is_wrong_in_a_list_does_not_stop_the_rest_of_it(document: Any) -> None:
    """One bad record among those of a batch costs no other."""
    assert ["Bounce", "fault 1", "Delivery"] == told(text(document))


def test_a_document_that_is_cut_off_is_one_fault() -> None:
    """However many lines of it there are."""
    pretty = json.dumps(ONE, indent=2).encode()
    assert ["fault 1", "Delivery"] == told(pretty[: len(pretty) // 2] + b"\n" + text(TWO))


@pytest.mark.parametrize(
    "document",
    [
        events.in_sns(ONE, Message=VALIDATION),
        events.in_sns(ONE, Type="SubscriptionConfirmation", Token="t"),
        events.in_sns(ONE, Type="UnsubscribeConfirmation", Token="t"),
        {"Body": VALIDATION},
    ],
)
def test_what_sns_says_for_itself_is_no_fault(document: dict[str, Any]) -> None:
    """The word that a topic may be published to, and (un)subscribing."""
    assert ["aside 1"] == told(text(document))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\x1f\x8bno gzip", "not JSON in UTF-8, plain or gzip"),
        (b"\xff\xfe{", "not JSON in UTF-8"),
        (b"[" * 100_000, "nested too deeply"),
        (text(events.in_sns(ONE, Message="Hello")), "Message = 'Hello' is no JSON"),
        (text(events.in_sns(ONE, Message=None)), "Message = None is no JSON"),
        (text(7), "an event is a JSON object, and this is a number"),
        (text({"detail-type": "x", "detail": {}}), "neither an event of Amazon SES"),
        (text([[[[[[[[[[ONE]]]]]]]]]]), "wrapped more than 8 times"),
    ],
)
def test_a_fault_says_why(content: bytes, words: str) -> None:
    """One clear line."""
    (fault,) = read_stream(content)
    assert isinstance(fault, Fault)
    assert words in fault.text
    assert "\n" not in fault.text


def test_half_a_character_is_made_whole() -> None:
    """A lone surrogate could not be stored; the event can."""
    document = json.dumps(events.send()).replace("Your order", "Your \\ud83d order")
    (report,) = read_stream(document.encode())
    assert isinstance(report, Reported)
    assert "Your ? order" == report.message.subject


def test_an_empty_file_holds_nothing() -> None:
    """No event, no fault."""
    assert [] == told(b" \n\n")


def _forms() -> st.SearchStrategy[Any]:
    leaves = st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.just(json.dumps(ONE))
    names = st.sampled_from(
        ["Type", "Message", "TopicArn", "Records", "Body", "detail", "detail-type", "mail", "eventType", "bounce"]
    )
    return st.recursive(
        leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=5), max_leaves=15
    )


@settings(max_examples=150, deadline=None)
@given(st.lists(_forms(), max_size=4))
def test_no_document_breaks_it(documents: list[Any]) -> None:
    """Whatever JSON comes, it gives reports, faults and asides, and nothing else."""
    for one in read_stream(text(*documents)):
        assert isinstance(one, Reported | Fault | Skipped)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_break_it(content: bytes) -> None:
    """Nor do bytes that are no JSON."""
    for one in read_stream(content):
        assert isinstance(one, Reported | Fault | Skipped)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_no_field_of_the_wrong_kind_breaks_it(data: st.DataObject) -> None:
    """A field of an event with any other value is read, or named as a fault."""
    document = json.loads(json.dumps(data.draw(st.sampled_from([ONE, TWO, events.delay(), events.complaint()]))))
    part = data.draw(st.sampled_from([document, document["mail"], document.get("bounce", document)]))
    part[data.draw(st.sampled_from(sorted(part)))] = data.draw(_forms())
    for one in read_stream(text(document)):
        assert isinstance(one, Reported | Fault | Skipped)
