"""Asks blocklists about our own addresses and domains, again and again, so that a listing is known before its refusals come."""

import asyncio
from collections.abc import Iterable, Sequence

from waybill.model.clock import HOUR, MINUTE, Clock
from waybill.model.ip import is_ip, is_public
from waybill.model.standing import Listed, ListingState
from waybill.net.resolver import Resolver
from waybill.standing.blocklists import Blocklist, blocklists, look_up

EVERY = 30 * MINUTE

SILENT_AFTER = 2 * HOUR
"""A list that gives no usable answer keeps what it said last for so long: one lost packet is no news."""

_AT_ONCE = 4
_NOT_PUBLIC = [
    "alt",
    "example",
    "example.com",
    "example.net",
    "example.org",
    "home.arpa",
    "internal",
    "invalid",
    "lan",
    "local",
    "localhost",
    "onion",
    "test",
]
"""Domains that no list knows (RFC 6761, RFC 2606 and the usual names of inner networks)."""


def askable(subjects: Iterable[str]) -> list[str]:
    """Those that lists can know: public IP addresses, and domains of the public DNS."""
    return [subject for subject in dict.fromkeys(subjects) if _is_public(subject)]


def _is_public(subject: str) -> bool:
    if is_ip(subject):
        return is_public(subject)
    name = f".{subject.rstrip('.').lower()}"
    return "." in name[1:] and not any(name.endswith(f".{zone}") for zone in _NOT_PUBLIC)


def chosen(ids: Sequence[str]) -> list[Blocklist]:
    """The lists of these ids."""
    return [blocklist for blocklist in blocklists() if blocklist.id in ids]


async def ask(resolver: Resolver, lists: Sequence[Blocklist], subjects: Sequence[str], clock: Clock) -> list[Listed]:
    """What every list says of every subject that it can know, a few questions at a time."""
    limit = asyncio.Semaphore(_AT_ONCE)

    async def one(blocklist: Blocklist, subject: str) -> Listed:
        async with limit:
            found = await look_up(resolver, blocklist, subject)
        at = clock()
        return Listed(
            subject=subject,
            blocklist=blocklist.id,
            zone=blocklist.zone,
            state=found.state,
            since=at,
            asked_at=at,
            answers=tuple(sorted(found.answers)),
            text=f"{found.text}: {found.reason}" if found.reason else found.text,
        )

    return list(
        await asyncio.gather(
            *(
                one(blocklist, subject)
                for blocklist in lists
                for subject in subjects
                if is_ip(subject) is (blocklist.about == "ip") and blocklist.knows(subject)
            )
        )
    )


def news(found: Sequence[Listed], standing: Sequence[Listed]) -> list[Listed]:
    """What to keep of new answers: a list that was silent now has said nothing against what it said a short while ago."""
    known = {(listed.subject, listed.blocklist): listed for listed in standing}
    return [listed for listed in found if not _is_lapse(listed, known.get((listed.subject, listed.blocklist)))]


def _is_lapse(listed: Listed, before: Listed | None) -> bool:
    return (
        listed.state is ListingState.UNKNOWN
        and before is not None
        and before.state is not ListingState.UNKNOWN
        and listed.asked_at - before.asked_at < SILENT_AFTER
    )
