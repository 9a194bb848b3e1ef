"""A copy comes back from its reader: sent by the service, taken by a real server, traced beside the ledger."""

import json
import urllib.request
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from tests.flow.installation import Installation
from tests.flow.internet import MX, Internet
from waybill.lab.receiver import Received

pytestmark = pytest.mark.story


def as_kept(received: Received, recipient: str, *, slow: int = 0, off: int = 0) -> str:
    """What the receiving system makes of it: its fields on top. ``slow`` seconds go by inside, its clock is ``off`` by some."""
    at = datetime.fromtimestamp(received.at / 1_000, UTC) + timedelta(seconds=off)
    taken, filed = (format_datetime(at + timedelta(seconds=later)) for later in (0, slow))
    fields = (
        f"Return-Path: <{received.mail_from}>\r\n"
        f"Received: from {MX} ([10.0.0.3]) by imap.customer.example with LMTP id x1; {filed}\r\n"
        f"X-Spam-Status: Yes, score=7.3 required=5.0 tests=BAYES_99=3.5,MIME_HTML_ONLY=0.7\r\n"
        f"Received: from {received.helo} ({received.helo} [{received.peer}]) by {MX} (Postfix) with ESMTP id 4AbC\r\n"
        f"\tfor <{recipient}>; {taken}\r\n"
    )
    return fields + received.content.decode("utf-8", "surrogateescape")


def test_a_copy_that_came_back_is_traced(service: Installation, internet: Internet) -> None:
    """The same message in the ledger, whose parts and the receiver's add up, and its clock seen to be an hour ahead."""
    to = "traced@customer.example"
    message_id = service.send(to)
    service.ended(message_id, "delivered")
    (received,) = internet.received(to)
    file = service.folder / "copy.eml"
    file.write_text(as_kept(received, to, slow=600, off=3_600), "utf-8")
    told = service.json("trace", str(file))
    assert (message_id, to, "its return path") == tuple(
        told["ledger"][name] for name in ("message_id", "recipient", "found_by")
    )
    assert 3_590_000 < told["ledger"]["clock_skew_ms"] < 3_610_000
    assert ["to_receiver", "in_receiver"] == [hop["where"] for hop in told["hops"]]
    assert ("spam", "SpamAssassin") == (told["filed"]["as"], told["filed"]["by"])
    ours = [part for part in told["parts"] if part["where"] != "after_acceptance"]
    assert [600_000] == [part["ms"] for part in told["parts"] if part["where"] == "after_acceptance"]
    assert ours == service.told(message_id)["delay"]["parts"]
    text = service.run("trace", str(file))
    assert text.startswith(f"{to}: taken for spam by SpamAssassin (7.3 of 5 points): ")
    assert "their clock is 59 min" in text or "their clock is 1 h" in text


def test_the_api_traces_a_copy(service: Installation, internet: Internet) -> None:
    """As the command does."""
    to = "posted@customer.example"
    message_id = service.send(to)
    service.ended(message_id, "delivered")
    (received,) = internet.received(to)
    body = as_kept(received, to).encode("utf-8", "surrogateescape")
    request = urllib.request.Request(f"{service.http}/api/trace", data=body, method="POST")
    with urllib.request.urlopen(request, timeout=10) as response:
        told = json.load(response)
    assert (message_id, 0) == (told["ledger"]["message_id"], told["ledger"]["clock_skew_ms"])


def test_a_copy_that_is_kept_decides_what_is_explained(service: Installation, internet: Internet) -> None:
    """What the receiver's filter wrote becomes the cause, and the time inside the receiver is known from then on."""
    to = "junked@customer.example"
    message_id = service.send(to)
    assert "accepted_by_receiver" == service.ended(message_id, "delivered")["cause"]
    (received,) = internet.received(to)
    file = service.folder / "junked.eml"
    file.write_text(as_kept(received, to, slow=90), "utf-8")
    assert service.json("trace", str(file), "--keep")["kept"]
    told = service.told(message_id)
    assert ("placed_in_spam", "delivered", 90_000) == (
        told["cause"],
        told["status"],
        told["delay"]["after_acceptance_ms"],
    )
    assert "taken for spam there by SpamAssassin" in told["headline"]


def test_a_copy_that_was_stored_late(service: Installation, internet: Internet) -> None:
    """No filter says spam: then it is the time inside the receiver that matters."""
    to = "stored-late@customer.example"
    message_id = service.send(to)
    service.ended(message_id, "delivered")
    (received,) = internet.received(to)
    file = service.folder / "late.eml"
    file.write_text(as_kept(received, to, slow=1_800).replace("X-Spam-Status: Yes", "X-Other: Yes"), "utf-8")
    assert service.json("trace", str(file), "--keep")["kept"]
    told = service.told(message_id)
    assert ("delayed_after_acceptance", 1_800_000) == (told["cause"], told["delay"]["after_acceptance_ms"])
    assert f"most of it at {MX}" in told["headline"]


def test_a_relay_before_us_that_was_slow(service: Installation) -> None:
    """Servers that a message came through have written into it when they took it: that is where the time went."""
    taken = format_datetime(datetime.now(UTC) - timedelta(minutes=42))
    content = (
        f"Received: by app1.shop.example (Postfix, from userid 33) id 9B; {taken}\r\n"
        "From: orders@shop.example\r\nTo: relayed@customer.example\r\nSubject: Late\r\n\r\nHello\r\n"
    )
    code, text = service.submit("relayed@customer.example", content.encode())
    assert 250 == code, text
    told = service.ended(text.split()[-1], "delivered")
    assert ("delayed_before_acceptance", "likely") == (told["cause"], told["confidence"])
    assert "42 min" in told["headline"]
    assert "app1.shop.example" in told["headline"]
