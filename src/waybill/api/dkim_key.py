"""DKIM keys of identities: generated ones, and those that a customer brings (BYODKIM)."""

import asyncio
import base64
import binascii
import secrets

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)

from waybill.api.ses_error import invalid
from waybill.mail.dkim import generate_rsa
from waybill.model.clock import Instant
from waybill.model.resource import DkimKey

MIN_BITS = 1024
MAX_BITS = 4096


async def generate_key(at: Instant) -> DkimKey:
    """A new RSA-2048 key under a selector of its own, so that a key that is replaced keeps its record."""
    # Some 100 ms of arithmetic: in a thread, so that the loop goes on.
    private_pem, public = await asyncio.to_thread(generate_rsa)
    selector = f"waybill{secrets.token_hex(6)}"
    return DkimKey(selector=selector, algorithm="rsa", private_pem=private_pem, public=public, created_at=at)


def bring_key(selector: str, private: str, at: Instant) -> DkimKey:
    """The customer's own key: ``private`` is the base64 inside a PEM file (PKCS #1 or PKCS #8), as SES takes it.

    Raises:
        SesError: it is no RSA key, or one of a length that receivers do not take.
    """
    try:
        key = load_der_private_key(base64.b64decode(private, validate=True), password=None)
    except (binascii.Error, ValueError, TypeError, UnsupportedAlgorithm):
        raise invalid("DomainSigningPrivateKey is not the base64 of an RSA private key (PKCS #1 or PKCS #8).") from None
    if not isinstance(key, RSAPrivateKey):
        raise invalid("DomainSigningPrivateKey is not an RSA key; only RSA is allowed.")
    if not MIN_BITS <= key.key_size <= MAX_BITS:
        raise invalid(f"DomainSigningPrivateKey has {key.key_size} bits; allowed are {MIN_BITS} to {MAX_BITS}.")
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return DkimKey(
        selector=selector,
        algorithm="rsa",
        private_pem=key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii"),
        public=base64.b64encode(public).decode("ascii"),
        created_at=at,
    )
