"""What an attempt knows of sites, failed hosts, loops and source addresses."""

import asyncio
from dataclasses import replace

import pytest

from tests.deliver.delivering import CONFIG, PARCEL, delivering
from tests.deliver.test_attempt import TWO_HOSTS, notes
from tests.net.scripted import HANG, scripted
from waybill.deliver.evidence import Failure
from waybill.deliver.sources import Sources
from waybill.model.clock import now, rfc3339
from waybill.model.outcome import Result, Stage
from waybill.model.resource import INSTALLATION, DedicatedIp


async def test_the_site_and_the_provider_are_recorded() -> None:
    """An attempt names what the domain shares with others: a provider that is known by its hosts, else its best host."""
    zones = {
        "one.test": ["MX 10 aspmx.l.google.com"],
        "aspmx.l.google.com": ["A 127.0.0.1"],
        "own.test": ["MX 10 mx.own.test"],
        "mx.own.test": ["A 127.0.0.1"],
    }
    async with scripted() as server, delivering(server.port, zones) as setup:
        assert setup.deliverer.known_site("one.test") is None
        found = [
            await setup.deliverer.attempt(replace(PARCEL, recipient=f"b@{domain}"))
            for domain in ("one.test", "own.test", "nodomain.test")
        ]
        known = [setup.deliverer.known_site(domain) for domain in ("ONE.test.", "own.test", "nodomain.test")]
        asked = await setup.deliverer.site("nodomain.test")
    assert [(attempt.site, attempt.provider) for attempt in found] == [
        ("google", "google"),
        ("mx.own.test", None),
        ("nodomain.test", None),
    ]
    assert [site.name if site is not None else None for site in known] == ["google", "mx.own.test", None]
    assert asked.name == "nodomain.test"


async def test_a_host_that_failed_is_skipped_for_a_while() -> None:
    """The next attempt begins with the host that works, and says why the first was skipped; a success ends that."""
    async with scripted() as server, delivering(server.port, TWO_HOSTS) as setup:
        first = await setup.deliverer.attempt(PARCEL)
        second = await setup.deliverer.attempt(PARCEL)
    at = first.started_at
    assert first.hosts[0].endswith(f"Connection refused by mx1.b.test [127.0.0.2]:{server.port}")
    assert (second.outcome.result, second.mx, len(second.hosts)) == (Result.DELIVERED, "mx2.b.test", 2)
    skipped, _, since = second.hosts[0].rpartition(" at ")
    assert skipped == f"mx1.b.test [127.0.0.2]:{server.port}: skipped, it refused connections"
    assert since in {f"{rfc3339(at + more)[11:19]} UTC" for more in (0, 1_000)}


async def test_where_all_hosts_failed_they_are_tried_all_the_same() -> None:
    """Tried last is not never: with no better host the ones that failed are tried, and nothing is called skipped."""
    async with scripted() as server:
        port = server.port
    async with delivering(port, TWO_HOSTS) as setup:
        attempts = [await setup.deliverer.attempt(PARCEL) for _ in range(2)]
    assert [len(attempt.hosts) for attempt in attempts] == [2, 2]
    assert attempts[0].hosts == attempts[1].hosts
    assert "skipped" not in " ".join(attempts[1].hosts)


async def test_a_busy_greeting_rests_a_host_unless_we_keep_it_busy() -> None:
    """With another connection of ours open there, a 421 says that we have too many; the host is not at fault."""
    greetings = [b"220 hi\r\n", b"421 4.7.0 too many\r\n", b"220 hi\r\n"]
    async with scripted(says={"CONNECT": greetings, "MESSAGE": [HANG, b"250 ok\r\n"]}) as server:
        zones = {**TWO_HOSTS, "mx1.b.test": ["A 127.0.0.1"], "mx2.b.test": ["A 127.0.0.2"]}
        config = replace(CONFIG, max_messages=1)
        second = scripted(at=("127.0.0.2", server.port))
        async with second, delivering(server.port, zones, config) as setup:
            held = asyncio.ensure_future(setup.deliverer.attempt(PARCEL))
            await server.until(lambda: len(server.contents) == 1)
            put_off = await setup.deliverer.attempt(PARCEL)
            after = await setup.deliverer.attempt(PARCEL)
            held.cancel()
            await asyncio.gather(held, return_exceptions=True)
    assert (put_off.mx, put_off.hosts[0].endswith("421 4.7.0 too many")) == ("mx2.b.test", True)
    assert (after.mx, len(after.hosts)) == ("mx1.b.test", 1)


async def test_mail_to_ourselves_is_a_loop_by_address() -> None:
    """An MX whose address is where we listen, under whatever name, is this server (RFC 5321 §5.1)."""
    zones = {
        "b.test": ["MX 10 far.test", "MX 20 other.test", "MX 20 alias.test", "MX 30 last.test"],
        "far.test": ["A 127.0.0.3"],
        "other.test": ["A 127.0.0.4"],
        "alias.test": ["A 127.0.0.1"],
        "last.test": ["A 127.0.0.1"],
        "us.only.test": ["A 127.0.0.1"],
    }
    async with scripted() as server:
        config = replace(CONFIG, listening=(("127.0.0.1", server.port),))
        async with delivering(server.port, zones, config) as setup:
            attempt = await setup.deliverer.attempt(PARCEL)
            only = await setup.deliverer.attempt(replace(PARCEL, recipient="b@us.only.test"))
    assert (server.connections, attempt.mx) == (0, "far.test")
    assert [line.partition(":")[0] for line in attempt.hosts] == ["far.test [127.0.0.3]", "alias.test"]
    assert [evidence.failure for evidence in setup.verdicts.seen] == [Failure.CONNECTION_REFUSED, Failure.LOOP]
    assert only.outcome.diagnostic.startswith(f"[127.0.0.1]:{server.port} is this server")


async def test_the_source_has_its_name_in_ehlo() -> None:
    """A source address is said hello from with its own name, the others with the host name."""
    config = replace(CONFIG, source_addresses=("127.0.0.9 mail9.us.test",))
    async with scripted() as server, delivering(server.port, config=config) as setup:
        attempt = await setup.deliverer.attempt(PARCEL)
    assert (attempt.helo, attempt.source_ip, server.heard[0]) == ("mail9.us.test", "127.0.0.9", "EHLO mail9.us.test")


async def test_a_pool_sends_from_its_own_address_or_not_at_all() -> None:
    """Mail of a pool goes from its addresses; of an empty pool from none, and the attempt says so."""
    config = replace(CONFIG, source_addresses=("127.0.0.8", "127.0.0.9 mail9.us.test"))
    ip = DedicatedIp(account=INSTALLATION, name="127.0.0.9", owner="1", pool="marketing")
    async with scripted() as server, delivering(server.port, config=config) as setup:
        setup.deliverer.sources.update((ip,))
        attempts = [
            await setup.deliverer.attempt(replace(PARCEL, pool=pool)) for pool in ("1/marketing", None, "1/empty")
        ]
    assert [attempt.source_ip for attempt in attempts] == ["127.0.0.9", "127.0.0.8", None]
    (evidence,) = setup.verdicts.seen
    assert (evidence.failure, evidence.stage, server.connections) == (Failure.NO_SOURCE, Stage.ROUTE, 2)
    assert evidence.text in notes(attempts[2])


@pytest.mark.parametrize(("verb", "sent"), [("CONNECT", 0), ("RCPT", 3)])
async def test_a_message_counts_for_its_warming_address_once_the_server_has_heard_of_it(verb: str, sent: int) -> None:
    """What was put off before MAIL has cost nothing of the day."""
    config = replace(CONFIG, source_addresses=("127.0.0.9",))
    says = {verb: [b"421 4.7.0 later\r\n"]}
    async with scripted(says=says) as server, delivering(server.port, config=config) as setup:
        sources = setup.deliverer.sources
        sources.update((DedicatedIp(account=INSTALLATION, name="127.0.0.9", warm_up_from=now()),))
        for _ in range(3):
            await setup.deliverer.attempt(PARCEL)
        left = next(more for more in range(99) if _is_used_up_after(sources, more))
    assert left == 50 - sent


def _is_used_up_after(sources: Sources, more: int) -> bool:
    """Whether so many more messages use the day up; they are taken back."""
    at = now()
    sources.count("127.0.0.9", "mx.b.test", at, more)
    used_up = sources.hold(None, "mx.b.test", at) is not None
    sources.count("127.0.0.9", "mx.b.test", at, -more)
    return used_up
