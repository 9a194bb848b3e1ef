"""A domain that is set up to perfection, on a small internet of its own, and ways to spoil it."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from tests.net.certificates import Issued, issue
from tests.net.policy_host import PolicyHost, policy_host
from waybill.lab.dns import LabDns, Zones
from waybill.lab.receiver import Receiver
from waybill.lab.script import Offers, Rule, Script
from waybill.mail.dkim import dns_record, generate_rsa
from waybill.model.clock import now
from waybill.net.mta_sts import PolicyFetcher
from waybill.net.resolver import Resolver
from waybill.net.smtp_client import ClientSettings
from waybill.net.smtp_target import Timeouts
from waybill.net.tls import ClientTls
from waybill.standing.blocklists import blocklists
from waybill.standing.checks.check import Check, Egress, SelectedKey, Sender, Tools, Verdict
from waybill.standing.checks.run import AS_USUAL, Limits, Report, run_checks

ROOT = issue("Root", authority=True)
MX = issue("mx.shop.example", by=ROOT)
STRANGER = issue("other.example", by=ROOT)
POLICY_HOST = issue("mta-sts.shop.example", by=ROOT)
PRIVATE, PUBLIC = generate_rsa()

V4, V6 = "192.0.2.7", "2001:db8::7"
V4_POINTER = "7.2.0.192.in-addr.arpa"
V6_POINTER = "7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"
KEY = "w1._domainkey.shop.example"
BOUNCED = "bounce.shop.example"
SPF = f"v=spf1 ip4:{V4} ip6:{V6} -all"
DMARC = "v=DMARC1; p=reject; rua=mailto:dmarc-reports@bounce.shop.example"
POLICY = "version: STSv1\r\nmode: enforce\r\nmx: mx.shop.example\r\nmax_age: 604800\r\n"

ZONES: dict[str, list[str]] = {
    "shop.example": ["MX 10 mx.shop.example"],
    "mx.shop.example": ["A 127.0.0.1"],
    "bounce.shop.example": ["MX 10 in.shop.example", f"TXT {SPF}"],
    "in.shop.example": ["A 127.0.0.1"],
    "mail.shop.example": [f"A {V4}", f"AAAA {V6}", "TXT v=spf1 a -all"],
    V4_POINTER: ["PTR mail.shop.example."],
    V6_POINTER: ["PTR mail.shop.example."],
    KEY: [f"TXT {dns_record('rsa', PUBLIC)}"],
    "_dmarc.shop.example": [f"TXT {DMARC}"],
    "_mta-sts.shop.example": ["TXT v=STSv1; id=1"],
    "mta-sts.shop.example": ["A 127.0.0.1"],
    "_smtp._tls.shop.example": ["TXT v=TLSRPTv1; rua=mailto:tls-reports@bounce.shop.example"],
    "default._bimi.shop.example": ["TXT v=BIMI1; l=https://shop.example/logo.svg; a="],
}
LISTED = {"spamhaus-dbl": "127.0.1.2", "surbl": "127.0.0.64", "uribl": "127.0.0.2"}

ONE_CLICK = (
    ("List-Unsubscribe", "<https://shop.example/u/1>, <mailto:u@shop.example>"),
    ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
)
SENDER = Sender(
    domain="shop.example",
    mail_from="bounce.shop.example",
    bounce_domain="bounce.shop.example",
    egress=(Egress(ip=V4, helo="mail.shop.example"), Egress(ip=V6, helo="mail.shop.example")),
    keys=(SelectedKey(selector="w1", algorithm="rsa", public=PUBLIC),),
    identity="shop.example",
    mail=(ONE_CLICK,),
)
SCRIPT = Script(
    name="mx.shop.example",
    domains=("shop.example", "bounce.shop.example"),
    offers=Offers(starttls=MX.context()),
)


def blocklist_zones() -> dict[str, list[str]]:
    """Every list is awake, and has no entry but its test entry."""
    zones = {}
    for zone in blocklists():
        answer = [f"A {LISTED.get(zone.id, '127.0.0.2')}"]
        zones[zone.question(zone.listed)] = answer
        if zone.about == "ip" and zone.ipv6:
            zones[zone.question(f"::ffff:{zone.listed}")] = answer
    return zones


def tlsa(certificate: Issued) -> str:
    record = certificate.tlsa(3, 1, 1)
    return f"TLSA 3 1 1 {record.data.hex()}"


@dataclass(kw_only=True)
class World:
    """The internet, and the sender that is checked in it."""

    dns: LabDns
    mx: Receiver
    host: PolicyHost
    tools: Tools
    sender: Sender = SENDER
    zones: dict[str, list[str]] = field(default_factory=dict)

    def publish(self, changed: Mapping[str, Sequence[str]]) -> None:
        """Names with other records than the perfect ones; an empty list takes a name away."""
        table = {**self.zones, **{name: list(lines) or ["NXDOMAIN"] for name, lines in changed.items()}}
        self.dns.zones = Zones(table)

    def forget(self) -> None:
        """A resolver that remembers no answer."""
        self.tools = replace(self.tools, resolver=Resolver([self.dns.address], patience=2))

    async def report(self, *, limits: Limits = AS_USUAL) -> Report:
        return await run_checks(self.sender, self.tools, limits=limits)

    async def check(self, check_id: str) -> Check:
        """The gravest check with the id."""
        return gravest(await self.report(), check_id)


def gravest(report: Report, check_id: str) -> Check:
    found = [check for check in report.checks if check.id == check_id]
    return min(found, key=lambda check: list(Verdict).index(check.verdict))


def amiss(report: Report) -> set[str]:
    """The ids of the checks that do not pass, the receivers' rules apart."""
    return {
        check.id for check in report.checks if check.verdict is not Verdict.PASS and not check.id.endswith("_rules")
    }


@asynccontextmanager
async def world(
    folder: Path, *, script: Script = SCRIPT, rules: tuple[Rule, ...] = (), certificate: Issued = POLICY_HOST
) -> AsyncIterator[World]:
    ca_file = folder / "root.pem"
    ca_file.write_bytes(ROOT.certificate.public_bytes(Encoding.PEM))
    async with LabDns({}) as dns, Receiver(replace(script, rules=rules)) as mx, policy_host(certificate) as host:
        host.publish(POLICY)
        zones = {**ZONES, **blocklist_zones(), f"_{mx.port}._tcp.mx.shop.example": [tlsa(MX)]}
        resolver = Resolver([dns.address], patience=2)
        tools = Tools(
            resolver=resolver,
            clock=now,
            smtp=ClientSettings(
                helo="mail.shop.example",
                tls=ClientTls(clock=now, ca_file=str(ca_file)),
                clock=now,
                timeouts=Timeouts(quit=1),
            ),
            policies=PolicyFetcher(
                resolver=resolver, clock=now, allow_private=True, ca_file=str(ca_file), port=host.port
            ),
            port=mx.port,
            allow_private=True,
        )
        found = World(dns=dns, mx=mx, host=host, tools=tools, zones=zones)
        found.publish({})
        yield found
        await found.tools.resolver.close()
