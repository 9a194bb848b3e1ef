"""SPF records (RFC 7208 §4.5, §4.6, §5, §6, §12): found among TXT records, and parsed as a whole before anything is evaluated."""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from waybill.mail.spf_macro import MacroString, SpfSyntaxError, parse_domain_spec, parse_macro_string
from waybill.model.authentication import SpfResult

LOOKING_UP = frozenset({"include", "a", "mx", "ptr", "exists", "redirect"})
"""The terms that cost a lookup (RFC 7208 §4.6.4)."""

_VERSION = re.compile(r"v=spf1(?: |\Z)", re.IGNORECASE | re.ASCII)
_MODIFIER = re.compile(r"([A-Za-z][A-Za-z0-9._-]*)=(.*)", re.DOTALL | re.ASCII)
_MECHANISM = re.compile(r"([-+?~]?)([A-Za-z][A-Za-z0-9._-]*)([:/].*)?", re.DOTALL | re.ASCII)
_PREFIX = r"(0|[1-9][0-9]{0,2})"
_DUAL_CIDR = re.compile(rf"(.*?)(?:/{_PREFIX})?(?://{_PREFIX})?", re.DOTALL | re.ASCII)
_CIDR = re.compile(rf"([^/%]*)(?:/{_PREFIX})?", re.ASCII)
_QUALIFIERS = {
    "+": SpfResult.PASS,
    "": SpfResult.PASS,
    "-": SpfResult.FAIL,
    "~": SpfResult.SOFTFAIL,
    "?": SpfResult.NEUTRAL,
}

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, kw_only=True, slots=True)
class Mechanism:
    """One mechanism; ``text`` is the term as it stands. ``domain`` is None where the current domain is meant."""

    text: str
    name: str
    result: SpfResult
    domain: MacroString | None = None
    network: Network | None = None
    v4_prefix: int = 32
    v6_prefix: int = 128


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """A parsed record: its mechanisms in order, and the two modifiers that are defined. The texts are those of the terms."""

    mechanisms: tuple[Mechanism, ...]
    redirect: MacroString | None = None
    redirect_text: str = ""
    explanation: MacroString | None = None


def select(records: Sequence[str]) -> list[str]:
    """Those of the TXT records that are SPF records, version 1; there may be one only (RFC 7208 §4.5)."""
    return [text for text in records if _VERSION.match(text)]


def parse_record(text: str) -> Policy:
    """The record's terms.

    Raises:
        SpfSyntaxError: any term of it, reached or not, is not allowed.
    """
    mechanisms: list[Mechanism] = []
    modifiers: dict[str, tuple[str, MacroString]] = {}
    for term in text[len("v=spf1") :].split(" "):
        if not term:
            continue
        modifier = _MODIFIER.fullmatch(term)
        try:
            if modifier is None:
                mechanisms.append(_mechanism(term))
            else:
                _add_modifier(modifiers, modifier[1].lower(), term, modifier[2])
        except SpfSyntaxError as error:
            raise SpfSyntaxError(f"{term!r}: {error}") from None
    redirect_text, redirect = modifiers.get("redirect", ("", None))
    _, explanation = modifiers.get("exp", ("", None))
    return Policy(mechanisms=tuple(mechanisms), redirect=redirect, redirect_text=redirect_text, explanation=explanation)


def _add_modifier(modifiers: dict[str, tuple[str, MacroString]], name: str, term: str, value: str) -> None:
    """Adds one of the two that are defined; any other has no effect, but must be well formed (RFC 7208 §6)."""
    if name not in ("redirect", "exp"):
        parse_macro_string(value)
        return
    if name in modifiers:
        raise SpfSyntaxError("there may be one only")
    modifiers[name] = (term, parse_domain_spec(value))


def _mechanism(term: str) -> Mechanism:
    match = _MECHANISM.fullmatch(term)
    if match is None:
        raise SpfSyntaxError("it is neither a mechanism nor a modifier")
    result, name, argument = _QUALIFIERS[match[1]], match[2].lower(), match[3] or ""
    match name:
        case "all":
            if argument:
                raise SpfSyntaxError("all takes nothing after it")
            return Mechanism(text=term, name=name, result=result)
        case "include" | "exists" | "ptr":
            return _with_domain(term, name, result, argument)
        case "a" | "mx":
            return _with_addresses(term, name, result, argument)
        case "ip4" | "ip6":
            return Mechanism(text=term, name=name, result=result, network=_network(name, argument))
        case _:
            raise SpfSyntaxError(f"there is no mechanism {match[2]!r}")


def _with_domain(term: str, name: str, result: SpfResult, argument: str) -> Mechanism:
    if name == "ptr" and not argument:
        return Mechanism(text=term, name=name, result=result)
    if not argument.startswith(":"):
        raise SpfSyntaxError(f"{name} takes a domain: {name}:domain")
    return Mechanism(text=term, name=name, result=result, domain=parse_domain_spec(argument[1:]))


def _with_addresses(term: str, name: str, result: SpfResult, argument: str) -> Mechanism:
    match = _DUAL_CIDR.fullmatch(argument)
    assert match is not None  # the first group takes all that the prefix lengths do not
    domain = match[1]
    v4_prefix, v6_prefix = int(match[2] or 32), int(match[3] or 128)
    if v4_prefix > 32 or v6_prefix > 128:
        raise SpfSyntaxError("a prefix has at most 32 bits (IPv4) or 128 bits (IPv6)")
    if domain and not domain.startswith(":"):
        raise SpfSyntaxError(f"{domain!r} is no prefix length")
    return Mechanism(
        text=term,
        name=name,
        result=result,
        domain=parse_domain_spec(domain[1:]) if domain else None,
        v4_prefix=v4_prefix,
        v6_prefix=v6_prefix,
    )


def _network(name: str, argument: str) -> Network:
    match = _CIDR.fullmatch(argument[1:]) if argument.startswith(":") else None
    if match is None:
        raise SpfSyntaxError(f"{name} takes an address or a network: {name}:network/bits")
    form = ipaddress.IPv4Network if name == "ip4" else ipaddress.IPv6Network
    try:
        return form(f"{match[1]}/{match[2]}" if match[2] else match[1], strict=False)
    except ValueError:
        raise SpfSyntaxError(f"{argument[1:]!r} is no {'IPv4' if name == 'ip4' else 'IPv6'} network") from None
