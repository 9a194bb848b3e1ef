"""Messages that wait: taken later, or given up with SES's words once their time is over."""

import re
import time
from dataclasses import replace
from typing import Any

import pytest

from tests.flow.conftest import EVENT_SET, announce
from tests.flow.installation import Installation, until
from tests.flow.internet import MX
from tests.flow.listener import Listener
from waybill.model.resource import DEFAULT_ACCOUNT, ConfigurationSet

pytestmark = pytest.mark.story

LAST_WORDS = "<451 4.3.2 System not accepting network messages>"


def test_a_message_that_is_put_off_is_delivered_later(service: Installation, listener: Listener) -> None:
    """A DeliveryDelay with the receiver's words, then the Delivery; the explanation says where the time went."""
    message_id = service.send("soon@customer.example", ConfigurationSetName=EVENT_SET)
    told = service.ended(message_id, "delivered")
    assert told["delay"]["in_waybill_ms"] > 0
    assert ["accepted", "deferred", "delivered"] == service.kinds(message_id)
    until(lambda: listener.kinds(message_id) == ["Delivery", "DeliveryDelay", "Send"])
    (delay,) = [event for event in listener.events(message_id) if event["eventType"] == "DeliveryDelay"]
    assert "RecipientServerError" == delay["deliveryDelay"]["delayType"]


def test_a_message_that_waits_says_what_for(service: Installation) -> None:
    """While a receiver says 4xx the message is delayed, with its words, the next attempt and the end."""
    told = service.ended(service.send("waiting-long@customer.example"), "delayed")
    assert ("server_unavailable", False) == (told["cause"], told["permanent"])
    assert told["next"]["retry_at"]
    assert told["next"]["expires_at"] > told["next"]["retry_at"]


def test_a_message_expires_in_ses_words(strict: Installation) -> None:
    """At the end of max_lifetime it is bounced with 4.4.7, and the receiver's last words stay."""
    strict.sesv2.create_email_identity(EmailIdentity="expiring.example")
    strict.run("identities", "verify", "expiring.example")
    told = strict.ended(strict.send("waiting@customer.example", sender="a@expiring.example"), "bounced")
    assert ("delivery_expired", "server_unavailable") == (told["cause"], told["underlying_cause"])
    expected = re.escape(f"550 4.4.7 Message expired: unable to deliver in 1 minutes.{LAST_WORDS}")
    assert re.search(expected, str(told["evidence"]))


def test_a_configuration_sets_own_limit_is_told_as_such(service: Installation, listener: Listener) -> None:
    """MaxDeliverySeconds ends in SES's CustomTimeoutExceeded."""
    announce(service, listener, "hurried")
    # less than the API allows, so that nobody waits five minutes
    service.change(ConfigurationSet, DEFAULT_ACCOUNT, "hurried", lambda stored: replace(stored, max_delivery_seconds=1))
    message_id = service.send("waiting-not@customer.example", ConfigurationSetName="hurried")
    assert "delivery_expired" == service.ended(message_id, "bounced")["cause"]
    until(lambda: "Bounce" in listener.kinds(message_id))
    bounces: list[dict[str, Any]] = [
        event["bounce"] for event in listener.events(message_id) if event["eventType"] == "Bounce"
    ]
    assert [("Transient", "CustomTimeoutExceeded")] == [
        (bounce["bounceType"], bounce["bounceSubType"]) for bounce in bounces
    ]
    assert "4.4.7" == bounces[0]["bouncedRecipients"][0]["status"]


def test_every_part_of_a_delay_has_its_author(service: Installation) -> None:
    """The client, Waybill, the receiver and whoever held it: the parts touch, and come to the four figures."""
    service.run("queue", "hold", "--site", MX, "--reason", "the prices are wrong")
    try:
        message_id = until(lambda: _sent_and_held(service))  # workers look at suspensions once a second
        time.sleep(1.1)
    finally:
        service.run("queue", "resume", MX)
    delay = service.ended(message_id, "delivered")["delay"]
    parts = delay["parts"]
    assert [part["to"] for part in parts[:-1]] == [part["from"] for part in parts[1:]]
    for where in ("before_acceptance", "in_waybill", "at_receiver"):
        assert (delay[f"{where}_ms"] or 0) == sum(part["ms"] for part in parts if part["where"] == where)
    held = [part for part in parts if part["by"] == "operator"]
    words = "held by the operator: All mail to mx.customer.example is suspended"
    assert all(part["text"].startswith(words) for part in held)
    assert sum(part["ms"] for part in held) > 1_000
    # an attempt over a connection that is open may take less than a millisecond: then it has no part
    asked = [part for part in parts if part["where"] == "at_receiver"]
    assert all(f"with {MX} [127.0.0.1]" in part["text"] for part in asked)


def _sent_and_held(service: Installation) -> str | None:
    message_id = service.send("parts@customer.example")
    time.sleep(0.3)
    return message_id if service.told(message_id)["cause"] == "held_by_waybill" else None
