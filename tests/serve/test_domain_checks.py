"""How mail of a domain leaves here, as its checks take it from the settings and the store."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.store.builders import ACCOUNT, START, acceptance, message
from waybill.api.dkim_key import generate_key
from waybill.api.identity import new_identity
from waybill.model.clock import now
from waybill.model.resource import Identity, Verification
from waybill.serve.domain_checks import Question, gather_sender
from waybill.settings import Settings
from waybill.standing.checks.check import Egress, SelectedKey
from waybill.store.protocol import Store
from waybill.store.sqlite import open_sqlite

QUESTION = Question(domain="shop.example", account=ACCOUNT)


def settings(*, bounce_domain: str = "bounce.localhost", sources: tuple[str, ...] = (), relay: str = "") -> Settings:
    usual = Settings()
    return replace(
        usual,
        inbound=replace(usual.inbound, bounce_domain=bounce_domain),
        delivery=replace(usual.delivery, hostname="mail.isp.example", source_addresses=sources, relay=relay),
    )


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await open_sqlite(tmp_path / "waybill.db", clock=now)
    yield opened
    await opened.close()


async def identity(store: Store, name: str = "shop.example", mail_from: str | None = None) -> Identity:
    found = replace(
        new_identity(ACCOUNT, name, START),
        dkim_keys=(await generate_key(START, "ed25519"),),
        verification=Verification.SUCCESS,
        mail_from_domain=mail_from,
    )
    await store.put(found)
    return found


async def test_a_domain_that_nobody_knows() -> None:
    """Without a store and a bounce domain that others could reach, the domain is looked at by itself."""
    sender = await gather_sender(QUESTION, settings(), None)
    assert ("shop.example", "", "", ()) == (sender.mail_from, sender.bounce_domain, sender.identity, sender.keys)
    assert "shop.example" == sender.report_domain


async def test_the_return_path(store: Store) -> None:
    """The identity's MAIL FROM domain, else the bounce domain, also one that cannot work."""
    await identity(store)
    assert "bounce.localhost" == (await gather_sender(QUESTION, settings(), store)).mail_from
    home = settings(bounce_domain="bounce.isp.example")
    assert "bounce.isp.example" == (await gather_sender(QUESTION, home, store)).mail_from
    await identity(store, mail_from="m.shop.example")
    sender = await gather_sender(QUESTION, home, store)
    assert ("m.shop.example", "bounce.isp.example") == (sender.mail_from, sender.bounce_domain)


async def test_the_keys(store: Store) -> None:
    """Those of the nearest identity; a selector that is named is looked for in their place."""
    [key] = (await identity(store)).dkim_keys
    ours = SelectedKey(selector=key.selector, algorithm="ed25519", public=key.public)
    below = await gather_sender(replace(QUESTION, domain="news.shop.example"), settings(), store)
    assert ("shop.example", (ours,)) == (below.signs_for, below.keys)
    named = await gather_sender(replace(QUESTION, selectors=("s1", key.selector)), settings(), store)
    assert (SelectedKey(selector="s1"), ours) == named.keys


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"verification": Verification.PENDING}, "the identity shop.example is not verified"),
        ({"dkim_enabled": False}, "signing is switched off for the identity shop.example"),
        ({"dkim_keys": ()}, "the identity shop.example has no DKIM key"),
        ({}, ""),
    ],
)
async def test_why_it_is_not_signed(change: dict[str, object], words: str, store: Store) -> None:
    """In words, for the check of DKIM."""
    await store.put(replace(await identity(store), **change))  # type: ignore[arg-type] # a field of each type
    assert words == (await gather_sender(QUESTION, settings(), store)).unsigned


async def test_the_addresses() -> None:
    """Those named, else those configured with their EHLO names; behind a relay they are not known."""
    sources = settings(sources=("192.0.2.7", "192.0.2.8 m8.isp.example"))
    first, second = Egress(ip="192.0.2.7", helo="mail.isp.example"), Egress(ip="192.0.2.8", helo="m8.isp.example")
    assert (first, second) == (await gather_sender(QUESTION, sources, None)).egress
    named = replace(QUESTION, ips=("192.0.2.8", "2001:db8::1"))
    expected = (second, Egress(ip="2001:db8::1", helo="mail.isp.example"))
    assert expected == (await gather_sender(named, sources, None)).egress
    relayed = await gather_sender(QUESTION, settings(relay="smtp://relay.example:25"), None)
    assert ((), True) == (relayed.egress, "relay.example" in relayed.egress_unknown)


async def test_the_newest_mail(store: Store) -> None:
    """The header fields of each message once, and how much was sent in the last day."""
    sent = message(id="m-1", account=ACCOUNT, sender="a@shop.example", headers=(("Subject", "x"),))
    other = message(id="m-2", account=ACCOUNT, sender="a@other.example", headers=(("Subject", "y"),))
    for each in (sent, other):
        await store.accept(acceptance(message=each))
    sender = await gather_sender(QUESTION, settings(), store, at=START)
    assert (((("Subject", "x"),),), 2) == (sender.mail, sender.sent_today)
