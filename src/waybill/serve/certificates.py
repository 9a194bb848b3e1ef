"""The certificates that clients and other servers are shown: how long they are good for, and whether the files can be read."""

import hashlib
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import NameOID

from waybill.model.clock import DAY, Instant
from waybill.serve.health import GRAVITY, PartHealth, State
from waybill.settings import Settings

SOON = 14 * DAY
"""A certificate that ends within this time should have been renewed."""

VERY_SOON = 3 * DAY
"""One that ends within this time will not be renewed by itself."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """A certificate that the service shows, by the setting that names it."""

    setting: str
    path: str
    key: str


def shown_by(settings: Settings) -> tuple[Shown, ...]:
    """Those that the settings name."""
    doors = (("submission", settings.submission), ("inbound", settings.inbound))
    return tuple(
        Shown(setting=f"{name}.tls_cert", path=door.tls_cert, key=door.tls_key) for name, door in doors if door.tls_cert
    )


@dataclass(kw_only=True, slots=True)
class Certificates:
    """Looks at the files. What a file held at the first look is what the service shows until it is started again."""

    shown: Sequence[Shown]
    _loaded: dict[str, x509.Certificate] = field(default_factory=dict)

    def look(self, at: Instant) -> PartHealth:
        """The worst of them, with a word about each."""
        if not self.shown:
            return PartHealth(state=State.OK, evidence="none is set: STARTTLS is offered at no door")
        found = [self._look_at(one, at) for one in self.shown]
        worst = max((part.state for part in found), key=lambda state: GRAVITY[state])
        return PartHealth(state=worst, evidence="; ".join(part.evidence for part in found))

    def _look_at(self, one: Shown, at: Instant) -> PartHealth:
        fault = None
        try:
            on_file = x509.load_pem_x509_certificates(Path(one.path).read_bytes())[0]
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(one.path, one.key, password="")
        except (OSError, ValueError, IndexError) as error:
            why = error.strerror if isinstance(error, OSError) and error.strerror else str(error) or "it holds none"
            fault, on_file = f"{one.setting} ({one.path}) cannot be used by the next start: {why}", None
        loaded = self._loaded.get(one.setting) or on_file
        if loaded is None:
            return PartHealth(state=State.FAILING, evidence=fault or "")
        self._loaded[one.setting] = loaded
        part = _judge(one.setting, loaded, at)
        if fault is not None:
            return PartHealth(state=State.FAILING, evidence=f"{part.evidence}; {fault}")
        if on_file is not None and _digest(on_file) != _digest(loaded) and part.state is not State.OK:
            ends = f"{on_file.not_valid_after_utc:%Y-%m-%d}"
            text = f"{part.evidence}; the file has a newer one (until {ends}), which is shown after a restart"
            return PartHealth(state=part.state, evidence=text)
        return part


def _judge(setting: str, certificate: x509.Certificate, at: Instant) -> PartHealth:
    left = round(certificate.not_valid_after_utc.timestamp() * 1_000) - at
    begins = certificate.not_valid_before_utc
    said = f"{setting} ({_name(certificate)})"
    if begins > datetime.fromtimestamp(at / 1_000, UTC):
        return PartHealth(state=State.FAILING, evidence=f"{said} is not valid before {begins:%Y-%m-%d %H:%M} UTC")
    until = f"{certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
    if left <= 0:
        return PartHealth(state=State.FAILING, evidence=f"{said} has expired: it was good until {until}")
    state = State.FAILING if left < VERY_SOON else State.DEGRADED if left < SOON else State.OK
    days = f", in {left // DAY} days" if state is not State.OK else ""
    return PartHealth(state=state, evidence=f"{said} is good until {until}{days}")


def _name(certificate: x509.Certificate) -> str:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        found = names.get_values_for_type(x509.DNSName)
    except (x509.ExtensionNotFound, ValueError):
        found = []
    named = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return found[0] if found else str(named[0].value) if named else "without a name"


def _digest(certificate: x509.Certificate) -> str:
    return hashlib.sha256(certificate.tbs_certificate_bytes).hexdigest()


def summary(missing: Mapping[str, str], looked_at: int) -> PartHealth:
    """The DKIM keys of verified domains: ``missing`` says for each name that is not published any more what DNS says there."""
    if not missing:
        text = f"{looked_at} verified domains publish the keys that we sign with" if looked_at else "no domain signs"
        return PartHealth(state=State.OK, evidence=text)
    shown = "; ".join(list(missing.values())[:3])
    more = f", and {len(missing) - 3} more" if len(missing) > 3 else ""
    text = f"{len(missing)} of {looked_at} verified domains do not publish a key that we sign with: {shown}{more}"
    return PartHealth(state=State.DEGRADED, evidence=text)
