"""What ailed the service stays on record, and the explanation of a message that it held up names it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.flow.conftest import running
from tests.flow.installation import Installation, until
from tests.flow.sink import Sink, counting
from tests.flow.trouble import DOMAINS, PATIENCE, comes_to, delivered, install, status

pytestmark = pytest.mark.story


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    with counting(*DOMAINS) as sink:
        yield sink


def ended(installation: Installation, part: str) -> dict[str, Any] | None:
    """The time in which the part was not well, once it is over and on record."""
    found: list[dict[str, Any]] = [one for one in status(installation)["history"] if one["part"] == part]
    return next((one for one in found if one["until"]), None)


def test_a_resolver_that_failed_for_a_while(sink: Sink, tmp_path: Path) -> None:
    """The message came late; why, and from when to when, is in its explanation long after."""
    installation = install(sink, tmp_path)
    with running(installation):
        sink.end_dns()
        try:
            sent = {name: installation.send(f"late@{name}") for name in DOMAINS[:6]}
            comes_to(installation, "resolver", "failing")
        finally:
            sink.resume_dns()
        comes_to(installation, "resolver", "ok")
        until(lambda: all(delivered(installation, sink, one, f"late@{name}") for name, one in sent.items()), PATIENCE)
        period = until(lambda: ended(installation, "resolver"), PATIENCE)
    assert "failing" == period["state"]
    told = installation.told(sent[DOMAINS[0]])
    service, delay = (told["branches"][name] for name in ("service", "delay"))
    assert ("problem", "problem") == (service["verdict"], delay["verdict"])
    times = period["since"][:19].replace("T", " ")
    assert f"our resolver failed from {times} UTC to" in service["text"]
    assert "Meanwhile our resolver failed from" in delay["text"]
    assert any("DNS fails for" in item["text"] for item in told["evidence"] if item["kind"] == "health")
    assert "resolver" in installation.run("status", "--history")


def test_the_time_in_which_it_was_down(sink: Sink, tmp_path: Path) -> None:
    """Killed with mail in hand, and started again: the gap is a period of its own."""
    installation = install(sink, tmp_path)
    installation.start()
    installation.kill_all()
    with running(installation):
        period = until(lambda: ended(installation, "service"), PATIENCE)
    assert "failing" == period["state"]
    assert "it was killed" in period["evidence"]
    assert period["since"] < period["until"]


def test_a_way_out_that_is_closed(sink: Sink, tmp_path: Path) -> None:
    """Several sites in a row refuse to be connected to, and those that answered before do so too: it is us, and it passes."""
    installation = install(sink, tmp_path)
    with running(installation):
        before = installation.send(f"before@{DOMAINS[0]}")
        until(lambda: delivered(installation, sink, before, f"before@{DOMAINS[0]}"), PATIENCE)
        sink.end_smtp()
        try:
            sent = {name: installation.send(f"out@{name}") for name in DOMAINS[1:7]}
            found = comes_to(installation, "egress", "failing")["evidence"]
        finally:
            sink.resume_smtp()
        assert "sites in a row cannot be connected to" in found
        assert "nor can those who answered before" in found
        comes_to(installation, "egress", "ok")
        until(lambda: all(delivered(installation, sink, one, f"out@{name}") for name, one in sent.items()), PATIENCE)
