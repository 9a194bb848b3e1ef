"""What depends on how mail leaves here: addresses, EHLO names, keys, headers, and the receivers' rules."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.standing.checks.world import ONE_CLICK, SENDER, V4, amiss, gravest, world
from waybill.standing.checks.check import Egress, SelectedKey, Verdict
from waybill.standing.checks.source import is_generic

FAIL, WARN, UNKNOWN, PASS = Verdict.FAIL, Verdict.WARN, Verdict.UNKNOWN, Verdict.PASS


@pytest.mark.parametrize("helo", ["localhost", "mail", "", "192.0.2.7", "-x.example"])
async def test_a_name_that_is_none(helo: str, tmp_path: Path) -> None:
    """EHLO needs a full host name."""
    async with world(tmp_path) as it:
        it.sender = replace(SENDER, egress=(Egress(ip=V4, helo=helo),))
        found = await it.check("helo")
    assert (FAIL, True) == (found.verdict, "delivery.hostname" in found.remedy)


@pytest.mark.parametrize(
    ("records", "verdict", "words"),
    [
        (["A 192.0.2.99"], WARN, f"which leads to 192.0.2.99 and not to {V4}."),
        (["TXT x"], FAIL, "which has no address."),
    ],
)
async def test_a_name_that_leads_elsewhere(records: list[str], verdict: Verdict, words: str, tmp_path: Path) -> None:
    """The record that would lead it home is said."""
    async with world(tmp_path) as it:
        it.sender = replace(SENDER, egress=(Egress(ip=V4, helo="other.shop.example"),))
        it.publish({"other.shop.example": records})
        report = await it.report()
    found = gravest(report, "helo")
    assert (verdict, True) == (found.verdict, words in found.text), found.text
    assert f"other.shop.example. A {V4}" == str(found.records[0])
    assert {"helo"} == amiss(report)


async def test_addresses_that_are_not_known(tmp_path: Path) -> None:
    """Behind a relay nothing of them can be checked, and that is said."""
    async with world(tmp_path) as it:
        it.sender = replace(SENDER, egress=(), egress_unknown="Mail leaves through the relay r.example.")
        report = await it.report()
    assert {"spf_sources", "ptr", "fcrdns", "helo", "ipv6"} == amiss(report)
    assert not report.fails
    assert "Mail leaves through the relay r.example." == gravest(report, "ptr").text


async def test_addresses_that_nobody_sees(tmp_path: Path) -> None:
    """A private address is not what receivers see: nothing is claimed of it."""
    async with world(tmp_path) as it:
        it.tools = replace(it.tools, allow_private=False)
        it.sender = replace(SENDER, egress=(Egress(ip="10.0.0.7", helo="mail.shop.example"),))
        report = await it.report()
        it.sender = replace(SENDER, egress=(Egress(ip="10.0.0.7", helo="localhost"),))
        assert FAIL is (await it.check("helo")).verdict
    about_it = {"spf_sources", "ptr", "fcrdns", "helo", "ip_blocklist"}
    assert {UNKNOWN} == {gravest(report, each).verdict for each in about_it}
    assert "10.0.0.7 is not a public address" in gravest(report, "spf_sources").text


async def test_mail_that_is_not_signed(tmp_path: Path) -> None:
    """An identity without a key is a fault; a domain that is no identity is not known."""
    async with world(tmp_path) as it:
        it.sender = replace(SENDER, keys=(), unsigned="the identity shop.example has no DKIM key")
        found = await it.check("dkim_key")
        assert (FAIL, "waybill identities show shop.example") == (found.verdict, found.command)
        it.sender = replace(SENDER, keys=(), identity="")
        found = await it.check("dkim_key")
        assert (UNKNOWN, "waybill identities create shop.example") == (found.verdict, found.command)


async def test_a_selector_of_somebody_else(tmp_path: Path) -> None:
    """Any key will do where ours is not known; there is no record to publish then."""
    async with world(tmp_path) as it:
        it.sender = replace(SENDER, keys=(SelectedKey(selector="w1"), SelectedKey(selector="w2")), identity="")
        good, bad = [check for check in (await it.report()).checks if check.id == "dkim_key"]
    assert (PASS, True) == (good.verdict, "has a key, RSA with 2048 bits" in good.text)
    assert (FAIL, ()) == (bad.verdict, bad.records)
    assert "Publish the record that your sending service shows" in bad.remedy


async def test_an_identity_above(tmp_path: Path) -> None:
    """A subdomain is signed for by the identity above it, which aligns unless DMARC asks for strict alignment."""
    async with world(tmp_path) as it:
        it.sender = replace(SENDER, domain="news.shop.example")
        it.publish({"news.shop.example": ["MX 10 mx.shop.example"]})
        assert PASS is (await it.check("alignment")).verdict
        it.publish({"_dmarc.news.shop.example": ["TXT v=DMARC1; p=reject; adkim=s; aspf=s"]})
        it.forget()
        found = await it.check("alignment")
    assert (FAIL, True) == (found.verdict, "Nothing speaks for the From domain" in found.text)


@pytest.mark.parametrize(
    ("mail", "verdict", "words"),
    [
        ((), UNKNOWN, "The ledger has no mail from shop.example"),
        (((("Subject", "x"),),), WARN, "0 of the newest 1 messages can be unsubscribed from"),
        ((ONE_CLICK, (("Subject", "x"),)), WARN, "1 of the newest 2 messages"),
        ((ONE_CLICK, ONE_CLICK[:1]), FAIL, "List-Unsubscribe-Post is missing"),
        (((("List-Unsubscribe", "<mailto:u@shop.example>"), ONE_CLICK[1]),), FAIL, "there is no https: link in it"),
        (((ONE_CLICK[0], ("List-Unsubscribe-Post", "yes")),), FAIL, "List-Unsubscribe-Post says 'yes'"),
        ((ONE_CLICK,), PASS, "All of the newest 1 messages"),
    ],
)
async def test_unsubscribing(
    mail: tuple[tuple[tuple[str, str], ...], ...], verdict: Verdict, words: str, tmp_path: Path
) -> None:
    """As the newest messages have it."""
    async with world(tmp_path) as it:
        it.sender = replace(SENDER, mail=mail)
        found = await it.check("one_click_unsubscribe")
    assert (verdict, True) == (found.verdict, words in found.text), found.text


@pytest.mark.parametrize(
    ("zones", "expected"),
    [
        ({}, {"gmail": PASS, "yahoo": PASS, "microsoft": PASS}),
        ({"7.2.0.192.in-addr.arpa": []}, {"gmail": FAIL, "yahoo": FAIL, "microsoft": PASS}),
        ({"_dmarc.shop.example": []}, {"gmail": WARN, "yahoo": WARN, "microsoft": WARN}),
        ({"w1._domainkey.shop.example": []}, {"gmail": WARN, "yahoo": WARN, "microsoft": WARN}),
        ({"shop.example": ["MX 0 ."]}, {"gmail": PASS, "yahoo": FAIL, "microsoft": PASS}),
        ({"w1._domainkey.shop.example": ["SERVFAIL"]}, {"gmail": UNKNOWN, "yahoo": UNKNOWN, "microsoft": UNKNOWN}),
    ],
)
async def test_rules_of_receivers(zones: dict[str, list[str]], expected: dict[str, Verdict], tmp_path: Path) -> None:
    """What is asked of everybody fails; what is asked from 5,000 messages a day on is a warning."""
    async with world(tmp_path) as it:
        it.publish(zones)
        report = await it.report()
    assert expected == {name: gravest(report, f"{name}_rules").verdict for name in expected}


async def test_rules_in_words(tmp_path: Path) -> None:
    """Which rule is not met, and which is."""
    async with world(tmp_path) as it:
        it.publish({"w1._domainkey.shop.example": []})
        found = await it.check("microsoft_rules")
    assert found.text == (
        "Microsoft (outlook.com, hotmail.com, live.com): Not met, asked for from 5,000 messages a day on: DKIM passes. "
        "Met: SPF passes; there is a DMARC record; SPF or DKIM is aligned with From."
    )


async def test_rules_for_bulk_mail(tmp_path: Path) -> None:
    """Whoever sends that much today is held to them."""
    async with world(tmp_path) as it:
        it.sender = replace(SENDER, sent_today=5_000)
        it.publish({"_dmarc.shop.example": []})
        found = await it.check("gmail_rules")
    assert (FAIL, True) == (
        found.verdict,
        "since this account sent to 5,000 recipients in the last 24 hours" in found.text,
    )


@pytest.mark.parametrize(
    ("name", "ip", "generic"),
    [
        ("mail.shop.example", "192.0.2.7", False),
        ("mta7.eu.sender.example", "192.0.2.7", False),
        ("hostmail.example", "192.0.2.7", False),
        ("192-0-2-7.isp.example", "192.0.2.7", True),
        ("static.7.2.0.192.clients.isp.example", "192.0.2.7", True),
        ("p192000002007.isp.example", "192.0.2.7", True),
        ("c0000207.isp.example", "192.0.2.7", True),
        ("cpe-12.dynamic.isp.example", "192.0.2.7", True),
        ("ip-10-1.ec2.example", "192.0.2.7", True),
        ("out.mail.example", "2001:db8::7", False),
        ("2001-db8-0-0-0000-0000-0000-0007.isp.example", "2001:db8::7", True),
    ],
)
def test_generic_names(name: str, ip: str, generic: bool) -> None:
    """A name that is made from the address or says that it is one of a pool's is no mail server's."""
    assert generic == is_generic(name, ip)
