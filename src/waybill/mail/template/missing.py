"""What to say about a name that leads nowhere: what was there instead, and what was probably meant."""

from typing import Any

from waybill.mail.template.error import TemplateError, Wanted, closest_name, place_of
from waybill.mail.template.expression import BUILTINS
from waybill.mail.template.scope import Scope, start_of
from waybill.mail.template.syntax import Call, Output, Path
from waybill.mail.template.value import is_missing, look_up
from waybill.model.cause import Cause

MAX_AVAILABLE = 100
_TEXT = "Attribute '{}' is not present in the rendering data."


def missing_variable(source: str, output: Output, scope: Scope) -> TemplateError:
    """The data holds nothing, or null, for the variable of ``output``."""
    path = output.call.path
    if output.call.params:
        # {{lookup names key}}: the key is what is missing.
        return _error(source, output, Wanted(variable=_written(output.call.params[-1])))
    here, wanted = (scope.frame.values, path.parts[0]) if path.data and path.parts else _last_found(path, scope)
    available = tuple(here)[:MAX_AVAILABLE] if isinstance(here, dict) else ()
    closest = closest_name(wanted, available)
    if closest is None and path.simple:
        closest = _outside(wanted, scope)
    return _error(source, output, Wanted(variable=path.original, available=available, closest=closest))


def unknown_builtin(source: str, call: Call, offset: int) -> TemplateError:
    """A name with parameters is a helper, and there is none of this name. SES says the same as for a variable."""
    name, available = call.path.original, tuple(sorted(BUILTINS))
    place = place_of(source, offset, _tag(source, offset, source.find("}}", offset) + 2))
    wanted = Wanted(variable=name, available=available, closest=closest_name(name, available))
    return TemplateError(Cause.TEMPLATE_SYNTAX_ERROR, _TEXT.format(name), place, wanted)


def _error(source: str, output: Output, wanted: Wanted) -> TemplateError:
    place = place_of(source, output.offset, _tag(source, output.offset, output.end))
    return TemplateError(Cause.TEMPLATE_VARIABLE_MISSING, _TEXT.format(wanted.variable), place, wanted)


def _tag(source: str, start: int, end: int) -> str:
    return source[start : min(end, start + 200)]


def _written(expression: Any) -> str:
    return str(expression.path.original if isinstance(expression, Call) else expression.original)


def _last_found(path: Path, scope: Scope) -> tuple[Any, str]:
    """The last value on the way that is there, and the name that it does not have."""
    value, parts = start_of(path, scope)
    for part in parts:
        following = look_up(value, part)
        if is_missing(following):
            return value, part
        value = following
    return value, path.original


def _outside(name: str, scope: Scope) -> str | None:
    """``../name`` where a context further out has the name: the usual slip inside ``{{#each}}``."""
    level, prefix = scope.levels, ""
    while level is not None:
        if prefix and isinstance(level.context, dict) and not is_missing(level.context.get(name)):
            return prefix + name
        level, prefix = level.up, prefix + "../"
    return None
