"""Macros in SPF records (RFC 7208 §7): the syntax of a domain-spec, and its expansion."""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import quote

MAX_NAME = 253

_MACRO = re.compile(r"%\{([slodiphcrtvSLODIPHCRTV])([0-9]*)(r?)([-.+,/_=]*)\}|%([%_-])", re.ASCII)
_FOR_EXPLANATION = frozenset("crt")
_ESCAPES = {"%": "%", "_": " ", "-": "%20"}
# RFC 7208 §7.1: toplabel, not all digits, no hyphen at either end.
_TOP_LABEL = re.compile(r"(?![0-9]+\Z)[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?", re.ASCII)
_VISIBLE = re.compile(r"[\x21-\x7e]*")
_VISIBLE_OR_SPACE = re.compile(r"[\x20-\x7e]*")

Ip: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address


class SpfSyntaxError(ValueError):
    """A record, a term or a macro that RFC 7208 does not allow; the text says which and why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Macro:
    """One macro-expand: its letter in lower case, and what is done with its value."""

    letter: str
    keep: int | None
    reverse: bool
    delimiters: str
    escape: bool


MacroString: TypeAlias = tuple[str | Macro, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class MacroValues:
    """What macros stand for. ``validated`` is the value of ``p``, which costs lookups: None where no macro asks for it."""

    sender: str
    domain: str
    ip: Ip
    helo: str
    receiver: str
    unix_time: int
    validated: str | None = None


def parse_domain_spec(text: str) -> MacroString:
    """The parts of a domain-spec.

    Raises:
        SpfSyntaxError: it is empty, has a character or a macro that is not allowed, or does not end in a macro or a top label.
    """
    if not text:
        raise SpfSyntaxError("the domain is missing")
    parts = parse_macro_string(text)
    last = parts[-1]
    if isinstance(last, Macro):
        return parts
    # Escapes (%%, %_, %-) are no ending; they contain characters that no top label has.
    name, _, top = text.removesuffix(".").rpartition(".")
    if not name:
        raise SpfSyntaxError(f"{text!r} is no domain of at least two labels")
    if _TOP_LABEL.fullmatch(top) is None:
        hint = " (an address belongs into ip4: or ip6:)" if _looks_like_ip(text) else ""
        raise SpfSyntaxError(f"{text!r} does not end in a top-level domain{hint}")
    return parts


def parse_macro_string(text: str, *, explanation: bool = False) -> MacroString:
    """The literals and macros of a macro-string, or of an explain-string, which may have spaces and the macros c, r and t.

    Raises:
        SpfSyntaxError: a character or a macro is not allowed.
    """
    allowed = _VISIBLE_OR_SPACE if explanation else _VISIBLE
    if allowed.fullmatch(text) is None:
        raise SpfSyntaxError(f"{text!r} has a character that is not printable ASCII")
    parts: list[str | Macro] = []
    at = 0
    while at < len(text):
        start = text.find("%", at)
        if start < 0:
            parts.append(text[at:])
            break
        if start > at:
            parts.append(text[at:start])
        match = _MACRO.match(text, start)
        if match is None:
            raise SpfSyntaxError(f"{text!r}: {text[start : start + 6]!r} is no macro")
        parts.append(_ESCAPES[match[5]] if match[5] else _macro(match, explanation=explanation))
        at = match.end()
    return tuple(parts)


def asks_for_validated(parts: MacroString) -> bool:
    """Whether a macro of these needs the validated domain name of the address (``p``)."""
    return any(isinstance(part, Macro) and part.letter == "p" for part in parts)


def expand(parts: MacroString, values: MacroValues) -> str:
    """The text with every macro replaced (RFC 7208 §7.3)."""
    return "".join([part if isinstance(part, str) else _expand(part, values) for part in parts])


def expand_domain(parts: MacroString, values: MacroValues) -> str:
    """The domain name that a domain-spec stands for: without final dot, and cut from the left to 253 octets."""
    name = expand(parts, values).removesuffix(".")
    while len(name) > MAX_NAME and "." in name:
        name = name.partition(".")[2]
    return name


def _looks_like_ip(text: str) -> bool:
    return re.fullmatch(r"[0-9.:/]+", text, re.ASCII) is not None


def _macro(match: re.Match[str], *, explanation: bool) -> Macro:
    letter = match[1].lower()
    if letter in _FOR_EXPLANATION and not explanation:
        raise SpfSyntaxError(f"{match[0]!r}: the macro {letter!r} is for explanations only")
    if match[2] and int(match[2]) == 0:
        raise SpfSyntaxError(f"{match[0]!r} keeps no label")
    return Macro(
        letter=letter,
        keep=int(match[2]) if match[2] else None,
        reverse=bool(match[3]),
        delimiters=match[4],
        escape=match[1].isupper(),
    )


def _expand(macro: Macro, values: MacroValues) -> str:
    value = _value(macro.letter, values)
    if macro.keep is not None or macro.reverse or macro.delimiters:
        pieces: Sequence[str] = re.split(f"[{re.escape(macro.delimiters or '.')}]", value)
        if macro.reverse:
            pieces = pieces[::-1]
        if macro.keep is not None:
            pieces = pieces[-macro.keep :]
        value = ".".join(pieces)
    return quote(value, safe="-._~") if macro.escape else value


def _value(letter: str, values: MacroValues) -> str:
    local, _, sender_domain = values.sender.rpartition("@")
    known = {
        "s": values.sender,
        "l": local,
        "o": sender_domain,
        "d": values.domain,
        "i": dotted(values.ip),
        "p": values.validated or "unknown",
        "v": "in-addr" if values.ip.version == 4 else "ip6",
        "h": values.helo,
        "c": str(values.ip),
        "r": values.receiver,
        "t": str(values.unix_time),
    }
    return known[letter]


def dotted(ip: Ip) -> str:
    """The address as the macro ``i`` has it: IPv6 as 32 nibbles with dots between."""
    return str(ip) if ip.version == 4 else ".".join(ip.exploded.replace(":", "").upper())
