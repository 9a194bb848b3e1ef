"""SMTP replies from the wire, in any pieces, and as logs quote them."""

import itertools
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.shared_data import SHARED
from waybill.mail.reply import MalformedReply, ReplyParser, find_enhanced, parse_reply, without_type
from waybill.model.outcome import Reply


def test_one_line() -> None:
    """A single line is a whole reply."""
    assert [Reply(code=250, enhanced="2.1.5", lines=("2.1.5 Ok",))] == ReplyParser().feed(b"250 2.1.5 Ok\r\n")


def test_many_lines_and_pipelined_replies() -> None:
    """Lines with a hyphen belong to one reply; what follows it is the next."""
    expected = [
        Reply(code=250, enhanced=None, lines=("mx.example", "PIPELINING", "SIZE 1000")),
        Reply(code=550, enhanced="5.7.26", lines=("5.7.26 Unauthenticated", "5.7.26 email")),
    ]
    wire = b"250-mx.example\r\n250-PIPELINING\r\n250 SIZE 1000\r\n550-5.7.26 Unauthenticated\r\n550 5.7.26 email\r\n"
    assert expected == ReplyParser().feed(wire)


def test_bare_lf_and_bare_code() -> None:
    """A bare LF ends a line, and a code alone is a reply without text."""
    expected = [Reply(code=354, enhanced=None, lines=("",)), Reply(code=250, enhanced=None, lines=("",))]
    assert expected == ReplyParser().feed(b"354\n250 \n")


def test_octets_that_are_no_utf8() -> None:
    """Text in any other encoding comes out with replacement characters."""
    assert ReplyParser().feed(b"550 zustellbar: unm\xf6glich\r\n")[0].lines == ("zustellbar: unm\ufffdglich",)


def test_what_is_unfinished() -> None:
    """After a connection is lost, what was read of the last reply can be told."""
    parser = ReplyParser()
    parser.feed(b"250 ok\r\n550-5.1.1 No\r\n550 such us")
    assert parser.unfinished == "550-5.1.1 No\n550 such us"
    parser.feed(b"er\r\n")
    assert parser.unfinished == ""


@pytest.mark.parametrize(
    ("wire", "fault", "line"),
    [
        (b"hello\r\n", "line without a reply code", "hello"),
        (b"\r\n", "line without a reply code", ""),
        (b"000 ok\r\n", "reply code 000, which SMTP does not have", "000 ok"),
        (b"150 ok\r\n", "reply code 150, which SMTP does not have", "150 ok"),
        (b"199-ok\r\n", "reply code 199, which SMTP does not have", "199-ok"),
        (b"600\r\n", "reply code 600, which SMTP does not have", "600"),
        (b"999 ok\r\n", "reply code 999, which SMTP does not have", "999 ok"),
        (b"25\r\n", "line without a reply code", "25"),
        (b"2500 ok\r\n", "line without a reply code", "2500 ok"),
        (b" 250 ok\r\n", "line without a reply code", " 250 ok"),
        (b"\x00250 ok\r\n", "line without a reply code", "\ufffd250 ok"),
        ("²50 ok\r\n".encode(), "line without a reply code", "²50 ok"),
        (b"250ok\r\n", "line without a reply code", "250ok"),
        (b"250-a\r\n251 b\r\n", "reply code changes from 250 to 251 within a reply", "251 b"),
        (b"250-a\r\nb\r\n250 c\r\n", "line without a reply code", "b"),
        (b"250-a\r\n550 b\r\n", "reply code changes from 250 to 550 within a reply", "550 b"),
        (b"x" * 4097, "line without a reply code", "x" * 4096),
        (b"x" * 10_000 + b"\r\n", "line without a reply code", "x" * 4096),
        (b"250-a\r\n" * 512 + b"250 b\r\n", "reply of over 512 lines", "250 b"),
    ],
)
def test_malformed(wire: bytes, fault: str, line: str) -> None:
    """Each way of being no reply is named, with the line at fault."""
    with pytest.raises(MalformedReply) as caught:
        ReplyParser().feed(wire)
    assert (fault, line) == (caught.value.fault, caught.value.line)


def test_replies_before_a_malformed_one_are_kept() -> None:
    """The good replies come with the exception once; the parser stays broken."""
    parser = ReplyParser()
    with pytest.raises(MalformedReply) as caught:
        parser.feed(b"250 ok\r\nrubbish\r\n250 more\r\n")
    assert (Reply(code=250, enhanced=None, lines=("ok",)),) == caught.value.completed
    with pytest.raises(MalformedReply) as again:
        parser.feed(b"250 ok\r\n")
    assert again.value.completed == ()


def test_of_a_long_line_the_beginning_counts() -> None:
    """A reply of 10,000 octets in one line is a reply, cut to 4096, and no longer line is kept in memory."""
    for length in (4091, 4092, 4093, 10_000):
        (reply,) = ReplyParser().feed(b"250 " + b"x" * length + b"\r\n")
        assert reply.lines == ("x" * min(length, 4092),)
    parser = ReplyParser()
    for _ in range(100):
        assert parser.feed(b"250-" + b"x" * 10_000) == []
    assert len(parser.unfinished) == 4097
    assert [len(line) for line in parser.feed(b"\r\n250 end\r\n")[0].lines] == [4092, 3]


@pytest.mark.parametrize("octet", [0, 1, 8, 11, 12, 13, 27, 31, 127])
def test_control_characters_are_no_text(octet: int) -> None:
    """NUL, escape sequences and a CR inside a line come out as replacement characters; a tab stays."""
    assert ReplyParser().feed(b"550 a" + bytes([octet]) + b"b\tc\r\n")[0].lines == ("a\ufffdb\tc",)


def test_line_ends_of_other_worlds() -> None:
    """What Unicode calls a line end does not end a line, and does not reach those who quote it."""
    assert ReplyParser().feed("250 a\u2028b\u2029c\x85d\r\n".encode())[0].lines == ("a\ufffdb\ufffdc\ufffdd",)


def test_a_reply_cut_at_every_place() -> None:
    """Two packets carry a reply as well as one, wherever the cut is."""
    wire = b"550-5.1.1 No such us\xc3\xa9r\r\n550-\n550 5.1.1 here\r\n250 next\r\n"
    whole = ReplyParser().feed(wire)
    assert len(whole) == 2
    for place in range(len(wire) + 1):
        parser = ReplyParser()
        assert [*parser.feed(wire[:place]), *parser.feed(wire[place:])] == whole


def test_the_most_lines_pass() -> None:
    """512 lines are within the limits."""
    assert len(ReplyParser().feed(b"250-a\r\n" * 511 + b"250 b\r\n")[0].lines) == 512


_PIECES = st.one_of(
    st.sampled_from([b"250 ok\r\n", b"250-a\r\n", b"250-", b"550 5.1.1 no\n", b"\r", b"\n", b"421", b" ", b"\xff"]),
    st.binary(max_size=12),
    st.sampled_from([b"250 " + b"x" * 4090, b"y" * 4090, b"\r\r\r"]),
)


def _outcome(chunks: list[bytes]) -> tuple[list[Reply], str | None]:
    parser = ReplyParser()
    replies: list[Reply] = []
    for chunk in chunks:
        try:
            replies += parser.feed(chunk)
        except MalformedReply as malformed:
            return [*replies, *malformed.completed], malformed.fault
    return replies, None


@settings(max_examples=150)
@given(st.lists(_PIECES, max_size=30), st.lists(st.integers(0, 100_000), max_size=10))
def test_chunking_makes_no_difference(pieces: list[bytes], cuts: list[int]) -> None:
    """Any octets, cut anywhere, give the same replies and the same fault as in one piece."""
    wire = b"".join(pieces)
    places = [0, *sorted(cut % (len(wire) + 1) for cut in cuts), len(wire)]
    chunks = [wire[start:end] for start, end in itertools.pairwise(places)]
    assert _outcome([wire]) == _outcome(chunks)


@settings(max_examples=100)
@given(
    st.integers(200, 599),
    st.lists(st.text(st.characters(blacklist_categories=["Cs", "Cc", "Zl", "Zp"])), min_size=1, max_size=5),
)
def test_what_is_written_is_read(code: int, texts: list[str]) -> None:
    """A reply's code and texts come back as they were written."""
    wire = "".join(f"{code}{' ' if n == len(texts) else '-'}{text}\r\n" for n, text in enumerate(texts, 1))
    (reply,) = ReplyParser().feed(wire.encode())
    assert (code, tuple(texts)) == (reply.code, reply.lines)


@settings(max_examples=100)
@given(st.text())
def test_any_text_is_a_reply_or_malformed(text: str) -> None:
    """No text makes the quoted-reply reader fail otherwise."""
    try:
        reply = parse_reply(text)
    except MalformedReply:
        return
    assert str(reply.code) in text


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("550 5.1.1 User unknown", ("5.1.1 User unknown",)),
        ("smtp; 550 5.1.1 User unknown", ("5.1.1 User unknown",)),
        ("550-5.7.26 a\r\n550-5.7.26 b\n550 5.7.26 c", ("5.7.26 a", "5.7.26 b", "5.7.26 c")),
        ("550-5.7.26 a 550-5.7.26 b 550 5.7.26 c", ("5.7.26 a", "5.7.26 b", "5.7.26 c")),
        ("550 a 550 b", ("a 550 b",)),
        ("550 5.1.1 User\n unknown here", ("5.1.1 User unknown here",)),
        ("421", ("",)),
    ],
)
def test_quoted_replies(text: str, lines: tuple[str, ...]) -> None:
    """Logs quote replies on one line, on several, folded and joined."""
    assert lines == parse_reply(text).lines


@pytest.mark.parametrize(
    ("lines", "enhanced"),
    [
        (("5.1.1 no",), "5.1.1"),
        (("5.7.606",), "5.7.606"),
        (("#5.1.0 Address rejected.",), "5.1.0"),
        (("(5.2.2) full",), "5.2.2"),
        (("sorry, no mailbox here (#5.1.1)",), "5.1.1"),
        (("mx.example did not like our RCPT TO:550 5.2.2 <a@b.example>",), "5.2.2"),
        (("Hello", "4.7.0 later"), "4.7.0"),
        (("a 550 5.1.1 b", "4.7.0 later"), "4.7.0"),
        (("4.4.7 Message expired",), "4.4.7"),
        (("5.1.1.2 is an address",), None),
        (("3.1.1 no such class",), None),
        (("5.1 no",), None),
        (("",), None),
    ],
)
def test_enhanced_codes(lines: tuple[str, ...], enhanced: str | None) -> None:
    """The enhanced status code is found where servers put it, and nowhere else."""
    assert enhanced == find_enhanced(lines)


@pytest.mark.skipif(SHARED is None, reason="the collection of real replies is not on this machine")
def test_real_replies() -> None:
    """Of the real replies that have a code, all but two odd ones give the enhanced code that their collectors noted."""
    assert SHARED is not None
    differing = []
    for row in map(json.loads, (SHARED / "data" / "replies.jsonl").read_text("utf-8").strip().split("\n")):
        try:
            reply = parse_reply(row["reply"])
        except MalformedReply:
            continue
        if (str(reply.code), reply.enhanced) != (row["code"], row["enhanced"] or None):
            differing.append(row["reply"])
    assert len(differing) == 2
    assert all("ERROR_CODE :5." in text for text in differing)


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("smtp; 550 5.1.1 no such user", "550 5.1.1 no such user"),
        (" X-Unix ; 67", "67"),
        ("dns;mx.b.example", "mx.b.example"),
        ("550 the limit of smtp; see the page", "550 the limit of smtp; see the page"),
        (None, ""),
    ],
)
def test_the_type_in_front_is_left_out(text: str | None, bare: str) -> None:
    """Only where it stands in front: words that hold a semicolon further on stay whole."""
    assert bare == without_type(text)
