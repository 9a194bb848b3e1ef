"""Whether it is us: several sites in a row out of reach are held against servers that answered before."""

import asyncio

import pytest

from waybill.queue.egress import DOUBTED_SITES, Egress
from waybill.serve.egress import WITNESSES, connect_to, judge
from waybill.serve.health import State


def silent(egress: Egress, count: int = DOUBTED_SITES) -> Egress:
    for number in range(count):
        egress.was_silent(f"s{number}.example", "Connecting timed out")
    return egress


async def reached(_ip: str) -> str | None:
    return None


async def refused(_ip: str) -> str | None:
    return "Connection refused"


async def never(_ip: str) -> str | None:
    raise AssertionError("nobody is to be asked")


async def test_nobody_is_asked_without_a_doubt() -> None:
    """One dead site raises none, however often; nor do many with an answer between them."""
    egress = Egress()
    for _ in range(100):
        egress.was_silent("dead.example", "refused")
    silent(egress, DOUBTED_SITES - 2)
    egress.answered("mx.a.example", "192.0.2.1")
    silent(egress, DOUBTED_SITES - 1)
    found = await judge(egress, never, resolver_well=True)
    assert (State.OK, True) == (found.state, found.evidence.startswith("1 attempts were answered, 107 found nobody"))


async def test_the_others_are_to_blame() -> None:
    """A server that answered before can still be reached."""
    egress = Egress()
    egress.answered("mx.a.example", "192.0.2.1")
    found = await judge(silent(egress), reached, resolver_well=True)
    assert State.OK is found.state
    assert "5 sites in a row cannot be connected to, last s4.example: Connecting timed out" in found.evidence
    assert "mx.a.example [192.0.2.1] can be connected to" in found.evidence


async def test_we_are_to_blame() -> None:
    """None of those who answered before can be reached."""
    egress = Egress()
    for number in range(WITNESSES + 2):
        egress.answered(f"mx{number}.example", f"192.0.2.{number}")
    found = await judge(silent(egress), refused, resolver_well=True)
    assert State.FAILING is found.state
    assert "nor can those who answered before: mx4.example [192.0.2.4] (Connection refused)" in found.evidence
    assert "mx1.example" not in found.evidence
    assert "the port may be closed on the way out" in found.evidence


@pytest.mark.parametrize("resolver_well", [True, False])
async def test_nobody_knows(*, resolver_well: bool) -> None:
    """A worker that never reached anybody has nobody to ask."""
    found = await judge(silent(Egress()), never, resolver_well=resolver_well)
    assert (State.DEGRADED, resolver_well) == (found.state, "the DNS answers" in found.evidence)


async def test_connecting() -> None:
    """To a port where somebody listens, and where nobody does any more."""
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    assert None is await connect_to("127.0.0.1", port)
    server.close()
    await server.wait_closed()
    assert "refused" in str(await connect_to("127.0.0.1", port)).lower()


def test_memory_is_bounded() -> None:
    """Neither who answered nor who did not is remembered without end."""
    egress = Egress()
    for number in range(1_000):
        egress.answered("mx.example", f"ip{number}")
    assert [("mx.example", "ip999"), ("mx.example", "ip998")] == list(egress.witnesses(2))
    assert 50 == len(egress.witnesses(1_000))
    assert str(silent(egress, 1_000).doubt()).startswith("100 sites in a row")
