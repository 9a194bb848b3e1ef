"""Records for the tests of the store, valid unless a test says otherwise."""

import itertools
from typing import Any

from waybill.model.cause import Cause, Responder, Scope
from waybill.model.clock import HOUR, Instant
from waybill.model.event import Accepted, Attempted, EventKind, Fact, NewEvent
from waybill.model.message import Delivery, Message, Source, Status, new_message_id
from waybill.model.outcome import Attempt, Line, Outcome, Reply, Result, Speaker, Stage, Tls
from waybill.model.suppression import Reason, Suppression
from waybill.store.protocol import Acceptance, LimitReached, NewDelivery, Settlement, Store

ACCOUNT = "100000000001"
START: Instant = 1_795_500_000_000

_serial = itertools.count(1)


def message(at: Instant = START, **changes: Any) -> Message:
    """A message accepted at ``at``."""
    fields: dict[str, Any] = {
        "id": new_message_id(at),
        "account": ACCOUNT,
        "request_id": f"request-{next(_serial)}",
        "source": Source.API,
        "operation": "SendEmail",
        "accepted_at": at,
        "sender": "alice@sender.example",
        "source_header": "Alice <alice@sender.example>",
        "destination": ("bob@receiver.example",),
        "subject": "Grüße",
        "identity": "sender.example",
        "headers": (("From", "Alice <alice@sender.example>"), ("To", "bob@receiver.example")),
        "tags": {"campaign": "autumn"},
        "size": 5,
    }
    return Message(**fields | changes)


def new_delivery(recipient: str = "bob@receiver.example", at: Instant = START, **changes: Any) -> NewDelivery:
    """A recipient of a message being accepted: queued, with fourteen hours to live."""
    fields: dict[str, Any] = {"status": Status.QUEUED, "cause": None, "expires_at": at + 14 * HOUR}
    return NewDelivery(recipient=recipient, **fields | changes)


def acceptance(at: Instant = START, *recipients: str, **changes: Any) -> Acceptance:
    """A message to these recipients (one where none is named), with its ``accepted`` event."""
    fields: dict[str, Any] = {
        "message": message(at),
        "content": b"bytes",
        "deliveries": tuple(new_delivery(one, at) for one in recipients or ("bob@receiver.example",)),
        "events": (NewEvent(kind=EventKind.ACCEPTED, at=at, fact=Accepted()),),
    }
    return Acceptance(**fields | changes)


async def accepted(store: Store, at: Instant = START, *recipients: str, **changes: Any) -> tuple[Delivery, ...]:
    """The deliveries of a message that the store took."""
    deliveries = await store.accept(acceptance(at, *recipients, **changes))
    assert not isinstance(deliveries, LimitReached)
    return deliveries


def attempt(at: Instant, result: Result, cause: Cause, text: str = "250 2.0.0 Ok") -> Attempt:
    """An attempt of a millisecond that came to this."""
    code, enhanced, words = text.split(" ", 2)
    return Attempt(
        number=1,
        started_at=at,
        ended_at=at + 1,
        outcome=Outcome(
            result=result,
            cause=cause,
            scope=Scope.RECIPIENT,
            responder=Responder.REMOTE,
            permanent=result is Result.BOUNCED,
            stage=Stage.RCPT,
            status=enhanced,
            diagnostic=f"smtp; {text}",
            rule="test",
            reply=Reply(code=int(code), enhanced=enhanced, lines=(words,)),
        ),
        mx="mx.receiver.example",
        ip="192.0.2.7",
        port=25,
        tls=Tls(version="TLSv1.3", cipher="TLS_AES_128_GCM_SHA256", peer_subject=None, verified=False),
        transcript=(Line(at=at, who=Speaker.SERVER, text=text),),
    )


_FACTS: dict[Status, tuple[EventKind, Result, Cause, str]] = {
    Status.DELIVERED: (EventKind.DELIVERED, Result.DELIVERED, Cause.ACCEPTED_BY_RECEIVER, "250 2.0.0 Ok"),
    Status.DELAYED: (EventKind.DEFERRED, Result.DEFERRED, Cause.GREYLISTED, "451 4.7.1 Greylisted, try again"),
    Status.BOUNCED: (EventKind.BOUNCED, Result.BOUNCED, Cause.USER_UNKNOWN, "550 5.1.1 No such user"),
}


def attempted(delivery: Delivery, status: Status, at: Instant, **changes: Any) -> Settlement:
    """What settles the delivery after its first attempt."""
    kind, result, cause, text = _FACTS[status]
    fields: dict[str, Any] = {
        "cause": cause,
        "events": (new_event(kind, at, Attempted(attempt=attempt(at, result, cause, text)), delivery.recipient),),
        "lease_owner": delivery.lease_owner,
        "attempts": delivery.attempts + 1,
        "next_at": at + HOUR if status is Status.DELAYED else None,
    }
    return Settlement(delivery_id=delivery.id, status=status, **fields | changes)


def new_event(kind: EventKind, at: Instant, fact: Fact, recipient: str | None = None) -> NewEvent:
    """An event."""
    return NewEvent(kind=kind, at=at, fact=fact, recipient=recipient)


def suppression(address: str = "bob@receiver.example", **changes: Any) -> Suppression:
    """An entry of the account's list."""
    fields: dict[str, Any] = {"account": ACCOUNT, "reason": Reason.BOUNCE, "at": START, "author": "rule:user-unknown"}
    return Suppression(address=address, **fields | changes)
