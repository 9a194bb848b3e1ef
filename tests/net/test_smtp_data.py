"""The end of a message, dot-stuffing, and what may not pass."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from waybill.net.smtp_data import BLOCK, SPOOL_FROM, Fault, IncomingMessage


def receive(octets: bytes, *, chunk: int = 1 << 20, max_size: int = 1 << 23) -> tuple[IncomingMessage, bytes | None]:
    """Feeds octets in chunks; the message and what follows its end, or None where it has not ended."""
    message = IncomingMessage(max_size)
    for start in range(0, len(octets), chunk):
        rest = message.feed(octets[start : start + chunk])
        if rest is not None:
            return message, rest + octets[start + chunk :]
    return message, None


def stuff(content: bytes) -> bytes:
    """What a client sends for a content that ends in CRLF (RFC 5321 §4.5.2), by another road than the server's."""
    return re.sub(rb"(?m)^\.", b"..", content) + b".\r\n"


@pytest.mark.parametrize("chunk", [1, 2, 3, 5, 100])
@pytest.mark.parametrize(
    "content", [b"", b"\r\n", b"a\r\n", b".\r\n", b"..\r\n", b"a\r\n.\r\n..b\r\n", b"\r\n\r\n.\r\n\r\n"]
)
def test_the_content_arrives_as_it_was(content: bytes, chunk: int) -> None:
    """Dots are undone, and the octets behind the end are handed back."""
    message, rest = receive(stuff(content) + b"QUIT\r\n", chunk=chunk)
    assert (message.fault, message.content(), rest) == (None, content, b"QUIT\r\n")


@given(
    st.lists(st.text(".a\x80 ", max_size=4).map(lambda line: line.encode("latin-1")), max_size=12),
    st.integers(1, 7),
)
@settings(max_examples=200)
def test_any_lines_in_any_chunks(lines: list[bytes], chunk: int) -> None:
    """Property: unstuffing undoes stuffing wherever the chunks are cut."""
    content = b"".join(line + b"\r\n" for line in lines)
    message, rest = receive(stuff(content) + b"X", chunk=chunk)
    assert (message.fault, message.content(), rest) == (None, content, b"X")


@given(st.text("\r\n.\0a", max_size=24).map(str.encode), st.integers(1, 5))
@settings(max_examples=400)
def test_only_crlf_dot_crlf_ends_a_message(octets: bytes, chunk: int) -> None:
    """Property: the end is at the first CRLF.CRLF (or .CRLF at the start), and what is kept has no bare CR, LF or NUL."""
    message, rest = receive(octets, chunk=chunk)
    end = re.search(rb"(?:\A|\r\n)\.\r\n", octets)
    assert rest == (None if end is None else octets[end.end() :])
    if end is not None:
        body = octets[: end.start() + 2] if end.start() else octets[: end.end() - 3]
        plain = re.sub(rb"(?<=\r\n)\.|\A\.", b"", body).replace(b"\0", b"")
        assert message.fault is None
        assert message.content() == re.sub(rb"\r\n|\r|\n", b"\r\n", plain)


@pytest.mark.parametrize(
    ("octets", "kept"), [(b"a\rb\r\n", b"a\r\nb\r\n"), (b"a\nb\r\n", b"a\r\nb\r\n"), (b"a\0b\r\n", b"ab\r\n")]
)
@pytest.mark.parametrize("before", [0, BLOCK, SPOOL_FROM + BLOCK])
def test_bare_line_ends_and_nul_never_pass(octets: bytes, kept: bytes, before: int) -> None:
    """In the first block as in the last one, and the end is still found."""
    lines = (b"x" * 998 + b"\r\n") * (before // 1000)
    message, rest = receive(lines + octets + lines + b".\r\nNOOP\r\n", chunk=4096)
    assert (message.fault, rest) == (None, b"NOOP\r\n")
    assert message.content() == lines + kept + lines
    message.close()


@pytest.mark.parametrize("size", [BLOCK - 2, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK, SPOOL_FROM + 5])
@pytest.mark.parametrize("line", [b".", b"x" * 100_000, b".." * 50])
def test_long_messages_and_long_lines_arrive_as_they_were(size: int, line: bytes) -> None:
    """Blocks may be cut anywhere, within a line or behind it, in memory and in the file."""
    content = ((line + b"\r\n") * (size // len(line) + 1))[:size].rstrip(b"\r\n") + b"\r\n"
    message, rest = receive(stuff(content), chunk=10_000)
    assert (message.fault, rest) == (None, b"")
    assert message.content() == content
    message.close()


def test_the_largest_message_passes_and_a_larger_one_does_not() -> None:
    """The size is that of the content, without the dots that were added (RFC 1870 §3)."""
    content = b".\r\n" * 100
    message, _ = receive(stuff(content), max_size=300)
    assert message.fault is None
    message, rest = receive(stuff(content) + b"NOOP\r\n", max_size=299, chunk=50)
    assert (message.fault, rest) == (Fault.TOO_LONG, b"NOOP\r\n")
