"""The part of the Store that keeps what was found in contents, many messages at once."""

from collections.abc import Sequence
from typing import Protocol

from waybill.model.clock import Instant
from waybill.model.content import ContentExamined
from waybill.model.record import record


@record(frozen=True, kw_only=True, slots=True)
class Examined:
    """A message's content was examined at that time."""

    message_id: str
    at: Instant
    fact: ContentExamined


class Examinations(Protocol):
    """Written beside the sending; nobody waits for it."""

    async def keep(self, examined: Sequence[Examined]) -> None:
        """Writes each as an event of its message, once for an examiner; of messages that are not there nothing. Raises: StoreUnavailable."""

    async def of(self, message_id: str, by: str) -> ContentExamined | None:
        """What an examiner found in a message's content; None where it has not looked."""
