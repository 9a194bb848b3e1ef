"""Attachments that SES takes from nobody, by the extension of the file name."""

import re
from collections.abc import Iterator, Sequence
from urllib.parse import unquote

from waybill.mail.header import decode_words, scan

# https://docs.aws.amazon.com/ses/latest/dg/mime-types.html, "unsupported attachment types"
REFUSED_EXTENSIONS = frozenset(
    """
    ade adp app asp bas bat cer chm cmd com cpl crt csh der exe fxp gadget hlp hta inf ins isp its js jse ksh lib lnk
    mad maf mag mam maq mar mas mat mau mav maw mda mdb mde mdt mdw mdz msc msh msh1 msh1xml msh2 msh2xml mshxml msi
    msp mst ops pcd pif plg prf prg ps1 ps1xml ps2 ps2xml psc1 psc2 reg scf scr sct shb shs sys tmp url vb vbe vbs vps
    vsmacros vss vst vsw vxd ws wsc wsf wsh xnk
    """.split()  # noqa: SIM905 - a paragraph of names reads better than ninety lines
)
MOST_PARTS = 1_000
"""Parts of a message that are looked into one by one."""

_LONGEST_HEADER = 8_192
_FILE_NAME = re.compile(r"(?:file)?name(\*?)(?:\*?0\*?)?=(?:\"((?:[^\"\\]|\\.)*)\"|([^;\s]+))", re.IGNORECASE)
_NAMED_BY = frozenset({"content-disposition", "content-type"})


def is_refused(file_name: str) -> bool:
    """Whether the extension is one that SES refuses. A dot or space at the end counts for nothing, as on Windows."""
    return file_name.rstrip(". ").rpartition(".")[2].lower() in REFUSED_EXTENSIONS


def find_refused(content: bytes, fields: Sequence[tuple[str, str]]) -> str | None:
    """Returns the first file name of a whole message that SES refuses, or None; ``fields`` are its header's names and values."""
    for name in _named(fields):
        if is_refused(name):
            return name
    kind = next((value for name, value in fields if name.lower() == "content-type"), "")
    if kind[:10].lower() != "multipart/":
        return None
    for start in part_starts(content):
        header = _header_at(content, start)
        if b"name" in header.lower():
            for name in _named([(field.name, field.value) for field in scan(header)[0]]):
                if is_refused(name):
                    return name
    return None


def file_name_of(value: str) -> str | None:
    """The file name in the value of a Content-Disposition or Content-Type field (RFC 2183, RFC 2231), decoded."""
    match = _FILE_NAME.search(value)
    if match is None:
        return None
    text = match[2] if match[2] is not None else match[3]
    return decode_words(unquote(text.rpartition("'")[2]) if match[1] else text)


def part_starts(content: bytes) -> Iterator[int]:
    """Where the first thousand parts begin: behind each line that looks like a boundary (RFC 2046 §5.1.1)."""
    at = 0
    for _ in range(MOST_PARTS):
        line = content.find(b"\n--", at)
        at = content.find(b"\n", line + 3)
        if line < 0 or at < 0:
            return
        yield at + 1


def _header_at(content: bytes, start: int) -> bytes:
    """The header of the part; of one that only looks like a part, what stands there."""
    end = content.find(b"\r\n\r\n", start - 2, start + _LONGEST_HEADER)
    return content[start : end if end >= 0 else start + _LONGEST_HEADER]


def _named(fields: Sequence[tuple[str, str]]) -> Iterator[str]:
    for field, value in fields:
        if field.lower() in _NAMED_BY:
            name = file_name_of(value)
            if name is not None:
                yield name
