"""Which literal texts a regular expression cannot match without, and an index of them: the cheap test before the dear one.

A reply of 150 characters meets over a hundred rules. Nearly all of them are ruled out by the trigrams of the reply.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

TRIGRAM = 3
TELLING = 4
_CLASS_ESCAPES = frozenset("AbBdDsSwWZ0123456789")
_TOKEN = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\{\d*,?\d*\}|\(\?(?:[:=!]|<[=!])|.", re.DOTALL)


def required_literals(pattern: str) -> tuple[str, ...]:
    """Texts of which at least one stands in every match of ``pattern``; empty where that cannot be told.

    Where it is not sure, it says so: that costs time, and never a match. It expects a pattern without flags.
    """
    return tuple(sorted(_Reader(_TOKEN.findall(pattern)).alternatives()))


def split_alternatives(pattern: str) -> tuple[str, ...]:
    """The alternatives on the top level of ``pattern``: it matches where one of them does."""
    parts = [""]
    depth = 0
    for piece in _TOKEN.findall(pattern):
        if piece == "|" and not depth:
            parts.append("")
            continue
        depth += piece.startswith("(") - (piece == ")")
        parts[-1] += piece
    return tuple(parts)


class _Reader:
    """Reads a pattern's alternatives and what each of them requires."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._at = 0

    def alternatives(self) -> frozenset[str]:
        """What all alternatives up to the closing bracket require together; empty: one of them requires nothing."""
        found = [self._sequence()]
        while self._peek() == "|":
            self._at += 1
            found.append(self._sequence())
        return frozenset[str]().union(*found) if all(found) else frozenset()

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _sequence(self) -> frozenset[str]:
        """The most telling requirement of one alternative: long rather than short, late rather than early.

        What a sentence is about comes first ("the mailbox …"), what it says of that comes last ("… is full").
        """
        candidates: list[frozenset[str]] = []
        run = ""
        while self._peek() not in {"", "|", ")"}:
            literal, group = self._item()
            optional, repeated = self._quantifier()
            if literal and not optional:
                run += literal
                if not repeated:
                    continue
            candidates.append(frozenset({run}))
            run = ""
            if not optional:
                candidates.append(group)
        candidates.append(frozenset({run}))
        best = max(reversed(candidates), key=_weight)
        return best if _weight(best) else frozenset()

    def _item(self) -> tuple[str, frozenset[str]]:
        """The next literal character, or the requirement of the next group; nothing for anything else."""
        token = self._peek()
        self._at += 1
        if token.startswith("("):
            inner = self.alternatives()
            self._at += 1  # the closing bracket
            return "", inner if token in {"(", "(?:"} else frozenset()  # what looks around requires nothing
        if token.startswith("\\"):
            return ("" if token[1] in _CLASS_ESCAPES else token[1]), frozenset()
        return ("" if token in {".", "^", "$"} or token.startswith("[") else token), frozenset()

    def _quantifier(self) -> tuple[bool, bool]:
        """Whether the item may be absent, and whether it may be repeated."""
        token = self._peek()
        if token not in {"?", "*", "+"} and not (token.startswith("{") and len(token) > 1):
            return False, False
        self._at += 1
        if self._peek() == "?":  # not greedy
            self._at += 1
        return token in {"?", "*"} or token.startswith(("{0", "{,")), True


def _weight(literals: frozenset[str]) -> int:
    shortest = min(map(len, literals), default=0)
    return min(shortest, TELLING) if shortest >= TRIGRAM else 0


@dataclass(frozen=True, slots=True)
class TrigramIndex:
    """For each trigram the places, as bits, of what needs it; ``always`` are the places that need nothing."""

    places: dict[str, int]
    always: int

    def find(self, text: str) -> int:
        """The places, as bits, of everything that ``text`` may fit."""
        found = self.always
        places = self.places
        for at in range(len(text) - TRIGRAM + 1):
            found |= places.get(text[at : at + TRIGRAM], 0)
        return found


def build_index(literals: Sequence[tuple[str, ...]]) -> TrigramIndex:
    """The index of what each place requires: of every literal its rarest trigram."""
    counts = Counter(trigram for texts in literals for text in texts for trigram in _trigrams(text))
    places: dict[str, int] = {}
    always = 0
    for place, texts in enumerate(literals):
        if not texts:
            always |= 1 << place
        for text in texts:
            rarest = min(_trigrams(text), key=lambda trigram: counts[trigram])
            places[rarest] = places.get(rarest, 0) | 1 << place
    return TrigramIndex(places, always)


def _trigrams(text: str) -> list[str]:
    return [text[at : at + TRIGRAM] for at in range(len(text) - TRIGRAM + 1)]
