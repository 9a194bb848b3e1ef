"""``explain --live`` as its users see it: on the running service, and on its store while it is down."""

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.flow.conftest import Surroundings, running
from tests.flow.installation import SCHEMA, Installation, until

pytestmark = pytest.mark.story

WALKED = ["mx", "mta_sts", "address", "tlsa", "connect", "greeting", "ehlo", "starttls", "mail", "rcpt"]


@pytest.fixture
def own(surroundings: Surroundings, tmp_path: Path) -> Iterator[Installation]:
    """A service of its own, up; nobody has walked anywhere."""
    with running(Installation(tmp_path, surroundings.sections())) as installation:
        yield installation


def live(installation: Installation, key: str) -> dict[str, Any]:
    """The explanation of the one recipient, asked live."""
    found = json.loads(installation.run("explain", key, "--live", "--json"))
    jsonschema.validate(found, SCHEMA)
    (recipient,) = found["recipients"]
    assert isinstance(recipient, dict)
    return recipient


def over_http(installation: Installation, key: str, query: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"{installation.http}/api/messages/{key}/explanation{query}", timeout=40) as answer:
        (recipient,) = json.load(answer)["recipients"]
    assert isinstance(recipient, dict)
    return recipient


def test_the_mailbox_exists_now(own: Installation, surroundings: Surroundings) -> None:
    """Refused then, taken now; said so while the service is down, without a message, and kept in the ledger."""
    sent = own.send("returned-1@customer.example")
    own.ended(sent, "bounced")
    own.stop()
    found = live(own, sent)
    now = found["live"]
    assert (True, WALKED) == (now["walked"], [stage["stage"] for stage in now["stages"]])
    (difference,) = now["differences"]
    assert ("answer", "550 5.1.1 user unknown", "250 2.1.5 Ok") == tuple(
        difference[name] for name in ("what", "then", "now")
    )
    assert "The mailbox exists now" in difference["text"]
    assert ["MX hosts", "encryption"] == now["same"][:2]
    assert any("no proof of a mailbox" in remark for remark in now["remarks"])
    assert [] == surroundings.internet.received("returned-1@customer.example")
    assert "probed" == own.kinds(sent)[-1]
    assert now["event"] == own.json("events", sent)[-1]["event"]
    assert (found["status"], found["cause"]) == ("bounced", "user_unknown")
    own.start()


def test_in_words(own: Installation) -> None:
    """For people: the stages with their times, what differs, and what it does not prove. A second question soon is put off."""
    sent = own.send("returned-2@customer.example")
    own.ended(sent, "bounced")
    text = own.run("explain", sent, "--live")
    assert "takes mail for this address, as far as RCPT TO tells" in text
    assert "then  550 5.1.1 user unknown" in text
    assert "asked live, no message sent" not in text
    again = own.run("explain", sent, "--live")
    assert "Nobody walked to the server now: somebody walked to customer.example" in again


def test_over_http(own: Installation) -> None:
    """Only where it is asked for; a domain is walked to once in 30 s, whoever asks."""
    sent = own.send("returned-3@reader.example")
    own.ended(sent, "bounced")
    assert "live" not in over_http(own, sent, "")
    assert over_http(own, sent, "?live=true")["live"]["walked"]
    assert "once in 30 s is enough" in over_http(own, sent, "?live=true")["live"]["why_not"]
    assert "once in 30 s is enough" in live(own, sent)["live"]["why_not"]
    with pytest.raises(urllib.error.HTTPError) as refused:
        over_http(own, sent, "?live=perhaps")
    assert 400 == refused.value.code
    refused.value.close()


def test_a_message_that_was_never_attempted(own: Installation) -> None:
    """Stopped by a suppression list: it is walked all the same, and there is nothing to compare with."""
    own.run("suppression", "add", "anna@shop.example", "--reason", "BOUNCE")
    sent = own.send("anna@shop.example")
    own.ended(sent, "suppressed")
    now = live(own, "anna@shop.example")["live"]
    assert ([], []) == (now["differences"], now["same"])
    assert "Waybill never attempted this message, since it is on a suppression list" in now["remarks"][0]
    assert "takes mail for this address" in now["headline"]


def test_the_simulator_is_not_walked_to(own: Installation) -> None:
    """It is no real server."""
    sent = own.send("bounce@simulator.amazonses.com")
    until(lambda: own.told(sent)["status"] == "bounced")
    now = live(own, sent)["live"]
    assert (False, []) == (now["walked"], now["stages"])
    assert "mailbox simulator" in now["why_not"]
