"""Blocklists are asked about what they can know, and one that is silent for a moment has said nothing."""

import pytest

from waybill.lab.dns import LabDns
from waybill.model.clock import HOUR, MINUTE
from waybill.model.standing import Listed, ListingState
from waybill.net.resolver import Resolver
from waybill.standing.monitor import SILENT_AFTER, ask, askable, chosen, news

NOW = 1_795_500_000_000


@pytest.mark.parametrize(
    ("subject", "asked"),
    [
        ("93.184.215.14", True),
        ("2606:2800:220:1::1", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("198.51.100.4", False),  # for documentation
        ("::1", False),
        ("shop.com", True),
        ("Shop.Example.", False),
        ("example.com", False),
        ("mail.example.org", False),
        ("notexample.org", True),
        ("bounce.localhost", False),
        ("printer.lan", False),
        ("localhost", False),
        ("", False),
    ],
)
def test_only_what_is_public_is_asked_about(subject: str, asked: bool) -> None:
    """Nobody lists this machine, an inner network, or a name for documentation."""
    assert ([subject] if asked else []) == askable([subject, subject])


async def test_each_list_is_asked_about_its_kind() -> None:
    """Addresses of IPv4 and IPv6, or domains; answers come with the time and the list's own words."""
    zones = {
        "2.0.0.127.zen.spamhaus.org": ["A 127.0.0.2"],
        "14.215.184.93.zen.spamhaus.org": ["A 127.0.0.4", "TXT listed for a reason"],
        "test.dbl.spamhaus.org": ["A 127.0.1.2"],
        "dbltest.com.dbl.spamhaus.org": ["A 127.0.1.2"],
    }
    async with LabDns(zones) as dns:
        resolver = Resolver([dns.address])
        try:
            lists = chosen(["spamhaus-zen", "spamhaus-dbl"])
            found = await ask(resolver, lists, ["93.184.215.14", "shop.com"], lambda: NOW)
        finally:
            await resolver.close()
    by_list = {one.blocklist: one for one in found}
    assert {"spamhaus-zen", "spamhaus-dbl"} == set(by_list)
    zen, dbl = by_list["spamhaus-zen"], by_list["spamhaus-dbl"]
    assert ("93.184.215.14", ListingState.LISTED, ("127.0.0.4",), NOW) == (
        zen.subject,
        zen.state,
        zen.answers,
        zen.since,
    )
    assert zen.text.endswith("listed for a reason")
    assert ("shop.com", ListingState.CLEAR) == (dbl.subject, dbl.state)


def said(state: ListingState, at: int) -> Listed:
    return Listed(subject="a", blocklist="zen", zone="z", state=state, since=at, asked_at=at)


@pytest.mark.parametrize(
    ("before", "now", "kept"),
    [
        (None, ListingState.UNKNOWN, True),
        (said(ListingState.LISTED, NOW - 30 * MINUTE), ListingState.UNKNOWN, False),
        (said(ListingState.LISTED, NOW - SILENT_AFTER), ListingState.UNKNOWN, True),
        (said(ListingState.UNKNOWN, NOW - HOUR), ListingState.UNKNOWN, True),
        (said(ListingState.LISTED, NOW - HOUR), ListingState.REFUSED, True),
        (said(ListingState.LISTED, NOW - HOUR), ListingState.CLEAR, True),
    ],
)
def test_a_lapse_is_no_news(before: Listed | None, now: ListingState, kept: bool) -> None:
    """What a list said stands for two hours, until it says something else."""
    found = said(now, NOW)
    assert ([found] if kept else []) == news([found], [before] if before else [])
