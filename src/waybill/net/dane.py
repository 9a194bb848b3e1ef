"""DANE for SMTP (RFC 7672, RFC 7671): TLSA records, and whether the certificate that a server shows fits one of them."""

import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime
from enum import IntEnum

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    Policy,
    PolicyBuilder,
    Store,
    VerificationError,
)

from waybill.model.record import record

SHOWN = 16  # hexadecimal digits of a record's data that tell it from others in a sentence


class Usage(IntEnum):
    """Whom a TLSA record names (RFC 7671 §2.1). SMTP has a use for the two that need no public authority."""

    PKIX_TA = 0
    PKIX_EE = 1
    DANE_TA = 2  # an authority, which the certificate leads to
    DANE_EE = 3  # the server's own certificate or key


_USABLE = frozenset({Usage.DANE_TA, Usage.DANE_EE})
_DIGESTS: dict[int, tuple[int, Callable[[bytes], bytes]]] = {
    0: (0, lambda octets: octets),
    1: (32, lambda octets: hashlib.sha256(octets).digest()),
    2: (64, lambda octets: hashlib.sha512(octets).digest()),
}


@record(frozen=True, kw_only=True, slots=True)
class Tlsa:
    """A TLSA record (RFC 6698 §2.1)."""

    usage: int
    selector: int
    matching: int
    data: bytes

    def __str__(self) -> str:
        digits = self.data.hex()
        shown = digits if len(digits) <= SHOWN else f"{digits[:SHOWN]}…"
        return f"{self.usage} {self.selector} {self.matching} {shown}"

    @property
    def usable(self) -> bool:
        """Whether SMTP can check it (RFC 7672 §3.1.3; RFC 7671 §5: a digest of another length fits nothing)."""
        if self.usage not in _USABLE or self.selector not in (0, 1) or self.matching not in _DIGESTS or not self.data:
            return False
        length = _DIGESTS[self.matching][0]
        return length in (0, len(self.data))

    def fits(self, certificate: x509.Certificate) -> bool:
        """Whether it is the certificate, or its key, that the record stands for."""
        if self.selector == 0:
            selected = certificate.public_bytes(Encoding.DER)
        else:
            try:
                key = certificate.public_key()
            except (ValueError, UnsupportedAlgorithm):  # of a kind that nobody here knows
                return False
            selected = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return _DIGESTS[self.matching][1](selected) == self.data


@record(frozen=True, kw_only=True, slots=True)
class Dane:
    """What a host's certificate is held against: the usable records at ``base``, the TLSA base domain.

    ``names`` are those of which the certificate needs one where a record names an authority (RFC 7672 §3.2.2). ``base`` is
    the name that the handshake asks for (RFC 7672 §8.1).
    """

    base: str
    records: tuple[Tlsa, ...]
    names: tuple[str, ...] = ()

    def __str__(self) -> str:
        return ", ".join(str(each) for each in self.records)


@record(frozen=True, kw_only=True, slots=True)
class Match:
    """The record that a certificate fits, or why it fits none."""

    record: Tlsa | None
    why_not: str | None = None


def parse_tlsa(text: str) -> Tlsa:
    """The record from its presentation form, ``3 1 1 0123…`` (RFC 6698 §2.2).

    Raises:
        ValueError: it is no TLSA record.
    """
    fields = text.split(None, 3)
    if len(fields) != 4 or not all(field.isascii() and field.isdigit() and int(field) < 256 for field in fields[:3]):
        raise ValueError(f"TLSA record {text!r} does not have three numbers from 0 to 255 and then hexadecimal digits")
    usage, selector, matching = (int(field) for field in fields[:3])
    try:
        data = bytes.fromhex(fields[3])
    except ValueError:
        raise ValueError(f"TLSA record {text!r} does not end in pairs of hexadecimal digits") from None
    return Tlsa(usage=usage, selector=selector, matching=matching, data=data)


def match(dane: Dane, chain: Sequence[bytes], at: datetime) -> Match:
    """The first record that the certificates which a server showed, its own first, fit."""
    if not chain:
        return Match(record=None, why_not="no certificate was shown")
    try:
        leaf, *others = (x509.load_der_x509_certificate(each) for each in chain)
        keyed = next((each for each in dane.records if each.usage == Usage.DANE_EE and each.fits(leaf)), None)
    except (ValueError, x509.UnsupportedGeneralNameType) as error:
        return Match(record=None, why_not=f"unreadable certificate: {error}")
    if keyed is not None:  # RFC 7672 §3.1.1: neither its names nor its dates count
        return Match(record=keyed)
    why_not = f"the certificate with the SHA-256 digest {hashlib.sha256(chain[0]).hexdigest()[:SHOWN]}… fits none"
    for each in dane.records:
        if each.usage != Usage.DANE_TA:
            continue
        anchors = [other for other in (*others, *_published(each)) if each.fits(other)]
        fault = _verify(leaf, others, anchors, dane.names, at) if anchors else None
        if anchors and fault is None:
            return Match(record=each)
        why_not = f"the authority of record {each} is shown, but {fault}" if fault else why_not
    return Match(record=None, why_not=why_not)


def _published(tlsa: Tlsa) -> list[x509.Certificate]:
    """The authority's certificate, where the record holds all of it (RFC 7671 §5.2.2): it need not be shown then."""
    if (tlsa.selector, tlsa.matching) != (0, 0):
        return []
    try:
        return [x509.load_der_x509_certificate(tlsa.data)]
    except ValueError:
        return []


def _verify(
    leaf: x509.Certificate,
    others: list[x509.Certificate],
    anchors: list[x509.Certificate],
    names: tuple[str, ...],
    at: datetime,
) -> str | None:
    """Why the chain does not lead from the leaf, with one of the names, to an anchor; None where it does.

    The web's rules on extensions are not asked for: an authority that is named in DNS is somebody's own.
    """
    authority = ExtensionPolicy.permit_all().require_present(
        x509.BasicConstraints, Criticality.AGNOSTIC, _check_authority
    )
    server = ExtensionPolicy.permit_all().require_present(x509.SubjectAlternativeName, Criticality.AGNOSTIC, None)
    builder = PolicyBuilder().store(Store(anchors)).time(at)
    builder = builder.extension_policies(ca_policy=authority, ee_policy=server)
    words = "it has no name to be checked against"
    for name in names:
        try:
            builder.build_server_verifier(x509.DNSName(name)).verify(leaf, others)
        except (VerificationError, ValueError, x509.UnsupportedGeneralNameType) as error:
            words = str(error).partition(" (encountered processing")[0].removeprefix("validation failed: ")
        else:
            return None
    return f"the certificate does not hold for {' or '.join(names)}: {words}"


def _check_authority(_policy: Policy, _certificate: x509.Certificate, limits: x509.BasicConstraints) -> None:
    if not limits.ca:
        raise ValueError("a certificate that is no authority's signs another")
