"""Composed messages say what they were made of, as the standard library reads them, and nothing can be injected."""

import email
import email.header
import email.message
import email.policy
import email.utils

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from waybill.mail.compose import Attachment, Composition, compose, encode_mailbox, encode_mailboxes
from waybill.mail.header import HeaderError

AT = 1795487400000


def made(
    *,
    from_header: str = "a@b.example",
    subject: str | None = "Hello",
    subject_charset: str = "UTF-8",
    text: str | None = "Hi\n",
    html: str | None = None,
    attachments: tuple[Attachment, ...] = (),
    headers: tuple[tuple[str, str], ...] = (),
) -> bytes:
    return compose(
        Composition(
            from_header=from_header,
            to=("B <b@y.example>",),
            subject=subject,
            subject_charset=subject_charset,
            text=text,
            html=html,
            attachments=attachments,
            headers=headers,
            message_id="1@x.example",
            date=AT,
            boundary_seed="seed",
        )
    )


def parsed(data: bytes) -> email.message.EmailMessage:
    message = email.message_from_bytes(data, policy=email.policy.default)
    assert isinstance(message, email.message.EmailMessage)
    for part in message.walk():
        assert part.defects == []
    return message


def content_of(part: email.message.Message | None) -> str:
    assert isinstance(part, email.message.EmailMessage)
    text = part.get_content()
    assert isinstance(text, str)
    return text.replace("\r\n", "\n")


def test_text_only() -> None:
    """The smallest message, octet by octet."""
    expected = (
        b"From: a@b.example\r\n"
        b"To: B <b@y.example>\r\n"
        b"Subject: Hello\r\n"
        b"Date: Tue, 24 Nov 2026 02:30:00 +0000\r\n"
        b"Message-ID: <1@x.example>\r\n"
        b"MIME-Version: 1.0\r\n"
        b"Content-Type: text/plain; charset=UTF-8\r\n"
        b"Content-Transfer-Encoding: 7bit\r\n"
        b"\r\n"
        b"Hi\r\n"
    )
    assert expected == made()


def test_nesting() -> None:
    """Text and HTML are alternatives, inline parts belong to the HTML, attachments stand beside all."""
    attachments = (
        Attachment(file_name="a.pdf", content=b"%PDF"),
        Attachment(file_name="i.png", content=b"png", disposition="INLINE", content_id="img"),
    )
    message = parsed(made(text="t", html="<img src='cid:img'>", attachments=attachments))
    types = [part.get_content_type() for part in message.walk()]
    assert types == [
        "multipart/mixed",
        "multipart/alternative",
        "text/plain",
        "multipart/related",
        "text/html",
        "image/png",
        "application/pdf",
    ]
    image = list(message.walk())[5]
    assert (image["Content-ID"], image.get_content_disposition()) == ("<img>", "inline")


def test_attachments_alone() -> None:
    """Without a body there is no empty text part; without anything there is one."""
    message = parsed(made(text=None, attachments=(Attachment(file_name="a.bin", content=b"x"),)))
    assert [part.get_content_type() for part in message.walk()] == ["multipart/mixed", "application/octet-stream"]
    assert content_of(parsed(made(text=None))) == "\n"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("plain\nlines", "7bit"),
        ("x" * 998, "7bit"),
        ("x" * 999, "quoted-printable"),
        ("mostly plain text with one umlaut: ü", "quoted-printable"),
        ("日本語", "base64"),
        ("a\0b", "base64"),
        ("trailing \nspace", "7bit"),
        ("From here = there ü, but this is long enough \n.\n..\n", "quoted-printable"),
    ],
)
def test_transfer_encodings(text: str, encoding: str) -> None:
    """The content decides; the text comes back whole."""
    data = made(text=text)
    message = parsed(data)
    assert encoding == message["Content-Transfer-Encoding"]
    assert max(map(len, data.split(b"\r\n"))) <= 998
    assert text.rstrip("\n") == content_of(message).rstrip("\n")


@pytest.mark.parametrize(
    ("charset", "declared"),
    [
        ("ISO-8859-1", "iso-8859-1"),
        ("iso-2022-jp", "utf-8"),
        ("UTF-16", "utf-16"),
        ("utf-7", "utf-7"),
        ("cp037", "cp037"),
    ],
)
def test_charsets(charset: str, declared: str) -> None:
    """The body is in the charset asked for, or in UTF-8 where that cannot express it."""
    text = "Grüße aus München\nund anderswo\n"
    data = compose(
        Composition(
            from_header="a@b.example", text=text, text_charset=charset, message_id="1@x", date=AT, boundary_seed="s"
        )
    )
    message = parsed(data)
    assert declared == message.get_content_charset()
    payload = message.get_payload(decode=True)
    assert isinstance(payload, bytes)
    assert text == payload.decode(declared).replace("\r\n", "\n")


@pytest.mark.parametrize("charset", ["nonesuch", "utf-8\r\nBcc: x", "", "unicode_escape", "hex", "idna", "undefined"])
def test_charsets_that_are_none(charset: str) -> None:
    """A charset that is none, or would inject, is refused."""
    with pytest.raises(HeaderError, match="Unknown charset"):
        compose(
            Composition(
                from_header="a@b.example", text="x", text_charset=charset, message_id="1@x", date=AT, boundary_seed="s"
            )
        )


@pytest.mark.parametrize(
    ("written", "encoded"),
    [
        ("a@b.example", "a@b.example"),
        ("B <b@y.com>", "B <b@y.com>"),
        ("Ünï <a@b.c>", "=?UTF-8?B?w5xuw68=?= <a@b.c>"),
        ("=?UTF-8?Q?J=C3=B6rg?= <a@b.c>", "=?UTF-8?Q?J=C3=B6rg?= <a@b.c>"),
        ('"Doe, Jane" <j@d.example>', '"Doe, Jane" <j@d.example>'),
        ('"a \\"b\\" \\\\" <j@d.example>', '"a \\"b\\" \\\\" <j@d.example>'),
        ("J. Doe <j@d.example>", '"J. Doe" <j@d.example>'),
        ('"=?utf-8?q?x?=" <j@d.example>', "x <j@d.example>"),
        ("<a@b.c>", "a@b.c"),
        ("a@bücher.example", "a@xn--bcher-kva.example"),
    ],
)
def test_mailboxes(written: str, encoded: str) -> None:
    """What is plain stays, what is not is quoted or encoded."""
    assert encoded == encode_mailbox(written)


@pytest.mark.parametrize(
    "text", ["", "a", "a@", "ü@b.c", "a@b.c\r\nBcc: x@y.z", "x\n <a@b.c>", "a@b.c, d@e.f", "a\0@b.c"]
)
def test_mailboxes_that_are_none(text: str) -> None:
    """No text but one mailbox gets into an address field."""
    with pytest.raises(HeaderError):
        encode_mailbox(text)


def test_address_lists_are_folded_between_mailboxes() -> None:
    """Fifty addresses make lines of at most 78 columns."""
    addresses = [f"Person Number {n} <person{n}@example.com>" for n in range(50)]
    folded = encode_mailboxes(addresses, 4)
    assert max(map(len, folded.split("\r\n"))) <= 78
    assert folded.replace("\r\n", "") == ", ".join(addresses)


def test_custom_headers() -> None:
    """They are written, encoded where not ASCII; those that SES sets itself are left out."""
    data = made(
        headers=(
            ("X-Meta", '{"a": "ü"}'),
            ("Message-ID", "<x@y>"),
            ("date", "now"),
            ("X-SES-TENANT", "t"),
            ("X-Long", "x" * 985),
            ("X" * 126, "y" * 870),
        )
    )
    message = parsed(data)
    assert (message["X-Meta"], message["Message-ID"], message["X-SES-TENANT"]) == ('{"a": "ü"}', "<1@x.example>", None)
    assert b"X-Long: " + b"x" * 985 in data
    assert "Date: Tue, 24 Nov 2026 02:30:00 +0000" in data.decode()
    assert b"X" * 126 + b": " + b"y" * 870 + b"\r\n" in data
    assert max(map(len, data.split(b"\r\n"))) <= 998


def test_custom_headers_given_twice() -> None:
    """Those that SES lets a message have once are refused the second time; others may be repeated."""
    with pytest.raises(HeaderError, match=r"^Duplicate header 'list-unsubscribe'\.$"):
        made(headers=(("List-Unsubscribe", "<https://a.example>"), ("list-unsubscribe", "<mailto:a@b.example>")))
    assert ["1", "2"] == parsed(made(headers=(("X-A", "1"), ("X-A", "2")))).get_all("X-A")


@pytest.mark.parametrize(
    ("charset", "written"), [("ISO-8859-1", "=?ISO-8859-1?B?R3L832U=?="), ("UTF-8", "=?UTF-8?B?R3LDvMOfZQ==?=")]
)
def test_the_charset_of_the_subject(charset: str, written: str) -> None:
    """The subject is written in the charset that the client asks for."""
    assert f"Subject: {written}\r\n".encode() in made(subject="Grüße", subject_charset=charset)


@pytest.mark.parametrize("name", ["From", "to", "BCC", "Subject", "Content-Type", "MIME-Version", "Reply-To"])
def test_custom_headers_cannot_contradict_the_message(name: str) -> None:
    """What the parameters say cannot be said again."""
    with pytest.raises(HeaderError, match=f"Header '{name}' cannot be given as a custom header"):
        made(headers=((name, "x@y.example"),))


@pytest.mark.parametrize("breaker", ["\r\n", "\n", "\r", "\0"])
def test_nothing_can_be_injected(breaker: str) -> None:
    """A line break or NUL is refused wherever a value becomes part of a header."""
    evil = f"x{breaker}Bcc: victim@example.com"
    part = Attachment(file_name="a.txt", content=b"x")
    attempts: list[dict[str, object]] = [
        {"file_name": evil},
        {"content_type": f"text/plain;{evil}"},
        {"content_type": f'text/plain; name="{evil}"'},
        {"content_id": evil},
        {"description": evil},
        {"disposition": evil},
        {"transfer_encoding": evil},
    ]
    for attempt in attempts:
        fields = {name: getattr(part, name) for name in ("file_name", "content")} | attempt
        with pytest.raises(HeaderError):
            made(attachments=(Attachment(**fields),))
    with pytest.raises(HeaderError, match="'Subject' holds"):
        made(subject=evil)
    with pytest.raises(HeaderError):
        made(from_header=f"{evil} <a@b.c>")
    with pytest.raises(HeaderError, match="'X-A' holds"):
        made(headers=(("X-A", evil),))


@pytest.mark.parametrize(
    ("file_name", "content_type", "expected"),
    [
        ("a.pdf", None, "application/pdf"),
        ("a.tar.gz", None, "application/octet-stream"),
        ("a.unknown", None, "application/octet-stream"),
        ("a.pdf", "Application/X-Foo; version=1", "application/x-foo"),
        ("a.pdf", 'text/csv; charset="utf-8"; header=present', "text/csv"),
    ],
)
def test_content_types(file_name: str, content_type: str | None, expected: str) -> None:
    """The type given, or the one that the name suggests."""
    message = parsed(made(attachments=(Attachment(file_name=file_name, content=b"x", content_type=content_type),)))
    assert [expected] == [part.get_content_type() for part in message.iter_attachments()]


@pytest.mark.parametrize(
    "content_type", ["", "text", "text/", "multipart/mixed", "text/plain; x", "text/plain x=y", "a/b/c"]
)
def test_content_types_that_are_none(content_type: str) -> None:
    """A malformed type, or one that would break the structure, is refused."""
    with pytest.raises(HeaderError, match="Attachment content type"):
        made(attachments=(Attachment(file_name="a", content=b"x", content_type=content_type),))


@pytest.mark.parametrize(
    ("asked", "content", "used"),
    [
        (None, b"x\r\n", "base64"),
        ("BASE64", b"x", "base64"),
        ("QUOTED_PRINTABLE", b"a=b\n\r\n\xff" + b"x" * 200, "quoted-printable"),
        ("SEVEN_BIT", b"a\r\nb", "7bit"),
        ("SEVEN_BIT", b"a\nb", "base64"),
        ("SEVEN_BIT", b"\xff", "base64"),
        ("SEVEN_BIT", b"x" * 999, "base64"),
    ],
)
def test_attachment_encodings(asked: str | None, content: bytes, used: str) -> None:
    """The encoding asked for, unless it would change the content."""
    message = parsed(made(attachments=(Attachment(file_name="a.bin", content=content, transfer_encoding=asked),)))
    (attachment,) = message.iter_attachments()
    assert (used, content) == (attachment["Content-Transfer-Encoding"], attachment.get_payload(decode=True))


def test_attached_messages_are_not_encoded() -> None:
    """RFC 2046 §5.2.1."""
    inner = b"From: x@y.example\r\nSubject: in\r\n\r\nbody\r\n"
    message = parsed(made(attachments=(Attachment(file_name="m.eml", content=inner, content_type="message/rfc822"),)))
    (attachment,) = message.iter_attachments()
    assert attachment.get_content()["Subject"] == "in"


def test_descriptions_and_content_ids() -> None:
    """A description is encoded; a content id may come with or without its angle brackets."""
    part = Attachment(file_name="", content=b"x", description="Übersicht", content_id="<a@b>", disposition="inline")
    (attachment,) = parsed(made(attachments=(part,))).iter_attachments()
    assert (
        attachment["Content-Description"],
        attachment["Content-ID"],
        attachment.get_filename(),
    ) == ("Übersicht", "<a@b>", None)


@pytest.mark.parametrize("content_id", ["<>", "a b", "ü", "a>b"])
def test_content_ids_that_are_none(content_id: str) -> None:
    """An id that could not be referred to is refused."""
    with pytest.raises(HeaderError, match="Attachment content id"):
        made(attachments=(Attachment(file_name="a", content=b"x", content_id=content_id),))


def test_line_ends_of_bodies() -> None:
    """CR, LF and CRLF all become CRLF."""
    assert made(text="a\rb\nc\r\nd").endswith(b"\r\n\r\na\r\nb\r\nc\r\nd\r\n")


def test_a_boundary_never_occurs_in_a_part() -> None:
    """A text that quotes the boundary of the same seed gets another."""
    first = parsed(made(text="t", html="<p>"))
    boundary = first.get_boundary()
    again = parsed(made(text=f"--{boundary}\n", html="<p>"))
    assert f"--{boundary}\n" == content_of(again.get_body(("plain",)))


_LINE_TEXT = st.text(st.characters(blacklist_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=120)
_NAME = _LINE_TEXT.filter(lambda text: "=?" not in text).map(lambda text: " ".join(text.split()))
_FILE_NAME = _NAME.filter(lambda name: name[:1] not in ("", "<"))  # the library takes <brackets> for quotes
_BODY = st.lists(_LINE_TEXT, max_size=8).map("\n".join)


def _quoted(display: str, address: str) -> str:
    escaped = display.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}" <{address}>' if display else address


def read_mailbox(data: bytes) -> tuple[str, str]:
    """From as the standard library reads it; its address parser puts spaces between encoded words, so those go apart."""
    raw = str(email.message_from_bytes(data)["From"]).replace("\r\n", "")
    name, address = email.utils.parseaddr(raw)
    return (str(email.header.make_header(email.header.decode_header(name))) if "=?" in name else name), address


@settings(max_examples=80)
@given(
    display=_NAME,
    subject=_NAME,
    text=st.none() | _BODY,
    html=st.none() | _BODY,
    files=st.lists(st.tuples(_FILE_NAME, st.binary(max_size=300)), max_size=2),
)
def test_the_standard_library_reads_the_same(
    display: str, subject: str, text: str | None, html: str | None, files: list[tuple[str, bytes]]
) -> None:
    """Addresses, subject, bodies, file names and contents mean what they meant."""
    data = made(
        from_header=_quoted(display, "a@b.example"),
        subject=subject,
        text=text,
        html=html,
        attachments=tuple(Attachment(file_name=name, content=content) for name, content in files),
    )
    assert max(map(len, data.split(b"\r\n"))) <= 998
    assert data.count(b"\r\n") == data.count(b"\n") == data.count(b"\r")
    message = email.message_from_bytes(data, policy=email.policy.default)
    assert isinstance(message, email.message.EmailMessage)
    assert (display, "a@b.example") == read_mailbox(data)
    assert subject == message["Subject"]
    for kind, body in (("plain", text), ("html", html)):
        if body is not None:
            assert body.rstrip("\n") == content_of(message.get_body((kind,))).rstrip("\n")
    parts = message.iter_attachments() if files else ()
    assert files == [(part.get_filename(), part.get_payload(decode=True)) for part in parts]
