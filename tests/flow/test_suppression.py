"""Who is suppressed, who is not, by what words, and how it is undone: on receivers that are not the simulator."""

import shlex
from typing import Any

import pytest

from tests.flow.conftest import EVENT_SET
from tests.flow.installation import Installation, until
from tests.flow.internet import Internet
from tests.flow.listener import Listener

pytestmark = pytest.mark.story

ACCOUNT = "100000000001"


def entries(service: Installation, address: str, *options: str) -> list[dict[str, Any]]:
    """The entries of an address on a list."""
    return [entry for entry in service.json("suppression", "list", *options) if entry["emailAddress"] == address]


def bounce_of(listener: Listener, message_id: str) -> dict[str, Any]:
    """The bounce object of the message's Bounce event."""
    until(lambda: "Bounce" in listener.kinds(message_id))
    found: list[dict[str, Any]] = [
        event["bounce"] for event in listener.events(message_id) if event["eventType"] == "Bounce"
    ]
    assert 1 == len(found)
    return found[0]


def test_an_unknown_user_is_suppressed_until_the_printed_command_is_run(
    service: Installation, listener: Listener, internet: Internet
) -> None:
    """The bounce makes entries that name it, the next message is stopped by them, and the remedy's command undoes it."""
    address = "returned@customer.example"
    first = service.send(address, ConfigurationSetName=EVENT_SET)
    assert "user_unknown" == service.ended(first, "bounced")["cause"]
    assert ["accepted", "bounced", "suppression_added", "suppression_added"] == service.kinds(first)
    bounce = bounce_of(listener, first)
    assert ("Permanent", "General") == (bounce["bounceType"], bounce["bounceSubType"])
    assert "smtp; 550 5.1.1 user unknown" == bounce["bouncedRecipients"][0]["diagnosticCode"]

    for options in ((), ("--global",)):
        (entry,) = entries(service, address, *options)
        assert ("BOUNCE", first) == (entry["reason"], entry["message_id"])
        assert "550 5.1.1 user unknown" in entry["diagnostic"]
    stored = service.sesv2.get_suppressed_destination(EmailAddress=address)["SuppressedDestination"]
    assert first == stored["Attributes"]["MessageId"]

    second = service.send(address, ConfigurationSetName=EVENT_SET)
    told = service.ended(second, "suppressed")
    assert "suppressed_account" == told["cause"]
    assert first in str(told["evidence"])
    assert ["accepted", "suppressed"] == service.kinds(second)
    bounce = bounce_of(listener, second)
    assert ("Permanent", "OnAccountSuppressionList") == (bounce["bounceType"], bounce["bounceSubType"])
    assert [] == internet.received(address)

    (command,) = [remedy["command"] for remedy in told["remedies"] if "remove" in (remedy["command"] or "")]
    program, *arguments = shlex.split(command)
    assert "waybill" == program
    service.run(*arguments)
    third = service.send(address, ConfigurationSetName=EVENT_SET)
    assert "delivered" == service.ended(third, "delivered", "bounced", "suppressed")["status"]
    assert 1 == len(internet.received(address))


@pytest.mark.parametrize(
    ("address", "cause", "scope"),
    [
        ("listed@customer.example", "ip_blocklisted", "source_ip"),
        ("policy@customer.example", "policy_rejected", "sender_domain"),
        ("unauthenticated@customer.example", "auth_failed", "sender_domain"),
    ],
)
def test_a_refusal_that_is_not_about_the_recipient_suppresses_nobody(
    address: str, cause: str, scope: str, service: Installation
) -> None:
    """A blocklisted IP, a policy or a failed authentication is no reason to give an address up, whatever the code."""
    told = service.ended(service.send(address), "bounced")
    assert (cause, scope) == (told["cause"], told["scope"])
    assert [] == entries(service, address)
    assert [] == entries(service, address, "--global")


def test_what_the_operator_bars_is_stopped_for_everybody(service: Installation, listener: Listener) -> None:
    """An entry of the operator on the global list stops the message, with SES's Suppressed bounce."""
    address = "barred@customer.example"
    service.run("suppression", "add", address, "--global")
    message_id = service.send(address, ConfigurationSetName=EVENT_SET)
    told = service.ended(message_id, "suppressed")
    assert ("suppressed_global", "address") == (told["cause"], told["branch"])
    assert "operator" in str(told["evidence"])
    assert "Suppressed" == bounce_of(listener, message_id)["bounceSubType"]


def test_a_configuration_set_can_switch_suppression_off(service: Installation) -> None:
    """With no reasons of its own a configuration set sends to listed addresses, and lists none."""
    address = "gone-for-sure@customer.example"
    service.sesv2.put_suppressed_destination(EmailAddress=address, Reason="BOUNCE")
    service.sesv2.create_configuration_set(ConfigurationSetName="unfiltered")
    service.sesv2.put_configuration_set_suppression_options(ConfigurationSetName="unfiltered", SuppressedReasons=[])
    told = service.ended(service.send(address, ConfigurationSetName="unfiltered"), "bounced", "suppressed")
    assert ("bounced", "user_unknown") == (told["status"], told["cause"])
    (entry,) = entries(service, address)
    assert entry["author"].startswith("api:")


def test_a_complaint_puts_the_address_on_the_accounts_list_only(service: Installation, listener: Listener) -> None:
    """The report that comes home ends as Complaint event and entry; the next message is a suppressed complaint."""
    address = "angry@reader.example"
    first = service.send(address, ConfigurationSetName=EVENT_SET)
    assert "complaint" == service.ended(first, "complained")["cause"]
    assert ["accepted", "delivered", "complained", "suppression_added"] == service.kinds(first)
    until(lambda: listener.kinds(first) == ["Complaint", "Delivery", "Send"])
    (entry,) = entries(service, address)
    assert ("COMPLAINT", first) == (entry["reason"], entry["message_id"])
    assert [] == entries(service, address, "--global")

    second = service.send(address, ConfigurationSetName=EVENT_SET)
    assert "suppressed_account" == service.ended(second, "suppressed")["cause"]
    until(lambda: listener.kinds(second) == ["Complaint", "Send"])
    (complaint,) = [event["complaint"] for event in listener.events(second) if event["eventType"] == "Complaint"]
    assert "OnAccountSuppressionList" == complaint["complaintSubType"]


def test_a_bounce_after_the_250_revises_what_was_said(service: Installation, listener: Listener) -> None:
    """A message is delivered until its bounce comes home; both events stand."""
    address = "late@reader.example"
    message_id = service.send(address, ConfigurationSetName=EVENT_SET)
    told = service.ended(message_id, "bounced")
    assert "user_unknown" == told["cause"]
    assert ["accepted", "delivered", "bounce_received"] == service.kinds(message_id)[:3]
    until(lambda: listener.kinds(message_id) == ["Bounce", "Delivery", "Send"])


def test_an_out_of_office_reply_is_no_bounce(service: Installation, listener: Listener) -> None:
    """The reply is in the ledger, the message stays delivered, and nobody is told of a bounce."""
    message_id = service.send("away@reader.example", ConfigurationSetName=EVENT_SET)
    until(lambda: "auto_replied" in service.kinds(message_id))
    assert "delivered" == service.told(message_id)["status"]
    until(lambda: listener.kinds(message_id) == ["Delivery", "Send"])
    assert [] == entries(service, "away@reader.example")
