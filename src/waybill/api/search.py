"""Searching the ledger: the question from a query string or a command line, and the answer as JSON."""

from waybill.model.cause import Cause
from waybill.model.clock import parse_rfc3339, rfc3339
from waybill.model.message import Status
from waybill.store.protocol import Found, Search

MOST_FOUND = 1_000


def found_json(found: Found) -> dict[str, object]:
    """A hit of a search, as ``waybill find --json`` and the API give it."""
    message, delivery = found.message, found.delivery
    return {
        "message_id": message.id,
        "accepted_at": rfc3339(message.accepted_at),
        "from": message.source_header,
        "recipient": delivery.recipient,
        "subject": message.subject,
        "status": delivery.status.value,
        "cause": delivery.cause.value if delivery.cause else None,
        "underlying_cause": delivery.underlying_cause.value if delivery.underlying_cause else None,
        "attempts": delivery.attempts,
        "next_at": rfc3339(delivery.next_at) if delivery.next_at else None,
        "configuration_set": message.configuration_set,
    }


def parse_search(query: dict[str, str]) -> Search:
    """The search that a query string or the command line asks for.

    Raises:
        ValueError: an unknown key or a value that is not allowed, named.
    """
    known = {"to", "from", "status", "cause", "since", "until", "limit", "account"}
    if unknown := sorted(set(query) - known):
        raise ValueError(f"unknown parameter {unknown[0]!r}; allowed: {', '.join(sorted(known))}")
    status = query.get("status")
    if status is not None and status not in set(Status):
        raise ValueError(f"status {status!r} is not allowed; it must be one of {', '.join(Status)}")
    cause = query.get("cause")
    if cause is not None and cause not in set(Cause):
        raise ValueError(f"cause {cause!r} is not in the catalogue; see docs/causes.md")
    limit = query.get("limit", "100")
    if not (limit.isdecimal() and len(limit) <= len(str(MOST_FOUND)) and 1 <= int(limit) <= MOST_FOUND):
        raise ValueError(f"limit {limit[:20]!r} is not allowed; it must be a number from 1 to {MOST_FOUND}")
    return Search(
        account=query.get("account"),
        recipient=query.get("to"),
        sender=query.get("from"),
        status=Status(status) if status else None,
        cause=Cause(cause) if cause else None,
        since=_instant(query, "since"),
        until=_instant(query, "until"),
        limit=int(limit),
    )


def _instant(query: dict[str, str], key: str) -> int | None:
    if key not in query:
        return None
    try:
        return parse_rfc3339(query[key])
    except (ValueError, OverflowError):
        raise ValueError(
            f"{key} {query[key]!r} is not allowed; it must be a time such as 2026-11-24T02:30:00Z"
        ) from None
