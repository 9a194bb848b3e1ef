"""Near misses: names that were probably meant."""

import re
from collections.abc import Collection

from waybill.mail.mailbox_domains import MAILBOX_DOMAINS

WELL_KNOWN = MAILBOX_DOMAINS

LONGEST_GUESSED = 40
"""Characters of a domain whose neighbours are looked for."""

_WORDS = re.compile(r"[._-]")
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789-"
_TOPS = {
    **dict.fromkeys(("con", "cm", "co", "cmo", "ocm", "vom", "xom", "cim", "cpm", "comm", "om"), "com"),
    **dict.fromkeys(("ner", "nte", "ent", "met", "nett"), "net"),
    **dict.fromkeys(("ogr", "rog", "orgg"), "org"),
}
_SHORT, _LONG = 4, 7
"""Letters that a name before the @ needs before one, and two, slips in it are worth a guess."""


def distance(left: str, right: str, *, most: int) -> int:
    """Edits (insert, delete, replace, swap of neighbours) from one to the other; ``most + 1`` where there are more."""
    if abs(len(left) - len(right)) > most:
        return most + 1
    before: list[int] = []
    previous = list(range(len(right) + 1))
    for row, a in enumerate(left, 1):
        current = [row]
        for column, b in enumerate(right, 1):
            cost = min(previous[column] + 1, current[-1] + 1, previous[column - 1] + (a != b))
            if row > 1 and column > 1 and a == right[column - 2] and left[row - 2] == b:
                cost = min(cost, before[column - 2] + 1)
            current.append(cost)
        before, previous = previous, current
    return min(previous[-1], most + 1)


def one_slip_away(domain: str) -> frozenset[str]:
    """Every name that one typing error (as ``distance`` counts) makes of the domain, its last label left as it is."""
    name, dot, top = domain.rpartition(".")
    if not dot or len(domain) > LONGEST_GUESSED:
        return frozenset()
    slips: set[str] = set()
    for at in range(len(name) + 1):
        before, after = name[:at], name[at:]
        slips.update(f"{before}{letter}{after}" for letter in _LETTERS)
        if after:
            slips.add(before + after[1:])
            slips.update(f"{before}{letter}{after[1:]}" for letter in _LETTERS)
        if len(after) > 1:
            slips.add(before + after[1] + after[0] + after[2:])
    named = {f"{slip}.{top}" for slip in slips if slip.strip("-.") == slip and slip}
    if top in _TOPS:
        named.add(f"{name}.{_TOPS[top]}")
    return frozenset(named - {domain})


def near_address(address: str, known: Collection[str]) -> str | None:
    """The address of the same domain that was probably meant: one or two slips away, or one name short of the other.

    ``anna.k`` is short for ``anna.kowalski``: all its words, but the last letter by letter, are words of the other.
    """
    local = address.rpartition("@")[0].lower()
    crowded = address.rpartition("@")[2] in WELL_KNOWN  # where millions live, somebody's name is always near
    most = 0 if len(local) < _SHORT else 1 if len(local) < _LONG or crowded else 2
    ranked = []
    for other in known:
        theirs = other.rpartition("@")[0].lower()
        if theirs == local:
            continue
        away = distance(local, theirs, most=most)
        if away <= most:
            ranked.append((away, other))
        elif not crowded and (_is_short_for(local, theirs) or _is_short_for(theirs, local)):
            ranked.append((most + 1, other))
    return min(ranked)[1] if ranked else None


def _is_short_for(short: str, long: str) -> bool:
    ours, theirs = _WORDS.split(short), _WORDS.split(long)
    if len(ours) != len(theirs) or len(ours) < 2:
        return False
    pairs = list(zip(ours, theirs, strict=True))
    return all(mine and yours.startswith(mine) for mine, yours in pairs) and any(
        mine == yours and len(mine) > 2 for mine, yours in pairs
    )


def near_domain(domain: str, known: Collection[str] = WELL_KNOWN, *, most: int = 2) -> str | None:
    """The well-known mailbox domain that is one or two typing errors away; None where none is, or it is one itself."""
    if domain in known:
        return None
    most = min(most, 1 if len(domain) < 8 else 2)
    ranked = sorted((distance(domain, name, most=most), name) for name in known)
    return ranked[0][1] if ranked and ranked[0][0] <= most else None
