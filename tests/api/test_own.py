"""Waybill's own API: explanations, search, the link, the certificate, health and metrics."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote, unquote, urlencode

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from tests.api.wire import Request, Response, scope_of, send
from tests.shared_data import SHARED
from tests.store.builders import ACCOUNT, START, acceptance, accepted, attempted, message, new_delivery
from waybill.accept.verify import Verifier
from waybill.api.asgi import AwsApi
from waybill.api.own import OWN_PATHS, OwnApi, own_app
from waybill.api.search import MOST_FOUND, parse_search
from waybill.lab.dns import LabDns
from waybill.model.cause import Cause
from waybill.model.clock import MINUTE, SECOND, rfc3339
from waybill.model.message import Status
from waybill.model.resource import Identity, Verification
from waybill.net.resolver import Resolver
from waybill.publish.sns import signing_certificate
from waybill.store.protocol import Store, StoreUnavailable
from waybill.store.sqlite import open_sqlite


@dataclass
class World:
    """The application on a real store."""

    store: Store
    verifier: Verifier
    at: int = START
    ready: bool = True
    down: bool = False

    async def get(self, target: str, method: str = "GET") -> Response:
        store = cast(Store, Down()) if self.down else self.store
        app = own_app(
            OwnApi(
                store=store,
                clock=lambda: self.at,
                verifier=self.verifier,
                ready=lambda: self.ready,
                status=lambda: self.status(store),
            )
        )
        request = Request(method=method, target=target, headers={"host": "127.0.0.1:8025"})
        scope = scope_of(request)
        scope["path"] = unquote(scope["path"])
        scope["client"] = ("127.0.0.1", 50_000)
        return await send(cast(AwsApi, app), request, scope=scope)

    async def status(self, store: Store) -> dict[str, Any]:
        """As a report that looks at the store."""
        return {"events": (await store.health()).events}

    async def json(self, target: str) -> Any:
        response = await self.get(target)
        assert (200, "application/json") == (response.status, response.headers["content-type"])
        return json.loads(response.body)


class Down:
    """A store that cannot be reached."""

    def __getattr__(self, name: str) -> Any:
        async def fail(*_args: object, **_options: object) -> Any:
            raise StoreUnavailable("disk I/O error")

        return fail


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    store = await open_sqlite(tmp_path / "waybill.db", clock=lambda: START)
    async with LabDns({}) as dns:
        resolver = Resolver([dns.address])
        verifier = Verifier(
            store=store,
            dns=resolver,
            clock=lambda: START,
            public_url="http://waybill.test",
            bounce_domain="bounce.test",
            every_sender=False,
        )
        yield World(store, verifier)
        await resolver.close()
    await store.close()


async def test_messages_are_found(world: World) -> None:
    """By recipient, newest first, with the words of the command line's --json."""
    (first,) = await accepted(world.store)
    (second,) = await accepted(world.store, START + 1, "carol@receiver.example")
    await world.store.settle(attempted(replace(first, lease_owner=None), Status.BOUNCED, START + SECOND))
    hits = (await world.json("/api/messages?to=@receiver.example"))["messages"]
    assert [second.message_id, first.message_id] == [hit["message_id"] for hit in hits]
    expected = {
        "message_id": first.message_id,
        "accepted_at": rfc3339(START),
        "from": "Alice <alice@sender.example>",
        "recipient": "bob@receiver.example",
        "subject": "Grüße",
        "status": "bounced",
        "cause": "user_unknown",
        "underlying_cause": None,
        "attempts": 1,
        "next_at": None,
        "configuration_set": None,
    }
    assert expected == hits[1]
    hits = await world.json("/api/messages?status=bounced&cause=user_unknown&from=alice@sender.example&limit=1")
    assert [first.message_id] == [hit["message_id"] for hit in hits["messages"]]
    assert [] == (await world.json("/api/messages?since=2040-01-01T00:00:00Z"))["messages"]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("nope=1", "unknown parameter 'nope'; allowed: account, cause, from, limit, since, status, to, until"),
        ("status=gone", "status 'gone' is not allowed; it must be one of queued, delayed, delivered,"),
        ("cause=weather", "cause 'weather' is not in the catalogue; see docs/causes.md"),
        ("limit=0", "limit '0' is not allowed; it must be a number from 1 to 1000"),
        ("limit=" + "9" * 5000, "it must be a number from 1 to 1000"),
        ("limit=%C2%B2", "it must be a number from 1 to 1000"),
        ("since=yesterday", "since 'yesterday' is not allowed; it must be a time such as 2026-11-24T02:30:00Z"),
        ("until=2026-11-24T02:30:00", "until '2026-11-24T02:30:00' is not allowed"),
    ],
)
async def test_a_wrong_search_is_named(world: World, query: str, words: str) -> None:
    """Parameter, fault and what is allowed."""
    response = await world.get(f"/api/messages?{query}")
    assert 400 == response.status
    assert words in json.loads(response.body)["error"]


_KEYS = st.sampled_from(["to", "from", "status", "cause", "since", "until", "limit"])
_TEXTS = st.text(max_size=30) | st.integers().map(str) | st.datetimes().map(lambda at: f"{at.isoformat()}+23:59")


@given(st.dictionaries(_KEYS, _TEXTS))
def test_any_search_is_read_or_refused(query: dict[str, str]) -> None:
    """In words; nothing but a ValueError comes out."""
    words = ""
    try:
        limit = parse_search(query).limit
    except ValueError as error:
        words, limit = str(error), 1
    assert 1 <= limit <= MOST_FOUND
    assert not words or any(words.startswith(key) for key in query)


async def test_a_message_is_explained(world: World) -> None:
    """By its id, its Message-ID field, and the recipient's address, in the form of the published schema."""
    (delivery,) = await accepted(world.store)
    await world.store.settle(attempted(delivery, Status.BOUNCED, START + SECOND))
    world.at = START + MINUTE
    expected = await world.json(f"/api/messages/{delivery.message_id}/explanation")
    assert (delivery.message_id, "bounced", "user_unknown") == (
        expected["message_id"],
        expected["recipients"][0]["status"],
        expected["recipients"][0]["cause"],
    )
    for key in (f"<{delivery.message_id}@bounce.test>", "bob@receiver.example"):
        assert expected == await world.json(f"/api/messages/{quote(key)}/explanation")
    if SHARED is not None:
        jsonschema.validate(expected, json.loads((SHARED / "contract/explanation.schema.json").read_text()))


async def test_a_refusal_is_explained_by_its_request_id(world: World) -> None:
    """It has no message id."""
    refused = new_delivery(status=Status.REFUSED, cause=Cause.SENDING_PAUSED)
    await world.store.accept(
        acceptance(message=message(id="request-7"), content=None, deliveries=(refused,), events=())
    )
    explained = await world.json("/api/messages/request-7/explanation")
    assert "refused" == explained["recipients"][0]["status"]


@pytest.mark.parametrize("key", ["nope", "nobody@receiver.example", "%00", "a%20b", "%F0%9F%92%8C"])
async def test_an_unknown_message(world: World, key: str) -> None:
    """404, in words."""
    response = await world.get(f"/api/messages/{key}/explanation")
    assert 404 == response.status
    assert f"no message {unquote(key)!r} in the ledger" == json.loads(response.body)["error"]


async def test_the_link(world: World) -> None:
    """Right once it is right; 403 otherwise, also for what is missing."""
    await world.store.put(
        Identity(account=ACCOUNT, name="a@b.test", created_at=START, token="secret", link_sent_at=START)
    )
    query = {"account": ACCOUNT, "identity": "a@b.test", "token": "wrong"}
    for target in ("/api/verify", f"/api/verify?{urlencode(query)}"):
        response = await world.get(target)
        assert (403, b"This link is wrong, or older than 24 hours. Ask for a new one.") == (
            response.status,
            response.body,
        )
    response = await world.get(f"/api/verify?{urlencode(query | {'token': 'secret'})}")
    assert (200, b"a@b.test is verified. You can close this page.") == (response.status, response.body)
    stored = await world.store.get(Identity, ACCOUNT, "a@b.test")
    assert stored is not None
    assert Verification.SUCCESS is stored.verification


async def test_the_certificate(world: World) -> None:
    """The one that signs SNS messages, by its name."""
    made = await signing_certificate(world.store, "http://waybill.test", lambda: START)
    response = await world.get(f"/SimpleNotificationService-{made.name}.pem")
    assert (200, made.certificate_pem) == (response.status, response.body.decode())
    assert 404 == (await world.get("/SimpleNotificationService-0.pem")).status


async def test_health_and_readiness(world: World) -> None:
    """Alive always; ready while it takes requests and the store answers."""
    assert [200, 200] == [(await world.get(path)).status for path in ("/healthz", "/readyz")]
    world.ready = False
    assert [200, 503] == [(await world.get(path)).status for path in ("/healthz", "/readyz")]
    world.ready, world.down = True, True
    assert [200, 503] == [(await world.get(path)).status for path in ("/healthz", "/readyz")]


@pytest.mark.parametrize(
    "path",
    ["/readyz", "/metrics", "/api/messages", "/api/messages/x/explanation", "/SimpleNotificationService-0.pem"],
)
async def test_a_store_that_is_away(world: World, path: str) -> None:
    """503 with the reason, never a crash."""
    world.down = True
    response = await world.get(path)
    assert 503 == response.status
    assert "the store cannot be reached: disk I/O error" == json.loads(response.body)["error"]


async def test_standing(world: World) -> None:
    """Rates, pauses, listings and advice; to the operator of all accounts."""
    (delivery,) = await accepted(world.store, START)
    await world.store.settle(attempted(delivery, Status.DELIVERED, START))
    shown = await world.json("/api/standing")
    assert [("account", ACCOUNT, 1), ("domain", "sender.example", 1)] == [
        (one["kind"], one["name"], one["sent"]) for one in shown["rates"]
    ]
    assert [[], [], []] == [shown[name] for name in ("pauses", "listings", "recommendations")]


async def test_metrics(world: World) -> None:
    """Prometheus reads them; they are the ledger's."""
    (delivery,) = await accepted(world.store)
    await accepted(world.store, START + 1)
    await world.store.settle(attempted(delivery, Status.BOUNCED, START + SECOND))
    world.at = START + 1 + 5 * SECOND
    response = await world.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    families = {family.name: family for family in text_string_to_metric_families(response.body.decode())}
    counts = {sample.labels["status"]: sample.value for sample in families["waybill_deliveries"].samples}
    assert {"queued": 1.0, "bounced": 1.0} == {status: count for status, count in counts.items() if count}
    assert set(Status) == set(counts)
    values = {name: family.samples[0].value for name, family in families.items() if family.samples}
    assert (3.0, 0.0, 5.0, 0.0) == (
        values["waybill_events"],
        values["waybill_notices_pending"],
        values["waybill_queue_oldest_seconds"],
        values["waybill_notices_oldest_seconds"],
    )
    assert values["waybill_store_bytes"] > 0
    assert all(family.documentation for family in families.values())


async def test_other_methods_and_paths(world: World) -> None:
    """Reading only; what is not there is 404."""
    assert 405 == (await world.get("/api/messages", method="POST")).status
    assert 404 == (await world.get("/api/nothing")).status
    assert all(path.startswith(OWN_PATHS) for path in ("/api/messages", "/SimpleNotificationService-1.pem"))
    assert not any(path.startswith(OWN_PATHS) for path in ("/", "/v2/email/outbound-emails"))
