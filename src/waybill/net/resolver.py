"""Asks DNS and keeps the answers: every answer, a failure too, is a value that says which server said what."""

import asyncio
import ipaddress
import random
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from functools import lru_cache

import dns.asyncbackend
import dns.asyncquery
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdatatype
import dns.resolver

from waybill.model.ip import is_loopback
from waybill.model.record import record

MAX_CACHED = 20_000
MAX_TTL = 86_400
MAX_NEGATIVE_TTL = 900  # RFC 2308 §5 allows three hours; people who repair their DNS wait for less
FAILURE_TTL = 5  # RFC 2308 §7: a failure is remembered too, so that a queue does not wait for each of its messages


class AnswerStatus(StrEnum):
    """What an answer is."""

    OK = "ok"
    NXDOMAIN = "nxdomain"  # the name does not exist
    NODATA = "nodata"  # the name exists and has no record of that type
    SERVFAIL = "servfail"
    REFUSED = "refused"  # or another response code that says no
    TIMEOUT = "timeout"
    FAILED = "failed"  # no server could be reached, or what it said is no DNS
    NO_EDNS = "no_edns"  # it does not understand EDNS, and is asked again without; never the last word
    BAD_NAME = "bad_name"  # what was asked for is no domain name

    @property
    def definite(self) -> bool:
        """Whether the same question will get the same answer for a while."""
        return self in _DEFINITE


_DEFINITE = frozenset({AnswerStatus.OK, AnswerStatus.NXDOMAIN, AnswerStatus.NODATA, AnswerStatus.BAD_NAME})


_SERVER = re.compile(r"(?:\[(.*)\]|(.*:.*:.*|[^:]*))(?::(.*))?", re.DOTALL)


@record(frozen=True, kw_only=True, slots=True)
class Answer:
    """An answer to one question. ``records`` are in presentation form, TXT strings joined; ``text`` says who answered what.

    ``canonical`` is the name that the records are at, after aliases. ``authenticated``: a resolver on this machine has
    checked by DNSSEC that this is the answer, be it that there is none (RFC 4035 §3.2.3). From anywhere else the same
    claim could be anybody's (RFC 7672 §2.1.1).
    """

    name: str
    kind: str
    status: AnswerStatus
    text: str
    records: tuple[str, ...] = ()
    ttl: int = 0
    authenticated: bool = False
    canonical: str = ""


@record(frozen=True, kw_only=True, slots=True, order=True)
class MxHost:
    """One MX record; ``host`` has no final dot, and is empty in a null MX (RFC 7505)."""

    preference: int
    host: str


@record(frozen=True, kw_only=True, slots=True)
class MxAnswer:
    """The MX records of a domain, by preference."""

    status: AnswerStatus
    text: str
    hosts: tuple[MxHost, ...] = ()
    ttl: int = 0
    authenticated: bool = False
    canonical: str = ""


@record(frozen=True, kw_only=True, slots=True)
class AddressAnswer:
    """The addresses of a host, IPv4 before IPv6."""

    status: AnswerStatus
    text: str
    addresses: tuple[str, ...] = ()
    ttl: int = 0
    authenticated: bool = False
    canonical: str = ""


@record(frozen=True, kw_only=True, slots=True)
class Server:
    """A DNS server."""

    ip: str
    port: int = 53

    def __str__(self) -> str:
        return f"[{self.ip}]:{self.port}" if ":" in self.ip else f"{self.ip}:{self.port}"


def parse_server(text: str) -> Server:
    """The server that ``192.0.2.53``, ``127.0.0.1:5353``, ``::1`` or ``[::1]:5353`` names.

    Raises:
        ValueError: it is none of these.
    """
    bracketed, plain, port = _SERVER.fullmatch(text.strip()).groups()  # type: ignore[union-attr] # it matches any text
    host = bracketed if bracketed is not None else plain
    port = port or "53"
    try:
        ip = str(ipaddress.ip_address(host))
    except ValueError:
        raise ValueError(f"DNS server {text!r} is not an IP address with an optional port (127.0.0.1:5353)") from None
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65_536):
        raise ValueError(f"DNS server {text!r} has the port {port!r}; a port is a number from 1 to 65535")
    return Server(ip=ip, port=int(port))


def system_servers() -> tuple[Server, ...]:
    """The servers that this machine is configured to ask; none where it is not configured."""
    try:
        return tuple(parse_server(str(each)) for each in dns.resolver.Resolver().nameservers)
    except (dns.exception.DNSException, OSError, ValueError):
        return ()


@lru_cache(maxsize=4_096)
def _mx_hosts(records: tuple[str, ...]) -> tuple[MxHost, ...]:
    return tuple(
        sorted(
            MxHost(preference=int(preference), host=host.rstrip(".").lower())
            for preference, _, host in (record.partition(" ") for record in records)
        )
    )


class Resolver:
    """A stub resolver with a bounded cache. Its methods never raise for what DNS says or does not say.

    Args:
        servers: whom to ask, in this order (``127.0.0.1:5353``); empty: the system's.
        zones: name suffix to server, for names that another server knows; the longest suffix wins.
        patience: seconds to wait for one server's answer; all servers are asked ``rounds`` times.
        monotonic: seconds, for the cache.
    """

    def __init__(
        self,
        servers: Sequence[str] = (),
        *,
        zones: Mapping[str, str] | None = None,
        patience: float = 3.0,
        rounds: int = 2,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._servers = tuple(parse_server(server) for server in servers) or system_servers()
        self._zones = {zone.strip(".").lower(): parse_server(server) for zone, server in (zones or {}).items()}
        self._patience = patience
        self._rounds = rounds
        self._monotonic = monotonic
        self._cache: OrderedDict[tuple[str, str], tuple[float, Answer]] = OrderedDict()
        self._asking: dict[tuple[str, str], asyncio.Task[Answer]] = {}

    def afresh(self) -> "Resolver":
        """One that asks the same servers and remembers nothing yet: for whoever wants to know how it is now."""
        other = Resolver(("127.0.0.1",), patience=self._patience, rounds=self._rounds, monotonic=self._monotonic)
        other._servers, other._zones = self._servers, self._zones
        return other

    async def mx(self, domain: str) -> MxAnswer:
        """The domain's MX records; hosts of the same preference in no particular order."""
        answer = await self.lookup(domain, "MX")
        return MxAnswer(
            status=answer.status,
            text=answer.text,
            ttl=answer.ttl,
            hosts=_mx_hosts(answer.records),
            authenticated=answer.authenticated,
            canonical=answer.canonical,
        )

    async def addresses(self, host: str) -> AddressAnswer:
        """The host's A and AAAA records, asked for at once. Where there are none, the graver of the two answers."""
        kept_v4, kept_v6 = self._kept(host, "A"), self._kept(host, "AAAA")
        if kept_v4 is not None and kept_v6 is not None:
            v4, v6 = kept_v4, kept_v6
        else:
            v4, v6 = await asyncio.gather(self.lookup(host, "A"), self.lookup(host, "AAAA"))
        if v4.records or v6.records:
            found = [answer for answer in (v4, v6) if answer.records]
            return AddressAnswer(
                status=AnswerStatus.OK,
                text="; ".join(answer.text for answer in found),
                addresses=v4.records + v6.records,
                ttl=min(answer.ttl for answer in found),
                authenticated=all(answer.authenticated for answer in found),
                canonical=found[0].canonical,
            )
        worst = next((answer for answer in (v4, v6) if not answer.status.definite), v4)
        text = worst.text if worst.status is not AnswerStatus.NODATA else f"{v4.text}; {v6.text}"
        return AddressAnswer(status=worst.status, text=text, ttl=min(v4.ttl, v6.ttl))

    async def txt(self, name: str) -> Answer:
        """The name's TXT records, each with its strings joined."""
        return await self.lookup(name, "TXT")

    async def lookup(self, name: str, kind: str) -> Answer:
        """The records of any type (``CNAME``, ``PTR``, ``TLSA``, …) at the name, from the cache or from DNS."""
        kept = self._kept(name, kind)
        if kept is not None:
            return kept
        key = (name.lower(), kind)
        task = self._asking.get(key)
        if task is None:
            task = asyncio.ensure_future(self._ask(name, kind))
            self._asking[key] = task
            task.add_done_callback(lambda done: self._keep(key, done))
        return await asyncio.shield(task)

    def _kept(self, name: str, kind: str) -> Answer | None:
        key = (name.lower(), kind)
        kept = self._cache.get(key)
        if kept is None or kept[0] <= self._monotonic():
            return None
        self._cache.move_to_end(key)
        return kept[1]

    async def close(self) -> None:
        """Stops asking."""
        asking = list(self._asking.values())
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)

    def _keep(self, key: tuple[str, str], done: "asyncio.Task[Answer]") -> None:
        del self._asking[key]
        if done.cancelled() or done.exception() is not None:
            return
        answer = done.result()
        self._cache[key] = (self._monotonic() + answer.ttl, answer)
        self._cache.move_to_end(key)
        while len(self._cache) > MAX_CACHED:
            self._cache.popitem(last=False)

    async def _ask(self, name: str, kind: str) -> Answer:
        try:
            qname = dns.name.from_text(name, idna_codec=dns.name.IDNA_2008_UTS_46)
        except (dns.exception.DNSException, UnicodeError) as error:
            return Answer(
                name=name, kind=kind, status=AnswerStatus.BAD_NAME, text=f"{name!r} is not a domain name: {error}"
            )
        servers = self._servers_for(qname)
        answer = Answer(name=name, kind=kind, status=AnswerStatus.FAILED, text="No DNS server is configured")
        for server in servers * self._rounds:
            answer = await self._ask_server(server, qname, kind)
            if answer.status is AnswerStatus.NO_EDNS:  # RFC 6891 §7: an old server, or a firewall in front of it
                answer = await self._ask_server(server, qname, kind, edns=False)
            if answer.status.definite:
                break
        return answer

    def _servers_for(self, qname: dns.name.Name) -> tuple[Server, ...]:
        labels = qname.to_text(omit_final_dot=True).lower().split(".")
        for start in range(len(labels)):
            server = self._zones.get(".".join(labels[start:]))
            if server is not None:
                return (server,)
        return self._servers

    async def _ask_server(self, server: Server, qname: dns.name.Name, kind: str, *, edns: bool = True) -> Answer:
        name = qname.to_text(omit_final_dot=True)
        query = dns.message.make_query(qname, kind, id=random.SystemRandom().getrandbits(16))
        if edns:
            query.use_edns(0, payload=1232)
        if is_loopback(server.ip):  # RFC 6840 §5.7: whether it was checked is all we want to know, not the signatures
            query.flags |= dns.flags.AD
        try:
            response, _ = await dns.asyncquery.udp_with_fallback(
                query,
                server.ip,
                port=server.port,
                timeout=self._patience,
                ignore_unexpected=True,
                ignore_errors=True,
                backend=dns.asyncbackend.get_backend("asyncio"),
            )
        except dns.exception.Timeout:
            text = f"{server} did not answer for {name} {kind} within {self._patience:g} s"
            return Answer(name=name, kind=kind, status=AnswerStatus.TIMEOUT, text=text, ttl=FAILURE_TTL)
        except (OSError, dns.exception.DNSException, EOFError) as error:
            text = f"{server} could not be asked for {name} {kind}: {error or type(error).__name__}"
            return Answer(name=name, kind=kind, status=AnswerStatus.FAILED, text=text, ttl=FAILURE_TTL)
        if edns and response.rcode() in (dns.rcode.FORMERR, dns.rcode.NOTIMP, dns.rcode.BADVERS):
            text = f"{server} answered {dns.rcode.to_text(response.rcode())} for {name} {kind} asked with EDNS"
            return Answer(name=name, kind=kind, status=AnswerStatus.NO_EDNS, text=text, ttl=FAILURE_TTL)
        return _read(response, server, name, kind)


def _read(response: dns.message.Message, server: Server, name: str, kind: str) -> Answer:
    rcode = response.rcode()
    said = f"{server} answered {dns.rcode.to_text(rcode)} for {name} {kind}"
    if rcode not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        status = AnswerStatus.SERVFAIL if rcode == dns.rcode.SERVFAIL else AnswerStatus.REFUSED
        return Answer(name=name, kind=kind, status=status, text=said, ttl=FAILURE_TTL)
    try:
        chain = response.resolve_chaining()  # type: ignore[attr-defined] # every response is a QueryMessage
    except dns.exception.DNSException as error:
        text = f"{server} gave an answer for {name} {kind} that makes no sense: {error}"
        return Answer(name=name, kind=kind, status=AnswerStatus.FAILED, text=text, ttl=FAILURE_TTL)
    records: tuple[str, ...] = ()
    status, text, longest = AnswerStatus.OK, said, MAX_NEGATIVE_TTL
    if rcode == dns.rcode.NXDOMAIN:
        status = AnswerStatus.NXDOMAIN
    elif chain.answer is None:
        status, text = AnswerStatus.NODATA, f"{server} answered that {name} has no {kind} record"
    else:
        records, longest = tuple(_present(rdata) for rdata in chain.answer), MAX_TTL
        text = f"{server} answered for {name} {kind}: {', '.join(records)}"
    return Answer(
        name=name,
        kind=kind,
        status=status,
        text=text,
        records=records,
        ttl=min(chain.minimum_ttl, longest),
        authenticated=bool(response.flags & dns.flags.AD) and is_loopback(server.ip),
        canonical=chain.canonical_name.to_text(omit_final_dot=True).lower(),
    )


def _present(rdata: dns.rdata.Rdata) -> str:
    if rdata.rdtype == dns.rdatatype.TXT:
        return b"".join(rdata.strings).decode("utf-8", "replace")  # type: ignore[attr-defined] # TXT has strings
    return rdata.to_text()
