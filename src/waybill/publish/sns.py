"""SNS messages: the envelope, its signature, and the certificate that proves it (SNS Developer Guide, "Verifying signatures")."""

import asyncio
import base64
import datetime as dt
import hashlib
import secrets
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from waybill.model.clock import Clock, Instant, rfc3339
from waybill.model.resource import INSTALLATION, SigningCertificate, Subscription, Topic
from waybill.store.protocol import Store

AGENT = "Amazon Simple Notification Service Agent"
_KEPT_YEARS = 10
_SIGNED_OF_QUESTIONS = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
_SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": _SIGNED_OF_QUESTIONS,
    "UnsubscribeConfirmation": _SIGNED_OF_QUESTIONS,
}
_IN_ORDER = (
    *("Type", "MessageId", "Token", "TopicArn", "Subject", "Message", "SubscribeURL", "Timestamp"),
    *("SignatureVersion", "Signature", "SigningCertURL", "UnsubscribeURL"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Envelope:
    """A message to a subscription: its body, and what the HTTP header fields repeat."""

    kind: str
    message_id: str
    topic_arn: str
    body: bytes


def string_to_sign(envelope: dict[str, str]) -> bytes:
    r"""``Key\nValue\n`` of the signed members in byte order; Subject only where there is one."""
    names = _SIGNED[envelope["Type"]]
    return "".join(f"{name}\n{envelope[name]}\n" for name in names if name in envelope).encode()


class Signer:
    """Writes and signs envelopes with the installation's certificate."""

    def __init__(self, certificate: SigningCertificate, public_url: str, clock: Clock) -> None:
        key = serialization.load_pem_private_key(certificate.private_pem.encode(), None)
        assert isinstance(key, rsa.RSAPrivateKey)
        self._key = key
        self._public_url = public_url.rstrip("/")
        self._certificate_url = f"{self._public_url}/SimpleNotificationService-{certificate.name}.pem"
        self._clock = clock

    def notification(
        self, topic: Topic, subscription: Subscription, *, message_id: str, message: str, subject: str | None
    ) -> Envelope:
        """A notification to one subscription; one publication has one ``message_id`` for all of them."""
        members = {"Type": "Notification", "MessageId": message_id, "TopicArn": topic.name, "Message": message}
        if subject is not None:
            members["Subject"] = subject
        arn = quote(subscription.name, safe=":")
        members["UnsubscribeURL"] = f"{self._public_url}/?Action=Unsubscribe&SubscriptionArn={arn}"
        return self._sealed(members, topic.signature_version)

    def confirmation(self, topic: Topic, subscription: Subscription, *, message_id: str) -> Envelope:
        """The question whether the endpoint wants the topic's messages."""
        text = (
            f"You have chosen to subscribe to the topic {topic.name}.\n"
            "To confirm the subscription, visit the SubscribeURL included in this message."
        )
        return self._question("SubscriptionConfirmation", topic, subscription, message_id=message_id, text=text)

    def farewell(self, topic: Topic, subscription: Subscription, *, message_id: str) -> Envelope:
        """What an endpoint is told that was unsubscribed by an unsigned link, and how it comes back."""
        text = (
            f"You have chosen to deactivate subscription {subscription.name}.\n"
            "To cancel this operation and restore the subscription, visit the SubscribeURL included in this message."
        )
        return self._question("UnsubscribeConfirmation", topic, subscription, message_id=message_id, text=text)

    def _question(self, kind: str, topic: Topic, subscription: Subscription, *, message_id: str, text: str) -> Envelope:
        query = f"Action=ConfirmSubscription&TopicArn={topic.name}&Token={quote(subscription.token)}"
        members = {
            "Type": kind,
            "MessageId": message_id,
            "Token": subscription.token,
            "TopicArn": topic.name,
            "Message": text,
            "SubscribeURL": f"{self._public_url}/?{query}",
        }
        return self._sealed(members, topic.signature_version)

    def _sealed(self, members: dict[str, str], version: str) -> Envelope:
        members |= {
            "Timestamp": rfc3339(self._clock()),
            "SignatureVersion": version,
            "SigningCertURL": self._certificate_url,
        }
        digest = hashes.SHA256() if version == "2" else hashes.SHA1()  # noqa: S303 - SignatureVersion 1 is SHA1withRSA
        signature = self._key.sign(string_to_sign(members), padding.PKCS1v15(), digest)
        members["Signature"] = base64.b64encode(signature).decode()
        ordered = {name: members[name] for name in _IN_ORDER if name in members}
        return Envelope(
            kind=members["Type"],
            message_id=members["MessageId"],
            topic_arn=members["TopicArn"],
            body=msgspec.json.format(msgspec.json.encode(ordered), indent=2),
        )


def make_certificate(host: str, at: Instant) -> SigningCertificate:
    """A new RSA-2048 key with a self-signed certificate for the host."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host[:64])])
    start = dt.datetime.fromtimestamp(at / 1_000, dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start - dt.timedelta(days=1))
        .not_valid_after(start + dt.timedelta(days=365 * _KEPT_YEARS))
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return SigningCertificate(
        account=INSTALLATION,
        name=hashlib.sha256(pem + secrets.token_bytes(8)).hexdigest()[:32],
        private_pem=private.decode(),
        certificate_pem=pem.decode(),
        created_at=at,
    )


async def signing_certificate(store: Store, public_url: str, clock: Clock) -> SigningCertificate:
    """The installation's certificate, made on first use. Of two made at once both are served, and the first by name stays in use."""
    found = await store.scan(SigningCertificate, INSTALLATION)
    if not found:
        host = urlsplit(public_url).hostname or "localhost"
        await store.create(await asyncio.to_thread(make_certificate, host, clock()))
        found = await store.scan(SigningCertificate, INSTALLATION)
    return found[0]


async def certificate_pem(store: Store, name: str) -> str | None:
    """The certificate served at ``/SimpleNotificationService-<name>.pem``; None for a name that is not ours."""
    found = await store.get(SigningCertificate, INSTALLATION, name)
    return found.certificate_pem if found else None
