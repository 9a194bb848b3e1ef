"""Raw messages: what is changed, what is kept, what is refused."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from waybill.mail.header import ONCE_ONLY, HeaderError, scan
from waybill.mail.line_ends import normalise_line_ends
from waybill.mail.raw import Prepared, RawEdit, RawError, prepare_raw

EDIT = RawEdit(message_id="1@x.example", date=1795487400000)
OURS = b"Message-ID: <1@x.example>\r\nDate: Tue, 24 Nov 2026 02:30:00 +0000\r\n"


def test_what_ses_changes() -> None:
    """Message-ID and Date are ours; X-SES-, Bcc and Return-Path go; the rest stays to the octet."""
    data = (
        b"Return-Path: <bounce@a.example>\r\n"
        b"From:  =?utf-8?q?J=C3=B6rg?=   <a@b.example>\r\n"
        b"Date: yesterday\r\n"
        b"To: c@d.example,\r\n\te@f.example\r\n"
        b"bcc: g@h.example\r\n"
        b"Cc: i@j.example\r\n"
        b"Reply-To: r@b.example\r\n"
        b"Sender: s@b.example\r\n"
        b"Message-Id: <old@b.example>\r\n"
        b"X-SES-CONFIGURATION-SET: set\r\n"
        b"x-ses-message-tags: a=b,\r\n c=d\r\n"
        b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n"
        b"\r\n"
        b"body  \r\n\r\n.\r\n"
    )
    expected = Prepared(
        content=(
            b"From:  =?utf-8?q?J=C3=B6rg?=   <a@b.example>\r\n"
            b"Date: Tue, 24 Nov 2026 02:30:00 +0000\r\n"
            b"To: c@d.example,\r\n\te@f.example\r\n"
            b"Cc: i@j.example\r\n"
            b"Reply-To: r@b.example\r\n"
            b"Sender: s@b.example\r\n"
            b"Message-ID: <1@x.example>\r\n"
            b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n"
            b"\r\n"
            b"body  \r\n\r\n.\r\n"
        ),
        fields=(
            ("Return-Path", "<bounce@a.example>"),
            ("From", "=?utf-8?q?J=C3=B6rg?=   <a@b.example>"),
            ("Date", "yesterday"),
            ("To", "c@d.example,\te@f.example"),
            ("bcc", "g@h.example"),
            ("Cc", "i@j.example"),
            ("Reply-To", "r@b.example"),
            ("Sender", "s@b.example"),
            ("Message-Id", "<old@b.example>"),
            ("X-SES-CONFIGURATION-SET", "set"),
            ("x-ses-message-tags", "a=b, c=d"),
            ("Subject", "=?utf-8?q?Gr=C3=BC=C3=9Fe?="),
        ),
        control={"x-ses-configuration-set": "set", "x-ses-message-tags": "a=b, c=d"},
        from_header="=?utf-8?q?J=C3=B6rg?=   <a@b.example>",
        sender_header="s@b.example",
        subject="Grüße",
        to="c@d.example,\te@f.example",
        cc="i@j.example",
        bcc="g@h.example",
        reply_to="r@b.example",
        return_path="<bounce@a.example>",
    )
    assert expected == prepare_raw(data, EDIT)


@pytest.mark.parametrize(
    ("data", "content"),
    [
        (b"From: a@b\n\nx\ry\r\nz\n", b"From: a@b\r\n" + OURS + b"\r\nx\r\ny\r\nz\r\n"),
        (b"From: a@b\r\n", b"From: a@b\r\n" + OURS + b"\r\n"),
        (b"From: a@b", b"From: a@b\r\n" + OURS + b"\r\n"),
        (b"From x@y Tue\nFrom: a@b\n\nx", b"From: a@b\r\n" + OURS + b"\r\nx\r\n"),
        (b"From: a@b\r\n\r\n" + b"x" * 5000, b"From: a@b\r\n" + OURS + b"\r\n" + b"x" * 5000 + b"\r\n"),
        (b"From: a@b\r\nBcc: " + b"c@d.example,\r\n " * 99 + b"e@f\r\n\r\n", b"From: a@b\r\n" + OURS + b"\r\n"),
    ],
)
def test_odd_but_good_messages(data: bytes, content: bytes) -> None:
    """Line ends are made CRLF, the last one included; a missing body and an mbox line do no harm, long body lines stay."""
    assert content == prepare_raw(data, EDIT).content


def test_several_to_fields() -> None:
    """To, Cc and Bcc may be repeated, as SES has it."""
    prepared = prepare_raw(b"From: a@b\r\nTo: c@d\r\nTo: e@f\r\n\r\n", EDIT)
    assert prepared.to == "c@d, e@f"
    assert prepared.content.count(b"To: ") == 2


@pytest.mark.parametrize("data", [b"To: c@d\r\n\r\n", b"From:\r\nTo: c@d\r\n\r\n"])
def test_a_missing_from_is_filled_in(data: bytes) -> None:
    """The sender that the request names stands in, encoded."""
    prepared = prepare_raw(data, RawEdit(message_id="1@x.example", date=0, from_header="Jörg <a@b.example>"))
    assert prepared.from_header == "Jörg <a@b.example>"
    assert prepared.content.startswith(b"From: =?UTF-8?B?SsO2cmc=?= <a@b.example>\r\nTo: c@d\r\n")
    assert prepared.content.count(b"From:") == 1


REPLACING = RawEdit(
    message_id="1@x.example",
    date=1795487400000,
    from_header="N <n@b.example>",
    replace_from=True,
    reply_to=("r@b.example",),
)


def test_the_request_replaces_from_and_reply_to() -> None:
    """SES v2: FromEmailAddress and ReplyToAddresses stand in for the fields, in their places."""
    data = b"From: a@b.example\r\nTo: c@d.example\r\nReply-To: x@b.example\r\n\r\nx\r\n"
    prepared = prepare_raw(data, REPLACING)
    expected = b"From: N <n@b.example>\r\nTo: c@d.example\r\nReply-To: r@b.example\r\n" + OURS + b"\r\nx\r\n"
    assert ("N <n@b.example>", expected) == (prepared.from_header, prepared.content)
    assert (("From", "N <n@b.example>"), ("To", "c@d.example"), ("Reply-To", "r@b.example")) == prepared.fields


def test_a_field_that_says_the_same_keeps_its_octets() -> None:
    """Spelt in another way, it is the same sender."""
    header = b'From:  "N"  <n@B.example>\r\nReply-To: <r@b.example>\r\n'
    assert header + OURS + b"\r\n" == prepare_raw(header + b"\r\n", REPLACING).content


def test_a_sender_over_smtp_replaces_nothing() -> None:
    """MAIL FROM, and Source of v1, are not written over a From."""
    edit = RawEdit(message_id="1@x.example", date=1795487400000, from_header="n@b.example")
    assert b"From: a@b\r\n" + OURS + b"\r\n" == prepare_raw(b"From: a@b\r\n\r\n", edit).content


def test_a_bad_sender_is_refused() -> None:
    """What stands in for From cannot inject."""
    with pytest.raises(HeaderError):
        prepare_raw(b"To: c@d\r\n\r\n", RawEdit(message_id="1@x", date=0, from_header="a@b\r\nBcc: x@y"))


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "Missing required header 'From'."),
        (b"\r\nFrom: a@b\r\n", "Missing required header 'From'."),
        (b"To: a@b\r\n\r\n", "Missing required header 'From'."),
        (b"From: \r\n\r\n", "Missing required header 'From'."),
        (b"From: a@b\r\nFrom: c@d\r\n\r\n", "Duplicate header 'From'."),
        (b"From: a@b\r\nsubject: x\r\nSUBJECT: y\r\n\r\n", "Duplicate header 'SUBJECT'."),
        (b"From: a@b\r\n\r\nx\0", "The message holds a NUL octet at offset 14; encode binary content as base64."),
        (b"From: a@b\r\nhello\r\n\r\n", "Line 2 of the header is not of the form 'Name: value': 'hello'."),
        (b"From: a@b\r\nX Y: z\r\n\r\n", "Line 2 of the header is not of the form 'Name: value': 'X Y: z'."),
        (b" x\r\nFrom: a@b\r\n\r\n", "Line 1 of the header is not of the form 'Name: value': 'x'."),
        (
            b"From: a@b\r\nX: " + b"y" * 996 + b"\r\n\r\n",
            "Header 'X' has a line of 999 octets; at most 998 are allowed.",
        ),
    ],
)
def test_messages_that_are_refused(data: bytes, text: str) -> None:
    """Each refusal names the field or the place."""
    with pytest.raises(RawError, match=f"^{re.escape(text)}$"):
        prepare_raw(data, EDIT)


@pytest.mark.parametrize("name", sorted(ONCE_ONLY))
def test_fields_allowed_once(name: str) -> None:
    """Each of them is refused the second time."""
    others = b"" if name == "from" else b"From: a@b\r\n"
    with pytest.raises(RawError, match=f"^Duplicate header '{name}'.$"):
        prepare_raw(others + f"{name}: x\r\n{name}: y\r\n\r\n".encode(), EDIT)


def test_fields_allowed_often() -> None:
    """Trace fields and unknown ones may be repeated."""
    data = b"Received: x\r\nReceived: y\r\nX-A: 1\r\nX-A: 2\r\nFrom: a@b\r\n"
    assert prepare_raw(data + b"\r\n", EDIT).content == data + OURS + b"\r\n"


@settings(max_examples=150)
@given(
    st.lists(
        st.sampled_from(
            [b"From: a@b", b"\r\n", b"\n", b"\r", b" x", b"X-SES-A: 1", b"Bcc: c", b"\xff", b":", b"Date: d"]
        ),
        max_size=25,
    )
)
def test_whatever_comes_out_is_a_clean_message(pieces: list[bytes]) -> None:
    """Any octets are refused with RawError, or become a message with one From, ours, CRLF only and nothing secret."""
    try:
        prepared = prepare_raw(b"".join(pieces), EDIT)
    except RawError:
        return
    content = prepared.content
    assert content.count(b"\r\n") == content.count(b"\n") == content.count(b"\r")
    fields, body = scan(content)
    names = [field.name.lower() for field in fields]
    assert [names.count(name) for name in ("from", "message-id", "date")] == [1, 1, 1]
    assert not [name for name in names if name == "bcc" or name.startswith("x-ses-")]
    assert content[body - 2 : body] == b"\r\n"
    assert content.endswith(b"\r\n")
    assert sum(field.end - field.start for field in fields) == body - 2


@settings(max_examples=100)
@given(st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"a", b"\n\r"]), max_size=12).map(b"".join))
def test_line_ends(data: bytes) -> None:
    """Every kind of line end becomes one CRLF, and a second time changes nothing."""
    normal = normalise_line_ends(data)
    assert re.split(rb"\r\n|\r|\n", data) == normal.split(b"\r\n")
    assert normal == normalise_line_ends(normal)


def test_an_endless_header_is_refused() -> None:
    """Before anything is read of it: no receiver would take it."""
    with pytest.raises(RawError, match=r"^The header has \d+ octets; at most 1048576 are allowed.$"):
        prepare_raw(b"From: a@b.example\r\n" + b"X-H: v\r\n" * 140_000 + b"\r\nhi\r\n", EDIT)
