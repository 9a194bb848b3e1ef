"""Events in files: JSON lines, one document, or many written one after the other as Firehose does, plain or gzip."""

import gzip
import json
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from waybill.store.elsewhere import Reported
from waybill.watch.read import read_report
from waybill.watch.ses_event import BadEvent
from waybill.watch.unwrap import Aside, Broken, Unwrapped, unwrap

LARGEST = 1024 * 1024 * 1024
_GZIP = b"\x1f\x8b"
_decoder = json.JSONDecoder()
_BLANK = re.compile(r"[\s\x1e,]*")  # a comma or a record separator (RFC 7464) between documents does no harm
_BEGINNING = re.compile(r"\n(?=[{\[])")


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """Something that could not be read: the line it begins on, and why."""

    line: int
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Skipped:
    """Something that is no event, and is no fault either."""

    line: int
    text: str


def read_stream(content: bytes) -> Iterator[Reported | Fault | Skipped]:
    """All that a file holds, in its order; what is wrong is told where it stands, and the rest goes on."""
    try:
        text = _plain(content).decode("utf-8-sig")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        yield Fault(line=1, text=f"not JSON in UTF-8, plain or gzip: {error}")
        return
    place, line = 0, 1
    while True:
        start = _after_blank(text, place)
        line += text.count("\n", place, start)
        if start == len(text):
            return
        try:
            document, end = _decoder.raw_decode(text, start)
        except (ValueError, RecursionError) as error:
            at = getattr(error, "lineno", line)
            yield Fault(line=line, text=f"not JSON: {_why(error)}{f' (line {at})' if at != line else ''}")
            end = _next_document(text, start)
        else:
            yield from _read(document, line)
        line += text.count("\n", start, end)
        place = end


def read_document(document: object, line: int = 1) -> Iterator[Reported | Fault | Skipped]:
    """The events in one decoded document."""
    yield from _read(document, line)


def _plain(content: bytes) -> bytes:
    if not content.startswith(_GZIP):
        return content
    unpacked = gzip.decompress(content)
    if len(unpacked) > LARGEST:
        raise OSError(f"more than {LARGEST // 1024**2} MiB")
    return unpacked


def _after_blank(text: str, place: int) -> int:
    found = _BLANK.match(text, place)
    assert found is not None
    return found.end()


def _next_document(text: str, start: int) -> int:
    """Where reading goes on after a fault: the next line that begins like a document."""
    found = _BEGINNING.search(text, start)
    return found.end() if found else len(text)


def _why(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg}, column {error.colno}"
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)


def _whole(document: object) -> object:
    """The document without halves of surrogate pairs, which are no text and could not be stored."""
    text = json.dumps(document, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        document = json.loads(text.encode("utf-8", "replace"))
    return document


def _read(document: object, line: int) -> Iterator[Reported | Fault | Skipped]:
    try:
        for found in unwrap(document):
            yield _report(found, line)
    except BadEvent as error:
        yield Fault(line=line, text=str(error))


def _report(found: Unwrapped, line: int) -> Reported | Fault | Skipped:
    if isinstance(found, Aside):
        return Skipped(line=line, text=found.text)
    if isinstance(found, Broken):
        return Fault(line=line, text=found.text)
    try:
        return read_report(_whole(found))
    except BadEvent as error:
        return Fault(line=line, text=str(error))
