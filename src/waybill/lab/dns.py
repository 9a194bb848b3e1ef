"""An authoritative DNS server on loopback for the lab: it answers from a table, and misbehaves where the table says so."""

import asyncio
import struct
from collections.abc import Mapping, Sequence
from enum import StrEnum
from types import TracebackType
from typing import Self, cast

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset

TTL = 5
PORT_ATTEMPTS = 20
CNAME_LIMIT = 8
RECORD_TYPES = ("A", "AAAA", "CNAME", "MX", "NS", "PTR", "SOA", "SRV", "TLSA", "TXT")


class Misbehaviour(StrEnum):
    """What a name may do instead of having records."""

    NXDOMAIN = "NXDOMAIN"
    SERVFAIL = "SERVFAIL"
    REFUSED = "REFUSED"
    TIMEOUT = "TIMEOUT"


class ZoneError(ValueError):
    """The zone table holds something that is no record and no misbehaviour."""


_Records = dict[dns.rdatatype.RdataType, tuple[dns.rdata.Rdata, ...]]


class Zones:
    """The table that :class:`LabDns` answers from, parsed and checked.

    ``table`` maps a name to lines such as ``MX 10 mx.b.example``, ``MX 0 .`` (null MX, RFC 7505), ``A 127.0.0.1``,
    ``TXT v=spf1 -all`` (quotes optional), or to one of ``NXDOMAIN``, ``SERVFAIL``, ``REFUSED``, ``TIMEOUT``.
    A name ``*.b.example`` is a wildcard (RFC 4592) and ``*`` answers for every name that is not listed.
    An empty list makes a name that exists and has no records.

    Raises:
        ZoneError: a line cannot be read; the text names the owner and the line.
    """

    def __init__(self, table: Mapping[str, Sequence[str]]) -> None:
        self._nodes: dict[str, _Records | Misbehaviour] = {}
        for owner, lines in table.items():
            self._nodes[_key(owner)] = _read_node(owner, lines)
        self._inner = {ancestor for name in self._nodes for ancestor in _ancestors(name)}

    def find(self, name: str) -> _Records | Misbehaviour:
        """What the table says about ``name``: its records (none: NODATA), or how to misbehave."""
        key = _key(name)
        if key in self._nodes:
            return self._nodes[key]
        if key in self._inner:  # an empty non-terminal exists (RFC 4592 §2.2.2)
            return {}
        for ancestor in _ancestors(key):
            wildcard = f"*.{ancestor}"
            if wildcard in self._nodes:
                return self._nodes[wildcard]
            if ancestor in self._nodes or ancestor in self._inner:
                break
        return self._nodes.get("*", Misbehaviour.NXDOMAIN)


class LabDns:
    """The server: UDP and TCP on one port. ``async with LabDns(zones) as dns: dns.address``."""

    def __init__(self, zones: Mapping[str, Sequence[str]], *, host: str = "127.0.0.1", port: int = 0) -> None:
        self.zones = Zones(zones)
        self.queries: list[tuple[str, str]] = []
        self._host = host
        self._port = port
        self._udp: asyncio.DatagramTransport | None = None
        self._tcp: asyncio.Server | None = None
        self._connections: set[asyncio.BaseTransport] = set()

    @property
    def address(self) -> str:
        """Where it listens: ``127.0.0.1:5353``."""
        return f"{self._host}:{self._port}"

    async def start(self) -> None:
        """Begin to answer.

        Raises:
            OSError: the port is taken.
        """
        loop = asyncio.get_running_loop()
        for attempt in range(PORT_ATTEMPTS):
            tcp = await loop.create_server(lambda: _TcpAnswers(self, self._connections), self._host, self._port)
            port = int(tcp.sockets[0].getsockname()[1])
            try:
                self._udp, _ = await loop.create_datagram_endpoint(
                    lambda: _UdpAnswers(self), local_addr=(self._host, port)
                )
            except OSError:
                tcp.close()
                await tcp.wait_closed()
                if self._port or attempt + 1 == PORT_ATTEMPTS:  # the same number may be taken for UDP only
                    raise
                continue
            self._tcp, self._port = tcp, port
            return

    async def close(self) -> None:
        """Stop answering and close every connection."""
        if self._udp is not None:
            self._udp.close()
        if self._tcp is not None:
            self._tcp.close()
            for connection in tuple(self._connections):
                connection.close()
            await self._tcp.wait_closed()
        await asyncio.sleep(0)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def answer(self, wire: bytes, *, limit: int | None) -> bytes | None:
        """The response to a query in wire form; None where the lab stays silent.

        ``limit`` is the most octets that UDP carries (RFC 1035 §4.2.1, raised by EDNS); None for TCP.
        """
        try:
            query = dns.message.from_wire(wire)
        except dns.exception.DNSException:
            return None
        if not query.question or query.flags & dns.flags.QR:
            return None
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        self.queries.append((name, dns.rdatatype.to_text(question.rdtype)))
        del self.queries[:-1000]
        response = dns.message.make_response(query)
        response.flags |= dns.flags.AA
        if not _fill(response, self.zones, question):
            return None
        most = 65_535 if limit is None else max(limit, query.payload if query.edns >= 0 else 0)
        try:
            return response.to_wire(max_size=most)
        except dns.exception.TooBig:
            short = dns.message.make_response(query)
            short.flags |= dns.flags.AA | dns.flags.TC  # ask again over TCP (RFC 2181 §9)
            return short.to_wire()


def _fill(response: dns.message.Message, zones: Zones, question: dns.rrset.RRset) -> bool:
    """Put the answer into ``response``; False where there is to be none."""
    name = question.name
    for _ in range(CNAME_LIMIT):
        found = zones.find(name.to_text(omit_final_dot=True))
        if found is Misbehaviour.TIMEOUT:
            return False
        if isinstance(found, Misbehaviour):
            response.set_rcode(dns.rcode.from_text(found.value))
            break
        alias = found.get(dns.rdatatype.CNAME, ())
        if alias and question.rdtype != dns.rdatatype.CNAME:
            response.answer.append(dns.rrset.from_rdata_list(name, TTL, alias))
            name = dns.name.from_text(alias[0].to_text())
            continue
        records = found.get(question.rdtype, ())
        if records:
            response.answer.append(dns.rrset.from_rdata_list(name, TTL, records))
        break
    if not response.answer and response.rcode() in {dns.rcode.NOERROR, dns.rcode.NXDOMAIN}:
        # A negative answer lives as long as its SOA says (RFC 2308 §3).
        soa = f"lab.invalid. postmaster.lab.invalid. 1 {TTL} {TTL} {TTL} {TTL}"
        response.authority.append(dns.rrset.from_text(".", TTL, "IN", "SOA", soa))
    return True


class _UdpAnswers(asyncio.DatagramProtocol):
    def __init__(self, server: LabDns) -> None:
        self._server = server
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        answer = self._server.answer(data, limit=512)
        if answer is not None and self._transport is not None:
            self._transport.sendto(answer, addr)


class _TcpAnswers(asyncio.Protocol):
    """Messages with a length of two octets before each (RFC 1035 §4.2.2)."""

    def __init__(self, server: LabDns, connections: set[asyncio.BaseTransport]) -> None:
        self._server = server
        self._connections = connections
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._connections.add(transport)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the signature is asyncio's
        if self._transport is not None:
            self._connections.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while len(self._buffer) >= 2:
            (size,) = struct.unpack_from("!H", self._buffer)
            if len(self._buffer) < 2 + size:
                return
            wire = bytes(self._buffer[2 : 2 + size])
            del self._buffer[: 2 + size]
            answer = self._server.answer(wire, limit=None)
            if answer is not None and self._transport is not None:
                self._transport.write(struct.pack("!H", len(answer)) + answer)


def _read_node(owner: str, lines: Sequence[str]) -> _Records | Misbehaviour:
    words = [line.strip() for line in lines]
    for word in words:
        if word.upper() in Misbehaviour.__members__:
            if len(words) > 1:
                raise ZoneError(f"{owner}: {word} must stand alone, without records beside it")
            return Misbehaviour(word.upper())
    records: _Records = {}
    for word in words:
        record = _read_record(owner, word)
        records[record.rdtype] = (*records.get(record.rdtype, ()), record)
    if dns.rdatatype.CNAME in records and len(records) > 1:
        raise ZoneError(f"{owner}: a CNAME must stand alone (RFC 1034 §3.6.2)")
    return records


def _read_record(owner: str, line: str) -> dns.rdata.Rdata:
    kind, _, value = line.partition(" ")
    allowed = f"a record such as 'MX 10 mx.example' ({', '.join(RECORD_TYPES)}) or one of {', '.join(Misbehaviour)}"
    if kind.upper() not in RECORD_TYPES:
        raise ZoneError(f"{owner}: {line!r} is no record; allowed is {allowed}")
    value = value.strip()
    if kind.upper() == "TXT" and not value.startswith('"'):
        pieces = [value[at : at + 255] for at in range(0, len(value), 255)] or [""]
        value = " ".join('"' + piece.replace("\\", "\\\\").replace('"', '\\"') + '"' for piece in pieces)
    try:
        return dns.rdata.from_text(
            dns.rdataclass.IN, dns.rdatatype.from_text(kind), value, origin=dns.name.root, relativize=False
        )
    except (dns.exception.DNSException, ValueError) as error:
        raise ZoneError(f"{owner}: {line!r} cannot be read as {kind.upper()}: {error}; allowed is {allowed}") from error


def _key(name: str) -> str:
    return name.rstrip(".").lower()


def _ancestors(name: str) -> list[str]:
    labels = name.split(".")
    return [".".join(labels[at:]) for at in range(1, len(labels))]
