"""The two suppression lists: one per account, one for the whole installation."""

from dataclasses import dataclass
from enum import StrEnum

from waybill.model.cause import Cause
from waybill.model.clock import Instant

GLOBAL = ""
"""The ``account`` of entries on the installation's global list."""

ON_ACCOUNT_LIST = (
    "Amazon SES did not send the message to this address because it is on the suppression list for your account. "
    "For more information about removing addresses from the suppression list, see the Amazon SES Developer Guide at "
    "https://docs.aws.amazon.com/ses/latest/DeveloperGuide/sending-email-suppression-list.html"
)
"""SES's words to a sender whose own list stops the recipient."""

ON_GLOBAL_LIST = (
    "Amazon SES has suppressed sending to this address because it has a recent history of bouncing as an invalid "
    "address. For more information about how to remove an address from the suppression list, see the Amazon SES "
    "Developer Guide: http://docs.aws.amazon.com/ses/latest/DeveloperGuide/remove-from-suppressionlist.html"
)
"""SES's words where its global list does."""


class Reason(StrEnum):
    """Why an address is listed, in SES's words."""

    BOUNCE = "BOUNCE"
    COMPLAINT = "COMPLAINT"


@dataclass(frozen=True, kw_only=True, slots=True)
class Suppression:
    """An entry: who is listed, since when, by whom, and because of which message and words.

    ``address`` has its domain in lower case, the local part as given. ``author`` is a rule id (``rule:user-unknown``),
    ``operator`` or ``api:<access key id>``. ``expires_at`` is None for entries that stay. ``cause`` is the one that an
    automatic entry rests on.
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
    cause: Cause | None = None
