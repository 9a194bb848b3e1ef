"""The parts of a message as they were sent (RFC 2045, 2046), read in bounded time from any bytes."""

import binascii
import re
from collections.abc import Iterator
from functools import cached_property

from waybill.mail.file_types import file_name_of
from waybill.mail.header import Field, scan

MOST_PARTS = 200
MOST_LOOKED_AT = 1_000
MOST_DEPTH = 20
MOST_TEXT = 512 * 1024
"""Octets of one part that are decoded: ten times what any mail program shows."""

_BOUNDARY = re.compile(r";\s*boundary\s*=\s*(?:\"([^\"]{1,200})\"|([^\s;\"]{1,200}))", re.IGNORECASE)
_CHARSET = re.compile(r";\s*charset\s*=\s*\"?([A-Za-z0-9._-]{1,40})", re.IGNORECASE)
# The character sets of mail; other codecs of Python are none, or may fail or warn on any input.
_TEXT_CHARSETS = re.compile(
    r"utf-?8|us-ascii|iso-8859-\d{1,2}|windows-125\d|cp125\d|koi8-[ru]|gb2312|gbk|gb18030|big5|euc-jp|euc-kr|shift_jis|iso-2022-jp",
    re.IGNORECASE,
)
NOT_BASE64 = bytes(set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"))


class Part:
    """A part that holds no others; ``number`` is its place (``1``, ``2.1``), ``data[start:end]`` its body as sent."""

    def __init__(self, data: bytes, fields: tuple[Field, ...], span: tuple[int, int], number: str) -> None:
        self._data = data
        self._start, self._end = span
        self.number = number
        self.fields: dict[str, str] = {}
        for field in fields:
            self.fields.setdefault(field.name.lower(), field.value)

    @property
    def kind(self) -> str:
        """Its media type in lower case; ``text/plain`` where none is given (RFC 2045 §5.2)."""
        return _kind(self.fields)

    @property
    def is_attachment(self) -> bool:
        """Whether it is beside the text: marked so, or of no type of text."""
        return self.fields.get("content-disposition", "").lower().startswith("attachment") or not self.kind.startswith(
            "text/"
        )

    @property
    def file_name(self) -> str | None:
        """The name that it goes by."""
        for name in ("content-disposition", "content-type"):
            found = file_name_of(self.fields.get(name, "")[:2000])
            if found is not None:
                return found
        return None

    @property
    def size(self) -> int:
        """Octets as sent."""
        return self._end - self._start

    @cached_property
    def content(self) -> bytes:
        """The body, decoded, as far as it is looked at."""
        raw = self._data[self._start : min(self._end, self._start + MOST_TEXT)]
        encoding = self.fields.get("content-transfer-encoding", "").strip().lower()
        if encoding == "quoted-printable":
            return binascii.a2b_qp(raw)
        if encoding == "base64":
            digits = raw.translate(None, NOT_BASE64)
            return binascii.a2b_base64(digits[: len(digits) // 4 * 4] + _rest(digits))
        return raw

    @cached_property
    def text(self) -> str:
        """The body as text, in its character set, or byte by byte where that is none of mail."""
        match = _CHARSET.search(self.fields.get("content-type", "")[:2000])
        charset = match[1] if match and _TEXT_CHARSETS.fullmatch(match[1]) else "utf-8"
        try:
            return self.content.decode(charset, "replace")
        except LookupError:
            return self.content.decode("latin-1")


def _rest(digits: bytes) -> bytes:
    """The last group of base64, padded; one digit alone says nothing."""
    left = digits[len(digits) // 4 * 4 :]
    return left + b"=" * (4 - len(left)) if len(left) > 1 else b""


def _kind(fields: dict[str, str]) -> str:
    return fields.get("content-type", "text/plain").partition(";")[0].strip().lower() or "text/plain"


def read_parts(data: bytes, fields: tuple[Field, ...], body: int) -> tuple[list[Part], list[str]]:
    """Returns the parts that hold no others, in order, and the numbers of multiparts without a part in them."""
    parts: list[Part] = []
    hollow: list[str] = []
    waiting = [(fields, (body, len(data)), "", 0)]
    for _ in range(MOST_LOOKED_AT):
        if not waiting or len(parts) >= MOST_PARTS:
            break
        header, span, number, depth = waiting.pop()
        part = Part(data, header, span, number or "1")
        boundary = _BOUNDARY.search(part.fields.get("content-type", "")[:2000])
        if not part.kind.startswith("multipart/") or depth >= MOST_DEPTH:
            parts.append(part)
            continue
        inner = list(_split(data, span, (boundary[1] or boundary[2]))) if boundary else []
        if not inner:
            hollow.append(number or "1")
        for index, (start, end) in reversed(list(enumerate(inner, 1))):
            below, begins = scan(data[start : min(end, start + _LONGEST_HEADER)])
            name = f"{number}.{index}" if number else str(index)
            waiting.append((below, (start + begins, end), name, depth + 1))
    return parts, hollow


_LONGEST_HEADER = 16_384


def _split(data: bytes, span: tuple[int, int], boundary: str) -> Iterator[tuple[int, int]]:
    """Where each part stands between its delimiters (RFC 2046 §5.1.1)."""
    delimiter = b"--" + boundary.encode("utf-8", "replace")
    at, end = span
    begin: int | None = None
    for _ in range(MOST_PARTS):
        found = data.find(delimiter, at, end)
        while found > 0 and data[found - 1 : found] != b"\n" and found != span[0]:
            found = data.find(delimiter, found + len(delimiter), end)
        if begin is not None:
            yield begin, max(begin, (found if found >= 0 else end) - 2)
        if found < 0:
            return
        after = found + len(delimiter)
        line = data.find(b"\n", after, end)
        if data[after : after + 2] == b"--" or line < 0:
            return
        at = begin = line + 1
