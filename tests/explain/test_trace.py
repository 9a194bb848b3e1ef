"""Traces of received copies, as a person reads them and as JSON. WAYBILL_GOLDEN=1 writes the texts anew."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.explain.copies import COPIES, GMAIL_VIA_SES, MICROSOFT, OWN, RSPAMD, tied
from tests.explain.life import MESSAGE_ID, START, Life
from waybill.explain.trace import Trace, trace_copy
from waybill.explain.trace_json import trace_json
from waybill.explain.trace_words import describe, headline
from waybill.mail.received_copy import read_copy
from waybill.model.clock import SECOND
from waybill.model.outcome import Stage

FOLDER = Path(__file__).parent / "golden_traces"


def text_of(trace: Trace) -> str:
    lines = [headline(trace), *(f"  {label:14}{text}" for label, text in describe(trace))]
    return "\n".join(line.rstrip() for line in lines) + "\n"


@pytest.mark.parametrize("name", sorted(COPIES))
def test_golden(name: str) -> None:
    """Each copy is told in these words."""
    path = FOLDER / f"{name}.txt"
    text = text_of(COPIES[name]())
    if os.environ.get("WAYBILL_GOLDEN"):
        path.write_text(text, "utf-8")
    assert path.read_text("utf-8") == text


def test_no_golden_is_left_over() -> None:
    """Every golden text belongs to a copy."""
    assert sorted(COPIES) == sorted(path.stem for path in FOLDER.glob("*.txt"))


@pytest.mark.parametrize("name", sorted(COPIES))
def test_parts_touch_and_add_up(name: str) -> None:
    """Beside the ledger or alone, no time is lost and none is counted twice."""
    trace = COPIES[name]()
    edges = [edge for part in trace.parts for edge in (part.start, part.end)]
    assert edges[1:-1:2] == edges[2::2]
    assert all(part.ms > 0 for part in trace.parts)
    document = json.loads(json.dumps(trace_json(trace)))
    assert document["total_ms"] == (sum(part["ms"] for part in document["parts"]) or None)
    assert document["headline"]


def test_the_ledger_and_the_header_side_by_side() -> None:
    """Their clock is behind ours; the time inside the receiver is measured by their clocks alone."""
    trace = COPIES["late-inside-microsoft"]()
    assert trace.clocks is not None
    assert -3 * SECOND == trace.clocks.skew_ms
    assert ["to_receiver", "in_receiver", "in_receiver"] == [traced.where for traced in trace.steps]
    after = [part.ms for part in trace.parts if part.where == "after_acceptance"]
    assert [3 * SECOND, 16 * 60 * SECOND + 56 * SECOND] == after
    ledger = trace_json(trace)["ledger"]
    assert (MESSAGE_ID, -3_000) == (ledger["message_id"], ledger["clock_skew_ms"])


def test_what_stood_there_before_the_receiver_had_it_proves_nothing() -> None:
    """Results below the receiver's own Received field may be the sender's invention, unless they bear its name."""
    document = trace_json(COPIES["marked-by-rspamd"]())
    assert [True, False] == [each["before_the_receiver"] for each in document["authentication"]]
    assert [False] == [
        each["before_the_receiver"] for each in trace_json(COPIES["late-inside-microsoft"]())["authentication"]
    ]


@pytest.mark.parametrize(
    ("attempt", "index"),
    [
        ({"source_ip": "203.0.113.1", "helo": "other.example", "mx": "other.example"}, 1),  # by the id in the reply
        ({"helo": "other.example", "mx": "other.example"}, 1),  # by our address
        ({"source_ip": None, "mx": "other.example"}, 1),  # by our name
        ({"source_ip": None, "helo": "", "mx": "mx.ngo.example"}, 1),  # by theirs
    ],
)
def test_the_handover_is_found(attempt: dict[str, Any], index: int) -> None:
    """By the queue id, our address, our HELO name, or the server's."""
    reply = "250 2.0.0 Ok: queued as 4F5XkQ" if "other" in str(attempt.get("helo")) else "250 ok"
    life = Life(recipient="sam@corp.example").answered(reply, Stage.MESSAGE, **attempt)
    copy = read_copy(RSPAMD.encode())
    assert copy is not None
    traced = trace_copy(copy, tied(life))
    assert ["before_us", "to_receiver", "in_receiver"] == [step.where for step in traced.steps], index


def test_clocks_that_agree_are_said_to() -> None:
    """Received fields have whole seconds, so one more or less is nothing."""
    life = Life(recipient="sam@corp.example").answered("250 2.0.0 Ok: queued as 4F5XkQ", Stage.MESSAGE)
    copy = read_copy(RSPAMD.encode())
    assert copy is not None
    traced = trace_copy(copy, tied(life))
    assert traced.clocks is not None
    assert 0 == traced.clocks.skew_ms
    assert START < traced.clocks.ours


@pytest.mark.parametrize(
    "data",
    [
        MICROSOFT.encode(),
        MICROSOFT.replace("\n", "\r\n").encode(),
        MICROSOFT.replace("\n", "\r").encode(),
        MICROSOFT.partition("\n\n")[0].encode(),  # only the header
        b"\xef\xbb\xbf" + MICROSOFT.encode(),
        b"\r\n\r\n" + MICROSOFT.encode(),
        b"From bounce@shop.example Tue Nov 24 14:03:09 2026\n" + MICROSOFT.encode(),
        "".join(f"    {line}\n" for line in MICROSOFT.split("\n")).encode(),  # pasted with an indentation
    ],
    ids=["lf", "crlf", "cr", "header", "bom", "blank", "mbox", "indented"],
)
def test_pasted_in_any_way(data: bytes) -> None:
    """However the source was copied, the same is read."""
    copy = read_copy(data)
    assert copy is not None
    assert (3, "Grüße", MESSAGE_ID) == (len(copy.path.steps), copy.subject, copy.ids[0])


@pytest.mark.parametrize("data", [b"", b"\x89PNG\r\n\x1a\n", b"hello\n", b"X-Other: y\n\n", b'{"from": 1}'])
def test_what_is_no_message(data: bytes) -> None:
    """Pictures, prose and JSON are none."""
    assert read_copy(data) is None


def test_clues_that_name_a_ledger_entry() -> None:
    """SES's id in the Return-Path, and its Message-ID; the recipient in what servers wrote down."""
    copy = read_copy(GMAIL_VIA_SES.encode())
    assert copy is not None
    assert MESSAGE_ID == copy.ids[0]
    assert ("li@gmail.example",) == copy.delivered_to
    assert f"{MESSAGE_ID}@amazonses.com" == copy.return_paths[0]


@settings(deadline=None, max_examples=150)
@given(data=st.binary(max_size=300), ours=st.booleans(), before=st.booleans())
def test_no_octets_break_a_trace(data: bytes, *, ours: bool, before: bool) -> None:
    """Any octets before or after a header give a trace whose parts add up, or none."""
    copy = read_copy(data + OWN.encode() if before else OWN.encode().rstrip() + b"\nReceived: " + data)
    if copy is None:
        return
    life = Life(recipient="sam@corp.example").answered("250 ok", Stage.MESSAGE) if ours else None
    trace = trace_copy(copy, tied(life) if life else None)
    assert text_of(trace)
    assert trace_json(trace)["total_ms"] == trace.total_ms
