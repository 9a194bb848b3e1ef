"""``waybill lab``: the small internet alone."""

import signal
import smtplib
import subprocess
from pathlib import Path

import dns.message
import dns.query
import dns.rdatatype
import pytest

from tests.flow.installation import BIN, environment

pytestmark = pytest.mark.story

EXAMPLE = Path(__file__).parents[2] / "docs" / "example-lab.toml"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_example_runs_until_it_is_told_to_stop(number: signal.Signals, tmp_path: Path) -> None:
    """It says where everything listens, answers there, and ends with 0."""
    scenario = tmp_path / "lab.toml"
    text = EXAMPLE.read_text("utf-8")
    scenario.write_text(text.replace(":5353", ":0").replace(":2525", ":0"), "utf-8")
    lab = subprocess.Popen(
        [BIN / "waybill", "lab", str(scenario)],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert lab.stdout is not None
        listening = dict(lab.stdout.readline().strip().rsplit(": ", 1) for _ in range(3))
        assert {"dns", "receiver mx1.shop.example", "receiver mx.old.example"} == set(listening)
        host, _, port = listening["dns"].partition(":")
        question = dns.message.make_query("shop.example", dns.rdatatype.MX)
        answer = dns.query.udp(question, host, port=int(port), timeout=5)
        assert ["10 mx1.shop.example."] == [record.to_text() for record in answer.answer[0]]
        host, _, port = listening["receiver mx1.shop.example"].partition(":")
        with smtplib.SMTP(host, int(port), timeout=5) as smtp:
            smtp.ehlo("a.example")
            smtp.mail("a@a.example")
            assert 452 == smtp.rcpt("full@shop.example")[0]
        lab.send_signal(number)
        out, errors = lab.communicate(timeout=10)
    finally:
        lab.kill()
    assert (0, "", "") == (lab.returncode, out, errors)


def test_a_wrong_scenario_is_named_in_one_line(tmp_path: Path) -> None:
    """Exit 2; the line says where and what is allowed."""
    scenario = tmp_path / "lab.toml"
    scenario.write_text('[[receiver]]\nname = "mx"\ndomains = []\n[[receiver.rule]]\nstage = "later"\n', "utf-8")
    done = subprocess.run(
        [BIN / "waybill", "lab", str(scenario)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert (2, 1) == (done.returncode, len(done.stderr.splitlines()))
    assert str(scenario) in done.stderr
    assert "'later'" in done.stderr
