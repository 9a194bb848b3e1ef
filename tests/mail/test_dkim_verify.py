"""Verifying DKIM: what our signer and dkimpy sign, everything that can be wrong with it, and what damages it."""

import re
from collections.abc import Sequence

import dkim
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.mail.zones import Zones, txt
from waybill.mail.dkim import Signer, dns_record, generate_ed25519, generate_rsa, load_key, sign
from waybill.mail.dkim_key_record import DkimKeyRecordError, parse_key_record
from waybill.mail.dkim_verify import verify
from waybill.model.authentication import DkimResult, DkimVerification

AT = 1795487400000
RSA_PEM, RSA_PUBLIC = generate_rsa(1024)  # short, to be quick
OTHER_PUBLIC = generate_rsa(1024)[1]
ED_PEM, ED_PUBLIC = generate_ed25519()
RSA_NAME, ED_NAME = "r._domainkey.b.example", "e._domainkey.waybill.example"
SIGNERS = (
    Signer(domain="b.example", selector="r", key=load_key(RSA_PEM, "rsa")),
    Signer(domain="waybill.example", selector="e", key=load_key(ED_PEM, "ed25519")),
)
RECORDS = {RSA_NAME: dns_record("rsa", RSA_PUBLIC), ED_NAME: dns_record("ed25519", ED_PUBLIC)}
HEADER = b"From: Some One <a@b.example>\r\nTo: c@d.example\r\nSubject:  a\r\n\tb  c \r\nMessage-ID: <1@x>\r\n"
MESSAGE = HEADER + b"\r\nHello,\r\n\r\n two  spaces \r\n\r\n\r\n"
RSA_768 = (  # too short to be taken
    "MHwwDQYJKoZIhvcNAQEBBQADawAwaAJhANbiiFj/zbFFQRakIlIDmF7CD/5To2b39lSAdWo9koPqCDunC6o+1EcrL1"
    "n19FnLOg0cjjU3Zs9TxHbZDnTVxa9J4Bh876Rd4KlQS7w6D0W3Tvk1KRGcFreFuaxGos9FjQIDAQAB"
)


def signed_by_dkimpy(message: bytes, **options: object) -> bytes:
    choices = {"canonicalize": (b"relaxed", b"simple"), **options}
    header: bytes = dkim.sign(message, b"r", b"b.example", RSA_PEM.encode(), **choices)
    return header + message


async def only(message: bytes, zones: Zones, now: int = AT) -> DkimVerification:
    (found,) = await verify(message, zones, now)
    return found


async def test_both_of_our_algorithms_verify() -> None:
    """Each signature is told by its domain, and names the record that it was checked with."""
    rsa, ed25519 = await verify(sign(MESSAGE, SIGNERS, AT) + MESSAGE, txt(RECORDS), AT)
    assert (DkimResult.PASS, "b.example", "rsa-sha256", 1024) == (rsa.result, rsa.domain, rsa.algorithm, rsa.key_bits)
    assert (DkimResult.PASS, "waybill.example", "ed25519-sha256") == (ed25519.result, ed25519.domain, ed25519.algorithm)
    assert RECORDS[ED_NAME] == ed25519.key_record
    assert AT // 1000 == rsa.signed_at


@pytest.mark.parametrize("header", [b"simple", b"relaxed"])
@pytest.mark.parametrize("body", [b"simple", b"relaxed"])
@pytest.mark.parametrize("length", [False, True])
async def test_what_dkimpy_signs_verifies(header: bytes, body: bytes, *, length: bool) -> None:
    """All canonicalizations, with and without l=."""
    message = signed_by_dkimpy(MESSAGE, canonicalize=(header, body), length=length)
    found = await only(message, txt(RECORDS))
    assert DkimResult.PASS is found.result, found
    assert length is (found.body_length is not None)


@pytest.mark.parametrize("form", [b"simple", b"relaxed"])
@pytest.mark.parametrize("body", [b"", b"\r\n", b"\r\n\r\n\r\n", b"a", b" \r\n ", b"a \t\r\n\r\n", b".\r\n"])
async def test_bodies_of_all_endings_are_as_dkimpy_has_them(form: bytes, body: bytes) -> None:
    """Empty bodies and endings are where implementations differ."""
    message = signed_by_dkimpy(HEADER + b"\r\n" + body, canonicalize=(form, form))
    assert DkimResult.PASS is (await only(message, txt(RECORDS))).result


async def test_what_is_added_after_the_signed_length_is_not_covered() -> None:
    """That is what l= means, and why it is told."""
    message = signed_by_dkimpy(MESSAGE, length=True) + b"added\r\n"
    assert DkimResult.PASS is (await only(message, txt(RECORDS))).result


async def test_line_feeds_alone_stand_for_line_ends() -> None:
    """A message saved by a program of Unix is verified as it was on the wire."""
    message = (sign(MESSAGE, SIGNERS, AT) + MESSAGE).replace(b"\r\n", b"\n")
    assert [DkimResult.PASS] * 2 == [found.result for found in await verify(message, txt(RECORDS), AT)]


async def test_changed_body_and_changed_header_are_told_apart() -> None:
    """The reason says where the change is."""
    good = sign(MESSAGE, SIGNERS[:1], AT) + MESSAGE
    body = await only(good.replace(b"Hello", b"Hullo"), txt(RECORDS))
    assert (DkimResult.FAIL, "the body hash differs: the body was changed after signing") == (body.result, body.reason)
    header = await only(good.replace(b"Message-ID: <1@x>", b"Message-ID: <2@x>"), txt(RECORDS))
    assert DkimResult.FAIL is header.result
    assert header.reason.startswith("the body is as it was signed, and the signature does not match")
    added = await only(good.replace(b"To: c@", b"From: evil@x.example\r\nTo: c@"), txt(RECORDS))
    assert DkimResult.FAIL is added.result


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ("v=DKIM1; p=", "the key is revoked: p= is empty"),
        ("v=DKIM1; k=rsa", "the record has no key (p=)"),
        ("v=DKIM2; p=x", "the record does not begin with v=DKIM1, but has v=DKIM2"),
        ("k=rsa; v=DKIM1; p=x", "the record does not begin with v=DKIM1, but has v=DKIM1"),
        (f"v=DKIM1; k=dsa; p={RSA_PUBLIC}", "the key is of the type k=dsa; known are rsa and ed25519"),
        (f"v=DKIM1; s=chat; p={RSA_PUBLIC}", "the key is not for mail: s=chat"),
        (f"v=DKIM1; p={RSA_768}", "the key has 768 bits; receivers take none below 1024 (RFC 8301)"),
        ("v=DKIM1; p=%%%", "the key in p= is damaged: it is no base64"),
        (f"v=DKIM1; k=ed25519; p={RSA_PUBLIC}", "the key in p= is damaged: it is no ed25519 key (32 octets)"),
        (f"v=DKIM1; p={RSA_PUBLIC}; p={RSA_PUBLIC}", "the record is damaged: the tag p= occurs twice"),
        ("hello", "the record is damaged: 'hello' is no tag of the form name=value"),
    ],
)
async def test_records_that_no_signature_can_be_checked_with(record: str, reason: str) -> None:
    """The reason names what is wrong with the record, and where it is."""
    with pytest.raises(DkimKeyRecordError, match=re.escape(reason)):
        parse_key_record(record)
    found = await only(sign(MESSAGE, SIGNERS[:1], AT) + MESSAGE, txt({RSA_NAME: record}))
    assert DkimResult.PERMERROR is found.result
    assert found.reason.startswith(f"at {RSA_NAME}, {reason}")
    assert record == found.key_record


@pytest.mark.parametrize(
    ("records", "result", "reason"),
    [
        ((), DkimResult.PERMERROR, f"no key is published at {RSA_NAME}"),
        (
            (dns_record("rsa", OTHER_PUBLIC),),
            DkimResult.FAIL,
            "the body is as it was signed, and the signature does not match",
        ),
        (("v=DKIM1; p=", dns_record("rsa", RSA_PUBLIC)), DkimResult.PASS, "the signature matches the published key"),
        ((f"p={RSA_PUBLIC}",), DkimResult.PASS, "the signature matches the published key"),
        (
            (f"v=DKIM1; t=y; p={RSA_PUBLIC}",),
            DkimResult.PASS,
            "the signature matches the published key, and the domain says that it only tests DKIM (t=y)",
        ),
        ((f"v=DKIM1; t=s; p={RSA_PUBLIC}",), DkimResult.PASS, "the signature matches the published key"),
        (
            (f"v=DKIM1; h=sha1; p={RSA_PUBLIC}",),
            DkimResult.PERMERROR,
            f"the key at {RSA_NAME} is not for sha256 (h=sha1)",
        ),
        (
            (dns_record("ed25519", ED_PUBLIC),),
            DkimResult.PERMERROR,
            f"the signature is rsa-sha256, and the key at {RSA_NAME} is ed25519",
        ),
    ],
)
async def test_what_is_published_decides(records: Sequence[str], result: DkimResult, reason: str) -> None:
    """One good signature, and what different records make of it."""
    found = await only(sign(MESSAGE, SIGNERS[:1], AT) + MESSAGE, txt({RSA_NAME: records}))
    assert result is found.result
    assert found.reason.startswith(reason)


async def test_agent_of_a_subdomain_needs_a_key_that_allows_it() -> None:
    """t=s: i= must be in the very domain that signs."""
    message = signed_by_dkimpy(MESSAGE, identity=b"a@sub.b.example")
    assert DkimResult.PASS is (await only(message, txt(RECORDS))).result
    found = await only(message, txt({RSA_NAME: f"v=DKIM1; t=s; p={RSA_PUBLIC}"}))
    assert f"the key at {RSA_NAME} is not for subdomains (t=s), and i= is in sub.b.example" == found.reason


async def test_failing_lookup_is_temporary() -> None:
    """Nothing is said of the signature then."""
    found = await only(sign(MESSAGE, SIGNERS[:1], AT) + MESSAGE, Zones({}, frozenset({(RSA_NAME, "TXT")})))
    assert DkimResult.TEMPERROR is found.result


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ((b"v=1", b"v=2"), "the version v=2 is not 1"),
        ((b"a=rsa-sha256", b"a=rsa-sha1"), "rsa-sha1 signatures are no longer taken (RFC 8301)"),
        ((b"a=rsa-sha256", b"a=rsa-md5"), "the algorithm a=rsa-md5 is none of rsa-sha256 and ed25519-sha256"),
        ((b"c=relaxed/relaxed", b"c=nowsp"), "the canonicalization c=nowsp is none of simple and relaxed"),
        ((b"c=relaxed/relaxed", b"q=dns/http"), "the key cannot be had in a known way: q=dns/http"),
        ((b"c=relaxed/relaxed", b"i=@c.example"), "i=@c.example is not within d=b.example"),
        ((b"c=relaxed/relaxed", b"l=-1"), "l=-1 is no number"),
        ((b"c=relaxed/relaxed", b"x=5"), "the signature expires before it was made (x= is before t=)"),
        ((b"d=b.example", b"d="), "d= is no domain name"),
        ((b"d=b.example; ", b""), "the DKIM-Signature field lacks d="),
        ((b"s=r;", b"s=r; s=r;"), "the DKIM-Signature field is damaged: the tag s= occurs twice"),
        ((b"h=from", b"h=fron"), "the signature does not match"),
        ((b"bh=", b"bh=%"), "bh= is no base64"),
    ],
)
async def test_fields_that_are_no_signature(change: tuple[bytes, bytes], reason: str) -> None:
    """What RFC 6376 §6.1.1 has a verifier refuse before it looks for a key."""
    header = sign(MESSAGE, SIGNERS[:1], AT).replace(*change)
    found = await only(header + MESSAGE, txt(RECORDS))
    assert found.result in {DkimResult.PERMERROR, DkimResult.FAIL}
    assert reason in found.reason


async def test_unsigned_from_is_refused() -> None:
    """A signature that leaves From open proves nothing."""
    header = re.sub(rb"from:", b"", sign(MESSAGE, SIGNERS[:1], AT))
    assert "the From field is not signed (h= does not name it)" == (await only(header + MESSAGE, txt(RECORDS))).reason


async def test_expired_signature_fails() -> None:
    """x= is in Unix seconds, and may be beyond the calendar."""
    message = sign(MESSAGE, SIGNERS[:1], AT).replace(b"c=relaxed/relaxed", b"x=1795487500") + MESSAGE
    found = await only(message, txt(RECORDS), AT + 200_000)
    assert (DkimResult.FAIL, "the signature expired at 2026-11-24T02:31:40.000Z (x=)") == (found.result, found.reason)
    late = sign(MESSAGE, SIGNERS[:1], AT).replace(b"c=relaxed/relaxed", b"x=" + b"9" * 76) + MESSAGE
    assert "expired" not in (await only(late, txt(RECORDS), AT)).reason


@settings(max_examples=60, deadline=None)
@given(at=st.integers(min_value=0), bit=st.integers(0, 7))
async def test_any_flipped_bit_of_what_is_signed_fails(at: int, bit: int) -> None:
    """In the signed fields, the signature or the body; letters' case in names and white space apart, which relaxed form lets change."""
    message = bytearray(sign(MESSAGE, SIGNERS[1:], AT) + MESSAGE)
    at %= len(message)
    message[at] ^= 1 << bit
    before = sign(MESSAGE, SIGNERS[1:], AT) + MESSAGE
    found = await verify(bytes(message), txt(RECORDS), AT)
    passed = [each.result for each in found] == [DkimResult.PASS]
    assert not passed or _says_the_same(before, bytes(message))


def _says_the_same(before: bytes, after: bytes) -> bool:
    """Whether two messages differ only in what RFC 6376 lets differ, or in what no signature of ours covers."""
    relaxed = [re.sub(rb"\s+", b" ", each.lower()) for each in (before, after)]
    verdicts = []
    for message in (before, after):
        verifier = dkim.DKIM(message)
        try:
            verdicts.append(
                verifier.verify(dnsfunc=lambda name, timeout=5: RECORDS[name.decode().rstrip(".")].encode())
            )
        except (dkim.DKIMException, KeyError):
            verdicts.append(False)
    return relaxed[0] == relaxed[1] or all(verdicts)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                b"DKIM-Signature:",
                b" v=1;",
                b"a=rsa-sha256;",
                b"b=AA==;",
                b"bh=AA==",
                b"d=b.example;",
                b"s=r;",
                b"h=from",
                b"\r\n",
                b";",
                b"=",
                b"\x00\xff",
                b"l=9;",
                b"t=y",
            ]
        ),
        max_size=24,
    )
)
async def test_no_message_makes_it_raise(pieces: list[bytes]) -> None:
    """Hostile bytes have a result as well."""
    for found in await verify(b"".join(pieces), txt(RECORDS), AT):
        assert found.result is not DkimResult.PASS
