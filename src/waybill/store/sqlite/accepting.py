"""Accepting messages (and recording refused requests), many at once: of each all is written, or nothing."""

import sqlite3
from collections.abc import Sequence
from functools import partial
from typing import TypeAlias

from waybill.model.address import comparable, domain_of
from waybill.model.event import Suppressed
from waybill.model.message import OPEN_STATUSES, Delivery, Status
from waybill.model.suppression import GLOBAL
from waybill.store.codec import encode
from waybill.store.protocol import Acceptance, AlreadyExists, LimitReached, NewDelivery
from waybill.store.sqlite.bulk import Row, insert
from waybill.store.sqlite.counting import check_limits, count_global_suppression, count_move, count_sent
from waybill.store.sqlite.fresh import Fresh
from waybill.store.sqlite.recording import Occasion, record
from waybill.store.sqlite.rows import plain
from waybill.store.sqlite.standing import count_suppressed
from waybill.store.sqlite.writer import Transaction

Accepted: TypeAlias = tuple[Delivery, ...] | LimitReached | ValueError


def accept(
    transaction: Transaction, acceptances: Sequence[Acceptance], *, file_events: bool, fresh: Fresh | None = None
) -> list[Accepted]:
    """For each its deliveries, or the limit that was reached, or the fault of an open delivery without content.

    Raises:
        AlreadyExists: there is a message of that id.
    """
    results: list[Accepted] = [_admit(transaction, acceptance) for acceptance in acceptances]
    admitted = [index for index, result in enumerate(results) if isinstance(result, tuple)]
    if not admitted:
        return results
    number, delivery_id = transaction.execute(
        "SELECT (SELECT ifnull(max(number), 0) FROM messages), (SELECT ifnull(max(id), 0) FROM deliveries)"
    )[0]
    numbered: list[tuple[int, Acceptance]] = []
    for index in admitted:
        acceptance = acceptances[index]
        number += 1
        numbered.append((number, acceptance))
        results[index] = tuple(
            _delivery(acceptance, new, delivery_id + place) for place, new in enumerate(acceptance.deliveries, 1)
        )
        delivery_id += len(acceptance.deliveries)
    _insert_messages(transaction, numbered)
    _insert_deliveries(transaction, [(n, results[index]) for (n, _), index in zip(numbered, admitted, strict=True)])
    record(transaction, [_occasion(*one) for one in numbered], file_events=file_events, fresh=fresh)
    for number, acceptance in numbered:
        _count(transaction, acceptance)
        if fresh is not None and acceptance.lease_owner is not None:
            transaction.own_after.append(partial(fresh.remember, number, acceptance.message))
    return results


def _admit(transaction: Transaction, acceptance: Acceptance) -> Accepted:
    """Empty where the message may be accepted."""
    if acceptance.content is None and _is_open(acceptance):
        return ValueError(f"message {acceptance.message.id} has open deliveries and no content to send")
    recipients = sum(new.status is not Status.REFUSED for new in acceptance.deliveries)
    if recipients:
        reached = check_limits(transaction, acceptance, recipients)
        if reached is not None:
            return reached
        count_sent(transaction, acceptance, recipients)
    return ()


def _is_open(acceptance: Acceptance) -> bool:
    return any(new.status in OPEN_STATUSES for new in acceptance.deliveries)


def _insert_messages(transaction: Transaction, numbered: Sequence[tuple[int, Acceptance]]) -> None:
    try:
        insert(
            transaction,
            "messages",
            "number, id, accepted_at, sender, sender_domain, configuration_set, identity, body, dkim_header",
            [
                (
                    number,
                    message.id,
                    message.accepted_at,
                    comparable(message.sender),
                    domain_of(message.sender),
                    message.configuration_set,
                    message.identity,
                    encode(message),
                    message.dkim_header,
                )
                for number, message in ((number, acceptance.message) for number, acceptance in numbered)
            ],
        )
    except sqlite3.IntegrityError as error:
        raise AlreadyExists(f"there is a message {numbered[0][1].message.id} already") from error
    insert(
        transaction,
        "contents",
        "message, content",
        [(number, acceptance.content) for number, acceptance in numbered if _is_open(acceptance)],
    )


def _delivery(acceptance: Acceptance, new: NewDelivery, delivery_id: int) -> Delivery:
    is_open = new.status in OPEN_STATUSES
    at = acceptance.message.accepted_at
    return Delivery(
        id=delivery_id,
        message_id=acceptance.message.id,
        account=acceptance.message.account,
        recipient=new.recipient,
        status=new.status,
        cause=new.cause,
        underlying_cause=None,
        attempts=0,
        accepted_at=at,
        next_at=(at if new.next_at is None else new.next_at) if is_open else None,
        expires_at=new.expires_at,
        updated_at=at,
        lease_owner=acceptance.lease_owner if is_open else None,
        lease_until=acceptance.lease_until if is_open else None,
    )


def _insert_deliveries(transaction: Transaction, accepted: Sequence[tuple[int, Accepted]]) -> None:
    rows: list[Row] = [
        (
            one.id,
            number,
            one.account,
            one.recipient,
            comparable(one.recipient),
            one.domain,
            one.status.value,
            plain(one.cause),
            0,
            one.accepted_at,
            one.next_at,
            one.expires_at,
            one.updated_at,
            one.lease_owner,
            one.lease_until,
        )
        for number, deliveries in accepted
        if isinstance(deliveries, tuple)
        for one in deliveries
    ]
    columns = (
        "id, message, account, recipient, address, domain, status, cause, attempts,"
        " accepted_at, next_at, expires_at, updated_at, lease_owner, lease_until"
    )
    insert(transaction, "deliveries", columns, rows)


def _occasion(number: int, acceptance: Acceptance) -> Occasion:
    message = acceptance.message
    return Occasion(
        number=number,
        account=message.account,
        configuration_set=message.configuration_set,
        identity=message.identity,
        events=acceptance.events,
        message=message,
        worker=acceptance.lease_owner,
    )


def _count(transaction: Transaction, acceptance: Acceptance) -> None:
    account, at = acceptance.message.account, acceptance.message.accepted_at
    for new in acceptance.deliveries:
        count_move(transaction, account, at, before=None, after=new.status, first_attempt=False)
    # SES counts an address on its global list as an attempt that bounced; one on the account's own list as neither.
    for event in acceptance.events:
        if isinstance(event.fact, Suppressed) and event.fact.entry.account == GLOBAL:
            count_global_suppression(transaction, account, at)
            count_suppressed(transaction, acceptance.message, event.recipient or "")
