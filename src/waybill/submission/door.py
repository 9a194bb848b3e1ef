"""The SMTP door: who submits over SMTP, and the translation of a transaction into a request and of its fate into SES's reply."""

import asyncio
import logging
import socket
import ssl
from dataclasses import dataclass, field

from waybill.accept.request import Accept, Client, RawContent, SendRequest
from waybill.mail.address import AddressError, parse_mailbox
from waybill.model.clock import Clock
from waybill.model.message import Source
from waybill.model.random_id import new_uuid
from waybill.model.refusal import Rejected
from waybill.model.resource import INSTALLATION, AccessKey
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
from waybill.store.protocol import Store, StoreUnavailable
from waybill.submission.password import SES_REGIONS, is_smtp_password

log = logging.getLogger(__name__)

_WRONG = Answer(535, "Authentication Credentials Invalid")
_NO_SECRET = "no key has this secret"  # noqa: S105 - compared with where there is no key, so that time tells nothing


@dataclass(frozen=True, kw_only=True, slots=True)
class SubmissionConfig:
    """How the door is set up. ``region`` is the installation's; ``failure_delay`` seconds pass before a wrong password is answered.

    Without ``tls``, credentials are taken from clients on this machine only.
    """

    hostname: str
    region: str
    tls: ssl.SSLContext | None = None
    max_connections: int = 1000
    failure_delay: float = 0.5
    limits: SessionLimits = field(default_factory=SessionLimits)


class Submission:
    """SMTP submission (RFC 6409) as SES serves it."""

    def __init__(self, *, store: Store, accept: Accept, clock: Clock, config: SubmissionConfig) -> None:
        def open_policy(peer: Peer) -> SubmissionPolicy:
            return SubmissionPolicy(store, accept, config, peer)

        self._server = SmtpServer(
            config=SessionConfig(
                hostname=config.hostname,
                authentication=True,
                clock=clock,
                tls=config.tls,
                limits=config.limits,
            ),
            open_policy=open_policy,
            max_connections=config.max_connections,
        )

    async def start(self, *, host: str = "127.0.0.1", port: int = 0, sock: socket.socket | None = None) -> None:
        """Listens on host and port, or on a socket that is bound already. Raises: OSError."""
        await self._server.start(host=host, port=port, sock=sock)

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        return self._server.address

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return self._server.connections

    async def close(self, grace: float = 10.0) -> None:
        """Takes no new connections or messages; those on their way in get ``grace`` seconds."""
        await self._server.close(grace)


class SubmissionPolicy:
    """Decides about one connection."""

    def __init__(self, store: Store, accept: Accept, config: SubmissionConfig, peer: Peer) -> None:
        self._store = store
        self._accept = accept
        self._config = config
        self._peer = peer
        self._regions = tuple(dict.fromkeys((config.region, *SES_REGIONS)))
        self._key: AccessKey | None = None

    async def authenticate(self, username: str, password: str) -> Answer:
        """Checks an access key id and the SMTP password derived from its secret."""
        try:
            key = await self._live_key(username)
        except StoreUnavailable:
            return Answer(454, "Temporary authentication failure")
        right = is_smtp_password(password, key.secret if key else _NO_SECRET, self._regions)
        if key is None or not right:
            known = key.name if key else "unknown"  # what was typed may be a secret in the wrong field
            log.info("authentication_failed peer=%s access_key_id=%s", self._peer.ip, known)
            await asyncio.sleep(self._config.failure_delay)
            return _WRONG
        self._key = key
        return Answer(235, "Authentication successful.")

    async def mail(self, path: ReversePath) -> Answer:
        """Refuses the null path, which is for bounces, malformed addresses, and keys that were revoked since AUTH."""
        if not path.address:
            return Answer(501, "Invalid MAIL FROM address provided")
        fault = _fault_of(path.address)
        if fault is not None:
            return fault
        assert self._key is not None
        try:
            if await self._live_key(self._key.name) is None:
                return _WRONG
        except StoreUnavailable:
            return Answer(451, "Temporary service failure")
        return OK

    async def rcpt(self, address: str) -> Answer:
        """Refuses malformed addresses; all else is decided about the message as a whole."""
        return _fault_of(address) or OK

    async def message(self, envelope: Envelope, data: bytes) -> Answer:
        """Has the message accepted, and answers as SES does."""
        request = self._request(envelope, data)
        try:
            message_id = await self._accept.accept(request)
        except Rejected as rejected:
            code, _, text = rejected.smtp.partition(" ")
            return Answer(int(code), text)
        except StoreUnavailable as error:
            log.warning("store_unavailable while=accepting request_id=%s error=%s", request.client.request_id, error)
            return Answer(451, "Temporary service failure")
        return Answer(250, f"Ok {message_id}")

    async def _live_key(self, name: str) -> AccessKey | None:
        key = await self._store.get(AccessKey, INSTALLATION, name)
        return None if key is None or key.revoked_at is not None else key

    def _request(self, envelope: Envelope, data: bytes) -> SendRequest:
        assert self._key is not None
        return SendRequest(
            client=Client(
                account=self._key.owner,
                access_key_id=self._key.name,
                source=Source.SMTP,
                operation="SendRawEmail",
                request_id=new_uuid(),
                received_at=envelope.received_at,
                ip=envelope.peer.ip,
                tls=envelope.tls,
                started_at=envelope.started_at,
            ),
            content=RawContent(data=data),
            sender=envelope.sender,
            envelope=envelope.recipients,
        )


def _fault_of(address: str) -> Answer | None:
    try:
        parse_mailbox(address)
    except AddressError:
        return Answer(553, f"<{address}> Invalid email address")
    return None
