"""Names and encryption: what goes wrong there touches one receiver alone, is on record, and loses nothing."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from tests.lessons.journey import Journey, journey
from tests.net.scripted import Scripted, scripted
from tests.queue.queueing import World
from tests.store.builders import ACCOUNT, START, accepted, message
from waybill.model.cause import Cause, Responder
from waybill.model.clock import HOUR
from waybill.model.message import Status
from waybill.model.outcome import Attempt, Speaker, Stage
from waybill.model.resource import ConfigurationSet

OFFER = b"250-mx.test\r\n250 STARTTLS\r\n"


async def only_attempt(trip: Journey, **changes: Any) -> tuple[Attempt, Status, Cause | None]:
    """Sends one message; what came of it."""
    (delivery,) = await trip.send("u@a.test", **changes)
    (attempt,) = await trip.attempts(delivery)
    return attempt, delivery.status, delivery.cause


async def test_a_name_server_that_is_silent_holds_up_its_own_domains_alone(world: World) -> None:
    """While fifty domains wait for their lookups, mail to one whose name is answered goes out."""
    zones = {f"d{number}.test": ["TIMEOUT"] for number in range(50)} | {
        "fine.test": ["MX 10 mx.fine.test"],
        "mx.fine.test": ["A 127.0.0.1"],
    }
    async with scripted() as server, journey(world, server.port, zones) as trip:
        await accepted(world.store, START, *(f"u@d{number}.test" for number in range(50)), "u@fine.test")
        await trip.queue.work_once()
        async with asyncio.timeout(10):
            await server.until(lambda: bool(server.contents))
        assert trip.queue._running
        for _ in range(2):  # what is cancelled makes room for what waits
            for task in list(trip.queue._running):
                task.cancel()
            await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("records", "status", "cause"),
    [
        (["SERVFAIL"], Status.DELAYED, Cause.DNS_FAILURE),
        (["REFUSED"], Status.DELAYED, Cause.DNS_FAILURE),
        (["NXDOMAIN"], Status.BOUNCED, Cause.DOMAIN_NOT_FOUND),
        (["MX 0 ."], Status.BOUNCED, Cause.DOMAIN_NO_MAIL),
        (["MX 10 localhost", "MX 20 mx.a.test"], Status.DELIVERED, Cause.ACCEPTED_BY_RECEIVER),
    ],
    ids=["SERVFAIL", "REFUSED", "NXDOMAIN", "null MX", "one bad host"],
)
async def test_what_dns_says_is_not_confused(
    world: World, records: Sequence[str], status: Status, cause: Cause
) -> None:
    """A resolver in trouble is waited for; an absent domain and a null MX are final; one bad host leaves the others."""
    zones = {"a.test": records, "mx.a.test": ["A 127.0.0.1"], "localhost": ["NXDOMAIN"]}
    async with scripted() as server, journey(world, server.port, zones) as trip:
        attempt, ended, found = await only_attempt(trip)
    assert (status, cause) == (ended, found)
    if status is not Status.DELIVERED:
        assert (Responder.DNS, Stage.ROUTE) == (attempt.outcome.responder, attempt.outcome.stage)
        assert "a.test" in attempt.outcome.diagnostic
    listed = await world.store.suppressed(ACCOUNT, ["u@a.test"], world.at)
    assert (cause is Cause.DOMAIN_NO_MAIL) is bool(listed)


def is_in_clear(attempt: Attempt, server: Scripted) -> bool:
    return attempt.tls is None and len(server.contents) == 1


async def test_an_old_receiver_whose_tls_is_broken_gets_its_mail_all_the_same(world: World) -> None:
    """Optional TLS that cannot be agreed on is no reason to wait; the record says that it went in clear, and why."""
    async with scripted(EHLO=OFFER, STARTTLS=b"220 go on\r\nnonsense\r\n<drop>") as server:
        async with journey(world, server.port) as trip:
            attempt, status, _ = await only_attempt(trip)
        assert is_in_clear(attempt, server)
    assert Status.DELIVERED is status
    assert attempt.clear_because
    assert "TLS is not required" in attempt.clear_because
    assert any("in clear" in line.text for line in attempt.transcript if line.who is Speaker.NOTE)


async def test_a_receiver_without_tls_is_no_failure(world: World) -> None:
    """STARTTLS that is not offered and not asked for is told in the record, and in no verdict."""
    async with scripted(EHLO=b"250 mx.test\r\n") as server, journey(world, server.port) as trip:
        attempt, status, cause = await only_attempt(trip)
    assert (Status.DELIVERED, Cause.ACCEPTED_BY_RECEIVER) == (status, cause)
    assert attempt.clear_because
    assert "STARTTLS" in attempt.clear_because


async def test_where_tls_is_required_nothing_goes_in_clear(world: World) -> None:
    """The configuration set's policy is kept over the receiver's inability: put off, with the cause, and nobody is listed."""
    await world.store.put(ConfigurationSet(account=ACCOUNT, name="strict", created_at=START, tls_required=True))
    async with scripted(EHLO=b"250 mx.test\r\n") as server, journey(world, server.port) as trip:
        attempt, status, cause = await only_attempt(trip, message=message(configuration_set="strict"))
        assert [] == server.contents
    assert (Status.DELAYED, Cause.TLS_REQUIRED) == (status, cause)
    assert "configuration set" == attempt.tls_policy
    assert [] == await world.store.suppressions(ACCOUNT)


async def test_a_dead_host_does_not_slow_every_message_down(world: World) -> None:
    """The host that failed is skipped for a while, and the record of each message says which was skipped and why."""
    zones = {
        "a.test": ["MX 10 mx1.a.test", "MX 20 mx2.a.test"],
        "mx1.a.test": ["A 127.0.0.8"],
        "mx2.a.test": ["A 127.0.0.1"],
    }
    async with scripted() as server, journey(world, server.port, zones) as trip:
        first, second = [await only_attempt(trip) for _ in range(2)]
    assert [Status.DELIVERED] * 2 == [first[1], second[1]]
    assert "refused" in first[0].hosts[0]
    assert "mx1.a.test" in second[0].hosts[0]
    assert "skipped" in second[0].hosts[0] or "rest" in second[0].hosts[0]


async def test_a_domain_that_comes_back_gets_its_mail(world: World) -> None:
    """DNS that fails for hours costs nothing but time."""
    zones: dict[str, Sequence[str]] = {"a.test": ["SERVFAIL"], "mx.a.test": ["A 127.0.0.1"]}
    async with scripted() as server:
        async with journey(world, server.port, zones) as trip:
            (delivery,) = await trip.send("u@a.test")
            while world.at < START + 3 * HOUR:
                delivery = await trip.go_on(delivery)
                assert Status.DELAYED is delivery.status
        async with journey(world, server.port, zones | {"a.test": ["MX 10 mx.a.test"]}) as trip:
            while delivery.status is Status.DELAYED:
                delivery = await trip.go_on(delivery)
    assert Status.DELIVERED is delivery.status
