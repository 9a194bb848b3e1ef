"""A worker: every door and the queue, in one process. It delivers what it accepted; any number of them are alike."""

import asyncio
import contextlib
import gc
import logging
import os
import random
import resource
import signal
import ssl
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from waybill.accept.acceptor import Acceptor, AcceptPolicy
from waybill.accept.verify import Verifier
from waybill.api.asgi import aws_app
from waybill.api.call import Service
from waybill.api.own import OWN_PATHS, OwnApi, own_app
from waybill.api.registry import OPERATIONS
from waybill.deliver.attempt import Deliverer
from waybill.deliver.classify import classify, classify_text
from waybill.deliver.config import DeliverConfig, ZoneRoute
from waybill.inbound import Inbound, InboundConfig
from waybill.model.clock import now
from waybill.net.http_client import HttpClient
from waybill.net.resolver import Resolver
from waybill.publish.publisher import PublishConfig, Publisher
from waybill.queue.sign import Signatures
from waybill.queue.signing_threads import SigningThreads
from waybill.queue.worker import RETURN_PATH_PURPOSE, Queue, QueueConfig
from waybill.serve.http_protocol import BoundedHead
from waybill.serve.journal import start_journal
from waybill.serve.plan import Plan, read_plan, shared_socket
from waybill.settings import Settings
from waybill.store.open import open_store
from waybill.store.protocol import Store
from waybill.submission import Submission, SubmissionConfig

new_event_loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
with contextlib.suppress(ImportError):  # an optional extra: without it the same, slower
    import uvloop

    new_event_loop = uvloop.new_event_loop

log = logging.getLogger(__name__)

SIGNING_THREADS = 2

READY = b"ready\n"
"""What the supervisor waits for on a worker's standard output."""

DESCRIPTORS = 16_384

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
    inbound: Inbound
    submission: Submission
    http: "QuietServer"


class QuietServer(uvicorn.Server):
    """Uvicorn without its own signal handling: the worker decides when it ends."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves the signals alone."""
        yield


@asynccontextmanager
async def assemble(plan: Plan, stop: asyncio.Event) -> AsyncIterator[Parts]:
    """Builds the worker's parts on an open store, and lets them go in the opposite order."""
    settings = plan.settings
    store = await open_store(settings.store, clock=now, file_events=bool(settings.publish.file))
    simulator = plan.simulator
    resolver = Resolver(settings.dns.servers, zones={simulator.zone: simulator.dns} if simulator else None)
    http_client = HttpClient(allow_private=settings.publish.allow_private, ca_file=settings.publish.ca_file or None)
    threads = SigningThreads(SIGNING_THREADS)
    rng = random.Random()  # noqa: S311 - spreads load, keeps no secret
    deliverer = Deliverer(resolver=resolver, config=_deliver_config(plan), clock=now, rng=rng, classify=classify)
    try:
        queue = _queue(plan, store, deliverer, Signatures(store=store, clock=now, threads=threads), rng)
        acceptor = _acceptor(plan, store, queue)
        verifier = Verifier(
            store=store,
            dns=resolver,
            clock=now,
            public_url=settings.http.public_url,
            bounce_domain=settings.inbound.bounce_domain,
            every_sender=settings.identities.verification == "none",
        )
        yield Parts(
            queue=queue,
            verifier=verifier,
            publisher=_publisher(plan, store, http_client),
            inbound=_inbound(settings, store),
            submission=_submission(settings, store, acceptor),
            http=_http(settings, store, acceptor, verifier, stop),
        )
    finally:
        await deliverer.close()
        await resolver.close()
        await http_client.close()
        threads.close()
        await store.close()


def _queue(plan: Plan, store: Store, deliverer: Deliverer, signatures: Signatures, rng: random.Random) -> Queue:
    delivery = plan.settings.delivery
    return Queue(
        store=store,
        attempt=deliverer.attempt,
        signatures=signatures,
        config=QueueConfig(
            worker=plan.worker,
            retry=delivery.retry,
            max_lifetime=delivery.max_lifetime,
            lease=plan.lease,
            bounce_domain=plan.settings.inbound.bounce_domain,
        ),
        clock=now,
        rng=rng,
    )


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
    routes: tuple[ZoneRoute, ...] = ()
    if simulator is not None:
        routes = (ZoneRoute(zone=simulator.zone, smtp_port=simulator.smtp_port),)
        if simulator.capture:
            catch_all = ZoneRoute(
                zone=".", smtp_port=simulator.smtp_port, ip=simulator.smtp_host, host="mailbox-simulator.localhost"
            )
            routes = (*routes, catch_all)
    return DeliverConfig(
        hostname=delivery.hostname,
        source_addresses=delivery.source_addresses,
        port=delivery.port,
        allow_private=delivery.allow_private,
        relay=delivery.relay,
        zone_routes=routes,
    )


def _publisher(plan: Plan, store: Store, http: HttpClient) -> Publisher:
    settings = plan.settings
    return Publisher(
        store=store,
        http=http,
        clock=now,
        config=PublishConfig(
            public_url=settings.http.public_url,
            region=settings.account.region,
            hostname=settings.delivery.hostname,
            file=Path(settings.publish.file) if settings.publish.file else None,
            worker=plan.worker,
        ),
    )


def _inbound(settings: Settings, store: Store) -> Inbound:
    return Inbound(
        store=store,
        classify=classify_text,
        clock=now,
        config=InboundConfig(
            hostname=settings.delivery.hostname,
            bounce_domain=settings.inbound.bounce_domain,
            secret=store.secret(RETURN_PATH_PURPOSE),
        ),
    )


def _submission(settings: Settings, store: Store, acceptor: Acceptor) -> Submission:
    tls = None
    if settings.submission.tls_cert:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(settings.submission.tls_cert, settings.submission.tls_key)
    return Submission(
        store=store,
        accept=acceptor,
        clock=now,
        config=SubmissionConfig(hostname=settings.delivery.hostname, region=settings.account.region, tls=tls),
    )


def _http(settings: Settings, store: Store, acceptor: Acceptor, verifier: Verifier, stop: asyncio.Event) -> QuietServer:
    aws = aws_app(
        Service(
            store=store,
            accept=acceptor,
            clock=now,
            region=settings.account.region,
            every_sender=settings.identities.verification == "none",
            default_max_send_rate=settings.account.max_send_rate,
            default_max_24_hour_send=settings.account.max_24_hour_send,
            verify_identity=verifier.verify,
        ),
        OPERATIONS,
    )
    own = own_app(OwnApi(store=store, clock=now, verifier=verifier, ready=lambda: not stop.is_set()))

    async def app(scope: Any, receive: Any, send: Any) -> None:
        mine = scope["type"] == "http" and scope["path"].startswith(OWN_PATHS)
        await (own if mine else aws)(scope, receive, send)

    return QuietServer(
        uvicorn.Config(
            app,
            http=BoundedHead,
            ws="none",
            lifespan="off",
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,  # X-Forwarded-For is for anybody to write
            timeout_graceful_shutdown=15,
            timeout_keep_alive=75,
        )
    )


async def work(plan: Plan, stop: asyncio.Event) -> None:
    """Runs a worker until ``stop`` is set, then drains: doors close first, deliveries under way end, notices go out."""
    settings = plan.settings
    async with assemble(plan, stop) as parts:
        await parts.submission.start(sock=shared_socket(settings.submission.listen))
        await parts.inbound.start(sock=shared_socket(settings.inbound.listen))
        http_socket = shared_socket(settings.http.listen)
        drained = asyncio.Event()
        doors = asyncio.create_task(parts.http.serve(sockets=[http_socket]))
        loops = [
            asyncio.create_task(parts.queue.run(stop)),
            asyncio.create_task(parts.publisher.run(drained)),
            asyncio.create_task(parts.verifier.run(stop)),
        ]
        while not parts.http.started:
            if doors.done():
                raise RuntimeError("the HTTP door did not open") from doors.exception()
            await asyncio.sleep(0.005)
        with contextlib.suppress(BrokenPipeError):  # the supervisor is gone already: standard input says so, too
            os.write(sys.stdout.fileno(), READY)
        ended = asyncio.create_task(stop.wait())
        await asyncio.wait([ended, doors, *loops], return_when=asyncio.FIRST_COMPLETED)
        stop.set()
        parts.http.should_exit = True
        await asyncio.gather(doors, parts.submission.close(), return_exceptions=True)
        results: list[object] = list(await asyncio.gather(loops[0], loops[2], return_exceptions=True))
        await parts.inbound.close()
        drained.set()
        results.extend(await asyncio.gather(loops[1], return_exceptions=True))
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
