"""A worker's doors: SMTP for mail that comes home, SMTP submission, and HTTP, with as many connections as it can bear."""

import asyncio
import resource
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn

from waybill.accept.acceptor import Acceptor
from waybill.accept.verify import Verifier
from waybill.api.asgi import aws_app
from waybill.api.call import Service
from waybill.api.own import OWN_PATHS, OwnApi, own_app
from waybill.api.own_checks import DomainChecks
from waybill.api.registry import OPERATIONS
from waybill.deliver.classify import classify_text
from waybill.inbound import Inbound, InboundConfig
from waybill.model.clock import Clock
from waybill.net.http_client import HttpClient
from waybill.queue.worker import RETURN_PATH_PURPOSE
from waybill.serve.domain_checks import Question, check_domain
from waybill.serve.http_protocol import BoundedHead
from waybill.serve.live import Prober
from waybill.serve.report import status_json
from waybill.serve.room import Room, full_doors, room_in
from waybill.settings import Settings
from waybill.store.protocol import Store
from waybill.submission import Submission, SubmissionConfig
from waybill.watch.door import PATH as INGEST
from waybill.watch.door import Ingest, IngestConfig
from waybill.watch.signature import AllowedHosts

DESCRIPTORS = 16_384
"""How many a worker wants."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Doors:
    """The doors of a worker, not yet open."""

    inbound: Inbound
    submission: Submission
    http: "QuietServer"
    room: Room

    def full(self) -> str | None:
        """Which of them turn clients away."""
        taken = {
            "SMTP submission": (self.submission.connections, self.room.submission),
            "inbound SMTP": (self.inbound.connections, self.room.inbound),
            "HTTP": (len(self.http.server_state.connections), self.room.http),
        }
        return full_doors(taken)


class QuietServer(uvicorn.Server):
    """Uvicorn without its own signal handling: the worker decides when it ends."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves the signals alone."""
        yield


@dataclass(frozen=True, kw_only=True, slots=True)
class Behind:
    """What the doors lead to. ``stop`` is set when the worker is to end; ``captured``: no mail leaves this machine."""

    store: Store
    acceptor: Acceptor
    verifier: Verifier
    clock: Clock
    stop: asyncio.Event
    http: HttpClient
    captured: bool = False


def make_doors(settings: Settings, behind: Behind) -> Doors:
    """The doors that the settings describe."""
    room = room_here()
    return Doors(
        inbound=_inbound(settings, behind, room),
        submission=_submission(settings, behind, room),
        http=_http(settings, behind, room),
        room=room,
    )


def room_here() -> Room:
    """What this process can bear."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return room_in(DESCRIPTORS if limit == resource.RLIM_INFINITY else limit)


def _inbound(settings: Settings, behind: Behind, room: Room) -> Inbound:
    return Inbound(
        store=behind.store,
        classify=classify_text,
        clock=behind.clock,
        config=InboundConfig(
            hostname=settings.delivery.hostname,
            bounce_domain=settings.inbound.bounce_domain,
            secret=behind.store.secret(RETURN_PATH_PURPOSE),
            tls=_server_tls(settings.inbound.tls_cert, settings.inbound.tls_key),
            max_connections=room.inbound,
        ),
    )


def _server_tls(certificate: str, key: str) -> ssl.SSLContext | None:
    if not certificate:
        return None
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    return tls


def _submission(settings: Settings, behind: Behind, room: Room) -> Submission:
    tls = _server_tls(settings.submission.tls_cert, settings.submission.tls_key)
    return Submission(
        store=behind.store,
        accept=behind.acceptor,
        clock=behind.clock,
        config=SubmissionConfig(
            hostname=settings.delivery.hostname,
            region=settings.account.region,
            tls=tls,
            max_connections=room.submission,
        ),
    )


def _ingest(settings: Settings, behind: Behind) -> Ingest:
    amazon = settings.amazon_ses
    config = IngestConfig(
        topics=frozenset(amazon.topics), hosts=AllowedHosts(named=amazon.hosts), raw_password=amazon.raw_password
    )
    return Ingest(store=behind.store, fetch=behind.http, clock=behind.clock, config=config)


def _http(settings: Settings, behind: Behind, room: Room) -> QuietServer:
    store, clock = behind.store, behind.clock
    aws = aws_app(
        Service(
            store=store,
            accept=behind.acceptor,
            clock=clock,
            region=settings.account.region,
            every_sender=settings.identities.verification == "none",
            default_max_send_rate=settings.account.max_send_rate,
            default_max_24_hour_send=settings.account.max_24_hour_send,
            verify_identity=behind.verifier.verify,
        ),
        OPERATIONS,
    )
    prober = Prober(settings=settings, clock=clock, captured=behind.captured)
    own = own_app(
        OwnApi(
            store=store,
            clock=clock,
            verifier=behind.verifier,
            ready=lambda: not behind.stop.is_set(),
            status=lambda: status_json(settings.store, store, clock()),
            look=lambda facts: prober.look(store, facts),
            checks=DomainChecks(
                store=store,
                clock=clock,
                look=lambda account, domain: check_domain(
                    Question(domain=domain, account=account), settings, store, clock
                ),
            ),
        )
    )

    ingest = _ingest(settings, behind)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        mine = scope["type"] == "http" and scope["path"].startswith(OWN_PATHS)
        theirs = scope["type"] == "http" and scope["path"] == INGEST
        await (ingest if theirs else own if mine else aws)(scope, receive, send)

    return QuietServer(
        uvicorn.Config(
            app,
            http=BoundedHead,
            limit_concurrency=room.http,
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
