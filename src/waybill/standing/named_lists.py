"""The blocklists that a receiver's refusal names, asked now whether they list the address that it refused."""

import asyncio
import re

from waybill.model.ip import is_public
from waybill.model.outcome import Attempt
from waybill.model.probe import ProbedListing
from waybill.net.resolver import Resolver
from waybill.standing.blocklists import Blocklist, blocklists, look_up

MOST_ASKED = 3
_IPV4 = re.compile(r"(?<![\w.])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?!\w)")


def named_in(words: str) -> tuple[Blocklist, ...]:
    """The lists of addresses that the words name, by their zone, its domain or their name; only those that we know."""
    lowered = words.lower()
    return tuple(
        one
        for one in blocklists()
        if one.about == "ip" and (_domain(one) in lowered or re.search(rf"\b{re.escape(one.name.lower())}\b", lowered))
    )


def refused_ip(attempt: Attempt) -> str | None:
    """The address that was refused: the one that the reply names, else the one we sent from, if the world can see it."""
    reply = attempt.outcome.reply
    named = [ip for ip in _IPV4.findall(" ".join(reply.lines)) if ip != attempt.ip] if reply is not None else []
    ip = named[0] if named else attempt.source_ip
    return str(ip) if ip is not None and (named or is_public(ip)) else None


async def ask_named(resolver: Resolver, attempt: Attempt) -> tuple[ProbedListing, ...]:
    """What the lists that the reply names say now of the address that was refused."""
    ip, reply = refused_ip(attempt), attempt.outcome.reply
    if ip is None or reply is None:
        return ()
    asked = [one for one in named_in(" ".join(reply.lines)) if one.knows(ip)][:MOST_ASKED]
    found = await asyncio.gather(*(look_up(resolver, one, ip) for one in asked))
    return tuple(
        ProbedListing(name=one.name, subject=ip, state=listing.state, text=listing.text)
        for one, listing in zip(asked, found, strict=True)
    )


def _domain(one: Blocklist) -> str:
    return ".".join(one.zone.split(".")[-2:])
