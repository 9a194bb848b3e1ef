"""``POST /ingest/amazon-ses``: SNS messages with Amazon SES's events come in, and are answered once they are on disk."""

import asyncio
import base64
import binascii
import hmac
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from cryptography.hazmat.primitives.asymmetric import rsa
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from waybill.model.clock import HOUR, Clock, Instant
from waybill.net.http_client import HttpAnswer
from waybill.store.elsewhere import Elsewhere, Reported
from waybill.store.protocol import StoreUnavailable
from waybill.watch.signature import CERTIFICATE, AllowedHosts, NotGenuine, read_certificate, verify
from waybill.watch.stream import Fault, Skipped, read_document
from waybill.watch.unwrap import SNS_TYPES

log = logging.getLogger(__name__)

PATH = "/ingest/amazon-ses"
LARGEST = 1024 * 1024
"""An SNS message has at most 256 KiB."""

_SECONDS = 10.0  # SNS waits 15
_CERTIFICATE_KEPT = 24 * HOUR
_MOST_CERTIFICATES = 64
_CHALLENGE = {"WWW-Authenticate": 'Basic realm="waybill"'}


class Fetch(Protocol):
    """Fetches a URL, bounded in time and size."""

    async def get(self, url: str, *, seconds: float) -> HttpAnswer: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class IngestConfig:
    """Whose messages are taken: of these topics, with certificates of these hosts; raw ones with the password."""

    topics: frozenset[str]
    hosts: AllowedHosts = field(default_factory=AllowedHosts)
    raw_password: str = ""


class _Refused(Exception):  # noqa: N818 - an answer
    def __init__(self, status: int, text: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(text)
        self.response = PlainTextResponse(f"{text}\n", status, headers)


class Ingest:
    """The door, an ASGI application."""

    def __init__(self, *, store: Elsewhere, fetch: Fetch, clock: Clock, config: IngestConfig) -> None:
        self._store = store
        self._fetch = fetch
        self._clock = clock
        self._config = config
        self._keys: dict[str, tuple[Instant, rsa.RSAPublicKey]] = {}
        self._fetching: dict[str, asyncio.Lock] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request: 200 once all is on disk, 4xx where it is refused for good, 503 where it may come again."""
        request = Request(scope, receive)
        response: Response
        try:
            response = await self._answer(request)
        except _Refused as refused:
            log.warning("sns_refused peer=%s why=%s", request.client.host if request.client else None, refused)
            response = refused.response
        except NotGenuine as error:
            log.warning("sns_refused peer=%s why=%s", request.client.host if request.client else None, error)
            response = PlainTextResponse(f"{error}\n", 403)
        except StoreUnavailable as error:
            response = PlainTextResponse(f"the store cannot be reached: {error}\n", 503)
        except ClientDisconnect:
            return
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        if request.method != "POST":
            raise _Refused(405, "SNS posts here; nothing else is answered", {"Allow": "POST"})
        document = _decode(await _body(request))
        if request.headers.get("x-amz-sns-rawdelivery", "").lower() == "true":
            self._admit_raw(request)
            return await self._take(document)
        if not isinstance(document, dict) or document.get("Type") not in SNS_TYPES:
            raise _Refused(400, "this is no SNS message (Type, TopicArn, Signature)")
        self._check_topic(document.get("TopicArn"))
        url = self._config.hosts.check(document.get(CERTIFICATE), CERTIFICATE)
        verify(document, await self._key(url))
        if document["Type"] == "SubscriptionConfirmation":
            return await self._confirm(document)
        if document["Type"] == "UnsubscribeConfirmation":
            log.warning("sns_unsubscribed topic=%s", document["TopicArn"])
            return PlainTextResponse("noted\n")
        return await self._take(document)

    def _check_topic(self, topic: object) -> None:
        if not (isinstance(topic, str) and topic in self._config.topics):
            shown = repr(topic)[:300]
            raise NotGenuine(f"the topic {shown} is not one of the setting amazon_ses.topics")

    def _admit_raw(self, request: Request) -> None:
        """Raw messages are not signed: only the password proves where they come from.

        Raises: _Refused, NotGenuine.
        """
        wanted = self._config.raw_password
        if not wanted:
            raise NotGenuine(
                "raw delivery is not signed, and no amazon_ses.raw_password is set: turn raw delivery off, or set one"
            )
        given = _password(request.headers.get("authorization", ""))
        if given is None:  # SNS sends the first request without the user and password of the URL
            raise _Refused(401, "raw delivery needs the password of amazon_ses.raw_password", _CHALLENGE)
        if not hmac.compare_digest(given.encode(), wanted.encode()):
            raise NotGenuine("the password of raw delivery is not right")
        self._check_topic(request.headers.get("x-amz-sns-topic-arn"))

    async def _key(self, url: str) -> rsa.RSAPublicKey:
        """The key of the certificate, fetched once a day. Raises: NotGenuine, _Refused."""
        async with self._fetching.setdefault(url, asyncio.Lock()):
            known = self._keys.get(url)
            now = self._clock()
            if known is not None and 0 <= now - known[0] < _CERTIFICATE_KEPT:
                return known[1]
            answer = await self._fetch.get(url, seconds=_SECONDS)
            if len(self._fetching) > _MOST_CERTIFICATES:
                self._fetching.clear()
            if not answer.ok:
                raise _Refused(503, f"the certificate {url} cannot be had: {answer.error or answer.status}")
            key = read_certificate(answer.body, now)
            if len(self._keys) >= _MOST_CERTIFICATES:
                self._keys.clear()
            self._keys[url] = (now, key)
            return key

    async def _confirm(self, document: Mapping[str, Any]) -> Response:
        """Says to SNS that the subscription is wanted: its topic is one of the settings."""
        url = self._config.hosts.check(document.get("SubscribeURL"), "SubscribeURL")
        answer = await self._fetch.get(url, seconds=_SECONDS)
        if not answer.ok:
            raise _Refused(503, f"the subscription cannot be confirmed: {answer.error or answer.status}")
        log.info("sns_subscribed topic=%s", document["TopicArn"])
        return PlainTextResponse("confirmed\n")

    async def _take(self, document: object) -> Response:
        """Takes in all or, where something of it cannot be read, the rest; then SNS hears so, and keeps it for its dead-letter queue."""
        found = list(await asyncio.to_thread(lambda: list(read_document(document))))
        taken = await self._store.take_in([one for one in found if isinstance(one, Reported)])
        for one in found:
            if isinstance(one, Skipped):
                log.info("sns_aside text=%s", one.text)
        for message_id in taken.not_theirs:
            log.warning("amazon_ses_not_theirs message_id=%s", message_id)
        faults = [one.text for one in found if isinstance(one, Fault)]
        if faults:
            raise _Refused(400, "; ".join(faults))
        return PlainTextResponse(f"{taken.new} new, {taken.known} known\n")


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > LARGEST:
            raise _Refused(413, f"an SNS message has at most {LARGEST // 1024} KiB")
    return bytes(body)


def _decode(body: bytes) -> object:
    try:
        document: object = json.loads(body)
    except (ValueError, RecursionError):
        raise _Refused(400, "the body is no JSON") from None
    return document


def _password(authorization: str) -> str | None:
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(value.strip(), validate=True).decode("utf-8").partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return None
