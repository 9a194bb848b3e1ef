"""The make of a message: the same for copies of a mailing, another where what is examined differs."""

import base64

import pytest

from tests.mail.lint.messages import HTML, WORDS, both, header, plain
from waybill.mail.lint.make import make_of


def encoded(html: str, encoding: str) -> bytes:
    in_base64 = base64.encodebytes(html.encode()).decode().replace("\n", "\r\n")
    quoted = html.replace("=", "=3D")
    quoted = "=\r\n".join(quoted[at : at + 70] for at in range(0, len(quoted), 70))
    body = in_base64 if encoding == "base64" else quoted
    return (header() + f"Content-Type: text/html\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n{body}\r\n").encode()


@pytest.mark.parametrize("encoding", ["base64", "quoted-printable"])
def test_copies_of_a_mailing(encoding: str) -> None:
    """Names, numbers and where soft line breaks fall make no difference, in any encoding."""
    html = '<p>Dear %s,</p><p>your order %d: <a href="https://shop.example/o/%d">look</a></p>' + HTML * 5
    makes = {
        make_of(encoded(html % (name, number, number), encoding)) for name, number in (("Jo", 1), ("Ferdinand", 220))
    }
    assert 1 == len(makes)


@pytest.mark.parametrize(
    "other",
    [
        both(HTML.replace("https://shop", "http://shop")),
        both(HTML.replace("shop.example", "evil.example")),
        both(HTML + "<form></form>"),
        both(HTML + "{{name}}"),
        both(HTML, Subject="RE: Your order"),
        both(HTML, From="Shop <other@shop.example>"),
        both(HTML, List_Unsubscribe="<https://shop.example/u>"),
        both(HTML * 9),
        both(HTML, WORDS, 'Content-Type: x/y; name="a.exe"\r\nContent-Transfer-Encoding: base64\r\n\r\neA=='),
        plain(),
    ],
)
def test_what_is_examined_makes_a_difference(other: bytes) -> None:
    """Links, tags, fields, sender, placeholders, attachments and size."""
    assert make_of(both(HTML)) != make_of(other)


def test_names_of_attachments() -> None:
    """Their numbers are the copy's own, their types are not."""
    parts = [
        f'Content-Type: application/pdf; name="{name}"\r\nContent-Transfer-Encoding: base64\r\n\r\neA=='
        for name in ("bill-17.pdf", "bill-18.pdf", "bill-18.exe")
    ]
    first, second, third = (make_of(both(HTML, WORDS, part)) for part in parts)
    assert first == second
    assert second != third
