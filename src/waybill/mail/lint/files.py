"""Attachments: types that the big mailbox providers block, by themselves or inside an archive, and the size of it all."""

from collections.abc import Iterator, Sequence

from waybill.mail.lint.parts import Part
from waybill.mail.lint.rules import found
from waybill.model.content import Finding

MANY_SERVERS = 10_240_000
"""Octets: Postfix's message_size_limit unless it is changed."""

MOST_SERVERS = 25 * 1024 * 1024
"""Octets: what Gmail and Yahoo take."""

_MEGABYTE = 1_000_000
MOST_ENTRIES = 200

# https://support.google.com/mail/answer/6590, "File types you can't include as attachments"
GMAIL = frozenset(
    """
    ade adp apk appx appxbundle bat cab chm cmd com cpl diagcab diagcfg diagpkg dll dmg ex ex_ exe hta img ins iso isp
    jar jnlp js jse lib lnk mde mjs msc msi msix msixbundle msp mst nsh pif ps1 scr sct shb sys vb vbe vbs vhd vxd wsc
    wsf wsh xll
    """.split()  # noqa: SIM905 - a paragraph of names reads better than fifty lines
)
# https://support.microsoft.com/office/434752e1-02d3-4e90-9124-8b81e49a8519, "Blocked attachments in Outlook"
OUTLOOK = frozenset(
    """
    ade adp app application appref-ms asp aspx asx bas bat bgi cab cer chm cmd cnt com cpl crt csh der diagcab exe fxp
    gadget grp hlp hpj hta htc inf ins iso isp its jar jnlp js jse ksh lnk mad maf mag mam maq mar mas mat mau mav maw
    mcf mda mdb mde mdt mdw mdz msc msh msh1 msh1xml msh2 msh2xml mshxml msi msp mst msu ops osd pcd pif pl plg prf prg
    printerexport ps1 ps1xml ps2 ps2xml psc1 psc2 psd1 psdm1 pst py pyc pyo pyw pyz pyzw reg scf scr sct shb shs theme
    tmp url vb vbe vbp vbs vhd vhdx vsmacros vsw webpnp website ws wsc wsf wsh xbap xll xnk
    """.split()  # noqa: SIM905 - as above
)
_HARMLESS_LOOKS = frozenset("pdf doc docx xls xlsx ppt pptx txt rtf jpg jpeg png gif mp3 mp4 csv zip".split())  # noqa: SIM905
_ENTRY = b"PK\x03\x04"


def judge_files(parts: Sequence[Part], size: int) -> Iterator[Finding]:
    """What speaks against the attachments, and against ``size``, the octets of the whole message."""
    if size > MANY_SERVERS:
        rule = "size-over-most" if size > MOST_SERVERS else "size-over-some"
        yield found(rule, size=f"{size / _MEGABYTE:.1f}")
    for part in parts:
        name = part.file_name
        if name:
            yield from _judge_name(part, name)
            if part.kind in {"application/zip", "application/x-zip-compressed"} or name.lower().endswith(".zip"):
                yield from _judge_archive(part, name)


def blocked_by(name: str) -> str | None:
    """Who blocks files of this name: ``Gmail``, ``Outlook``, both, or nobody (None)."""
    extension = _extension(name)
    by = [who for who, blocked in (("Gmail", GMAIL), ("Outlook", OUTLOOK)) if extension in blocked]
    return " and ".join(by) or None


def _extension(name: str) -> str:
    return name.rstrip(". ").rpartition(".")[2].lower()


def _judge_name(part: Part, name: str) -> Iterator[Finding]:
    who = blocked_by(name)
    if who is None:
        return
    where = f"part {part.number}"
    pieces = name.lower().rstrip(". ").split(".")
    if len(pieces) > 2 and pieces[-2].strip() in _HARMLESS_LOOKS:
        yield found("attachment-double-extension", where=where, file=name)
    yield found("attachment-blocked", where=where, file=name, who=who)


def _judge_archive(part: Part, name: str) -> Iterator[Finding]:
    """The names of a ZIP stand in front of each file (APPNOTE.TXT §4.3.7), so nothing is unpacked."""
    where, content = f"part {part.number}", part.content
    encrypted, at = False, content.find(_ENTRY)
    for _ in range(MOST_ENTRIES):
        if at < 0 or at + 30 > len(content):
            break
        encrypted = encrypted or bool(content[at + 6] & 1)
        length = int.from_bytes(content[at + 26 : at + 28], "little")
        inner = content[at + 30 : at + 30 + min(length, 1_000)].decode("utf-8", "replace")
        who = blocked_by(inner)
        if who is not None:
            yield found("archive-holds-blocked", where=where, file=name, inner=inner, who=who)
            break
        at = content.find(_ENTRY, at + 30)
    if encrypted:
        yield found("archive-encrypted", where=where, file=name)
