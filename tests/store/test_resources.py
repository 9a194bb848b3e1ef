"""Resources: created, read, changed and deleted by type, account and name."""

import asyncio
import dataclasses
from typing import Any

import pytest

from tests.store.builders import ACCOUNT, START
from tests.store.conformance import Engine
from waybill.model.event import SesEvent
from waybill.model.resource import (
    INSTALLATION,
    AccessKey,
    Account,
    ConfigurationSet,
    DkimKey,
    EventDestination,
    FeedbackTopics,
    Identity,
    Pause,
    Resource,
    SigningCertificate,
    Subscription,
    Template,
    Topic,
    Verification,
)
from waybill.model.suppression import Reason
from waybill.store.protocol import AlreadyExists, NotFound, Store

ARN = "arn:aws:sns:us-east-1:100000000001:bounces"

RESOURCES: list[Resource] = [
    Account(
        account=INSTALLATION,
        name=ACCOUNT,
        created_at=START,
        paused=Pause(by="operator", reason="too many complaints", at=START),
        suppressed_reasons=(Reason.COMPLAINT,),
        max_send_rate=14.5,
    ),
    AccessKey(account=INSTALLATION, name="AKIA1", owner=ACCOUNT, label="web", secret="s3cret", created_at=START),
    Identity(
        account=ACCOUNT,
        name="sender.example",
        created_at=START,
        token="t",
        verification=Verification.SUCCESS,
        dkim_keys=(
            DkimKey(selector="a", algorithm="rsa", private_pem="PEM one", public="MII", created_at=START),
            DkimKey(selector="b", algorithm="ed25519", private_pem="PEM two", public="MCo", created_at=START),
        ),
        topics=FeedbackTopics(bounce=ARN, bounce_headers=True),
        tags=(("team", "post"),),
        policies={"p": "{}"},
    ),
    Template(
        account=ACCOUNT,
        name="welcome",
        subject="Hi {{name}}",
        text=None,
        html="<p>ü</p>",
        created_at=START,
        updated_at=START,
        version=3,
    ),
    ConfigurationSet(
        account=ACCOUNT,
        name="main",
        created_at=START,
        suppressed_reasons=(),
        event_destinations=(
            EventDestination(
                name="sns", enabled=True, event_types=(SesEvent.BOUNCE, SesEvent.DELIVERY_DELAY), topic_arn=ARN
            ),
        ),
    ),
    Topic(account=ACCOUNT, name=ARN, created_at=START, attributes={"Policy": "{}"}),
    Subscription(
        account=ACCOUNT,
        name=f"{ARN}:1",
        topic_arn=ARN,
        protocol="https",
        endpoint="https://user:password@hook.example/",
        token="t",
        created_at=START,
    ),
    SigningCertificate(account=INSTALLATION, name="abc", private_pem="PEM", certificate_pem="CERT", created_at=START),
]


def template(name: str, account: str = ACCOUNT) -> Template:
    return Template(account=account, name=name, subject="s", text="t", html=None, created_at=START, updated_at=START)


@pytest.mark.parametrize("record", RESOURCES, ids=lambda record: type(record).__name__)
async def test_comes_back_as_it_was(engine: Engine, record: Any) -> None:
    """Every type of resource is read back equal, by this store and by another on the same database."""
    store, other = await engine.open(), await engine.open()
    await store.create(record)
    assert record == await store.get(type(record), record.account, record.name)
    assert record == await other.get(type(record), record.account, record.name)
    assert [record] == await store.scan(type(record), record.account)


async def test_what_is_not_there(store: Store) -> None:
    """Another type, account or name finds nothing."""
    await store.create(template("a"))
    assert await store.get(Template, ACCOUNT, "b") is None
    assert await store.get(Template, "200000000002", "a") is None
    assert await store.get(ConfigurationSet, ACCOUNT, "a") is None
    assert await store.scan(Template, "200000000002") == []


async def test_created_once(store: Store) -> None:
    """A second resource of the same type, account and name is refused; another account may have it."""
    await store.create(template("a"))
    with pytest.raises(AlreadyExists, match="template 'a' exists"):
        await store.create(dataclasses.replace(template("a"), subject="other"))
    await store.create(template("a", account="200000000002"))
    assert template("a") == await store.get(Template, ACCOUNT, "a")


async def test_put_creates_and_replaces(store: Store) -> None:
    """``put`` needs nothing to be there, and replaces what is."""
    await store.put(template("a"))
    changed = dataclasses.replace(template("a"), subject="other")
    await store.put(changed)
    assert changed == await store.get(Template, ACCOUNT, "a")


async def test_update(store: Store) -> None:
    """``update`` gives and keeps what the change makes of the record."""
    await store.put(template("a"))
    changed = await store.update(
        Template, ACCOUNT, "a", lambda record: dataclasses.replace(record, version=record.version + 1)
    )
    assert changed.version == 2
    assert changed == await store.get(Template, ACCOUNT, "a")


async def test_update_that_fails(store: Store) -> None:
    """What the change raises goes through and leaves the record; so does a name that is not there, or a new one."""
    await store.put(template("a"))

    def refuse(record: Template) -> Template:
        raise LookupError(record.name)

    with pytest.raises(LookupError, match="a"):
        await store.update(Template, ACCOUNT, "a", refuse)
    with pytest.raises(NotFound, match="no template 'b'"):
        await store.update(Template, ACCOUNT, "b", refuse)
    with pytest.raises(ValueError, match="must not rename"):
        await store.update(Template, ACCOUNT, "a", lambda record: dataclasses.replace(record, name="b"))
    assert [template("a")] == await store.scan(Template, ACCOUNT)


async def test_update_is_one_transaction(engine: Engine) -> None:
    """Of many updates at once, through two stores, none is lost."""
    store, other = await engine.open(), await engine.open()
    await store.put(template("a"))

    def grow(record: Template) -> Template:
        return dataclasses.replace(record, version=record.version + 1)

    await asyncio.gather(*(one.update(Template, ACCOUNT, "a", grow) for one in [store, other] * 20))
    final = await store.get(Template, ACCOUNT, "a")
    assert final is not None
    assert final.version == 41


async def test_delete(store: Store) -> None:
    """``delete`` says whether there was one."""
    await store.put(template("a"))
    assert await store.delete(Template, ACCOUNT, "a") is True
    assert await store.delete(Template, ACCOUNT, "a") is False
    assert await store.get(Template, ACCOUNT, "a") is None


async def test_scan_pages_in_order_of_names(store: Store) -> None:
    """A page begins after the name given, holds names with the prefix alone, and no more than the limit."""
    for name in ("b2", "a", "b1", "b3", "b", "c", "ü"):
        await store.put(template(name))
    assert [one.name for one in await store.scan(Template, ACCOUNT)] == ["a", "b", "b1", "b2", "b3", "c", "ü"]
    page = await store.scan(Template, ACCOUNT, prefix="b", limit=2)
    assert [one.name for one in page] == ["b", "b1"]
    page = await store.scan(Template, ACCOUNT, prefix="b", after="b1")
    assert [one.name for one in page] == ["b2", "b3"]


async def test_secret(engine: Engine) -> None:
    """A secret is the same for every store on the database, and another for another purpose."""
    store, other = await engine.open(), await engine.open()
    assert store.secret("return-path") == other.secret("return-path")
    assert store.secret("return-path") != store.secret("links")
    assert len(store.secret("links")) == 32
