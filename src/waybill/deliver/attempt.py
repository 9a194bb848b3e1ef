"""One attempt to deliver: route, connect, speak SMTP, and say what it came to. A failed delivery is a value."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import replace

from waybill.deliver.config import DeliverConfig, parse_relay
from waybill.deliver.course import (
    BEFORE_MAIL,
    Course,
    barred_evidence,
    delivered,
    failure_evidence,
    is_unreachable,
    next_may_differ,
    no_route_evidence,
    was_stale,
    weight,
)
from waybill.deliver.course import Parcel as Parcel
from waybill.deliver.evidence import Evidence, Failure
from waybill.deliver.hosts import FailedHosts
from waybill.deliver.itinerary import Itinerary
from waybill.deliver.pool import Lease, Pool
from waybill.deliver.provider import Site, Sites, plain_site
from waybill.deliver.route import NoRoute, Route, Router
from waybill.deliver.sources import Hold, Sources, same_each_time
from waybill.deliver.tls_policy import OPPORTUNISTIC, HostPolicy, TlsPolicies
from waybill.model.clock import SECOND, Clock, Instant, rfc3339
from waybill.model.outcome import Attempt, Line, Outcome, Reply, Speaker
from waybill.net.resolver import Resolver
from waybill.net.smtp_client import ClientSettings, Envelope, SmtpConnection
from waybill.net.smtp_target import Fault, SmtpError, Target, TlsMode
from waybill.net.tls import ClientTls

BROKEN_TLS_FOR = 600_000  # milliseconds for which a server whose handshake failed is not asked for TLS again
MAX_BROKEN_TLS = 10_000


class Deliverer:
    """Attempts deliveries over a pool of connections. Without ``tls_policies`` neither DANE nor MTA-STS is asked.

    Raises:
        ValueError: ``config.relay``, ``config.source_addresses`` or ``config.ca_file`` cannot be understood.
    """

    def __init__(
        self,
        *,
        resolver: Resolver,
        config: DeliverConfig,
        clock: Clock,
        rng: random.Random,
        classify: Callable[[Evidence], Outcome],
        tls_policies: TlsPolicies | None = None,
    ) -> None:
        self._config = config
        self._clock = clock
        self._classify = classify
        self._sites = Sites(connections=config.connections, messages=config.max_messages)
        self._router = Router(
            resolver=resolver, config=config, relay=parse_relay(config.relay), rng=rng, sites=self._sites
        )
        self.sources = Sources(config.sources, workers=config.workers)
        self._failed = FailedHosts()
        self._settings = ClientSettings(
            helo=config.hostname,
            tls=ClientTls(clock=clock, ca_file=config.ca_file),
            clock=clock,
            timeouts=config.timeouts,
        )
        self._pool = Pool(self._open, max_idle=config.max_idle, workers=config.workers)
        self._tls_policies = tls_policies
        self._broken_tls: dict[tuple[str, int], tuple[Instant, str]] = {}

    async def attempt(self, parcel: Parcel) -> Attempt:
        """Tries the hosts of the recipient's domain in order until one gives an answer that decides the matter."""
        domain = parcel.recipient.rpartition("@")[2]
        started_at = self._clock()
        route = await self._router.route(domain)
        course = Course(parcel=parcel, started_at=started_at, site=route.site or plain_site(domain))
        self._note(course, route.text)
        if isinstance(route, NoRoute):
            return self._finish(course, self._classify(no_route_evidence(course, route)))
        await self.sources.prepare(parcel.pool, route.site.name, started_at)
        senders = self.sources.eligible(parcel.pool, route.site.name, self._clock())
        if isinstance(senders, Hold):
            self._note(course, senders.text)
            held = NoRoute(failure=Failure.NO_SOURCE, text=senders.text)
            return self._finish(course, self._classify(no_route_evidence(course, held)))
        course.senders = same_each_time(senders, parcel.delivery_id)
        return self._finish(course, await self._try_hosts(course, route))

    async def site(self, domain: str) -> Site:
        """Where the domain's mail goes, by what DNS says now; the domain's own name where it says nothing."""
        route = await self._router.route(domain)
        return route.site or plain_site(domain)

    def known_site(self, domain: str) -> Site | None:
        """Where the domain's mail went last; None where nobody has asked yet. Asks nobody."""
        return self._sites.known(domain.lower().rstrip("."))

    async def close(self) -> None:
        """Takes leave of every server; attempts under way may end, but leave no connection behind."""
        await self._pool.close()

    async def _try_hosts(self, course: Course, route: Route) -> Outcome:
        failures: list[tuple[Evidence, Course]] = []
        barred: set[str] = set()
        way = Itinerary(
            router=self._router,
            route=route,
            senders=course.senders,
            failed=self._failed,
            idle=self._pool.idle(course.site.name),
            told=course.hosts,
        )
        left = self._config.max_addresses
        while True:
            target = await way.next(self._clock())
            for missed in way.take_missed():
                self._note(course, missed.text)
                failures.append((no_route_evidence(course, missed), course.without_target()))
            if target is None:
                break
            if target.host in barred:
                continue
            if failures and (not left or self._is_late(course)):
                bound = f"{self._config.max_seconds:g} s" if left else f"{self._config.max_addresses} addresses"
                course.hosts.append(f"{target}: not tried, since {bound} are enough for one attempt")
                break
            if await self._is_barred(course, route, target.host):
                barred.add(target.host)
                failures.append((barred_evidence(course, target.host), course.without_target()))
                continue
            left -= 1
            try:
                reply = await self._converse(course, course.policy.apply(target))
            except SmtpError as error:
                course.hosts.append(f"{target}: {error.text}")
                evidence = failure_evidence(course, error)
                if not next_may_differ(error):
                    return self._classify(evidence)
                failures.append((evidence, copy(course)))
            else:
                course.hosts.append(f"{target}: {reply.text}")
                return delivered(target, reply)
        evidence, then = min(failures, key=lambda failure: weight(failure[0]))
        course.tell_of(then)
        return self._classify(evidence)

    def _is_late(self, course: Course) -> bool:
        return self._clock() - course.started_at > self._config.max_seconds * SECOND

    async def _is_barred(self, course: Course, route: Route, host: str) -> bool:
        """Finds the host's TLS policy, and whether it keeps us from the host."""
        if course.policy_host == host:
            return False
        course.policy_host = host
        course.policy = await self._tls_policy(route, course.parcel.recipient, host)
        for note in course.policy.notes:
            self._note(course, note)
        if course.policy.refusal is None:
            return False
        self._note(course, f"{host} is passed over. {course.policy.because}")
        course.hosts.append(f"{host}: passed over, {course.policy.because}")
        return True

    async def _converse(self, course: Course, target: Target) -> Reply:
        parcel = course.parcel
        if parcel.tls_required and target.tls is not TlsMode.IMPLICIT:
            target = replace(target, tls=TlsMode.REQUIRED)
        place = (target.ip, target.port)
        if target.tls is not TlsMode.OPPORTUNISTIC:
            return await self._send(course, target)
        until, why = self._broken_tls.get(place, (0, ""))
        if until > self._clock():
            since = rfc3339(until - BROKEN_TLS_FOR)
            why = f"{why}, at {since}; until {rfc3339(until)} this server is not asked for TLS, which is not required"
            self._note(course, why)
            return await self._send_in_clear(course, target, why)
        try:
            return await self._send(course, target)
        except SmtpError as error:
            if error.fault is not Fault.TLS_FAILED:
                raise
            why = error.text
        self._remember_broken_tls(place, why)
        self._note(course, "TLS is not required, so this is tried once more, in clear")
        return await self._send_in_clear(course, target, f"{why}; TLS is not required, so it was sent in clear")

    async def _send_in_clear(self, course: Course, target: Target, because: str) -> Reply:
        try:
            return await self._send(course, replace(target, tls=TlsMode.CLEAR))
        finally:
            course.clear_because = because

    async def _send(self, course: Course, target: Target) -> Reply:
        course.target, course.source_ip, course.tls, course.reused = target, target.source_ip, None, False
        course.clear_because = None
        parcel = course.parcel
        envelope = Envelope(mail_from=parcel.mail_from, recipient=parcel.recipient, content=parcel.content)
        with self._counted(course, target):
            lease = await self._pool.acquire(target, course.site, course.transcript)
            try:
                return await self._send_over(course, lease, envelope)
            except SmtpError as error:
                if not (lease.reused and was_stale(lease.connection, error)):
                    raise
            self._note(course, "The connection had gone stale and nothing was sent; a new one is tried")
            lease = await self._pool.acquire(target, course.site, course.transcript, fresh=True)
            return await self._send_over(course, lease, envelope)

    @contextmanager
    def _counted(self, course: Course, target: Target) -> Iterator[None]:
        """Counts the message for its source address, unless the server never heard of it; and remembers who cannot be spoken to."""
        source, site, at = target.source_ip, course.site.name, self._clock()
        if source is not None:
            self.sources.count(source, site, at)
        try:
            yield
        except SmtpError as error:
            course.tls = error.tls or course.tls
            if error.stage in BEFORE_MAIL:
                if source is not None:
                    self.sources.count(source, site, at, -1)
                if is_unreachable(error) and not self._pool.connected(target, course.site.name):
                    self._failed.fail(target, error, self._clock())
            raise

    async def _send_over(self, course: Course, lease: Lease, envelope: Envelope) -> Reply:
        connection = lease.connection
        course.source_ip, course.tls, course.reused = connection.source_ip, connection.tls, lease.reused
        course.clear_because = connection.clear_because
        failed_test = course.policy.test(connection.tls)
        if failed_test is not None:
            self._note(course, failed_test)
        try:
            return await connection.send(envelope)
        finally:
            self._pool.release(lease)

    async def _open(self, target: Target, transcript: list[Line]) -> SmtpConnection:
        connection = await SmtpConnection.open(target, settings=self._settings, transcript=transcript)
        self._failed.succeed(target)
        return connection

    async def _tls_policy(self, route: Route, recipient: str, host: str) -> HostPolicy:
        """What the host must show. Where the way is fixed by the settings, the recipient's domain has no say in it."""
        policies, domain = self._tls_policies, recipient.rpartition("@")[2].lower().rstrip(".")
        if policies is None or route.fixed:
            return OPPORTUNISTIC
        known = policies.known(domain, host, route.port)
        return known if known is not None else await policies.decide(domain, host, route.port)

    def _remember_broken_tls(self, place: tuple[str, int], why: str) -> None:
        if len(self._broken_tls) >= MAX_BROKEN_TLS:
            self._broken_tls.clear()
        self._broken_tls[place] = self._clock() + BROKEN_TLS_FOR, why

    def _note(self, course: Course, text: str) -> None:
        course.transcript.append(Line(at=self._clock(), who=Speaker.NOTE, text=text))

    def _finish(self, course: Course, outcome: Outcome) -> Attempt:
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
            helo=(target.helo if target is not None else "") or self._config.hostname,
            tls=course.tls,
            transcript=tuple(course.transcript),
            hosts=tuple(course.hosts),
            reused_connection=course.reused,
            signed_by=course.parcel.signed_by,
            tls_policy=course.policy.name or ("configuration set" if course.parcel.tls_required else None),
            clear_because=course.clear_because,
            site=course.site.name,
            provider=course.site.provider,
        )
