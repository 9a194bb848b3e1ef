"""Query requests (SES v1, SNS) become parameters: ``Destination.ToAddresses.member.1=…`` by the model's shapes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_to_bytes

from waybill.api.call import ApiError
from waybill.api.member_path import MemberPath, item, write
from waybill.api.parse import parse_text
from waybill.api.shapes import Member, OperationModel, ServiceModel

MOST_FIELDS = 50_000
_DEEPEST = 32  # the deepest parameter of the models has 12 parts


@dataclass(kw_only=True, slots=True)
class _Node:
    value: str | None = None
    children: dict[str, "_Node"] = field(default_factory=dict)


def parse_form(text: bytes) -> dict[str, str]:
    """The fields of a form body or a query string; of a repeated field the last counts.

    Raises:
        ApiError: MalformedQueryString: it has too many fields, or is not UTF-8.
    """
    if text.count(b"&") >= MOST_FIELDS:
        raise ApiError("MalformedQueryString", f"The request has more than {MOST_FIELDS} parameters.", status=400)
    fields = {}
    try:
        for pair in text.split(b"&"):
            name, _, value = pair.partition(b"=")
            if name:
                fields[_decode(name)] = _decode(value)
    except UnicodeDecodeError as error:
        raise ApiError(
            "MalformedQueryString", f"The request's parameters are not UTF-8: {error}.", status=400
        ) from None
    return fields


def parse_query(model: ServiceModel, operation: OperationModel, fields: Mapping[str, str]) -> dict[str, Any]:
    """The operation's parameters.

    Raises:
        ApiError: MalformedInput: a value is of another type than the model says.
    """
    if operation.input is None:
        return {}
    root = _tree(fields)
    request = {}
    for name, member in model.shapes[operation.input].members.items():
        node = root.children.get(name)
        if node is not None:
            request[name] = _parse_node(model, member, node, (None, name))
    return request


def _decode(text: bytes) -> str:
    return unquote_to_bytes(text.replace(b"+", b" ")).decode()


def _tree(fields: Mapping[str, str]) -> _Node:
    root = _Node()
    for name, value in fields.items():
        parts = name.split(".", _DEEPEST)
        if len(parts) > _DEEPEST:
            continue
        node = root
        for part in parts:
            node = node.children.setdefault(part, _Node())
        node.value = value
    return root


def _parse_node(model: ServiceModel, member: Member, node: _Node, path: MemberPath) -> Any:
    shape = model.shapes[member.shape]
    if shape.type == "structure":
        return {
            name: _parse_node(model, inner, node.children[name], (path, name))
            for name, inner in shape.members.items()
            if name in node.children
        }
    if shape.type == "list":
        assert shape.member is not None
        numbered = _numbered(node.children.get("member"), path)
        return [_parse_node(model, shape.member, inner, item(path, index)) for index, inner in numbered]
    if shape.type == "map":
        return _parse_map(model, shape.key, shape.value, _numbered(node.children.get("entry"), path), path)
    if node.value is None:
        raise ApiError("MalformedInput", f"A single value was expected at '{write(path)}'.", status=400)
    try:
        return parse_text(shape.type, node.value, path)
    except ApiError as error:
        raise ApiError("MalformedInput", error.text, status=400) from None


def _parse_map(
    model: ServiceModel, key: Member | None, value: Member | None, entries: list[tuple[int, _Node]], path: MemberPath
) -> dict[str, Any]:
    assert key is not None
    assert value is not None
    parsed = {}
    for index, entry in entries:
        name = entry.children.get(key.location_name or "key")
        inner = entry.children.get(value.location_name or "value")
        if name is None or name.value is None or inner is None:
            raise ApiError("MalformedInput", f"Entry {index} at '{write(path)}' needs a key and a value.", status=400)
        parsed[name.value] = _parse_node(model, value, inner, item(path, name.value))
    return parsed


def _numbered(node: _Node | None, path: MemberPath) -> list[tuple[int, _Node]]:
    if node is None:
        return []
    if not all(part.isascii() and part.isdigit() and len(part) < 10 for part in node.children):
        raise ApiError("MalformedInput", f"The members at '{write(path)}' must be numbered: 1, 2, 3…", status=400)
    return sorted(((int(part), child) for part, child in node.children.items()), key=lambda numbered: numbered[0])
