"""What is seen of SPF, DKIM and DMARC beside the sending, and when it is looked at again."""

import asyncio
from dataclasses import dataclass, field, replace

import pytest

from tests.mail.zones import Zones, txt
from waybill.mail.dkim import dns_record, generate_rsa
from waybill.model.authentication import Authentication, DkimResult, DmarcPolicy, DmarcResult, Sending, SpfResult
from waybill.model.clock import SECOND, Instant
from waybill.model.resource import DkimKey
from waybill.standing.authentication import look, sending_id
from waybill.standing.authentication_watch import LOOKED_AFTER_REFUSAL, LOOKED_EVERY, AuthenticationWatch

START: Instant = 1_795_500_000_000
PUBLIC, OTHER = generate_rsa(1024)[1], generate_rsa(1024)[1]
KEY = DkimKey(selector="w1", algorithm="rsa", private_pem="", public=PUBLIC, created_at=START)
NAME = "w1._domainkey.shop.example"
SENDING = Sending(
    account="1",
    from_domain="shop.example",
    mail_from_domain="bounce.shop.example",
    helo="mail.shop.example",
    source_ip="198.51.100.4",
    signatures=(("shop.example", "w1"),),
)
GOOD = {
    "bounce.shop.example": "v=spf1 ip4:198.51.100.4 -all",
    NAME: dns_record("rsa", PUBLIC),
    "_dmarc.shop.example": "v=DMARC1; p=reject",
}


async def find_key(account: str, domain: str, selector: str) -> DkimKey | None:
    return KEY if ("1", "shop.example", "w1") == (account, domain, selector) else None


async def test_all_three_are_seen() -> None:
    """With the records and the trace."""
    found = await look(SENDING, txt(GOOD), find_key)
    assert found.spf is not None
    assert SpfResult.PASS is found.spf.result
    assert ("ip4:198.51.100.4",) == found.spf.decided_by
    (key,) = found.dkim
    assert (DkimResult.PASS, GOOD[NAME], GOOD[NAME]) == (key.result, key.record, key.expected)
    assert DmarcResult.PASS is found.dmarc.result
    assert [("spf", True), ("dkim", True)] == [(each.mechanism, each.counts) for each in found.dmarc.alignments]
    assert found.is_certain


@pytest.mark.parametrize(
    ("record", "result", "reason"),
    [
        (None, DkimResult.PERMERROR, f"no key is published at {NAME}"),
        (dns_record("rsa", OTHER), DkimResult.FAIL, f"another key is published at {NAME} than the one that signs"),
        ("v=DKIM1; p=", DkimResult.PERMERROR, f"at {NAME}, the key is revoked: p= is empty"),
        (
            f"v=DKIM1; t=y; p={PUBLIC}",
            DkimResult.PASS,
            f"the key is published at {NAME}; the domain says that it only tests DKIM (t=y)",
        ),
    ],
)
async def test_key_that_is_published_is_the_one_that_signs(record: str | None, result: DkimResult, reason: str) -> None:
    """Else no receiver can check the signature, and the record to publish is at hand."""
    records = {**GOOD, NAME: record or ()}
    (key,) = (await look(SENDING, txt(records), find_key)).dkim
    assert (result, reason) == (key.result, key.reason)
    assert dns_record("rsa", PUBLIC) == key.expected


async def test_lookup_that_fails_is_no_certainty() -> None:
    """Then nothing is said of the key."""
    found = await look(SENDING, Zones({}, frozenset({(NAME, "TXT")})), find_key)
    assert DkimResult.TEMPERROR is found.dkim[0].result
    assert not found.is_certain


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        (
            {"via": "relay.example"},
            "mail leaves by the relay relay.example, and receivers check the relay's address, which is not known here",
        ),
        (
            {"translated": True, "source_ip": "10.0.0.5"},
            "mail leaves from 10.0.0.5, a private address, and receivers see another one",
        ),
    ],
)
async def test_spf_is_not_guessed(changes: dict[str, str], why: str) -> None:
    """Whose address receivers see is not known; without a signature DMARC is not known either, if SPF could decide."""
    zones = txt({"_dmarc.shop.example": "v=DMARC1; p=reject", "bounce.shop.example": "v=spf1 -all"})
    found = await look(replace(SENDING, signatures=(), **changes), zones, find_key)  # type: ignore[arg-type]
    assert (None, why) == (found.spf, found.spf_unknown)
    assert (DmarcResult.UNKNOWN, DmarcPolicy.NONE) == (found.dmarc.result, found.dmarc.disposition)
    elsewhere = replace(SENDING, signatures=(), mail_from_domain="bounce.mailer.example", **changes)  # type: ignore[arg-type]
    assert DmarcResult.FAIL is (await look(elsewhere, zones, find_key)).dmarc.result


@dataclass
class Watched:
    """A watch with a set clock, and what it kept."""

    at: Instant = START
    zones: Zones = field(default_factory=lambda: txt(GOOD))
    kept: list[tuple[str, DkimResult, Instant]] = field(default_factory=list)
    broken: bool = False

    def watch(self) -> AuthenticationWatch:
        return AuthenticationWatch(lookups=lambda: self.zones, find_key=find_key, keep=self.keep, clock=lambda: self.at)

    async def keep(self, name: str, found: Authentication, at: Instant) -> None:
        if self.broken:
            raise RuntimeError("the disk is full")
        self.kept.append((name, found.dkim[0].result, at))


async def settled(watch: AuthenticationWatch) -> None:
    async with asyncio.timeout(5):
        await asyncio.gather(*watch._tasks)


async def test_is_looked_at_again_when_it_is_due() -> None:
    """Once for many messages, again after a while, and at once where a receiver says that it failed."""
    world = Watched()
    watch = world.watch()
    names = {watch.see(SENDING, refused=False) for _ in range(10)}
    await settled(watch)
    assert {sending_id(SENDING)} == names
    assert [(sending_id(SENDING), DkimResult.PASS, START)] == world.kept
    world.at += LOOKED_AFTER_REFUSAL - 1
    watch.see(SENDING, refused=True)
    watch.see(SENDING, refused=False)
    await settled(watch)
    assert 1 == len(world.kept)
    world.at += 1
    watch.see(SENDING, refused=True)
    await settled(watch)
    assert 2 == len(world.kept)
    world.at += LOOKED_EVERY
    watch.see(SENDING, refused=False)
    await settled(watch)
    assert [START, START + LOOKED_AFTER_REFUSAL, START + LOOKED_AFTER_REFUSAL + LOOKED_EVERY] == [
        at for _, _, at in world.kept
    ]
    await watch.close()


async def test_what_cannot_be_kept_is_looked_at_again() -> None:
    """A full disk ends no sending, and the next look is kept."""
    world = Watched(broken=True)
    watch = world.watch()
    watch.see(SENDING, refused=False)
    await settled(watch)
    world.broken, world.at = False, world.at + LOOKED_EVERY
    watch.see(SENDING, refused=False)
    await settled(watch)
    assert [START + LOOKED_EVERY] == [at for _, _, at in world.kept]
    await watch.close()


async def test_another_address_is_another_sending() -> None:
    """Each has a name of its own, and is kept by it."""
    world = Watched()
    watch = world.watch()
    names = [watch.see(replace(SENDING, source_ip=ip), refused=False) for ip in ("198.51.100.4", "198.51.100.5")]
    await settled(watch)
    assert 2 == len(set(names))
    assert set(names) == {name for name, _, _ in world.kept}
    await watch.close()
    assert SECOND < LOOKED_AFTER_REFUSAL < LOOKED_EVERY
