"""What a content filter is asked, and that it may give no verdict."""

from typing import Protocol

from waybill.model.content import ContentExamined
from waybill.model.record import record


@record(frozen=True, kw_only=True, slots=True)
class Question:
    """A message as a filter is asked about it."""

    message_id: str
    sender: str
    recipients: tuple[str, ...]
    content: bytes


class FilterUnavailable(Exception):  # noqa: N818 - a state, not a fault of the caller
    """The filter gave no verdict; the text says why."""


class ContentFilter(Protocol):
    """A filter that is asked over the network."""

    name: str

    async def examine(self, question: Question) -> ContentExamined:
        """Its verdict. Raises: FilterUnavailable: within its time there was none."""

    async def close(self) -> None:
        """Lets go of its connections."""
