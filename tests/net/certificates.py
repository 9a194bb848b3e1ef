"""Certificates of every kind for tests: authorities and servers of one key each, and servers' contexts that show a chain."""

import datetime as dt
import ssl
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID

from waybill.net.dane import Tlsa

DAY = dt.timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class Issued:
    """A certificate with its key and those that lead to its authority, the nearest first."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    above: tuple[x509.Certificate, ...] = ()

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def chain(self) -> list[bytes]:
        """What a server shows."""
        return [self.der, *(each.public_bytes(Encoding.DER) for each in self.above)]

    def tlsa(self, usage: int, selector: int, matching: int) -> Tlsa:
        """The record that stands for the certificate, or for its key."""
        spki = self.certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        selected = spki if selector else self.der
        digests = {1: hashes.SHA256(), 2: hashes.SHA512()}
        if matching:
            digest = hashes.Hash(digests[matching])
            digest.update(selected)
            selected = digest.finalize()
        return Tlsa(usage=usage, selector=selector, matching=matching, data=selected)

    def context(self) -> ssl.SSLContext:
        """A server's context that shows the chain."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        private = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        public = b"".join(each.public_bytes(Encoding.PEM) for each in (self.certificate, *self.above))
        with TemporaryDirectory() as folder:  # ssl reads certificates from files only
            file = Path(folder) / "server.pem"
            file.write_bytes(private + public)
            context.load_cert_chain(file)
        return context


_SIGNS = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


def issue(
    *names: str, by: Issued | None = None, authority: bool = False, expired: bool = False, at: dt.datetime | None = None
) -> Issued:
    """A certificate for the DNS names, signed by ``by`` or by itself; ``authority``: it may sign others."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    at = at or dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.certificate.subject if by else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(at - 30 * DAY)
        .not_valid_after(at - DAY if expired else at + 30 * DAY)
    )
    issuer_key = (by.key if by else key).public_key()
    builder = builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), critical=False)
    if authority:
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        builder = builder.add_extension(_SIGNS, critical=True)
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    else:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False
        )
    certificate = builder.sign(by.key if by else key, hashes.SHA256())
    return Issued(certificate=certificate, key=key, above=(by.certificate, *by.above) if by else ())
