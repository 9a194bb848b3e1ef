"""What can be wrong with a template or its data, with everything a person needs to correct it."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from waybill.model.cause import Cause


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where in a template (or in its data): line and column count from 1; ``tag`` is the tag as written."""

    line: int
    column: int
    tag: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """A name that was looked for, the names that were there, and the one of them that was probably meant."""

    variable: str
    available: tuple[str, ...] = ()
    closest: str | None = None


class TemplateError(Exception):
    """A template or its data is at fault.

    ``error`` is the text SES gives; ``line`` and ``column`` count from 1; ``tag`` is the tag as written
    (``{{display_name}}``); ``available`` are the names the data holds at that place and ``closest`` the one
    that was probably meant by ``variable``.
    """

    def __init__(self, cause: Cause, error: str, place: Place | None = None, wanted: Wanted | None = None) -> None:
        super().__init__(error)
        self.cause = cause
        self.error = error
        self.line = place.line if place else None
        self.column = place.column if place else None
        self.tag = place.tag if place else None
        self.variable = wanted.variable if wanted else None
        self.available = wanted.available if wanted else ()
        self.closest = wanted.closest if wanted else None


def place_of(source: str, offset: int, tag: str | None = None) -> Place:
    """The place of an offset."""
    start = source.rfind("\n", 0, offset) + 1
    return Place(line=source.count("\n", 0, offset) + 1, column=offset - start + 1, tag=tag)


def fault_at(cause: Cause, source: str, offset: int, text: str, tag: str | None = None) -> TemplateError:
    """The template is at fault at ``offset``; the text gets the place appended."""
    place = place_of(source, offset, tag)
    return TemplateError(cause, f"{text} (line {place.line}, column {place.column})", place)


def syntax_error(source: str, offset: int, text: str, tag: str | None = None) -> TemplateError:
    """The template cannot be parsed at ``offset``."""
    return fault_at(Cause.TEMPLATE_SYNTAX_ERROR, source, offset, text, tag)


def closest_name(name: str, names: Iterable[str]) -> str | None:
    """The name that was probably meant: equal but for case, ``-`` and ``_``, else the most similar one."""
    folded: dict[str, str] = {}
    for each in names:
        folded.setdefault(_fold(each), each)
    wanted = _fold(name)
    if wanted in folded:
        return folded[wanted]
    found = difflib.get_close_matches(wanted, list(folded)[:1000], n=1)
    return folded[found[0]] if found else None


def _fold(name: str) -> str:
    return "".join(each for each in name.casefold() if each not in "-_ ")[:100]
