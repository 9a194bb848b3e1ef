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
