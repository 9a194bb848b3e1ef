"""Where in a request a value stands. Paths are built for every value and written only in errors, so building is cheap."""

from typing import TypeAlias

MemberPath: TypeAlias = tuple["MemberPath", str] | tuple["MemberPath", str, str] | None
"""A member's name under its parent's path, or an index or key and its part; None is the whole request."""


def write(path: MemberPath) -> str:
    """As AWS writes it in its messages: ``destination.toAddresses.1.member``."""
    names: list[str] = []
    while path is not None:
        if len(path) == 3:
            path, key, part = path
            names += [part, key[:64]]
        else:
            path, name = path
            names.append(name[:1].lower() + name[1:])
    return ".".join(reversed(names))


def item(path: MemberPath, index: int | str) -> MemberPath:
    """The path of an item of a list or map."""
    return (path, str(index), "member")
