"""An operator ends a rest: mail for a host that was down goes out once somebody says so, whichever worker has found it down."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.flow.conftest import running
from tests.flow.installation import Installation, until
from tests.flow.sink import counting
from tests.flow.trouble import install

pytestmark = pytest.mark.story

SITE = "mx.dead.example"
MESSAGES = 30
IN_TIME = 10.0
"""Seconds: far less than the rest, of half a minute, and than the hour until the next attempt."""


def held(installation: Installation) -> set[str] | None:
    """The recipients that are held, once everybody's mail is either held or was tried."""
    waiting: list[dict[str, Any]] = installation.json("queue", "list", "--site", SITE)
    if len(waiting) < MESSAGES or not all(one["held"] or one["attempts"] for one in waiting):
        return None
    return {one["recipient"] for one in waiting if one["held"]} or None


@pytest.mark.parametrize(
    "command", [("release", "--site", SITE), ("retry-now", "--domain", "dead.example"), ("resume", SITE)], ids=" ".join
)
def test_mail_goes_once_the_host_is_there_again(command: tuple[str, ...], tmp_path: Path) -> None:
    """In vain while it is down; within seconds when it is there, and to each recipient once."""
    with counting("dead.example") as sink:
        installation = install(sink, tmp_path, retry=["1h"])
        two = {"workers": 2, "simulator": False}
        installation = replace(installation, sections={**installation.sections, "service": two})
        sink.end_smtp()
        with running(installation):
            for number in range(MESSAGES):
                installation.send(f"u{number}@dead.example")
            until(lambda: held(installation))
            said = installation.run("queue", *command)
            assert f"Nobody had answered for {SITE}: one message is tried at once" in said
            waiting = until(lambda: held(installation))
            sink.resume_smtp()
            installation.run("queue", *command)
            until(lambda: waiting <= set(sink.taken), IN_TIME)
            assert {1} == set(sink.taken.values())
