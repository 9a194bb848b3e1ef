"""Ways to a receiver for tests of TLS policies: DNS as a validating resolver gives it, policy hosts, and a Deliverer."""

import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import dns.message
from cryptography.hazmat.primitives.serialization import Encoding

from tests.deliver.delivering import CONFIG, PARCEL
from tests.net.certificates import Issued, issue
from tests.net.policy_host import policy_host
from tests.net.scripted import Scripted, scripted
from waybill.deliver.attempt import Deliverer
from waybill.deliver.classify import classify
from waybill.deliver.config import DeliverConfig
from waybill.deliver.sts_policies import StsPolicies
from waybill.deliver.tls_policy import TlsPolicies
from waybill.lab.dns import LabDns
from waybill.model.clock import now
from waybill.model.outcome import Attempt
from waybill.model.resource import MtaStsPolicy
from waybill.net.dane import Tlsa
from waybill.net.mta_sts import PolicyFetcher
from waybill.net.resolver import Resolver

OFFER = b"250-mx.test\r\n250-PIPELINING\r\n250 STARTTLS\r\n"
ROOT = issue("Root", authority=True)
GOOD = issue("mx.b.test", by=ROOT)
OWN = issue("whatever.test", expired=True)
WEB = issue("mta-sts.b.test", by=ROOT)


class SignedDns(LabDns):
    """Answers as a resolver that validates: what is not below ``unsigned`` is authenticated."""

    def __init__(self, zones: Mapping[str, Sequence[str]], unsigned: tuple[str, ...] = ()) -> None:
        super().__init__(zones)
        self.unsigned = unsigned

    def answer(self, wire: bytes, *, limit: int | None) -> bytes | None:
        response = super().answer(wire, limit=limit)
        if response is None or self.queries[-1][0].endswith(self.unsigned or ("no such name",)):
            return response
        return response[:3] + bytes([response[3] | 0x20]) + response[4:]


class Alias(SignedDns):
    """An answer through an alias is only authenticated where the alias's target is."""

    def answer(self, wire: bytes, *, limit: int | None) -> bytes | None:
        response = super().answer(wire, limit=limit)
        if response is None or not self.unsigned:
            return response
        canonical = dns.message.from_wire(response).resolve_chaining().canonical_name.to_text(omit_final_dot=True)  # type: ignore[attr-defined] # a QueryMessage
        signed = not canonical.endswith(self.unsigned)
        return response if signed else response[:3] + bytes([response[3] & ~0x20]) + response[4:]


@dataclass(kw_only=True)
class Way:
    """A Deliverer with TLS policies, and what it asks."""

    deliverer: Deliverer
    policies: TlsPolicies
    server: Scripted
    dns: LabDns

    async def send(self, **changes: bool) -> Attempt:
        return await self.deliverer.attempt(replace(PARCEL, tls_required=changes.get("tls_required", False)))


def signed_zone(port: int, *records: Tlsa) -> dict[str, list[str]]:
    tlsa = [f"TLSA {each.usage} {each.selector} {each.matching} {each.data.hex()}" for each in records]
    zone = {"b.test": ["MX 10 mx.b.test"], "mx.b.test": ["A 127.0.0.1"]}
    return {**zone, f"_{port}._tcp.mx.b.test": tlsa} if records else zone


@asynccontextmanager
async def on_the_way(
    folder: Path, server: Scripted, dns_server: LabDns, *, policy_port: int = 443, config: DeliverConfig = CONFIG
) -> AsyncIterator[Way]:
    (folder / "ca.pem").write_bytes(ROOT.certificate.public_bytes(Encoding.PEM))
    ca_file = str(folder / "ca.pem")

    async def load(_domain: str) -> MtaStsPolicy | None:
        return None

    async def save(_policy: MtaStsPolicy) -> None:
        return None

    async with dns_server as dns_:
        resolver = Resolver([dns_.address], patience=1.0, rounds=1)
        fetcher = PolicyFetcher(resolver=resolver, clock=now, allow_private=True, ca_file=ca_file, port=policy_port)
        sts = StsPolicies(resolver=resolver, fetch=fetcher.fetch, clock=now, load=load, save=save)
        policies = TlsPolicies(resolver=resolver, clock=now, sts=sts)
        deliverer = Deliverer(
            resolver=resolver,
            config=replace(config, port=server.port, ca_file=ca_file),
            clock=now,
            rng=random.Random(1),
            classify=classify,
            tls_policies=policies,
        )
        try:
            yield Way(deliverer=deliverer, policies=policies, server=server, dns=dns_)
        finally:
            await deliverer.close()
            await policies.close()
            await resolver.close()


@asynccontextmanager
async def dane(
    folder: Path,
    certificate: Issued,
    *records: Tlsa,
    unsigned: tuple[str, ...] = (),
    zone: Mapping[str, Sequence[str]] | None = None,
) -> AsyncIterator[Way]:
    """b.test in a signed zone with these TLSA records; its host shows the certificate."""
    async with scripted(certificate.context(), EHLO=OFFER) as server:
        zones = {**signed_zone(server.port, *records), **(zone or {})}
        async with on_the_way(folder, server, SignedDns(zones, unsigned)) as way:
            yield way


@asynccontextmanager
async def mta_sts(
    folder: Path, certificate: Issued, policy: str, *, ehlo: bytes = OFFER, unsigned: tuple[str, ...] = ("test",)
) -> AsyncIterator[Way]:
    """b.test with an MTA-STS policy; its host shows the certificate."""
    async with scripted(certificate.context(), EHLO=ehlo) as server, policy_host(WEB) as host:
        host.publish(policy)
        zones = {
            **signed_zone(server.port, OWN.tlsa(3, 1, 1)),
            "_mta-sts.b.test": ["TXT v=STSv1; id=20260101"],
            "mta-sts.b.test": ["A 127.0.0.1"],
        }
        async with on_the_way(folder, server, SignedDns(zones, unsigned), policy_port=host.port) as way:
            yield way
