"""A real store, an acceptor and a set clock; requests that are right unless a test says otherwise."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from waybill.accept.acceptor import Acceptor, AcceptPolicy
from waybill.accept.request import Client, RawContent, SendRequest, SimpleContent, TemplateContent
from waybill.model.clock import HOUR, SECOND, Instant
from waybill.model.message import Source
from waybill.model.refusal import Rejected
from waybill.model.resource import (
    DEFAULT_ACCOUNT,
    INSTALLATION,
    Account,
    ConfigurationSet,
    Identity,
    Template,
    Verification,
)
from waybill.store.protocol import Claim, Ledger, Store

START: Instant = 1_795_500_000_000
ACCOUNT = DEFAULT_ACCOUNT
POLICY = AcceptPolicy(
    worker="w1",
    region="us-east-1",
    bounce_domain="bounce.test",
    every_sender=False,
    max_lifetime=14 * HOUR,
    lease=30 * SECOND,
)
SIMPLE = SimpleContent(subject="Hello", text="Hi", html=None)


@dataclass
class Desk:
    """The queue's end, which keeps what it is offered."""

    open: bool = True
    taken: list[Claim] = field(default_factory=list)

    def has_room(self, recipients: Iterable[str], account: str) -> bool:
        return self.open

    def offer(self, claims: Sequence[Claim]) -> None:
        self.taken.extend(claims)


@dataclass
class World:
    """Everything a test of accepting touches."""

    store: Store
    desk: Desk = field(default_factory=Desk)
    at: Instant = START
    policy: AcceptPolicy = POLICY

    @property
    def acceptor(self) -> Acceptor:
        return Acceptor(store=self.store, clock=lambda: self.at, policy=self.policy, intake=self.desk)

    async def accept(self, sent: SendRequest) -> Ledger:
        """The ledger of an accepted message."""
        ledger = await self.store.ledger(await self.acceptor.accept(sent))
        assert ledger is not None
        return ledger

    async def refuse(self, sent: SendRequest) -> Rejected:
        """The error of a refused request."""
        try:
            message_id = await self.acceptor.accept(sent)
        except Rejected as refusal:
            return refusal
        raise AssertionError(f"accepted as {message_id}")

    async def account(self, **changes: Any) -> None:
        await self.store.put(replace(Account(account=INSTALLATION, name=ACCOUNT, created_at=START), **changes))

    async def identity(self, name: str, **changes: Any) -> None:
        fields: dict[str, Any] = {"verification": Verification.SUCCESS}
        await self.store.put(Identity(account=ACCOUNT, name=name, created_at=START, token="token", **fields | changes))

    async def configuration_set(self, name: str, **changes: Any) -> None:
        await self.store.put(ConfigurationSet(account=ACCOUNT, name=name, created_at=START, **changes))

    async def template(self, name: str, **changes: Any) -> None:
        fields: dict[str, Any] = {"subject": "Hi {{name}}", "text": "Dear {{name}}", "html": None, "version": 3}
        await self.store.put(
            Template(account=ACCOUNT, name=name, created_at=START, updated_at=START, **fields | changes)
        )


def client(**changes: Any) -> Client:
    fields: dict[str, Any] = {
        "account": ACCOUNT,
        "access_key_id": "AKIATEST",
        "source": Source.API,
        "operation": "SendEmail",
        "request_id": "request-1",
        "received_at": START - 1,
        "ip": "192.0.2.1",
        "tls": "TLSv1.3",
        "user_agent": "aws-cli",
        "started_at": START - 2,
        "api_version": 2,
    }
    return Client(**fields | changes)


def request(**changes: Any) -> SendRequest:
    """A simple message from a verified sender to one recipient."""
    fields: dict[str, Any] = {
        "client": client(),
        "content": SIMPLE,
        "sender": "Alice <alice@sender.test>",
        "to": ("bob@receiver.test",),
    }
    return SendRequest(**fields | changes)


def raw(header: str, body: str = "Hi\r\n", **changes: Any) -> SendRequest:
    """A raw message; its header lines are separated by LF."""
    data = f"{header.strip()}\n\n{body}".encode()
    fields: dict[str, Any] = {"content": RawContent(data=data), "sender": None, "to": ()}
    return request(**fields | changes)


def over_smtp(header: str, *recipients: str, **changes: Any) -> SendRequest:
    """A message submitted over SMTP."""
    smtp = client(source=Source.SMTP, operation="SendRawEmail", user_agent=None, api_version=None)
    fields: dict[str, Any] = {"client": smtp, "sender": "alice@sender.test", "envelope": recipients}
    return raw(header, **fields | changes)


def templated(name: str | None, data: str, **changes: Any) -> SendRequest:
    return request(content=TemplateContent(name=name, data=data), **changes)
