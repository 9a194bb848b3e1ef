"""What SPF, DKIM and DMARC looked like is kept for as long as it was so."""

from dataclasses import replace

from tests.mail.zones import txt
from tests.standing.test_authentication import GOOD, NAME, SENDING, find_key
from waybill.model.authentication import Authentication, Sending
from waybill.model.clock import DAY, MINUTE, Instant
from waybill.standing.authentication import look
from waybill.store.authentications import KEPT, MOST_KEPT
from waybill.store.protocol import Store

START: Instant = 1_795_500_000_000


async def seen(key_record: str = GOOD[NAME], *, sending: Sending = SENDING) -> Authentication:
    return await look(sending, txt({**GOOD, NAME: key_record}), find_key)


async def test_the_same_gets_a_new_time_and_another_an_entry(store: Store) -> None:
    """The newest first; what was before stays."""
    kept = store.authentications
    good, without_key = await seen(), await seen("v=DKIM1; p=")
    for found, at in ((good, START), (good, START + MINUTE), (without_key, START + DAY), (good, START + 2 * DAY)):
        await kept.keep("one", found, at)
    assert [
        (good, START + 2 * DAY, START + 2 * DAY),
        (without_key, START + DAY, START + DAY),
        (good, START, START + MINUTE),
    ] == [(each.authentication, each.first_seen, each.last_seen) for each in await kept.of_domain("1", "shop.example")]


async def test_is_found_by_account_and_domain(store: Store) -> None:
    """From wherever it was sent; another account's is not told."""
    kept = store.authentications
    elsewhere = replace(SENDING, source_ip="198.51.100.5")
    for name, sending in (
        ("one", SENDING),
        ("two", elsewhere),
        ("three", replace(SENDING, account="2")),
        ("four", replace(SENDING, from_domain="other.example")),
    ):
        await kept.keep(name, await seen(sending=sending), START)
    assert {"one", "two"} == {each.sending_id for each in await kept.of_domain("1", "shop.example")}
    assert 1 == len(await kept.of_domain("1", "shop.example", limit=1))


async def test_clock_that_was_set_back_makes_no_gap(store: Store) -> None:
    """What was written last is the newest."""
    kept = store.authentications
    await kept.keep("one", await seen(), START)
    await kept.keep("one", await seen("v=DKIM1; p="), START - DAY)
    newest, _ = await kept.of_domain("1", "shop.example")
    assert (START + 1, "v=DKIM1; p=") == (newest.first_seen, newest.authentication.dkim[0].record)


async def test_old_entries_go(store: Store) -> None:
    """The newest of a Sending are kept, and none for ever."""
    kept = store.authentications
    for number in range(MOST_KEPT + 5):
        await kept.keep("one", await seen(f"v=DKIM1; n={number}; p="), START + number)
    assert MOST_KEPT == len(await kept.of_domain("1", "shop.example"))
    await kept.keep("one", await seen(), START + KEPT + DAY)
    assert 1 == len(await kept.of_domain("1", "shop.example"))
