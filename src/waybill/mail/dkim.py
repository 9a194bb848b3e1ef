"""Signs messages with DKIM (RFC 6376, with RFC 8301's and RFC 8463's algorithms), relaxed/relaxed, for any number of domains."""

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from waybill.mail.header import find_body
from waybill.model.clock import Instant
from waybill.model.record import record

RSA = "rsa"
ED25519 = "ed25519"
RSA_BITS = 2048
LEAST_RSA_BITS = 1024  # RFC 8301 §3.2
MOST_RSA_BITS = 4096  # what verifiers must be able to check, there as well

# What is signed where it is present, in this order (RFC 6376 §5.4.1, RFC 8058 §4 for List-Unsubscribe-Post).
_SIGNED = (
    "from",
    "to",
    "cc",
    "subject",
    "date",
    "message-id",
    "reply-to",
    "sender",
    "mime-version",
    "content-type",
    "content-transfer-encoding",
    "list-unsubscribe",
    "list-unsubscribe-post",
    "feedback-id",
    "in-reply-to",
    "references",
)
_NAMES_SIGNED = frozenset(name.encode() for name in _SIGNED)
_SIGNING_DOMAIN = re.compile(rb"\bd=([^;\s]+); s=")
_SIGNATURE = re.compile(rb"\bd=([^;\s]+); s=([^;\s]+);")
_FIELD = re.compile(rb"^([!-9;-~]+)[ \t]*:[^\n]*(?:\n[ \t][^\n]*)*\n?", re.MULTILINE)
_RSA_PADDING = padding.PKCS1v15()
_PREHASHED = Prehashed(hashes.SHA256())
_SHORT = 32 * 1024

PrivateKey: TypeAlias = rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


class DkimKeyError(ValueError):
    """A private key that DKIM cannot use; the text says why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SigningKey:
    """A loaded private key; ``public`` is what its record has as ``p=``. Loading is slow: keep it."""

    algorithm: str
    private: PrivateKey
    public: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Signer:
    """For whom to sign: ``selector``._domainkey.``domain`` holds the public key."""

    domain: str
    selector: str
    key: SigningKey


def load_key(private_pem: str, algorithm: str) -> SigningKey:
    """Returns the key for signing. PEM is taken, and base64 of DER without armour, as SES takes it.

    Raises:
        DkimKeyError: it is no private key, is encrypted, is not of ``algorithm`` (``rsa``, ``ed25519``), or of no length in use.
    """
    try:
        if "-----BEGIN" in private_pem:
            private = serialization.load_pem_private_key(private_pem.encode("utf-8", "replace"), password=None)
        else:
            der = base64.b64decode("".join(private_pem.split()), validate=True)
            private = serialization.load_der_private_key(der, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise DkimKeyError(f"The DKIM private key cannot be read: {error}") from None
    if isinstance(private, rsa.RSAPrivateKey) and algorithm == RSA:
        if not LEAST_RSA_BITS <= private.key_size <= MOST_RSA_BITS:
            raise DkimKeyError(
                f"The DKIM key has {private.key_size} bits; allowed are {LEAST_RSA_BITS} to {MOST_RSA_BITS}."
            )
        return SigningKey(algorithm=RSA, private=private, public=_public(private))
    if isinstance(private, ed25519.Ed25519PrivateKey) and algorithm == ED25519:
        return SigningKey(algorithm=ED25519, private=private, public=_public(private))
    raise DkimKeyError(
        f"The DKIM private key is not of the algorithm {algorithm!r}; allowed are {RSA!r} and {ED25519!r}."
    )


def generate_rsa(bits: int = RSA_BITS) -> tuple[str, str]:
    """Returns a new RSA key as PKCS#8 PEM, and its ``p=``. Takes a tenth of a second or more."""
    return _written(rsa.generate_private_key(public_exponent=65537, key_size=bits))


def generate_ed25519() -> tuple[str, str]:
    """Returns a new Ed25519 key as PKCS#8 PEM, and its ``p=``."""
    return _written(ed25519.Ed25519PrivateKey.generate())


def write_key(key: SigningKey) -> str:
    """Returns the private key as PKCS#8 PEM."""
    return _written(key.private)[0]


def dns_record(algorithm: str, public: str) -> str:
    """Returns the TXT record to publish at selector._domainkey.domain (RFC 6376 §3.6.1, RFC 8463 §4)."""
    return f"v=DKIM1; k={algorithm}; p={public}"


@record(frozen=True, slots=True)
class Unsigned:
    """A DKIM-Signature field that lacks the signature itself, and the hash that is to be signed."""

    signer: Signer
    field: bytes
    digest: bytes


def sign(content: bytes, signers: Sequence[Signer], at: Instant) -> bytes:
    """Returns one DKIM-Signature field for each signer, to be put before ``content`` (which has CRLF line ends).

    From is signed once more than it occurs (RFC 6376 §8.15), so that none can be added. The whole body is signed.
    """
    return complete(prepare(content, signers, at))


def prepare(content: bytes, signers: Sequence[Signer], at: Instant) -> list[Unsigned]:
    """Returns the fields of ``sign`` before they are signed: all that is quick."""
    if not signers:
        return []
    end, body = find_body(content)
    lines: dict[str, list[bytes]] = {}
    for field in _FIELD.finditer(content, 0, end):
        name = field[1].lower()
        if name in _NAMES_SIGNED:
            lines.setdefault(name.decode(), []).append(field[0])
    names: list[str] = []
    signed: list[bytes] = []
    for name in _SIGNED:
        for line in reversed(lines.get(name, ())):  # RFC 6376 §5.4.2: from the bottom up
            names.append(name)
            signed.append(canonical_field(line))
    names.insert(0, "from")
    body_hash = binascii.b2a_base64(_hash(canonical_body(content[body:])), newline=False).decode()
    hashed = hashlib.sha256(b"".join(signed))
    tail = f"\r\n\th={_fold_names(names)};\r\n\tbh={body_hash};\r\n\tb="
    return [_unsigned(signer, f" t={at // 1000};{tail}", hashed.copy()) for signer in signers]


def complete(fields: Sequence[Unsigned]) -> bytes:
    """Returns the fields with their signatures: an RSA signature takes most of a millisecond."""
    return b"".join([_signed(field) for field in fields])


def signing_domains(header: bytes) -> tuple[str, ...]:
    """Returns the domains (``d=``) of the DKIM-Signature fields that ``sign`` has made, in their order."""
    return tuple(domain.decode("ascii") for domain in _SIGNING_DOMAIN.findall(header))


def signatures(header: bytes) -> tuple[tuple[str, str], ...]:
    """Returns domain and selector (``s=``) of each of them."""
    return tuple((domain.decode("ascii"), selector.decode("ascii")) for domain, selector in _SIGNATURE.findall(header))


def canonical_body(body: bytes) -> bytes:
    """Returns the body in relaxed form (RFC 6376 §3.4.4)."""
    body = _collapse(body).replace(b" \r\n", b"\r\n")
    stripped = body.rstrip(b"\r\n")
    ending = body[len(stripped) :]
    while ending.endswith(b"\r\n"):
        ending = ending[:-2]
    return stripped + ending + b"\r\n" if stripped or ending else b""


def canonical_field(line: bytes) -> bytes:
    """Returns a header field, given with its line ends, in relaxed form (RFC 6376 §3.4.2), CRLF included."""
    name, _, value = line.partition(b":")
    return b"%b:%b\r\n" % (name.strip().lower(), _collapse(value.replace(b"\r\n", b"")).strip(b" "))


def _collapse(data: bytes) -> bytes:
    data = data.replace(b"\t", b" ")
    while b"  " in data:  # each round halves every run: far quicker than a regular expression
        data = data.replace(b"  ", b" ")
    return data


def _hash(body: bytes) -> bytes:
    # From 2,048 octets on, hashlib lets go of Python's lock: of a short body it takes longer to get it back than to hash.
    if len(body) > _SHORT:
        return hashlib.sha256(body).digest()
    hashed = hashlib.sha256()
    for start in range(0, len(body), 2047):
        hashed.update(body[start : start + 2047])
    return hashed.digest()


def _unsigned(signer: Signer, rest: str, hashed: "hashlib._Hash") -> Unsigned:
    opening = f"DKIM-Signature: v=1; a={signer.key.algorithm}-sha256; c=relaxed/relaxed;"
    field = f"{opening}\r\n\td={signer.domain}; s={signer.selector};{rest}".encode("ascii")
    hashed.update(canonical_field(field)[:-2])
    return Unsigned(signer, field, hashed.digest())


def _signed(unsigned: Unsigned) -> bytes:
    private = unsigned.signer.key.private
    if isinstance(private, rsa.RSAPrivateKey):
        signature = private.sign(unsigned.digest, _RSA_PADDING, _PREHASHED)
    else:
        signature = private.sign(unsigned.digest)  # RFC 8463 §3: Ed25519 of the SHA-256 hash
    encoded = binascii.b2a_base64(signature, newline=False)
    folded = b"\r\n\t".join([encoded[at : at + 72] for at in range(0, len(encoded), 72)])
    return unsigned.field + folded + b"\r\n"


def _fold_names(names: Sequence[str]) -> str:
    lines, column = [""], 4
    for name in names:
        if column + len(name) > 74:
            lines.append("")
            column = 2
        lines[-1] += f"{name}:"
        column += len(name) + 1
    return "\r\n\t ".join(lines).removesuffix(":")


def _written(private: PrivateKey) -> tuple[str, str]:
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return pem.decode("ascii"), _public(private)


def _public(private: PrivateKey) -> str:
    """RSA: SubjectPublicKeyInfo (RFC 6376 §3.6.1); Ed25519: the bare 32 octets (RFC 8463 §4.2)."""
    if isinstance(private, rsa.RSAPrivateKey):
        form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    else:
        form = (serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return base64.b64encode(private.public_key().public_bytes(*form)).decode("ascii")
