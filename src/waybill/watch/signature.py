"""Signatures of SNS messages (SNS Developer Guide, "Verifying the signatures of Amazon SNS messages"): pure."""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from waybill.model.clock import SECOND, Instant

AMAZON = re.compile(r"sns\.[a-z0-9-]{3,}\.amazonaws\.com(?:\.cn)?")
"""Where SNS publishes its certificates, and answers to SubscribeURL."""

CERTIFICATE = "SigningCertURL"
"""The field that says where the certificate is."""

_NOTIFICATION = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_CONFIRMATION = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
_HASHES: dict[str, hashes.HashAlgorithm] = {"1": hashes.SHA1(), "2": hashes.SHA256()}  # noqa: S303 - SNS's version 1


class NotGenuine(ValueError):  # noqa: N818 - it says what the message is
    """The message is not one that SNS signed, or it asks for something that it may not."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AllowedHosts:
    """Where certificates and confirmations may be fetched: SNS's own hosts, or those named (``host`` or ``host:port``)."""

    named: tuple[str, ...] = ()

    def check(self, url: object, field: str) -> str:
        """The URL, if it may be fetched.

        Raises:
            NotGenuine: it is no https URL of an allowed host.
        """
        if field == CERTIFICATE and not (isinstance(url, str) and url.endswith(".pem") and not set("?#") & set(url)):
            # SNS's API answers at the same host: what it can be made to say is no certificate.
            raise NotGenuine(f"{field} = {str(url)[:200]!r} is not allowed; it must name a .pem file")
        text = url if isinstance(url, str) else ""
        try:
            parts = urlsplit(text)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            host, port, parts = "", None, urlsplit("")
        named = f"{host}:{port}" if port not in {None, 443} else host
        plain = "@" not in parts.netloc and parts.scheme == "https" and text.isprintable() and " " not in text
        if plain and (named in self.named or (not self.named and port in {None, 443} and AMAZON.fullmatch(host))):
            return text
        allowed = ", ".join(self.named) or "sns.<region>.amazonaws.com"
        raise NotGenuine(f"{field} = {text[:200]!r} is not allowed; it must be https on {allowed}")


def string_to_sign(message: Mapping[str, Any]) -> bytes:
    """The bytes that the signature is over: the fields of its type in byte order, each name and value on a line of its own.

    Raises:
        NotGenuine: a field is missing.
    """
    kind = message.get("Type")
    lines: list[str] = []
    for name in _NOTIFICATION if kind == "Notification" else _CONFIRMATION:
        value = message.get(name)
        if value is None and name == "Subject":
            continue
        if not isinstance(value, str):
            raise NotGenuine(f"an SNS message of type {str(kind)[:40]!r} has the field {name}, and this one has not")
        lines += [name, value]
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogatepass")


def read_certificate(pem: bytes, at: Instant) -> rsa.RSAPublicKey:
    """The key of a certificate that is valid at ``at``.

    Raises:
        NotGenuine: it is no certificate, not valid then, or not of an RSA key.
    """
    try:
        certificate = x509.load_pem_x509_certificate(pem)
    except ValueError:
        raise NotGenuine("what SigningCertURL leads to is no certificate") from None
    when = datetime.fromtimestamp(at / SECOND, UTC)
    if not certificate.not_valid_before_utc <= when <= certificate.not_valid_after_utc:
        raise NotGenuine("the certificate at SigningCertURL is not valid now")
    key = certificate.public_key()
    if not isinstance(key, rsa.RSAPublicKey):
        raise NotGenuine("the certificate at SigningCertURL is not one of an RSA key")
    return key


def verify(message: Mapping[str, Any], key: rsa.RSAPublicKey) -> None:
    """Checks the signature, of version 1 (SHA-1) or 2 (SHA-256).

    Raises:
        NotGenuine: it is not right.
    """
    version = message.get("SignatureVersion")
    algorithm = _HASHES.get(version) if isinstance(version, str) else None
    if algorithm is None:
        raise NotGenuine(f"SignatureVersion = {str(version)[:20]!r} is not known; 1 and 2 are")
    try:
        signature = base64.b64decode(str(message.get("Signature")), validate=True)
        key.verify(signature, string_to_sign(message), padding.PKCS1v15(), algorithm)
    except (InvalidSignature, ValueError) as error:
        if isinstance(error, NotGenuine):
            raise
        raise NotGenuine("the signature is not right") from None
