"""Requests that get an error: SES's code at every door, and the refusal in the ledger under its request id."""

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.flow.installation import Installation
from waybill.model.resource import DEFAULT_ACCOUNT, INSTALLATION, Account

pytestmark = pytest.mark.story

SENDER = "Shop <orders@shop.example>"


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """What a door answered. The request id is None on SMTP, which gives none."""

    code: str
    text: str
    request_id: str | None = None


Door = Callable[..., Refusal]


def _call(send: Callable[..., Any], request: dict[str, Any]) -> Refusal:
    with pytest.raises(ClientError) as raised:
        send(**request)
    error = raised.value.response["Error"]
    return Refusal(
        code=error["Code"],
        text=error["Message"],
        request_id=raised.value.response["ResponseMetadata"]["RequestId"],
    )


def over_v2(installation: Installation, key: dict[str, str], recipient: str, configuration_set: str = "") -> Refusal:
    content = {"Simple": {"Subject": {"Data": "Hello"}, "Body": {"Text": {"Data": "Hello"}}}}
    request = {
        "FromEmailAddress": SENDER,
        "Destination": {"ToAddresses": [recipient]},
        "Content": content,
        **({"ConfigurationSetName": configuration_set} if configuration_set else {}),
    }
    return _call(installation.client("sesv2", key).send_email, request)


def over_v1(installation: Installation, key: dict[str, str], recipient: str, configuration_set: str = "") -> Refusal:
    request = {
        "Source": SENDER,
        "Destination": {"ToAddresses": [recipient]},
        "Message": {"Subject": {"Data": "Hello"}, "Body": {"Text": {"Data": "Hello"}}},
        **({"ConfigurationSetName": configuration_set} if configuration_set else {}),
    }
    return _call(installation.client("ses", key).send_email, request)


def over_smtp(installation: Installation, key: dict[str, str], recipient: str, configuration_set: str = "") -> Refusal:
    header = f"X-SES-CONFIGURATION-SET: {configuration_set}\r\n" if configuration_set else ""
    message = f"From: {SENDER}\r\nTo: {recipient}\r\nSubject: Hello\r\n{header}\r\nHello\r\n"
    code, text = installation.submit(recipient, message.encode(), key)
    return Refusal(code=str(code), text=text)


DOORS: dict[str, Door] = {"v2": over_v2, "v1": over_v1, "smtp": over_smtp}


@pytest.fixture(params=list(DOORS))
def door(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def account_with(service: Installation, number: int, change: Callable[[Account], Account]) -> dict[str, str]:
    """The key of an account of its own, changed so."""
    name = f"{number:012}"
    key: dict[str, str] = service.json("keys", "create", "--account", name)
    service.change(Account, INSTALLATION, name, change)
    return key


def check_ledger(installation: Installation, refusal: Refusal, recipient: str, cause: str) -> None:
    """The refusal is found, and explained under the id that the client has."""
    hits = installation.json("find", "--to", recipient, "--status", "refused")
    keys = [hit["message_id"] for hit in hits if refusal.request_id in {None, hit["message_id"]}]
    assert 1 == len(keys)
    told = installation.told(keys[0])
    assert ("refused", cause) == (told["status"], told["cause"])
    assert ["refused"] == installation.kinds(keys[0])


def test_a_sender_that_is_not_verified(strict: Installation, door: str) -> None:
    """SES's MessageRejected, which names the identity and the region."""
    recipient = f"unverified-{door}@customer.example"
    refusal = DOORS[door](strict, strict.key, recipient)
    text = "Email address is not verified. The following identities failed the check in region US-EAST-1: "
    assert {"v2": "MessageRejected", "v1": "MessageRejected", "smtp": "554"}[door] == refusal.code
    assert text in refusal.text
    assert "orders@shop.example" in refusal.text
    check_ledger(strict, refusal, recipient, "identity_not_verified")


def test_an_account_that_is_paused(service: Installation, door: str) -> None:
    """What the operator paused is refused at once, and the reason he gave is what explain says."""
    number = {"v2": 211, "v1": 212, "smtp": 213}[door]
    key = account_with(service, number, lambda account: account)
    service.run("account", "pause", key["account"], "--reason", "unpaid invoice 17")
    recipient = f"paused-{door}@customer.example"
    refusal = DOORS[door](service, key, recipient)
    expected = {"v2": "SendingPausedException", "v1": "AccountSendingPausedException", "smtp": "554"}
    assert (expected[door], True) == (refusal.code, "Account sending is disabled." in refusal.text)
    check_ledger(service, refusal, recipient, "sending_paused")
    (hit,) = service.json("find", "--to", recipient)
    assert "unpaid invoice 17" in str(service.told(hit["message_id"]))
    service.run("account", "resume", key["account"])
    assert service.client("sesv2", key).get_account()["SendingEnabled"]


def test_a_configuration_set_that_is_paused(service: Installation, door: str) -> None:
    """SES's code for it, and the name of the set."""
    name = f"paused-{door}"
    service.sesv2.create_configuration_set(ConfigurationSetName=name, SendingOptions={"SendingEnabled": False})
    recipient = f"set-paused-{door}@customer.example"
    refusal = DOORS[door](service, service.key, recipient, name)
    expected = {"v2": "SendingPausedException", "v1": "ConfigurationSetSendingPausedException", "smtp": "554"}
    assert (expected[door], True) == (refusal.code, name in refusal.text)
    check_ledger(service, refusal, recipient, "sending_paused")


def test_a_configuration_set_that_is_not_there(service: Installation, door: str) -> None:
    """SES's code for it."""
    recipient = f"set-missing-{door}@customer.example"
    refusal = DOORS[door](service, service.key, recipient, "nowhere")
    expected = {"v2": "NotFoundException", "v1": "ConfigurationSetDoesNotExist", "smtp": "554"}
    assert (expected[door], True) == (
        refusal.code,
        "Configuration set <nowhere> does not exist." in refusal.text,
    )
    check_ledger(service, refusal, recipient, "content_malformed")


def over_the_limit(service: Installation, key: dict[str, str], door: str, recipient: str) -> Refusal:
    """The refusal of the second of two messages; tried again where a new second had begun between them."""
    for _ in range(5):
        time.sleep(1 - time.time() % 1)
        with contextlib.suppress(ClientError):  # the quota may be used up by the try before
            service.client("sesv2", key).send_email(
                FromEmailAddress=SENDER,
                Destination={"ToAddresses": ["first@customer.example"]},
                Content={"Simple": {"Subject": {"Data": "Hello"}, "Body": {"Text": {"Data": "Hello"}}}},
            )
        with contextlib.suppress(pytest.fail.Exception):
            refusal = DOORS[door](service, key, recipient)
            if refusal.code != "250":
                return refusal
    pytest.fail("the limit never stopped a message")


@pytest.mark.parametrize("limit", ["rate", "quota"])
def test_a_limit_of_the_account(service: Installation, door: str, limit: str) -> None:
    """The first message goes out, the second is throttled in SES's words."""
    number = {"v2": 221, "v1": 222, "smtp": 223}[door] + (10 if limit == "quota" else 0)

    def lower(account: Account) -> Account:
        return replace(account, max_24_hour_send=1) if limit == "quota" else replace(account, max_send_rate=0.001)

    key = account_with(service, number, lower)
    recipient = f"over-{limit}-{door}@customer.example"
    refusal = over_the_limit(service, key, door, recipient)
    v2 = "LimitExceededException" if limit == "quota" else "TooManyRequestsException"
    text = "Daily message quota exceeded" if limit == "quota" else "Maximum sending rate exceeded"
    assert ({"v2": v2, "v1": "Throttling", "smtp": "454"}[door], True) == (refusal.code, text in refusal.text)
    check_ledger(service, refusal, recipient, "quota_exceeded" if limit == "quota" else "sending_rate_exceeded")


def test_a_recipient_that_is_no_address(service: Installation, door: str) -> None:
    """SES's code; SMTP refuses it at RCPT, before there is a message to speak of."""
    recipient = f"nobody-{door}@-customer-.example"
    refusal = DOORS[door](service, service.key, recipient)
    assert {"v2": "BadRequestException", "v1": "InvalidParameterValue", "smtp": "553"}[door] == refusal.code
    if door == "smtp":
        assert f"<{recipient}> Invalid email address" == refusal.text
    else:
        check_ledger(service, refusal, recipient, "address_invalid")


@pytest.mark.parametrize(("version", "code"), [("v2", "NotFoundException"), ("v1", "TemplateDoesNotExist")])
def test_a_template_that_is_not_there(service: Installation, version: str, code: str) -> None:
    """SES's code, and the template's name."""
    recipient = f"no-template-{version}@customer.example"
    destination = {"ToAddresses": [recipient]}
    if version == "v2":
        content = {"Template": {"TemplateName": "nowhere", "TemplateData": "{}"}}
        request = {"FromEmailAddress": SENDER, "Destination": destination, "Content": content}
        refusal = _call(service.sesv2.send_email, request)
    else:
        request = {"Source": SENDER, "Destination": destination, "Template": "nowhere", "TemplateData": "{}"}
        refusal = _call(service.ses.send_templated_email, request)
    assert (code, "Template nowhere does not exist.") == (refusal.code, refusal.text)
    hits = service.json("find", "--to", recipient)
    assert [refusal.request_id] == [hit["message_id"] for hit in hits]
    assert "refused" == service.told(str(refusal.request_id))["status"]


def test_a_revoked_key_fails_at_once(service: Installation) -> None:
    """On both doors; a key that was never there fails the same way."""
    key = service.json("keys", "create", "--label", "short-lived")
    assert DEFAULT_ACCOUNT == key["account"]
    assert service.client("sesv2", key).get_account()["SendingEnabled"]
    service.run("keys", "revoke", key["access_key_id"])
    with pytest.raises(ClientError) as raised:
        service.client("sesv2", key).get_account()
    assert 403 == raised.value.response["ResponseMetadata"]["HTTPStatusCode"]
    with pytest.raises(Exception, match="535") as refused:
        service.submit("x@customer.example", b"", key)
    assert "SMTPAuthenticationError" == type(refused.value).__name__
    assert "Waybill" not in service.run("keys", "revoke", "AKIANOBODY", code=4)
