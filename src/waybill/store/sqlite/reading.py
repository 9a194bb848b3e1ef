"""What is asked of the ledger: one message whole, a search, what else bears on a delivery, and the store's health."""
# ruff: noqa: S608 - only constants of this package are put into the SQL

import sqlite3
from typing import Any, TypeAlias

from waybill.model.address import comparable, domain_of
from waybill.model.cause import Cause
from waybill.model.clock import DAY, Instant
from waybill.model.message import OPEN_STATUSES, Delivery, Message, Status
from waybill.store.codec import decode_message
from waybill.store.protocol import DomainHistory, Found, Ledger, Search, StoreHealth
from waybill.store.sqlite.counting import statuses
from waybill.store.sqlite.rows import DELIVERY, DELIVERY_WIDTH, EVENT, OPEN, delivery_of, elsewhere, event_of
from waybill.store.sqlite.suppressions import suppressed

# The conditions of the partial indexes, word for word: without them SQLite does not use the index.
_TROUBLE = "d.status NOT IN ('queued', 'delayed', 'delivered')"
_FAILURE = "d.cause IS NOT NULL AND d.cause <> 'accepted_by_receiver'"
_ARRIVED = "d.status IN ('delivered', 'complained')"


def ledger(connection: sqlite3.Connection, message_id: str, now: Instant) -> Ledger | None:
    """All that is known of a message, read at one moment."""
    connection.execute("BEGIN")
    try:
        rows = connection.execute(
            "SELECT number, body, dkim_header FROM messages WHERE id = ?", (message_id,)
        ).fetchall()
        if not rows:
            return None
        number, body, dkim_header = rows[0]
        message = decode_message(body, dkim_header)
        joined = "JOIN messages m ON m.number = {0}.message WHERE {0}.message = ? ORDER BY {0}.id"
        deliveries = connection.execute(
            f"SELECT {DELIVERY} FROM deliveries d {joined.format('d')}", (number,)
        ).fetchall()
        events = connection.execute(f"SELECT {EVENT} FROM events e {joined.format('e')}", (number,)).fetchall()
        recipients = sorted({row[3] for row in deliveries})
        return Ledger(
            message=message,
            deliveries=tuple(delivery_of(row) for row in deliveries),
            events=tuple(event_of(row) for row in events),
            suppressions=tuple(suppressed(connection, message.account, recipients, now)),
        )
    finally:
        connection.execute("COMMIT")


def find(connection: sqlite3.Connection, search: Search) -> list[Found]:
    """Deliveries that match all that the search gives, newest first."""
    # Both columns hold the same instant: ordering by the one of the table that leads lets SQLite walk its index.
    leads = "m" if _by_sender(search) else "d"
    conditions = _conditions(search, leads)
    where = " AND ".join(condition for condition, _ in conditions) or "true"
    rows = connection.execute(
        f"SELECT {DELIVERY}, d.message, m.body, m.dkim_header"
        f" FROM deliveries d JOIN messages m ON m.number = d.message WHERE {where}"
        f" ORDER BY {leads}.accepted_at DESC, d.id DESC LIMIT ?",
        (*(value for _, values in conditions for value in values), search.limit),
    ).fetchall()
    messages: dict[int, Message] = {}
    found: list[Found] = []
    for row in rows:
        number, body, dkim_header = row[DELIVERY_WIDTH:]
        if number not in messages:
            messages[number] = decode_message(body, dkim_header)
        found.append(Found(message=messages[number], delivery=delivery_of(row)))
    return found


def _by_sender(search: Search) -> bool:
    """Whether nothing narrower than the sender is asked for."""
    return (
        search.sender is not None
        and search.recipient is None
        and search.cause is None
        and search.status in (None, Status.DELIVERED)
    )


_Condition: TypeAlias = tuple[str, tuple[Any, ...]]
"""SQL and its values."""


def _conditions(search: Search, leads: str) -> list[_Condition]:
    given: list[_Condition] = []
    if search.account is not None:
        given.append(("d.account = ?", (search.account,)))
    if search.recipient is not None:
        given.append(_address("d.domain = ?", "d.address = ?", search.recipient))
    if search.sender is not None:
        # The plus keeps SQLite from leading with the sender where something narrower is asked for.
        plus = "" if leads == "m" else "+"
        given.append((f"{plus}m.sender_domain = ?", (domain_of(search.sender),)))
        if not search.sender.startswith("@"):
            given.append((f"{plus}m.sender = ?", (comparable(search.sender),)))
    if search.status is not None:
        if search.status in OPEN_STATUSES:  # in the queue, or with Amazon SES: an index for each
            each = (
                f"SELECT d.id FROM deliveries d WHERE {index} AND d.status = ?" for index in (f"d.{OPEN}", _TROUBLE)
            )
            given.append((f"d.id IN ({' UNION ALL '.join(each)})", (search.status, elsewhere(search.status))))
        else:
            given.append(("d.status = ?", (search.status,)))
            if search.status is not Status.DELIVERED:
                given.append((_TROUBLE, ()))
    if search.cause is not None:
        given.append(("d.cause = ?", (search.cause,)))
        if search.cause is not Cause.ACCEPTED_BY_RECEIVER:
            given.append((_FAILURE, ()))
    if search.since is not None:
        given.append((f"{leads}.accepted_at >= ?", (search.since,)))
    if search.until is not None:
        given.append((f"{leads}.accepted_at <= ?", (search.until,)))
    return given


def _address(by_domain: str, whole: str, text: str) -> _Condition:
    return (by_domain, (domain_of(text),)) if text.startswith("@") else (whole, (comparable(text),))


def history(connection: sqlite3.Connection, delivery: Delivery, now: Instant) -> DomainHistory:
    """What else is known: counts are of messages accepted in the last 24 hours, the last instants of all time.

    Domain and address are looked at across accounts, since it is the receiver that answers; the cause within the account.
    """
    rows = connection.execute("SELECT number FROM messages WHERE id = ?", (delivery.message_id,)).fetchall()
    own = rows[0][0] if rows else None
    address, day = comparable(delivery.recipient), now - DAY
    other = {"own": own, "address": address, "domain": delivery.domain, "day": day}
    by_domain = connection.execute(
        f"SELECT (SELECT count(*) FROM deliveries d WHERE d.domain = :domain AND d.accepted_at >= :day AND {_ARRIVED}"
        f" AND d.message IS NOT :own), {_last_arrival('d.domain = :domain')}",
        other,
    ).fetchall()[0]
    by_address = connection.execute(
        f"SELECT {_last_arrival('d.address = :address')},"
        " (SELECT max(d.updated_at) FROM deliveries d WHERE d.address = :address AND d.status = 'bounced'"
        " AND d.message IS NOT :own)",
        other,
    ).fetchall()[0]
    by_cause = connection.execute(
        f"SELECT count(DISTINCT d.message), count(DISTINCT d.domain), min(d.updated_at) FROM deliveries d"
        " WHERE d.cause = :cause AND d.underlying_cause IS :underlying AND d.accepted_at >= :day"
        f" AND {_FAILURE} AND d.account = :account AND d.message IS NOT :own",
        {
            "cause": delivery.cause,
            "underlying": delivery.underlying_cause,
            "account": delivery.account,
            "day": day,
            "own": own,
        },
    ).fetchall()[0]
    return DomainHistory(
        delivered_to_domain=by_domain[0],
        last_delivered_to_domain=by_domain[1],
        last_delivered_to_address=by_address[0],
        last_bounced_address=by_address[1],
        same_cause_messages=by_cause[0],
        same_cause_domains=by_cause[1],
        same_cause_since=by_cause[2],
    )


def _last_arrival(condition: str) -> str:
    # A complaint has moved updated_at: only the event knows when the message was delivered. Retries overtake each
    # other, so the latest of the hundred accepted last is taken.
    return (
        "(SELECT max(e.at) FROM (SELECT d.message AS number, d.recipient AS who FROM deliveries d"
        f" WHERE {condition} AND {_ARRIVED} AND d.message IS NOT :own ORDER BY d.accepted_at DESC LIMIT 100)"
        " JOIN events e ON e.message = number AND e.recipient = who AND e.kind = 'delivered')"
    )


def health(connection: sqlite3.Connection) -> StoreHealth:
    """The store's figures."""
    events, notices, queued_at, notice_at, event_at = connection.execute(
        "SELECT (SELECT ifnull(max(id), 0) FROM events), (SELECT count(*) FROM notices),"
        f" (SELECT min(accepted_at) FROM deliveries WHERE {OPEN}), (SELECT min(at) FROM notices),"
        " (SELECT at FROM events ORDER BY id DESC LIMIT 1)"
    ).fetchall()[0]
    pages, size = (connection.execute(f"PRAGMA {name}").fetchall()[0][0] for name in ("page_count", "page_size"))
    return StoreHealth(
        deliveries=statuses(connection),
        events=events,
        notices=notices,
        oldest_queued_at=queued_at,
        oldest_notice_at=notice_at,
        bytes=pages * size,
        newest_event_at=event_at,
    )
