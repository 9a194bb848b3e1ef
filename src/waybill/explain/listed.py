"""What blocklists said of our sending IP and the sender's domain while the message was on its way: the list's own word."""

from collections.abc import Iterator
from dataclasses import replace

from waybill.explain.case import Case
from waybill.explain.record import Evidence, Telling
from waybill.explain.said import from_domain, source_ip
from waybill.explain.words import clock
from waybill.model.cause import Cause
from waybill.model.message import Status
from waybill.model.standing import Listed, ListingState

_ABOUT_IP = frozenset({Cause.IP_BLOCKLISTED, Cause.LOW_REPUTATION})
_ABOUT_DOMAIN = frozenset({Cause.DOMAIN_BLOCKLISTED, Cause.LOW_REPUTATION})


def with_listings(case: Case, telling: Telling) -> Telling:
    """The telling, and with it what the lists said where that bears on the answer."""
    found = tuple(_evidence(case))
    return replace(telling, evidence=(*telling.evidence, *found)) if found else telling


def _evidence(case: Case) -> Iterator[Evidence]:
    for subject in _subjects(case):
        own = [one for one in case.listings if one.subject == subject]
        listed = [one for one in own if one.state is ListingState.LISTED]
        yield from (_said(one, case) for one in listed)
        clear = [one for one in own if one.state is ListingState.CLEAR and one.until is None]
        if clear and not listed:
            asked = max(one.asked_at for one in clear)
            text = f"{subject} is on none of the lists asked: {', '.join(sorted(one.zone for one in clear))}"
            yield Evidence(at=asked, kind="blocklist", source="the blocklists, asked by Waybill", text=text)


def _subjects(case: Case) -> list[str]:
    """What to look for: where the answer speaks of reputation what it is about, after a 250 both."""
    taken = case.delivery.status is Status.DELIVERED
    causes = {case.cause, case.underlying_cause}
    found = []
    if taken or causes & _ABOUT_IP:
        found.append(source_ip(case) or "")
    if taken or causes & _ABOUT_DOMAIN:
        found.append(from_domain(case))
    return [subject for subject in found if subject]


def _said(one: Listed, case: Case) -> Evidence:
    answered = one.text or f"the list itself answered {', '.join(one.answers)} for {one.subject}"
    attempt = case.last_attempt
    after = attempt is not None and one.since > attempt.ended_at
    times = f"{'only after the attempt, since' if after else 'since'} {clock(one.since)}"
    if one.until is not None:
        times += f", until {clock(one.until)}"
    else:
        times += ", and still so when it was asked last"
    return Evidence(at=one.asked_at, kind="blocklist", source=one.zone, text=f"{answered}: {times}")
