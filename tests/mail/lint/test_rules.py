"""Each rule finds what it is for, and says where; a message with nothing against it has no findings."""

import base64
import io
import zipfile
from dataclasses import replace

import pytest

from tests.mail.lint.messages import HTML, KNOWN, WORDS, both, header, plain
from waybill.mail.lint import Circumstances, examine
from waybill.mail.lint.rules import RULES
from waybill.model.content import Severity

BULK = replace(KNOWN, bulk=True)
UNSIGNED = replace(KNOWN, signs=False)
ONE_CLICK = {"List-Unsubscribe": "<https://shop.example/u/1>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}


def link(target: str, shown: str = "here") -> bytes:
    return both(f'{HTML}<a href="{target}">{shown}</a>')


def attached(name: str, content: bytes = b"x") -> bytes:
    body = base64.encodebytes(content).decode().replace("\n", "\r\n")
    part = f'Content-Type: application/octet-stream\r\nContent-Disposition: attachment; filename="{name}"\r\nContent-Transfer-Encoding: base64\r\n\r\n{body}'
    return both(HTML, WORDS, part)


def zipped(name: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(name, "MZ")
    return out.getvalue()


def locked() -> bytes:
    content = bytearray(zipped("a.txt"))
    content[6] |= 1
    return bytes(content)


FOUND: dict[str, tuple[bytes, Circumstances, str]] = {
    "link-text-differs": (link("https://evil.example/x", "https://corp.example/login"), KNOWN, "leads to evil.example"),
    "link-userinfo": (link("https://bank.example@evil.example/"), KNOWN, "shows bank.example before an @"),
    "link-ip-address": (link("http://3232235777/x"), KNOWN, "3232235777"),
    "link-lookalike": (link("https://xn--pple-43d.com/"), KNOWN, "reads as apple.com"),
    "link-script": (link("javascript:alert(1)"), KNOWN, "javascript:"),
    "link-shortener": (link("https://bit.ly/3x"), KNOWN, "bit.ly"),
    "link-no-host": (link("http://intranet/x"), KNOWN, "http://intranet/x"),
    "link-unfilled": (link("https://shop.example/{{order_id}}"), KNOWN, "{{order_id}}"),
    "link-http": (link("http://shop.example/"), KNOWN, "shop.example"),
    "html-only": ((header() + f"Content-Type: text/html\r\n\r\n{HTML}\r\n").encode(), KNOWN, "no text part"),
    "text-part-empty": (both(HTML, " "), KNOWN, "empty"),
    "text-part-differs": (both(HTML, "Please use a mail program that shows HTML."), KNOWN, "something else"),
    "html-image-only": (both('<img src="https://shop.example/1.png">', "x"), KNOWN, "0 words, 1 images"),
    "html-hidden-text": (
        both(f'{HTML}<div style="display:none">{"cheap pills " * 40}</div>'),
        KNOWN,
        "hides 80 of its",
    ),
    "html-active": (both(f"{HTML}<form action='/x'></form>"), KNOWN, "<form>"),
    "html-clipped": (both(HTML + "<br>\r\n" * 20_000), KNOWN, "clips the rest"),
    "text-unfilled": (both(f"{HTML}<p>Dear {{{{first_name}}}},</p>"), KNOWN, "{{first_name}}"),
    "nothing-said": (plain(" "), KNOWN, "neither text"),
    "size-over-most": (plain("x" * 70 + ("\r\n" + "x" * 70) * 400_000), KNOWN, "28.8 MB"),
    "size-over-some": (plain("x" * 70 + ("\r\n" + "x" * 70) * 160_000), KNOWN, "11.5 MB"),
    "attachment-blocked": (attached("tool.jar"), KNOWN, "tool.jar is of a type blocked by Gmail and Outlook"),
    "archive-holds-blocked": (attached("a.zip", zipped("bill.exe")), KNOWN, "a.zip holds bill.exe"),
    "archive-encrypted": (attached("a.zip", locked()), KNOWN, "encrypted"),
    "attachment-double-extension": (attached("bill.pdf.iso"), KNOWN, "bill.pdf.iso"),
    "unsubscribe-missing": (plain(), BULK, "without a List-Unsubscribe"),
    "unsubscribe-not-one-click": (plain(List_Unsubscribe="<https://shop.example/u>"), BULK, "one click"),
    "unsubscribe-not-https": (plain(List_Unsubscribe="<mailto:u@shop.example>"), BULK, "https:"),
    "unsubscribe-post-malformed": (plain(**ONE_CLICK | {"List-Unsubscribe-Post": "yes"}), BULK, "exactly"),
    "unsubscribe-not-signed": (
        plain(**ONE_CLICK, DKIM_Signature="v=1; a=rsa-sha256; d=shop.example; h=From:List-Unsubscribe; b=x"),
        UNSIGNED,
        "covers List-Unsubscribe-Post",
    ),
    "from-missing": (plain(From=None), KNOWN, "no From"),
    "from-several": (plain(From="a@shop.example, b@shop.example"), KNOWN, "2 addresses"),
    "from-free-mail": (plain(From="shop@gmail.com"), UNSIGNED, "only gmail.com can sign"),
    "from-name-differs": (plain(From='"ceo@corp.example" <x@shop.example>'), KNOWN, "shows ceo@corp.example"),
    "field-repeated": (b"To: b@b.example\r\n" + plain(), KNOWN, "To stands 2 times"),
    "date-missing": (plain(Date=None), KNOWN, "no Date"),
    "date-unreadable": (plain(Date="yesterday"), KNOWN, "yesterday"),
    "date-far-off": (plain(Date="Sat, 21 Nov 2026 13:03:09 +0000"), KNOWN, "72 hours"),
    "message-id-missing": (plain(Message_ID=None), KNOWN, "no Message-ID"),
    "message-id-malformed": (plain(Message_ID="<1@localhost>"), KNOWN, "<1@localhost>"),
    "header-eight-bit": (plain(Subject="Grüße"), KNOWN, "Subject"),
    "line-too-long": (plain("x" * 1_200), KNOWN, "1,200 octets"),
    "line-end-bare": (plain("one\ntwo"), KNOWN, "bare line feed"),
    "header-malformed": (b"not a field\r\n" + plain(), KNOWN, "not a field"),
    "multipart-malformed": (
        (header() + "Content-Type: multipart/mixed; boundary=b\r\n\r\nno parts\r\n").encode(),
        KNOWN,
        "multipart",
    ),
    "subject-false-reply": (plain(Subject="RE: your order"), KNOWN, 'begins with "RE:"'),
    "subject-shouts": (plain(Subject="LAST CHANCE TODAY"), KNOWN, "capitals"),
    "subject-missing": (plain(Subject=None), KNOWN, "no subject"),
}


@pytest.mark.parametrize("rule", sorted(FOUND))
def test_rule(rule: str) -> None:
    """It is found, with words that name the thing."""
    data, known, words = FOUND[rule]
    found = [finding for finding in examine(data, known).findings if finding.id == rule]
    assert found, [finding.id for finding in examine(data, known).findings]
    assert words in found[0].text


def test_every_rule_is_tested() -> None:
    """But the one that needs the DNS, which is tested beside the lane."""
    assert set(RULES) == {*FOUND, "link-on-blocklist"}


@pytest.mark.parametrize(
    "data",
    [
        both(),
        plain(),
        plain(Subject="Re: your order", In_Reply_To="<1@b.example>"),
        plain(Subject="OK"),
        plain(From="me@gmail.com"),
        both(HTML + '<a href="mailto:a@b.example">a@b.example</a><a href="#top">top</a><a href="tel:+4930">call</a>'),
        both(
            HTML
            + '<a href="https://www.shop.example/x">shop.example</a><a href="https://a.shop.co.uk">www.shop.co.uk</a>'
        ),
        both(HTML + '<a href="https://shop.example/x">report.pdf</a>'),
        both(f'<div style="display:none">See what is in the box</div>{HTML}'),
        both(HTML + '<a href="https://xn--mnchen-3ya.de/">München</a>'),
        plain(**ONE_CLICK, Precedence="bulk"),
        attached("bill.pdf"),
        attached("a.zip", zipped("readme.txt")),
    ],
)
def test_nothing_found(data: bytes) -> None:
    """What is as it should be has nothing against it."""
    assert () == examine(data, KNOWN).findings


def test_worst_first() -> None:
    """The findings are in the order of their weight, and say where the thing stands."""
    html = f'{HTML}\r\n<a href="http://bank.example/">http://shop.example/</a><script>x</script>'
    findings = examine(both(html), KNOWN).findings
    assert [Severity.HIGH, Severity.MEDIUM, Severity.LOW] == [finding.severity for finding in findings]
    assert ["HTML part 2, line 2", "HTML part 2", "HTML part 2"] == [finding.where for finding in findings]


def test_mailing_that_offers_to_unsubscribe() -> None:
    """A link to unsubscribe in the text makes it mail that needs the header field."""
    html = f'{HTML}<a href="https://shop.example/u">Unsubscribe</a>'
    assert ["unsubscribe-missing"] == [finding.id for finding in examine(both(html), KNOWN).findings]
    assert () == examine(both(html, WORDS, **ONE_CLICK), KNOWN).findings


def test_links_of_all_parts() -> None:
    """The hosts of all links are named once, for the blocklists."""
    data = both(
        f'{HTML}<a href="https://a.example">x</a><a href="https://a.example/2">y</a>', f"{WORDS} https://b.example/1."
    )
    assert ("shop.example", "a.example", "b.example") == examine(data, KNOWN).hosts


def test_encoded_parts() -> None:
    """Quoted-printable and base64 are read through."""
    html = '<p>Hi</p><a href="https://evil.example/x">corp.example</a>'
    in_base64 = base64.encodebytes(html.encode()).decode().replace("\n", "\r\n")
    quoted = html.replace("=", "=3D").replace("evil", "ev=\r\nil")
    for encoding, body in (("base64", in_base64), ("quoted-printable", quoted)):
        data = (
            header() + f"Content-Type: text/html\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n{body}\r\n"
        ).encode()
        assert "link-text-differs" in [finding.id for finding in examine(data, KNOWN).findings]
