"""What was probably meant by an address that does not exist: by what this account's mail reached before, and by what is well known."""

from waybill.explain.case import Case
from waybill.explain.near import near_address, near_domain
from waybill.explain.words import count, span
from waybill.model.cause import Cause
from waybill.model.history import TakenAt
from waybill.model.simulator import is_simulated

OFTEN = 3
"""Messages that a domain of nearly the same name must have taken before it is offered."""


def meant_mailbox(case: Case) -> str | None:
    """The address that was probably meant, where the domain answers and knows no such mailbox."""
    if is_simulated(case.recipient):
        return None
    taken = _similar(case)
    # The domain answers, so only the smallest slip of the fingers in its name is worth a guess.
    domain = near_domain(case.domain, most=1)
    return taken.address if taken is not None else _at(case, domain) if domain else None


def meant_domain(case: Case) -> str | None:
    """The address that was probably meant, where the domain does not exist."""
    well_known = near_domain(case.domain)
    often = case.likeness.domain if case.likeness else None
    if often is not None and often.messages >= OFTEN and near_domain(case.domain, most=1) is None:
        return _at(case, often.domain)
    return _at(case, well_known) if well_known else None


def likeness_noted(case: Case) -> list[str]:
    """What the ledger shows of the address or domain that was probably meant."""
    if case.likeness is None or is_simulated(case.recipient):
        return []
    taken, often = _similar(case), case.likeness.domain
    if taken is not None:
        ago = span(max(0, case.now - taken.at))
        return [f"mail to the similar address {taken.address} was taken {ago} ago"]
    if often is not None and often.messages >= OFTEN:
        return [f"{often.domain}, which differs by one slip, took {count(often.messages, 'message')} of this account"]
    return []


def _similar(case: Case) -> TakenAt | None:
    if case.likeness is None or Cause.USER_UNKNOWN not in {case.cause, case.underlying_cause}:
        return None
    known = {taken.address: taken for taken in case.likeness.addresses}
    found = near_address(case.recipient, known)
    return known[found] if found is not None else None


def _at(case: Case, domain: str) -> str:
    return f"{case.recipient.rpartition('@')[0]}@{domain}"
