"""Port 25: reports come home to the return paths of our own deliveries and to the mailboxes for them, and nothing else does."""

import asyncio
import contextlib
import logging
import socket
import ssl
from collections import Counter
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from waybill.inbound.mailboxes import Mailbox, ReportShelf, mailbox_of
from waybill.inbound.settle import (
    Case,
    Classify,
    is_hearsay,
    settle_auto_reply,
    settle_bounce,
    settle_complaint,
    settle_delay,
)
from waybill.mail.reply import without_type
from waybill.mail.report import Report, read_report
from waybill.mail.return_path import decode
from waybill.model.address import domain_of
from waybill.model.clock import Clock
from waybill.model.message import OPEN_STATUSES, Delivery, Status
from waybill.model.resource import INSTALLATION, Account, ConfigurationSet
from waybill.net.smtp_server import (
    OK,
    Answer,
    Envelope,
    Peer,
    ReversePath,
    SessionConfig,
    SessionLimits,
    SmtpServer,
)
from waybill.store.protocol import NotFound, Overtaken, Settlement, Store, StoreUnavailable

log = logging.getLogger(__name__)

_READ = 1024 * 1024  # the report comes before the returned message, which may be long
_FIRST_LOOK = 0.02
_TALLY_EVERY = 2.0
FORGED = "forged_bounces"
"""The tally of recipients that are no return path of ours."""

_SENT = frozenset({Status.DELIVERED, Status.BOUNCED, Status.COMPLAINED})

_UNKNOWN = Answer(550, "5.1.1 No such address here: this server takes reports about mail that it has sent")
_NOT_NOW = Answer(451, "4.3.0 Temporary service failure")
_NOT_FINISHED = Answer(451, "4.3.0 The delivery that this report is about is not finished; try again later")


@dataclass(frozen=True, kw_only=True, slots=True)
class InboundConfig:
    """How the door is set up. ``secret`` is the one that the return paths were made with.

    A report may overtake the settling of its own delivery: it waits ``overtaking_wait`` seconds, then the sender
    is asked to come again.
    """

    hostname: str
    bounce_domain: str
    secret: bytes
    tls: ssl.SSLContext | None = None
    max_connections: int = 500
    overtaking_wait: float = 10.0
    limits: SessionLimits = field(default_factory=SessionLimits)


class Inbound:
    """The door. ``counts`` tells how many reports of each kind came, and how many recipients were ``forged``."""

    def __init__(self, *, store: Store, clock: Clock, classify: Classify, config: InboundConfig) -> None:
        self.counts: Counter[str] = Counter()
        reports = Reports(store=store, clock=clock, classify=classify, config=config, counts=self.counts)

        def open_policy(peer: Peer) -> InboundPolicy:
            return InboundPolicy(reports, peer)

        self._server = SmtpServer(
            config=SessionConfig(
                hostname=config.hostname, authentication=False, clock=clock, tls=config.tls, limits=config.limits
            ),
            open_policy=open_policy,
            max_connections=config.max_connections,
        )
        self._reports = reports
        self._tallying: asyncio.Task[None] | None = None

    async def start(self, *, host: str = "127.0.0.1", port: int = 0, sock: socket.socket | None = None) -> None:
        """Listens on host and port, or on a socket that is bound already. Raises: OSError."""
        await self._server.start(host=host, port=port, sock=sock)
        self._tallying = asyncio.create_task(self._reports.tally_for_ever())

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        return self._server.address

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return self._server.connections

    async def close(self, grace: float = 10.0) -> None:
        """Takes no new connections or mails; those on their way in get ``grace`` seconds."""
        await self._server.close(grace)
        if self._tallying is not None:
            self._tallying.cancel()
        with contextlib.suppress(StoreUnavailable):
            await self._reports.tally()


class InboundPolicy:
    """Decides about one connection."""

    def __init__(self, reports: "Reports", peer: Peer) -> None:
        self._reports = reports
        self._peer = peer

    async def authenticate(self, username: str, password: str) -> Answer:  # noqa: ARG002 - the policy's signature
        """Nobody has an account here."""
        return Answer(502, "5.5.1 AUTH is not offered")

    async def mail(self, path: ReversePath) -> Answer:  # noqa: ARG002 - the policy's signature
        """Anybody may report; bounces come from the null path (RFC 5321 §4.5.5)."""
        return OK

    async def rcpt(self, address: str) -> Answer:
        """Takes the return paths of deliveries that are in the ledger, and the mailboxes for reports."""
        if mailbox_of(address, self._reports.config.bounce_domain) is not None:
            return OK
        try:
            if await self._reports.delivery_at(address) is not None:
                return OK
        except StoreUnavailable:
            return _NOT_NOW
        self._reports.count_forged()
        log.info("return_path_unknown peer=%s address=%s", self._peer.ip, address)
        return _UNKNOWN

    async def message(self, envelope: Envelope, data: bytes) -> Answer:
        """Settles what the mail says; 250 once it is on disk."""
        report = await asyncio.to_thread(read_report, data[:_READ])
        try:
            for address in dict.fromkeys(envelope.recipients):
                mailbox = mailbox_of(address, self._reports.config.bounce_domain)
                if mailbox is not None and mailbox is not Mailbox.COMPLAINTS:
                    await self._reports.shelve(data)
                    continue
                paths = report.return_paths if mailbox is Mailbox.COMPLAINTS else (address,)
                if not await self._reports.take_first(report, paths, envelope):
                    return _NOT_FINISHED
        except StoreUnavailable as error:
            log.warning("store_unavailable while=reporting peer=%s error=%s", envelope.peer.ip, error)
            return _NOT_NOW
        return OK


@dataclass(frozen=True, kw_only=True, slots=True)
class Reports:
    """Ties reports to deliveries and settles them, one at a time for each delivery."""

    store: Store
    clock: Clock
    classify: Classify
    config: InboundConfig
    counts: Counter[str]
    locks: WeakValueDictionary[int, asyncio.Lock] = field(default_factory=WeakValueDictionary)
    untallied: Counter[str] = field(default_factory=Counter)

    def count_forged(self) -> None:
        """One more recipient that nobody can have from us; written down every few seconds, since anybody can make millions."""
        self.counts["forged"] += 1
        self.untallied[FORGED] += 1

    async def tally_for_ever(self) -> None:
        """Writes the tallies down, until it is cancelled."""
        while True:
            await asyncio.sleep(_TALLY_EVERY)
            try:
                await self.tally()
            except StoreUnavailable as error:
                log.warning("store_unavailable while=tallying error=%s", error)

    async def tally(self) -> None:
        """Writes the tallies down. Raises: StoreUnavailable; then they wait for the next time."""
        for name, more in list(self.untallied.items()):
            await self.store.tally(name, self.clock(), more)
            self.untallied[name] -= more
            if not self.untallied[name]:
                del self.untallied[name]

    async def shelve(self, data: bytes) -> None:
        """Keeps an aggregate report. Raises: StoreUnavailable."""
        became = await ReportShelf(store=self.store, clock=self.clock).take(data)
        self.counts[became] += 1

    async def take_first(self, report: Report, paths: tuple[str, ...], envelope: Envelope) -> bool:
        """As ``take``, at the first of the return paths that is one of ours; a report with none is counted and left."""
        for path in paths:
            if await self.delivery_at(path) is not None:
                return await self.take(report, path, envelope)
        self.counts["unattributed"] += 1
        log.info("report_unattributed kind=%s peer=%s", report.kind, envelope.peer.ip)
        return True

    async def delivery_at(self, address: str) -> Delivery | None:
        """The delivery whose return path this is: authentic, and at our bounce domain or its message's MAIL FROM domain."""
        delivery_id = decode(address, self.config.secret)
        delivery = None if delivery_id is None else await self.store.delivery(delivery_id)
        if delivery is None:
            return None
        domain = domain_of(address)
        if domain == self.config.bounce_domain.lower():
            return delivery
        ledger = await self.store.ledger(delivery.message_id)
        custom = ledger.message.mail_from if ledger else None
        return delivery if custom is not None and domain == custom.lower() else None

    async def take(self, report: Report, address: str, envelope: Envelope) -> bool:
        """Settles the report; False where its delivery is still open, so that it cannot be settled yet.

        Raises:
            StoreUnavailable: it is not on disk.
        """
        found = await self.delivery_at(address)
        if found is None:
            return True
        known = report.kind in ("bounce", "delay", "complaint", "auto_reply")
        if not known or is_hearsay(report, found.recipient, sender=envelope.sender):
            self.counts[report.kind] += 1
            log.info(
                "report_ignored kind=%s message_id=%s recipient=%s", report.kind, found.message_id, found.recipient
            )
            return True
        async with self.locks.setdefault(found.id, asyncio.Lock()):
            delivery = await self._finished(found)
            if delivery.status in OPEN_STATUSES:
                return False
            await self._settle(report, delivery, envelope)
        return True

    async def _finished(self, delivery: Delivery) -> Delivery:
        """The delivery once it is final, or as it is when the wait is over."""
        waited, look = 0.0, _FIRST_LOOK
        while delivery.status in OPEN_STATUSES and waited < self.config.overtaking_wait:
            await asyncio.sleep(look)
            waited += look
            look = min(2 * look, 0.5)
            delivery = await self.store.delivery(delivery.id) or delivery
        return delivery

    async def _settle(self, report: Report, delivery: Delivery, envelope: Envelope) -> None:
        settlement = await self._settlement(report, delivery, envelope) if delivery.status in _SENT else None
        if settlement is None:
            self.counts["duplicate"] += 1
            log.info("report_known kind=%s message_id=%s status=%s", report.kind, delivery.message_id, delivery.status)
            return
        try:
            await self.store.settle(settlement)
        except NotFound:  # the ledger forgot the delivery in between
            return
        except Overtaken:  # another worker had a report of it at the same moment: this one counts beside that
            delivery = await self.store.delivery(delivery.id) or delivery
            await self._settle(report, delivery, envelope)
            return
        self.counts[report.kind] += 1
        log.info(
            "report_taken kind=%s message_id=%s recipient=%s", report.kind, delivery.message_id, delivery.recipient
        )

    async def _settlement(self, report: Report, delivery: Delivery, envelope: Envelope) -> Settlement | None:
        case = await self._case(delivery)
        if case is None:
            return None
        at = self.clock()
        match report.kind:
            case "complaint":
                reported_by = (
                    without_type(report.reporting_mta) or envelope.sender.rpartition("@")[2] or envelope.peer.ip
                )
                return settle_complaint(case, report, reported_by=reported_by, at=at)
            case "bounce":
                return settle_bounce(case, report, self.classify, at=at)
            case "delay":
                return settle_delay(case, report, self.classify, at=at)
            case _:
                return settle_auto_reply(case, report, at=at)

    async def _case(self, delivery: Delivery) -> Case | None:
        ledger = await self.store.ledger(delivery.message_id)
        if ledger is None:
            return None
        account = await self.store.get(Account, INSTALLATION, delivery.account)
        name = ledger.message.configuration_set
        return Case(
            delivery=delivery,
            ledger=ledger,
            account=account or Account(account=INSTALLATION, name=delivery.account, created_at=0),
            configuration_set=await self.store.get(ConfigurationSet, delivery.account, name) if name else None,
        )
