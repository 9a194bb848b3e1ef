"""Findings become recommendations: opened once, changed where they change, fixed when they are gone, forgotten after a month."""

from dataclasses import replace

from waybill.model.clock import DAY, MINUTE
from waybill.model.standing import Advice, Figures, Listed, ListingState, Tally
from waybill.standing.checks.check import Check, DnsRecord, Verdict
from waybill.standing.recommendations import (
    KEPT,
    Finding,
    about_checks,
    about_listings,
    about_rates,
    expired,
    reconcile,
)
from waybill.standing.reputation import judge_all, periods

ACCOUNT = "100000000001"
NOW = 1_795_500_000_000
FINDING = Finding(account=ACCOUNT, type=Advice.SPF, about="shop.example", high=True, text="No record.", fix="Publish.")


def test_the_life_of_a_recommendation() -> None:
    """Opened, unchanged, changed, fixed, back again with a new beginning."""
    [opened] = reconcile([], [FINDING], NOW)
    assert ("SPF shop.example", NOW, None) == (opened.name, opened.opened_at, opened.fixed_at)
    assert [] == reconcile([opened], [FINDING], NOW + MINUTE)
    [changed] = reconcile([opened], [replace(FINDING, high=False)], NOW + MINUTE)
    assert (NOW, NOW + MINUTE, False) == (changed.opened_at, changed.updated_at, changed.high)
    [fixed] = reconcile([changed], [], NOW + 2 * MINUTE)
    assert NOW + 2 * MINUTE == fixed.fixed_at
    assert [] == reconcile([fixed], [], NOW + 3 * MINUTE)
    [back] = reconcile([fixed], [FINDING], NOW + DAY)
    assert (NOW + DAY, None) == (back.opened_at, back.fixed_at)


def test_what_cannot_be_looked_at_stays_as_it_was() -> None:
    """A check without an answer, and a domain that was not looked at, neither open nor fix anything."""
    known = reconcile([], [FINDING], NOW)
    assert [] == reconcile(known, [replace(FINDING, is_unknown=True)], NOW + MINUTE)
    assert [] == reconcile(known, [], NOW + MINUTE, unseen={(ACCOUNT, "shop.example")})
    assert [] == reconcile([], [replace(FINDING, is_unknown=True)], NOW)
    assert 1 == len(reconcile(known, [], NOW + MINUTE, unseen={("200000000002", "shop.example")}))


def test_it_is_forgotten_a_month_after_it_was_fixed() -> None:
    """As in SES's advisor; open ones stay."""
    [opened] = reconcile([], [FINDING], NOW)
    [fixed] = reconcile([opened], [], NOW)
    assert [] == expired([opened, fixed], NOW + KEPT)
    assert [fixed] == expired([opened, fixed], NOW + KEPT + 1)


def test_checks_of_a_domain() -> None:
    """Those that SES's advisor makes, too: a failure is of high impact, and the record to publish is named."""
    record = DnsRecord(name="_dmarc.shop.example", type="TXT", value="v=DMARC1; p=none")
    checks = [
        Check(id="dmarc_record", subject="shop.example", verdict=Verdict.FAIL, text="None.", records=(record,)),
        Check(id="dkim_strength", subject="s1", verdict=Verdict.WARN, text="Short.", remedy="Make a new key."),
        Check(id="spf_record", subject="shop.example", verdict=Verdict.PASS, text="Well."),
        Check(id="spf_lookups", subject="shop.example", verdict=Verdict.UNKNOWN, text="No answer."),
        Check(id="mx", subject="shop.example", verdict=Verdict.FAIL, text="No MX."),
    ]
    found = about_checks(ACCOUNT, "shop.example", checks)
    assert [
        (Advice.DMARC, True, 'Publish _dmarc.shop.example. TXT "v=DMARC1; p=none"', False),
        (Advice.DKIM, False, "Make a new key.", False),
        (Advice.SPF, False, "", True),
    ] == [(one.type, one.high, one.fix, one.is_unknown) for one in found]
    assert "DKIM shop.example dkim_strength s1" == found[1].name


def tally(account: str, source_ip: str, figures: Figures) -> Tally:
    return Tally(
        account=account,
        identity="shop.example",
        configuration_set="news",
        source_ip=source_ip,
        figures=(figures, figures, figures),
    )


def test_rates() -> None:
    """Of the account, its sets and identities; the address that all share belongs to nobody."""
    judged = judge_all(
        [tally(ACCOUNT, "192.0.2.1", Figures(sent=1_000, delivered=900, hard=70, complaints=2))], periods(NOW)
    )
    found = about_rates(judged)
    assert [
        ("BOUNCE", True),
        ("BOUNCE news configuration-set", True),
        ("BOUNCE shop.example", True),
        ("COMPLAINT", False),
        ("COMPLAINT news configuration-set", False),
        ("COMPLAINT shop.example", False),
    ] == sorted((one.name, one.high) for one in found)
    assert (
        f"Account {ACCOUNT}: 70 of 1,000 recipients (7.0 %) bounced for good in the last 24 hours; reviews begin at 5 %, pauses at 10 %."
        == found[0].text
    )


def test_listings() -> None:
    """For every account that sent from the address; one that is not listed, or that nobody used, is for nobody."""
    listings = [
        Listed(
            subject=ip, blocklist="spamhaus-zen", zone="z", state=state, since=NOW, asked_at=NOW, text="It is listed"
        )
        for ip, state in (
            ("192.0.2.1", ListingState.LISTED),
            ("192.0.2.2", ListingState.CLEAR),
            ("192.0.2.3", ListingState.LISTED),
        )
    ]
    tallies = [tally(account, ip, Figures()) for account in ("1", "2") for ip in ("192.0.2.1", "192.0.2.2")]
    assert [
        ("1", "IP_LISTING 192.0.2.1 spamhaus-zen", True),
        ("2", "IP_LISTING 192.0.2.1 spamhaus-zen", True),
    ] == [(one.account, one.name, one.high) for one in about_listings(listings, tallies)]
