"""Identities become verified: a look at the DNS stored, and the link that is mailed."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.accept.accepting import ACCOUNT, START, World
from waybill.accept.verify import LINK_LIFETIME, MAIL_AGAIN_AFTER, Verifier
from waybill.lab.dns import LabDns
from waybill.model.clock import DAY, MINUTE
from waybill.model.event import EventKind
from waybill.model.resource import Identity, Verification
from waybill.net.resolver import Resolver
from waybill.store.protocol import Claim, Search

ZONES = {
    "_amazonses.good.test": ["TXT token"],
    "_amazonses.bad.test": ["TXT other"],
    "m.good.test": ["MX 10 bounce.test"],
}


@pytest.fixture
async def dns() -> AsyncIterator[LabDns]:
    async with LabDns(ZONES) as dns:
        yield dns


@pytest.fixture
async def verifier(world: World, dns: LabDns) -> AsyncIterator[Verifier]:
    resolver = Resolver([dns.address], patience=1.0, rounds=1)
    yield Verifier(
        store=world.store,
        dns=resolver,
        clock=lambda: world.at,
        public_url="https://waybill.test",
        bounce_domain="bounce.test",
        every_sender=False,
    )
    await resolver.close()


async def pending(world: World, name: str, **changes: Any) -> None:
    await world.identity(name, **{"verification": Verification.PENDING, **changes})


async def stored(world: World, name: str) -> Identity:
    found = await world.store.get(Identity, ACCOUNT, name)
    assert found is not None
    return found


async def mailed(world: World) -> list[Claim]:
    """The verification mails that wait to be sent."""
    return await world.store.claim("w9", world.at, limit=10, lease_until=world.at + 1)


async def test_a_domain_is_looked_at_and_stored(world: World, verifier: Verifier) -> None:
    """Good or bad, with the time of the look and what stands in the way."""
    for name in ("good.test", "bad.test"):
        await pending(world, name)
        await verifier.verify(ACCOUNT, name)
    good, bad = await stored(world, "good.test"), await stored(world, "bad.test")
    assert (Verification.SUCCESS, START, START, None) == (
        good.verification,
        good.verified_at,
        good.checked_at,
        good.check_error,
    )
    assert (Verification.PENDING, START) == (bad.verification, bad.checked_at)
    assert "other" in (bad.check_error or "")
    assert [] == await mailed(world)


async def test_an_identity_that_is_not_there(world: World, verifier: Verifier) -> None:
    """It may have been deleted meanwhile."""
    await verifier.verify(ACCOUNT, "gone.test")


async def test_the_mail_from_domain_of_a_verified_identity(world: World, verifier: Verifier) -> None:
    """It is looked at after the domain itself is verified too."""
    await world.identity("good.test", mail_from_domain="m.good.test")
    await verifier.verify(ACCOUNT, "good.test")
    assert Verification.SUCCESS is (await stored(world, "good.test")).mail_from_verification


async def test_an_address_is_mailed_its_link(world: World, verifier: Verifier) -> None:
    """Through the queue, unsigned, to that address; the link opens once it is clicked."""
    await pending(world, "new@other.test")
    await verifier.verify(ACCOUNT, "new@other.test")
    (claim,) = await mailed(world)
    assert ("new@other.test", "no-reply@bounce.test") == (claim.delivery.recipient, claim.message.sender)
    ledger = await world.store.ledger(claim.message.id)
    assert ledger is not None
    assert [EventKind.ACCEPTED] == [event.kind for event in ledger.events]
    text = claim.content.replace(b"=\r\n", b"").replace(b"=3D", b"=").decode()
    link = re.search(r"https://waybill\.test/api/verify\?\S+", text)
    assert link is not None
    query = {key: values[0] for key, values in parse_qs(urlsplit(link[0]).query).items()}
    assert {"account": ACCOUNT, "identity": "new@other.test", "token": "token"} == query
    assert await verifier.open_link(query["account"], query["identity"], query["token"])
    verified = await stored(world, "new@other.test")
    assert (Verification.SUCCESS, START) == (verified.verification, verified.verified_at)
    await verifier.verify(ACCOUNT, "new@other.test")
    assert 1 == len(await world.store.find(Search(recipient="new@other.test")))


async def test_the_link_is_mailed_again_after_a_while(world: World, verifier: Verifier) -> None:
    """Asking all the time does not fill the mailbox."""
    await pending(world, "new@other.test")
    for wait in (0, 1, MAIL_AGAIN_AFTER - 2, 1):
        world.at += wait
        await verifier.verify(ACCOUNT, "new@other.test")
    assert 2 == len(await world.store.find(Search(recipient="new@other.test")))


@pytest.mark.parametrize(
    ("account", "name", "token"),
    [
        (ACCOUNT, "new@other.test", "wrong"),
        (ACCOUNT, "new@other.test", ""),
        (ACCOUNT, "new@other.test", "tokén"),
        ("2", "new@other.test", "token"),
        (ACCOUNT, "gone@other.test", "token"),
        (ACCOUNT, "waiting.test", "token"),
    ],
)
async def test_a_wrong_link_opens_nothing(
    world: World, verifier: Verifier, account: str, name: str, token: str
) -> None:
    """Wrong token, account or identity; a domain's token is for the DNS only."""
    await pending(world, "new@other.test", link_sent_at=START)
    await pending(world, "waiting.test", link_sent_at=START)
    assert not await verifier.open_link(account, name, token)
    assert Verification.PENDING is (await stored(world, "new@other.test")).verification


async def test_a_link_grows_old_and_is_renewed(world: World, verifier: Verifier) -> None:
    """24 hours from the last mail, however old the identity is."""
    await pending(world, "new@other.test")
    assert not await verifier.open_link(ACCOUNT, "new@other.test", "token")
    await verifier.verify(ACCOUNT, "new@other.test")
    world.at += LINK_LIFETIME + 1
    assert not await verifier.open_link(ACCOUNT, "new@other.test", "token")
    await verifier.verify(ACCOUNT, "new@other.test")
    assert await verifier.open_link(ACCOUNT, "new@other.test", "token")


async def test_where_every_sender_is_accepted_nothing_is_looked_at(
    world: World, verifier: Verifier, dns: LabDns
) -> None:
    """No mail, no question to a DNS that may not be there."""
    trusting = replace(verifier, every_sender=True)
    await pending(world, "good.test")
    await pending(world, "new@other.test")
    for name in ("good.test", "new@other.test"):
        await trusting.verify(ACCOUNT, name)
    assert ([], []) == (dns.queries, await mailed(world))


async def test_all_that_waits_is_looked_at_when_due(world: World, verifier: Verifier, dns: LabDns) -> None:
    """Every minute at first, the old ones seldom, what is settled never; no link is mailed by it."""
    await pending(world, "bad.test")
    await pending(world, "new@other.test")

    async def asked() -> int:
        before = len([name for name, _ in dns.queries if name.startswith("_amazonses.bad")])
        resolver = Resolver([dns.address], patience=1.0, rounds=1)
        await replace(verifier, dns=resolver).look_at_all()
        await resolver.close()
        return len([name for name, _ in dns.queries if name.startswith("_amazonses.bad")]) - before

    assert 1 == await asked()
    assert 0 == await asked()
    world.at += MINUTE
    assert 1 == await asked()
    world.at += 10 * DAY
    assert 1 == await asked()
    world.at += 60 * MINUTE
    assert 0 == await asked()
    world.at += 4 * 60 * MINUTE
    assert 1 == await asked()
    assert [] == await mailed(world)


async def test_a_silent_resolver_does_not_delay_the_end(world: World, verifier: Verifier) -> None:
    """A look that waits for its answer is given up when the service stops."""
    await pending(world, "good.test")
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        silent.setblocking(False)
        resolver = Resolver([f"127.0.0.1:{silent.getsockname()[1]}"], patience=3600, rounds=1)
        stop = asyncio.Event()
        running = asyncio.create_task(replace(verifier, dns=resolver).run(stop))
        await loop.sock_recv(silent, 512)
        stop.set()
        await asyncio.wait_for(running, 10)
        await resolver.close()
