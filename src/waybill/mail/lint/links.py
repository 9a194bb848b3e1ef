"""Where links lead: bare addresses, look-alikes, shorteners, texts that show another place."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from importlib import resources
from typing import NamedTuple
from urllib.parse import unquote

from waybill.mail.lint.html import Link
from waybill.mail.lint.rules import found
from waybill.model.content import Finding
from waybill.model.ip import is_ip

MOST_LOOKED_AT = 200

_SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]{0,19}):")
_HARMFUL = frozenset({"javascript", "vbscript", "data", "file"})
_ELSEWHERE = frozenset({"mailto", "tel", "sms", "cid", "callto", "geo", "webcal", "maps", "whatsapp"})
_NUMBER = re.compile(r"(?:0x[0-9a-f]+|\d+)(?:\.(?:0x[0-9a-f]+|\d+)){0,3}")
_PLACEHOLDER = re.compile(r"\{\{[^{}]{0,60}\}\}|\{%[^{}]{0,60}%\}|\$\{[^{}]{0,60}\}|\*\|[A-Z_:]{1,40}\|\*")
_NAMED = re.compile(r"(?:https?://|www\.)[^\s/?#<>\"']{1,253}", re.IGNORECASE)
_HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,24}", re.IGNORECASE)
# What looks like a host in a text and is the name of a file.
_FILES = frozenset(
    (
        *("pdf", "doc", "docx", "xls", "xlsx", "ppt", "pptx", "txt", "csv", "zip", "png", "jpg", "jpeg", "gif"),
        *("html", "htm", "js", "ts", "py", "md", "json", "xml", "yml", "exe"),
    )
)
_NOWHERE = ("localhost", "local", "internal", "lan", "home", "corp", "intranet", "invalid", "test")
# Letters of other scripts that read as Latin ones (Unicode UTS #39, confusables.txt): those seen in look-alike domains.
_READS_AS = str.maketrans("асԁеһіјӏорԛѕԝхуүαικνορτυωϲϳɡıƅ", "acdehijlopqswxyyaikvoptuwcjgib")


class Target(NamedTuple):
    """The pieces of a link that matter: ``host`` in lower case, ``before`` what stands before an @ in it."""

    scheme: str
    host: str
    before: str


def _load() -> tuple[frozenset[str], tuple[str, ...]]:
    lines = resources.files("waybill.mail.lint").joinpath("shorteners.txt").read_text("utf-8").splitlines()
    names = [line for line in lines if line and not line.startswith("#")]
    return frozenset(name for name in names if name[0] != "."), tuple(name for name in names if name[0] == ".")


_SHORTENERS, _SHORTENER_SUFFIXES = _load()


def read_target(link: str) -> Target | None:
    """The pieces of an http or https link; None for any other."""
    match = _SCHEME.match(link)
    scheme = match[1].lower() if match else ""
    if scheme not in {"http", "https"}:
        return None
    rest = link[len(scheme) + 1 :].replace("\\", "/").lstrip("/")
    authority = re.split(r"[/?#]", rest[:2_000], maxsplit=1)[0]
    before, at, host = authority.rpartition("@")
    host = host.partition("]")[0] + "]" if host.startswith("[") else host.partition(":")[0]
    return Target(scheme, unquote(host).lower().rstrip("."), before if at else "")


def hosts_of(links: Iterable[Link]) -> tuple[str, ...]:
    """The hosts that links lead to, each once, in their order."""
    targets = (read_target(link.target) for link in links)
    return tuple(dict.fromkeys(target.host for target in targets if target is not None and "." in target.host))


def judge_links(links: Iterable[Link], *, where: str) -> Iterator[Finding]:
    """What speaks against the links; each rule once for a host or link. ``where`` names the part."""
    told: set[tuple[str, str]] = set()
    plain: dict[str, None] = {}
    for link in list(links)[:MOST_LOOKED_AT]:
        place = f"{where}, line {link.line}"
        target = read_target(link.target)
        found_here = _judge_other(link, place) if target is None else _judge_target(link, target, place)
        for key, finding in found_here:
            if (finding.id, key) not in told:
                told.add((finding.id, key))
                yield finding
        if target is not None and target.scheme == "http":
            plain[target.host] = None
    if plain:
        first, *others = plain
        more = f" and {len(others)} more" if others else ""
        yield found("link-http", where=where, host=first + more)


def _judge_other(link: Link, place: str) -> Iterator[tuple[str, Finding]]:
    target = link.target
    if _PLACEHOLDER.search(target[:2_000]):
        yield target, found("link-unfilled", where=place, link=target)
        return
    match = _SCHEME.match(target)
    scheme = match[1].lower() if match else ""
    if scheme in _HARMFUL:
        yield scheme, found("link-script", where=place, scheme=f"{scheme}:")
    elif not scheme and not target.startswith("#"):
        yield target, found("link-no-host", where=place, link=f'"{target}"')


def _judge_target(link: Link, target: Target, place: str) -> Iterator[tuple[str, Finding]]:
    host = target.host
    if _PLACEHOLDER.search(link.target[:2_000]):
        yield host, found("link-unfilled", where=place, link=link.target)
        return
    if target.before:
        yield host, found("link-userinfo", where=place, shown=target.before, host=host)
    if is_ip(host.strip("[]")) or _NUMBER.fullmatch(host):
        yield host, found("link-ip-address", where=place, host=host)
    elif "." not in host or host.rpartition(".")[2] in _NOWHERE:
        yield host, found("link-no-host", where=place, link=link.target)
    else:
        reads = reads_as(host)
        if reads is not None:
            yield host, found("link-lookalike", where=place, host=host, reads=reads)
        if is_shortener(host):
            yield host, found("link-shortener", where=place, host=host)
    shown = shown_host(link.shown)
    if shown is not None and organisation(shown) != organisation(host):
        yield f"{shown} {host}", found("link-text-differs", where=place, shown=shown, host=host)


def is_shortener(host: str) -> bool:
    """Whether links to the host lead elsewhere, unseen."""
    return host.removeprefix("www.") in _SHORTENERS or host.endswith(_SHORTENER_SUFFIXES)


def shown_host(text: str) -> str | None:
    """The host that a link's text shows, or None: a URL in it, or all of it a host's name."""
    match = _NAMED.search(text)
    if match is not None:
        named = read_target(match[0] if "://" in match[0] else f"https://{match[0]}")
        return named.host if named is not None and _HOST.fullmatch(named.host) else None
    whole = text.strip(" .,:;()[]<>\"'").lower()
    if _HOST.fullmatch(whole) and whole.rpartition(".")[2] not in _FILES:
        return whole
    return None


def organisation(host: str) -> str:
    """The part of a host's name that somebody registered, as far as its form tells: ``mail.a.co.uk`` is of ``a.co.uk``."""
    labels = host.removeprefix("www.").split(".")
    second_level = len(labels) > 2 and len(labels[-1]) == 2 and len(labels[-2]) <= 3
    return ".".join(labels[-3:] if second_level else labels[-2:])


def reads_as(host: str) -> str | None:
    """The plain name that an internationalised host is mistaken for; None where it is none that deceives.

    A label of one script that cannot be read as Latin deceives nobody: it is somebody's language.
    """
    if "xn--" not in host and host.isascii():
        return None
    labels = [_decode_label(label) for label in host.split(".")]
    plain = [label.translate(_READS_AS) for label in labels]
    if plain != labels and all(label.isascii() for label in plain):
        return ".".join(plain)
    mixed = any({"LATIN", other} <= _scripts(label) for label in labels for other in ("CYRILLIC", "GREEK"))
    return ".".join(labels) if mixed else None


def _decode_label(label: str) -> str:
    if not label.startswith("xn--") or len(label) > 63 or not label.isascii():
        return label
    try:
        return label[4:].encode("ascii").decode("punycode")
    except (UnicodeError, ValueError):
        return label


def _scripts(label: str) -> set[str]:
    return {unicodedata.name(letter, "").partition(" ")[0] for letter in label if letter.isalpha()}
