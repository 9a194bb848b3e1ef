"""The mailbox simulator's addresses: each behaves in one known way, so that senders can test (SES Developer Guide, "Mailbox simulator")."""

from waybill.model.address import domain_of

SIMULATOR_DOMAIN = "simulator.amazonses.com"


def is_simulated(address: str) -> bool:
    """Whether the address is one of the simulator's. They are never listed, never counted, and need no verification."""
    domain = domain_of(address)
    return domain == SIMULATOR_DOMAIN or domain.endswith(f".{SIMULATOR_DOMAIN}")
