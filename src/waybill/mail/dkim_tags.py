"""Tag lists as DKIM has them in signatures and in key records (RFC 6376 §3.2)."""

import re

_SPACE = " \t\r\n"
_SPACES = str.maketrans("", "", _SPACE)
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*", re.ASCII)


class TagListError(ValueError):
    """A text that is no tag list; the text says why."""


def parse_tags(text: str) -> dict[str, str]:
    """The tags with their values; white space around names and values has no meaning.

    Raises:
        TagListError: a part has no ``=``, a name is no tag name, or a tag occurs twice.
    """
    tags: dict[str, str] = {}
    parts = text.split(";")
    if not parts[-1].strip(_SPACE):
        parts.pop()
    for part in parts:
        name, equals, value = part.partition("=")
        name = name.strip(_SPACE)
        if not equals or _NAME.fullmatch(name) is None:
            raise TagListError(f"{part.strip(_SPACE)[:40]!r} is no tag of the form name=value")
        if name in tags:
            raise TagListError(f"the tag {name}= occurs twice")
        tags[name] = value.strip(_SPACE)
    return tags


def without_space(text: str) -> str:
    """A value in which folding white space has no meaning, without it."""
    return text.translate(_SPACES)
