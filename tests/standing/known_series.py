"""The series that the detector is proven on: what happens, what it is to be taken for, and how soon that must be seen."""

from dataclasses import dataclass, field
from typing import Any

from tests.standing.series import (
    IPS,
    Group,
    Replay,
    Shape,
    Traffic,
    bad_list,
    december_2020,
    domain_blocked,
    everywhere,
    hard_outage,
    ip_blocked,
    nothing,
    one_reply,
    own_server_down,
    slow_ramp,
    slower,
)
from waybill.model.clock import HOUR, MINUTE, Instant
from waybill.model.incident import Incident, IncidentKind
from waybill.standing.incident.counts import Answer

NINE: Instant = 9 * HOUR
WARM = 90 * MINUTE
LASTS = HOUR
AFTER = 30 * MINUTE

_ALONE: dict[str, Any] = {"senders": (("shop.example", "1"),), "ips": IPS[:1]}


@dataclass(frozen=True, kw_only=True)
class Series:
    """``expected`` None: it is no incident. ``within`` are the minutes in which it must be opened, at 3,000 messages an hour."""

    name: str
    shape: Shape
    expected: tuple[IncidentKind, str] | None
    within: float = 0
    traffic: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Played:
    """What the detector made of a series: minutes until it was opened (None: never), and until it was closed after its end."""

    opened: list[Incident]
    delay: float | None
    suspected: float | None
    lasted_on: float | None


def series(begin: Instant) -> tuple[Series, ...]:
    """All of them, each with trouble that begins at ``begin``."""
    return (*_of_providers(begin), *_of_ours(begin), *_none_at_all(begin))


_OUTAGE, _DISOWNS = IncidentKind.OUTAGE, IncidentKind.FALSE_RECIPIENT_REJECTS


def _of_providers(begin: Instant) -> tuple[Series, ...]:
    google, microsoft = (_DISOWNS, "google"), (_OUTAGE, "microsoft")
    few = december_2020(begin, share=0.2)
    hoster = "mx.hoster.example"
    return (
        Series(name="December 2020, 60 % disowned", shape=december_2020(begin), expected=google, within=3),
        Series(name="December 2020, 20 % disowned", shape=few, expected=google, within=8),
        Series(
            name="December 2020, only one sender",
            shape=december_2020(begin),
            expected=google,
            within=10,
            traffic=_ALONE,
        ),
        Series(name="outage, 90 % deferred", shape=hard_outage(begin), expected=microsoft, within=3),
        Series(name="outage, 30 % deferred", shape=hard_outage(begin, share=0.3), expected=microsoft, within=12),
        Series(name="outage, only one sender", shape=hard_outage(begin), expected=microsoft, within=5, traffic=_ALONE),
        Series(name="slow ramp to 50 % in 90 min", shape=slow_ramp(begin), expected=microsoft, within=45),
        Series(name="one reply to everybody", shape=one_reply(begin), expected=(_OUTAGE, "yahoo"), within=12),
        Series(
            name="ten times slower",
            shape=nothing,
            expected=(IncidentKind.DEGRADED, "google"),
            within=8,
            traffic={"slow": slower(begin, lasts=LASTS)},
        ),
        Series(
            name="a hoster of 30 domains down",
            shape=own_server_down(begin, hoster),
            expected=(_OUTAGE, hoster),
            within=8,
        ),
    )


def _of_ours(begin: Instant) -> tuple[Series, ...]:
    ip, domain = (IncidentKind.IP_BLOCK, IPS[0]), (IncidentKind.DOMAIN_BLOCK, "news.example")
    dns, network = (IncidentKind.OWN_RESOLVER, ""), (IncidentKind.OWN_NETWORK, "")
    return (
        Series(name="one of two IPs blocked", shape=ip_blocked(begin), expected=ip, within=12),
        Series(name="one sending domain blocked", shape=domain_blocked(begin), expected=domain, within=12),
        Series(name="own DNS dead", shape=everywhere(begin, Answer.DNS), expected=dns, within=3),
        Series(name="own network dead", shape=everywhere(begin, Answer.CONNECT), expected=network, within=3),
    )


def _none_at_all(begin: Instant) -> tuple[Series, ...]:
    few_known: dict[str, Any] = {"known_share": 0.05}
    alone = bad_list(begin, sender="shop.example")
    return (
        Series(name="one company's own server down", shape=own_server_down(begin), expected=None),
        Series(name="a customer's bought list", shape=bad_list(begin), expected=None, traffic=few_known),
        Series(name="the only customer's bought list", shape=alone, expected=None, traffic={**few_known, **_ALONE}),
    )


def play(one: Series, *, day: Instant, an_hour: float, seed: int) -> Played:
    """An hour and a half of quiet, one with the trouble, half a one after it, from nine in the morning of a day."""
    begin = day + NINE
    trouble, end = begin + WARM, begin + WARM + LASTS

    def until_it_ends(group: Group) -> tuple[Answer, float] | None:
        return one.shape(group) if group.at < end else None

    traffic = Traffic(an_hour=an_hour, seed=seed, shape=until_it_ends, bad_lists_a_day=0.0, **one.traffic)
    replay = Replay(traffic=traffic).run(begin, (WARM + LASTS + AFTER) // MINUTE)
    sure = [incident for incident in replay.sure() if incident.opened_at >= trouble]
    doubted = [incident for incident in replay.opened if not incident.is_open and incident.opened_at >= trouble]
    closed = [incident.closed_at for incident in replay.closed if incident.closed_at is not None]
    return Played(
        opened=sure,
        delay=_minutes(sure[0].opened_at - trouble) if sure else None,
        suspected=_minutes(doubted[0].opened_at - trouble) if doubted else None,
        lasted_on=_minutes(closed[0] - end) if closed and sure else None,
    )


def _minutes(milliseconds: int) -> float:
    return round(milliseconds / MINUTE, 1)


def named(incident: Incident) -> tuple[IncidentKind, str]:
    """What an incident was taken for, and what it is about."""
    return incident.kind, incident.source_ip or incident.sending_domain or incident.site
