"""Envelopes and their signatures, checked as a consumer does: with the certificate alone."""

import asyncio
import base64
import json
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.publish.publishing import ACCOUNT, START, TOPIC, URL, open_world
from tests.shared_data import SHARED
from waybill.model.resource import Subscription, Topic
from waybill.publish.sns import Envelope, Signer, certificate_pem, make_certificate, signing_certificate

CERTIFICATE = make_certificate("waybill.example", START)
SUBSCRIPTION = Subscription(
    account=ACCOUNT,
    name=f"{TOPIC}:s1",
    topic_arn=TOPIC,
    protocol="https",
    endpoint="https://h.example/",
    token="2336412f37fb687f5d51e6e2425c464",
    created_at=START,
)


def topic(version: str = "1") -> Topic:
    return Topic(account=ACCOUNT, name=TOPIC, created_at=START, signature_version=version)


def envelopes(version: str = "1", subject: str | None = "S", message: str = "Grüße\n") -> dict[str, Envelope]:
    signer = Signer(CERTIFICATE, f"{URL}/", lambda: START)
    of = topic(version)
    return {
        "notification": signer.notification(of, SUBSCRIPTION, message_id="m1", message=message, subject=subject),
        "subscriptionconfirmation": signer.confirmation(of, SUBSCRIPTION, message_id="m1"),
        "unsubscribeconfirmation": signer.farewell(of, SUBSCRIPTION, message_id="m1"),
    }


def verify(envelope: dict[str, str], pem: str) -> None:
    """The check of the SNS Developer Guide, written down again. Raises: InvalidSignature."""
    signed = ["Message", "MessageId"]
    if envelope["Type"] == "Notification":
        signed += (["Subject"] if "Subject" in envelope else []) + ["Timestamp", "TopicArn", "Type"]
    else:
        signed += ["SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
    text = "".join(f"{name}\n{envelope[name]}\n" for name in signed)
    key = x509.load_pem_x509_certificate(pem.encode()).public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    digest = {"1": hashes.SHA1, "2": hashes.SHA256}[envelope["SignatureVersion"]]()
    key.verify(base64.b64decode(envelope["Signature"]), text.encode(), padding.PKCS1v15(), digest)


@pytest.mark.parametrize("kind", ["notification", "subscriptionconfirmation", "unsubscribeconfirmation"])
@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("subject", ["S", None])
def test_signatures(kind: str, version: str, subject: str | None) -> None:
    """Version 1 is SHA1withRSA and 2 SHA256withRSA; any change of a signed member breaks it."""
    envelope = json.loads(envelopes(version, subject)[kind].body)
    assert envelope["SignatureVersion"] == version
    verify(envelope, CERTIFICATE.certificate_pem)
    with pytest.raises(InvalidSignature):
        verify({**envelope, "Message": envelope["Message"] + " "}, CERTIFICATE.certificate_pem)


@pytest.mark.skipif(SHARED is None, reason="the recorded envelopes are not here")
@pytest.mark.parametrize("kind", ["notification", "subscriptionconfirmation", "unsubscribeconfirmation"])
def test_members_are_as_recorded(kind: str) -> None:
    """The members and their order are SNS's, and the texts word for word."""
    assert SHARED is not None
    recorded = json.loads((SHARED / "data" / "events" / f"sns-envelope-{kind}.json").read_text("utf-8"))
    actual = json.loads(envelopes()[kind].body)
    assert list(actual) == list(recorded)
    if kind != "notification":
        arn = "arn:aws:sns:us-east-1:123456789012:waybill-events"
        expected = recorded["Message"].replace(f"{arn}:0d3c7a5e-1b7e-4c44-8f2f-4b1d2a9b7c11", SUBSCRIPTION.name)
        assert actual["Message"] == expected.replace(arn, TOPIC)


def test_links() -> None:
    """Every link is under the public URL, whether or not that ends with a slash."""
    made = {kind: json.loads(envelope.body) for kind, envelope in envelopes().items()}
    pem = f"{URL}/SimpleNotificationService-{CERTIFICATE.name}.pem"
    confirm = f"{URL}/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token={SUBSCRIPTION.token}"
    assert {envelope["SigningCertURL"] for envelope in made.values()} == {pem}
    assert made["notification"]["UnsubscribeURL"] == f"{URL}/?Action=Unsubscribe&SubscriptionArn={SUBSCRIPTION.name}"
    assert {made[kind]["SubscribeURL"] for kind in ("subscriptionconfirmation", "unsubscribeconfirmation")} == {confirm}


async def test_one_certificate_for_all_workers(tmp_path: Path) -> None:
    """It is made once, kept, and served by its name alone; two made at once are both served."""
    async with open_world(tmp_path) as world, open_world(tmp_path) as other:
        made = await asyncio.gather(*(signing_certificate(one.store, URL, lambda: START) for one in (world, other)))
        for certificate in made:
            assert await certificate_pem(other.store, certificate.name) == certificate.certificate_pem
        first, second = [await signing_certificate(one.store, URL, lambda: START) for one in (world, other)]
        assert first == second
        assert first.name in {certificate.name for certificate in made}
        assert await certificate_pem(world.store, "0" * 32) is None
