"""The octets of a message as they cross the wire: after DATA (RFC 5321 §4.5.2) or in chunks with BDAT (RFC 3030)."""

from collections import OrderedDict
from collections.abc import Iterator

from waybill.model.clock import Instant
from waybill.model.outcome import Reply
from waybill.net.smtp_target import Target

CHUNK = 1024 * 1024
"""A message up to this size goes in one chunk. The answer to each is awaited: a refusal saves sending the rest."""

DOUBTED_FOR = 86_400_000  # milliseconds
MOST_DOUBTED = 10_000
_NOT_UNDERSTOOD = range(500, 505)


def end_last_line(content: bytes) -> bytes:
    """The content with CRLF at its end, which both ways of sending need: a message consists of whole lines (RFC 5321 §4.1.1.4)."""
    return content if content.endswith(b"\r\n") or not content else content + b"\r\n"


def stuff_dots(content: bytes) -> bytes:
    """Content that ends in CRLF, or none, as it follows DATA: with a dot before each leading dot, and the end."""
    first = b"." if content.startswith(b".") else b""
    return b"".join((first, content.replace(b"\r\n.", b"\r\n.."), b".\r\n"))


def cut_chunks(content: bytes) -> Iterator[tuple[str, bytes]]:
    """The BDAT commands that carry the content, each with its octets; one at least, and the last says so."""
    last = max(0, len(content) - 1) // CHUNK * CHUNK
    for start in range(0, last, CHUNK):
        yield f"BDAT {CHUNK}", content[start : start + CHUNK]
    chunk = content[last:] if last else content
    yield f"BDAT {len(chunk)} LAST", chunk


def is_not_understood(reply: Reply) -> bool:
    """Whether the answer to BDAT is about the command and not about the message."""
    return reply.code in _NOT_UNDERSTOOD and (reply.enhanced is None or reply.enhanced.startswith("5.5."))


class DoubtedChunking:
    """The servers that offer CHUNKING and were seen to fail at it: for a day they are sent DATA."""

    def __init__(self) -> None:
        self._until: OrderedDict[tuple[str, int], Instant] = OrderedDict()

    def add(self, target: Target, at: Instant) -> None:
        """Remembers the server; the one that was added first is forgotten where there are too many."""
        place = (target.ip, target.port)
        self._until.pop(place, None)
        self._until[place] = at + DOUBTED_FOR
        if len(self._until) > MOST_DOUBTED:
            self._until.popitem(last=False)

    def holds(self, target: Target, at: Instant) -> bool:
        """Whether the server is one of them."""
        return self._until.get((target.ip, target.port), 0) > at
