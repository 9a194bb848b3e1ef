"""``GET /api/domains/{domain}/checks``: the report of ``waybill check``, for those who may ask, and not made twice a minute."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.api.wire import Request, Response, scope_of, send
from tests.standing.checks.world import ZONES, blocklist_zones
from tests.store.builders import ACCOUNT, acceptance, message
from waybill.accept.verify import Verifier
from waybill.api.asgi import AwsApi
from waybill.api.identity import new_identity
from waybill.api.own import OwnApi, own_app
from waybill.api.own_checks import KEPT, DomainChecks
from waybill.lab.dns import LabDns
from waybill.model.clock import now
from waybill.model.resource import INSTALLATION, AccessKey
from waybill.net.resolver import Resolver
from waybill.serve.domain_checks import Question, check_domain
from waybill.settings import Settings
from waybill.standing.checks.run import Report
from waybill.store.protocol import Store, StoreUnavailable
from waybill.store.sqlite import open_sqlite

OURS, THEIRS = ACCOUNT, "200000000002"
HOST = "mail.example:8025"
UNSUBSCRIBE = (
    ("List-Unsubscribe", "<https://shop.example/u>"),
    ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
)


@dataclass
class World:
    """The application on a real store, with real checks of a small internet. ``looked`` are the checks that were made."""

    store: Store
    settings: Settings
    at: int = field(default_factory=now)
    looked: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        checks = DomainChecks(store=self.store, clock=lambda: self.at, look=self.look)
        verifier = Verifier(
            store=self.store,
            dns=Resolver(["127.0.0.1:1"]),
            clock=now,
            public_url="http://x",
            bounce_domain="b.example",
            every_sender=False,
        )
        self.app = own_app(
            OwnApi(store=self.store, clock=now, verifier=verifier, ready=lambda: True, status=no_status, checks=checks)
        )

    async def look(self, account: str, domain: str) -> Report:
        self.looked.append((account, domain))
        return await check_domain(Question(domain=domain, account=account), self.settings, self.store, now)

    async def ask(self, target: str, peer: str = "127.0.0.1", key: str = "") -> Response:
        request = Request(method="GET", target=target)
        fields = {"Host": HOST if key else "127.0.0.1:8025"}
        if key:
            signed = AWSRequest(method="GET", url=f"http://{HOST}{target}", headers=fields)
            SigV4Auth(Credentials(key, "secret"), "ses", "us-east-1").add_auth(signed)
            fields = dict(signed.headers.items())
        scope = scope_of(request)
        scope["headers"] = [(name.lower().encode(), value.encode()) for name, value in fields.items()]
        scope["client"] = (peer, 50_000)
        return await send(cast(AwsApi, self.app), request, scope=scope)


async def no_status() -> dict[str, Any]:
    return {}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    store = await open_sqlite(tmp_path / "waybill.db", clock=now)
    for account, key in ((OURS, "AKIAOURS"), (THEIRS, "AKIATHEIRS")):
        await store.create(
            AccessKey(account=INSTALLATION, name=key, owner=account, label="", secret="secret", created_at=now())
        )
    await store.create(new_identity(OURS, "shop.example", now()))
    sent = message(id="m-1", account=OURS, sender="news@shop.example", headers=UNSUBSCRIBE)
    await store.accept(acceptance(message=sent))
    async with LabDns({**ZONES, **blocklist_zones()}) as dns:
        settings = Settings()
        settings = replace(
            settings,
            dns=replace(settings.dns, servers=(dns.address,)),
            inbound=replace(settings.inbound, bounce_domain="bounce.shop.example"),
            delivery=replace(
                settings.delivery,
                hostname="mail.shop.example",
                source_addresses=("192.0.2.7",),
                port=1,
                allow_private=True,
                mta_sts=False,
            ),
        )
        yield World(store, settings)
    await store.close()


TARGET = "/api/domains/shop.example/checks"


def by_id(response: Response, check_id: str) -> dict[str, Any]:
    assert 200 == response.status, response.body
    checks = json.loads(response.body)["checks"]
    found: dict[str, Any] = next(check for check in checks if check["id"] == check_id)
    return found


async def test_the_operator_asks(world: World) -> None:
    """From the service's own machine, about any domain; the settings and the store say how its mail leaves."""
    response = await world.ask(TARGET)
    assert "192.0.2.7 for bounce.shop.example" == by_id(response, "spf_sources")["subject"]
    assert "pass" == by_id(response, "spf_sources")["verdict"]
    assert (
        "All of the newest 1 messages can be unsubscribed from with one click."
        == (by_id(response, "one_click_unsubscribe")["text"])
    )
    assert "the identity shop.example is not verified" in by_id(response, "dkim_key")["text"]
    other = await world.ask("/api/domains/other.example/checks")
    assert "other.example does not exist." == by_id(other, "mx")["text"]


async def test_an_account_asks_about_its_own(world: World) -> None:
    """Signed, about its identities and what is below them; of others' domains it learns nothing, and nothing is looked at."""
    assert 200 == (await world.ask(TARGET, "192.0.2.9", "AKIAOURS")).status
    assert 200 == (await world.ask("/api/domains/news.shop.example/checks", "192.0.2.9", "AKIAOURS")).status
    response = await world.ask(TARGET, "192.0.2.9", "AKIATHEIRS")
    assert (404, f"account {THEIRS} has no identity shop.example") == (
        response.status,
        json.loads(response.body)["error"],
    )
    assert 403 == (await world.ask(TARGET, "192.0.2.9")).status
    assert [(OURS, "shop.example"), (OURS, "news.shop.example")] == world.looked


async def test_one_look_a_minute(world: World) -> None:
    """Whoever asks meanwhile gets the same report, also while it is being made."""
    first, second = await asyncio.gather(world.ask(TARGET), world.ask(TARGET))
    assert first.body == second.body == (await world.ask(TARGET)).body
    assert 1 == len(world.looked)
    world.at += KEPT
    await world.ask(TARGET)
    assert 2 == len(world.looked)


@pytest.mark.parametrize("name", ["shop", "a@b.example", "%20", "x%00y.example", "..", "a..example"])
async def test_no_domain(name: str, world: World) -> None:
    """400, in words."""
    response = await world.ask(f"/api/domains/{name}/checks")
    assert (400, True) == (response.status, "is no domain such as shop.example" in json.loads(response.body)["error"])
    assert [] == world.looked


async def test_a_store_that_is_away(world: World) -> None:
    """503 for all who wait, and the next one asks again."""

    async def fail(account: str, domain: str) -> Report:
        world.looked.append((account, domain))
        await asyncio.sleep(0)
        raise StoreUnavailable("disk I/O error")

    world.look = fail  # type: ignore[method-assign] # as the store does it
    world.__post_init__()
    assert [503, 503] == [each.status for each in await asyncio.gather(world.ask(TARGET), world.ask(TARGET))]
    assert 503 == (await world.ask(TARGET)).status
    assert 2 == len(world.looked)
