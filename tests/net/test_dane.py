"""TLSA records against certificates of all usages (RFC 6698, RFC 7671, RFC 7672)."""

import datetime as dt
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.net.certificates import Issued, issue
from waybill.net.dane import Dane, Tlsa, match, parse_tlsa

NOW = dt.datetime.now(dt.UTC)
NAMES = ("mx.b.test", "b.test")
ROOT = issue("Root", authority=True)
MIDDLE = issue("Middle", by=ROOT, authority=True)
LEAF = issue("mx.b.test", by=MIDDLE)
OWN = issue("any.other.test", expired=True)
STRANGER = issue("Stranger", authority=True)


def why_not(server: Issued, *records: Tlsa, names: tuple[str, ...] = NAMES) -> str | None:
    found = match(Dane(base="mx.b.test", records=records, names=names), server.chain, NOW)
    assert (found.record is None) is (found.why_not is not None)
    return found.why_not


@pytest.mark.parametrize("selector", [0, 1])
@pytest.mark.parametrize("matching", [0, 1, 2])
def test_every_selector_and_matching_type(selector: int, matching: int) -> None:
    """A server's own certificate or key, and an authority's, whole or by digest; somebody else's fits none of them."""
    own = OWN.tlsa(3, selector, matching)
    assert why_not(OWN, own) is None  # neither name nor expiry count with DANE-EE
    assert why_not(LEAF, own) is not None
    for anchor in (ROOT, MIDDLE):
        assert why_not(LEAF, anchor.tlsa(2, selector, matching)) is None
    assert why_not(LEAF, STRANGER.tlsa(2, selector, matching)) is not None


def test_one_record_of_several_is_enough() -> None:
    """During a change of keys the old and the new record stand side by side."""
    old, new = OWN.tlsa(3, 1, 1), LEAF.tlsa(3, 1, 1)
    found = match(Dane(base="mx.b.test", records=(old, ROOT.tlsa(2, 0, 1), new)), LEAF.chain, NOW)
    assert found.record == new


def test_an_authority_vouches_for_names_and_dates() -> None:
    """DANE-TA checks the chain in full: the name, the dates, and that the authority is one (RFC 7672 §3.1.2)."""
    record = ROOT.tlsa(2, 1, 1)
    other = issue("other.test", by=ROOT)
    assert "does not hold for mx.b.test or b.test" in (why_not(other, record) or "")
    assert why_not(issue("b.test", by=ROOT), record) is None  # the next-hop domain is as good (RFC 7672 §3.2.2)
    assert why_not(issue("*.b.test", by=ROOT), record) is None
    assert why_not(issue("mx.b.test", by=ROOT, expired=True), record) is not None
    assert why_not(issue("mx.b.test", by=issue("NoCa", by=ROOT)), record) is not None
    forged = issue("mx.b.test")
    assert why_not(replace(forged, above=(ROOT.certificate,)), record) is not None


def test_an_authority_in_the_record_need_not_be_shown() -> None:
    """With ``2 0 0`` the record holds the whole certificate (RFC 7671 §5.2.2); a digest needs it in the handshake."""
    bare = replace(issue("mx.b.test", by=ROOT), above=())
    assert why_not(bare, ROOT.tlsa(2, 0, 0)) is None
    assert why_not(bare, ROOT.tlsa(2, 0, 1)) is not None


def test_the_words_name_what_was_shown() -> None:
    """A mismatch names the digest of the certificate that the server has, so that the receiver's postmaster can find it."""
    words = why_not(OWN, LEAF.tlsa(3, 1, 1)) or ""
    assert OWN.tlsa(3, 0, 1).data.hex()[:16] in words
    assert match(Dane(base="x", records=()), [], NOW).why_not == "no certificate was shown"
    assert "unreadable" in (match(Dane(base="x", records=()), [b"x"], NOW).why_not or "")


@pytest.mark.parametrize(
    ("text", "usable"),
    [
        (f"3 1 1 {'ab' * 32}", True),
        (f"2 0 2 {'ab' * 32} {'ab' * 32}", True),
        ("3 0 0 3082", True),
        (f"1 1 1 {'ab' * 32}", False),
        (f"0 0 1 {'ab' * 32}", False),
        (f"3 2 1 {'ab' * 32}", False),
        (f"3 1 3 {'ab' * 32}", False),
        (f"3 1 1 {'ab' * 31}", False),
        (f"4 1 1 {'ab' * 32}", False),
    ],
)
def test_usable(text: str, usable: bool) -> None:
    """Usages that need a public authority, unknown numbers and digests cut short are of no use (RFC 7672 §3.1.3)."""
    assert parse_tlsa(text).usable is usable


@pytest.mark.parametrize(
    "text", ["", "3 1 1", "3 1 x ab", "3 1 1 abc", "3 1 1 xy", "256 1 1 ab", "3 1 -1 ab", "³ 1 1 ab"]
)
def test_no_tlsa(text: str) -> None:
    """The error shows what was there."""
    with pytest.raises(ValueError, match="TLSA record"):
        parse_tlsa(text)


@settings(max_examples=60)
@given(st.integers(0, 255), st.integers(0, 255), st.integers(0, 255), st.binary(max_size=80))
def test_any_record_is_read_and_judged(usage: int, selector: int, matching: int, data: bytes) -> None:
    """What is published by anybody neither stops us nor fits a certificate by chance."""
    record = (
        parse_tlsa(f"{usage} {selector} {matching} {data.hex()}")
        if data
        else Tlsa(usage=usage, selector=selector, matching=matching, data=data)
    )
    assert (record.usage, record.selector, record.matching, record.data) == (usage, selector, matching, data)
    if record.usable:
        assert why_not(LEAF, record) is not None
