"""Command lines as the server reads them."""

import base64
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from waybill.net.smtp_command import (
    Command,
    CommandError,
    ReversePath,
    decode_base64,
    parse_command,
    parse_mail,
    parse_plain,
    parse_rcpt,
)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"QUIT\r\n", Command("QUIT", "")),
        (b"ehlo client.example \r\n", Command("EHLO", "client.example")),
        (b"MAIL FROM:<a@b.example> SIZE=10\r\n", Command("MAIL", "FROM:<a@b.example> SIZE=10")),
        (b"\r\n", Command("", "")),
    ],
)
def test_a_line_is_verb_and_argument(line: bytes, expected: Command) -> None:
    """Verbs are read in any case."""
    assert parse_command(line) == expected


@pytest.mark.parametrize("line", [b"QUIT\n", b"QUIT", b"QU\rIT\r\n", b"QU\0IT\r\n", "QÜIT\r\n".encode(), b"QUIT\r\r\n"])
def test_only_crlf_ends_a_line_and_only_printable_ascii_fills_it(line: bytes) -> None:
    """Bare CR and LF, NUL and 8-bit octets are refused."""
    with pytest.raises(CommandError) as refused:
        parse_command(line)
    assert refused.value.code == 500


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("FROM:<a@b.example>", ReversePath("a@b.example")),
        ("from: <a@b.example>", ReversePath("a@b.example")),
        ("FROM:<>", ReversePath("")),
        ("FROM:<@relay.example,@r2.example:a@b.example>", ReversePath("a@b.example")),
        ('FROM:<"a > b"@b.example>', ReversePath('"a > b"@b.example')),
        ('FROM:<"a\\"b"@b.example> BODY=8bitmime', ReversePath('"a\\"b"@b.example', body="8BITMIME")),
        ("FROM:<a@b.example> SIZE=1000 AUTH=<>", ReversePath("a@b.example", size=1000)),
    ],
)
def test_mail_from(argument: str, expected: ReversePath) -> None:
    """Paths with and without route and quotes, and the parameters that are offered."""
    assert parse_mail(argument) == expected


@pytest.mark.parametrize(
    ("argument", "reply"),
    [
        ("", "501 Syntax error: FROM:<address> is wanted"),
        ("TO:<a@b.example>", "501 Syntax error: FROM:<address> is wanted"),
        ("FROM:a@b.example", "501 Invalid MAIL FROM address provided"),
        ("FROM:<a@b.example", "501 Invalid MAIL FROM address provided"),
        ("FROM:<a@b.example>x", "501 Invalid MAIL FROM address provided"),
        ("FROM:<a@b.example> SIZE=many", "501 Syntax error in the value of the parameter SIZE"),
        ("FROM:<a@b.example> BODY", "501 Syntax error in the value of the parameter BODY"),
        ("FROM:<a@b.example> =x", "501 Syntax error in the parameters"),
        ("FROM:<a@b.example> SMTPUTF8", "555 MAIL FROM parameter SMTPUTF8 is not supported"),
        ("FROM:<a@b.example> RET=FULL", "555 MAIL FROM parameter RET is not supported"),
    ],
)
def test_mail_from_is_refused_with_the_reason(argument: str, reply: str) -> None:
    """The reply names what is wrong."""
    with pytest.raises(CommandError) as refused:
        parse_mail(argument)
    assert str(refused.value) == reply


@pytest.mark.parametrize(
    ("argument", "reply"),
    [
        ("TO:<>", "501 Invalid RCPT TO address provided"),
        ("TO:b@b.example", "501 Invalid RCPT TO address provided"),
        ("TO:<b@b.example> NOTIFY=NEVER", "555 RCPT TO parameter NOTIFY is not supported"),
    ],
)
def test_rcpt_to_is_refused_with_the_reason(argument: str, reply: str) -> None:
    """A recipient is needed, and DSN parameters are not offered."""
    with pytest.raises(CommandError) as refused:
        parse_rcpt(argument)
    assert str(refused.value) == reply


def test_plain_credentials() -> None:
    """RFC 4616 §4: the authorization identity is empty or the name itself."""
    assert parse_plain(base64.b64encode(b"\0user\0p\xc3\xa4ss")) == ("user", "päss")
    assert parse_plain(base64.b64encode(b"user\0user\0pass")) == ("user", "pass")


@pytest.mark.parametrize(
    ("response", "code"),
    [(b"!!!", 501), (b"=", 501), (base64.b64encode(b"\0user"), 501), (base64.b64encode(b"other\0user\0pass"), 535)],
)
def test_broken_credentials(response: bytes, code: int) -> None:
    """No base64, too few parts, and acting for somebody else are refused."""
    with pytest.raises(CommandError) as refused:
        parse_plain(response)
    assert refused.value.code == code


@given(st.binary(max_size=80) | st.text('MAILFROTO:<>@"\\ ab.=,\r\n\0é', max_size=60).map(str.encode))
@settings(max_examples=300)
def test_no_octets_crash_the_parsers(octets: bytes) -> None:
    """Any octets come to a command or to a reply of class 5."""
    for read in (
        lambda: parse_command(octets),
        lambda: parse_mail(octets.decode("latin-1")),
        lambda: parse_rcpt(octets.decode("latin-1")),
        lambda: parse_plain(octets),
        lambda: decode_base64(octets),
    ):
        assert reply_code(read) in (None, 500, 501, 535, 555)


def reply_code(read: Callable[[], object]) -> int | None:
    try:
        read()
    except CommandError as refused:
        return refused.code
    return None


_LOCAL = st.text("abcXYZ019.!#$%&'*+-/=?^_`{|}~", min_size=1, max_size=20)


@given(_LOCAL, st.sampled_from(["b.example", "xn--bcher-kva.example"]), st.integers(0, 10**12))
@settings(max_examples=100)
def test_what_a_client_writes_is_read_back(local: str, domain: str, size: int) -> None:
    """Addresses of dot-atoms and sizes come through unchanged."""
    address = f"{local}@{domain}"
    assert parse_mail(f"FROM:<{address}> SIZE={size}") == ReversePath(address, size)
    assert parse_rcpt(f"TO:<{address}>") == address
