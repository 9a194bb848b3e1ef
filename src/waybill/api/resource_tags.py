"""The tags of resources (``Key``, ``Value``), as SES and SNS write them in lists."""

from collections.abc import Iterable
from typing import Any, TypeAlias

ResourceTags: TypeAlias = tuple[tuple[str, str], ...]


def read_tags(request: dict[str, Any]) -> ResourceTags:
    """The tags that a request gives to what it creates; none where it has no ``Tags``."""
    return tuple((tag["Key"], tag["Value"]) for tag in request.get("Tags") or ())


def tag_list(tags: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    """The tags as responses have them."""
    return [{"Key": key, "Value": value} for key, value in tags]
