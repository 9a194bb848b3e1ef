"""Connections are reused, bounded, and never lose or double a message."""

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.deliver.delivering import CONFIG, CONTENT, PARCEL, PATIENT, delivering
from tests.net.scripted import DROP, HANG, scripted
from waybill.deliver.attempt import Parcel
from waybill.model.outcome import Result, Speaker


async def test_one_connection_for_many_messages() -> None:
    """Messages in a row share a connection, and each transcript is its own."""
    async with scripted() as server, delivering(server.port) as setup:
        attempts = [await setup.deliverer.attempt(PARCEL) for _ in range(5)]
    assert [attempt.reused_connection for attempt in attempts] == [False, True, True, True, True]
    assert {attempt.outcome.result for attempt in attempts} == {Result.DELIVERED}
    assert (server.connections, len(server.contents)) == (1, 5)
    clients = [[line.text for line in attempt.transcript if line.who is Speaker.CLIENT] for attempt in attempts]
    assert (clients[0][0], clients[1][0], len(clients[4])) == ("EHLO us.test", clients[0][1], 3)
    assert server.heard[-1] == "QUIT"


async def test_a_connection_is_given_up_after_so_many_messages() -> None:
    """Not more than ``max_messages`` go over one connection; it is left with QUIT."""
    async with scripted() as server, delivering(server.port, config=replace(CONFIG, max_messages=2)) as setup:
        for _ in range(5):
            await setup.deliverer.attempt(PARCEL)
    assert (server.connections, server.heard.count("QUIT")) == (3, 3)


async def test_an_idle_connection_is_closed() -> None:
    """After ``max_idle`` the server is left, and the next message finds a new connection."""
    async with scripted() as server, delivering(server.port, config=replace(CONFIG, max_idle=0.02)) as setup:
        await setup.deliverer.attempt(PARCEL)
        await server.until(lambda: not server.open_now)
        attempt = await setup.deliverer.attempt(PARCEL)
    assert (attempt.reused_connection, server.connections) == (False, 2)


async def test_fifty_at_once_over_few_connections() -> None:
    """All are delivered, over no more connections than configured."""
    async with scripted() as server, delivering(server.port, config=replace(CONFIG, connections=3)) as setup:
        attempts = await asyncio.gather(*(setup.deliverer.attempt(PARCEL) for _ in range(50)))
    assert [attempt.outcome.result for attempt in attempts] == [Result.DELIVERED] * 50
    assert (server.most_open, server.connections, server.contents) == (3, 3, [CONTENT] * 50)


ORANGE = {
    "b.test": ["MX 10 smtp-in.orange.fr"],
    "c.test": ["MX 10 smtp-in.laposte.net"],
    "smtp-in.orange.fr": ["A 127.0.0.1"],
    "smtp-in.laposte.net": ["A 127.0.0.1"],
    "d.test": ["MX 10 mx01.mail.icloud.com"],
    "mx01.mail.icloud.com": ["A 127.0.0.1"],
}


def to(domain: str) -> Parcel:
    return replace(PARCEL, recipient=f"b@{domain}")


@pytest.mark.parametrize(("workers", "most"), [(1, 2), (2, 1)])
async def test_all_hosts_of_a_provider_share_its_connections(workers: int, most: int) -> None:
    """Two domains, two hosts, one provider: together they have no more connections than it bears, each worker its share."""
    config = replace(CONFIG, workers=workers)
    async with scripted() as server, delivering(server.port, ORANGE, config) as setup:
        attempts = await asyncio.gather(
            *(setup.deliverer.attempt(to(domain)) for _ in range(20) for domain in ("b.test", "c.test"))
        )
    assert [attempt.outcome.result for attempt in attempts] == [Result.DELIVERED] * 40
    assert (server.most_open, len(server.contents)) == (most, 40)
    assert server.connections <= 4  # the line is served in the order that spares connections


async def test_an_idle_connection_to_another_host_makes_room() -> None:
    """At the limit the one that nobody uses is left with QUIT before the new one is opened."""
    config = replace(CONFIG, workers=2)
    async with scripted() as server, delivering(server.port, ORANGE, config) as setup:
        attempts = [await setup.deliverer.attempt(to(domain)) for domain in ("b.test", "c.test", "b.test")]
    assert [attempt.reused_connection for attempt in attempts] == [False, False, False]
    assert (server.most_open, server.connections, server.heard.count("QUIT")) == (1, 3, 3)


async def test_a_connection_carries_as_many_messages_as_the_provider_bears() -> None:
    """Five at Apple, whatever the default is."""
    async with scripted() as server, delivering(server.port, ORANGE) as setup:
        for _ in range(11):
            await setup.deliverer.attempt(to("d.test"))
    assert server.connections == 3


async def test_an_open_connection_is_used_before_its_equals() -> None:
    """Of hosts with one preference the one with an open connection is taken; which came first was chance."""
    zones = {"b.test": [f"MX 10 mx{last}.b.test" for last in range(1, 9)]}
    zones.update({f"mx{last}.b.test": ["A 127.0.0.1"] for last in range(1, 9)})
    async with scripted() as server, delivering(server.port, zones) as setup:
        attempts = [await setup.deliverer.attempt(PARCEL) for _ in range(8)]
    assert ({attempt.mx for attempt in attempts}, server.connections) == ({attempts[0].mx}, 1)


async def test_a_refusal_leaves_the_connection_in_use() -> None:
    """A refused recipient is reset, and the next message goes over the same connection."""
    rcpt = [b"550 5.1.1 nobody\r\n", b"250 ok\r\n"]
    data = [b"503 no recipients\r\n", b"354 go\r\n"]
    async with scripted(RCPT=rcpt, DATA=data) as server, delivering(server.port) as setup:
        first = await setup.deliverer.attempt(PARCEL)
        second = await setup.deliverer.attempt(PARCEL)
    assert (first.outcome.result, second.outcome.result) == (Result.BOUNCED, Result.DELIVERED)
    assert (second.reused_connection, server.connections) == (True, 1)


@pytest.mark.parametrize("stale", [DROP, b"421 4.4.2 idle too long\r\n" + DROP])
async def test_a_stale_connection_is_replaced_without_a_duplicate(stale: bytes) -> None:
    """A reused connection that is dead at its first command is replaced by a new one within the attempt."""
    mail = [b"250 ok\r\n", stale, b"250 ok\r\n"]
    async with scripted(MAIL=mail) as server, delivering(server.port) as setup:
        await setup.deliverer.attempt(PARCEL)
        attempt = await setup.deliverer.attempt(PARCEL)
    assert (attempt.outcome.result, attempt.reused_connection) == (Result.DELIVERED, False)
    assert (server.connections, server.contents) == (2, [CONTENT, CONTENT])
    assert "The connection had gone stale and nothing was sent; a new one is tried" in [
        line.text for line in attempt.transcript
    ]


async def test_a_connection_closed_while_idle_is_not_used() -> None:
    """What the server closed in the meantime is noticed before anything is sent."""
    async with scripted(MESSAGE=b"250 ok\r\n" + DROP) as server, delivering(server.port) as setup:
        for _ in range(3):
            attempt = await setup.deliverer.attempt(PARCEL)
            assert (attempt.outcome.result, attempt.reused_connection) == (Result.DELIVERED, False)
            await server.until(lambda: not server.open_now)
            await asyncio.sleep(0.01)  # until the client has seen it too
    assert server.connections == 3


async def test_content_sent_over_a_reused_connection_is_not_sent_again() -> None:
    """Once the content is out, a lost connection is not retried within the attempt."""
    message = [b"250 ok\r\n", DROP]
    async with scripted(MESSAGE=message) as server, delivering(server.port) as setup:
        await setup.deliverer.attempt(PARCEL)
        attempt = await setup.deliverer.attempt(PARCEL)
    assert (attempt.outcome.result, len(server.contents)) == (Result.DEFERRED, 2)


async def test_a_cancelled_attempt_gives_its_place_back() -> None:
    """Attempts cut off at a hanging server leave no connection behind, and free their place in the line."""
    config = replace(CONFIG, connections=2)
    async with scripted(MESSAGE=[HANG, HANG, b"250 ok\r\n"]) as server, delivering(server.port, config=config) as setup:
        stuck = [asyncio.ensure_future(setup.deliverer.attempt(PARCEL)) for _ in range(4)]
        await server.until(lambda: len(server.contents) == 2)
        for task in (*stuck[:2], stuck[3]):
            task.cancel()
        attempt = await stuck[2]
        await asyncio.gather(*stuck, return_exceptions=True)
    assert attempt.outcome.result is Result.DELIVERED
    assert server.most_open <= 3  # the server learns of an aborted connection a moment later


async def test_connections_that_cannot_be_opened_free_their_place() -> None:
    """More attempts than connections at a server that is down all come to an end."""
    async with scripted() as server:
        pass
    async with delivering(server.port, config=replace(CONFIG, connections=2)) as setup:
        attempts = await asyncio.gather(*(setup.deliverer.attempt(PARCEL) for _ in range(10)))
    assert {attempt.outcome.result for attempt in attempts} == {Result.DEFERRED}


@given(
    turns=st.lists(
        st.sampled_from([b"250 ok\r\n", b"250 ok\r\n", b"550 5.7.1 no\r\n", b"421 4.3.2 bye\r\n" + DROP, DROP]),
        min_size=1,
        max_size=12,
    )
)
@settings(max_examples=25, deadline=None)
def test_every_message_has_one_fate(turns: list[bytes]) -> None:
    """Whatever the server does after each message, every attempt ends, and each content was sent once."""

    async def deliver() -> None:
        config = replace(CONFIG, connections=2, timeouts=replace(PATIENT, message=2))
        async with scripted(MESSAGE=turns) as server, delivering(server.port, config=config) as setup:
            attempts = await asyncio.gather(*(setup.deliverer.attempt(PARCEL) for _ in range(12)))
        assert len(server.contents) == len(attempts) == 12
        taken = [attempt for attempt in attempts if attempt.outcome.result is Result.DELIVERED]
        later = (turns + [turns[-1]] * 12)[:12]
        assert len(taken) == sum(turn.startswith(b"250") for turn in later)

    asyncio.run(deliver())
