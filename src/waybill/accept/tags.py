"""Message tags and their rules, in SES's words."""

import re
from collections.abc import Iterable

from waybill.model.cause import Cause
from waybill.model.refusal import Rejected

_NAME = re.compile(r"(?:ses:)?[A-Za-z0-9_-]*")
_VALUE = re.compile(r"[A-Za-z0-9_\-.@]*")
LONGEST = 255


def _bad(text: str) -> Rejected:
    return Rejected(
        text,
        code="BadRequestException",
        code_v1="InvalidParameterValue",
        cause=Cause.CONTENT_MALFORMED,
        smtp=f"554 {text}",
    )


def parse_tag_header(value: str) -> tuple[tuple[str, str], ...]:
    """The tags of an ``X-SES-MESSAGE-TAGS: a=b, c=d`` header. Raises: Rejected."""
    tags = []
    for part in value.split(","):
        if not part.strip():
            continue
        name, equals, text = part.partition("=")
        if not equals:
            raise _bad(f"Expected '=', got 'null' in X-SES-MESSAGE-TAGS at '{part.strip()}'.")
        tags.append((name.strip(), text.strip()))
    return tuple(tags)


def check_tags(tags: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The tags as a mapping. Raises: Rejected with SES's text for the first that is not allowed."""
    checked: dict[str, str] = {}
    for name, value in tags:
        if not name:
            raise _bad("The tag name must be specified.")
        if not value:
            raise _bad("The tag value must be specified.")
        if len(name) > LONGEST:
            raise _bad("Tag name cannot exceed 255 characters.")
        if len(value) > LONGEST:
            raise _bad("Tag value cannot exceed 255 characters.")
        if not _NAME.fullmatch(name):
            raise _bad(f"Invalid tag name <{name}>: only alphanumeric ASCII characters, '_',  '-' are allowed.")
        if not _VALUE.fullmatch(value):
            raise _bad(
                f"Invalid tag value <{value}>: only alphanumeric ASCII characters, '_',  '-' , '.', '@' are allowed."
            )
        checked[name] = value
    return checked
