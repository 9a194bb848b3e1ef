import asyncio
import socket
import struct
from collections.abc import AsyncIterator

import dns.asyncquery
import dns.flags
import dns.message
import dns.rcode
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from waybill.lab.dns import LabDns, Misbehaviour, ZoneError, Zones

TABLE = {
    "b.example": ["MX 10 mx.b.example", "MX 20 mx2.b.example", "TXT v=spf1 ip4:192.0.2.1; -all"],
    "mx.b.example": ["A 127.0.0.1", "AAAA ::1"],
    "null.example": ["MX 0 ."],
    "alias.example": ["CNAME mx.b.example"],
    "round.example": ["CNAME round.example"],
    "*.wild.example": ["A 127.0.0.7"],
    "empty.example": [],
    "fail.example": ["SERVFAIL"],
    "no.example": ["refused"],
    "silent.example": ["TIMEOUT"],
    "long.example": [f"TXT {'x' * 3_000}"],
    "deep.sub.example": ["A 127.0.0.1"],
}


@pytest.fixture
async def server() -> AsyncIterator[LabDns]:
    async with LabDns(TABLE) as running:
        yield running


async def _ask(server: LabDns, name: str, kind: str, *, tcp: bool = False) -> dns.message.Message:
    host, _, port = server.address.partition(":")
    query = dns.message.make_query(name, kind)
    if tcp:
        return await dns.asyncquery.tcp(query, host, timeout=5, port=int(port))
    return await dns.asyncquery.udp(query, host, timeout=5, port=int(port))


@pytest.mark.parametrize("tcp", [False, True])
@pytest.mark.parametrize(
    ("name", "kind", "rcode", "records"),
    [
        ("b.example", "MX", "NOERROR", ["10 mx.b.example.", "20 mx2.b.example."]),
        ("B.Example", "TXT", "NOERROR", ['"v=spf1 ip4:192.0.2.1; -all"']),
        ("mx.b.example", "AAAA", "NOERROR", ["::1"]),
        ("null.example", "MX", "NOERROR", ["0 ."]),
        ("alias.example", "A", "NOERROR", ["mx.b.example.", "127.0.0.1"]),
        ("x.y.wild.example", "A", "NOERROR", ["127.0.0.7"]),
        ("wild.example", "A", "NOERROR", []),
        ("sub.example", "A", "NOERROR", []),
        ("empty.example", "MX", "NOERROR", []),
        ("b.example", "A", "NOERROR", []),
        ("unheard.of", "A", "NXDOMAIN", []),
        ("x.b.example", "A", "NXDOMAIN", []),
        ("fail.example", "MX", "SERVFAIL", []),
        ("no.example", "MX", "REFUSED", []),
    ],
)
async def test_answers(server: LabDns, name: str, kind: str, rcode: str, records: list[str], *, tcp: bool) -> None:
    """The table is what the world hears, over UDP and TCP alike."""
    answer = await _ask(server, name, kind, tcp=tcp)
    assert dns.rcode.to_text(answer.rcode()) == rcode
    assert sorted(record.to_text() for rrset in answer.answer for record in rrset) == sorted(records)
    assert answer.flags & dns.flags.AA


async def test_silence_is_silence(server: LabDns) -> None:
    """TIMEOUT gets no answer at all, while others go on being answered."""
    silent = asyncio.create_task(_ask(server, "silent.example", "A"))
    assert (await _ask(server, "b.example", "MX")).answer
    assert not silent.done()
    silent.cancel()
    with pytest.raises(asyncio.CancelledError):
        await silent
    assert sorted(server.queries) == [("b.example", "MX"), ("silent.example", "A")]


async def test_long_answers_go_over_tcp(server: LabDns) -> None:
    """What does not fit a datagram is marked truncated, and whole over TCP."""
    short = await _ask(server, "long.example", "TXT")
    assert short.flags & dns.flags.TC
    whole = await _ask(server, "long.example", "TXT", tcp=True)
    assert len(b"".join(whole.answer[0][0].strings)) == 3_000


async def test_circle_of_aliases_ends(server: LabDns) -> None:
    """A CNAME that leads to itself is answered, not followed for ever."""
    assert (await _ask(server, "round.example", "A")).rcode() == dns.rcode.NOERROR


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("MX mx", "b.example: 'MX mx' cannot be read as MX"),
        ("A 300.1.1.1", "'A 300.1.1.1' cannot be read as A"),
        ("SPF x", "'SPF x' is no record; allowed is a record such as 'MX 10 mx.example'"),
    ],
)
def test_fault_in_table_is_named(line: str, fault: str) -> None:
    """A wrong line is refused with its owner and what is allowed."""
    with pytest.raises(ZoneError, match=fault):
        Zones({"b.example": [line]})


def test_what_must_stand_alone() -> None:
    """A misbehaviour has no records beside it, nor has a CNAME."""
    with pytest.raises(ZoneError, match="SERVFAIL must stand alone"):
        Zones({"b.example": ["SERVFAIL", "A 127.0.0.1"]})
    with pytest.raises(ZoneError, match="a CNAME must stand alone"):
        Zones({"b.example": ["CNAME c.example", "A 127.0.0.1"]})
    assert Zones({"*": ["NXDOMAIN"]}).find("anything.at.all") is Misbehaviour.NXDOMAIN


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300))
def test_any_datagram_is_survived(wire: bytes) -> None:
    """Octets that are no query get no answer, and nothing breaks."""
    server = LabDns(TABLE)
    answer = server.answer(wire, limit=512)
    assert answer is None or len(answer) <= 512


async def test_tcp_message_in_pieces(server: LabDns) -> None:
    """A query that arrives octet by octet is answered when it is whole."""
    wire = dns.message.make_query("b.example", "MX").to_wire()
    host, _, port = server.address.partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    for octet in struct.pack("!H", len(wire)) + wire:
        writer.write(bytes([octet]))
        await writer.drain()
    (size,) = struct.unpack("!H", await reader.readexactly(2))
    assert dns.message.from_wire(await reader.readexactly(size)).answer
    writer.close()
    await writer.wait_closed()


async def test_taken_port_is_an_error() -> None:
    """A port asked for by number is not exchanged for another."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(OSError, match="in use"):
            await LabDns(TABLE, port=taken.getsockname()[1]).start()
