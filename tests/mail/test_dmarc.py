"""DMARC: records, the tree walk, alignment, and what a receiver is asked to do."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.mail.zones import Zones, txt
from waybill.mail.dmarc import Authenticated, discover, evaluate
from waybill.mail.dmarc_record import DmarcRecordError, parse_record, select
from waybill.model.authentication import DmarcPolicy, DmarcResult

SPF_ALIGNED = Authenticated(mechanism="spf", domain="bounce.shop.example", result="pass")
SPF_OTHER = Authenticated(mechanism="spf", domain="bounce.mailer.example", result="pass")
DKIM_FAILED = Authenticated(mechanism="dkim", domain="shop.example", result="permerror", selector="w1")


def test_every_tag_is_read() -> None:
    """White space around tags and values means nothing."""
    record = parse_record(
        "shop.example",
        "v=DMARC1 ; p = reject; sp=quarantine; np=none; adkim=s; aspf=r; t=y; psd=n; fo=1:d;"
        " rua=mailto:a@shop.example, mailto:b@other.example; ruf=mailto:f@shop.example;",
    )
    assert (DmarcPolicy.REJECT, DmarcPolicy.QUARANTINE, DmarcPolicy.NONE) == (
        record.policy,
        record.subdomain_policy,
        record.absent_policy,
    )
    assert ("s", "r", "n", True, "1:d") == (record.adkim, record.aspf, record.psd, record.testing, record.fo)
    assert ("mailto:a@shop.example", "mailto:b@other.example") == record.rua
    assert ("mailto:f@shop.example",) == record.ruf
    assert () == record.notes


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("v=DMARC1;", "p is missing: receivers take it for p=none"),
        (
            "v=DMARC1; p=block; rua=mailto:a@x.example",
            "p=block: a policy is none, quarantine or reject; receivers take the record for p=none",
        ),
        (
            "v=DMARC1; p=none; pct=50",
            "pct is no longer used: receivers that follow RFC 9989 apply the policy to all mail (t=y asks for one level less)",
        ),
        ("v=DMARC1; p=none; ri=3600", "ri is no longer used: aggregate reports come daily"),
        ("v=DMARC1; p=none; adkim=x", "adkim=x is none of r, s; receivers take it for adkim=r"),
        ("v=DMARC1; p=none; p=reject", "p occurs twice; the first counts"),
        ("v=DMARC1; p=none; hello", "'hello' is no tag, and is passed over"),
        ("v=DMARC1; p=none; x=1", "x is no tag of DMARC, and is passed over"),
        (
            "v=DMARC1; p=none; rua=a@x.example",
            "rua=a@x.example has no URI that could be used, such as mailto:dmarc@x.example",
        ),
    ],
)
def test_what_the_owner_should_know(text: str, note: str) -> None:
    """The record is usable, and something about it is not as its owner may think."""
    record = parse_record("x.example", text)
    assert DmarcPolicy.NONE is record.policy
    assert (note,) == record.notes


@pytest.mark.parametrize(
    "text", ["v=DMARC1; p=block", "v=DMARC1; p=none; sp=some", "v=dmarc1; p=none", "p=none; v=DMARC1", ""]
)
def test_records_that_receivers_take_for_none(text: str) -> None:
    """A policy that does not exist, and nobody to tell about it; or no DMARC record at all."""
    with pytest.raises(DmarcRecordError):
        parse_record("x.example", text)


def test_other_records_are_left_aside() -> None:
    """Only v=DMARC1, in that spelling, at the very beginning."""
    assert ["v=DMARC1;p=none", "v=DMARC1"] == select(["v=spf1 -all", "v=DMARC1;p=none", "v=DMARC10", "v=DMARC1", ""])


async def test_walk_takes_eight_queries_at_most() -> None:
    """From a name of many labels it goes to seven, then one by one (RFC 9989 §4.10)."""
    zones = txt({"_dmarc.example": "v=DMARC1; p=reject"})
    found = await discover(zones, "a.b.c.d.e.f.g.h.i.j.example")
    assert 8 == len(found.asked) == len(zones.asked)
    assert ("_dmarc.a.b.c.d.e.f.g.h.i.j.example", "_dmarc.e.f.g.h.i.j.example") == found.asked[:2]
    assert "example" == found.organizational_domain
    assert found.record is not None


@pytest.mark.parametrize(
    ("records", "domain", "organizational", "applies"),
    [
        ({}, "a.b.example", "a.b.example", None),
        ({"b.example": "p=none"}, "a.b.example", "b.example", "b.example"),
        ({"a.b.example": "p=none", "b.example": "p=reject"}, "a.b.example", "b.example", "a.b.example"),
        ({"a.b.example": "p=none; psd=n", "b.example": "p=reject"}, "a.b.example", "a.b.example", "a.b.example"),
        ({"example": "p=reject; psd=y"}, "a.b.example", "b.example", "example"),
        ({"example": "p=reject; psd=y", "b.example": "p=none"}, "a.b.example", "b.example", "b.example"),
        ({"b.example": "p=reject; psd=y"}, "b.example", "b.example", "b.example"),
        ({"b.example": "p=reject; psd=n", "example": "p=none"}, "a.b.example", "b.example", "b.example"),
    ],
)
async def test_organizational_domain_and_record(
    records: dict[str, str], domain: str, organizational: str, applies: str | None
) -> None:
    """RFC 9989 §4.10.2, with psd=y at a public suffix, psd=n at an organization within, and neither."""
    found = await discover(txt({f"_dmarc.{at}": f"v=DMARC1; {text}" for at, text in records.items()}), domain)
    assert organizational == found.organizational_domain
    assert applies == (found.record and found.record.domain)


async def test_two_records_are_none() -> None:
    """The walk goes on above them, and says so."""
    zones = txt(
        {"_dmarc.a.b.example": ("v=DMARC1; p=none", "v=DMARC1; p=reject"), "_dmarc.b.example": "v=DMARC1; p=quarantine"}
    )
    found = await discover(zones, "a.b.example")
    assert found.record is not None
    assert "b.example" == found.record.domain
    assert ("_dmarc.a.b.example has 2 DMARC records; receivers take none of them",) == found.rejected


async def test_relaxed_alignment_passes() -> None:
    """The MAIL FROM domain is in the same organizational domain."""
    found = await evaluate(
        txt({"_dmarc.shop.example": "v=DMARC1; p=reject"}), "shop.example", [SPF_ALIGNED, DKIM_FAILED]
    )
    assert DmarcResult.PASS is found.result
    assert "SPF passes for bounce.shop.example, which aligns with shop.example" == found.reason
    assert DmarcPolicy.NONE is found.disposition


async def test_strict_alignment_wants_the_very_domain() -> None:
    """aspf=s: bounce.shop.example is not shop.example."""
    zones = txt({"_dmarc.shop.example": "v=DMARC1; p=quarantine; aspf=s"})
    found = await evaluate(zones, "shop.example", [SPF_ALIGNED])
    assert (DmarcResult.FAIL, DmarcPolicy.QUARANTINE) == (found.result, found.disposition)
    assert (
        "SPF passes for bounce.shop.example, which is not aligned with shop.example (strict alignment is asked for)"
        == found.reason
    )


async def test_nothing_aligned_fails_with_each_reason() -> None:
    """SPF passes for somebody else, DKIM does not pass."""
    found = await evaluate(txt({"_dmarc.shop.example": "v=DMARC1; p=reject"}), "shop.example", [SPF_OTHER, DKIM_FAILED])
    assert (DmarcResult.FAIL, DmarcPolicy.REJECT, "p") == (found.result, found.disposition, found.policy_tag)
    assert (
        "SPF passes for bounce.mailer.example, which is not aligned with shop.example (another organizational domain);"
        " DKIM says permerror for shop.example" == found.reason
    )


@pytest.mark.parametrize(
    ("record", "exists", "policy", "tag"),
    [
        ("p=reject", True, DmarcPolicy.REJECT, "p"),
        ("p=reject; sp=none", True, DmarcPolicy.NONE, "sp"),
        ("p=reject; sp=none; np=quarantine", True, DmarcPolicy.NONE, "sp"),
        ("p=reject; sp=none; np=quarantine", False, DmarcPolicy.QUARANTINE, "np"),
        ("p=none; np=reject", True, DmarcPolicy.NONE, "p"),
    ],
)
async def test_policy_of_a_subdomain(record: str, policy: DmarcPolicy, tag: str, *, exists: bool) -> None:
    """sp for those that exist, np for those that do not, else p."""
    records = {"_dmarc.shop.example": {"TXT": (f"v=DMARC1; {record}",)}}
    if exists:
        records["news.shop.example"] = {"A": ("192.0.2.1",)}
    found = await evaluate(Zones(records), "news.shop.example", [SPF_OTHER])
    assert (policy, tag, policy) == (found.policy, found.policy_tag, found.disposition)


@pytest.mark.parametrize(
    ("asked", "done"),
    [("reject", DmarcPolicy.QUARANTINE), ("quarantine", DmarcPolicy.NONE), ("none", DmarcPolicy.NONE)],
)
async def test_testing_lowers_the_policy_by_one(asked: str, done: DmarcPolicy) -> None:
    """t=y (RFC 9989 §4.7)."""
    zones = txt({"_dmarc.shop.example": f"v=DMARC1; p={asked}; t=y"})
    assert done is (await evaluate(zones, "shop.example", [SPF_OTHER])).disposition


async def test_no_record_no_policy() -> None:
    """Then nothing fails; a record that receivers take for none is told."""
    assert DmarcResult.NONE is (await evaluate(txt({}), "shop.example", [SPF_OTHER])).result
    found = await evaluate(txt({"_dmarc.shop.example": "v=DMARC1; p=x"}), "shop.example", [SPF_OTHER])
    assert DmarcResult.PERMERROR is found.result
    assert found.reason.startswith("no DMARC record applies to shop.example: _dmarc.shop.example: p=x: a policy is")


async def test_failing_lookup_is_temporary() -> None:
    """Nobody can say what applies then."""
    found = await evaluate(Zones({}, frozenset({("_dmarc.example", "TXT")})), "shop.example", [])
    assert DmarcResult.TEMPERROR is found.result
    assert "the DMARC record of shop.example could not be looked up: no answer for _dmarc.example TXT" == found.reason


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.sampled_from(["p=", "none", ";", "=", " ", "sp=reject", "rua=mailto:a@b", "é", "t=y", "psd=y", ","]),
        max_size=12,
    )
)
def test_no_text_makes_it_raise_anything_else(pieces: list[str]) -> None:
    """What anybody publishes is a record or none."""
    try:
        record = parse_record("x.example", "v=DMARC1;" + "".join(pieces))
    except DmarcRecordError:
        return
    assert "x.example" == record.domain
