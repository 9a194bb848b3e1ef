"""The octets of a message as DATA and BDAT carry them."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from waybill.model.outcome import Reply
from waybill.net.smtp_content import (
    CHUNK,
    DOUBTED_FOR,
    MOST_DOUBTED,
    DoubtedChunking,
    cut_chunks,
    end_last_line,
    is_not_understood,
    stuff_dots,
)
from waybill.net.smtp_target import Target

_TRICKY = st.lists(st.sampled_from([b".", b"\r\n", b"\r", b"\n", b"x", b"\xff", b"..\r\n", b"\0"])).map(b"".join)


@settings(max_examples=200)
@given(st.one_of(_TRICKY, st.binary()))
def test_stuffing_is_undone_by_the_rule(octets: bytes) -> None:
    """RFC 5321 §4.5.2 read from the other side: up to the first lone dot, one dot off each line that has one."""
    content = end_last_line(octets)
    stuffed = stuff_dots(content)
    found = re.search(rb"(?:\A|(?<=\r\n))\.\r\n", stuffed)
    assert found is not None
    assert found.end() == len(stuffed)
    lines = stuffed[: found.start()].split(b"\r\n")
    assert content == b"\r\n".join(line.removeprefix(b".") for line in lines)


@pytest.mark.parametrize(
    ("content", "ended"),
    [(b"", b""), (b"x", b"x\r\n"), (b"x\r\n", b"x\r\n"), (b"x\n", b"x\n\r\n"), (b"x\r", b"x\r\r\n")],
)
def test_the_last_line_is_ended(content: bytes, ended: bytes) -> None:
    """Only where it is not ended by CRLF; nothing else is touched."""
    assert ended == end_last_line(content)


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 5])
def test_chunks_hold_all(size: int) -> None:
    """As many as needed, each as long as its command says, and LAST at the last."""
    content = bytes(range(251)) * (size // 251 + 1)
    chunks = list(cut_chunks(content[:size]))
    assert content[:size] == b"".join(chunk for _, chunk in chunks)
    commands = [f"BDAT {len(chunk)}" for _, chunk in chunks]
    commands[-1] += " LAST"
    assert commands == [command for command, _ in chunks]
    assert len(chunks) == max(1, -(-size // CHUNK))


@pytest.mark.parametrize(
    ("code", "enhanced", "expected"),
    [
        (500, None, True),
        (502, "5.5.1", True),
        (503, "5.5.1", True),
        (504, "5.5.4", True),
        (501, "5.7.1", False),
        (505, None, False),
        (550, None, False),
        (421, None, False),
        (250, None, False),
    ],
)
def test_which_answers_are_about_the_command(code: int, enhanced: str | None, expected: bool) -> None:
    """500 to 504, but for those whose enhanced code speaks of the message."""
    assert is_not_understood(Reply(code=code, enhanced=enhanced, lines=("x",))) is expected


def test_doubt_lasts_a_day_and_is_bounded() -> None:
    """A server is remembered by address and port, for a day, and among the latest ten thousand."""
    doubted = DoubtedChunking()
    one = Target(host="a", ip="192.0.2.1", port=25)
    doubted.add(one, 1_000)
    assert doubted.holds(Target(host="b", ip="192.0.2.1", port=25, source_ip="192.0.2.9"), 1_000 + DOUBTED_FOR - 1)
    assert not doubted.holds(Target(host="a", ip="192.0.2.1", port=26), 1_000)
    assert not doubted.holds(one, 1_000 + DOUBTED_FOR)
    for port in range(MOST_DOUBTED):
        doubted.add(Target(host="c", ip="192.0.2.2", port=port), 1_000)
    assert not doubted.holds(one, 1_000)
    assert doubted.holds(Target(host="c", ip="192.0.2.2", port=0), 1_000)
