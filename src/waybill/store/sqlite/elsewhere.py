"""Takes in what Amazon SES reports of mail that it sent itself: messages, deliveries and events, once each."""

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from waybill.model.address import comparable, domain_of
from waybill.model.amazon import AmazonAsked, AmazonReported, fate_of, join, same_account
from waybill.model.clock import Instant
from waybill.model.event import Fact, NewEvent
from waybill.model.message import Message, Source
from waybill.store.codec import decode_fact, decode_message, encode
from waybill.store.elsewhere import Reported, TakenIn
from waybill.store.sqlite.recording import Occasion, record
from waybill.store.sqlite.rows import NEVER, elsewhere, plain
from waybill.store.sqlite.writer import Transaction

_Key: TypeAlias = tuple[object, ...]


def take_in(transaction: Transaction, reports: Sequence[Reported]) -> TakenIn:
    """Writes the reports; those about messages that are not Amazon SES's, or another account's, are left out and named."""
    new = known = 0
    refused: list[str] = []
    for report in reports:
        number = _message(transaction, report.message)
        if number is None:
            refused.append(report.message.id)
            continue
        added = _events(transaction, number, report)
        new += added
        known += len(report.events) - added
        _deliveries(transaction, number)
    return TakenIn(new=new, known=known, not_theirs=tuple(dict.fromkeys(refused)))


def _message(transaction: Transaction, told: Message) -> int | None:
    """The message's number, after what this report tells of it was joined with what is known; None: it is not Amazon SES's."""
    rows = transaction.execute("SELECT number, body, dkim_header FROM messages WHERE id = ?", (told.id,))
    if not rows:
        return int(
            transaction.execute(
                "INSERT INTO messages (id, accepted_at, sender, sender_domain, configuration_set, identity, body, dkim_header)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING number",
                (told.id, *_columns(told), b""),
            )[0][0]
        )
    number, body, dkim_header = rows[0]
    known = decode_message(body, dkim_header)
    if known.source is not Source.AMAZON_SES or not same_account(known, told):
        return None
    joined = join(known, told)
    if joined != known:
        transaction.execute(
            "UPDATE messages SET accepted_at = ?, sender = ?, sender_domain = ?, configuration_set = ?, identity = ?,"
            " body = ? WHERE number = ?",
            (*_columns(joined), number),
        )
    return int(number)


def _columns(message: Message) -> tuple[object, ...]:
    return (
        message.accepted_at,
        comparable(message.sender),
        domain_of(message.sender),
        message.configuration_set,
        message.identity,
        encode(message),
    )


def _key(recipient: str | None, at: Instant, fact: Fact) -> _Key:
    """What makes two reports the same: the event's type, recipient, time and feedback id; of a click, also the link."""
    if isinstance(fact, AmazonReported):
        return recipient, at, fact.type, fact.kind, fact.sub_type, fact.feedback_id, fact.detail.get("link")
    return recipient, at, fact.api if isinstance(fact, AmazonAsked) else repr(fact)


def _events(transaction: Transaction, number: int, report: Reported) -> int:
    """Adds the events that are new, and counts them. Of two copies of one that differ, the fuller is kept."""
    rows = transaction.execute("SELECT id, kind, recipient, at, fact FROM events WHERE message = ?", (number,))
    known = {_key(row[2], row[3], decode_fact(row[1], row[4])): (row[0], row[4]) for row in rows}
    fresh: dict[_Key, NewEvent] = {}
    for event in report.events:
        key, body = _key(event.recipient, event.at, event.fact), encode(event.fact)
        if key in known:
            event_id, before = known[key]
            if (len(body), body) > (len(before), before):
                transaction.execute("UPDATE events SET fact = ? WHERE id = ?", (body, event_id))
                known[key] = (event_id, body)
        elif key not in fresh or (len(body), body) > _weight(fresh[key]):
            fresh[key] = event
    if fresh:
        message = report.message
        occasion = Occasion(
            number=number,
            account=message.account,
            configuration_set=None,
            identity=None,
            events=tuple(fresh.values()),
        )
        record(transaction, [occasion], file_events=False)
    return len(fresh)


def _weight(event: NewEvent) -> tuple[int, bytes]:
    body = encode(event.fact)
    return len(body), body


def _deliveries(transaction: Transaction, number: int) -> None:
    """Every recipient that the message or an event names has a delivery, which stands as all events together say."""
    body = transaction.execute("SELECT body FROM messages WHERE number = ?", (number,))[0][0]
    message = decode_message(body, b"")
    reported = [
        (row[0], row[1], decode_fact("amazon_reported", row[2]))
        for row in transaction.execute(
            "SELECT recipient, at, fact FROM events WHERE message = ? AND kind = 'amazon_reported' ORDER BY id",
            (number,),
        )
    ]
    ids = dict(transaction.execute("SELECT recipient, id FROM deliveries WHERE message = ?", (number,)))
    for recipient in dict.fromkeys([*message.destination, *_named(row[0] for row in reported)]):
        fate = fate_of(
            message.accepted_at,
            [
                (at, fact)
                for whose, at, fact in reported
                if whose in (None, recipient) and isinstance(fact, AmazonReported)
            ],
        )
        standing = (
            elsewhere(fate.status),
            plain(fate.cause),
            plain(fate.underlying_cause),
            message.accepted_at,
            NEVER,
            fate.expires_at,
            fate.updated_at,
        )
        if recipient in ids:
            transaction.execute(
                "UPDATE deliveries SET account = ?, status = ?, cause = ?, underlying_cause = ?, accepted_at = ?, next_at = ?,"
                " expires_at = ?, updated_at = ? WHERE id = ?",
                (message.account, *standing, ids[recipient]),
            )
        else:
            transaction.execute(
                "INSERT INTO deliveries (message, account, recipient, address, domain, attempts, status, cause,"
                " underlying_cause, accepted_at, next_at, expires_at, updated_at) VALUES (?, ?, ?, ?, ?, 0, ?, ?, ?, ?, ?, ?, ?)",
                (number, message.account, recipient, comparable(recipient), domain_of(recipient), *standing),
            )


def _named(recipients: Iterable[str | None]) -> list[str]:
    return [recipient for recipient in recipients if recipient is not None]
