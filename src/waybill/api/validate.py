"""Checks parameters against the constraints of the service model, in AWS's words."""

import re
from functools import cache
from typing import Any

from waybill.api.call import ApiError
from waybill.api.member_path import MemberPath, item, write
from waybill.api.shapes import OperationModel, ServiceModel, Shape

_MOST_LISTED = 10
_LONGEST_MATCHED = 65_536  # a longer value of a shape with a pattern is refused unmatched


def validate(model: ServiceModel, operation: OperationModel, request: dict[str, Any]) -> None:
    """Returns if the parameters satisfy the model.

    Raises:
        ApiError: ValidationError (Query) or BadRequestException (REST-JSON) that names every parameter at fault (at
            most ten) and what is allowed.
    """
    if operation.input is None:
        return
    texts: list[str] = []
    _check(model, operation.input, request, None, texts)
    if texts:
        code = "ValidationError" if model.protocol == "query" else "BadRequestException"
        plural = "s" if len(texts) > 1 else ""
        raise ApiError(code, f"{len(texts)} validation error{plural} detected: {'; '.join(texts)}", status=400)


def _check(model: ServiceModel, name: str, value: Any, path: MemberPath, texts: list[str]) -> None:
    if len(texts) >= _MOST_LISTED:
        return
    if value is None:
        texts.append(_violation(path, "Member must not be null"))
        return
    shape = model.shapes[name]
    kind = shape.type
    if kind == "structure":
        members = shape.members
        texts.extend(
            _violation((path, required), "Member must not be null")
            for required in shape.required
            if required not in value
        )
        for key, inner in value.items():
            _check(model, members[key].shape, inner, (path, key), texts)
        return
    if shape.min is not None or shape.max is not None:
        _check_size(shape, value, path, texts)
    if kind == "string":
        if shape.enum or shape.pattern:
            _check_string(shape, value, path, texts)
    elif kind == "list":
        assert shape.member is not None
        for index, inner in enumerate(value, 1):
            _check(model, shape.member.shape, inner, item(path, index), texts)
    elif kind == "map":
        assert shape.key is not None
        assert shape.value is not None
        for key, inner in value.items():
            _check(model, shape.key.shape, key, (path, key, "key"), texts)
            _check(model, shape.value.shape, inner, item(path, key), texts)


def _check_string(shape: Shape, value: str, path: MemberPath, texts: list[str]) -> None:
    if shape.enum and value not in shape.enum:
        texts.append(_violation(path, f"Member must satisfy enum value set: [{', '.join(sorted(shape.enum))}]"))
    if shape.pattern and (len(value) > _LONGEST_MATCHED or not _compiled(shape.pattern).fullmatch(value)):
        texts.append(_violation(path, f"Member must satisfy regular expression pattern: {shape.pattern}"))


def _check_size(shape: Shape, value: Any, path: MemberPath, texts: list[str]) -> None:
    measured = shape.type in ("string", "list", "map", "blob")
    size, what = (len(value), "length") if measured else (value, "value")
    if shape.min is not None and size < shape.min:
        texts.append(_violation(path, f"Member must have {what} greater than or equal to {shape.min:.0f}"))
    if shape.max is not None and size > shape.max:
        texts.append(_violation(path, f"Member must have {what} less than or equal to {shape.max:.0f}"))


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.ASCII)


def _violation(path: MemberPath, constraint: str) -> str:
    return f"Value at '{write(path)}' failed to satisfy constraint: {constraint}"
