"""Whatever the bytes: nothing is raised, and the time grows with the size. What grows faster would not end here."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.mail.lint.messages import KNOWN, both, header
from waybill.mail.lint import Circumstances, examine
from waybill.mail.lint.html import read_page
from waybill.mail.lint.links import hosts_of, judge_links
from waybill.mail.lint.make import make_of
from waybill.mail.lint.rules import MOST_SHOWN

PIECES = st.sampled_from(
    [
        *(
            "From: ",
            "Subject: RE: ",
            "Date: ",
            "Message-ID: <",
            "Content-Type: multipart/mixed; boundary=b\r\n",
            "\r\n",
        ),
        *("Content-Type: text/html; charset=utf-7\r\n", "Content-Transfer-Encoding: base64\r\n", "\r\n\r\n", "--b\r\n"),
        *(
            "<a href=",
            '"',
            "'",
            "http://",
            "https://[",
            "xn--",
            "@",
            ">",
            "</a>",
            "<!--",
            "<style>",
            "&#x110000;",
            "{{",
        ),
        *(
            "=?utf-8?b?",
            "filename*=utf-8''%ff.exe",
            "PK\x03\x04",
            "DKIM-Signature: h=",
            "List-Unsubscribe: <",
            "\x00",
            "ü",
        ),
    ]
)
SOUP = st.lists(st.one_of(PIECES, st.text(max_size=8)), max_size=40).map("".join)


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.binary(max_size=400), SOUP.map(lambda text: text.encode("utf-8", "surrogatepass"))))
def test_any_bytes(data: bytes) -> None:
    """Findings are short texts on one line."""
    for known in (KNOWN, Circumstances(at=0, bulk=True)):
        for finding in examine(data, known).findings:
            assert "\n" not in finding.text
            assert len(finding.text) < 4 * MOST_SHOWN
    assert 16 == len(make_of(data))


@settings(max_examples=100, deadline=None)
@given(SOUP)
def test_any_html(text: str) -> None:
    """Links have no control characters of lines, and judging them raises nothing."""
    page = read_page(text)
    list(judge_links(page.links, where="HTML part 1"))
    assert all("." in host for host in hosts_of(page.links))


LONG = 300_000
HOSTILE = [
    *("<", "<a", "<a ", '<a "', "<a '", '<a href="', "<a href='x\" ", "</a", "<!--", "<!", "<style>", "<script>"),
    *(
        "<a href=x>",
        "<div style=display:none>",
        "<div hidden ",
        "</div>",
        "&",
        "&#",
        "{{a",
        "{{",
        "*|A",
        "http://",
        "http://a",
    ),
    *(
        "%%a",
        "www.",
        "a.",
        "a.b",
        "@",
        "-",
        "=\r\n",
        "--b\r\n",
        "--b",
        "PK\x03\x04",
        "\n",
        "\r",
        " ",
        "<b><i>",
        "'",
        '"',
        "<a x='\">",
    ),
    *("style = ", "<a href=http://x>www.", "font-size : ", "$", "[", "https://[", "<p style='display :        '>"),
]


@pytest.mark.parametrize("piece", HOSTILE)
def test_long_bodies(piece: str) -> None:
    """A body of one piece, again and again, is read to its end."""
    text = piece * (LONG // len(piece))
    data = both(text, text)
    examine(data, KNOWN)
    make_of(data)


@pytest.mark.parametrize(
    "field",
    [
        *(
            "From: ",
            "From: <",
            "From: (",
            "Subject: =?utf-8?q?",
            "Date: 1 ",
            "DKIM-Signature: h=",
            "DKIM-Signature: h=a:;",
        ),
        *(
            "Content-Type: text/html;",
            "Content-Type: text/html; name=",
            "Content-Type: multipart/mixed; boundary=",
            "x",
            ": ",
        ),
        *("List-Unsubscribe: <", "Message-ID: <", "Content-Disposition: attachment; filename=", " ", "\t", "a:\r\n"),
    ],
)
def test_long_headers(field: str) -> None:
    """So is a header, of one long field or of many."""
    for data in (field + field[-1] * 100_000, f"{field}\r\n" * 5_000, field * 5_000):
        examine(f"{data}\r\n\r\nx".encode(), KNOWN)
        make_of(f"{data}\r\n\r\nx".encode())


def test_deep_and_many_parts() -> None:
    """Multiparts in multiparts, and more parts than anybody sends."""
    deep = "".join(f"Content-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}\r\n" for n in range(3_000))
    many = "--b\r\n\r\nx\r\n" * 50_000
    hollow = "Content-Type: multipart/mixed; boundary=c\r\n\r\n--b\r\n" * 20_000
    for body in (
        deep,
        f"Content-Type: multipart/mixed; boundary=b\r\n\r\n{many}",
        f"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n{hollow}",
    ):
        examine((header() + body).encode(), KNOWN)
