"""The make of a message: what all copies of one mailing share, so that one examination does for them."""

import hashlib
import re
from binascii import a2b_base64

from waybill.mail.header import find_body
from waybill.mail.lint.parts import NOT_BASE64

MOST_LINKS = 500
MOST_READ = 256 * 1024
"""Octets that make the difference; the size of what lies behind counts, too."""

_ORIGIN = re.compile(rb"(?:3D)?[\"']?(https?://[^\s/?#\"'<>&]{1,253})")
_NAMED = re.compile(rb"https?://[^\s/?#\"'<>&]{1,253}")
_NAMES = re.compile(rb"^[!-9;-~]{1,80}:", re.MULTILINE)
_SENDER = re.compile(rb"^from:[^\n]*", re.MULTILINE | re.IGNORECASE)
_REPLY = re.compile(rb"^subject:[ \t]*(?:re|fwd?|aw|wg)[ \t]?:", re.MULTILINE | re.IGNORECASE)
# Names, numbers and sentences differ from copy to copy; the tags around them and the hosts that links lead to do not.
_NO_TAGS = bytes(set(range(256)) - set(b"<>{}"))
_DIGITS = b"0123456789"
_LONGEST_HEADER = 1_024
_LONGEST_ORIGIN = 300


def make_of(data: bytes) -> bytes:
    """Returns 16 octets that are the same for messages that differ in their words alone.

    Alike are messages with the same fields, sender, attachments, tags in the same order and hosts behind their links, of
    about the same size.
    """
    end, body = find_body(data)
    header = data[:end]
    seen, attached = data[body : body + MOST_READ], b""
    if b"base64" in seen or b"base64" in header:
        seen, attached = _readable(header, seen)
    digest = hashlib.blake2b(b"\n".join(_NAMES.findall(header)).lower(), digest_size=16)
    for piece in (*_SENDER.findall(header), b"re" if _REPLY.search(header) else b"", attached):
        digest.update(piece)
    digest.update(b" ".join(sorted(_origins(seen))))
    digest.update(seen.translate(None, _NO_TAGS))
    digest.update(bytes([len(data).bit_length()]))
    return digest.digest()


def _origins(seen: bytes) -> set[bytes]:
    """Where links lead; in text without tags, what it names."""
    _, *links = seen.split(b"href=", MOST_LINKS)
    if not links:
        return set(_NAMED.findall(seen))
    # Soft line breaks of quoted-printable stand anywhere.
    found = (_ORIGIN.match(link[:_LONGEST_ORIGIN].replace(b"=\r\n", b"")) for link in links)
    return {match[1] for match in found if match is not None}


def _readable(header: bytes, body: bytes) -> tuple[bytes, bytes]:
    """The texts, decoded where they are base64, and the headers of attachments."""
    texts, attached = [], []
    for number, piece in enumerate(body.split(b"\n--")):
        end = piece.find(b"\r\n\r\n", 0, _LONGEST_HEADER)
        above, below = (header, piece) if end < 0 and number == 0 else (piece[: max(end, 0)], piece[max(end, 0) :])
        above = above.lower()
        if b"base64" not in above:
            texts.append(below)
        elif b"text/" in above:
            digits = below.translate(None, NOT_BASE64)
            texts.append(a2b_base64(digits[: len(digits) // 4 * 4]))
        else:
            attached.append(above.translate(None, _DIGITS))
    return b"\n".join(texts), b"\n".join(attached)
