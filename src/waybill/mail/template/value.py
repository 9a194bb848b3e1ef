"""Values as JavaScript sees them, since templates were written for Handlebars: truth, text, equality, keys."""

import math
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, Final

_MAX_SAFE = 2**53
_MAX_INDEX_DIGITS = 10


class Undefined:
    """The type of ``UNDEFINED``."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "undefined"


UNDEFINED: Final = Undefined()
"""What a name that the data does not hold stands for; distinct from null (None)."""


def is_missing(value: Any) -> bool:
    """Whether a value is undefined or null."""
    return value is None or value is UNDEFINED


def is_empty(value: Any) -> bool:
    """Handlebars' isEmpty: false, null, undefined, "" and [] are; 0 and {} are not."""
    if isinstance(value, str | list):
        return not value
    return value is None or value is False or value is UNDEFINED or value != value  # noqa: PLR0124 - NaN


def is_zero(value: Any) -> bool:
    """Whether a value is the number 0."""
    return isinstance(value, int | float) and not isinstance(value, bool) and value == 0


def look_up(value: Any, name: str) -> Any:
    """A member of an object, an element of an array, or the length of an array or string; else ``UNDEFINED``.

    The length of a string counts code points, where JavaScript counts UTF-16 units.
    """
    if isinstance(value, dict):
        return value.get(name, UNDEFINED)
    if isinstance(value, list):
        if name == "length":
            return len(value)
        if name.isascii() and name.isdigit() and len(name) <= _MAX_INDEX_DIGITS and (name[0] != "0" or name == "0"):
            index = int(name)
            return value[index] if index < len(value) else UNDEFINED
    if isinstance(value, str) and name == "length":
        return len(value)
    return UNDEFINED


def keys_in_order(value: dict[str, Any]) -> Iterable[str]:
    """The keys in the order in which JavaScript enumerates them: array indexes first, ascending, then as written."""
    if not any(key[:1].isdigit() for key in value):
        return value
    indexes = [key for key in value if _is_array_index(key)]
    rest = [key for key in value if not _is_array_index(key)]
    return [*sorted(indexes, key=int), *rest]


def _is_array_index(key: str) -> bool:
    if not (key.isascii() and key.isdigit() and len(key) <= _MAX_INDEX_DIGITS):
        return False
    return (key[0] != "0" or key == "0") and int(key) < 2**32 - 1


def same_context(one: Any, other: Any) -> bool:
    """JavaScript's ``==``, by which Handlebars decides whether a block opens a new level for ``../``."""
    if isinstance(one, dict | list) or isinstance(other, dict | list):
        return one is other
    if is_missing(one) or is_missing(other):
        return is_missing(one) and is_missing(other)
    if isinstance(one, str) and isinstance(other, str):
        return one == other
    return _number(one) == _number(other)


def _number(value: Any) -> float:
    if not isinstance(value, str):
        return float(value)
    try:
        return float(value) if value.strip() else 0.0
    except ValueError:
        return math.nan


def to_text(value: Any, work: Callable[[int], None]) -> str:
    """A value as JavaScript prints it; ``work`` is told how many elements were visited."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return number_text(value)
    if isinstance(value, list):
        work(len(value))
        return ",".join("" if is_missing(each) else to_text(each, work) for each in value)
    if isinstance(value, dict):
        return "[object Object]"
    return "null" if value is None else "undefined"


def number_text(value: float) -> str:
    """Number::toString of ECMAScript (§6.1.6.1.20): 1.0 is ``1``, 1e21 is ``1e+21``, 0.0000001 is ``1e-7``."""
    if isinstance(value, int) and -_MAX_SAFE <= value <= _MAX_SAFE:
        return str(value)
    try:
        real = float(value)
    except OverflowError:
        real = math.inf if value > 0 else -math.inf
    if math.isnan(real):
        return "NaN"
    if math.isinf(real):
        return "Infinity" if real > 0 else "-Infinity"
    sign, digits, exponent = Decimal(repr(real)).normalize().as_tuple()
    assert isinstance(exponent, int)
    text = "".join(map(str, digits))
    point = len(text) + exponent
    if real == 0:
        return "0"
    if len(text) <= point <= 21:
        shown = text + "0" * (point - len(text))
    elif 0 < point <= 21:
        shown = f"{text[:point]}.{text[point:]}"
    elif -6 < point <= 0:
        shown = f"0.{'0' * -point}{text}"
    else:
        mantissa = text if len(text) == 1 else f"{text[0]}.{text[1:]}"
        shown = f"{mantissa}e{'+' if point > 0 else '-'}{abs(point - 1)}"
    return f"-{shown}" if sign else shown
