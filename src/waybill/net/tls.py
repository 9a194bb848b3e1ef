"""TLS as a client of mail servers uses it: whatever certificate is taken, and what it was worth is written down."""

import ssl
import warnings
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cached_property
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    Policy,
    PolicyBuilder,
    Store,
    VerificationError,
)

from waybill.model.clock import Clock
from waybill.model.outcome import Tls
from waybill.net.dane import Dane, Match, match

MAX_JUDGED = 5_000
JUDGED_FOR = 3_600_000  # milliseconds
_USUAL_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
_BEGIN = b"-----BEGIN CERTIFICATE-----"

_Verdict = tuple[str | None, str | None]  # the subject; why it is not verified


class ClientTls:
    """The one SSL context of the client, and its judgement of certificates.

    The handshake itself verifies nothing: with opportunistic TLS an unverified session is still better than none
    (RFC 7435 §1.2), and most certificates of mail servers would fail.

    Raises:
        ValueError: ``ca_file`` cannot be read, or holds no certificate.
    """

    def __init__(self, *, clock: Clock, ca_file: str = "") -> None:
        self._clock = clock
        self._ca_file = ca_file
        self._judged: OrderedDict[tuple[bytes, str], tuple[int, _Verdict]] = OrderedDict()
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.context.check_hostname = False
        self.context.verify_mode = ssl.CERT_NONE
        self.context.minimum_version = (
            ssl.TLSVersion.TLSv1_2
        )  # RFC 8996; RFC 8461 §4.2 and RFC 7672 §8.1 ask for no less
        if ca_file:
            _ = self._roots

    def describe(self, session: ssl.SSLObject | ssl.SSLSocket, host: str) -> Tls:
        """The session as the attempt records it, verified against ``host`` and the roots."""
        cipher = session.cipher()
        leaf = session.getpeercert(binary_form=True)
        subject, why_not = self._judge(leaf, _chain(session), host) if leaf else (None, "no certificate was shown")
        return Tls(
            version=session.version() or "unknown",
            cipher=cipher[0] if cipher else "unknown",
            peer_subject=subject,
            verified=why_not is None,
            why_not_verified=why_not,
        )

    def match(self, session: ssl.SSLObject | ssl.SSLSocket, dane: Dane) -> Match:
        """The TLSA record that the certificates of the session fit, or why they fit none."""
        leaf = session.getpeercert(binary_form=True)
        chain = [leaf, *(each for each in _chain(session) if each != leaf)] if leaf else []
        return match(dane, chain, datetime.fromtimestamp(self._clock() / 1000, UTC))

    @cached_property
    def _roots(self) -> list[x509.Certificate]:
        if self._ca_file:
            try:
                return x509.load_pem_x509_certificates(Path(self._ca_file).read_bytes())
            except (OSError, ValueError) as error:
                raise ValueError(
                    f"ca_file {self._ca_file!r} is not a readable PEM file of certificates: {error}"
                ) from None
        default = ssl.get_default_verify_paths().cafile
        bundle = next((Path(path) for path in (default, *_USUAL_BUNDLES) if path and Path(path).is_file()), None)
        return _readable(bundle.read_bytes()) if bundle else []

    def _judge(self, leaf: bytes, chain: list[bytes], host: str) -> _Verdict:
        key = (leaf, host)
        now = self._clock()
        known = self._judged.get(key)
        if known is not None and known[0] > now:
            return known[1]
        verdict = _verify(leaf, chain, host, self._roots, datetime.fromtimestamp(now / 1000, UTC))
        self._judged[key] = (now + JUDGED_FOR, verdict)
        while len(self._judged) > MAX_JUDGED:
            self._judged.popitem(last=False)
        return verdict


def _readable(bundle: bytes) -> list[x509.Certificate]:
    """The certificates of a bundle but those few that are too odd for the parser."""
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)  # it names oddities of roots that are not ours
        for part in bundle.split(_BEGIN)[1:]:
            try:
                found.append(x509.load_pem_x509_certificate(_BEGIN + part))
            except ValueError:
                continue
    return found


def _chain(session: ssl.SSLObject | ssl.SSLSocket) -> list[bytes]:
    """The certificates that the server sent beside its own. The standard library shows them from Python 3.13 on."""
    public: Callable[[], list[bytes]] | None = getattr(session, "get_unverified_chain", None)
    if public is not None:
        return [bytes(each) for each in public()]
    inner = getattr(session, "_sslobj", None)
    if inner is None:
        return []
    return [ssl.PEM_cert_to_DER_cert(each.public_bytes()) for each in inner.get_unverified_chain() or ()]


def _verify(leaf: bytes, chain: list[bytes], host: str, roots: list[x509.Certificate], at: datetime) -> _Verdict:
    try:
        certificate = x509.load_der_x509_certificate(leaf)
        subject = certificate.subject.rfc4514_string() or None
    except ValueError as error:
        return None, f"unreadable certificate: {error}"
    if not roots:
        return subject, "this machine has no root certificates"
    if certificate.not_valid_after_utc < at:
        return subject, f"expired on {certificate.not_valid_after_utc:%Y-%m-%d}"
    if certificate.issuer == certificate.subject and certificate not in roots:
        return subject, "self-signed certificate"
    try:
        others = [x509.load_der_x509_certificate(each) for each in chain if each != leaf]
        policy = PolicyBuilder().store(Store(roots)).time(at)
        policy = policy.extension_policies(ca_policy=ExtensionPolicy.webpki_defaults_ca(), ee_policy=_server_policy())
        policy.build_server_verifier(_subject(host)).verify(certificate, others)
    except (VerificationError, ValueError, x509.UnsupportedGeneralNameType) as error:
        words = str(error).partition(" (encountered processing")[0].removeprefix("validation failed: ")
        return subject, "no chain to a known root certificate" if words.startswith("candidates") else words
    return subject, None


def _server_policy() -> ExtensionPolicy:
    """The web's rules but for those on which extensions are marked critical, which private CAs do not keep."""
    return (
        ExtensionPolicy.webpki_defaults_ee()
        .require_present(x509.SubjectAlternativeName, Criticality.AGNOSTIC, None)
        .may_be_present(x509.ExtendedKeyUsage, Criticality.AGNOSTIC, _check_usage)
    )


def _check_usage(_policy: Policy, _certificate: x509.Certificate, usage: x509.ExtendedKeyUsage | None) -> None:
    if usage is not None and ExtendedKeyUsageOID.SERVER_AUTH not in usage:
        raise ValueError("the certificate is not meant for servers")


def _subject(host: str) -> x509.DNSName | x509.IPAddress:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)
