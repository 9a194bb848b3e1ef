"""SPF beyond the suite's results: the trace, the reasons, and hostile records."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.mail.zones import Zones, txt
from waybill.mail.spf import check_host
from waybill.mail.spf_macro import SpfSyntaxError
from waybill.mail.spf_record import parse_record
from waybill.model.authentication import SpfRecord, SpfResult, SpfTerm, Verdict

IP = "192.0.2.25"
SENDER = "a@shop.example"


async def test_trace_tells_the_whole_way() -> None:
    """Which record, which include, which term, and why; lookups and void lookups counted."""
    zones = Zones(
        {
            "shop.example": {"TXT": ("v=spf1 a mx:none.example include:_spf.mailer.example -all",)},
            "shop.example.": {},
            "_spf.mailer.example": {"TXT": ("v=spf1 ip4:198.51.100.0/24 include:_a.mailer.example ~all",)},
            "_a.mailer.example": {"TXT": ("v=spf1 ip4:192.0.2.0/24 -all",)},
        }
    )
    found = await check_host(zones, ip=IP, sender=SENDER, helo="mx.shop.example")
    assert SpfResult.PASS is found.result
    assert ("include:_spf.mailer.example", "include:_a.mailer.example", "ip4:192.0.2.0/24") == found.decided_by
    assert (
        "192.0.2.25 matches include:_spf.mailer.example > include:_a.mailer.example > ip4:192.0.2.0/24"
        " of shop.example's record" == found.reason
    )
    assert (4, 2) == (found.lookups, found.void_lookups)
    assert ("shop.example", "_spf.mailer.example", "_a.mailer.example") == tuple(each.domain for each in found.records)
    assert [
        ("shop.example", 0, "a", Verdict.NO_MATCH, "shop.example has no IPv4 address"),
        ("shop.example", 0, "mx:none.example", Verdict.NO_MATCH, "there is no MX host"),
        ("_spf.mailer.example", 1, "ip4:198.51.100.0/24", Verdict.NO_MATCH, "192.0.2.25 is not in 198.51.100.0/24"),
        ("_a.mailer.example", 2, "ip4:192.0.2.0/24", Verdict.MATCH, "192.0.2.25 is in 192.0.2.0/24"),
        ("_spf.mailer.example", 1, "include:_a.mailer.example", Verdict.MATCH, "_a.mailer.example's record says pass"),
        ("shop.example", 0, "include:_spf.mailer.example", Verdict.MATCH, "_spf.mailer.example's record says pass"),
    ] == [(term.domain, term.depth, term.term, term.verdict, term.detail) for term in found.terms]


@pytest.mark.parametrize(
    ("record", "result", "reason"),
    [
        (None, SpfResult.NONE, "shop.example publishes no SPF record"),
        ("v=spf1", SpfResult.NEUTRAL, "no mechanism of shop.example's record matches 192.0.2.25, and it has no all"),
        ("v=spf1 -all", SpfResult.FAIL, "192.0.2.25 matches -all of shop.example's record"),
        (
            "v=spf1 redirect=other.example",
            SpfResult.SOFTFAIL,
            "192.0.2.25 matches redirect=other.example > ~all of shop.example's record",
        ),
        (
            "v=spf1 include:gone.example -all",
            SpfResult.PERMERROR,
            "include:gone.example in shop.example's record: gone.example publishes no SPF record",
        ),
        (
            "v=spf1 ip4:192.0.2.1.1 -all",
            SpfResult.PERMERROR,
            "shop.example's SPF record has an error in 'ip4:192.0.2.1.1': '192.0.2.1.1' is no IPv4 network",
        ),
        (
            "v=spf1 a:192.0.2.1 -all",
            SpfResult.PERMERROR,
            (
                "shop.example's SPF record has an error in 'a:192.0.2.1': '192.0.2.1' does not end in a top-level domain"
                " (an address belongs into ip4: or ip6:)"
            ),
        ),
        (
            "v=spf1 ipv4:192.0.2.1 -all",
            SpfResult.PERMERROR,
            "shop.example's SPF record has an error in 'ipv4:192.0.2.1': there is no mechanism 'ipv4'",
        ),
        (
            "v=spf1 a:x.example a:y.example a:z.example -all",
            SpfResult.PERMERROR,
            "more than 2 lookups find nothing; z.example is the first too many",
        ),
        (
            "v=spf1" + " a:has.example" * 11 + " -all",
            SpfResult.PERMERROR,
            "more than 10 lookups are needed; a:has.example in shop.example's record is the first too many",
        ),
        (
            "v=spf1 a:slow.example -all",
            SpfResult.TEMPERROR,
            "a:slow.example in shop.example's record: no answer for slow.example A",
        ),
    ],
)
async def test_reason_says_what_decided(record: str | None, result: SpfResult, reason: str) -> None:
    """One sentence for people."""
    zones = Zones(
        {
            "shop.example": {"TXT": () if record is None else (record,)},
            "other.example": {"TXT": ("v=spf1 ~all",)},
            "has.example": {"A": ("203.0.113.1",)},
        },
        frozenset({("slow.example", "A")}),
    )
    found = await check_host(zones, ip=IP, sender=SENDER, helo="mx.shop.example")
    assert (result, reason) == (found.result, found.reason)
    decides = result in {SpfResult.FAIL, SpfResult.SOFTFAIL}
    assert decides is bool(found.decided_by)


async def test_two_records_are_both_kept() -> None:
    """They are the proof."""
    zones = txt({"shop.example": ("v=spf1 -all", "v=spf1 +all")})
    found = await check_host(zones, ip=IP, sender=SENDER, helo="mx")
    assert "shop.example publishes 2 SPF records; there may be one only" == found.reason
    assert (
        SpfRecord(domain="shop.example", text="v=spf1 -all"),
        SpfRecord(domain="shop.example", text="v=spf1 +all"),
    ) == found.records


async def test_bounces_are_checked_by_the_helo_name() -> None:
    """RFC 7208 §2.4: with an empty MAIL FROM, postmaster at the HELO name."""
    found = await check_host(
        txt({"mx.shop.example": "v=spf1 ip4:192.0.2.25 -all"}), ip=IP, sender="", helo="mx.shop.example"
    )
    assert (SpfResult.PASS, "mx.shop.example") == (found.result, found.domain)


async def test_failing_term_is_in_the_trace() -> None:
    """With what failed."""
    found = await check_host(txt({"shop.example": "v=spf1 include:gone.example"}), ip=IP, sender=SENDER, helo="mx")
    detail = "include:gone.example in shop.example's record: gone.example publishes no SPF record"
    assert (
        SpfTerm(domain="shop.example", depth=0, term="include:gone.example", verdict=Verdict.ERROR, detail=detail),
    ) == found.terms


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from("vspf1 =+-~?:/.%{}dilr0123459axmcnueohptkb\x00é"), max_size=60))
async def test_no_record_makes_it_raise(text: str) -> None:
    """What anybody publishes has a result, and parses or has a syntax error."""
    record = f"v=spf1 {text}"
    try:
        parse_record(record)
    except SpfSyntaxError:
        expected = {SpfResult.PERMERROR}
    else:
        expected = set(SpfResult)
    found = await check_host(txt({"shop.example": record}), ip=IP, sender=SENDER, helo="mx.shop.example")
    assert found.result in expected
