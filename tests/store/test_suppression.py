"""The suppression lists: the account's and the global one."""

import dataclasses

from tests.store.builders import ACCOUNT, START, suppression
from waybill.model.suppression import GLOBAL, Reason
from waybill.store.protocol import Store

OTHER = "200000000002"


async def test_both_lists_are_asked(store: Store) -> None:
    """An address is found on its account's list and on the global one, not on another account's."""
    own, everywhere = suppression(), suppression(account=GLOBAL, message_id="m", diagnostic="smtp; 550", event=7)
    await store.suppress([own, everywhere, suppression(account=OTHER)])
    assert [own, everywhere] == await store.suppressed(ACCOUNT, ["bob@receiver.example"], START)
    assert await store.suppressed(ACCOUNT, ["carol@receiver.example"], START) == []
    assert await store.suppressed(ACCOUNT, [], START) == []


async def test_case_matters_in_the_local_part_alone(store: Store) -> None:
    """The domain is compared without regard to case, the local part exactly."""
    await store.suppress([suppression("Bob@Receiver.Example")])
    found = await store.suppressed(ACCOUNT, ["Bob@RECEIVER.example", "bob@receiver.example"], START)
    assert [entry.address for entry in found] == ["Bob@receiver.example"]
    assert await store.unsuppress(ACCOUNT, "bob@receiver.example") is False
    assert await store.unsuppress(ACCOUNT, "Bob@receiver.EXAMPLE") is True


async def test_expiry(store: Store) -> None:
    """An entry stands until its expiry, not at it."""
    await store.suppress([suppression(expires_at=START + 10)])
    assert len(await store.suppressed(ACCOUNT, ["bob@receiver.example"], START + 9)) == 1
    assert await store.suppressed(ACCOUNT, ["bob@receiver.example"], START + 10) == []


async def test_an_entry_replaces_the_one_before(store: Store) -> None:
    """The same address is listed once, as it was told last."""
    await store.suppress([suppression(diagnostic="old", expires_at=START + 1)])
    newer = suppression(reason=Reason.COMPLAINT)
    await store.suppress([newer])
    assert [newer] == await store.suppressions(ACCOUNT)


async def test_unsuppress(store: Store) -> None:
    """Removing an entry says whether there was one, and leaves the other list."""
    await store.suppress([suppression(), suppression(account=GLOBAL)])
    assert await store.unsuppress(GLOBAL, "bob@receiver.example") is True
    assert await store.unsuppress(GLOBAL, "bob@receiver.example") is False
    assert [suppression()] == await store.suppressed(ACCOUNT, ["bob@receiver.example"], START)


async def test_listing(store: Store) -> None:
    """A list is given by address, filtered by reason and time (both ends included), in pages."""
    entries = [
        suppression(f"{name}@receiver.example", at=START + index, reason=reason)
        for index, (name, reason) in enumerate(
            [("a", Reason.BOUNCE), ("b", Reason.COMPLAINT), ("c", Reason.BOUNCE), ("d", Reason.COMPLAINT)]
        )
    ]
    await store.suppress(reversed_ := entries[::-1])
    assert reversed_[::-1] == await store.suppressions(ACCOUNT)
    assert [entries[1], entries[3]] == await store.suppressions(ACCOUNT, reasons=[Reason.COMPLAINT])
    assert entries == await store.suppressions(ACCOUNT, reasons=[Reason.COMPLAINT, Reason.BOUNCE])
    assert entries[1:3] == await store.suppressions(ACCOUNT, since=START + 1, until=START + 2)
    assert entries[1:3] == await store.suppressions(ACCOUNT, after="a@receiver.example", limit=2)
    assert await store.suppressions(GLOBAL) == []


async def test_many_addresses(store: Store) -> None:
    """A thousand addresses are asked for at once."""
    await store.suppress([suppression(f"u{number}@receiver.example") for number in range(0, 2000, 2)])
    found = await store.suppressed(ACCOUNT, [f"u{number}@receiver.example" for number in range(1000)], START)
    assert len(found) == 500
    assert dataclasses.replace(suppression(), address="u0@receiver.example") == found[0]
