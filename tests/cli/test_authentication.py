"""``waybill authentication``: the evidence of the moment, with every step."""

import asyncio
from pathlib import Path

import pytest

from tests.cli.conftest import Run, rows
from tests.mail.zones import txt
from tests.standing.test_authentication import GOOD, SENDING, find_key
from waybill.model.clock import MINUTE, now
from waybill.standing.authentication import look
from waybill.store.open import open_store

AT = 1_795_500_000_000


@pytest.fixture(autouse=True)
def seen(run: Run, tmp_path: Path) -> None:
    """Five minutes of the same."""
    run("keys", "create")
    [file] = tmp_path.rglob("waybill.db")
    records = {**GOOD, "bounce.shop.example": "v=spf1 include:_spf.shop.example -all"}
    records["_spf.shop.example"] = "v=spf1 ip4:198.51.100.0/24 ~all"

    async def fill() -> None:
        found = await look(SENDING, txt(records), find_key)
        store = await open_store(f"sqlite:///{file}", clock=now)
        for at in (AT, AT + 5 * MINUTE):
            await store.authentications.keep("one", found, at)
        await store.close()

    asyncio.run(fill())


def test_every_step_is_told(run: Run) -> None:
    """Records, terms, limits and the names that were asked."""
    text = run("authentication", "Shop.Example", "--account", "1")
    assert [
        "shop.example   sent from 198.51.100.4, MAIL FROM bounce.shop.example, EHLO mail.shop.example",
        "  seen   2026-11-24 06:00:00 UTC to 2026-11-24 06:05:00 UTC",
        (
            "  SPF    pass for bounce.shop.example, aligned: 198.51.100.4 matches include:_spf.shop.example > "
            "ip4:198.51.100.0/24 of bounce.shop.example's record"
        ),
        '         bounce.shop.example TXT "v=spf1 include:_spf.shop.example -all"',
        '         _spf.shop.example TXT "v=spf1 ip4:198.51.100.0/24 ~all"',
        "           ip4:198.51.100.0/24  match: 198.51.100.4 is in 198.51.100.0/24",
        "         include:_spf.shop.example  match: _spf.shop.example's record says pass",
        "         1 of 10 lookups, 0 of 2 that may find nothing",
    ] == text.splitlines()[:8]
    assert "  DKIM   pass for shop.example, aligned: the key is published at w1._domainkey.shop.example" in text
    assert '         _dmarc.shop.example TXT "v=DMARC1; p=reject"' in text


def test_json_has_all_of_it(run: Run) -> None:
    """Times are written as everywhere."""
    [entry] = rows(run("authentication", "shop.example", "--account", "1", "--json"))
    assert ("2026-11-24T06:00:00.000Z", "2026-11-24T06:05:00.000Z") == (entry["first_seen"], entry["last_seen"])
    assert "pass" == entry["authentication"]["dmarc"]["result"]


def test_nothing_was_seen(run: Run) -> None:
    """Another account's mail, or a domain that never sent."""
    assert "no mail from shop.example has been sent by this account" in run("authentication", "shop.example", code=4)
