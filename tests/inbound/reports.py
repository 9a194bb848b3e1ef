"""A store with one sent message in it, the reports that come home about it, and a judge of replies."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from waybill.inbound import InboundConfig
from waybill.lab.report import Incident
from waybill.model.cause import Cause, Responder, Scope
from waybill.model.event import Accepted, Attempted, Event, EventKind, NewEvent
from waybill.model.message import Delivery, Message, Source, Status, new_message_id
from waybill.model.outcome import Attempt, Outcome, Result, Stage
from waybill.model.resource import INSTALLATION, Account
from waybill.store.protocol import Acceptance, NewDelivery, Settlement, Store
from waybill.store.sqlite import open_sqlite

SECRET = b"a secret for tests, of 32 octets"
RECIPIENT = "Anne@b.example"
ACCOUNT = "100000000001"
CONFIG = InboundConfig(hostname="mx.test", bounce_domain="bounce.test", secret=SECRET, overtaking_wait=5)


def incident(return_path: str, recipient: str = RECIPIENT) -> Incident:
    """What the lab's reports are written about."""
    return Incident(
        reporter="mx.b.example",
        mail_from=return_path,
        recipient=recipient,
        content=b"From: a@sender.example\r\nMessage-ID: <m@sender.example>\r\nSubject: x\r\n\r\nx\r\n",
        at=5_000,
    )


def outcome_of(cause: Cause, *, suppress: bool, words: str, rule: str) -> Outcome:
    """A verdict on a refusal."""
    return Outcome(
        result=Result.BOUNCED,
        cause=cause,
        scope=Scope.RECIPIENT if suppress else Scope.SENDER_DOMAIN,
        responder=Responder.REMOTE,
        permanent=suppress,
        stage=Stage.RETURNED,
        status="5.1.1" if suppress else "5.7.1",
        diagnostic=f"smtp; {words}",
        rule=rule,
        suppress=suppress,
    )


def classify(reply: str, mx: str | None) -> Outcome:
    """Knows 5.1.1, and takes all else for policy."""
    if "5.1.1" in reply:
        return outcome_of(Cause.USER_UNKNOWN, suppress=True, words=reply, rule="test-user-unknown")
    return outcome_of(Cause.POLICY_REJECTED, suppress=False, words=reply, rule="test-policy")


@dataclass(frozen=True, kw_only=True, slots=True)
class Home:
    """The store, with short words for what tests do with it."""

    store: Store

    async def queued(
        self, *, recipient: str = RECIPIENT, mail_from: str | None = None, configuration_set: str | None = None
    ) -> Delivery:
        """A message with one open delivery, leased to a worker."""
        message = Message(
            id=new_message_id(1_000),
            account=ACCOUNT,
            request_id="request",
            source=Source.API,
            operation="SendEmail",
            accepted_at=1_000,
            sender="a@sender.example",
            source_header="a@sender.example",
            destination=(recipient,),
            configuration_set=configuration_set,
            mail_from=mail_from,
        )
        deliveries = await self.store.accept(
            Acceptance(
                message=message,
                content=b"x\r\n",
                deliveries=(NewDelivery(recipient=recipient, status=Status.QUEUED, cause=None, expires_at=10**9),),
                events=(NewEvent(kind=EventKind.ACCEPTED, at=1_000, fact=Accepted()),),
                lease_owner="worker",
                lease_until=10**9,
            )
        )
        assert isinstance(deliveries, tuple)
        return deliveries[0]

    async def settle_delivered(self, delivery: Delivery) -> None:
        """The receiver has answered 250."""
        outcome = Outcome(
            result=Result.DELIVERED,
            cause=Cause.ACCEPTED_BY_RECEIVER,
            scope=Scope.RECIPIENT,
            responder=Responder.REMOTE,
            permanent=False,
            stage=Stage.MESSAGE,
            status="2.0.0",
            diagnostic="smtp; 250 2.0.0 Ok",
            rule="accepted",
        )
        fact = Attempted(attempt=Attempt(number=1, started_at=1_100, ended_at=1_200, outcome=outcome))
        event = NewEvent(kind=EventKind.DELIVERED, at=1_200, recipient=delivery.recipient, fact=fact)
        await self.store.settle(
            Settlement(
                delivery_id=delivery.id,
                status=Status.DELIVERED,
                cause=Cause.ACCEPTED_BY_RECEIVER,
                events=(event,),
                lease_owner="worker",
                attempts=1,
            )
        )

    async def delivered(
        self, *, recipient: str = RECIPIENT, mail_from: str | None = None, configuration_set: str | None = None
    ) -> Delivery:
        """A message whose one delivery was answered 250."""
        delivery = await self.queued(recipient=recipient, mail_from=mail_from, configuration_set=configuration_set)
        await self.settle_delivered(delivery)
        return await self.read(delivery)

    async def read(self, delivery: Delivery) -> Delivery:
        """The delivery as it stands."""
        found = await self.store.delivery(delivery.id)
        assert found is not None
        return found

    async def events(self, delivery: Delivery) -> tuple[Event, ...]:
        """The ledger's events about the delivery's recipient, oldest first."""
        ledger = await self.store.ledger(delivery.message_id)
        assert ledger is not None
        return tuple(event for event in ledger.events if event.recipient == delivery.recipient)

    async def kinds(self, delivery: Delivery) -> list[str]:
        """What kinds of events those are."""
        return [event.kind.value for event in await self.events(delivery)]

    async def event(self, delivery: Delivery, kind: EventKind) -> Event:
        """The one event of the kind."""
        [event] = [event for event in await self.events(delivery) if event.kind is kind]
        return event


@contextlib.asynccontextmanager
async def open_home(folder: Path) -> AsyncIterator[Home]:
    """A store in the folder, with an account."""
    store = await open_sqlite(folder / "waybill.db", clock=lambda: 1_000)
    await store.put(Account(account=INSTALLATION, name=ACCOUNT, created_at=1))
    try:
        yield Home(store=store)
    finally:
        await store.close()
