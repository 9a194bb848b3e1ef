"""What Waybill composes itself is 7-bit clean, so that any server takes it, 8BITMIME or not (RFC 6152 §3)."""

from hypothesis import given, settings
from hypothesis import strategies as st

from waybill.mail.compose import Attachment, Composition, compose

_TEXT = st.text(st.characters(blacklist_categories=["Cs"]), max_size=60)
_WORDS = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), max_size=60)
_CHARSET = st.sampled_from(["UTF-8", "ISO-8859-1", "Shift_JIS", "US-ASCII", "UTF-16"])
_ATTACHMENT = st.builds(
    Attachment,
    file_name=st.sampled_from(["a.txt", "ü.pdf", "m.eml"]),
    content=st.binary(max_size=60),
    content_type=st.sampled_from([None, "text/plain", "message/rfc822"]),
    transfer_encoding=st.sampled_from([None, "BASE64", "QUOTED_PRINTABLE", "SEVEN_BIT"]),
)


@settings(max_examples=100)
@given(
    subject=_WORDS,
    text=_TEXT,
    html=st.none() | _TEXT,
    charset=_CHARSET,
    attachments=st.lists(_ATTACHMENT, max_size=2).map(tuple),
)
def test_a_composed_message_is_ascii(
    subject: str, text: str, html: str | None, charset: str, attachments: tuple[Attachment, ...]
) -> None:
    """Whatever its words and files: no octet above 127, no NUL, no bare CR or LF, no line over 998 octets."""
    message = compose(
        Composition(
            from_header="Jürgen <j@bücher.example>",
            to=("Ü <u@b.example>",),
            subject=subject,
            text=text,
            html=html,
            text_charset=charset,
            attachments=attachments,
            headers=(("X-Words", "grün"),),
            message_id="1@w.example",
            date=0,
            boundary_seed="s",
        )
    )
    assert message.isascii()
    assert b"\0" not in message
    assert message.count(b"\r") == message.count(b"\n") == message.count(b"\r\n")
    assert max(map(len, message.split(b"\r\n"))) <= 998
