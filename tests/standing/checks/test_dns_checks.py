"""For each check that DNS decides, a domain that is perfect but for one thing: that check says so, and what to publish."""

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.standing.checks.world import (
    DMARC,
    KEY,
    PUBLIC,
    SENDER,
    SPF,
    V4,
    V4_POINTER,
    V6,
    V6_POINTER,
    amiss,
    gravest,
    world,
)
from waybill.mail.dkim import dns_record, generate_ed25519, generate_rsa
from waybill.standing.checks.check import SelectedKey, Verdict
from waybill.standing.checks.run import Limits

OTHER = generate_rsa()[1]
WEAK = generate_rsa(1024)[1]
FAIL, WARN, UNKNOWN, PASS = Verdict.FAIL, Verdict.WARN, Verdict.UNKNOWN, Verdict.PASS
MANY = " ".join(f"include:s{number}.example" for number in range(11))
BOUNCE = "bounce.shop.example"


@dataclass(frozen=True, kw_only=True)
class Spoilt:
    """What is published instead, and what the check ``id`` says of it. ``too`` are other checks that are then amiss."""

    zones: dict[str, list[str]]
    id: str
    words: str
    verdict: Verdict = FAIL
    records: tuple[str, ...] = ()
    too: tuple[str, ...] = ()


def bounce(spf: str) -> list[str]:
    return ["MX 10 in.shop.example", f"TXT {spf}"]


SPF_CASES = {
    "no record": Spoilt(
        zones={BOUNCE: ["MX 10 in.shop.example"]},
        id="spf_record",
        words="bounce.shop.example (the return path of shop.example's mail) publishes no SPF record.",
        records=(f'bounce.shop.example. TXT "v=spf1 ip4:{V4} ip6:{V6} ~all"',),
        too=("spf_sources", "ipv6"),
    ),
    "two records": Spoilt(
        zones={BOUNCE: [*bounce(SPF), "TXT v=spf1 a:old.example -all"]},
        id="spf_record",
        words="publishes 2 SPF records: receivers count that as broken",
        records=(f'bounce.shop.example. TXT "v=spf1 ip4:{V4} ip6:{V6} a:old.example ~all"',),
        too=("spf_sources", "spf_lookups", "ipv6"),
    ),
    "a mistake": Spoilt(
        zones={BOUNCE: bounce("v=spf1 ip4:192.0.2.777 -all")},
        id="spf_record",
        words="has an error in 'ip4:192.0.2.777'",
        too=("spf_sources", "spf_lookups", "ipv6"),
    ),
    "eleven lookups": Spoilt(
        zones={BOUNCE: bounce(f"{SPF[:-5]} {MANY} -all"), **{f"s{n}.example": ["TXT v=spf1 ?all"] for n in range(11)}},
        id="spf_lookups",
        words="include:s10.example in bounce.shop.example's record is the first too many",
    ),
    "ten lookups": Spoilt(
        zones={
            BOUNCE: bounce(f"{SPF[:-5]} {MANY.rpartition(' ')[0]} -all"),
            **{f"s{n}.example": ["TXT v=spf1 -all"] for n in range(11)},
        },
        id="spf_lookups",
        verdict=WARN,
        words="10 of 10 lookups",
    ),
    "void lookups": Spoilt(
        zones={BOUNCE: bounce(f"{SPF[:-5]} a:x1.example a:x2.example a:x3.example -all")},
        id="spf_lookups",
        words="more than 2 lookups find nothing; x3.example is the first too many",
    ),
    "a lost include": Spoilt(
        zones={BOUNCE: bounce(f"{SPF[:-5]} include:gone.example -all")},
        id="spf_lookups",
        words="gone.example publishes no SPF record",
    ),
    "an address that is not allowed": Spoilt(
        zones={BOUNCE: bounce(f"v=spf1 ip6:{V6} ~all")},
        id="spf_sources",
        words=f"SPF says softfail for {V4}: {V4} matches ~all of bounce.shop.example's record.",
        records=(f'bounce.shop.example. TXT "v=spf1 ip4:{V4} ip6:{V6} ~all"',),
    ),
    "everybody": Spoilt(
        zones={BOUNCE: bounce("v=spf1 +all")},
        id="spf_strict",
        words="has +all: everybody may send in this name",
        records=('bounce.shop.example. TXT "v=spf1 ~all"',),
    ),
    "ptr": Spoilt(
        zones={BOUNCE: bounce(f"{SPF[:-5]} ptr -all")}, id="spf_strict", verdict=WARN, words="record uses ptr"
    ),
    "EHLO name": Spoilt(
        zones={"mail.shop.example": [f"A {V4}", f"AAAA {V6}", "TXT v=spf1 -all"]},
        id="spf_helo",
        words="SPF says fail for the EHLO name mail.shop.example",
        records=(f'mail.shop.example. TXT "v=spf1 ip4:{V4} -all"',),
    ),
}
DKIM_CASES = {
    "no key": Spoilt(
        zones={KEY: []},
        id="dkim_key",
        words=f"Nothing is published at {KEY}.",
        records=(f"{KEY}. TXT ",),
    ),
    "two keys": Spoilt(
        zones={KEY: [f"TXT {dns_record('rsa', PUBLIC)}", f"TXT {dns_record('rsa', OTHER)}"]},
        id="dkim_key",
        words=f"2 records are published at {KEY}",
        records=(f"{KEY}. TXT ",),
    ),
    "another key": Spoilt(
        zones={KEY: [f"TXT {dns_record('rsa', OTHER)}"]},
        id="dkim_key",
        words="is not the one that we sign with",
        records=(f"{KEY}. TXT ",),
    ),
    "revoked": Spoilt(
        zones={KEY: ["TXT v=DKIM1; k=rsa; p="]}, id="dkim_key", words="the key is revoked", records=(f"{KEY}. TXT ",)
    ),
    "testing": Spoilt(
        zones={KEY: [f"TXT {dns_record('rsa', PUBLIC)}; t=y"]},
        id="dkim_key",
        verdict=WARN,
        words="It says t=y, “only testing”",
        records=(f"{KEY}. TXT ",),
    ),
}
DMARC_CASES = {
    "no record": Spoilt(
        zones={"_dmarc.shop.example": []},
        id="dmarc_record",
        words="No DMARC record applies to shop.example.",
        records=('_dmarc.shop.example. TXT "v=DMARC1; p=none; rua=mailto:dmarc-reports@bounce.shop.example"',),
        too=("bimi",),
    ),
    "two records": Spoilt(
        zones={"_dmarc.shop.example": [f"TXT {DMARC}", "TXT v=DMARC1; p=none"]},
        id="dmarc_record",
        words="_dmarc.shop.example has 2 DMARC records; receivers take none of them",
        records=('_dmarc.shop.example. TXT "v=DMARC1; p=none; rua=mailto:dmarc-reports@bounce.shop.example"',),
        too=("bimi",),
    ),
    "pct": Spoilt(
        zones={"_dmarc.shop.example": [f"TXT {DMARC}; pct=20"]},
        id="dmarc_record",
        verdict=WARN,
        words=", and: pct is no longer used",
    ),
    "none": Spoilt(
        zones={"_dmarc.shop.example": [f"TXT {DMARC.replace('reject', 'none')}"]},
        id="dmarc_policy",
        verdict=WARN,
        words="The policy p=none asks receivers to do nothing with mail that fails",
        records=('_dmarc.shop.example. TXT "v=DMARC1; p=quarantine; rua=mailto:dmarc-reports@bounce.shop.example"',),
        too=("bimi",),
    ),
    "testing": Spoilt(
        zones={"_dmarc.shop.example": [f"TXT {DMARC}; t=y"]},
        id="dmarc_policy",
        verdict=WARN,
        words="The policy p=reject with t=y asks receivers to do one level less",
        records=('_dmarc.shop.example. TXT "v=DMARC1; p=quarantine; rua=mailto:dmarc-reports@bounce.shop.example"',),
        too=("bimi",),
    ),
    "no reports": Spoilt(
        zones={"_dmarc.shop.example": ["TXT v=DMARC1; p=reject;"]},
        id="dmarc_reports",
        verdict=WARN,
        words="asks for no aggregate reports (rua)",
        records=('_dmarc.shop.example. TXT "v=DMARC1; p=reject; rua=mailto:dmarc-reports@bounce.shop.example"',),
    ),
    "reports to others": Spoilt(
        zones={"_dmarc.shop.example": ["TXT v=DMARC1; p=reject; rua=mailto:d@reports.test!10m"]},
        id="dmarc_reports",
        words="Reports are asked for at reports.test, which does not say that it wants them",
        records=('shop.example._report._dmarc.reports.test. TXT "v=DMARC1"',),
    ),
    "strict alignment": Spoilt(
        zones={"_dmarc.shop.example": [f"TXT {DMARC}; aspf=s"]},
        id="alignment",
        verdict=WARN,
        words="SPF is for bounce.shop.example, which is not aligned (strict alignment is asked for); "
        "DKIM signs for shop.example, which is aligned.",
    ),
}
SERVER_CASES = {
    "no MX": Spoilt(
        zones={"shop.example": ["TXT x"]},
        id="mx",
        words="shop.example has no MX record, and shop.example has no address.",
        too=("starttls", "dane", "postmaster", "abuse"),
    ),
    "null MX": Spoilt(
        zones={"shop.example": ["MX 0 ."]},
        id="mx",
        words="shop.example says by a null MX that it takes no mail.",
        too=("starttls", "dane", "postmaster", "abuse"),
    ),
    "MX without address": Spoilt(
        zones={"mx.shop.example": []},
        id="mx",
        words="No server of shop.example can be reached: mx.shop.example has no address.",
        too=("starttls", "dane", "postmaster", "abuse"),
    ),
    "MX is an alias": Spoilt(
        zones={"mx.shop.example": ["CNAME real.shop.example"], "real.shop.example": ["A 127.0.0.1"]},
        id="mx",
        verdict=WARN,
        words="mx.shop.example is an alias (CNAME) of real.shop.example",
    ),
    "one MX of two": Spoilt(
        zones={"shop.example": ["MX 10 mx.shop.example", "MX 20 gone.shop.example"]},
        id="mx",
        verdict=WARN,
        words="gone.shop.example has no address",
        too=("mta_sts",),
    ),
    "no PTR": Spoilt(
        zones={V4_POINTER: []},
        id="ptr",
        words=f"{V4} has no name",
        records=(f"{V4_POINTER}. PTR mail.shop.example.",),
        too=("fcrdns",),
    ),
    "generic PTR": Spoilt(
        zones={V4_POINTER: ["PTR 192-0-2-7.pool.isp.example."], "192-0-2-7.pool.isp.example": [f"A {V4}"]},
        id="ptr",
        verdict=WARN,
        words="as its provider gives one to every address",
        records=(f"{V4_POINTER}. PTR mail.shop.example.",),
    ),
    "the way back": Spoilt(
        zones={V4_POINTER: ["PTR mta.shop.example."], "mta.shop.example": ["A 192.0.2.8"]},
        id="fcrdns",
        words=f"{V4} has the name mta.shop.example, and that leads to 192.0.2.8.",
        records=(f"mta.shop.example. A {V4}",),
    ),
    "IPv6 by half": Spoilt(
        zones={V6_POINTER: []},
        id="ipv6",
        words=f"Mail goes out by IPv6, and that is not set up: {V6} has no name",
        too=("ptr", "fcrdns"),
    ),
    "MAIL FROM without MX": Spoilt(
        zones={BOUNCE: [f"TXT {SPF}"]},
        id="mail_from",
        words="bounce.shop.example has no MX record",
        records=("bounce.shop.example. MX 10 mail.shop.example.",),
    ),
    "TLS reports by mistake": Spoilt(
        zones={"_smtp._tls.shop.example": ["TXT v=TLSRPTv1; rua=tls@shop.example"]},
        id="tls_rpt",
        words="it names no mailto: or https: address",
        records=('_smtp._tls.shop.example. TXT "v=TLSRPTv1; rua=mailto:tls-reports@bounce.shop.example"',),
    ),
    "no TLS reports": Spoilt(
        zones={"_smtp._tls.shop.example": []},
        id="tls_rpt",
        verdict=WARN,
        words="asks for no reports",
        records=('_smtp._tls.shop.example. TXT "v=TLSRPTv1; rua=mailto:tls-reports@bounce.shop.example"',),
    ),
    "MTA-STS twice": Spoilt(
        zones={"_mta-sts.shop.example": ["TXT v=STSv1; id=1", "TXT v=STSv1; id=2"]},
        id="mta_sts",
        words="there are 2 records, and senders take none of them",
        records=('_mta-sts.shop.example. TXT "v=STSv1; id=',),
    ),
    "no MTA-STS host": Spoilt(
        zones={"mta-sts.shop.example": []}, id="mta_sts", words="announces an MTA-STS policy that could not be fetched"
    ),
    "BIMI": Spoilt(
        zones={"default._bimi.shop.example": ["TXT v=BIMI1; l=http://shop.example/logo.png"]},
        id="bimi",
        words="l=http://shop.example/logo.png is no https address of an SVG image",
        records=('default._bimi.shop.example. TXT "v=BIMI1; l=https://shop.example/logo.svg; a="',),
    ),
}


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=f"{group} {name}")
        for group, cases in (("spf", SPF_CASES), ("dkim", DKIM_CASES), ("dmarc", DMARC_CASES), ("server", SERVER_CASES))
        for name, case in cases.items()
    ],
)
async def test_what_is_wrong_is_said(case: Spoilt, tmp_path: Path) -> None:
    """The one check (and those that hang together with it), its words, and the exact record."""
    async with world(tmp_path) as it:
        it.publish(case.zones)
        report = await it.report()
    found = gravest(report, case.id)
    assert (case.verdict, True) == (found.verdict, case.words in found.text), found.text
    assert len(case.records) == len(found.records)
    for expected, record in zip(case.records, found.records, strict=True):
        assert str(record).startswith(expected)
    assert {case.id, *case.too} == amiss(report)
    assert found.records or found.remedy or found.verdict is not FAIL


async def test_a_key_to_paste(tmp_path: Path) -> None:
    """A key is longer than one string of a TXT record: the line for the zone file has it in pieces, the value in one."""
    async with world(tmp_path) as it:
        it.publish({KEY: []})
        [record] = (await it.check("dkim_key")).records
    assert dns_record("rsa", PUBLIC) == record.value
    first, _, second = str(record).partition('" "')
    assert f'{KEY}. TXT "{record.value}"' == first + second
    assert 255 == len(first.partition('"')[2])


async def test_the_published_records_cure_it(tmp_path: Path) -> None:
    """A domain of which nothing is published passes once what the report says is published."""
    async with world(tmp_path) as it:
        nothing = {BOUNCE: ["MX 10 in.shop.example"], KEY: [], "_dmarc.shop.example": []}
        it.publish(nothing)
        records = {record.name: record for check in (await it.report()).checks for record in check.records}
        assert set(nothing) == set(records)
        cure = {name: [f"TXT {record.value}"] for name, record in records.items()}
        cure[BOUNCE].append("MX 10 in.shop.example")
        it.publish(cure)
        it.forget()
        assert {"dmarc_policy", "bimi"} == amiss(await it.report())


@pytest.mark.parametrize(
    ("name", "ids"),
    [
        (BOUNCE, {"spf_record", "spf_lookups", "spf_strict", "spf_sources", "mail_from", "ipv6"}),
        (KEY, {"dkim_key"}),
        ("_dmarc.shop.example", {"dmarc_record", "dmarc_policy", "dmarc_reports", "alignment", "bimi"}),
        ("shop.example", {"mx", "starttls", "dane", "postmaster", "abuse"}),
        ("mx.shop.example", {"mx", "starttls", "dane", "postmaster", "abuse"}),
        (V4_POINTER, {"ptr", "fcrdns"}),
        ("mail.shop.example", {"helo", "spf_helo", "fcrdns", "ipv6"}),
        ("_mta-sts.shop.example", {"mta_sts"}),
        ("_smtp._tls.shop.example", {"tls_rpt"}),
        ("default._bimi.shop.example", {"bimi"}),
    ],
)
async def test_no_answer_is_no_verdict(name: str, ids: set[str], tmp_path: Path) -> None:
    """Where the resolver fails the check is unknown, with the resolver's answer as evidence, and nothing else is touched."""
    async with world(tmp_path) as it:
        it.publish({name: ["SERVFAIL"]})
        report = await it.report()
    assert ids == amiss(report)
    for check in report.checks:
        if check.id in ids and check.verdict is not PASS:
            assert UNKNOWN is check.verdict, check
            assert any("SERVFAIL" in said.text for said in check.evidence), check
    assert not report.fails


async def test_one_that_takes_too_long(tmp_path: Path) -> None:
    """It is unknown, with the reason; the others are not held up."""
    async with world(tmp_path) as it:
        it.publish({KEY: ["TIMEOUT"]})
        report = await it.report(limits=Limits(dns=3))
    assert {"dkim_key", "dkim_strength"} == amiss(report)
    assert "This was not answered within 3 s." == gravest(report, "dkim_key").text


@pytest.mark.parametrize(("weak", "words"), [(WEAK, "has 1024 bits; 2048 are expected")])
async def test_a_weak_key(weak: str, words: str, tmp_path: Path) -> None:
    """It works, and a stronger one is asked for."""
    async with world(tmp_path) as it:
        it.sender = replace(SENDER, keys=(SelectedKey(selector="w1", algorithm="rsa", public=weak),))
        it.publish({KEY: [f"TXT {dns_record('rsa', weak)}"]})
        found = await it.check("dkim_strength")
    assert (WARN, True) == (found.verdict, words in found.text)
    assert "waybill identities add-key shop.example --algorithm rsa" == found.command


async def test_ed25519_alone(tmp_path: Path) -> None:
    """Large receivers cannot check it."""
    public = generate_ed25519()[1]
    async with world(tmp_path) as it:
        it.sender = replace(SENDER, keys=(SelectedKey(selector="w1", algorithm="ed25519", public=public),))
        it.publish({KEY: [f"TXT {dns_record('ed25519', public)}"]})
        assert FAIL is (await it.check("dkim_strength")).verdict
