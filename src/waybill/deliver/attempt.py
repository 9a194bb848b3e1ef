"""One attempt to deliver: route, connect, speak SMTP, and say what it came to. A failed delivery is a value."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from waybill.deliver.config import DeliverConfig, parse_relay
from waybill.deliver.evidence import Evidence, Failure
from waybill.deliver.pool import Bounds, Lease, Pool
from waybill.deliver.route import NoRoute, Route, Router
from waybill.model.cause import CATALOGUE, Cause, Responder
from waybill.model.clock import Clock, Instant
from waybill.model.outcome import Attempt, Line, Outcome, Reply, Result, Speaker, Stage, Tls
from waybill.model.record import record
from waybill.net.resolver import Resolver
from waybill.net.smtp_client import ClientSettings, Envelope, SmtpConnection
from waybill.net.smtp_target import Fault, SmtpError, Target, TlsMode
from waybill.net.tls import ClientTls

BROKEN_TLS_FOR = 600_000  # milliseconds for which a server whose handshake failed is not asked for TLS again
MAX_BROKEN_TLS = 10_000


@record(frozen=True, kw_only=True, slots=True)
class Parcel:
    """One message for one recipient: ``content`` is sent as it is, and ends in CRLF. ``number`` counts attempts from 1.

    ``signed_by`` are the domains of the DKIM signatures in ``content``, for the record.
    """

    delivery_id: int
    message_id: str
    recipient: str
    mail_from: str
    content: bytes
    number: int
    tls_required: bool = False
    signed_by: tuple[str, ...] = ()


@dataclass(kw_only=True, slots=True)
class _Course:
    """What has happened so far in an attempt under way."""

    parcel: Parcel
    started_at: Instant
    transcript: list[Line] = field(default_factory=list)
    hosts: list[str] = field(default_factory=list)
    target: Target | None = None
    source_ip: str | None = None
    tls: Tls | None = None
    reused: bool = False


class Deliverer:
    """Attempts deliveries over a pool of connections.

    Raises:
        ValueError: ``config.relay`` or ``config.ca_file`` cannot be understood.
    """

    def __init__(
        self,
        *,
        resolver: Resolver,
        config: DeliverConfig,
        clock: Clock,
        rng: random.Random,
        classify: Callable[[Evidence], Outcome],
    ) -> None:
        self._config = config
        self._clock = clock
        self._classify = classify
        self._router = Router(resolver=resolver, config=config, relay=parse_relay(config.relay), rng=rng)
        self._settings = ClientSettings(
            helo=config.hostname,
            tls=ClientTls(clock=clock, ca_file=config.ca_file),
            clock=clock,
            timeouts=config.timeouts,
        )
        bounds = Bounds(max_idle=config.max_idle, max_messages=config.max_messages, connections=config.connections)
        self._pool = Pool(self._open, bounds)
        self._broken_tls: dict[tuple[str, int], Instant] = {}

    async def attempt(self, parcel: Parcel) -> Attempt:
        """Tries the hosts of the recipient's domain in order until one gives an answer that decides the matter."""
        course = _Course(parcel=parcel, started_at=self._clock())
        route = await self._router.route(parcel.recipient.rpartition("@")[2])
        self._note(course, route.text)
        if isinstance(route, NoRoute):
            return self._finish(course, self._classify(_unroutable(course, route)))
        return self._finish(course, await self._try_hosts(course, route))

    async def close(self) -> None:
        """Takes leave of every server; attempts under way may end, but leave no connection behind."""
        await self._pool.close()

    async def _try_hosts(self, course: _Course, route: Route) -> Outcome:
        failures: list[tuple[Evidence, Target | None]] = []
        left = self._config.max_addresses
        for host in route.hosts:
            targets = await self._router.targets(route, host)
            if isinstance(targets, NoRoute):
                self._note(course, targets.text)
                course.hosts.append(f"{host}: {targets.text}")
                failures.append((_unroutable(course, targets), None))
                continue
            for target in targets[:left]:
                left -= 1
                try:
                    reply = await self._converse(course, target)
                except SmtpError as error:
                    course.hosts.append(f"{target}: {error.text}")
                    evidence = _evidence(course, error)
                    if not _next_may_differ(error):
                        return self._classify(evidence)
                    failures.append((evidence, target))
                else:
                    course.hosts.append(f"{target}: {reply.text}")
                    return _delivered(target, reply)
            if not left:
                break
        evidence, course.target = min(failures, key=lambda failure: _weight(failure[0]))
        return self._classify(evidence)

    async def _converse(self, course: _Course, target: Target) -> Reply:
        parcel = course.parcel
        if parcel.tls_required and target.tls is not TlsMode.IMPLICIT:
            target = replace(target, tls=TlsMode.REQUIRED)
        place = (target.ip, target.port)
        if target.tls is not TlsMode.OPPORTUNISTIC:
            return await self._send(course, target)
        if self._broken_tls.get(place, 0) > self._clock():
            self._note(course, f"TLS with {target} failed a moment ago; TLS is not required, so this goes in clear")
            return await self._send(course, replace(target, tls=TlsMode.CLEAR))
        try:
            return await self._send(course, target)
        except SmtpError as error:
            if error.fault is not Fault.TLS_FAILED:
                raise
        self._remember_broken_tls(place)
        self._note(course, "TLS is not required, so this is tried once more, in clear")
        return await self._send(course, replace(target, tls=TlsMode.CLEAR))

    async def _send(self, course: _Course, target: Target) -> Reply:
        course.target, course.source_ip, course.tls, course.reused = target, target.source_ip, None, False
        parcel = course.parcel
        envelope = Envelope(mail_from=parcel.mail_from, recipient=parcel.recipient, content=parcel.content)
        lease = await self._pool.acquire(target, course.transcript)
        try:
            return await self._send_over(course, lease, envelope)
        except SmtpError as error:
            if not (lease.reused and _was_stale(lease.connection, error)):
                raise
        self._note(course, "The connection had gone stale and nothing was sent; a new one is tried")
        lease = await self._pool.acquire(target, course.transcript, fresh=True)
        return await self._send_over(course, lease, envelope)

    async def _send_over(self, course: _Course, lease: Lease, envelope: Envelope) -> Reply:
        connection = lease.connection
        course.source_ip, course.tls, course.reused = connection.source_ip, connection.tls, lease.reused
        try:
            return await connection.send(envelope)
        finally:
            self._pool.release(lease)

    async def _open(self, target: Target, transcript: list[Line]) -> SmtpConnection:
        return await SmtpConnection.open(target, settings=self._settings, transcript=transcript)

    def _remember_broken_tls(self, place: tuple[str, int]) -> None:
        if len(self._broken_tls) >= MAX_BROKEN_TLS:
            self._broken_tls.clear()
        self._broken_tls[place] = self._clock() + BROKEN_TLS_FOR

    def _note(self, course: _Course, text: str) -> None:
        course.transcript.append(Line(at=self._clock(), who=Speaker.NOTE, text=text))

    def _finish(self, course: _Course, outcome: Outcome) -> Attempt:
        target = course.target
        return Attempt(
            number=course.parcel.number,
            started_at=course.started_at,
            ended_at=self._clock(),
            outcome=outcome,
            mx=target.host if target is not None else outcome.host,
            ip=target.ip if target is not None else None,
            port=target.port if target is not None else None,
            source_ip=course.source_ip,
            helo=self._config.hostname,
            tls=course.tls,
            transcript=tuple(course.transcript),
            hosts=tuple(course.hosts),
            reused_connection=course.reused,
            signed_by=course.parcel.signed_by,
        )


def _delivered(target: Target, reply: Reply) -> Outcome:
    return Outcome(
        result=Result.DELIVERED,
        cause=Cause.ACCEPTED_BY_RECEIVER,
        scope=CATALOGUE[Cause.ACCEPTED_BY_RECEIVER].scope,
        responder=Responder.REMOTE,
        permanent=False,
        stage=Stage.MESSAGE,
        status=reply.enhanced or "2.0.0",
        diagnostic=f"smtp; {reply.text}",
        rule="accepted",
        reply=reply,
        command=".",
        host=target.host,
        ip=target.ip,
    )


def _unroutable(course: _Course, route: NoRoute) -> Evidence:
    return Evidence(
        stage=Stage.ROUTE,
        recipient=course.parcel.recipient,
        failure=route.failure,
        text=route.text,
        host=route.host,
        tls_required=course.parcel.tls_required,
    )


def _evidence(course: _Course, error: SmtpError) -> Evidence:
    target = course.target
    return Evidence(
        stage=error.stage,
        recipient=course.parcel.recipient,
        reply=error.reply,
        failure=Failure(error.fault) if error.fault is not None else None,
        text=error.text,
        command=error.command,
        host=target.host if target is not None else None,
        ip=target.ip if target is not None else None,
        tls_required=course.parcel.tls_required,
    )


_BEFORE_MAIL = frozenset({Stage.CONNECT, Stage.GREETING, Stage.EHLO, Stage.STARTTLS, Stage.AUTH})


def _next_may_differ(error: SmtpError) -> bool:
    """Whether another host is worth trying: this one could not be spoken to, or put us off before it heard of the message."""
    if error.reply is not None:
        return error.stage in _BEFORE_MAIL and error.reply.code < 500
    if error.fault in (Fault.SIZE_EXCEEDED, Fault.I18N_UNSUPPORTED):
        return False
    return not error.content_sent


def _was_stale(connection: SmtpConnection, error: SmtpError) -> bool:
    """Whether an open connection turned out to be closed already: nothing was answered, and no content was sent."""
    lost = error.fault is Fault.CONNECTION_LOST or (error.reply is not None and error.reply.code == 421)
    return lost and not connection.answered and not error.content_sent


_LASTING = frozenset({Failure.NO_ADDRESS, Failure.PRIVATE_ADDRESS})


def _weight(evidence: Evidence) -> int:
    """Which of several failures tells the story: a server's words first, then what may pass, then the rest."""
    if evidence.reply is not None:
        return 0
    if evidence.failure is Failure.NETWORK_DOWN:
        return 2
    return 3 if evidence.failure in _LASTING else 1
