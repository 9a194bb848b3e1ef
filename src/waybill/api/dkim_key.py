"""DKIM keys of identities: generated ones, and those that a customer brings (BYODKIM)."""

import asyncio
import secrets

from waybill.api.ses_error import invalid
from waybill.mail.dkim import ED25519, RSA, DkimKeyError, generate_ed25519, generate_rsa, load_key, write_key
from waybill.model.clock import Instant
from waybill.model.resource import DkimKey

_GENERATORS = {RSA: generate_rsa, ED25519: generate_ed25519}
ALGORITHMS = tuple(_GENERATORS)


async def generate_key(at: Instant, algorithm: str = RSA) -> DkimKey:
    """A new key (RSA with 2048 bits) under a selector of its own, so that a key that is replaced keeps its record."""
    # For RSA some 100 ms of arithmetic: in a thread, so that the loop goes on.
    private_pem, public = await asyncio.to_thread(_GENERATORS[algorithm])
    selector = f"waybill{secrets.token_hex(6)}"
    return DkimKey(selector=selector, algorithm=algorithm, private_pem=private_pem, public=public, created_at=at)


def bring_key(selector: str, private: str, at: Instant) -> DkimKey:
    """The customer's own key: ``private`` is the base64 inside a PEM file (PKCS #1 or PKCS #8), as SES takes it.

    Raises:
        SesError: it is no RSA key, or one of a length that receivers do not take.
    """
    try:
        key = load_key(private, RSA)
    except DkimKeyError as error:
        raise invalid(f"DomainSigningPrivateKey: {error}") from None
    return DkimKey(selector=selector, algorithm=RSA, private_pem=write_key(key), public=key.public, created_at=at)
