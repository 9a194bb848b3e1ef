"""SNS as the door meets it: signed messages, a certificate over HTTPS, and SubscribeURL, on loopback."""

import base64
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trustme
from aiohttp import web
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tests.watch import events
from waybill.publish.sns import make_certificate
from waybill.watch.signature import string_to_sign

_HASHES = {"1": hashes.SHA1(), "2": hashes.SHA256()}


@dataclass(kw_only=True, slots=True)
class LabSns:
    """The other side. ``asked`` are the paths that were fetched of it."""

    host: str
    ca_file: str
    key: rsa.RSAPrivateKey
    pem: str
    asked: list[str] = field(default_factory=list)
    status: int = 200

    @property
    def certificate_url(self) -> str:
        return f"https://{self.host}/SimpleNotificationService-0123456789abcdef.pem"

    def sign(self, message: dict[str, Any], version: str = "1") -> dict[str, Any]:
        """The message with its signature, as SNS sends it."""
        signed = {"SigningCertURL": self.certificate_url, "SignatureVersion": version, **message}
        signature = self.key.sign(string_to_sign(signed), padding.PKCS1v15(), _HASHES[version])
        return signed | {"Signature": base64.b64encode(signature).decode()}

    def notification(self, document: dict[str, Any], version: str = "1", **changes: Any) -> dict[str, Any]:
        return self.sign(events.in_sns(document) | changes, version)

    def confirmation(self, **changes: Any) -> dict[str, Any]:
        subscribe = f"https://{self.host}/?Action=ConfirmSubscription&TopicArn={events.TOPIC}&Token=t"
        fields = {"Type": "SubscriptionConfirmation", "Token": "t", "SubscribeURL": subscribe, "Message": "You have"}
        return self.sign(events.in_sns({}) | fields | changes)


@asynccontextmanager
async def lab_sns(folder: Path, at: int) -> AsyncIterator[LabSns]:
    """An SNS on a free port of loopback."""
    ca = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("localhost").configure_cert(tls)
    ca_file = folder / "ca.pem"
    ca.cert_pem.write_to_path(str(ca_file))
    made = make_certificate("sns.lab.example", at)
    key = load_pem_private_key(made.private_pem.encode(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    lab = LabSns(host="", ca_file=str(ca_file), key=key, pem=made.certificate_pem)

    async def answer(request: web.Request) -> web.Response:
        lab.asked.append(request.path_qs)
        text = lab.pem if request.path.endswith(".pem") else "<ConfirmSubscriptionResponse/>"
        return web.Response(status=lab.status, text=text)

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    assert site._server is not None
    lab.host = f"localhost:{site._server.sockets[0].getsockname()[1]}"  # type: ignore[attr-defined]
    try:
        yield lab
    finally:
        await runner.cleanup()


@dataclass(frozen=True, kw_only=True, slots=True)
class Answered:
    status: int
    text: str
    headers: dict[str, str]


async def post(
    app: Any, body: bytes | dict[str, Any], *, method: str = "POST", headers: dict[str, str] | None = None
) -> Answered:
    """What an ASGI application answers to one request."""
    sent: list[dict[str, Any]] = []
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    parts = [content[: len(content) // 2], content[len(content) // 2 :]]

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts)}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    fields = [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]
    scope = {
        "type": "http",
        "method": method,
        "path": "/ingest/amazon-ses",
        "raw_path": b"/ingest/amazon-ses",
        "query_string": b"",
        "headers": fields,
        "client": ("192.0.2.1", 4),
    }
    await app(scope, receive, send)
    answered = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return Answered(status=sent[0]["status"], text=sent[1]["body"].decode(), headers=answered)
