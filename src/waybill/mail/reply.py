"""SMTP replies (RFC 5321 §4.2) as a client reads them from the wire, and as logs and reports quote them."""

import re

from waybill.model.outcome import Reply

MAX_LINE_OCTETS = 4096  # RFC 5321 §4.5.3.1.5 asks for 512; real servers write longer lines. The rest is left out.
MAX_LINES = 512

# 2yz to 5yz; RFC 5321 §4.2.1 allows 0 to 5 as the second digit, but servers are seen to answer 571 and the like.
_LINE = re.compile(r"([2-5][0-9]{2})(?:([ -])(.*))?", re.DOTALL)
# RFC 2034 §4 puts the enhanced code first in the text; IronPort writes "#5.1.0", some servers "(5.1.1)" or "[5.1.1]".
_ENHANCED_FIRST = re.compile(r"[#(\[]{0,2}([245]\.[0-9]{1,3}\.[0-9]{1,3})(?![0-9]|\.[0-9])")
# qmail writes "(#5.1.1)" at the end; a relay quotes "… did not like our RCPT TO:550 5.1.1 …".
_ENHANCED_LATER = re.compile(r"(?:\(#|(?<![0-9])[245][0-9]{2}[ -]#?)([245]\.[0-9]{1,3}\.[0-9]{1,3})(?![0-9]|\.[0-9])")
_LINE_BREAK = re.compile(r"\r\n|\r|\n")
_THREE_DIGITS = re.compile(r"([0-9]{3})(?:[ -].*)?", re.DOTALL)
# What would break a line, or steer a terminal, wherever the reply is quoted later; a tab does not.
_HARMLESS = dict.fromkeys((*range(9), *range(10, 32), *range(127, 160), 8232, 8233), "\ufffd")
_TYPE = re.compile(r"\s*(?:dns|smtp|lmtp|x-[a-z0-9-]+)\s*;\s*", re.IGNORECASE)  # RFC 3464 §2.1.2


class MalformedReply(Exception):  # noqa: N818 - what the server did, not a fault of ours
    """The server's words are no SMTP reply. ``line`` holds them; ``completed`` are the good replies before it."""

    def __init__(self, fault: str, line: str, completed: tuple[Reply, ...] = ()) -> None:
        super().__init__(f"{fault}: {line[:200]!r}" if line else fault)
        self.fault = fault
        self.line = line
        self.completed = completed


class ReplyParser:
    """Turns the octets that a server sends into replies, however they are cut into pieces."""

    __slots__ = ("_broken", "_buffer", "_code", "_lines")

    def __init__(self) -> None:
        self._buffer = b""
        self._code = 0
        self._lines: list[str] = []
        self._broken: MalformedReply | None = None

    @property
    def unfinished(self) -> str:
        """What was read of a reply that is not complete yet; empty between replies."""
        begun = [f"{self._code}-{line}" for line in self._lines]
        return "\n".join([*begun, *([_decode(self._buffer)] if self._buffer else [])])

    def feed(self, data: bytes) -> list[Reply]:
        """Returns the replies that ``data`` completes, in order. A bare LF ends a line as CRLF does.

        Of a line that is too long the beginning counts: its code says what is meant, and whoever does not believe a
        wordy 250 sends the message twice.

        Raises:
            MalformedReply: a line has no reply code, or another than the lines before it (RFC 5321 §4.2.1), or there
                are too many lines. From then on every call raises it again, without the replies completed before.
        """
        if self._broken is not None:
            raise self._broken
        replies: list[Reply] = []
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        try:
            for line in lines:
                reply = self._take(line)
                if reply is not None:
                    replies.append(reply)
            self._buffer = _shorten(self._buffer)
        except MalformedReply as malformed:
            self._broken = malformed
            self._buffer = b""
            raise MalformedReply(malformed.fault, malformed.line, tuple(replies)) from None
        return replies

    def _take(self, octets: bytes) -> Reply | None:
        line = _decode(octets.removesuffix(b"\r")[:MAX_LINE_OCTETS])
        match = _LINE.fullmatch(line)
        if match is None:
            number = _THREE_DIGITS.fullmatch(line)
            fault = f"reply code {number[1]}, which SMTP does not have" if number else "line without a reply code"
            raise MalformedReply(fault, line)
        code = int(match[1])
        if self._lines and code != self._code:
            raise MalformedReply(f"reply code changes from {self._code} to {code} within a reply", line)
        if len(self._lines) >= MAX_LINES:
            raise MalformedReply(f"reply of over {MAX_LINES} lines", line)
        self._code = code
        self._lines.append(match[3] or "")
        if match[2] == "-":
            return None
        lines, self._lines = tuple(self._lines), []
        return Reply(code=code, enhanced=find_enhanced(lines), lines=lines)


def parse_reply(text: str) -> Reply:
    """Returns the reply that a log or report quotes, be it on one line or several.

    A leading type (``smtp;``) is dropped. Lines that do not repeat the code continue the line before, and lines of one
    reply that a log has joined (``550-5.7.26 … 550 5.7.26 …``) are taken apart again.

    Raises:
        MalformedReply: the text does not begin with a reply code.
    """
    lines = _LINE_BREAK.split(without_type(text))
    first = _LINE.fullmatch(lines[0])
    if first is None:
        raise MalformedReply("line without a reply code", lines[0])
    code = first[1]
    if len(lines) == 1 and first[2] == "-":
        lines = re.split(rf"\s+(?={code}[ -])", lines[0])
    texts: list[str] = []
    for line in lines:
        match = _LINE.fullmatch(line.strip())
        if match is not None and match[1] == code:
            texts.append(match[3] or "")
        else:
            texts[-1] = f"{texts[-1]} {line.strip()}".strip()
    return Reply(code=int(code), enhanced=find_enhanced(tuple(texts)), lines=tuple(texts))


def without_type(text: str | None) -> str:
    """The name or words in ``dns; mx.b.example`` or ``smtp; 550 …``, without the type in front (RFC 3464 §2.1.2)."""
    words = text or ""
    opening = _TYPE.match(words)
    return (words[opening.end() :] if opening else words).strip()


def find_enhanced(lines: tuple[str, ...]) -> str | None:
    """Returns the enhanced status code (RFC 3463) of a reply's texts, or None.

    The first line that begins with one decides; failing that, the first that holds one where servers are known to
    put it. The class may contradict the reply code (``550 4.4.7``, against RFC 2034 §4): it is reported as it stands.
    """
    for line in lines:
        match = _ENHANCED_FIRST.match(line.lstrip(" "))
        if match is not None:
            return match[1]
    for line in lines:
        match = _ENHANCED_LATER.search(line)
        if match is not None:
            return match[1]
    return None


def _shorten(begun: bytes) -> bytes:
    """The beginning of a line whose end has not come, and one octet more, since that may be the CR of its end."""
    if len(begun) > MAX_LINE_OCTETS and not (begun[:3].isdigit() and begun[3] in b" -"):
        raise MalformedReply("line without a reply code", _decode(begun[:MAX_LINE_OCTETS]))
    return begun[: MAX_LINE_OCTETS + 1]


def _decode(octets: bytes) -> str:
    text = octets.decode("utf-8", "replace")
    return text if text.isprintable() else text.translate(_HARMLESS)
