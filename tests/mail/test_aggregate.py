"""Aggregate reports: DMARC's XML and TLS's JSON, in every wrapping, and files that mean harm."""

import base64
import gzip
import io
import json
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.shared_data import SHARED
from waybill.mail.aggregate import MAX_FILE, UnreadableReport, read_aggregate

DMARC = b"""<?xml version="1.0"?>
<feedback xmlns="urn:ietf:params:xml:ns:dmarc-2.0">
  <report_metadata><org_name>Receiver Inc.</org_name><report_id>42</report_id>
    <date_range><begin>1700000000</begin><end>1700086400</end></date_range></report_metadata>
  <policy_published><domain>Shop.Example</domain><p>reject</p></policy_published>
  <record><row><source_ip>192.0.2.7</source_ip><count>3</count>
    <policy_evaluated><disposition>none</disposition><dkim>pass</dkim><spf>fail</spf></policy_evaluated></row>
    <identifiers><header_from>shop.example</header_from></identifiers>
    <auth_results><dkim><domain>shop.example</domain><selector>w1</selector><result>pass</result></dkim></auth_results></record>
  <record><row><source_ip>198.51.100.9</source_ip><count>2</count>
    <policy_evaluated><disposition>reject</disposition><dkim>fail</dkim><spf>fail</spf></policy_evaluated></row>
    <identifiers><header_from>shop.example</header_from></identifiers></record>
</feedback>"""

TLS = json.dumps(
    {
        "organization-name": "Receiver Inc.",
        "date-range": {"start-datetime": "2026-11-23T00:00:00Z", "end-datetime": "2026-11-23T23:59:59Z"},
        "report-id": "7",
        "policies": [
            {
                "policy": {"policy-type": "sts", "policy-domain": "shop.example"},
                "summary": {"total-successful-session-count": 5, "total-failure-session-count": 2},
                "failure-details": [{"result-type": "certificate-expired", "failed-session-count": 2}],
            }
        ],
    }
).encode()


def zipped(data: bytes) -> bytes:
    """The data as the only file of an archive."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("report.xml", data)
    return packed.getvalue()


def mailed(data: bytes) -> bytes:
    """The data attached to a mail."""
    head = b"From: r@receiver.example\r\nMIME-Version: 1.0\r\nContent-Type: application/gzip\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    return head + base64.encodebytes(data).replace(b"\n", b"\r\n")


@pytest.mark.parametrize(
    "wrapped", [DMARC, gzip.compress(DMARC), zipped(DMARC), mailed(gzip.compress(DMARC)), mailed(DMARC)]
)
def test_dmarc_in_every_wrapping(wrapped: bytes) -> None:
    """The same report, whichever way it came."""
    report = read_aggregate(wrapped)
    assert (report.kind, report.reporter, report.report_id, report.domain) == (
        "dmarc",
        "Receiver Inc.",
        "42",
        "shop.example",
    )
    assert (report.begin, report.end) == (1_700_000_000_000, 1_700_086_400_000)
    assert (report.summary["messages"], report.summary["passed"]) == (5, 3)
    rows = report.summary["rows"]
    assert isinstance(rows, list)
    assert ["192.0.2.7", "198.51.100.9"] == [row["source_ip"] for row in rows]


def test_tls() -> None:
    """Sessions that worked and that failed, and why."""
    report = read_aggregate(mailed(gzip.compress(TLS)))
    assert (report.kind, report.domain, report.summary["successful"], report.summary["failed"]) == (
        "tlsrpt",
        "shop.example",
        5,
        2,
    )
    assert "certificate-expired" in json.dumps(report.summary)


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"From: a@b.example\r\n\r\nhello\r\n", "no report is attached"),
        (b'<!DOCTYPE x [<!ENTITY a "b">]><feedback/>', "it declares a document type"),
        (b"<a>" * 50, "it is nested too deeply"),
        (gzip.compress(b" " * (MAX_FILE + 1)), f"it is larger than {MAX_FILE} bytes"),
        (b"\x1f\x8bnonsense", "the attached file cannot be unpacked"),
        (b"PK\x03\x04nonsense", "the attached file cannot be unpacked"),
        (b'{"policies": []}', "it names no domain or no report id"),
        (DMARC[:-40], "the report cannot be read"),
        (b"[" * 100_000, "no report is attached"),
        (b'{"a":' * 100_000, "the report cannot be read"),
    ],
)
def test_what_is_no_report(data: bytes, fault: str) -> None:
    """Each is refused in words, and none takes memory or time beyond its size."""
    with pytest.raises(UnreadableReport, match=fault):
        read_aggregate(data)


@given(st.binary(max_size=300), st.integers(0, len(DMARC)))
@settings(max_examples=100, deadline=None)
def test_hostile_bytes(noise: bytes, at: int) -> None:
    """Whatever comes, it is a report or it is refused; nothing else is raised."""
    for data in (noise, DMARC[:at] + noise + DMARC[at:], TLS[:at] + noise + TLS[at:], zipped(noise), mailed(noise)):
        try:
            read_aggregate(data)
        except UnreadableReport:
            continue


FILES = [] if SHARED is None else sorted((SHARED / "data/reports").glob("*/*.*"))


@pytest.mark.skipif(not FILES, reason="the collection of real reports is not here")
def test_real_reports() -> None:
    """All but those that are cut off or broken are read."""
    read: dict[str, list[Path]] = {"dmarc": [], "tlsrpt": []}
    for file in FILES:
        try:
            read[read_aggregate(file.read_bytes()).kind].append(file)
        except UnreadableReport:
            continue
    assert len(read["dmarc"]) >= 20
    assert len(read["tlsrpt"]) >= 7
