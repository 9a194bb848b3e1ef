"""A message on its way in after DATA (RFC 5321 §4.1.1.4): finds its one true end, undoes the dot-stuffing, keeps it in bounds."""

import tempfile
from enum import StrEnum
from typing import IO

from waybill.mail.line_ends import normalise_line_ends

BLOCK = 64 * 1024
"""How many octets are gathered before they are checked and put away."""

SPOOL_FROM = 1024 * 1024
"""A message larger than this waits for its end in a temporary file, not in memory."""

_END = b"\r\n.\r\n"


class Fault(StrEnum):
    """Why a message is refused once its end has come."""

    TOO_LONG = "too long"
    NO_ROOM = "no room"


class IncomingMessage:
    """Takes octets until CRLF.CRLF, and nothing else, ends the message.

    Receivers that take ``LF.LF`` and the like for an end see two messages where others see one (SMTP smuggling). So a
    bare CR or bare LF never ends the message and never passes: it becomes CRLF, after the end was found, and a NUL is
    left out (RFC 5321 §2.3.8, §4.1.1.4; RFC 5322 §4). Careless clients are served, and what leaves has one reading
    only. After a fault the octets are dropped as they come, so that a refused message costs no memory.
    """

    def __init__(self, max_size: int) -> None:
        self.fault: Fault | None = None
        self._max_size = max_size
        self._size = 0
        self._pending = bytearray()
        self._line_start = True
        self._blocks: list[bytes] = []
        self._spool: IO[bytes] | None = None

    def feed(self, octets: bytes) -> bytes | None:
        """Takes octets; returns those that follow the end of the message, or None where the end has not come."""
        pending = self._pending
        searched = max(0, len(pending) - len(_END) + 1)
        pending += octets
        if self._line_start and pending.startswith(b".\r\n"):
            end = 0
        else:
            found = pending.find(_END, searched)
            if found < 0:
                if len(pending) >= BLOCK:
                    self._put_away_most()
                return None
            end = found + 2
        rest = bytes(pending[end + 3 :])
        self._put_away(bytes(pending[:end]))
        pending.clear()
        return rest

    @property
    def spooled(self) -> bool:
        """Whether it lies on disk."""
        return self._spool is not None

    def content(self) -> bytes:
        """The message without dot-stuffing; whole, and only where ``fault`` is None, after its end has come."""
        if self._spool is None:
            return self._blocks[0] if len(self._blocks) == 1 else b"".join(self._blocks)
        self._spool.seek(0)
        return self._spool.read()

    def close(self) -> None:
        """Gives back memory and file."""
        self._blocks.clear()
        if self._spool is not None:
            self._spool.close()
            self._spool = None

    def _put_away_most(self) -> None:
        """Puts away all whole lines, or of one endless line all but the octets that may begin the end.

        What remains after a cut behind CRLF starts a line, so that a following ``.CRLF`` is still seen as the end.
        """
        last_line = self._pending.rfind(b"\r\n")
        cut = last_line + 2 if last_line >= 0 else len(self._pending) - len(_END) + 1
        block = bytes(self._pending[:cut])
        del self._pending[:cut]
        self._put_away(block)

    def _put_away(self, block: bytes) -> None:
        # RFC 5321 §4.5.2: the first of a line's leading dots was added by the client.
        plain = block.replace(b"\r\n.", b"\r\n")
        if self._line_start and block.startswith(b"."):
            plain = plain[1:]
        self._line_start = block.endswith(b"\r\n")
        if b"\0" in plain:
            plain = plain.replace(b"\0", b"")
        plain = normalise_line_ends(plain)
        self._size += len(plain)
        if self.fault is None:
            self.fault = Fault.TOO_LONG if self._size > self._max_size else self._keep(plain)
        if self.fault is not None:
            self.close()

    def _keep(self, plain: bytes) -> Fault | None:
        if self._size <= SPOOL_FROM:
            self._blocks.append(plain)
            return None
        try:
            if self._spool is None:
                self._spool = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close()
                self._spool.writelines(self._blocks)
                self._blocks.clear()
            self._spool.write(plain)
        except OSError:
            return Fault.NO_ROOM
        return None
