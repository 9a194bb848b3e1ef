"""The two suppression lists: one per account, one for the whole installation."""

from dataclasses import dataclass
from enum import StrEnum

from waybill.model.clock import Instant

GLOBAL = ""
"""The ``account`` of entries on the installation's global list."""


class Reason(StrEnum):
    """Why an address is listed, in SES's words."""

    BOUNCE = "BOUNCE"
    COMPLAINT = "COMPLAINT"


@dataclass(frozen=True, kw_only=True, slots=True)
class Suppression:
    """An entry: who is listed, since when, by whom, and because of which message and words.

    ``address`` has its domain in lower case, the local part as given. ``author`` is a rule id (``rule:user-unknown``),
    ``operator`` or ``api:<access key id>``. ``expires_at`` is None for entries that stay.
    """

    account: str
    address: str
    reason: Reason
    at: Instant
    author: str
    message_id: str | None = None
    feedback_id: str | None = None
    event: int | None = None
    diagnostic: str | None = None
    expires_at: Instant | None = None
