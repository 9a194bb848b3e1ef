"""Template data: JSON text to names and values, and SendBulkEmail's merge of defaults and replacements."""

import json
from collections.abc import Mapping
from typing import Any, NoReturn

from waybill.mail.template.error import Place, TemplateError
from waybill.model.cause import Cause

MAX_NESTING = 100


def parse_data(text: str) -> dict[str, Any]:
    """The JSON object that ``TemplateData`` holds; blank text is an empty object.

    Raises:
        TemplateError: template_data_invalid, with line and column, where the text is no JSON object.
    """
    if not text.strip():
        return {}
    try:
        data = json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as fault:
        raise TemplateError(
            Cause.TEMPLATE_DATA_INVALID,
            f"Template rendering data is invalid: {fault.msg} at line {fault.lineno}, column {fault.colno}",
            Place(line=fault.lineno, column=fault.colno),
        ) from None
    except RecursionError:
        raise _invalid("it is nested too deeply") from None
    except ValueError as fault:
        raise _invalid(str(fault)) from None
    if not isinstance(data, dict):
        raise _invalid(f"it must be a JSON object, not {_JSON_NAMES.get(type(data), 'a value')}")
    if _too_deep(data):
        raise _invalid(f"it is nested more than {MAX_NESTING} levels deep")
    if "\\u" in text and _has_half_pair(data):
        raise _invalid("a string holds half of a surrogate pair (\\ud800 to \\udfff)")
    return data


def merge_data(defaults: Mapping[str, Any], replacement: Mapping[str, Any]) -> dict[str, Any]:
    """Default data overridden by a destination's own: per key, through objects; arrays and scalars are replaced whole.

    This is what SES v2 does, although its documentation speaks of a fall-back of the whole object.
    """
    merged = dict(defaults)
    for name, value in replacement.items():
        old = merged.get(name)
        merged[name] = merge_data(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


_JSON_NAMES = {
    list: "an array",
    str: "a string",
    int: "a number",
    float: "a number",
    bool: "a boolean",
    type(None): "null",
}


def _invalid(fault: str) -> TemplateError:
    return TemplateError(Cause.TEMPLATE_DATA_INVALID, f"Template rendering data is invalid: {fault}")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")


def _has_half_pair(data: dict[str, Any]) -> bool:
    try:
        json.dumps(data, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False


def _too_deep(data: dict[str, Any]) -> bool:
    level: list[Any] = [data]
    for _ in range(MAX_NESTING):
        children = [list(each.values()) if isinstance(each, dict) else each for each in level]
        level = [inner for each in children for inner in each if isinstance(inner, dict | list)]
        if not level:
            return False
    return True
