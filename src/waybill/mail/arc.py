"""The Authenticated Received Chain (RFC 8617): its sets in order, what each forwarder said, and whether the chain is whole."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from waybill.mail.authentication_results import AuthenticationResults, parse_authentication_results
from waybill.mail.header import Field

MAX_SETS = 50
"""RFC 8617 §4.2.1."""

_SEAL, _SIGNATURE, _RESULTS = "arc-seal", "arc-message-signature", "arc-authentication-results"
_TAG = re.compile(r"(?:^|;)\s*([A-Za-z][A-Za-z0-9_]*)\s*=\s*([^;]*)")
_INSTANCE = re.compile(r"^\s*i\s*=\s*(\d{1,3})\s*;?(.*)$", re.DOTALL)


@dataclass(frozen=True, kw_only=True, slots=True)
class ArcSet:
    """One forwarder's set: what it found (``results``), who sealed it, and what it says of the chain before it (``cv``)."""

    instance: int
    results: AuthenticationResults | None = None
    domain: str | None = None
    selector: str | None = None
    cv: str | None = None
    has_signature: bool = False
    doubled: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class ArcChain:
    """The sets in the order they were added. ``fault`` is what is wrong with the chain as it is written; None: nothing.

    Whether the seals are good is another question: that takes the forwarders' keys.
    """

    sets: tuple[ArcSet, ...] = ()
    fault: str | None = None


def read_arc(fields: Sequence[Field]) -> ArcChain | None:
    """The chain in a header; None where there is none."""
    found: dict[int, ArcSet] = {}
    unreadable = False
    for each in fields:
        name = each.name.lower()
        if name not in {_SEAL, _SIGNATURE, _RESULTS}:
            continue
        if name == _RESULTS:
            match = _INSTANCE.match(each.value)
            instance = int(match[1]) if match else 0
        else:
            instance = _number(_tags(each.value).get("i", ""))
        if not 1 <= instance <= MAX_SETS:
            unreadable = True
            continue
        found[instance] = _add(found.get(instance, ArcSet(instance=instance)), name, each.value)
    if not found and not unreadable:
        return None
    sets = tuple(found[instance] for instance in sorted(found))
    return ArcChain(sets=sets, fault="a field without a number from 1 to 50" if unreadable else _fault(sets))


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 4 else 0


def _tags(value: str) -> dict[str, str]:
    return {name.lower(): "".join(text.split()) for name, text in _TAG.findall(value)}


def _add(known: ArcSet, name: str, value: str) -> ArcSet:
    """The set with one more field; a second one of its kind is a fault."""
    if name == _RESULTS:
        match = _INSTANCE.match(value)
        results = parse_authentication_results(match[2] if match else value, "ARC-Authentication-Results")
        return replace(known, results=results, doubled=known.doubled or known.results is not None)
    if name == _SIGNATURE:
        return replace(known, has_signature=True, doubled=known.doubled or known.has_signature)
    tags = _tags(value)
    return replace(
        known,
        domain=tags.get("d"),
        selector=tags.get("s"),
        cv=tags.get("cv", "").lower() or None,
        doubled=known.doubled or known.domain is not None,
    )


def _fault(sets: Sequence[ArcSet]) -> str | None:
    """What breaks the chain as it is written (RFC 8617 §5.2, steps 2 and 3)."""
    numbers = [each.instance for each in sets]
    if numbers != list(range(1, len(sets) + 1)):
        missing = next(number for number in range(1, len(sets) + 2) if number not in numbers)
        return f"set {missing} is missing"
    for each in sets:
        if each.doubled:
            return f"set {each.instance} has a field twice"
        if each.results is None or each.domain is None or not each.has_signature:
            return f"set {each.instance} is not whole"
        expected = "none" if each.instance == 1 else "pass"
        if each.cv == "fail":
            return f"set {each.instance} says that the chain before it was broken (cv=fail)"
        if each.cv != expected:
            return f"set {each.instance} says cv={each.cv or 'nothing'} where {expected} is due"
    return None
