"""MIME entities (RFC 2045-2047, 2183, 2231): texts, attachments and multiparts, each as its header and its encoded body."""

import binascii
import codecs
import hashlib
import mimetypes
import re
from collections.abc import Sequence
from urllib.parse import quote

from waybill.mail.header import MAX_LINE, HeaderError, encode_words, fold, refuse_controls
from waybill.model.record import record

_CHARSET = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:+-]{0,39}")
_WORD = r"[A-Za-z0-9!#$%&'*+.^_`{|}~-]+"  # RFC 2045 §5.1
_CONTENT_TYPE = re.compile(
    rf"({_WORD})/({_WORD})((?:[ \t]*;[ \t]*{_WORD}=(?:{_WORD}|\"(?:[^\"\\\r\n\0]|\\[^\r\n\0])*\"))*)[ \t]*;?"
)
_NON_ASCII = bytes(range(128, 256))
_ENCODINGS = {"BASE64": "base64", "QUOTEDPRINTABLE": "quoted-printable", "SEVENBIT": "7bit", "7BIT": "7bit"}
_TYPES = mimetypes.MimeTypes(filenames=())  # the built-in table only: the same answer on every machine


@record(frozen=True, kw_only=True, slots=True)
class Attachment:
    """A file beside the text, or a part shown within it; ``content`` is decoded. ``disposition`` is ATTACHMENT or INLINE.

    Without a ``content_type`` the file name decides. ``transfer_encoding`` is SES's BASE64, QUOTED_PRINTABLE or
    SEVEN_BIT; where 7bit cannot carry the content unchanged, base64 is used.
    """

    file_name: str
    content: bytes
    content_type: str | None = None
    disposition: str = "ATTACHMENT"
    content_id: str | None = None
    description: str | None = None
    transfer_encoding: str | None = None

    @property
    def is_inline(self) -> bool:
        """Whether it is shown within the body rather than beside it."""
        return self.disposition.upper() == "INLINE"


@record(frozen=True, kw_only=True, slots=True)
class Entity:
    """``header``: the Content- fields with their line ends; ``body`` as it is transferred, without a line end of its own."""

    header: str
    body: bytes


def encode_text(text: str, subtype: str, charset: str = "UTF-8") -> Entity:
    """Returns a text entity. Line ends become CRLF; text that ``charset`` cannot express is written in UTF-8.

    7bit where the text allows it, base64 where over a sixth of the octets are not ASCII, else quoted-printable.

    Raises:
        HeaderError: the charset is unknown.
    """
    if _CHARSET.fullmatch(charset) is None or not _is_known(charset):
        raise HeaderError(f"Unknown charset {charset!r}; use the IANA name of one in general use, such as UTF-8.")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    try:
        data = text.encode(charset)
    except UnicodeEncodeError:
        charset = "UTF-8"
        data = text.encode(charset, "replace")
    non_ascii = 0 if data.isascii() else len(data) - len(data.translate(None, _NON_ASCII))
    if non_ascii * 6 > len(data) or "\n=A".encode(charset) != b"\n=A" or b"\0" in data:
        encoding, body = "base64", _base64(text.replace("\n", "\r\n").encode(charset, "replace"))
    elif non_ascii or max(map(len, data.split(b"\n"))) > MAX_LINE:
        encoding, body = "quoted-printable", binascii.b2a_qp(data).replace(b"\n", b"\r\n")
    else:
        encoding, body = "7bit", data.replace(b"\n", b"\r\n")
    header = f"Content-Type: text/{subtype}; charset={charset}\r\nContent-Transfer-Encoding: {encoding}\r\n"
    return Entity(header=header, body=body)


def attach(part: Attachment) -> Entity:
    """Returns the entity of an attachment or inline part.

    Raises:
        HeaderError: its file name, content type, id, description, disposition or encoding cannot be written.
    """
    for name, value in (("file name", part.file_name), ("content id", part.content_id or "")):
        refuse_controls(f"attachment {name}", value)
    disposition = part.disposition.lower()
    if disposition not in ("attachment", "inline"):
        raise HeaderError(f"Attachment disposition {part.disposition!r}; allowed are ATTACHMENT and INLINE.")
    content_type, parameters = _content_type(part)
    if "name=" not in parameters.lower() and part.file_name:
        parameters += _parameter("name", part.file_name)
    encoding, body = _transfer(part, content_type)
    header = [f"Content-Type: {content_type}{parameters}\r\nContent-Transfer-Encoding: {encoding}\r\n"]
    file_name = _parameter("filename", part.file_name) if part.file_name else ""
    header.append(f"Content-Disposition: {disposition}{file_name}\r\n")
    if part.content_id:
        header.append(f"Content-ID: <{_content_id(part.content_id)}>\r\n")
    if part.description:
        refuse_controls("attachment description", part.description)
        header.append(f"Content-Description: {encode_words(part.description, offset=21)}\r\n")
    return Entity(header="".join(header), body=body)


def combine(subtype: str, entities: Sequence[Entity], seed: str) -> Entity:
    """Returns the multipart entity (RFC 2046 §5.1) of ``entities``; ``seed`` makes its boundary.

    No encoded line can hold the boundary: ``=_`` is in neither base64 nor quoted-printable. A 7bit one that does makes
    for another boundary.
    """
    number = 0
    while True:
        digest = hashlib.sha256(f"{number}/{subtype}/{seed}".encode("utf-8", "replace")).hexdigest()
        boundary = f"=_{digest[:32]}"
        delimiter = boundary.encode("ascii")
        if not any(delimiter in entity.body for entity in entities):
            break
        number += 1
    pieces: list[bytes] = []
    for entity in entities:
        pieces += [b"--", delimiter, b"\r\n", entity.header.encode("ascii"), b"\r\n", entity.body, b"\r\n"]
    pieces += [b"--", delimiter, b"--"]
    related = '; type="text/html"' if subtype == "related" else ""  # RFC 2387 §3.1 wants the root's type
    header = f'Content-Type: multipart/{subtype}{related};\r\n boundary="{boundary}"\r\n'
    return Entity(header=header, body=b"".join(pieces))


def _is_known(charset: str) -> bool:
    try:
        "a".encode(charset)
        return not codecs.lookup(charset).name.replace("-", "_").endswith(("unicode_escape", "idna", "punycode"))
    except (LookupError, ValueError):
        return False


def _base64(data: bytes) -> bytes:
    text = binascii.b2a_base64(data, newline=False)
    return b"\r\n".join([text[at : at + 76] for at in range(0, len(text), 76)])


def _content_type(part: Attachment) -> tuple[str, str]:
    """The type and its parameters, as given or by the file name."""
    if part.content_type is None:
        guessed, compression = _TYPES.guess_type(part.file_name)
        return (guessed if guessed and not compression else "application/octet-stream"), ""
    match = _CONTENT_TYPE.fullmatch(part.content_type.strip())
    if match is None or not part.content_type.isascii():
        raise HeaderError(f"Attachment content type {part.content_type!r} is not of the form type/subtype; name=value.")
    if match[1].lower() == "multipart":
        raise HeaderError(f"Attachment content type {part.content_type!r}: an attachment cannot be a multipart.")
    return f"{match[1]}/{match[2]}", fold(match[3], 14 + len(match[1]) + 1 + len(match[2]))


def _transfer(part: Attachment, content_type: str) -> tuple[str, bytes]:
    asked = (part.transfer_encoding or "").upper().replace("-", "").replace("_", "")
    if asked and asked not in _ENCODINGS:
        allowed = "BASE64, QUOTED_PRINTABLE and SEVEN_BIT"
        raise HeaderError(f"Attachment transfer encoding {part.transfer_encoding!r}; allowed are {allowed}.")
    encoding = _ENCODINGS.get(asked, "")
    # RFC 2046 §5.2.1: an attached message is not to be encoded.
    if (encoding == "7bit" or content_type.lower().startswith("message/")) and _is_7bit(part.content):
        return "7bit", part.content
    if encoding == "quoted-printable":
        return encoding, binascii.b2a_qp(part.content, istext=False).replace(b"=\n", b"=\r\n")
    return "base64", _base64(part.content)


def _is_7bit(content: bytes) -> bool:
    """Whether the content is CRLF lines of at most 998 ASCII octets without NUL (RFC 2045 §2.7)."""
    lines = content.count(b"\r\n")
    return (
        content.isascii()
        and b"\0" not in content
        and lines == content.count(b"\r") == content.count(b"\n")
        and all(len(line) <= MAX_LINE for line in content.split(b"\r\n"))
    )


def _content_id(text: str) -> str:
    bare = text.removeprefix("<").removesuffix(">")
    if not bare or not bare.isascii() or not bare.isprintable() or any(c in bare for c in "<> "):
        raise HeaderError(
            f"Attachment content id {text!r}: printable ASCII without spaces and angle brackets is allowed."
        )
    return bare


def _parameter(name: str, value: str) -> str:
    """A parameter on lines of its own: quoted, or as RFC 2231 §4 has it where it is long or not printable ASCII."""
    if value.isascii() and value.isprintable() and len(value) <= 60:
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f';\r\n {name}="{escaped}"'
    encoded = quote(value, safe="!#$&+-.^_`|~", encoding="utf-8", errors="replace")  # RFC 5987 attr-char
    pieces = re.findall(r"(?:%..|.){1,20}", encoded)
    if len(pieces) == 1:
        return f";\r\n {name}*=UTF-8''{pieces[0]}"
    pieces[0] = f"UTF-8''{pieces[0]}"
    return "".join([f";\r\n {name}*{number}*={piece}" for number, piece in enumerate(pieces)])
