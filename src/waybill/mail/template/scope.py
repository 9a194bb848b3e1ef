"""What a name means at a place in a template: the context, the contexts around it, ``@`` data and block parameters."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

from waybill.mail.template.syntax import Path, Program
from waybill.mail.template.value import UNDEFINED, is_missing, look_up, same_context


class Level(NamedTuple):
    """One step of ``../``."""

    context: Any
    up: "Level | None"


@dataclass(slots=True)
class Frame:
    """The ``@`` data of a loop round; ``partial_block`` is what ``{{> @partial-block}}`` stands for."""

    values: dict[str, Any]
    up: "Frame | None" = None
    partial_block: "PartialBlock | None" = None

    def child(self) -> "Frame":
        """A frame inside this one, which sees its values."""
        return Frame(dict(self.values), self, self.partial_block)


class Scope(NamedTuple):
    """The surroundings of a node. ``levels`` starts with the context itself; it is None only around the root."""

    context: Any
    levels: Level | None
    frame: Frame
    names: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Closure:
    """A program and the scope it was written in, which is where its ``../`` and block parameters come from."""

    program: Program
    scope: Scope


@dataclass(frozen=True, slots=True)
class PartialBlock:
    """The body of ``{{#> name}}``, and the partial block that was in force around it."""

    closure: Closure
    outer: "PartialBlock | None"


def enter(scope: Scope, program: Program, context: Any, frame: Frame, values: tuple[Any, ...]) -> Scope:
    """The scope inside ``program``, which was written in ``scope`` and runs on ``context``."""
    levels = scope.levels
    if levels is None or not same_context(context, levels.context):
        levels = Level(context, levels)
    names = scope.names
    if program.block_params:
        padded = (*values, *(UNDEFINED,) * len(program.block_params))
        names = {**names, **dict(zip(program.block_params, padded, strict=False))}
    return Scope(context, levels, frame, names)


def resolve(path: Path, scope: Scope) -> Any:
    """What a path leads to; null and ``UNDEFINED`` end the walk."""
    if path.data:
        return _resolve_data(path, scope.frame)
    value, parts = start_of(path, scope)
    for part in parts:
        if is_missing(value):
            return value
        value = look_up(value, part)
    return value


def start_of(path: Path, scope: Scope) -> tuple[Any, tuple[str, ...]]:
    """Where a path starts, and the parts that lead on from there."""
    parts = path.parts
    if not path.depth:
        if parts and scope.names and not path.scoped and parts[0] in scope.names:
            return scope.names[parts[0]], parts[1:]
        return scope.context, parts
    level = scope.levels
    for _ in range(path.depth):
        if level is None:
            break
        level = level.up
    return (UNDEFINED if level is None else level.context), parts


def _resolve_data(path: Path, frame: Frame) -> Any:
    found: Frame | None = frame
    for _ in range(path.depth):
        if found is None:
            break
        found = found.up
    if found is None or not path.parts:
        return UNDEFINED
    value = found.values.get(path.parts[0], UNDEFINED)
    for part in path.parts[1:]:
        # Handlebars joins the parts of data paths with &&: a falsy value ends the walk and is the result.
        if not isinstance(value, dict | list) and not value:
            return value
        value = look_up(value, part)
    return value
