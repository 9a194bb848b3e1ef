"""Asks SpamAssassin's spamd what it thinks of a message (SPAMC protocol 1.5, spamd/PROTOCOL in its source)."""

import asyncio
import contextlib
import os
import re

from waybill.model.content import ContentExamined, Finding
from waybill.net.content_filter import FilterUnavailable, Question
from waybill.net.rspamd import severity_of

SECONDS = 30.0
"""SpamAssassin reads a message in a tenth of a second to some seconds, more where it asks the network."""

MOST_ANSWER = 1024 * 1024
MOST_SYMBOLS = 20

_STATUS = re.compile(rb"SPAMD/(\d+\.\d+) (\d+) ([^\r\n]{0,200})\r?\n")
_VERDICT = re.compile(rb"^Spam: (?:True|False|Yes|No) ; (-?\d+(?:\.\d+)?) / (-?\d+(?:\.\d+)?)\s*$", re.MULTILINE)
_SYMBOL = re.compile(r"^ ?\*?\s*(-?\d+(?:\.\d+)?)\s+([A-Z][A-Z0-9_]{2,79})\s+(\S.*)$")
_VERSION = re.compile(rb"^X-Spam-Checker-Version: SpamAssassin (\S{1,20})", re.MULTILINE)
_ANY_MESSAGE = b"From: <a@localhost>\r\nSubject: version\r\n\r\nversion\r\n"


class SpamAssassin:
    """A spamd at a host and port."""

    name = "spamassassin"

    def __init__(self, host: str, port: int, *, seconds: float = SECONDS) -> None:
        self._host = host
        self._port = port
        self._seconds = seconds
        self._version: str | None = None

    async def examine(self, question: Question) -> ContentExamined:
        """Its verdict. Raises: FilterUnavailable: it did not give one, or one that cannot be read."""
        if self._version is None:
            found = _VERSION.search(await self._ask(b"HEADERS", _ANY_MESSAGE))
            self._version = found[1].decode("ascii", "replace") if found else ""
        return read_report(await self._ask(b"REPORT", question.content), self._version)

    async def close(self) -> None:
        """Each question has its own connection."""

    async def _ask(self, command: bytes, content: bytes) -> bytes:
        place = f"{self._host}:{self._port}"
        try:
            async with asyncio.timeout(self._seconds):
                return await self._converse(command, content)
        except TimeoutError:
            raise FilterUnavailable(f"{place} did not answer in {self._seconds:g} s") from None
        except OSError as error:
            why = os.strerror(error.errno) if error.errno else str(error)
            raise FilterUnavailable(f"{place} could not be asked: {why}") from None

    async def _converse(self, command: bytes, content: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(self._host, self._port)
        try:
            writer.write(b"%s SPAMC/1.5\r\nContent-length: %d\r\n\r\n%s" % (command, len(content), content))
            await writer.drain()
            writer.write_eof()
            answer = b""
            while len(answer) < MOST_ANSWER and (more := await reader.read(65_536)):
                answer += more
            return answer
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


def read_report(answer: bytes, version: str) -> ContentExamined:
    """The verdict in an answer to REPORT; rules that weigh, the heaviest first. Raises: FilterUnavailable."""
    status = _STATUS.match(answer)
    if status is None:
        raise FilterUnavailable(f"its answer is none of spamd's: {answer[:80].decode('utf-8', 'replace')!r}")
    if status[2] != b"0":  # sysexits: 0 is EX_OK
        raise FilterUnavailable(f"it answered {status[2].decode()} {status[3].decode('utf-8', 'replace')}")
    header, _, body = answer.partition(b"\r\n\r\n")
    verdict = _VERDICT.search(header.replace(b"\r", b""))
    if verdict is None:
        raise FilterUnavailable("its answer holds no verdict")
    weighing = sorted(_read_symbols(body.decode("utf-8", "replace")), key=lambda each: -(each.score or 0))
    return ContentExamined(
        by=f"spamassassin {version}".strip(),
        findings=tuple(weighing[:MOST_SYMBOLS]),
        score=float(verdict[1]),
        threshold=float(verdict[2]),
    )


def _read_symbols(report: str) -> list[Finding]:
    """The lines of the table that add points; a description may go on in the next line."""
    rows: list[tuple[float, str, str]] = []
    goes_on = False
    for line in report.splitlines()[:500]:
        match = _SYMBOL.match(line)
        if match is not None:
            rows.append((float(match[1]), match[2], match[3].strip()))
            goes_on = True
        elif goes_on and line.startswith("      ") and line.strip():
            points, name, text = rows[-1]
            rows[-1] = points, name, f"{text} {line.strip()}"
        else:
            goes_on = False
    return [
        Finding(id=name, severity=severity_of(points), text=f"{name}: {text[:200]}", score=points)
        for points, name, text in rows
        if points > 0
    ]
