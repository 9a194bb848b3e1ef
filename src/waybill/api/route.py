"""Finds the REST-JSON operation that a method and a raw path name, and the values of the path's labels."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote

from waybill.api.shapes import ServiceModel
from waybill.api.sigv4 import path_segments


@dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    """An operation and its labels, decoded; a label may hold slashes, written ``%2F``."""

    operation: str
    labels: dict[str, str]


@dataclass(kw_only=True, slots=True)
class _Node:
    literals: dict[bytes, "_Node"] = field(default_factory=dict)
    label: "_Node | None" = None
    operations: dict[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)


class Routes:
    """The URI patterns of a model. A literal segment wins over a label; a trailing slash does not matter."""

    def __init__(self, model: ServiceModel) -> None:
        self._root = _Node()
        for name, operation in model.operations.items():
            node, labels = self._root, []
            for segment in operation.uri.strip("/").split("/"):
                if segment.startswith("{"):
                    labels.append(segment.strip("{}"))
                    node.label = node = node.label or _Node()
                else:
                    node = node.literals.setdefault(segment.encode(), _Node())
            node.operations[operation.method] = (name, tuple(labels))

    def find(self, method: str, raw_path: bytes) -> Route | None:
        """The operation, or None where there is none of that method and path."""
        found = _walk(self._root, method, path_segments(raw_path), ())
        if found is None:
            return None
        (operation, names), values = found
        return Route(operation=operation, labels=dict(zip(names, map(_decode, values), strict=True)))


_Found = tuple[tuple[str, tuple[str, ...]], tuple[bytes, ...]]


def _walk(node: _Node, method: str, segments: Sequence[bytes], values: tuple[bytes, ...]) -> _Found | None:
    if not segments:
        operation = node.operations.get(method)
        return (operation, values) if operation else None
    first, rest = segments[0], segments[1:]
    literal = node.literals.get(first)
    found = _walk(literal, method, rest, values) if literal else None
    if found is None and node.label is not None:
        found = _walk(node.label, method, rest, (*values, first))
    return found


def _decode(segment: bytes) -> str:
    return unquote(segment.decode("latin-1"), encoding="utf-8", errors="replace")
