"""DKIM key records (RFC 6376 §3.6.1, RFC 8463 §4): parsed, and the public key in them loaded."""

import base64
import binascii
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from waybill.mail.dkim import ED25519, LEAST_RSA_BITS, RSA
from waybill.mail.dkim_tags import TagListError, parse_tags, without_space

_REMEMBERED = 1_024

PublicKey: TypeAlias = rsa.RSAPublicKey | ed25519.Ed25519PublicKey


class DkimKeyRecordError(ValueError):
    """A key record that no signature can be checked with; the text says why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyRecord:
    """A key record. ``bits`` is the length of an RSA key. ``testing`` is ``t=y``; ``exact`` is ``t=s``: no subdomain in ``i=``.

    ``hashes`` are those that signatures may use; empty: all.
    """

    text: str
    algorithm: str
    public: str
    key: PublicKey
    bits: int | None
    testing: bool
    exact: bool
    hashes: tuple[str, ...]


@lru_cache(maxsize=_REMEMBERED)  # reading an RSA key takes longer than checking a signature with it
def parse_key_record(text: str) -> KeyRecord:
    """The key record of a TXT record.

    Raises:
        DkimKeyRecordError: it is none, is not for mail, is revoked, or its key is damaged, too short or of an unknown type.
    """
    try:
        tags = parse_tags(text)
    except TagListError as error:
        raise DkimKeyRecordError(f"the record is damaged: {error}") from None
    if tags.get("v", "DKIM1") != "DKIM1" or ("v" in tags and next(iter(tags)) != "v"):
        raise DkimKeyRecordError(f"the record does not begin with v=DKIM1, but has v={tags['v']}")
    if "p" not in tags:
        raise DkimKeyRecordError("the record has no key (p=)")
    algorithm = tags.get("k", RSA).lower()
    if algorithm not in (RSA, ED25519):
        raise DkimKeyRecordError(f"the key is of the type k={algorithm}; known are {RSA} and {ED25519}")
    services = _list(tags.get("s", "*"))
    if not {"*", "email"} & set(services):
        raise DkimKeyRecordError(f"the key is not for mail: s={tags['s']}")
    public = without_space(tags["p"])
    if not public:
        raise DkimKeyRecordError("the key is revoked: p= is empty")
    key = _load(public, algorithm)
    bits = key.key_size if isinstance(key, rsa.RSAPublicKey) else None
    if bits is not None and bits < LEAST_RSA_BITS:
        raise DkimKeyRecordError(f"the key has {bits} bits; receivers take none below {LEAST_RSA_BITS} (RFC 8301)")
    flags = _list(tags.get("t", ""))
    return KeyRecord(
        text=text,
        algorithm=algorithm,
        public=public,
        key=key,
        bits=bits,
        testing="y" in flags,
        exact="s" in flags,
        hashes=_list(tags.get("h", "")),
    )


def _list(value: str) -> tuple[str, ...]:
    return tuple(each.strip().lower() for each in value.split(":") if each.strip())


def _load(public: str, algorithm: str) -> PublicKey:
    try:
        data = base64.b64decode(public, validate=True)
        if algorithm == ED25519:
            return ed25519.Ed25519PublicKey.from_public_bytes(data)
        key = serialization.load_der_public_key(data)
    except binascii.Error:
        raise DkimKeyRecordError("the key in p= is damaged: it is no base64") from None
    except (ValueError, UnsupportedAlgorithm):
        form = "32 octets" if algorithm == ED25519 else "a DER public key"
        raise DkimKeyRecordError(f"the key in p= is damaged: it is no {algorithm} key ({form})") from None
    if not isinstance(key, rsa.RSAPublicKey):
        raise DkimKeyRecordError(f"the key in p= is no {algorithm} key")
    return key
