"""The header section: scanning hostile bytes, and writing fields that nothing can be injected into."""

import calendar
import email.header
import email.utils
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from waybill.mail.header import (
    Field,
    HeaderError,
    check_header,
    decode_words,
    encode_words,
    fold,
    format_date,
    scan,
)


def test_scan_unfolds_and_gives_offsets() -> None:
    """Each field comes unfolded, with the place where it stands whole; then the place of the body."""
    data = b"From: a@b.c\r\nSubject: one\r\n two\r\nX-Empty:\r\n\r\nbody\r\n"
    fields, body = scan(data)
    assert (Field("From", "a@b.c", 0, 13), Field("Subject", "one two", 13, 33), Field("X-Empty", "", 33, 43)) == fields
    assert data[body:] == b"body\r\n"
    assert data[13:33] == b"Subject: one\r\n two\r\n"


@pytest.mark.parametrize(
    ("data", "names", "body"),
    [
        (b"", [], b""),
        (b"\r\nbody", [], b"body"),
        (b"\nbody", [], b"body"),
        (b"A: 1\nB: 2\n\nbody\r\n\r\nmore", ["A", "B"], b"body\r\n\r\nmore"),
        (b"A: 1\r\n\r\nbody\n\nmore", ["A"], b"body\n\nmore"),
        (b"A: 1", ["A"], b""),
        (b"A: 1\r\n", ["A"], b""),
        (b"broken line\r\nA: 1\r\nagain\r\nB : 2\r\n\r\nx", ["A", "B"], b"x"),
        (b" lost\r\nA: 1\r\n\r\n", ["A"], b""),
        (b"\xff\xfe: 1\r\nA: 1\r\n\r\n", ["A"], b""),
    ],
)
def test_scan_of_odd_messages(data: bytes, names: list[str], body: bytes) -> None:
    """LF line ends, missing bodies and broken lines do not disturb the fields around them."""
    fields, at = scan(data)
    assert names == [field.name for field in fields]
    assert body == data[at:]


def test_scan_reads_utf8_and_replaces_the_rest() -> None:
    """Raw UTF-8 is read; octets that are none are replaced."""
    fields, _ = scan("A: grün\r\n".encode() + b"B: gr\xfcn\r\n\r\n")
    assert [field.value for field in fields] == ["grün", "gr\ufffdn"]


@settings(max_examples=150)
@given(
    st.lists(
        st.one_of(st.sampled_from([b"A: b", b"\r\n", b"\n", b" ", b"\t", b":", b"From: x\r\n"]), st.binary(max_size=8)),
        max_size=25,
    )
)
def test_scan_takes_any_octets(pieces: list[bytes]) -> None:
    """Fields never overlap, lie before the body, and stand where they say."""
    data = b"".join(pieces)
    fields, body = scan(data)
    at = 0
    for field in fields:
        assert at <= field.start < field.end <= body
        assert data[field.start :].startswith(field.name.encode("ascii"))
        assert "\n" not in field.value
        at = field.end


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("", "x", "Invalid header name ''"),
        ("X Y", "x", "Invalid header name 'X Y'"),
        ("X:", "x", "Invalid header name 'X:'"),
        ("Xé", "x", "Invalid header name 'Xé'"),
        ("X\n", "x", r"Invalid header name 'X\\n'"),
        ("X" * 127, "x", "127 characters; at most 126"),
        ("X", "x" * 996, "996 characters; at most 995"),
        ("X" * 126, "x" * 871, "997 characters with its value; at most 996"),
        ("X", "a\r\nBcc: b", "'X' holds a carriage return at character 2"),
        ("X", "a\nBcc: b", "'X' holds a line feed at character 2"),
        ("X", "\0", "'X' holds a NUL at character 1"),
    ],
)
def test_custom_headers_that_are_refused(name: str, value: str, text: str) -> None:
    """Each fault is named."""
    with pytest.raises(HeaderError, match=text):
        check_header(name, value)


def test_the_longest_custom_header_passes() -> None:
    """126 and 995 characters are within the limits, and 996 together."""
    check_header("X", "x" * 995)
    check_header("X" * 126, "x" * 870)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", "plain"),
        ("=?utf-8?q?J=C3=B6rg?= Meier", "Jörg Meier"),
        ("=?ISO-8859-1?Q?a_b?= =?ISO-8859-1?Q?c?=", "a bc"),
        ("=?utf-8?b?w?= x", "=?utf-8?b?w?= x"),
        ("=?utf-8?B?4oI=?= =?utf-8?B?rA==?=", "€"),
        ("a =?utf-8*de?q?b?= c", "a b c"),
        ("=?nonesuch?q?b?=", "=?nonesuch?q?b?="),
        ("=?unicode_escape?q?=5Cx?=", "=?unicode_escape?q?=5Cx?="),
        ("=?utf-8?q?a=0D=0ABcc:_b?=", "a  Bcc: b"),
        ("=?utf-7?q?+2AA-?=", "?"),
        ("=?iso-2022-jp?b?GyRCRnxLXBsoQg==?=", "日本"),
        ("=?utf-8?q?a?= =?nonesuch?q?b?=", "a =?nonesuch?q?b?="),
        ("(=?utf-8?q?a?=)", "(a)"),
        ("=?utf-8?q?a?= =?iso-8859-1?q?b?=", "ab"),
    ],
)
def test_decoding_words(value: str, text: str) -> None:
    """Encoded words are decoded, joined and made harmless; others stay."""
    assert text == decode_words(value)


@settings(max_examples=150)
@given(
    st.lists(
        st.sampled_from(
            [
                "=?",
                "?=",
                "?q?",
                "?B?",
                "utf-8",
                "utf-7",
                "=41",
                "w6Q=",
                " ",
                "ä",
                "hz",
                "zip",
                "hex",
                "rot13",
                "undefined",
                "idna",
            ]
        ),
        max_size=12,
    )
)
def test_decoding_never_fails(pieces: list[str]) -> None:
    """Whatever looks like an encoded word gives text without line breaks that UTF-8 can write."""
    decoded = decode_words("".join(pieces))
    decoded.encode("utf-8")
    assert not re.search(r"[\r\n\0]", decoded)


_TEXT = st.text(st.characters(blacklist_characters="\r\n\0", blacklist_categories=["Cs"]), max_size=300)


@settings(max_examples=150)
@given(_TEXT, st.integers(0, 60))
def test_encoded_words_come_back(text: str, offset: int) -> None:
    """What is encoded is decoded to the same by us and by the standard library, in lines of legal length."""
    if "=?" in text:
        return
    encoded = encode_words(text, offset=offset)
    lines = (" " * offset + encoded).split("\r\n")
    assert max(map(len, lines)) <= (78 if not encoded.isascii() or "=?" in encoded else 998)
    assert all(len(word) <= 75 for word in re.findall(r"=\?\S+", encoded))
    unfolded = encoded.replace("\r\n", "")
    assert unfolded.isascii()
    assert text == decode_words(unfolded).removeprefix(" " if encoded.startswith("\r\n") else "")
    if "=?" in encoded:
        assert text == str(email.header.make_header(email.header.decode_header(unfolded.strip())))


@pytest.mark.parametrize("charset", ["ISO-8859-1", "iso-2022-jp", "UTF-16", "shift_jis"])
def test_other_charsets(charset: str) -> None:
    """Text comes back from the charset it was to be written in, or from UTF-8 where that cannot hold it."""
    for text in ("Grüße", "日本語" * 30, "€uro"):
        encoded = encode_words(text, charset)
        assert text == decode_words(encoded.replace("\r\n", ""))


def test_unknown_charsets_and_injections_are_refused() -> None:
    """Neither an unknown charset nor a line break gets into a header."""
    with pytest.raises(HeaderError, match="Unknown charset 'nonesuch'"):
        encode_words("ü", "nonesuch")
    with pytest.raises(HeaderError, match="holds a line feed"):
        encode_words("a\nBcc: b")


def test_long_words_are_encoded_to_be_folded() -> None:
    """A text of a thousand characters without a space becomes encoded words, since no line may be that long."""
    encoded = encode_words("x" * 2000)
    assert max(map(len, encoded.split("\r\n"))) <= 76
    assert decode_words(encoded.replace("\r\n", "")) == "x" * 2000


@settings(max_examples=100)
@given(st.text("ab \t", max_size=400).map(str.strip), st.integers(0, 100))
def test_folding_is_undone_by_unfolding(value: str, offset: int) -> None:
    """Folding only puts CRLF before white space that is there, and leaves no line blank."""
    folded = fold(value, offset)
    assert value == folded.replace("\r\n", "")
    assert all(line.strip() for line in folded.split("\r\n")[1:])


def test_a_word_over_a_line_is_refused() -> None:
    """Where nothing may be encoded, a word of over 998 octets cannot be written."""
    with pytest.raises(HeaderError, match="has 999 characters without a space"):
        fold("x" * 999)


@settings(max_examples=100)
@given(st.integers(0, 253402300799))
def test_dates_are_read_back(seconds: int) -> None:
    """The standard library reads the same instant."""
    parsed = email.utils.parsedate_tz(format_date(seconds * 1000 + 999))
    assert parsed is not None
    assert seconds == calendar.timegm(parsed[:6])


def test_date() -> None:
    """As RFC 5322 has it."""
    assert format_date(1795487400000) == "Tue, 24 Nov 2026 02:30:00 +0000"
