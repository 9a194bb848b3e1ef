"""``POST /api/trace``: a received copy, raw, is traced and tied to its ledger entry; the command does the same."""

from collections.abc import Sequence
from dataclasses import replace

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from waybill.api.own_access import account_asking
from waybill.explain import explain
from waybill.explain.record import AFTER_ACCEPTANCE
from waybill.explain.trace import Tied, Trace, trace_copy
from waybill.explain.trace_json import trace_json
from waybill.explain.trace_words import reason_of
from waybill.explain.traced import LATE
from waybill.inquire import gather
from waybill.mail.received_copy import ReceivedCopy, read_copy
from waybill.mail.return_path import decode
from waybill.mail.verdict import Filed
from waybill.model.address import comparable
from waybill.model.cause import Cause
from waybill.model.clock import Clock, Instant
from waybill.model.event import EventKind, NewEvent
from waybill.model.message import OPEN_STATUSES, Delivery, Source, Status
from waybill.model.traced import CopyTraced
from waybill.queue.worker import RETURN_PATH_PURPOSE
from waybill.store.protocol import Overtaken, Settlement, Store

MOST_OCTETS = 50 * 1024 * 1024
"""The largest copy that is taken."""

OPERATOR = "operator"

NOT_OURS = "no message of this ledger has its Message-ID, its return path or its Amazon SES id"
NO_MESSAGE = (
    "this is no message: it begins with no header field that messages have (Received, From, Date, Message-ID, …)"
)


async def trace(store: Store, data: bytes, now: Instant, account: str | None = None) -> Trace | None:
    """The account of a copy beside the ledger; None where the data is no message. Raises: StoreUnavailable.

    With ``account``, another account's message is not tied.
    """
    copy = read_copy(data)
    if copy is None:
        return None
    tied = await _tie(store, copy, now, account)
    return trace_copy(copy, tied, None if tied else NOT_OURS)


def trace_alone(data: bytes, why: str) -> Trace | None:
    """The account of a copy by its header alone, and why the ledger was not asked; None where the data is no message."""
    copy = read_copy(data)
    return None if copy is None else trace_copy(copy, None, why)


async def keep(store: Store, found: Trace, *, by: str, now: Instant) -> bool:
    """Writes what the copy shows into the ledger, once; whether it is there now: not without a delivery of it that has ended.

    A delivered message that was taken for spam, or stored late, has that for its cause from then on; of one that Amazon SES
    sent, SES's own reports go on deciding. Raises: StoreUnavailable.
    """
    tied = found.tied
    if tied is None or tied.delivery.status in OPEN_STATUSES:
        return False
    fact = _fact(found, tied, by)
    if any(event.fact == fact for event in tied.events):
        return True
    delivery = tied.delivery
    event = NewEvent(kind=EventKind.COPY_TRACED, at=now, recipient=delivery.recipient, fact=fact)
    while True:
        cause = _cause(fact, delivery) if tied.message.source is not Source.AMAZON_SES else delivery.cause
        try:
            await store.settle(
                Settlement(
                    delivery_id=delivery.id,
                    status=delivery.status,
                    seen=delivery.status,
                    cause=cause,
                    underlying_cause=delivery.underlying_cause,
                    next_at=delivery.next_at,
                    events=(event,),
                )
            )
        except Overtaken:  # a bounce or complaint came home in between: it decides
            delivery = await store.delivery(delivery.id) or delivery
        else:
            return True


def _cause(fact: CopyTraced, delivery: Delivery) -> Cause | None:
    if delivery.status is not Status.DELIVERED:
        return delivery.cause
    if fact.is_spam:
        return Cause.PLACED_IN_SPAM
    return Cause.DELAYED_AFTER_ACCEPTANCE if (fact.after_ms or 0) >= LATE else delivery.cause


def _fact(found: Trace, tied: Tied, by: str) -> CopyTraced:
    verdict = found.copy.decided
    inside = [part for part in found.parts if part.where == AFTER_ACCEPTANCE]
    measured = found.clocks is not None
    return CopyTraced(
        by=by,
        filed=(verdict.filed if verdict else Filed.NOT_TOLD).value,
        found_by=tied.by,
        system=verdict.system if verdict else None,
        header=verdict.header if verdict else None,
        words=verdict.words if verdict else None,
        text=verdict.text if verdict else None,
        grounds=verdict.grounds if verdict else (),
        reason=reason_of(found),
        is_folder=verdict.is_folder if verdict else False,
        after_ms=sum(part.ms for part in inside) if measured else None,
        slowest=max(inside, key=lambda part: part.ms).by if inside else None,
        skew_ms=found.clocks.skew_ms if found.clocks else None,
    )


class Traces:
    """The answers."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def answer(self, request: Request) -> Response:
        """``POST /api/trace``, its body the copy; ``?keep=true`` writes what it shows into the ledger.

        Raises:
            NotAuthentic: the caller may not ask.
            StoreUnavailable: the ledger cannot be read or written.
        """
        read: list[bytes] = []

        async def body() -> bytes:
            read.append(await _body(request))
            return read[0]

        account = await account_asking(request, self._store, self._clock(), body=body)
        data = read[0] if read else await body()
        if len(data) > MOST_OCTETS:
            return JSONResponse({"error": f"the copy has more than {MOST_OCTETS:,} octets; its header is enough"}, 413)
        wanted = request.query_params.get("keep", "false")
        if wanted not in {"true", "false"}:
            text = f"keep is {wanted[:40]!r}; it may be true (write what the copy shows into the ledger) or false"
            return JSONResponse({"error": text}, 400)
        found = await trace(self._store, data, self._clock(), account)
        if found is None:
            return JSONResponse({"error": NO_MESSAGE}, 400)
        by = OPERATOR if account is None else f"account {account}"
        kept = wanted == "true" and await keep(self._store, found, by=by, now=self._clock())
        return JSONResponse({**trace_json(found), "kept": kept})


async def _body(request: Request) -> bytes:
    """The body, or a little more than is allowed of it."""
    octets = bytearray()
    async for chunk in request.stream():
        octets += chunk
        if len(octets) > MOST_OCTETS:
            break
    return bytes(octets)


async def _tie(store: Store, copy: ReceivedCopy, now: Instant, account: str | None) -> Tied | None:
    delivery = await _by_return_path(store, copy)
    if delivery is not None:
        found = await _tied(store, delivery.message_id, (delivery.recipient,), now)
        if found is not None and account in {None, found.message.account}:
            return replace(found, by="its return path")
    for message_id in copy.ids:
        found = await _tied(store, message_id, copy.delivered_to, now)
        if found is not None and account in {None, found.message.account}:
            return found
    return None


async def _by_return_path(store: Store, copy: ReceivedCopy) -> Delivery | None:
    """The delivery that an envelope sender of ours names, and proves."""
    secret = store.secret(RETURN_PATH_PURPOSE)
    for address in copy.return_paths:
        delivery_id = decode(address, secret)
        delivery = await store.delivery(delivery_id) if delivery_id is not None else None
        if delivery is not None:
            return delivery
    return None


async def _tied(store: Store, message_id: str, recipients: Sequence[str], now: Instant) -> Tied | None:
    facts = await gather(store, message_id, now)
    if facts is None or not facts.deliveries:
        return None
    delivery, by = _pick(facts.deliveries, recipients)
    told = explain(replace(facts, deliveries=(delivery,)), now)
    events = tuple(event for event in facts.events if event.recipient in {None, delivery.recipient})
    return Tied(message=facts.message, delivery=delivery, recipient=told.recipients[0], events=events, by=by)


def _pick(deliveries: Sequence[Delivery], recipients: Sequence[str]) -> tuple[Delivery, str]:
    """The delivery that this copy is of: by the addresses that servers wrote down, else the only one, else one that was taken."""
    for address in recipients:
        for delivery in deliveries:
            if comparable(delivery.recipient) == comparable(address):
                return delivery, "its Message-ID, and the recipient in its header"
    if len(deliveries) == 1:
        return deliveries[0], "its Message-ID"
    taken = [delivery for delivery in deliveries if delivery.status is Status.DELIVERED]
    guess = "its Message-ID; which recipient's copy it is, it does not say, so the first that was delivered is taken"
    return (taken or list(deliveries))[0], guess
