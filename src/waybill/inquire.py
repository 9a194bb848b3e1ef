"""A question to the ledger: find the message, gather its facts, explain."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

from waybill.explain import Explanation, Facts, explain
from waybill.explain.near import one_slip_away
from waybill.explain.rates import REPUTATION
from waybill.mail.address import AddressError, canonical
from waybill.model.address import domain_of
from waybill.model.authentication import AuthenticationSeen
from waybill.model.cause import Cause
from waybill.model.clock import DAY, Instant
from waybill.model.content import ContentExamined
from waybill.model.event import Attempted, Event, RenderingFailed
from waybill.model.history import Likeness
from waybill.model.message import OPEN_STATUSES, Delivery
from waybill.model.probe import NotProbed, Probed
from waybill.model.standing import Listed, RateSeen
from waybill.standing.reputation import WORDS, Kind, judge_all, periods
from waybill.store.protocol import Ledger, Search, Store
from waybill.store.queueing import Selection

Look: TypeAlias = Callable[[Facts], Awaitable[Mapping[int, Probed | NotProbed]]]
"""Walks to the servers of a message's recipients; what it found, by delivery id."""

_MOST_SEEN = 40


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What a key means: a message, and where the key was an address, only this recipient of it."""

    message_id: str
    recipient: str | None = None


async def find_asked(store: Store, key: str, account: str | None = None) -> Asked | None:
    """The message that a key means: a message or request id, a Message-ID field, or an address. Raises: StoreUnavailable.

    An address, bare or with a display name, means the newest message to it (of ``account``, where one is given).
    """
    key = key.strip()
    if not key:
        return None
    if await store.ledger(key) is not None:
        return Asked(message_id=key)
    inner = key.removeprefix("<").removesuffix(">")
    local = inner.partition("@")[0]
    if local != key and await store.ledger(local) is not None:
        return Asked(message_id=local)  # <message id@our domain>, as the Message-ID field has it
    # A refused request keeps its recipients as the client wrote them, so the key is looked for as it stands, too.
    for address in dict.fromkeys((_bare(key), key)):
        hits = (
            await store.find(Search(account=account, recipient=address, limit=1))
            if address and "@" in address[1:]
            else []
        )
        if hits:
            return Asked(message_id=hits[0].message.id, recipient=hits[0].delivery.recipient)
    return None


def _bare(key: str) -> str | None:
    try:
        return canonical(key)
    except AddressError:
        return None


async def find_id(store: Store, key: str) -> str | None:
    """The id of the message that a key means, as ``find_asked``; None where there is none. Raises: StoreUnavailable."""
    asked = await find_asked(store, key)
    return asked.message_id if asked else None


async def gather(store: Store, message_id: str, now: Instant) -> Facts | None:
    """The facts about a message; None where the ledger does not know it. Raises: StoreUnavailable."""
    ledger = await store.ledger(message_id)
    if ledger is None:
        return None
    health = await store.health_history.between(*_time_of(ledger, now))
    history = {delivery.id: await store.history(delivery, now) for delivery in ledger.deliveries}
    held = [one for one in ledger.deliveries if one.cause is Cause.HELD_BY_WAYBILL]
    return Facts(
        message=ledger.message,
        deliveries=ledger.deliveries,
        events=await _with_findings(store, ledger.events),
        suppressions=ledger.suppressions,
        history=history,
        sites={one.id: await _site(store, one, now) for one in held},
        health=tuple(health),
        incidents=tuple(await store.incidents.between(*_time_of(ledger, now))),
        likeness=await _likenesses(store, ledger, now),
        authentications=await _authentications(store, ledger),
        listings=await _listings(store, ledger, now),
        rates=await _rates(store, ledger, now),
    )


async def _authentications(store: Store, ledger: Ledger) -> tuple[AuthenticationSeen, ...]:
    """What was seen for mail from the sender's domain, where an attempt names it."""
    facts = (event.fact for event in ledger.events)
    if not any(isinstance(fact, Attempted) and fact.attempt.authentication for fact in facts):
        return ()
    message = ledger.message
    return tuple(await store.authentications.of_domain(message.account, domain_of(message.sender), limit=_MOST_SEEN))


async def _with_findings(store: Store, events: tuple[Event, ...]) -> tuple[Event, ...]:
    """The events; where a message made alike was examined in this one's place, with what was found in that."""
    return tuple([await _whole(store, event) for event in events])


async def _whole(store: Store, event: Event) -> Event:
    fact = event.fact
    if not isinstance(fact, ContentExamined) or fact.like is None:
        return event
    found = await store.examinations.of(fact.like, fact.by)
    if found is None:
        return replace(event, fact=replace(fact, unseen=f"it is made like message {fact.like}, which is not on record"))
    return replace(event, fact=replace(found, like=fact.like))


async def _likenesses(store: Store, ledger: Ledger, now: Instant) -> dict[int, Likeness]:
    """What is like each failure, where something may be: a slip of the pen, or a failure that many messages share."""
    found: dict[int, Likeness] = {}
    for one in ledger.deliveries:
        account, domain = one.account, one.domain
        if one.cause is Cause.USER_UNKNOWN:
            found[one.id] = Likeness(addresses=tuple(await store.likenesses.taken_at(account, domain)))
        elif one.cause is Cause.DOMAIN_NOT_FOUND:
            found[one.id] = Likeness(domain=await store.likenesses.often_taken(account, one_slip_away(domain)))
    failed = next((event.fact for event in reversed(ledger.events) if isinstance(event.fact, RenderingFailed)), None)
    if failed is not None and ledger.deliveries:
        account = ledger.deliveries[0].account
        alike = await store.likenesses.failed_alike(account, ledger.message.id, failed, now - DAY)
        found |= {one.id: Likeness(failed=alike) for one in ledger.deliveries}
    return found


async def _listings(store: Store, ledger: Ledger, now: Instant) -> tuple[Listed, ...]:
    """What blocklists said of what the message was sent with, from its acceptance on."""
    attempts = [event.fact.attempt for event in ledger.events if isinstance(event.fact, Attempted)]
    if not attempts:
        return ()
    subjects = {attempt.source_ip for attempt in attempts if attempt.source_ip} | {domain_of(ledger.message.sender)}
    found = await store.standing.listings(subjects=sorted(subjects), since=ledger.message.accepted_at, until=now)
    return tuple(found)


async def _rates(store: Store, ledger: Ledger, now: Instant) -> tuple[RateSeen, ...]:
    """How the sender's domain and the address it sent from stand: asked only where the answer speaks of reputation."""
    if not any({one.cause, one.underlying_cause} & REPUTATION for one in ledger.deliveries):
        return ()
    domain = domain_of(ledger.message.identity or ledger.message.sender)
    attempts = [event.fact.attempt for event in ledger.events if isinstance(event.fact, Attempted)]
    wanted = {(Kind.DOMAIN, domain), *((Kind.SOURCE_IP, attempt.source_ip or "") for attempt in attempts)}
    starts = periods(now)
    judged = judge_all(await store.standing.tallies(starts, ledger.message.account), starts)
    return tuple(
        RateSeen(
            about=one.subject.name,
            of_address=one.subject.kind is Kind.SOURCE_IP,
            window=one.window,
            sent=one.figures.sent,
            hard=one.figures.hard,
            delivered=one.figures.delivered,
            complaints=one.figures.complaints,
            state=WORDS[one.level],
        )
        for one in judged
        if (one.subject.kind, one.subject.name) in wanted and one.bounce.is_judged
    )


def _time_of(ledger: Ledger, now: Instant) -> tuple[Instant, Instant]:
    """From acceptance until the last of its deliveries was settled; until now where one is open."""
    started = ledger.message.accepted_at
    is_open = any(one.status in OPEN_STATUSES for one in ledger.deliveries)
    return started, now if is_open else max([started, *(one.updated_at for one in ledger.deliveries)])


async def _site(store: Store, delivery: Delivery, now: Instant) -> str:
    """Where the delivery's mail goes, as far as it was ever learned."""
    own = Selection(message_id=delivery.message_id, domain=delivery.domain)
    found = await store.queue_by_site(now, selection=own, limit=1)
    return found[0].site if found else delivery.domain


async def inquire(
    store: Store, key: str, now: Instant, account: str | None = None, *, look: Look | None = None
) -> Explanation | None:
    """The explanation of the message that a key means; None where there is none. Raises: StoreUnavailable.

    Asked by address, it tells of that recipient alone. With ``account``, another account's message is not found. ``look``
    walks to the recipients' servers first; what it finds is told along with the rest.
    """
    asked = await find_asked(store, key, account)
    facts = await gather(store, asked.message_id, now) if asked else None
    if asked is None or facts is None or account not in {None, facts.message.account}:
        return None
    facts = _narrow(facts, asked)
    if look is not None:
        live = await look(facts)
        again = await gather(store, asked.message_id, now)  # the walks are in the ledger by now
        facts = replace(_narrow(again or facts, asked), live=live)
        now = max([now, *(one.at if isinstance(one, NotProbed) else one.ended_at for one in live.values())])
    return explain(facts, now)


def _narrow(facts: Facts, asked: Asked) -> Facts:
    """Of that recipient alone, where it was asked for by address."""
    if asked.recipient is None:
        return facts
    own = tuple(delivery for delivery in facts.deliveries if delivery.recipient == asked.recipient)
    return replace(facts, deliveries=own)
