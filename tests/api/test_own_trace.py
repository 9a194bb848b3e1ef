"""``POST /api/trace``: the same as the command, for whom the message belongs to."""

import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.api.wire import Request, Response, scope_of, send
from tests.explain.copies import MICROSOFT
from tests.explain.life import MESSAGE_ID
from tests.store.builders import ACCOUNT, acceptance, message
from waybill.accept.verify import Verifier
from waybill.api import own_trace
from waybill.api.asgi import AwsApi
from waybill.api.own import OwnApi, own_app
from waybill.model.clock import now
from waybill.model.resource import INSTALLATION, AccessKey
from waybill.net.resolver import Resolver
from waybill.store.protocol import Store
from waybill.store.sqlite import open_sqlite

HOST = "mail.example:8025"
COPY = MICROSOFT.encode()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await open_sqlite(tmp_path / "waybill.db", clock=now)
    for account, key in ((ACCOUNT, "AKIAOURS"), ("200000000002", "AKIATHEIRS")):
        await opened.create(
            AccessKey(account=INSTALLATION, name=key, owner=account, label="", secret="secret", created_at=now())
        )
    await opened.accept(acceptance(message=message(id=MESSAGE_ID, account=ACCOUNT)))
    yield opened
    await opened.close()


async def no_status() -> dict[str, Any]:
    return {}


async def post(store: Store, body: bytes, *, peer: str = "127.0.0.1", fields: dict[str, str] | None = None) -> Response:
    resolver = Resolver(["127.0.0.1:1"])
    verifier = Verifier(
        store=store, dns=resolver, clock=now, public_url="http://x", bounce_domain="b.example", every_sender=False
    )
    app = own_app(OwnApi(store=store, clock=now, verifier=verifier, ready=lambda: True, status=no_status))
    request = Request(method="POST", target="/api/trace", body=body)
    scope = scope_of(request)
    headers = fields or {"Host": "127.0.0.1:8025"}
    scope["headers"] = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    scope["client"] = (peer, 50_000)
    return await send(cast(AwsApi, app), request, scope=scope)


def signed(key: str, body: bytes) -> dict[str, str]:
    digest = hashlib.sha256(body).hexdigest()
    headers = {"Host": HOST, "X-Amz-Content-SHA256": digest}
    request = AWSRequest(method="POST", url=f"http://{HOST}/api/trace", headers=headers, data=body)
    SigV4Auth(Credentials(key, "secret"), "ses", "us-east-1").add_auth(request)
    return {**headers, **dict(request.headers.items())}


async def test_the_operator_asks(store: Store) -> None:
    """The raw copy in, the trace out, tied to the ledger."""
    response = await post(store, COPY)
    told = json.loads(response.body)
    assert (200, "spam", MESSAGE_ID) == (response.status, told["filed"]["as"], told["ledger"]["message_id"])


async def test_an_account_sees_its_own_ledger_only(store: Store) -> None:
    """A stranger's key traces the header, and is not told whose message it is."""
    ours = await post(store, COPY, peer="203.0.113.9", fields=signed("AKIAOURS", COPY))
    theirs = await post(store, COPY, peer="203.0.113.9", fields=signed("AKIATHEIRS", COPY))
    assert (200, 200) == (ours.status, theirs.status), (ours.body, theirs.body)
    assert MESSAGE_ID == json.loads(ours.body)["ledger"]["message_id"]
    assert json.loads(theirs.body)["ledger"] is None


async def test_others_need_a_signature_over_the_body(store: Store) -> None:
    """No signature, or one over another copy: 403."""
    assert 403 == (await post(store, COPY, peer="203.0.113.9")).status
    wrong = signed("AKIAOURS", COPY)
    assert 403 == (await post(store, COPY + b"more", peer="203.0.113.9", fields=wrong)).status


async def test_what_is_no_message(store: Store) -> None:
    """400, in words."""
    response = await post(store, b"hello")
    assert 400 == response.status
    assert "this is no message" in json.loads(response.body)["error"]


async def test_a_copy_that_is_too_large(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """413: the header would be enough."""
    monkeypatch.setattr(own_trace, "MOST_OCTETS", 100)
    assert 413 == (await post(store, COPY)).status
