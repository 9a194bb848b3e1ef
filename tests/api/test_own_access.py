"""Who may ask Waybill's own API, with real signatures of botocore on the real application."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.api.wire import Request, Response, scope_of, send
from tests.store.builders import ACCOUNT, acceptance, message
from waybill.accept.verify import Verifier
from waybill.api.asgi import AwsApi
from waybill.api.own import OwnApi, own_app
from waybill.model.clock import now
from waybill.model.resource import INSTALLATION, AccessKey
from waybill.net.resolver import Resolver
from waybill.store.protocol import Store
from waybill.store.sqlite import open_sqlite

OURS, THEIRS = ACCOUNT, "200000000002"
HOST = "mail.example:8025"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await open_sqlite(tmp_path / "waybill.db", clock=now)
    for account, key in ((OURS, "AKIAOURS"), (THEIRS, "AKIATHEIRS")):
        await opened.create(
            AccessKey(account=INSTALLATION, name=key, owner=account, label="", secret="secret", created_at=now())
        )
    await opened.accept(acceptance(message=message(id="m-1", account=OURS)))
    yield opened
    await opened.close()


async def no_status() -> dict[str, Any]:
    return {"parts": {}}


async def ask(store: Store, target: str, peer: str, fields: dict[str, str] | None = None) -> Response:
    resolver = Resolver(["127.0.0.1:1"])
    verifier = Verifier(
        store=store, dns=resolver, clock=now, public_url="http://x", bounce_domain="b.example", every_sender=False
    )
    app = own_app(OwnApi(store=store, clock=now, verifier=verifier, ready=lambda: True, status=no_status))
    fields = {"Host": HOST if "Signature" in f"{target} {fields}" else "127.0.0.1:8025", **(fields or {})}
    headers = [(name.lower().encode(), value.encode()) for name, value in fields.items()]
    scope = scope_of(Request(method="GET", target=target))
    scope["headers"] = headers
    scope["client"] = (peer, 50_000)
    return await send(cast(AwsApi, app), Request(method="GET", target=target), scope=scope)


def signed(target: str, key: str, secret: str = "secret") -> dict[str, str]:
    request = AWSRequest(method="GET", url=f"http://{HOST}{target}", headers={"Host": HOST})
    SigV4Auth(Credentials(key, secret), "ses", "us-east-1").add_auth(request)
    return dict(request.headers.items())


def ids(response: Response) -> list[str]:
    document: dict[str, Any] = json.loads(response.body)
    return [found["message_id"] for found in document["messages"]]


@pytest.mark.parametrize("peer", ["127.0.0.1", "::1"])
async def test_this_machine_asks_without_more(store: Store, peer: str) -> None:
    """The operator at the service's own machine sees all accounts."""
    assert ["m-1"] == ids(await ask(store, "/api/messages", peer))


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:8025", 200),
        ("LOCALHOST", 200),
        ("[::1]:8025", 200),
        ("evil.example:8025", 403),
        ("127.0.0.1.evil.example", 403),
        ("127.0.0.1@evil.example", 403),
        ("", 403),
    ],
)
async def test_a_name_that_somebody_leads_here_is_not_this_machine(store: Store, host: str, status: int) -> None:
    """DNS rebinding: a page in the operator's browser must not read everybody's mail."""
    assert status == (await ask(store, "/api/messages", "127.0.0.1", {"Host": host})).status


@pytest.mark.parametrize("target", ["/api/messages", "/api/messages/m-1/explanation"])
@pytest.mark.parametrize(
    ("peer", "fields"),
    [("192.0.2.9", {}), ("127.0.0.1", {"X-Forwarded-For": "192.0.2.9"}), ("127.0.0.1", {"Forwarded": "for=192.0.2.9"})],
)
async def test_others_must_sign(store: Store, target: str, peer: str, fields: dict[str, str]) -> None:
    """Another machine, also behind a proxy on this one, gets a 403 that says what to do."""
    response = await ask(store, target, peer, fields)
    assert 403 == response.status
    assert "Signature Version 4" in json.loads(response.body)["error"]


async def test_a_signed_request_sees_its_own_account(store: Store) -> None:
    """The key's account decides, also where the query names another."""
    target = "/api/messages"
    assert ["m-1"] == ids(await ask(store, target, "192.0.2.9", signed(target, "AKIAOURS")))
    assert [] == ids(await ask(store, target, "192.0.2.9", signed(target, "AKIATHEIRS")))
    named = f"/api/messages?account={OURS}"
    assert [] == ids(await ask(store, named, "192.0.2.9", signed(named, "AKIATHEIRS")))


async def test_the_status_is_the_operators(store: Store) -> None:
    """It speaks of every account's mail: a signed request is refused in words."""
    target = "/api/status"
    assert {"parts": {}} == json.loads((await ask(store, target, "127.0.0.1")).body)
    assert 403 == (await ask(store, target, "192.0.2.9")).status
    response = await ask(store, target, "192.0.2.9", signed(target, "AKIAOURS"))
    assert (403, True) == (response.status, "for its operator" in json.loads(response.body)["error"])


async def test_anothers_message_is_not_found(store: Store) -> None:
    """Not even its existence is told."""
    target = "/api/messages/m-1/explanation"
    assert 200 == (await ask(store, target, "192.0.2.9", signed(target, "AKIAOURS"))).status
    assert 404 == (await ask(store, target, "192.0.2.9", signed(target, "AKIATHEIRS"))).status


async def test_a_wrong_signature_is_refused_even_here(store: Store) -> None:
    """Who signs wants to be somebody; a wrong secret is not silently taken for the operator."""
    target = "/api/messages"
    response = await ask(store, target, "127.0.0.1", signed(target, "AKIAOURS", "other"))
    assert 403 == response.status


async def test_a_presigned_link_works(store: Store) -> None:
    """A link that can be handed to the one who asks where the mail is."""
    request = AWSRequest(method="GET", url=f"http://{HOST}/api/messages?status=queued", headers={"Host": HOST})
    SigV4QueryAuth(Credentials("AKIAOURS", "secret"), "ses", "us-east-1", expires=60).add_auth(request)
    assert request.url is not None
    target = request.url.removeprefix(f"http://{HOST}")
    assert ["m-1"] == ids(await ask(store, target, "192.0.2.9"))
