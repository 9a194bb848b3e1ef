"""``waybill demo`` as a newcomer runs it, in a pipe and on a terminal; it cleans up after itself."""

import os
import re
import subprocess
import uuid
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.flow.installation import BIN, environment

pytestmark = pytest.mark.story

MARK = "FLOW_TEST_MARK"


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What the two runs printed, how they ended, and how many processes of theirs are left."""

    piped: str
    errors: str
    on_terminal: str
    codes: tuple[int, int]
    left: int


def _left(mark: str) -> int:
    """How many processes carry the mark in their environment."""
    found = 0
    for process in Path("/proc").iterdir():
        try:
            found += process.name.isdecimal() and mark.encode() in (process / "environ").read_bytes()
        except OSError:  # it has ended, or is somebody else's
            continue
    return found


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    """Both runs at once, in an empty folder."""
    folder = tmp_path_factory.mktemp("demo")
    mark = uuid.uuid4().hex
    env = {**environment(), MARK: mark}
    reader, writer = os.openpty()
    demo = [str(BIN / "waybill"), "demo"]
    terminal = subprocess.Popen(demo, cwd=folder, env={**env, "TERM": "xterm"}, stdout=writer, stderr=writer)
    os.close(writer)
    piped = subprocess.Popen(demo, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    seen = bytearray()
    try:
        while octets := os.read(reader, 65_536):
            seen += octets
    except OSError:  # Linux: the other end of the terminal is closed
        pass
    finally:
        os.close(reader)
    out, errors = piped.communicate(timeout=60)
    codes = (piped.wait(10), terminal.wait(10))
    assert [] == list(folder.iterdir())
    return Shown(piped=out, errors=errors, on_terminal=seen.decode(), codes=codes, left=_left(mark))


def test_the_demo_shows_every_way_mail_can_fail(shown: Shown) -> None:
    """Both end with 0; the table counts what a newcomer came to see, and the first message is explained in full."""
    assert (0, 0) == shown.codes, shown.piped + shown.errors
    counted = re.search(r"(\d+) messages, (\d+) different causes", shown.piped)
    assert counted is not None
    assert int(counted[1]) >= 25
    assert int(counted[2]) >= 20
    for word in ("template_variable_missing", "user_unknown", "spam_content", "delivery_expired", "complaint"):
        assert word in shown.piped
    assert "(expected" not in shown.piped
    assert "waybill serve --dev" in shown.piped


def test_the_demo_is_plain_in_a_pipe(shown: Shown) -> None:
    """No escape codes, no progress, nothing on standard error."""
    assert "" == shown.errors
    assert "\x1b" not in shown.piped
    assert "\r" not in shown.piped


def test_the_demo_shows_progress_on_a_terminal(shown: Shown) -> None:
    """Somebody who looks sees that it works."""
    assert "\x1b[" in shown.on_terminal
    assert "waiting for what the receivers say" in shown.on_terminal


def test_the_demo_leaves_nothing_behind(shown: Shown) -> None:
    """No process of either run is left."""
    assert 0 == shown.left
