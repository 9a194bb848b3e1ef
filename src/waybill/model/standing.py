"""How we stand with the world: what is counted of our mail, what blocklists say of us, and what there is to put right."""

from dataclasses import dataclass
from enum import StrEnum

from waybill.model.clock import Instant
from waybill.model.record import record


@record(frozen=True, kw_only=True, slots=True)
class Figures:
    """What became of mail, in recipients. Mail to the mailbox simulator is in none of them.

    ``sent`` were tried at least once. ``permanent`` and ``transient`` are the bounces by SES's two types. ``hard`` are the
    permanent ones that count against the sender (``excused`` were to blame on an incident; those to the sender's own
    verified identities are in neither).
    """

    sent: int = 0
    delivered: int = 0
    permanent: int = 0
    transient: int = 0
    hard: int = 0
    excused: int = 0
    complaints: int = 0

    def __add__(self, other: "Figures") -> "Figures":
        return Figures(
            sent=self.sent + other.sent,
            delivered=self.delivered + other.delivered,
            permanent=self.permanent + other.permanent,
            transient=self.transient + other.transient,
            hard=self.hard + other.hard,
            excused=self.excused + other.excused,
            complaints=self.complaints + other.complaints,
        )


@record(frozen=True, kw_only=True, slots=True)
class Tally:
    """Figures of one combination of who sent from where, for each period that was asked for.

    ``identity`` is the one that sent, or the sender's domain where none did. Empty: no configuration set; the system chose
    the source address.
    """

    account: str
    identity: str
    configuration_set: str
    source_ip: str
    figures: tuple[Figures, ...]


@record(frozen=True, kw_only=True, slots=True)
class DayTally:
    """Figures of one day (UTC) and combination, as metrics are asked for. ``provider`` is empty where it is none we know."""

    day: Instant
    identity: str
    configuration_set: str
    provider: str
    figures: Figures


@record(frozen=True, kw_only=True, slots=True)
class RateSeen:
    """How much of a domain's, or a source address's (``about``), mail bounced and met complaints in a window before now.

    ``state`` is the worse of the two against SES's thresholds, in words; ``of_address``: it is about a source address.
    """

    about: str
    of_address: bool
    window: str
    sent: int
    hard: int
    delivered: int
    complaints: int
    state: str


class ListingState(StrEnum):
    """What a blocklist said."""

    LISTED = "listed"
    CLEAR = "clear"
    REFUSED = "refused"  # it does not answer us: no word about the address
    UNKNOWN = "unknown"  # nothing usable came


@record(frozen=True, kw_only=True, slots=True)
class Listed:
    """What a blocklist said of one of our IP addresses or domains (``subject``), from ``since`` to ``until`` (None: still).

    ``blocklist`` is its id, ``zone`` where it was asked, ``answers`` the addresses it answered with, ``text`` its own words.
    ``asked_at`` is when it said so last.
    """

    subject: str
    blocklist: str
    zone: str
    state: ListingState
    since: Instant
    asked_at: Instant
    answers: tuple[str, ...] = ()
    text: str = ""
    until: Instant | None = None


class Advice(StrEnum):
    """SES's types of recommendation."""

    DKIM = "DKIM"
    DMARC = "DMARC"
    SPF = "SPF"
    BIMI = "BIMI"
    COMPLAINT = "COMPLAINT"
    BOUNCE = "BOUNCE"
    FEEDBACK_3P = "FEEDBACK_3P"
    IP_LISTING = "IP_LISTING"


@dataclass(frozen=True, kw_only=True, slots=True)
class Recommendation:
    """Something to put right: ``name`` is its type and what it is about; ``about`` the identity, set or IP address, empty: the account.

    ``high`` is SES's impact HIGH. ``text`` says what is wrong, ``fix`` what to do. ``fixed_at`` None: still open.
    """

    account: str
    name: str
    type: Advice
    about: str
    high: bool
    text: str
    fix: str
    opened_at: Instant
    updated_at: Instant
    fixed_at: Instant | None = None
