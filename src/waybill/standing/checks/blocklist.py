"""Blocklists: each address that we send from, and each domain that our mail names, at each list that knows its kind."""

import asyncio

from waybill.mail.dmarc import discover
from waybill.mail.lookup import LookupFailed
from waybill.model.standing import ListingState
from waybill.standing.blocklists import Blocklist, Listing, blocklists, look_up
from waybill.standing.checks.asking import Asking
from waybill.standing.checks.check import About, Check, Sender, Tools, not_public

IDS = ("ip_blocklist", "domain_blocklist")

WITHIN = 4.0
"""Seconds for one list: where one is dead the others are heard all the same."""


async def check(sender: Sender, tools: Tools) -> list[Check]:
    """One check for each address or domain and list, since each list may answer or refuse by itself."""
    named = (sender.domain, sender.mail_from, sender.signs_for)
    domains = dict.fromkeys((*named, await _organizational(sender.domain, tools)))
    asked = [
        *(
            ("ip_blocklist", zone, ip)
            for ip in sender.ips
            if tools.is_seen(ip)
            for zone in _about("ip")
            if zone.knows(ip)
        ),
        *(("domain_blocklist", zone, domain) for domain in domains for zone in _about("domain")),
    ]
    found = await asyncio.gather(*(_ask(zone, subject, tools) for _, zone, subject in asked))
    checks = [
        _report(zone, listing, _under_way(check_id, zone, subject, listing, tools))
        for (check_id, zone, subject), listing in zip(asked, found, strict=True)
    ]
    return [*checks, *(not_public("ip_blocklist", ip, ip) for ip in sender.ips if not tools.is_seen(ip))]


async def _organizational(domain: str, tools: Tools) -> str:
    """The domain above that lists may name in its place; itself where that cannot be found out."""
    try:
        return (await discover(Asking(tools), domain)).organizational_domain
    except LookupFailed:
        return domain


async def _ask(zone: Blocklist, subject: str, tools: Tools) -> Listing:
    try:
        async with asyncio.timeout(WITHIN):
            return await look_up(tools.resolver, zone, subject)
    except TimeoutError:
        return Listing(state=ListingState.UNKNOWN, text=f"{zone.name} did not answer within {WITHIN:g} s")


def _about(kind: str) -> list[Blocklist]:
    return [zone for zone in blocklists() if zone.about == kind]


def _under_way(check_id: str, zone: Blocklist, subject: str, listing: Listing, tools: Tools) -> About:
    said = tuple(tools.heard(zone.name, text, "dns") for text in (*listing.said, listing.reason) if text)
    return About(id=check_id, subject=f"{subject} at {zone.name}", evidence=said)


def _report(zone: Blocklist, listing: Listing, about: About) -> Check:
    match listing.state:
        case ListingState.CLEAR:
            return about.passes(f"{listing.text}.")
        case ListingState.LISTED:
            remedy = f"Find out what was sent that it is listed for, end that, then ask for removal: {zone.removal}"
            return (about.fails if zone.is_heavy else about.warns)(f"{listing.text}.", remedy=remedy)
        case ListingState.REFUSED:
            return about.is_unknown(
                f"{listing.text}.",
                remedy="Ask through a resolver of your own (dns.servers), since lists do not answer the large public ones; "
                f"or look by hand: {zone.removal}",
            )
        case _:
            return about.is_unknown(f"{listing.text}.")
