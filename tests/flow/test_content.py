"""Contents are examined beside the sending, and what was found stands in the answer; filters are asked where they are configured."""

from pathlib import Path
from typing import Any

import pytest

from tests.flow.conftest import Surroundings, running
from tests.flow.installation import Installation, until
from tests.net.filter_daemons import RSPAMD, RULES, SPAMD, rspamd, spamd

pytestmark = pytest.mark.story

WORDS = "Your account will be closed today unless you confirm your password on the page below, please do so now."
PHISHING = {
    "Simple": {
        "Subject": {"Data": "LAST CHANCE TODAY"},
        "Body": {
            "Text": {"Data": WORDS},
            "Html": {"Data": f'<p>{WORDS}</p><a href="http://203.0.113.80/in">https://customer.example/login</a>'},
        },
    }
}


def examined(service: Installation, message_id: str, *, by: int = 1) -> dict[str, Any]:
    """The explanation once so many have examined the content."""

    def look() -> dict[str, Any] | None:
        told = service.told(message_id)
        events = [entry for entry in told["timeline"] if entry["kind"] == "content_examined"]
        return told if len(events) == by and told["status"] != "queued" else None

    return until(look, 40)


def risks(told: dict[str, Any]) -> list[str]:
    return [item["text"] for item in told["evidence"] if item["kind"] == "risks" and item["event"]]


def test_risks_of_what_was_taken(service: Installation) -> None:
    """A message that was taken is explained with its risks, the worst first; copies of it are examined once."""
    first = service.send("risky@customer.example", Content=PHISHING)
    told = examined(service, first)
    assert "accepted_by_receiver" == told["cause"]
    (text,) = risks(told)
    assert 'link text "customer.example" leads to 203.0.113.80 (a common phishing sign)' in text
    assert text.splitlines()[-1].startswith("4. links to 203.0.113.80 are not encrypted")
    assert told["branches"]["spam"]["text"].endswith("Risks in the content: 4, 2 of them grave.")
    second = service.send("risky@customer.example", Content=PHISHING)
    assert f"(found in message {first}, which is made alike)" in risks(examined(service, second))[0]


def test_risks_of_what_was_refused(service: Installation) -> None:
    """A refusal for the content says what in it may be the reason, and what to settle first."""
    told = examined(service, service.send("spammy@customer.example", Content=PHISHING))
    assert ("bounced", "spam_content") == (told["status"], told["cause"])
    assert risks(told)
    assert told["remedies"][0]["text"].startswith("Settle what stands under Risks")


def test_nothing_found(service: Installation) -> None:
    """Plain mail has nothing against it, and the spam branch says that somebody has looked."""
    told = examined(service, service.send("plain@customer.example"))
    assert [] == risks(told)
    assert "Nothing was found in the content" in told["branches"]["spam"]["text"]


@pytest.mark.skipif(RSPAMD is None or not RULES.exists() or SPAMD is None, reason="the filters are not installed")
def test_filters(surroundings: Surroundings, tmp_path: Path) -> None:
    """Rspamd and SpamAssassin are asked about each message, and their verdicts stand beside our own findings."""
    folders = [tmp_path / name for name in ("service", "rspamd", "spamd")]
    for folder in folders:
        folder.mkdir()
    with rspamd(folders[1]) as url, spamd(folders[2]) as port:
        sections = surroundings.sections(content={"rspamd": url, "spamassassin": f"127.0.0.1:{port}"})
        with running(Installation(folders[0], sections)) as service:
            told = examined(service, service.send("filtered@customer.example", Content=PHISHING), by=3)
            found = risks(told)
            assert any("Rspamd 3" in text and "PHISHING: Phished URL" in text for text in found)
            assert any("SpamAssassin" in text and "of 5" in text for text in found)


def test_a_filter_that_is_away(surroundings: Surroundings, tmp_path: Path) -> None:
    """Mail goes on without delay, and the answer says what could not be looked at."""
    sections = surroundings.sections(content={"rspamd": "http://127.0.0.1:9"})
    with running(Installation(tmp_path, sections)) as service:
        message_id = service.send("unfiltered@customer.example")
        service.ended(message_id, "delivered")
        told = examined(service, message_id, by=2)
        (unseen,) = [
            item["text"] for item in told["evidence"] if item["kind"] == "not_seen" and "Rspamd" in item["text"]
        ]
        assert "http://127.0.0.1:9/checkv2 could not be asked" in unseen
