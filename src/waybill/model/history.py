"""What else the ledger knows that bears on one delivery."""

from dataclasses import dataclass

from waybill.model.clock import Instant


@dataclass(frozen=True, kw_only=True, slots=True)
class DomainHistory:
    """What the ledger knows of a recipient's domain and address (without the message asked about)."""

    delivered_to_domain: int
    last_delivered_to_domain: Instant | None
    last_delivered_to_address: Instant | None
    last_bounced_address: Instant | None
    same_cause_messages: int
    same_cause_domains: int
    same_cause_since: Instant | None


@dataclass(frozen=True, kw_only=True, slots=True)
class FailedAlike:
    """Other messages whose rendering failed for the same reason: the same template, and variable or fault, in the last 24 hours.

    ``versions`` are the template's versions that failed so. ``more``: there may be more of them than were looked at.
    """

    messages: int
    since: Instant
    versions: tuple[int, ...] = ()
    more: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class TakenAt:
    """An address that took mail of this account, and when it last did."""

    address: str
    at: Instant


@dataclass(frozen=True, kw_only=True, slots=True)
class OftenTaken:
    """A domain that this account writes to often: ``messages`` of its newest 1,000 deliveries there arrived."""

    domain: str
    messages: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Likeness:
    """What the ledger holds that is like this: failures alike, addresses at the same domain, a domain of nearly the same name."""

    failed: FailedAlike | None = None
    addresses: tuple[TakenAt, ...] = ()
    domain: OftenTaken | None = None
