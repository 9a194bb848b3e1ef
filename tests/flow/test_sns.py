"""Topics and subscriptions as their users meet them: confirmed, signed, raw, and told of mail in both of SES's ways."""

import base64
import json
import re
import urllib.request

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.flow.conftest import EVENT_SET
from tests.flow.installation import Installation, until
from tests.flow.listener import CONFIRMING, Listener, Post

pytestmark = pytest.mark.story

SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}


def check_signature(post: Post) -> None:
    """Checks an SNS message as the SNS Developer Guide tells a subscriber to."""
    envelope = post.json
    with urllib.request.urlopen(envelope["SigningCertURL"], timeout=5) as answer:
        key = x509.load_pem_x509_certificate(answer.read()).public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    names = [name for name in SIGNED[envelope["Type"]] if name in envelope]
    text = "".join(f"{name}\n{envelope[name]}\n" for name in names).encode()
    digest = hashes.SHA256() if envelope["SignatureVersion"] == "2" else hashes.SHA1()
    signature = base64.b64decode(envelope["Signature"])
    key.verify(signature, text, padding.PKCS1v15(), digest)
    with pytest.raises(InvalidSignature):
        key.verify(signature, text + b" ", padding.PKCS1v15(), digest)


def subscribe(service: Installation, listener: Listener, name: str, version: str = "1") -> tuple[str, Post]:
    """A topic with a subscription that waits to be confirmed, and the question it was asked."""
    attributes = {"SignatureVersion": version}
    topic = str(service.sns.create_topic(Name=name, Attributes=attributes)["TopicArn"])
    answer = service.sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=f"{listener.url}/{name}")
    assert "pending confirmation" == answer["SubscriptionArn"]
    until(lambda: listener.at(f"/{name}", "SubscriptionConfirmation"))
    return topic, listener.at(f"/{name}", "SubscriptionConfirmation")[0]


@pytest.mark.parametrize("version", ["1", "2"])
def test_a_subscription_that_is_confirmed_by_its_url_is_told_with_a_signature(
    version: str, service: Installation, listener: Listener
) -> None:
    """Question and notification carry signatures that the certificate at SigningCertURL proves."""
    name = f"by-url-{version}"
    topic, question = subscribe(service, listener, name, version)
    check_signature(question)
    with urllib.request.urlopen(question.json["SubscribeURL"], timeout=5) as answer:
        found = re.search(rb"<SubscriptionArn>([^<]+)</SubscriptionArn>", answer.read())
    assert found is not None
    published = service.sns.publish(TopicArn=topic, Message="Grüße", Subject="Hello")["MessageId"]
    until(lambda: listener.at(f"/{name}", "Notification"))
    (post,) = listener.at(f"/{name}", "Notification")
    check_signature(post)
    envelope = post.json
    assert (published, "Grüße", "Hello", version) == (
        envelope["MessageId"],
        envelope["Message"],
        envelope["Subject"],
        envelope["SignatureVersion"],
    )
    assert found[1].decode() == post.headers["x-amz-sns-subscription-arn"]


def test_a_subscription_that_is_confirmed_by_its_token_can_be_raw(service: Installation, listener: Listener) -> None:
    """ConfirmSubscription takes the token; raw delivery posts the event itself, without an envelope."""
    topic, question = subscribe(service, listener, "by-token")
    arn = service.sns.confirm_subscription(TopicArn=topic, Token=question.json["Token"])["SubscriptionArn"]
    service.sns.set_subscription_attributes(
        SubscriptionArn=arn, AttributeName="RawMessageDelivery", AttributeValue="true"
    )
    service.sns.publish(TopicArn=topic, Message="as it is")
    until(lambda: listener.at("/by-token", "Notification"))
    (post,) = listener.at("/by-token", "Notification")
    assert (b"as it is", "true") == (post.body, post.headers["x-amz-sns-rawdelivery"])


def test_a_configuration_sets_events_are_told_and_written_to_the_file(
    service: Installation, listener: Listener
) -> None:
    """Send and Delivery reach the webhook with the tags of the message; the JSON-lines file holds the same events."""
    tags = [{"Name": "campaign", "Value": "spring"}]
    message_id = service.send("told@customer.example", ConfigurationSetName=EVENT_SET, EmailTags=tags)
    until(lambda: listener.kinds(message_id) == ["Delivery", "Send"])
    for event in listener.events(message_id):
        assert (message_id, ["spring"]) == (event["mail"]["messageId"], event["mail"]["tags"]["campaign"])
    posts = [post for post in listener.at(CONFIRMING, "Notification") if message_id in post.json["Message"]]
    assert {"Amazon SES Email Event Notification"} == {post.json["Subject"] for post in posts}
    check_signature(posts[0])

    def lines() -> list[str]:
        text = (service.folder / "events.jsonl").read_text("utf-8")
        events = [json.loads(line) for line in text.splitlines()]
        return sorted(event["eventType"] for event in events if event["mail"]["messageId"] == message_id)

    until(lambda: lines() == ["Delivery", "Send"])


def test_an_identitys_own_topics_are_told_in_the_old_form(service: Installation, listener: Listener) -> None:
    """A Bounce notification with ``notificationType``, without tags, and with headers only where asked for."""
    topic, question = subscribe(service, listener, "legacy")
    service.sns.confirm_subscription(TopicArn=topic, Token=question.json["Token"])
    service.sesv2.create_email_identity(EmailIdentity="legacy.example")
    service.ses.set_identity_notification_topic(Identity="legacy.example", NotificationType="Bounce", SnsTopic=topic)
    message_id = service.send("gone@customer.example", sender="Old <old@legacy.example>")
    until(lambda: listener.events(message_id, "/legacy"))
    (event,) = listener.events(message_id, "/legacy")
    assert ("Bounce", "Permanent") == (event["notificationType"], event["bounce"]["bounceType"])
    assert {"tags", "headers"}.isdisjoint(event["mail"])
    assert ["gone@customer.example"] == event["mail"]["destination"]
