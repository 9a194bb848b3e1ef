"""The life of a message, lived step by step with the product's own classifier and settlements, as facts to explain."""

from dataclasses import dataclass, field, replace
from typing import Any

from tests.explain.conversation import conversation
from waybill.deliver.classify import classify, classify_text
from waybill.deliver.evidence import Evidence, Failure
from waybill.deliver.suppress import Grounds, additions, entries_for
from waybill.explain import Facts
from waybill.mail.reply import parse_reply
from waybill.model.authentication import AuthenticationSeen
from waybill.model.cause import Cause
from waybill.model.clock import DAY, HOUR, MINUTE, SECOND, Instant, parse_rfc3339
from waybill.model.event import (
    Accepted,
    BounceReceived,
    Complained,
    DelayReported,
    Event,
    EventKind,
    Fact,
    Held,
    NewEvent,
    Refused,
    Released,
    Stuck,
    TakenOver,
)
from waybill.model.health import HealthPeriod
from waybill.model.history import DomainHistory, Likeness
from waybill.model.incident import Incident
from waybill.model.message import Delivery, Message, Source, Status
from waybill.model.outcome import Attempt, Outcome, Reply, Result, Stage, Tls
from waybill.model.probe import NotProbed, Probed
from waybill.model.resource import Account
from waybill.model.standing import Listed
from waybill.model.suppression import Reason, Suppression
from waybill.model.traced import CopyTraced
from waybill.queue.settle import Owner, last_word, settle_attempt, settle_expiry
from waybill.store.protocol import Claim, Settlement

ACCOUNT = "100000000001"
START: Instant = parse_rfc3339("2026-11-24T14:03:09.412Z")
MESSAGE_ID = "0100019ab5f3c0d4-5d6b2c1e-7f88-4f0e-9a51-2f3c4d5e6f70-000000"
SOURCE_IP = "198.51.100.4"
FEEDBACK = "0100019ab5f3c0d5-00000000-0000-4000-8000-000000000001-000000"


def message(**changes: Any) -> Message:
    """A message sent over the API."""
    fields: dict[str, Any] = {
        "id": MESSAGE_ID,
        "account": ACCOUNT,
        "request_id": "5f0c1a7e-2f51-4c7e-8f0a-6f1f5f5b2a11",
        "source": Source.API,
        "operation": "SendEmail",
        "accepted_at": START,
        "sender": "orders@shop.example",
        "source_header": "Shop <orders@shop.example>",
        "destination": ("anna.k@firma.example",),
        "subject": "Your order has shipped",
        "identity": "shop.example",
        "size": 4_218,
        "client_ip": "203.0.113.9",
        "client_started_at": START - 31,
    }
    return Message(**fields | changes)


@dataclass(kw_only=True, slots=True)
class Life:
    """One recipient's message. Every step moves the clock and writes events, as the service would."""

    recipient: str = "anna.k@firma.example"
    message: Message = field(default_factory=message)
    now: Instant = START
    events: list[Event] = field(default_factory=list)
    entries: list[Suppression] = field(default_factory=list)
    history: DomainHistory | None = None
    likeness: Likeness | None = None
    lifetime: int = 14 * HOUR
    retry: tuple[int, ...] = (MINUTE, 5 * MINUTE, 15 * MINUTE)
    route: str = ""
    site: str | None = None
    live: Probed | NotProbed | None = None
    health: tuple[HealthPeriod, ...] = ()
    authentications: tuple[AuthenticationSeen, ...] = ()
    listings: tuple[Listed, ...] = ()
    incidents: tuple[Incident, ...] = ()
    delivery: Delivery = field(init=False)

    def __post_init__(self) -> None:
        self.message = replace(self.message, destination=(self.recipient,))
        self.delivery = Delivery(
            id=1,
            message_id=self.message.id,
            account=self.message.account,
            recipient=self.recipient,
            status=Status.QUEUED,
            cause=None,
            underlying_cause=None,
            attempts=0,
            accepted_at=START,
            next_at=START,
            expires_at=START + self.lifetime,
            updated_at=START,
        )
        if self.message.id == MESSAGE_ID:
            self._write(EventKind.ACCEPTED, Accepted(), about=None)

    def _write(self, kind: EventKind, fact: Fact, *, about: str | None) -> None:
        self.events.append(
            Event(
                id=len(self.events) + 1,
                message_id=self.message.id,
                kind=kind,
                at=self.now,
                fact=fact,
                recipient=about,
            )
        )

    def wait(self, milliseconds: int) -> "Life":
        """Time goes by."""
        self.now += milliseconds
        return self

    def wait_for_retry(self) -> "Life":
        """The next attempt is due."""
        assert self.delivery.next_at is not None
        self.now = self.delivery.next_at
        return self

    def end(self, status: Status, cause: Cause, kind: EventKind, fact: Fact, *, about_all: bool = False) -> "Life":
        """An end that is no attempt."""
        self._write(kind, fact, about=None if about_all else self.recipient)
        self.delivery = replace(self.delivery, status=status, cause=cause, updated_at=self.now, next_at=None)
        return self

    def refused(self, cause: Cause, code: str, text: str, **detail: str) -> "Life":
        """The request gets an error."""
        fact = Refused(cause=cause, code=code, text=text, detail=detail)
        return self.end(Status.REFUSED, cause, EventKind.REFUSED, fact, about_all=True)

    def answered(self, reply: str, stage: Stage = Stage.RCPT, *, tls: bool = True, **changes: Any) -> "Life":
        """An attempt that a server's reply decides; ``reply`` may have several lines."""
        parsed = parse_reply(reply)
        evidence = Evidence(
            stage=stage,
            recipient=self.recipient,
            reply=parsed,
            command={Stage.RCPT: "RCPT TO", Stage.MAIL: "MAIL FROM", Stage.MESSAGE: "."}.get(stage),
            host=self._host,
            ip="192.0.2.7",
        )
        return self._attempt(classify(evidence), parsed, tls=tls, **changes)

    def failed(self, failure: Failure, text: str, stage: Stage = Stage.CONNECT, **changes: Any) -> "Life":
        """An attempt that ends without a reply."""
        asked = stage is not Stage.ROUTE
        evidence = Evidence(
            stage=stage,
            recipient=self.recipient,
            failure=failure,
            text=text,
            host=self._host if asked else None,
            ip="192.0.2.7" if asked else None,
        )
        if not asked:
            changes = {"mx": None, "ip": None, "port": None, "source_ip": None} | changes
        return self._attempt(classify(evidence), None, tls=False, **changes)

    @property
    def _host(self) -> str:
        return f"mx1.{self.recipient.rpartition('@')[2]}"

    def _attempt(self, outcome: Outcome, reply: Reply | None, *, tls: bool, **changes: Any) -> "Life":
        started, ended = self.now + 40, self.now + 390
        fields: dict[str, Any] = {
            "number": self.delivery.attempts + 1,
            "started_at": started,
            "ended_at": ended,
            "outcome": outcome,
            "mx": self._host,
            "ip": "192.0.2.7",
            "port": 25,
            "source_ip": SOURCE_IP,
            "helo": "mail.shop.example",
            "signed_by": ("shop.example",),
            "tls": Tls(version="TLSv1.3", cipher="TLS_AES_256_GCM_SHA384", peer_subject=None, verified=True)
            if tls
            else None,
            "transcript": conversation(
                self._host, self.recipient, at=started, stage=outcome.stage, reply=reply, route=self.route
            ),
        }
        attempt = Attempt(**fields | changes)
        self.now = attempt.ended_at
        retry_at = None
        if outcome.result is Result.DEFERRED:
            wait = self.retry[min(attempt.number, len(self.retry)) - 1]
            retry_at = min(self.now + wait, START + self.lifetime)
        account = Account(account="", name=self.message.account, created_at=START)
        claim = Claim(delivery=self.delivery, message=self.message, content=b"")
        owner = Owner(account=account, configuration_set=None)
        return self._settle(settle_attempt(claim, attempt, owner, retry_at=retry_at, dkim_header=None))

    def _settle(self, settlement: Settlement) -> "Life":
        for event in settlement.events:
            self.now = event.at
            self._write(event.kind, event.fact, about=event.recipient)
        self.entries.extend(settlement.suppressions)
        self.delivery = replace(
            self.delivery,
            status=settlement.status,
            cause=settlement.cause,
            underlying_cause=settlement.underlying_cause,
            attempts=self.delivery.attempts if settlement.attempts is None else settlement.attempts,
            next_at=settlement.next_at,
            updated_at=self.now,
        )
        return self

    def expired(self, *, own_limit: bool = False) -> "Life":
        """Time runs out."""
        self.now = self.delivery.expires_at + 2 * SECOND
        last = last_word(self.events, self.delivery)
        return self._settle(settle_expiry(self.delivery, last, own_limit=own_limit, at=self.now))

    def held(
        self,
        text: str,
        until: Instant | None,
        *,
        limit: str = "operator",
        by: str = "operator",
        cause: Cause | None = None,
    ) -> "Life":
        """Waybill holds it back, as the store does it."""
        behind = self.delivery.cause
        if behind in {Cause.HELD_BY_WAYBILL, Cause.STUCK}:
            behind = self.delivery.underlying_cause
        self._write(EventKind.HELD, Held(limit=limit, by=by, text=text, until=until), about=self.recipient)
        self.delivery = replace(
            self.delivery,
            cause=Cause.HELD_BY_WAYBILL,
            underlying_cause=behind or cause,
            next_at=until,
            updated_at=self.now,
        )
        return self

    def released(self, by: str = "operator") -> "Life":
        """The hold is ended by hand."""
        hold = next(event.fact for event in reversed(self.events) if isinstance(event.fact, Held))
        self._write(EventKind.RELEASED, Released(by=by, text=hold.text), about=self.recipient)
        self.delivery = replace(
            self.delivery,
            cause=self.delivery.underlying_cause,
            underlying_cause=None,
            next_at=self.now,
            updated_at=self.now,
        )
        return self

    def taken_over(self, *, was_sending: bool | None) -> "Life":
        """The worker that had it is killed, and another claims it."""
        self._write(
            EventKind.TAKEN_OVER, TakenOver(worker="mx-7-1-5f3a", was_sending=was_sending), about=self.recipient
        )
        self.delivery = replace(self.delivery, lease_owner="mx-7-2-09bc", lease_until=self.now + 5 * MINUTE)
        return self

    def stuck(self) -> "Life":
        """The watchdog finds it due and in nobody's hands."""
        due = self.delivery.next_at
        assert due is not None
        minutes = (self.now - due) // MINUTE
        fact = Stuck(due_at=due, text=f"due for {minutes} minutes, and no worker has taken it up")
        self._write(EventKind.STUCK, fact, about=self.recipient)
        self.delivery = replace(
            self.delivery, cause=Cause.STUCK, underlying_cause=self.delivery.cause, updated_at=self.now
        )
        return self

    def delay_reported(self, words: str, *, mta: str) -> "Life":
        """A notice of delay comes home."""
        outcome = classify_text(words, mta)
        fact = DelayReported(
            cause=outcome.cause,
            status=outcome.status,
            diagnostic=f"smtp; {words}",
            reporting_mta=f"dns; {mta}",
            rule=outcome.rule,
            retry_until=self.now + 2 * DAY,
        )
        self._write(EventKind.DELAY_REPORTED, fact, about=self.recipient)
        self.delivery = replace(self.delivery, cause=Cause.DELAYED_AFTER_ACCEPTANCE, updated_at=self.now)
        return self

    def returned(self, words: str, *, mta: str | None = None) -> "Life":
        """A bounce mail comes home."""
        outcome = classify_text(words, mta)
        fact = BounceReceived(
            cause=outcome.cause,
            scope=outcome.scope,
            permanent=outcome.permanent,
            status=outcome.status,
            action="failed",
            diagnostic=f"smtp; {words}",
            reporting_mta=f"dns; {mta}" if mta else None,
            rule=outcome.rule,
            feedback_id=FEEDBACK,
            suppress=outcome.suppress,
        )
        self._write(EventKind.BOUNCE_RECEIVED, fact, about=self.recipient)
        if outcome.suppress:
            self._list(Reason.BOUNCE, outcome.rule, outcome.diagnostic)
        self.delivery = replace(self.delivery, status=Status.BOUNCED, cause=outcome.cause, updated_at=self.now)
        return self

    def complained(
        self, feedback_type: str | None = "abuse", user_agent: str | None = "Yahoo!-Mail-Feedback/2.0"
    ) -> "Life":
        """A complaint comes home."""
        fact = Complained(
            feedback_id=FEEDBACK,
            feedback_type=feedback_type,
            user_agent=user_agent,
            arrival_date=START,
            reported_by="feedback@arf.mail.example",
        )
        self._write(EventKind.COMPLAINED, fact, about=self.recipient)
        self._list(Reason.COMPLAINT, "complaint-report", "a complaint")
        self.delivery = replace(self.delivery, status=Status.COMPLAINED, cause=Cause.COMPLAINT, updated_at=self.now)
        return self

    def copy_traced(self, **fact: Any) -> "Life":
        """A received copy comes back, and is kept."""
        kept: dict[str, Any] = {"by": "operator", "filed": "not_told", "found_by": "its return path"}
        traced = CopyTraced(**kept | fact)
        self._write(EventKind.COPY_TRACED, traced, about=self.recipient)
        late = (traced.after_ms or 0) >= MINUTE
        cause = Cause.PLACED_IN_SPAM if traced.is_spam else Cause.DELAYED_AFTER_ACCEPTANCE if late else None
        self.delivery = replace(self.delivery, cause=cause or self.delivery.cause, updated_at=self.now)
        return self

    def _list(self, reason: Reason, rule: str, diagnostic: str) -> None:
        grounds = Grounds(
            reason=reason,
            rule=rule,
            message_id=self.message.id,
            feedback_id=FEEDBACK,
            diagnostic=diagnostic,
            at=self.now,
        )
        account = Account(account="", name=self.message.account, created_at=START)
        added: tuple[NewEvent, ...] = additions(
            entries := entries_for(grounds, self.recipient, account, None), self.recipient
        )
        self.entries.extend(entries)
        for event in added:
            self._write(event.kind, event.fact, about=self.recipient)

    def facts(self) -> Facts:
        """What the ledger would give."""
        return Facts(
            message=self.message,
            deliveries=(self.delivery,),
            events=tuple(self.events),
            suppressions=tuple(self.entries),
            history={1: self.history} if self.history else {},
            likeness={1: self.likeness} if self.likeness else {},
            sites={1: self.site} if self.site else {},
            live={1: self.live} if self.live else {},
            health=self.health,
            incidents=self.incidents,
            authentications=self.authentications,
            listings=self.listings,
        )
