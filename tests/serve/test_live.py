"""Live probes as the settings make them: who is walked to, from where, how often; and what is written down of it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.net.scripted import Scripted, scripted
from tests.store.builders import accepted
from waybill.explain import Explanation
from waybill.inquire import inquire
from waybill.lab.dns import LabDns
from waybill.model.cause import Cause
from waybill.model.clock import SECOND, now
from waybill.model.message import Delivery
from waybill.serve.live import EVERY, MOST_RECIPIENTS, Prober
from waybill.settings import Settings
from waybill.store.open import open_store
from waybill.store.protocol import Store, StoreUnavailable

ZONES = {
    "b.test": ["MX 10 mx.b.test"],
    "c.test": ["MX 10 mx.b.test"],
    "mx.b.test": ["A 127.0.0.1"],
    "null.test": ["MX 0 ."],
}


@dataclass(kw_only=True)
class World:
    """A store, and a prober whose receivers are one scripted server. ``at`` is the time."""

    store: Store
    prober: Prober
    server: Scripted
    at: int

    async def ask(self, delivery: Delivery) -> Explanation:
        found = await inquire(
            self.store, delivery.message_id, self.at, look=lambda facts: self.prober.look(self.store, facts)
        )
        assert found is not None
        return found

    async def told(self, delivery: Delivery) -> list[Any]:
        return [one.live for one in (await self.ask(delivery)).recipients]


@asynccontextmanager
async def world(
    folder: Path, *, delivery: Mapping[str, Any] | None = None, captured: bool = False, **says: bytes
) -> AsyncIterator[World]:
    says_ = {verb: [words] for verb, words in says.items()}
    async with scripted(says=says_) as server, LabDns(ZONES) as dns:
        store = await open_store(f"sqlite:///{folder}/waybill.db", clock=now)
        found = Settings()
        changes: dict[str, Any] = {"port": server.port, "allow_private": True, "hostname": "us.test", "mta_sts": False}
        settings = replace(
            found,
            dns=replace(found.dns, servers=(dns.address,)),
            delivery=replace(found.delivery, **changes | dict(delivery or {})),
        )
        made = World(store=store, server=server, at=now(), prober=Prober(settings=settings, clock=now))
        made.prober = Prober(settings=settings, clock=lambda: made.at, captured=captured)
        yield made
        await store.close()


async def test_recipients_of_one_message(tmp_path: Path) -> None:
    """Each is walked to with leave for its domain, up to a bound; the walks are in the ledger, each with its recipient."""
    recipients = [*(f"r{number}@b.test" for number in range(MOST_RECIPIENTS - 1)), "x@c.test", "y@c.test"]
    async with world(tmp_path) as made:
        deliveries = await accepted(made.store, made.at, *recipients)
        live = await made.told(deliveries[0])
        ledger = await made.store.ledger(deliveries[0].message_id)
    assert [None] * MOST_RECIPIENTS == [one.why_not for one in live[:-1]]
    assert "ask for this one by its address" in live[-1].why_not
    assert MOST_RECIPIENTS == made.server.connections
    assert ledger is not None
    probed = [event for event in ledger.events if event.kind.value == "probed"]
    assert recipients[:-1] == [event.recipient for event in probed]
    assert [event.id for event in probed] == [one.event for one in live[:-1]]
    assert not made.server.contents


async def test_the_pace(tmp_path: Path) -> None:
    """A domain once in 30 s, whoever asks; another at once."""
    async with world(tmp_path) as made:
        (first,) = await accepted(made.store, made.at, "a@b.test")
        (other,) = await accepted(made.store, made.at, "a@c.test")
        assert None is (await made.told(first))[0].why_not
        made.at += 12 * SECOND
        why_not = (await made.told(first))[0].why_not
        assert "somebody walked to b.test 12 s ago, and once in 30 s is enough; ask again in 18 s" == why_not
        assert None is (await made.told(other))[0].why_not
        made.at += EVERY
        assert None is (await made.told(first))[0].why_not


async def test_as_whom(tmp_path: Path) -> None:
    """Of a message that was never attempted: the first source address with its own name, and a return path that is the delivery's."""
    async with world(tmp_path, delivery={"source_addresses": ("127.0.0.1 mail7.us.test",)}) as made:
        (delivery,) = await accepted(made.store, made.at, "a@b.test")
        (live,) = await made.told(delivery)
    assert ("mail7.us.test", "127.0.0.1") == (live.helo, live.source_ip)
    assert "EHLO mail7.us.test" == made.server.heard[0]
    assert made.server.heard[1].startswith(f"MAIL FROM:<{live.mail_from}>")
    assert live.mail_from.endswith("@bounce.localhost")


async def test_who_is_not_walked_to(tmp_path: Path) -> None:
    """The simulator, an address literal, and anybody where the service keeps all mail on this machine."""
    async with world(tmp_path) as made:
        deliveries = await accepted(
            made.store, made.at, "bounce@simulator.amazonses.com", "a@[127.0.0.1]", "a@null.test"
        )
        simulator, literal, null = await made.told(deliveries[0])
    assert "mailbox simulator" in simulator.why_not
    assert "no domain" in literal.why_not
    assert "a null MX, the domain takes no mail" in null.headline
    async with world(tmp_path / "other", captured=True) as made:
        (delivery,) = await accepted(made.store, made.at, "a@b.test")
        (live,) = await made.told(delivery)
    assert "kept on this machine" in live.why_not
    assert 0 == made.server.connections


async def test_what_a_refusal_means(tmp_path: Path) -> None:
    """It is read by the rules that read the replies of attempts, and nothing follows from it for the recipient."""
    async with world(tmp_path, RCPT=b"550 5.1.1 User unknown\r\n") as made:
        (delivery,) = await accepted(made.store, made.at, "a@b.test")
        (live,) = await made.told(delivery)
        ledger = await made.store.ledger(delivery.message_id)
    assert "refuses this address for good" in live.headline
    assert ledger is not None
    assert ((delivery,), ()) == (ledger.deliveries, ledger.suppressions)
    (host,) = ledger.events[-1].fact.hosts  # type: ignore[union-attr] # a Probed
    assert Cause.USER_UNKNOWN is host.cause


async def test_through_a_relay(tmp_path: Path) -> None:
    """The relay is what all mail meets first."""
    async with world(tmp_path) as made:
        relayed = replace(
            made.prober.settings,
            delivery=replace(made.prober.settings.delivery, relay=f"smtp://127.0.0.1:{made.server.port}", port=1),
        )
        made.prober = replace(made.prober, settings=relayed)
        (delivery,) = await accepted(made.store, made.at, "a@b.test")
        (live,) = await made.told(delivery)
    assert "all mail goes to the relay 127.0.0.1" in live.steps[0].text
    assert "takes mail for this address" in live.headline


async def test_one_question_ends(tmp_path: Path) -> None:
    """Who comes after its time is over is asked for by another question."""
    async with world(tmp_path) as made:
        made.prober = replace(made.prober, seconds=1)
        (delivery,) = await accepted(made.store, made.at, "a@b.test")
        (live,) = await made.told(delivery)
    assert "the 1 s that one question may take were over" in live.why_not


class Unwritable:
    """The walks of a store on a full disk."""

    async def begin(self, domain: str, at: int, *, within: int) -> int | None:
        raise StoreUnavailable("the disk is full")


async def test_a_store_that_cannot_be_written(tmp_path: Path) -> None:
    """Nobody walks, since nobody could know of it later; the explanation is there all the same."""
    async with world(tmp_path) as made:
        (delivery,) = await accepted(made.store, made.at, "a@b.test")
        made.store.walks = Unwritable()  # type: ignore[misc] # for this test
        (live,) = await made.told(delivery)
    assert "the store cannot be written: the disk is full" in live.why_not
    assert 0 == made.server.connections
