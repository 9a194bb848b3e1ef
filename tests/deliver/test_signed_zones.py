"""DANE end to end: zones that Knot DNS has signed, an Unbound that validates them, and servers with real certificates."""

import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.deliver.delivering import CONFIG, PARCEL
from tests.deliver.signed_zones import KNOTD, UNBOUND, validating
from tests.net.certificates import issue
from tests.net.scripted import scripted
from waybill.deliver.attempt import Deliverer
from waybill.deliver.classify import classify
from waybill.deliver.tls_policy import TlsPolicies
from waybill.model.cause import Cause
from waybill.model.clock import now
from waybill.model.outcome import Attempt, Result
from waybill.net.dane import Tlsa
from waybill.net.resolver import AnswerStatus, Resolver

pytestmark = pytest.mark.skipif(not (KNOTD and UNBOUND), reason="knot and unbound are not installed")

OFFER = b"250-mx.test\r\n250-PIPELINING\r\n250 STARTTLS\r\n"
AUTHORITY = issue("Authority", authority=True)
SERVER = issue("mx.signed.test", "ta.signed.test", by=AUTHORITY)
OTHER = issue("mx.signed.test")


def host(name: str, *records: Tlsa) -> list[str]:
    """An address on loopback, and TLSA records for every port of the host."""
    tlsa = [
        f"*._tcp.{name} 60 IN TLSA {each.usage} {each.selector} {each.matching} {each.data.hex()}" for each in records
    ]
    return [f"{name} 60 IN A 127.0.0.1", *tlsa]


SIGNED = {
    "signed.test": [
        "@ 60 IN MX 10 mx",
        *host("mx", SERVER.tlsa(3, 1, 1)),
        "ta 60 IN MX 10 ta",
        *host("ta", AUTHORITY.tlsa(2, 0, 2)),
        "wrong 60 IN MX 10 mx.wrong",
        *host("mx.wrong", OTHER.tlsa(3, 1, 1)),
        "second 60 IN MX 10 mx.wrong",
        "second 60 IN MX 20 mx",
        "without 60 IN MX 10 mx.without",
        *host("mx.without"),
        "elsewhere 60 IN MX 10 mx.plain.test.",
        "self 60 IN A 127.0.0.1",
        *host("self", SERVER.tlsa(3, 0, 1)),
        "alias 60 IN CNAME self",
    ],
    "bogus.test": ["@ 60 IN MX 10 mx", *host("mx", SERVER.tlsa(3, 1, 1))],
}
UNSIGNED = {"plain.test": ["@ 60 IN MX 10 mx", *host("mx", OTHER.tlsa(3, 1, 1))]}


@pytest.fixture(scope="module")
def validator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with validating(tmp_path_factory.mktemp("zones"), SIGNED, UNSIGNED, mistrusted="bogus.test") as address:
        yield address


@dataclass(frozen=True)
class Tried:
    attempt: Attempt
    contents: int

    @property
    def shown(self) -> tuple[Result, str | None, bool | None, int]:
        """The result, the policy, whether the session was verified, and how many messages arrived."""
        tls = self.attempt.tls
        verified = tls.verified if tls is not None else None
        return self.attempt.outcome.result, self.attempt.tls_policy, verified, self.contents


@asynccontextmanager
async def asking(address: str) -> AsyncIterator[Resolver]:
    resolver = Resolver([address])
    try:
        yield resolver
    finally:
        await resolver.close()


async def deliver(address: str, domain: str, folder: Path) -> Tried:
    """One attempt to a server that shows the certificate of SERVER, whichever name of the zones leads to it."""
    async with scripted(SERVER.context(), EHLO=OFFER) as server, asking(address) as resolver:
        policies = TlsPolicies(resolver=resolver, clock=now)
        deliverer = Deliverer(
            resolver=resolver,
            config=replace(CONFIG, port=server.port),
            clock=now,
            rng=random.Random(1),
            classify=classify,
            tls_policies=policies,
        )
        try:
            attempt = await deliverer.attempt(replace(PARCEL, recipient=f"b@{domain}"))
        finally:
            await deliverer.close()
        return Tried(attempt, len(server.contents))


@pytest.mark.parametrize("domain", ["signed.test", "ta.signed.test", "self.signed.test", "alias.signed.test"])
async def test_signed_and_fitting(validator: str, tmp_path: Path, domain: str) -> None:
    """DANE-EE and DANE-TA, by an MX, by the domain's own address, and by an alias: verified by DANE."""
    tried = await deliver(validator, domain, tmp_path)
    assert tried.shown == (Result.DELIVERED, "dane", True, 1)


async def test_signed_and_not_fitting(validator: str, tmp_path: Path) -> None:
    """A certificate that the zone does not vouch for: put off, nothing sent."""
    tried = await deliver(validator, "wrong.signed.test", tmp_path)
    assert tried.shown == (Result.DEFERRED, "dane", False, 0)
    outcome = tried.attempt.outcome
    assert (outcome.cause, outcome.status, outcome.rule) == (Cause.TLS_REQUIRED, "4.7.5", "failure-dane-mismatch")


async def test_the_next_host_may_fit(validator: str, tmp_path: Path) -> None:
    """A second MX host that keeps what its records say takes the message."""
    tried = await deliver(validator, "second.signed.test", tmp_path)
    assert tried.shown == (Result.DELIVERED, "dane", True, 1)
    assert [text.partition(" ")[0] for text in tried.attempt.hosts] == ["mx.wrong.signed.test", "mx.signed.test"]


@pytest.mark.parametrize("domain", ["plain.test", "without.signed.test", "elsewhere.signed.test"])
async def test_nothing_to_hold_the_host_to(validator: str, tmp_path: Path, domain: str) -> None:
    """An unsigned zone, a signed one without TLSA records, a signed MX to an unsigned host: TLS as it comes."""
    tried = await deliver(validator, domain, tmp_path)
    assert tried.shown == (Result.DELIVERED, None, False, 1)


async def test_a_bogus_zone(validator: str, tmp_path: Path) -> None:
    """Answers whose signatures are wrong are no answers."""
    tried = await deliver(validator, "bogus.test", tmp_path)
    assert tried.shown == (Result.DEFERRED, None, None, 0)
    assert tried.attempt.outcome.cause is Cause.DNS_FAILURE


async def test_what_is_authenticated(validator: str) -> None:
    """The resolver's own word: for records, for their absence, and not for what nobody has signed."""
    async with asking(validator) as resolver:
        signed = await resolver.mx("signed.test")
        absent = await resolver.lookup("nobody.signed.test", "TLSA")
        empty = await resolver.lookup("mx.signed.test", "TXT")
        plain = await resolver.mx("plain.test")
        bogus = await resolver.mx("bogus.test")
        alias = await resolver.addresses("alias.signed.test")
    assert (signed.authenticated, absent.authenticated, empty.authenticated) == (True, True, True)
    assert (absent.status, empty.status) == (AnswerStatus.NXDOMAIN, AnswerStatus.NODATA)
    assert (plain.status, plain.authenticated) == (AnswerStatus.OK, False)
    assert (bogus.status, bogus.authenticated) == (AnswerStatus.SERVFAIL, False)
    assert (alias.authenticated, alias.canonical) == (True, "self.signed.test")
