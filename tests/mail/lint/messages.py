"""Messages to examine: one with nothing against it, and its pieces changed."""

from waybill.mail.lint import Circumstances
from waybill.model.clock import parse_rfc3339

AT = parse_rfc3339("2026-11-24T13:03:09.000Z")
KNOWN = Circumstances(at=AT, signs=True)

FIELDS = {
    "From": "Shop <orders@shop.example>",
    "To": "anna.k@firma.example",
    "Subject": "Your order has shipped",
    "Date": "Tue, 24 Nov 2026 13:03:09 +0000",
    "Message-ID": "<0100.1@bounce.shop.example>",
    "MIME-Version": "1.0",
}
WORDS = "Your order of two blue chairs has left our house today and will reach you on Thursday between nine and eleven."
HTML = f'<p>{WORDS}</p><p><a href="https://shop.example/track/1">Follow it</a></p>'


def header(**changes: str | None) -> str:
    """The header; a field given as None is left out, ``_`` in a name stands for a hyphen."""
    named = {name.replace("_", "-"): value for name, value in changes.items()}
    fields = {name: named.pop(name, value) for name, value in FIELDS.items()} | named
    return "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value is not None)


def both(html: str = HTML, text: str = WORDS, *more: str, **changes: str | None) -> bytes:
    """A message with a text and an HTML part, and ``more`` parts."""
    parts = [
        f"Content-Type: text/plain; charset=utf-8\r\n\r\n{text}",
        f"Content-Type: text/html; charset=utf-8\r\n\r\n{html}",
    ]
    kind = "mixed" if more else "alternative"
    body = "".join(f"--b\r\n{part}\r\n" for part in (*parts, *more))
    return (header(**changes) + f"Content-Type: multipart/{kind}; boundary=b\r\n\r\n{body}--b--\r\n").encode()


def plain(text: str = WORDS, **changes: str | None) -> bytes:
    """A message of text alone."""
    return (header(**changes) + f"\r\n{text}\r\n").encode()
