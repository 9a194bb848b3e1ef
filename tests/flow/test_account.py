"""What a customer sets on its own account through the API holds for the very next message."""

import pytest
from botocore.exceptions import ClientError

from tests.flow.installation import Installation

pytestmark = pytest.mark.story


def refusal_of(service: Installation, key: dict[str, str], recipient: str) -> str:
    """The error code that sending gets."""
    with pytest.raises(ClientError) as caught:
        service.client("sesv2", key).send_email(
            FromEmailAddress="orders@shop.example",
            Destination={"ToAddresses": [recipient]},
            Content={"Simple": {"Subject": {"Data": "Hello"}, "Body": {"Text": {"Data": "Hello"}}}},
        )
    return str(caught.value.response["Error"]["Code"])


def test_pausing_stops_sending_until_it_is_resumed(service: Installation) -> None:
    """PutAccountSendingAttributes in v2 and UpdateAccountSendingEnabled in v1 are the same switch; the operator sees it too."""
    key = service.json("keys", "create", "--account", "000000000301")
    v2, v1 = service.client("sesv2", key), service.client("ses", key)
    v2.put_account_sending_attributes(SendingEnabled=False)
    assert "SendingPausedException" == refusal_of(service, key, "paused@customer.example")
    assert not v1.get_account_sending_enabled()["Enabled"]
    assert "api:" in service.run("account", "show", key["account"])
    v1.update_account_sending_enabled(Enabled=True)
    assert "MessageId" in v2.send_email(
        FromEmailAddress="orders@shop.example",
        Destination={"ToAddresses": ["success@simulator.amazonses.com"]},
        Content={"Simple": {"Subject": {"Data": "Hello"}, "Body": {"Text": {"Data": "Hello"}}}},
    )


def test_the_operators_pause_is_shown_by_the_api(service: Installation) -> None:
    """Whoever paused it, GetAccount says so."""
    key = service.json("keys", "create", "--account", "000000000302")
    service.run("account", "pause", key["account"], "--reason", "unpaid invoice")
    shown = service.client("sesv2", key).get_account()
    assert (False, "SHUTDOWN") == (shown["SendingEnabled"], shown["EnforcementStatus"])


def test_without_suppressed_reasons_the_list_stops_nobody(service: Installation) -> None:
    """PutAccountSuppressionAttributes decides which entries count."""
    key = service.json("keys", "create", "--account", "000000000303")
    ses = service.client("sesv2", key)
    address = "success+listed@simulator.amazonses.com"
    ses.put_suppressed_destination(EmailAddress=address, Reason="COMPLAINT")

    def send() -> str:
        return str(
            ses.send_email(
                FromEmailAddress="orders@shop.example",
                Destination={"ToAddresses": [address]},
                Content={"Simple": {"Subject": {"Data": "Hello"}, "Body": {"Text": {"Data": "Hello"}}}},
            )["MessageId"]
        )

    assert "suppressed" == service.ended(send(), "suppressed")["status"]
    ses.put_account_suppression_attributes(SuppressedReasons=["BOUNCE"])
    assert "delivered" == service.ended(send(), "delivered")["status"]
