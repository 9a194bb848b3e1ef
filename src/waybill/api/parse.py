"""REST-JSON requests become parameters: blobs are bytes, timestamps Instants; what the model does not know is left out."""

import binascii
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote_plus

import msgspec

from waybill.api.call import ApiError
from waybill.api.member_path import MemberPath, item, write
from waybill.api.shapes import Member, OperationModel, ServiceModel
from waybill.model.clock import parse_rfc3339

_LATEST = 253_402_300_799_999  # the last millisecond of the year 9999


def parse_rest(
    model: ServiceModel, operation: OperationModel, labels: dict[str, str], query: bytes, body: bytes
) -> dict[str, Any]:
    """The operation's parameters from the path, the query string and the JSON body.

    Raises:
        ApiError: SerializationException: no JSON, or a value is of another type than the model says.
    """
    if operation.input is None:
        return {}
    document = _decode(body) if body else {}
    if type(document) is not dict:
        raise _unexpected(document, "Structure", None)
    members = model.shapes[operation.input].members
    fields = _query_fields(query) if query else {}
    request = {}
    for name, member in members.items():
        if member.location is None:
            value = document.get(name)
            parsed = None if value is None else parse_value(model, member.shape, value, (None, name))
        elif member.location == "uri":
            parsed = labels[member.location_name or name]
        else:
            texts = fields.get(member.location_name or name)
            parsed = None if texts is None else _parse_texts(model, member, texts, (None, name))
        if parsed is not None:
            request[name] = parsed
    return request


def parse_value(model: ServiceModel, name: str, value: Any, path: MemberPath) -> Any:
    """A decoded JSON value as the shape of that name wants it. Raises: ApiError (SerializationException)."""
    shape = model.shapes[name]
    kind, given = shape.type, type(value)
    if kind == "string" and given is str:
        return value
    if kind == "structure":
        if given is not dict:
            raise _unexpected(value, "Structure", path)
        members = shape.members
        return {
            key: parse_value(model, members[key].shape, inner, (path, key))
            for key, inner in value.items()
            if inner is not None and key in members
        }
    if kind == "list":
        if given is not list:
            raise _unexpected(value, "List", path)
        assert shape.member is not None
        inner_shape = shape.member.shape
        return [
            None if inner is None else parse_value(model, inner_shape, inner, item(path, index))
            for index, inner in enumerate(value, 1)
        ]
    if kind == "map":
        if given is not dict:
            raise _unexpected(value, "Map", path)
        assert shape.value is not None
        inner_shape = shape.value.shape
        return {
            key: None if inner is None else parse_value(model, inner_shape, inner, item(path, key))
            for key, inner in value.items()
        }
    return _SCALARS[kind](value, path)


def parse_text(kind: str, text: str, path: MemberPath) -> Any:
    """A scalar as forms and query strings write it. Raises: ApiError (SerializationException)."""
    if kind == "boolean":
        if text not in ("true", "false"):
            raise _wrong(f"'{text[:64]}' is not a boolean: write true or false", path)
        return text == "true"
    if kind in ("integer", "long", "double"):
        try:
            number = float(text) if kind == "double" else int(text[:32])
        except ValueError:
            raise _wrong(f"'{text[:64]}' is not a number", path) from None
        return _SCALARS[kind](number, path)
    return _SCALARS[kind](text, path)


def _decode(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ApiError("SerializationException", f"The request body is not JSON: {error}", status=400) from None
    except RecursionError:
        raise ApiError("SerializationException", "The request body is nested too deeply", status=400) from None


def _query_fields(query: bytes) -> dict[str, list[str]]:
    fields: dict[str, list[str]] = {}
    for field in query.split(b"&"):
        name, _, value = field.decode("latin-1").partition("=")
        fields.setdefault(unquote_plus(name), []).append(unquote_plus(value))
    return fields


def _parse_texts(model: ServiceModel, member: Member, texts: list[str], path: MemberPath) -> Any:
    shape = model.shapes[member.shape]
    if shape.type != "list":
        return parse_text(shape.type, texts[-1], path)
    assert shape.member is not None
    kind = model.shapes[shape.member.shape].type
    return [parse_text(kind, text, item(path, index)) for index, text in enumerate(texts, 1)]


def _string(value: Any, path: MemberPath) -> str:
    if type(value) is not str:
        raise _unexpected(value, "String", path)
    return value


def _boolean(value: Any, path: MemberPath) -> bool:
    if type(value) is not bool:
        raise _unexpected(value, "Boolean", path)
    return value


def _whole(bits: int, name: str) -> Callable[[Any, MemberPath], int]:
    def parse(value: Any, path: MemberPath) -> int:
        if type(value) is float and value.is_integer():
            value = int(value)
        if type(value) is not int:
            raise _unexpected(value, name, path)
        if not -(1 << bits) <= value < 1 << bits:
            raise _wrong(f"{name} value is out of range", path)
        return value

    return parse


def _double(value: Any, path: MemberPath) -> float:
    if type(value) not in (int, float):
        raise _unexpected(value, "Double", path)
    try:
        return float(value)
    except OverflowError:
        raise _wrong("Double value is out of range", path) from None


def _timestamp(value: Any, path: MemberPath) -> int:
    if type(value) is str:
        try:
            at = parse_rfc3339(value)
        except (ValueError, OverflowError):
            raise _wrong(f"'{value[:64]}' is not a timestamp: write it as 2026-11-24T02:30:00Z", path) from None
    elif type(value) in (int, float):
        at = round(value * 1_000) if abs(value) < _LATEST else _LATEST + 1
    else:
        raise _unexpected(value, "Timestamp", path)
    if not 0 <= at <= _LATEST:
        raise _wrong("the timestamp is not between 1970 and 9999", path)
    return at


def _blob(value: Any, path: MemberPath) -> bytes:
    if type(value) is not str:
        raise _unexpected(value, "Blob", path)
    try:
        return binascii.a2b_base64(value, strict_mode=True)
    except ValueError:  # binascii.Error, or characters that are not ASCII
        pass
    try:  # in lines, as MIME writes it (RFC 2045 §6.8)
        return binascii.a2b_base64("".join(value.split()), strict_mode=True)
    except ValueError as error:
        raise _wrong(f"the value is not base64 ({error})", path) from None


_SCALARS: dict[str, Callable[[Any, MemberPath], Any]] = {
    "string": _string,
    "boolean": _boolean,
    "integer": _whole(31, "Integer"),
    "long": _whole(63, "Long"),
    "double": _double,
    "timestamp": _timestamp,
    "blob": _blob,
}


def _unexpected(value: Any, wanted: str, path: MemberPath) -> ApiError:
    if type(value) is dict:
        return _wrong("Start of structure or map found where not expected.", path)
    if type(value) is list:
        return _wrong("Start of list found where not expected.", path)
    if value is None:
        token = "NULL_VALUE"  # noqa: S105 - the kind of a JSON token
    elif type(value) is bool:
        token = "TRUE_VALUE" if value else "FALSE_VALUE"
    else:
        token = "STRING_VALUE" if type(value) is str else "NUMBER_VALUE"
    article = "an" if wanted[0] in "AEIOU" else "a"
    return _wrong(f"{token} can not be converted to {article} {wanted}", path)


def _wrong(text: str, path: MemberPath) -> ApiError:
    return ApiError("SerializationException", f"{text} (at '{write(path)}')" if path else text, status=400)
