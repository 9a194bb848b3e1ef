"""Signing: what leaves the queue is checked by dkimpy; once for a message, by the nearest domain."""

from typing import Any

import dkim
import pytest

from tests.queue.queueing import World, work
from tests.store.builders import ACCOUNT, START, accepted, message
from waybill.mail.dkim import dns_record, generate_ed25519, generate_rsa
from waybill.model.clock import MINUTE
from waybill.model.message import Status
from waybill.model.outcome import Result
from waybill.model.resource import DkimKey, Identity, Verification
from waybill.queue.sign import KEYS_KEPT

RSA_PEM, RSA_PUBLIC = generate_rsa(1024)  # short, to be quick
ED_PEM, ED_PUBLIC = generate_ed25519()
KEY = DkimKey(selector="s1", algorithm="rsa", private_pem=RSA_PEM, public=RSA_PUBLIC, created_at=START)
ED_KEY = DkimKey(selector="s2", algorithm="ed25519", private_pem=ED_PEM, public=ED_PUBLIC, created_at=START)
CONTENT = b"From: alice@sender.example\r\nTo: bob@receiver.example\r\nSubject: Hi\r\nMessage-ID: <1@x>\r\n\r\nHi\r\n"


async def has_identity(world: World, name: str = "sender.example", **changes: Any) -> None:
    fields: dict[str, Any] = {"verification": Verification.SUCCESS, "dkim_keys": (KEY,)}
    await world.store.put(Identity(account=ACCOUNT, name=name, created_at=START, token="t", **fields | changes))


def verifies(content: bytes, domain: str = "sender.example") -> list[bool]:
    """dkimpy's verdict on each signature."""
    records = {
        f"s1._domainkey.{domain}.": dns_record("rsa", RSA_PUBLIC),
        f"s2._domainkey.{domain}.": dns_record("ed25519", ED_PUBLIC),
    }

    def txt(name: bytes, timeout: int = 5) -> bytes | None:
        record = records.get(name.decode())
        return record.encode() if record else None

    count = content.count(b"DKIM-Signature: ")
    return [bool(dkim.DKIM(content).verify(idx=index, dnsfunc=txt)) for index in range(count)]


async def test_what_is_sent_verifies(world: World) -> None:
    """With each of the domain's keys, and the attempt is told which domains signed."""
    await has_identity(world, dkim_keys=(KEY, ED_KEY))
    await accepted(world.store, content=CONTENT)
    receiver = world.receiver()
    await work(world.queue(receiver))
    assert receiver.parcels[0].content.endswith(CONTENT)
    assert [True, True] == verifies(receiver.parcels[0].content)
    assert ("sender.example", "sender.example") == receiver.parcels[0].signed_by


async def test_a_message_is_signed_once(world: World) -> None:
    """Its recipients share the signature, and so do later attempts, also those of another worker."""
    await has_identity(world)
    first, _ = await accepted(world.store, START, "a@receiver.example", "b@receiver.example", content=CONTENT)
    receiver = world.receiver(Result.DEFERRED)
    await work(world.queue(receiver))
    world.at = (await world.now(first)).next_at or 0
    world.at += MINUTE
    await has_identity(world, dkim_keys=(ED_KEY,))
    await work(world.queue(receiver, worker="w2"))
    assert 4 == len(receiver.parcels)
    assert 1 == len({parcel.content for parcel in receiver.parcels})
    assert [True] == verifies(receiver.parcels[0].content)


async def test_a_parent_domain_signs_for_its_subdomains(world: World) -> None:
    """It aligns (RFC 7489 §3.1.1); an address's identity has no keys and does not stand in the way."""
    await has_identity(world)
    await has_identity(world, "news@mail.sender.example", dkim_keys=(), dkim_enabled=False)
    await accepted(world.store, content=CONTENT, message=message(sender="news@mail.sender.example"))
    receiver = world.receiver()
    await work(world.queue(receiver))
    assert [True] == verifies(receiver.parcels[0].content)


@pytest.mark.parametrize(
    "changes",
    [{"dkim_enabled": False}, {"verification": Verification.PENDING}, {"dkim_keys": ()}, {"name": "other.example"}],
)
async def test_mail_goes_out_unsigned(world: World, changes: dict[str, Any]) -> None:
    """Signing is off, the domain is not proven, it has no key, or is none of ours."""
    await has_identity(world, **changes)
    await accepted(world.store, content=CONTENT)
    receiver = world.receiver()
    await work(world.queue(receiver))
    assert [CONTENT] == [parcel.content for parcel in receiver.parcels]


async def test_a_changed_key_takes_effect_soon(world: World) -> None:
    """Keys are kept for a few seconds only."""
    await has_identity(world)
    receiver = world.receiver()
    queue = world.queue(receiver)
    for wait in (0, KEYS_KEPT - 1, 1):
        world.at += wait
        await accepted(world.store, world.at, content=CONTENT)
        await work(queue)
        await has_identity(world, dkim_enabled=False)
    assert [True, True, False] == [b"DKIM-Signature" in parcel.content for parcel in receiver.parcels]


async def test_a_key_that_cannot_be_read_defers(world: World) -> None:
    """The mail does not leave unsigned, and the ledger says why it waits; when the key is right it goes."""
    broken = DkimKey(selector="s1", algorithm="rsa", private_pem="nonsense", public="x", created_at=START)
    await has_identity(world, dkim_keys=(broken,))
    (delivery,) = await accepted(world.store, content=CONTENT)
    receiver = world.receiver()
    queue = world.queue(receiver)
    await work(queue)
    waiting = await world.now(delivery)
    assert (Status.DELAYED, []) == (waiting.status, receiver.parcels)
    await has_identity(world)
    world.at = waiting.next_at or 0
    await work(queue)
    assert [True] == verifies(receiver.parcels[0].content)
