"""Asks blocklists over DNS (RFC 5782), and tells "listed" from "did not want to be asked" and from "lists everything"."""

import asyncio
import ipaddress
import tomllib
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from waybill.model.standing import ListingState
from waybill.net.resolver import Answer, AnswerStatus, Resolver

_FILE = Path(__file__).with_name("blocklists.toml")
_LISTS = ipaddress.IPv4Network("127.0.0.0/8")
_REFUSALS = ipaddress.IPv4Network("127.255.255.0/24")
_SHOWN = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Blocklist:
    """A list, as ``blocklists.toml`` describes it."""

    id: str
    name: str
    about: str
    zone: str
    listed: str
    clear: str
    removal: str
    source: str
    weight: str = "light"
    ipv6: bool = False
    bits: bool = False
    meanings: dict[str, str] = field(default_factory=dict)
    refusals: dict[str, str] = field(default_factory=dict)

    @property
    def is_heavy(self) -> bool:
        """Whether large receivers refuse mail for it."""
        return self.weight == "heavy"

    def knows(self, subject: str) -> bool:
        """Whether it can be asked about this address or domain."""
        return self.about == "domain" or self.ipv6 or ":" not in subject

    def question(self, subject: str) -> str:
        """The name to look up (RFC 5782 §2.1, §2.4, §3)."""
        if self.about == "domain":
            return f"{subject}.{self.zone}"
        reverse = ipaddress.ip_address(subject).reverse_pointer
        return f"{reverse.removesuffix('.in-addr.arpa').removesuffix('.ip6.arpa')}.{self.zone}"

    def refusal(self, ip: str) -> str | None:
        """Why an answer is no listing, in words; None where it is one."""
        if ip in self.refusals:
            return self.refusals[ip]
        if ipaddress.IPv4Address(ip) in _REFUSALS:
            return "it refuses to be asked this way"
        if ip == "127.0.0.1":  # RFC 5782 §2.1: never the answer for an entry
            return "the answer stands for no entry, and blocked resolvers get it"
        return None

    def meaning(self, ip: str) -> str:
        """What an entry with this answer is about; empty where the list does not say."""
        if not self.bits:
            return self.meanings.get(ip, "")
        value = int(ip.rpartition(".")[2])
        return ", ".join(words for bit, words in self.meanings.items() if value & int(bit))


@dataclass(frozen=True, kw_only=True, slots=True)
class Listing:
    """What a list says. ``answers`` are the addresses it gave, ``reason`` its own words (TXT); ``text`` is for people."""

    state: ListingState
    text: str
    answers: tuple[str, ...] = ()
    reason: str = ""
    said: tuple[str, ...] = ()


@cache
def blocklists() -> tuple[Blocklist, ...]:
    """The lists of ``blocklists.toml``."""
    tables: list[dict[str, Any]] = tomllib.loads(_FILE.read_text("utf-8"))["list"]
    return tuple(Blocklist(**table) for table in tables)


async def look_up(resolver: Resolver, zone: Blocklist, subject: str) -> Listing:
    """What the list says of an IP address (or of a domain, where it lists domains), held against its own test entries.

    Raises:
        ValueError: ``subject`` is no IP address, and the list is one of addresses.
    """
    v6 = zone.about == "ip" and ":" in subject
    answer, listed, clear = await asyncio.gather(
        resolver.lookup(zone.question(subject), "A"),
        resolver.lookup(zone.question(f"::ffff:{zone.listed}" if v6 else zone.listed), "A"),
        resolver.lookup(zone.question(f"::ffff:{zone.clear}" if v6 else zone.clear), "A"),
    )
    said = (answer.text,)
    if answer.status in (AnswerStatus.NXDOMAIN, AnswerStatus.NODATA):
        return _judge_silence(zone, subject, listed, said)
    found = _judge(zone, subject, answer)
    if found.state is ListingState.LISTED:
        if clear.records:
            words = f"{zone.name} lists everything, even its own test entry {zone.clear}: its answer means nothing"
            return Listing(state=ListingState.UNKNOWN, text=words, answers=answer.records, said=(*said, clear.text))
        why = await resolver.txt(zone.question(subject))
        reason = why.records[0][:_SHOWN] if why.records else ""
        return Listing(
            state=found.state, text=found.text, answers=answer.records, reason=reason, said=(*said, why.text)
        )
    return found


def _judge(zone: Blocklist, subject: str, answer: Answer) -> Listing:
    """An answer that is not "no such name"."""
    said = (answer.text,)
    if not answer.records:
        refused = answer.status is AnswerStatus.REFUSED
        words = f"{zone.name} {'refused the question' if refused else 'did not answer'}"
        state = ListingState.REFUSED if refused else ListingState.UNKNOWN
        return Listing(state=state, text=words, said=said)
    for ip in answer.records:
        if ipaddress.IPv4Address(ip) not in _LISTS:
            words = f"{zone.name} seems to answer {ip}, which no blocklist does: the list is gone, or the resolver makes up answers"
            return Listing(state=ListingState.UNKNOWN, text=words, answers=answer.records, said=said)
        refusal = zone.refusal(ip)
        if refusal is not None:
            words = f"{zone.name} answered {ip}, which is no listing: {refusal}"
            return Listing(state=ListingState.REFUSED, text=words, answers=answer.records, said=said)
    meanings = "; ".join(dict.fromkeys(filter(None, (zone.meaning(ip) for ip in answer.records))))
    words = f"{zone.name} lists {subject} ({', '.join(answer.records)}{': ' if meanings else ''}{meanings})"
    return Listing(state=ListingState.LISTED, text=words, answers=answer.records, said=said)


def _judge_silence(zone: Blocklist, subject: str, listed: Answer, said: tuple[str, ...]) -> Listing:
    """No entry: believed where the list's own test entry can be seen from here."""
    test = _judge(zone, zone.listed, listed) if listed.status is not AnswerStatus.NXDOMAIN else None
    if test is not None and test.state is ListingState.LISTED:
        return Listing(state=ListingState.CLEAR, text=f"{zone.name} does not list {subject}", said=said)
    if test is not None and test.state is ListingState.REFUSED:
        return Listing(state=test.state, text=test.text, answers=test.answers, said=(*said, listed.text))
    words = (
        f"{zone.name} does not show even its own test entry {zone.listed} from here, so that its silence means nothing"
    )
    return Listing(state=ListingState.UNKNOWN, text=words, said=(*said, listed.text))
