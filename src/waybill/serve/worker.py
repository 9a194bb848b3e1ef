"""A worker: every door and the queue, in one process. It delivers what it accepted; any number of them are alike."""

import asyncio
import contextlib
import gc
import logging
import os
import random
import resource
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from waybill.accept.acceptor import Acceptor, AcceptPolicy
from waybill.accept.verify import Verifier
from waybill.deliver.attempt import Deliverer
from waybill.deliver.classify import classify
from waybill.deliver.config import DeliverConfig, ZoneRoute, parse_relay
from waybill.deliver.tls_policy import TlsPolicies
from waybill.model.clock import now
from waybill.net.http_client import HttpClient
from waybill.net.resolver import Resolver
from waybill.publish.publisher import PublishConfig, Publisher
from waybill.queue.examine import Examiner
from waybill.queue.incidents import Incidents
from waybill.queue.sign import Signatures
from waybill.queue.signing_threads import SigningThreads
from waybill.queue.worker import Queue, QueueConfig, QueueParts
from waybill.serve.authentication import authentication_watch
from waybill.serve.certificates import Certificates, shown_by
from waybill.serve.content import content_examiner
from waybill.serve.doors import DESCRIPTORS, Behind, Doors, make_doors, room_here
from waybill.serve.egress import connect_to, judge
from waybill.serve.journal import start_journal
from waybill.serve.monitor import Probes, resolver_trouble
from waybill.serve.papers import Papers
from waybill.serve.plan import Plan, read_plan, shared_socket
from waybill.serve.sources import follow_sources, load_sources
from waybill.serve.standing import StandingWatch, standing_watch
from waybill.serve.tls_policy import tls_policies
from waybill.serve.upkeep import Upkeep, upkeep
from waybill.serve.watch import Watch, watched
from waybill.settings import Settings
from waybill.store.open import open_store
from waybill.store.protocol import Store

new_event_loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
with contextlib.suppress(ImportError):  # an optional extra: without it the same, slower
    import uvloop

    new_event_loop = uvloop.new_event_loop

log = logging.getLogger(__name__)

SIGNING_THREADS = 2

CAPTURED = "mailbox-simulator.localhost"
"""The name of the simulator where it takes the mail of every domain."""

READY = b"ready\n"
"""What the supervisor waits for on a worker's standard output."""

SWITCH_EVERY = 0.001
"""Seconds after which a thread with long work makes way for the event loop."""

GARBAGE_AFTER = 20_000
"""Objects made until the collector looks for cycles. A message makes hundreds and leaves none; modules are never garbage."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Parts:
    """What of a worker runs by itself."""

    queue: Queue
    verifier: Verifier
    publisher: Publisher
    doors: Doors
    probes: Probes
    follow: Callable[[], Coroutine[None, None, None]]
    standing: StandingWatch | None
    incidents: Incidents | None
    papers: Papers | None
    examiner: Examiner


@asynccontextmanager
async def assemble(plan: Plan, stop: asyncio.Event, beside: Upkeep) -> AsyncIterator[Parts]:
    """Builds the worker's parts on an open store, and lets them go in the opposite order."""
    settings = plan.settings
    opened = await open_store(settings.store, clock=now, file_events=bool(settings.publish.file))
    store = watched(opened, beside.watch)
    simulator = plan.simulator
    resolver = Resolver(settings.dns.servers, zones={simulator.zone: simulator.dns} if simulator else None)
    http_client = HttpClient(allow_private=settings.publish.allow_private, ca_file=settings.publish.ca_file or None)
    threads = SigningThreads(SIGNING_THREADS)
    rng = random.Random()  # noqa: S311 - spreads load, keeps no secret
    policies = tls_policies(settings, resolver=resolver, store=store, clock=now)
    deliverer = _deliverer(plan, resolver, rng, policies)
    authenticating = authentication_watch(store=store, resolver=resolver, clock=now)
    examiner = content_examiner(settings, store=store, clock=now, watch=beside.watch, resolver=resolver)
    try:
        await load_sources(deliverer.sources, store)
        queue = _queue(
            plan,
            QueueParts(
                store=store,
                transport=deliverer,
                signatures=Signatures(store=store, clock=now, threads=threads),
                clock=now,
                chance=rng.random,
                hold=deliverer.sources.ask,
                journal=beside.journal,
                was_sending=beside.journals.was_sending,
                watch=beside.watch.of_queue,
                examine=examiner.take,
                authenticating=authenticating,
            ),
        )
        acceptor = _acceptor(plan, store, queue)
        verifier = _verifier(settings, store, resolver)
        captured = simulator is not None and simulator.capture
        behind = Behind(store=store, acceptor=acceptor, verifier=verifier, clock=now, stop=stop, http=http_client)
        doors = make_doors(settings, replace(behind, captured=captured))
        yield Parts(
            queue=queue,
            verifier=verifier,
            publisher=_publisher(plan, store, http_client, beside.watch),
            doors=doors,
            probes=_probes(plan, store, resolver, queue, doors, beside.watch),
            follow=lambda: follow_sources(deliverer.sources, store, stop),
            examiner=examiner,
            incidents=_incidents(plan, store),
            papers=_papers(plan, store, resolver, beside.watch),
            standing=standing_watch(plan, store, resolver, deliverer.sources.ips),
        )
    finally:
        await deliverer.close()
        await authenticating.close()
        await policies.close()
        await resolver.close()
        await http_client.close()
        threads.close()
        await store.close()


def _deliverer(plan: Plan, resolver: Resolver, rng: random.Random, policies: TlsPolicies) -> Deliverer:
    return Deliverer(
        resolver=resolver,
        config=_deliver_config(plan),
        clock=now,
        rng=rng,
        classify=classify,
        tls_policies=policies,
    )


def _probes(plan: Plan, store: Store, resolver: Resolver, queue: Queue, doors: Doors, watch: Watch) -> Probes:
    """The questions by which this worker finds out how its surroundings are."""
    port = plan.settings.delivery.port
    return Probes(
        store=store,
        resolver=lambda: resolver_trouble(resolver),
        doors=doors.full,
        egress=lambda: judge(queue.egress, lambda ip: connect_to(ip, port), resolver_well=watch.is_well("resolver")),
        doubted=lambda: queue.egress.doubt() is not None,
    )


def _papers(plan: Plan, store: Store, resolver: Resolver, watch: Watch) -> Papers | None:
    """One worker looks at certificates and published keys."""
    if plan.number:
        return None
    certificates = Certificates(shown=shown_by(plan.settings))
    return Papers(watch=watch, certificates=certificates, store=store, resolver=resolver, clock=now)


def _verifier(settings: Settings, store: Store, resolver: Resolver) -> Verifier:
    return Verifier(
        store=store,
        dns=resolver,
        clock=now,
        public_url=settings.http.public_url,
        bounce_domain=settings.inbound.bounce_domain,
        every_sender=settings.identities.verification == "none",
    )


def _incidents(plan: Plan, store: Store) -> Incidents | None:
    """One worker of the installation judges what all of them have counted."""
    return None if plan.number else Incidents(store, clock=now, lifetime=plan.settings.delivery.max_lifetime)


def _queue(plan: Plan, parts: QueueParts) -> Queue:
    delivery = plan.settings.delivery
    config = QueueConfig(
        worker=plan.worker,
        workers=plan.workers,
        concurrency=room_here().deliveries,
        retry=delivery.retry,
        max_lifetime=delivery.max_lifetime,
        lease=plan.lease,
        bounce_domain=plan.settings.inbound.bounce_domain,
        played=(plan.simulator.zone, CAPTURED) if plan.simulator is not None else (),
        relay=relay.host if (relay := parse_relay(delivery.relay)) is not None else "",
    )
    return Queue(parts, config)


def _acceptor(plan: Plan, store: Store, intake: Queue) -> Acceptor:
    settings = plan.settings
    policy = AcceptPolicy(
        worker=plan.worker,
        region=settings.account.region,
        bounce_domain=settings.inbound.bounce_domain,
        every_sender=settings.identities.verification == "none",
        max_lifetime=settings.delivery.max_lifetime,
        lease=plan.lease,
        default_max_send_rate=settings.account.max_send_rate,
        default_max_24_hour_send=settings.account.max_24_hour_send,
    )
    return Acceptor(store=store, clock=now, policy=policy, intake=intake)


def _deliver_config(plan: Plan) -> DeliverConfig:
    delivery, simulator = plan.settings.delivery, plan.simulator
    inbound = plan.settings.inbound.listen
    routes: tuple[ZoneRoute, ...] = ()
    if simulator is not None:
        routes = (ZoneRoute(zone=simulator.zone, smtp_port=simulator.smtp_port),)
        if simulator.capture:
            catch_all = ZoneRoute(zone=".", smtp_port=simulator.smtp_port, ip=simulator.smtp_host, host=CAPTURED)
            routes = (*routes, catch_all)
    return DeliverConfig(
        hostname=delivery.hostname,
        source_addresses=delivery.source_addresses,
        listening=((inbound.host, inbound.port),),
        workers=plan.workers,
        port=delivery.port,
        allow_private=delivery.allow_private,
        relay=delivery.relay,
        zone_routes=routes,
        ca_file=delivery.ca_file,
    )


def _publisher(plan: Plan, store: Store, http: HttpClient, watch: Watch) -> Publisher:
    settings = plan.settings
    return Publisher(
        store=store,
        http=http,
        clock=now,
        watch=watch,
        config=PublishConfig(
            public_url=settings.http.public_url,
            region=settings.account.region,
            hostname=settings.delivery.hostname,
            file=Path(settings.publish.file) if settings.publish.file else None,
            worker=plan.worker,
        ),
    )


async def work(plan: Plan, stop: asyncio.Event) -> None:
    """Runs a worker until ``stop`` is set, then drains: doors close first, deliveries under way end, notices go out."""
    settings = plan.settings
    async with upkeep(plan, now) as beside, assemble(plan, stop, beside) as parts:
        await parts.doors.submission.start(sock=shared_socket(settings.submission.listen))
        await parts.doors.inbound.start(sock=shared_socket(settings.inbound.listen))
        http_socket = shared_socket(settings.http.listen)
        drained = asyncio.Event()
        doors = asyncio.create_task(parts.doors.http.serve(sockets=[http_socket]))
        loops = [
            asyncio.create_task(parts.queue.run(stop)),
            asyncio.create_task(parts.publisher.run(drained)),
            asyncio.create_task(parts.verifier.run(stop)),
            asyncio.create_task(parts.follow()),
        ]
        examining = asyncio.create_task(parts.examiner.run(drained))
        beside_mail = (parts.incidents, parts.standing, parts.papers)
        loops.extend(asyncio.create_task(one.run(stop)) for one in beside_mail if one is not None)
        monitor = asyncio.create_task(beside.monitor.run(parts.probes))
        while not parts.doors.http.started:
            if doors.done():
                raise RuntimeError("the HTTP door did not open") from doors.exception()
            await asyncio.sleep(0.005)
        with contextlib.suppress(BrokenPipeError):  # the supervisor is gone already: standard input says so, too
            os.write(sys.stdout.fileno(), READY)
        ended = asyncio.create_task(stop.wait())
        await asyncio.wait([ended, doors, *loops], return_when=asyncio.FIRST_COMPLETED)
        stop.set()
        parts.doors.http.should_exit = True
        await asyncio.gather(doors, parts.doors.submission.close(), return_exceptions=True)
        results: list[object] = list(await asyncio.gather(loops[0], *loops[2:], return_exceptions=True))
        await parts.doors.inbound.close()
        drained.set()
        results.extend(await asyncio.gather(loops[1], examining, return_exceptions=True))
        monitor.cancel()
        await asyncio.gather(monitor, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result


async def _until_orphaned(stop: asyncio.Event) -> None:
    """Standard input ends when the supervisor is gone; then this worker drains too."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.read()
    stop.set()


async def _main(plan: Plan) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    lifeline = asyncio.create_task(_until_orphaned(stop))
    try:
        await work(plan, stop)
    finally:
        lifeline.cancel()


def _take_descriptors() -> None:
    """Each connection needs a descriptor, and shells start programs with few of those they may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(DESCRIPTORS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def main() -> None:
    """The worker process."""
    plan = read_plan(sys.stdin.buffer)
    start_journal(plan.log_level)
    _take_descriptors()
    gc.freeze()
    gc.set_threshold(GARBAGE_AFTER)
    sys.setswitchinterval(SWITCH_EVERY)
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(_main(plan))


if __name__ == "__main__":
    main()
