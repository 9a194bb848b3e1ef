"""What the client's end of a connection writes down, and what it leaves out."""

import pytest

from tests.net.scripted import scripted
from tests.net.sending import client, deliver, failure, said, target
from waybill.model.outcome import Speaker
from waybill.net.smtp_wire import MOST_LINES_SHOWN, MOST_SHOWN


async def test_a_long_reply_is_shown_in_part() -> None:
    """The transcript has its beginning and its end, and says what it leaves out; the reply itself is whole."""
    lines = [f"250-line {number}\r\n" for number in range(300)]
    async with scripted(MESSAGE="".join([*lines, "250 taken\r\n"]).encode()) as server:
        transcript = await deliver(server)
    shown = said(transcript, Speaker.SERVER)
    first = shown.index("250-line 0")
    assert [line.rstrip() for line in lines[:MOST_LINES_SHOWN]] == shown[first : first + MOST_LINES_SHOWN]
    assert shown[first + MOST_LINES_SHOWN] == "250 taken"
    assert said(transcript, Speaker.NOTE)[-1] == "260 more lines of this reply are left out here"


@pytest.mark.parametrize("number", [MOST_LINES_SHOWN - 1, MOST_LINES_SHOWN])
async def test_a_reply_of_usual_length_is_shown_whole(number: int) -> None:
    """Nothing is left out where nothing need be."""
    async with scripted(MESSAGE=b"250-x\r\n" * number + b"250 taken\r\n") as server:
        transcript = await deliver(server)
    assert said(transcript, Speaker.SERVER).count("250-x") == number
    assert not any("left out" in note for note in said(transcript, Speaker.NOTE))


async def test_a_long_line_is_shown_in_part() -> None:
    """A reply of 10,000 octets in one line is a yes like any other."""
    async with scripted(MESSAGE=b"250 " + b"x" * 10_000 + b"\r\n") as server:
        transcript = await deliver(server)
    shown = max(said(transcript, Speaker.SERVER), key=len)
    assert shown == f"250 {'x' * (MOST_SHOWN - 4)} [{4096 - MOST_SHOWN} more characters]"


async def test_control_characters_do_not_reach_the_transcript() -> None:
    """Neither of a reply nor of what is none."""
    async with scripted(MESSAGE=[b"250 a\x1b[2Jb\x00\r\n", b"\x1b[2J\r\n"]) as server:
        transcript = await deliver(server)
        error = await failure(target(server), client(), transcript=transcript)
    assert "250 a\ufffd[2Jb\ufffd" in said(transcript, Speaker.SERVER)
    assert "\ufffd[2J" in said(transcript, Speaker.SERVER)
    assert all(line.text.isprintable() for line in transcript)
    assert error.text.isprintable()
