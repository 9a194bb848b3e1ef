"""One look at the DNS, through the real resolver, at a domain server on loopback."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waybill.lab.dns import LabDns
from waybill.mail.dkim import dns_record, generate_ed25519, generate_rsa
from waybill.model.resource import DkimKey, Identity, Verification
from waybill.net.resolver import Resolver
from waybill.standing.verification import Found, _publishes, is_settled, look, merged

PEM, PUBLIC = generate_rsa(2048)
RECORD = dns_record("rsa", PUBLIC)
KEY = DkimKey(selector="s1", algorithm="rsa", private_pem=PEM, public=PUBLIC, created_at=0)
ED_PEM, ED_PUBLIC = generate_ed25519()
ED_KEY = DkimKey(selector="s2", algorithm="ed25519", private_pem=ED_PEM, public=ED_PUBLIC, created_at=0)
TOKEN, DKIM, ED_DKIM = "_amazonses.sender.test", "s1._domainkey.sender.test", "s2._domainkey.sender.test"
DOMAIN = Identity(account="1", name="sender.test", created_at=0, token="the-token", dkim_keys=(KEY,))
WITH_MAIL_FROM = replace(DOMAIN, mail_from_domain="m.sender.test")
ADDRESS = Identity(account="1", name="a@sender.test", created_at=0, token="the-token")


def txt(record: str) -> str:
    """A TXT record in strings of 100 octets, as zone files need them beyond 255."""
    return "TXT " + " ".join(f'"{record[at : at + 100]}"' for at in range(0, len(record), 100))


async def seen(identity: Identity, zones: Mapping[str, Sequence[str]]) -> Found:
    async with LabDns(zones) as dns:
        resolver = Resolver([dns.address], patience=1.0, rounds=1)
        try:
            return await look(identity, resolver, 7, bounce_domain="bounce.test")
        finally:
            await resolver.close()


@pytest.mark.parametrize(
    ("zones", "proven", "published"),
    [
        ({TOKEN: [txt("the-token")]}, True, False),
        ({TOKEN: [txt("v=spf1 -all"), txt("the-token")]}, True, False),
        ({TOKEN: [txt("another")]}, False, False),
        ({TOKEN: ["SERVFAIL"], DKIM: [txt(RECORD)]}, True, True),
        ({DKIM: [txt(RECORD)]}, True, True),
        ({DKIM: [txt("unrelated"), txt(RECORD)]}, True, True),
        ({DKIM: [txt(RECORD.replace("p=", "p = ").replace(";", " ; "))]}, True, True),
        ({DKIM: [txt(RECORD.replace(PUBLIC[:8], "AAAAAAAA"))]}, False, False),
        ({DKIM: [txt("v=DKIM1; k=rsa; p=")]}, False, False),
        ({DKIM: ["CNAME key.waybill.test"], "key.waybill.test": [txt(RECORD)]}, True, True),
        ({DKIM: ["SERVFAIL"]}, False, False),
        ({DKIM: ["TIMEOUT"], TOKEN: [txt("the-token")]}, True, False),
        ({}, False, False),
    ],
)
async def test_what_proves_a_domain(zones: dict[str, list[str]], proven: bool, published: bool) -> None:
    """The token, or the DKIM key; among other records, in several strings, behind a CNAME."""
    found = await seen(DOMAIN, zones)
    assert (proven, published) == (found.proven, found.dkim_published)
    assert proven == (found.problem is None)


@pytest.mark.parametrize(
    ("zones", "words"),
    [
        ({}, "_amazonses.sender.test"),
        ({TOKEN: ["SERVFAIL"]}, "SERVFAIL"),
        ({TOKEN: [txt("another")]}, "another"),
    ],
)
async def test_the_problem_is_the_answer(zones: dict[str, list[str]], words: str) -> None:
    """What the server said, or that it said nothing, with the name that was asked for."""
    problem = (await seen(DOMAIN, zones)).problem
    assert problem is not None
    assert words in problem


async def test_every_key_must_be_published() -> None:
    """One of two is not enough for DKIM, nor as a proof."""
    both = replace(DOMAIN, dkim_keys=(KEY, ED_KEY))
    one = {DKIM: [txt(RECORD)]}
    found = await seen(both, one)
    assert (False, False) == (found.proven, found.dkim_published)
    assert (await seen(both, one | {ED_DKIM: [txt(dns_record("ed25519", ED_PUBLIC))]})).dkim_published


async def test_a_domain_without_keys_is_proven_by_its_token_alone() -> None:
    """No keys are no published keys."""
    bare = replace(DOMAIN, dkim_keys=())
    assert not (await seen(bare, {})).proven
    found = await seen(bare, {TOKEN: [txt("the-token")]})
    assert (True, False) == (found.proven, found.dkim_published)


async def test_an_address_is_not_proven_by_dns() -> None:
    """Whoever holds the domain does not hold each of its mailboxes' consent."""
    found = await seen(ADDRESS, {TOKEN: [txt("the-token")]})
    assert (False, None) == (found.proven, found.problem)


@pytest.mark.parametrize(
    ("zones", "home"),
    [
        ({"m.sender.test": ["MX 10 bounce.test"]}, True),
        ({"m.sender.test": ["MX 10 mx.waybill.test"], "bounce.test": ["MX 5 MX.waybill.test"]}, True),
        ({"m.sender.test": ["MX 10 mx.other.test"], "bounce.test": ["MX 5 mx.waybill.test"]}, False),
        ({"m.sender.test": ["MX 0 ."], "bounce.test": ["MX 0 ."]}, False),
        ({"m.sender.test": ["SERVFAIL"]}, False),
        ({}, False),
    ],
)
async def test_the_mail_from_domain_leads_home(zones: dict[str, list[str]], home: bool) -> None:
    """Its MX is the bounce domain, or a host of its MX."""
    assert home == (await seen(WITH_MAIL_FROM, zones)).mail_from_published
    assert not (await seen(DOMAIN, zones)).mail_from_published


def found(**changes: Any) -> Found:
    fields: dict[str, Any] = {
        "at": 7,
        "proven": False,
        "dkim_published": False,
        "mail_from_published": False,
        "problem": "nothing there",
    }
    return Found(**fields | changes)


def test_a_look_verifies() -> None:
    """With the time of the look; an error is kept while it waits, and goes when it does not."""
    waiting = merged(DOMAIN, found())
    assert (Verification.PENDING, None, 7, "nothing there") == (
        waiting.verification,
        waiting.verified_at,
        waiting.checked_at,
        waiting.check_error,
    )
    good = merged(waiting, found(at=9, proven=True, dkim_published=True, mail_from_published=True, problem=None))
    assert (Verification.SUCCESS, Verification.SUCCESS, Verification.SUCCESS, 9, None) == (
        good.verification,
        good.dkim_verification,
        good.mail_from_verification,
        good.verified_at,
        good.check_error,
    )


def test_what_was_verified_stays_so() -> None:
    """A record that is missing later switches nothing off."""
    good = merged(DOMAIN, found(proven=True, dkim_published=True, mail_from_published=True, problem=None))
    later = merged(good, found(at=99))
    assert (Verification.SUCCESS, Verification.SUCCESS, Verification.SUCCESS, 7, 99) == (
        later.verification,
        later.dkim_verification,
        later.mail_from_verification,
        later.verified_at,
        later.checked_at,
    )


def test_when_there_is_nothing_more_to_look_for() -> None:
    """Domain, DKIM and MAIL FROM are all verified; an address waits for its MAIL FROM domain only."""
    proven = replace(DOMAIN, verification=Verification.SUCCESS)
    done = replace(proven, dkim_verification=Verification.SUCCESS)
    expected = [
        (DOMAIN, False),
        (proven, False),
        (done, True),
        (replace(proven, dkim_keys=()), True),
        (replace(done, mail_from_domain="m.sender.test"), False),
        (replace(done, mail_from_domain="m.sender.test", mail_from_verification=Verification.SUCCESS), True),
        (ADDRESS, True),
        (replace(ADDRESS, mail_from_domain="m.sender.test"), False),
    ]
    assert [settled for _, settled in expected] == [is_settled(identity) for identity, _ in expected]


@given(st.text(max_size=200))
def test_any_record_is_read(record: str) -> None:
    """Records of others hold anything; none of it is our key unless the key stands in it."""
    assert not _publishes(record, KEY) or PUBLIC in "".join(record.split())
