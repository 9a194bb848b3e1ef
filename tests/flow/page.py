"""Reads a page of the documentation: its fenced blocks, and whether what was printed is what the page shows."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_VARYING = (
    (re.compile(r"\b01[0-9a-f]{14}-[0-9a-f-]{36}-000000\b"), "<id>"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z| UTC)"), "<time>"),
    (re.compile(r"\b127\.0\.0\.1\]?:\d+"), "<address>"),
    (re.compile(r"\b\d+(?:\.\d+)? (ms|s|bytes)\b"), r"<number> \1"),
    (re.compile(r"\s+"), " "),
)


@dataclass(frozen=True, kw_only=True)
class Block:
    """A fenced block: its language and text."""

    language: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Command:
    """A line after ``$ `` and the lines that the page shows below it; a line of ``…`` stands for any output."""

    line: str
    shown: str


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    return [Block(language=name, text=text) for name, text in _BLOCK.findall(page.read_text("utf-8"))]


def commands(block: Block) -> list[Command]:
    """The commands of a ``console`` block. Raises: ValueError, where it begins with something else."""
    if not block.text.startswith("$ "):
        raise ValueError(f"a console block begins with '$ ', not with {block.text[:20]!r}")
    parts = (part.partition("\n") for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:])
    return [Command(line=line, shown=shown) for line, _, shown in parts]


def differs(shown: str, printed: str) -> str | None:
    """The first part of ``shown`` that ``printed`` does not have after the parts before it; None where all is there.

    Ids, times, ports, durations and where lines are broken may differ.
    """
    at, text = 0, _settled(printed)
    for part in re.split(r"^\s*…\s*$", shown, flags=re.MULTILINE):
        wanted = _settled(part)
        found = text.find(wanted, at)
        if found < 0:
            return wanted
        at = found + len(wanted)
    return None


def _settled(text: str) -> str:
    for pattern, replacement in _VARYING:
        text = pattern.sub(replacement, text)
    return text.strip()
