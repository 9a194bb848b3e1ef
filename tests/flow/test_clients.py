"""Clients other than boto3 that people have at hand: the AWS CLI and SMTP with AUTH."""

import json
import smtplib
import subprocess

import pytest

from tests.flow.conftest import EVENT_SET
from tests.flow.installation import BIN, REGION, Installation, environment, until
from tests.flow.internet import Internet
from tests.flow.listener import Listener

pytestmark = pytest.mark.story


def test_the_aws_cli_sends_a_message(service: Installation, internet: Internet) -> None:
    """``aws sesv2 send-email --endpoint-url`` is all it takes."""
    content = {"Simple": {"Subject": {"Data": "From the shell"}, "Body": {"Text": {"Data": "Hello"}}}}
    ended = subprocess.run(
        [
            *(BIN / "aws", "sesv2", "send-email", "--endpoint-url", service.http, "--region", REGION),
            *("--from-email-address", "shell@shop.example", "--content", json.dumps(content)),
            *("--destination", "ToAddresses=cli@customer.example"),
        ],
        env={
            **environment(),
            "AWS_ACCESS_KEY_ID": service.key["access_key_id"],
            "AWS_SECRET_ACCESS_KEY": service.key["secret_access_key"],
            "AWS_MAX_ATTEMPTS": "1",
        },
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert 0 == ended.returncode, ended.stderr
    message_id = json.loads(ended.stdout)["MessageId"]
    service.ended(message_id, "delivered")
    (message,) = internet.received("cli@customer.example")
    assert b"\r\nSubject: From the shell\r\n" in message.content


def test_mail_submitted_over_smtp_is_told_like_any_other(
    service: Installation, internet: Internet, listener: Listener
) -> None:
    """The reply gives the id; X-SES headers choose set and tags, and do not travel on; dots and bytes arrive as sent."""
    message = (
        "From: Shop <orders@shop.example>\r\nTo: smtp@customer.example\r\nSubject: Over SMTP\r\n"
        f"X-SES-CONFIGURATION-SET: {EVENT_SET}\r\nX-SES-MESSAGE-TAGS: campaign=autumn, kind=order\r\n"
        "\r\n.leading dot\r\nGrüße\r\n"
    ).encode()
    code, text = service.submit("smtp@customer.example", message)
    assert (250, "Ok") == (code, text.split()[0])
    message_id = text.split()[1]
    told = service.explain(message_id)
    assert ("smtp", "Over SMTP", EVENT_SET) == (told["source"], told["subject"], told["configuration_set"])
    service.ended(message_id, "delivered")
    (received,) = internet.received("smtp@customer.example")
    assert b"X-SES-" not in received.content
    assert received.content.endswith(b"\r\n\r\n.leading dot\r\n" + "Grüße\r\n".encode())
    until(lambda: listener.kinds(message_id) == ["Delivery", "Send"])
    tags = listener.events(message_id)[0]["mail"]["tags"]
    assert (["autumn"], ["order"]) == (tags["campaign"], tags["kind"])


def test_smtp_without_or_with_a_wrong_password_is_refused(service: Installation) -> None:
    """530 before AUTH, 535 for a wrong one, in SES's words."""
    with smtplib.SMTP(*service.smtp, timeout=10) as smtp:
        smtp.ehlo()
        assert (530, b"Authentication required") == smtp.mail("orders@shop.example")
        with pytest.raises(smtplib.SMTPAuthenticationError) as refused:
            smtp.login(service.key["smtp_username"], "wrong")
    assert (535, b"Authentication Credentials Invalid") == refused.value.args


def test_one_message_to_several_recipients_is_told_for_each(service: Installation) -> None:
    """Each recipient has a fate of its own under the one id; an address finds the newest message to it."""
    message_id = service.send(
        "fine-several@customer.example",
        Destination={
            "ToAddresses": ["fine-several@customer.example"],
            "BccAddresses": ["gone-several@customer.example"],
        },
    )
    until(lambda: "queued" not in str([each["status"] for each in service.explain(message_id)["recipients"]]))
    fates = {each["recipient"]: each["status"] for each in service.explain(message_id)["recipients"]}
    assert {"fine-several@customer.example": "delivered", "gone-several@customer.example": "bounced"} == fates
    assert message_id == service.explain("gone-several@customer.example")["message_id"]
