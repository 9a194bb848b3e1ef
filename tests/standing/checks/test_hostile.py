"""Records, replies and header fields are anybody's words: whatever they are, they are read as something, and shown harmlessly."""

from pathlib import Path

import click
import dns.rdata
import dns.rdataclass
import dns.rdatatype
from hypothesis import given
from hypothesis import strategies as st

from tests.standing.checks.world import KEY, SENDER, world
from waybill.cli.check_page import changes, page
from waybill.standing.checks.bimi import _fault
from waybill.standing.checks.check import About, DnsRecord, Evidence, Verdict
from waybill.standing.checks.run import Report
from waybill.standing.checks.source import is_generic
from waybill.standing.checks.spf import wanted
from waybill.standing.checks.unsubscribe import _lacks

HOSTILE = "\x1b[2J\x07\u202e\u0085\n\r\x00"


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    """Nothing is raised for it."""
    assert isinstance(_fault(f"v=BIMI1; {text}"), str)
    assert isinstance(_lacks({"list-unsubscribe": text, "list-unsubscribe-post": text}), str)
    assert is_generic(text, "192.0.2.7") in {True, False}
    assert wanted("shop.example", (text, f"v=spf1 {text}"), ("192.0.2.7",)).value.startswith("v=spf1 ip4:192.0.2.7")


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=600))
def test_a_line_to_paste_is_the_record(value: str) -> None:
    """A name server that reads the line has the value, whatever its length and quotes."""
    line = str(DnsRecord(name="shop.example", type="TXT", value=value))
    read = dns.rdata.from_text(dns.rdataclass.IN, dns.rdatatype.TXT, line.removeprefix("shop.example. TXT "))
    assert value == b"".join(read.strings).decode()  # type: ignore[attr-defined] # TXT has strings


def test_nothing_is_obeyed() -> None:
    """What a terminal would obey is written out, in every part of the page."""
    record = DnsRecord(name="shop.example", type="TXT", value=HOSTILE, replaces=HOSTILE)
    said = (Evidence(at=0, kind="dns", source=HOSTILE, text=HOSTILE),)
    checks = tuple(
        About(id="mx", subject=HOSTILE, evidence=said).ends(verdict, HOSTILE, record, remedy=HOSTILE)
        for verdict in Verdict
    )
    report = Report(sender=SENDER, at=0, checks=checks)
    for text in (page(report), changes(Report(sender=SENDER, at=0, checks=()), report)):
        assert [] == [line for line in click.unstyle(text).splitlines() if not line.isprintable()]


async def test_records_of_all_kinds(tmp_path: Path) -> None:
    """Records that are none of what they should be are faults, not accidents."""
    names = (
        "_dmarc.shop.example",
        "_mta-sts.shop.example",
        "_smtp._tls.shop.example",
        "default._bimi.shop.example",
        KEY,
    )
    beginnings = ("v=DMARC1;", "v=STSv1;", "v=TLSRPTv1;", "v=BIMI1;", "v=DKIM1;")
    for ending in ("", ";;;=;", " " * 300, "p=\u00e4\u00f6", "rua=mailto:@,mailto:x@[1];l=;a=;p=none"):
        async with world(tmp_path) as it:
            it.publish({name: [f"TXT {begun}{ending}"] for name, begun in zip(names, beginnings, strict=True)})
            report = await it.report()
        assert report.fails
        assert page(report)
